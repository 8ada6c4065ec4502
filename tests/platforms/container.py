"""A stand-in for Gradescope's container: its layout, its limits as far as this machine can set them, its missing layers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEMORY = 768 << 20
QUOTA, PERIOD = 50_000, 100_000  # half a CPU

# As root: the interpreter is readable to everybody, as setup.sh makes it there, wherever it is on this machine. (A
# directory of the way that is closed to others is covered by an empty one with the same content at the places we need.)
# Then what a container refuses: unshare with EPERM, as Docker's filter does; Landlock with ENOSYS, as an old kernel does.
ENTER = """
import ctypes, os, struct, sys
import autograder
from autograder.sandbox import linux, namespaces

def closed(path):
    parents = [path.rsplit("/", n)[0] for n in range(path.count("/") - 1, -1, -1)]
    return next((parent for parent in parents if not os.stat(parent).st_mode & 0o001), None)

def open_up(paths, hold):
    linux.unshare(namespaces.CLONE_NEWNS)
    linux.mount("none", "/", flags=namespaces.MS_REC | namespaces.MS_PRIVATE)
    linux.mount("tmpfs", hold, "tmpfs", 0, "mode=700")
    covers = {closed(path) for path in paths} - {None}
    needed = [path for path in paths if closed(path)]
    for number, path in enumerate(needed):
        os.mkdir(f"{hold}/{number}")
        linux.mount(path, f"{hold}/{number}", flags=namespaces.MS_BIND | namespaces.MS_REC)
    for cover in covers:
        linux.mount("tmpfs", cover, "tmpfs", 0, "mode=755")
    for number, path in enumerate(needed):
        os.makedirs(path, exist_ok=True)
        linux.mount(f"{hold}/{number}", path, flags=namespaces.MS_BIND | namespaces.MS_REC)

if os.getuid() == 0:
    package = os.path.dirname(os.path.dirname(autograder.__file__))
    open_up(sorted({os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, package)}), sys.argv[4])
from autograder.sandbox.seccomp import ALLOWED, EQUAL, LOAD, NUMBER, REFUSED, UNKNOWN, Instruction, assemble
from autograder.sandbox.syscalls import NUMBERS

numbers = NUMBERS[linux.machine()]
code = [Instruction(LOAD, 0, 0, NUMBER), Instruction(EQUAL, 0, 1, numbers["unshare"]), REFUSED]
if "landlock" in sys.argv[1]:
    code += [Instruction(EQUAL, 0, 1, numbers["landlock_create_ruleset"]), UNKNOWN]
binary = assemble([*code, ALLOWED])
buffer = ctypes.create_string_buffer(binary, len(binary))
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
linux.syscall("seccomp", 1, 0, struct.pack("<HxxxxxxQ", len(binary) // 8, ctypes.addressof(buffer)))
for group in sys.argv[2].split(","):
    if group:
        with open(group + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
os.execv(sys.argv[3], sys.argv[3:4])
"""


@dataclass
class Run:
    """What a run left behind."""

    results: dict[str, Any]
    log: str
    seconds: float
    memory: int  # the most bytes resident at once, counted once where processes share them


@dataclass
class Container:
    """A directory laid out as /autograder, in a place that other users can walk into, as they can there."""

    root: Path
    without: str = ""  # "landlock" to take that layer away, too
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def of(cls, archive: Path, **options: Any) -> Iterator[Container]:
        root = Path(tempfile.mkdtemp(prefix="gradescope-"))
        try:
            root.chmod(0o755)
            for name in ("source", "submission", "results", "tmp", "hold"):
                (root / name).mkdir()
            (root / "tmp").chmod(0o1777)
            (root / "results").chmod(0o777)  # no promise of the platform's says otherwise
            with zipfile.ZipFile(archive) as opened:
                for entry in opened.infolist():
                    path = Path(opened.extract(entry, root / "source"))
                    path.chmod(stat.S_IMODE(entry.external_attr >> 16))
            shutil.copy(root / "source/run_autograder", root)
            (root / "submission_metadata.json").write_text("{}")
            yield cls(root, **options)
        finally:
            shutil.rmtree(root)

    def submit(self, files: dict[str, str | bytes]) -> None:
        """What a student hands in: name -> content."""
        for name, content in files.items():
            path = self.root / "submission" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self) -> Run:
        """Run `run_autograder`, as the platform does."""
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "AUTOGRADER_ROOT": str(self.root),
            "AUTOGRADER_PYTHON": sys.executable,
            "TMPDIR": str(self.root / "tmp"),
            **self.environment,
        }
        with _groups() as groups:
            enter = [sys.executable, "-c", ENTER, self.without, ",".join(map(str, groups))]
            started = time.monotonic()
            process = subprocess.Popen(
                [*enter, str(self.root / "run_autograder"), str(self.root / "hold")],
                cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            watch = _Watch(process.pid)
            watch.start()
            try:
                log, _ = process.communicate(timeout=400)
            finally:
                process.kill()
                watch.stop()
        assert process.returncode == 0, log
        results = json.loads((self.root / "results/results.json").read_text(encoding="utf-8"))
        return Run(results, log, time.monotonic() - started, watch.peak)


class _Watch(threading.Thread):
    """Measures the memory of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self._done = threading.Event()

    def run(self) -> None:
        last = 0
        while not self._done.wait(0.05):
            now = sum(map(_proportional, _tree(self.pid)))
            # Processes are looked at one after another: one that forks or ends meanwhile is counted twice.
            self.peak, last = max(self.peak, min(now, last)), now

    def stop(self) -> None:
        self._done.set()
        self.join()


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(found for child in children for found in _tree(int(child)))]
    return []


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


@contextlib.contextmanager
def _groups() -> Iterator[list[Path]]:
    """Control groups with the container's limits, where this machine lets us make them (version 1 or 2)."""
    base, name = Path("/sys/fs/cgroup"), f"autograder-test-{os.getpid()}-{time.monotonic_ns()}"
    if (base / "cgroup.controllers").exists():
        limits = {base / name: {"memory.max": str(MEMORY), "cpu.max": f"{QUOTA} {PERIOD}"}}
    else:
        limits = {
            base / "memory" / name: {"memory.limit_in_bytes": str(MEMORY)},
            base / "cpu" / name: {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(QUOTA)},
        }
    made: list[Path] = []
    try:
        for group, values in limits.items():
            with contextlib.suppress(OSError):
                group.mkdir()
                made.append(group)
                for key, value in values.items():
                    (group / key).write_text(value)
        yield made
    finally:
        for group in made:
            for _ in range(50):  # its last process may not be quite gone
                with contextlib.suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.1)
