"""What a zygote does to be quick: it rehearses, which leaves nothing behind but warm caches, and forks plainly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autograder.remote import warmup

LEFT = """
import os, sys, torch
from autograder.remote.warmup import rehearse
rehearse()
assert len(os.listdir("/proc/self/task")) == 1, "a thread"
assert "submission" not in sys.modules, "a module"
assert not any(hasattr(f, "forbidden_name") for f in (torch.softmax, torch.Tensor.softmax, torch.nn.Softmax.__init__))
x = torch.ones(2, requires_grad=True)
pid = os.fork()
if not pid:
    (x * x).sum().backward()
    os._exit(0 if x.grad.tolist() == [2.0, 2.0] else 1)
assert os.waitpid(pid, 0)[1] == 0, "no backward pass in a child"
"""

HOLES = """
import ctypes
from autograder.sandbox.warmup import fill_holes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
blocks = [libc.malloc(ctypes.c_size_t(200)) for _ in range(20_000)]
for block in blocks[::2]:
    libc.free(ctypes.c_void_p(block))
assert fill_holes() > 10_000 * 200, "holes are left"
assert fill_holes() < 1_000_000, "it takes fresh memory"
"""


FORKED = """
import os, threading
from autograder.sandbox.linux import fork
os.register_at_fork(after_in_child=lambda: os._exit(3))
parent = os.getpid()
pid = fork()
if not pid:
    found = []
    thread = threading.Thread(target=found.append, args=[os.getppid()])
    thread.start()
    thread.join()
    os._exit(0 if found == [parent] else 4)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_fork_without_the_modules_work() -> None:
    subprocess.run([sys.executable, "-c", FORKED], check=True)


def test_holes_are_filled() -> None:
    subprocess.run([sys.executable, "-c", HOLES], check=True)


def test_nothing_is_left_behind() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", LEFT], env=environment, check=True)


def test_a_failure_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "SOURCE", warmup.SOURCE.replace(b"def attend", b"def attended"))
    with pytest.raises(RuntimeError, match="attend"):
        warmup.rehearse()
