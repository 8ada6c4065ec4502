"""Every attack in `confined/`, at every level: it gains nothing, and the child opened after it is untouched.

An attack is a module with a function `attack`, what its call may end in (exception classes, values, or functions that
judge one), and the limits that it needs if they are not the usual ones. The sources know this program well; what they can't
know is the machine, so paths and pids are filled in.
"""

from __future__ import annotations

import os
import platform
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
from autograder.sandbox.errors import Blocked, SandboxUnavailable
from autograder.sandbox.syscalls import NUMBERS

SECRET = Path(__file__).resolve()  # stands for a hidden test or a solution: a file of this repository
REPOSITORY = SECRET.parents[2]
LOOT = Path(f"/tmp/loot-{os.getpid()}")  # what an attack would leave behind
PLACES = {"secret": SECRET, "repository": REPOSITORY, "grader": os.getpid(), "loot": LOOT}
HEALTHY = b"def answer():\n    return 42\n"
# A file handed in beside each: raw system calls. The answer is the name of the error.
RAW = f"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
buffer = ctypes.create_string_buffer(4096)
def system_call(name, *args):
    result = libc.syscall(ctypes.c_long({NUMBERS[platform.machine()]}.get(name, -1)), *args)
    return errno.errorcode.get(ctypes.get_errno(), "?") if result < 0 else f"went through: {{result}}"
"""

# Test files are no package, so the attacks are read by their path.
CLASSES = {
    path.stem: runpy.run_path(str(path))["ATTACKS"]
    for path in sorted(SECRET.with_name("confined").glob("*.py"))
}
ATTACKS = {f"{kind}: {name}": attack for kind, attacks in CLASSES.items() for name, attack in attacks.items()}


def _met(outcome: Any, expected: tuple[Any, ...]) -> bool:
    for wanted in expected:
        if isinstance(wanted, type):
            if isinstance(outcome, wanted):
                return True
        elif callable(wanted):
            if not isinstance(outcome, Exception) and wanted(outcome):
                return True
        elif type(outcome) is type(wanted) and outcome == wanted:
            return True
    return False


def attempt(sandbox: ModuleSandbox, source: str, limits: Limits) -> Any:
    """Load and run one attack: the value or exception that the trusted side sees."""
    for name, value in PLACES.items():
        source = source.replace(f"{{{name}}}", str(value))
    files = {"s.py": source.encode(), "raw.py": RAW.encode()}
    with sandbox.open(files, "s.py", limits=limits) as child:
        try:
            child.load(seconds=2)  # of a loop that never ends, less than usual is enough
            return child.student.attack()
        except Exception as error:
            return error


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_gains_nothing(confined: ModuleSandbox, attack: str) -> None:
    source, expected, *more = ATTACKS[attack]
    limits = Limits(**{"seconds": 3, "memory_mb": 512, **(more[0] if more else {})})
    outcome = attempt(confined, source, limits)
    assert _met(outcome, expected), f"{type(outcome).__mro__}: {outcome}"
    with confined.open({"s.py": HEALTHY}, "s.py", limits=Limits()) as child:
        child.load()
        assert child.student.answer() == 42
    assert not LOOT.exists()


def test_nothing_is_graded_without_the_filter() -> None:
    with ModuleSandbox(without=["seccomp"]) as sandbox, pytest.raises(SandboxUnavailable, match="seccomp"):
        _ = sandbox.level


def test_second_answer_is_noticed(confined: ModuleSandbox) -> None:
    """An answer that nobody asked for ends the child at the next question, before it could be taken for an answer."""
    source = CLASSES["channel"]["a second answer"][0].encode()
    with confined.open({"s.py": source}, "s.py", limits=Limits()) as child:
        child.load()
        assert child.student.attack() == "once"
        time.sleep(0.5)
        with pytest.raises(Blocked):
            child.student.attack()
        with pytest.raises(Blocked):
            child.student.attack()


def test_nothing_of_the_grader_in_memory(confined: ModuleSandbox) -> None:
    """Hunting through frames and objects finds no name that only the trusted side knows."""
    source = b"""
import gc, os, sys
def attack():
    frame, seen = sys._getframe(), []
    while frame:
        seen += [str(k) for k in frame.f_locals] + [repr(v)[:2000] for v in list(frame.f_locals.values())]
        frame = frame.f_back
    seen += [s for o in gc.get_objects() if isinstance(o, (list, tuple, dict)) for s in (o if not isinstance(o, dict)
             else [*o, *o.values()]) if isinstance(s, str)]
    seen += [*os.environ, *os.environ.values(), *sys.argv, *sys.orig_argv]
    text = chr(10).join(seen)
    # Spelled backwards, or the hunt would find its own quarry.
    words = ["".join(reversed(w)) for w in ("DETCEPXE_TERCES", "/snoitulos", "denifnoc_tset", "TNERRUC_TSETYP")]
    return [word for word in words if word in text]
"""
    os.environ["SECRET_EXPECTED"] = "SECRET_EXPECTED"
    try:
        with confined.open({"s.py": source}, "s.py", limits=Limits(seconds=20)) as child:
            child.load()
            assert child.student.attack() == []
    finally:
        del os.environ["SECRET_EXPECTED"]


def test_threads_left_behind_die_with_the_child(confined: ModuleSandbox) -> None:
    source = b"import threading, time\ndef attack():\n    threading.Thread(target=time.sleep, args=(99,)).start()\n"
    child = confined.open({"s.py": source}, "s.py", limits=Limits())
    child.load()
    child.student.attack()
    began = time.monotonic()
    child.close()
    assert time.monotonic() - began < 10


def test_children_die_with_the_grader() -> None:
    """Where the trusted process is killed, no child goes on: neither in namespaces nor without them."""
    for without in ("[]", "['namespaces']"):
        script = (
            "import os, sys\nfrom autograder.remote.module_sandbox import ModuleSandbox\nfrom autograder.results import Limits\n"
            f"s = ModuleSandbox(without={without})\n"
            "c = s.open({'s.py': b'def spin():\\n    while True: pass'}, 's.py', limits=Limits(seconds=99))\nc.load()\n"
            "import threading, time\nthreading.Thread(target=c.student.spin, daemon=True).start()\ntime.sleep(0.5)\n"
            "line = open(f'/proc/self/fdinfo/{c._process._pidfd}').read()\n"
            "print(next(l.split()[1] for l in line.splitlines() if l.startswith('Pid:')), flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        answer = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, env=environment, check=False
        )
        pid = int(answer.stdout)
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()
