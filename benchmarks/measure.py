"""What a command costs, with every process it starts: CPU, seconds on the wall, peak of resident memory."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from autograder.sandbox import linux

EVERY = 0.05  # seconds between two looks at the memory
PR_SET_CHILD_SUBREAPER = 36
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU and on the wall, and MiB: the most that was resident in all processes together."""

    cpu: float
    wall: float
    mebibytes: float


def cost_of(
    what: str,
    command: Sequence[str],
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    done: Callable[[], str] = str,
) -> Cost:
    """Run a command to its end, showing what runs and for how long. It must succeed.

    CPU is what the kernel says of all processes that have ended: those whose parent left them are taken over and waited
    for, so none is missed. Resident memory is summed over processes: what they share counts in each.

    Args:
        done: says how far the command is.
    """
    linux.prctl(PR_SET_CHILD_SUBREAPER, 1)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    before, others, begun, peak = children_cpu(), set(_children(os.getpid())), time.monotonic(), 0
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            list(command),
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        ) as process,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task, told = bar.add_task(what), begun
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            if time.monotonic() > told + 1:
                told = time.monotonic()
                bar.update(task, description=f"{what} {done()}")
            time.sleep(EVERY)
        wall = time.monotonic() - begun
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    for pid in set(_children(os.getpid())) - others:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    if process.returncode:
        raise SystemExit(f"{what} ended with {process.returncode}:\n{text[-3000:]}")
    return Cost(children_cpu() - before, wall, peak / MEBIBYTE)


def children_cpu() -> float:
    """CPU seconds of all processes that this one started and that have ended, and of those below them."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resident(pid: int) -> int:
    """Bytes resident in a process and all below it."""
    total, waiting = 0, [pid]
    while waiting:
        pid = waiting.pop()
        with suppress(OSError):  # it may end at any moment
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
            waiting += _children(pid)
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found
