"""Which protections work on this machine: each is proven alone, by violations attempted in a real child.

`examine` starts a zygote for every combination it needs, so it takes some seconds; `Sandbox` itself relies on
the cheap probes that each zygote makes at its start.
"""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from msgspec import Struct

from autograder.remote.client import Child
from autograder.remote.errors import StudentError
from autograder.results import Limits
from autograder.sandbox.errors import Ended, OutOfMemory, SandboxFault, SandboxUnavailable, TimedOut
from autograder.sandbox.sandbox import LAYERS, REMEDIES, Level, Sandbox
from autograder.text import Text

LIMITS = Limits(seconds=1.0, memory_mb=256)

# The violations, as a submission would attempt them. Returning at all means that the attempt succeeded.
SOURCE = """
import ctypes, os, signal, socket

def read(path):
    with open(path, "rb") as file:
        return file.read(20)

def write(path):
    with open(path, "ab") as file:
        return file.write(b"x")

def network():
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not names:
        raise OSError("no interface but the loopback")
    return names

def connect():
    return socket.socket()

def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid

def kill_parent():
    return os.kill(os.getppid(), 0)

def kill(pid):
    return os.kill(pid, 0)

def trace_parent():
    libc = ctypes.CDLL(None, use_errno=True)
    PTRACE_ATTACH = 16
    if libc.ptrace(PTRACE_ATTACH, os.getppid(), None, None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def act_as_root():
    os.chroot("/")

def allocate():
    return len(bytearray(1 << 30))

def loop():
    while True:
        pass
"""


class Check(Struct, frozen=True):
    """One attempted violation. `works` means that it was stopped."""

    layer: str
    attempted: str
    seen: str
    works: bool
    remedy: str = ""


class Report(Struct, frozen=True):
    """What `doctor` found. `level` is None where nothing may be graded."""

    level: Level | None
    layers: tuple[str, ...]
    checks: tuple[Check, ...]


class _Attempt(Struct, frozen=True):
    layer: str
    attempted: str
    function: str
    arguments: tuple[Any, ...] = ()
    stopped_by: tuple[type[Exception], ...] = (OSError,)


def _attempts(hidden: str) -> dict[str, list[_Attempt]]:
    """The attempts that each layer must stop by itself, and under "" those that need none of the three."""
    read = "reading a file outside the interpreter's directories"
    return {
        "namespaces": [
            _Attempt("namespaces", read, "read", (hidden,)),
            _Attempt("namespaces", "reading the environment of process 1", "read", ("/proc/1/environ",)),
            _Attempt("namespaces", "writing to a file", "write", (hidden,)),
            _Attempt("namespaces", "seeing a network interface", "network"),
            _Attempt("namespaces", "sending a signal to the grader", "kill", (os.getpid(),)),
        ],
        "landlock": [
            _Attempt("landlock", read, "read", (hidden,)),
            _Attempt("landlock", "reading the environment of process 1", "read", ("/proc/1/environ",)),
            _Attempt("landlock", "writing to a file", "write", (hidden,)),
        ],
        "seccomp": [
            _Attempt("seccomp", "opening a socket", "connect"),
            _Attempt("seccomp", "forking", "fork"),
            _Attempt("seccomp", "sending a signal to the parent process", "kill_parent"),
            _Attempt("seccomp", "tracing the parent process", "trace_parent"),
        ],
        "": [
            _Attempt("user", "using a right of root (chroot)", "act_as_root"),
            _Attempt(
                "limits",
                "allocating 1 GiB with a limit of 256 MiB",
                "allocate",
                (),
                (MemoryError, OutOfMemory),
            ),
            _Attempt("limits", "computing for ever with a limit of 1 s", "loop", (), (TimedOut,)),
        ],
    }


def examine() -> Report:
    """Attempt every violation, and report what was seen. Never raises for a machine that lacks a layer."""
    level: Level | None = None
    layers: tuple[str, ...] = ()
    try:
        with Sandbox() as sandbox:
            level, layers = sandbox.level, sandbox.layers
    except SandboxUnavailable as error:
        if platform.system() != "Linux":
            return Report(None, (), (Check("system", "starting", str(error), False, "use WSL2 or Docker"),))
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        hidden = Path(folder, "hidden.txt")
        hidden.write_text("hidden")
        hidden.chmod(0o666)  # so that only a sandbox keeps another user out
        attempts = _attempts(str(hidden))
        general = attempts.pop("")
        for layer, own in attempts.items():
            found = _try(layer, [*own, *general])
            if len(found) > 1:
                general = []  # made; the other layers needn't repeat them
            checks += found
    return Report(level, layers, tuple(checks))


def _try(layer: str, attempts: list[_Attempt]) -> list[Check]:
    """The attempts with this layer alone; one failed check where it can't even be put on."""
    try:
        with Sandbox(without=[other for other in LAYERS if other != layer]) as sandbox:
            reason = sandbox.missing.get(layer, "")
            if reason:
                return [Check(layer, "putting it on", reason, False, REMEDIES[layer].en)]
            return [_attempt(sandbox, attempt) for attempt in attempts]
    except (SandboxFault, SandboxUnavailable) as error:
        return [Check(layer, "putting it on", str(error), False, REMEDIES[layer].en)]


def _attempt(sandbox: Sandbox, attempt: _Attempt) -> Check:
    with sandbox.open({"violation.py": SOURCE.encode()}, "violation.py", limits=LIMITS) as child:
        child.load()
        works, seen = _outcome(child, attempt)
    remedy = REMEDIES.get(attempt.layer, Text("report this kernel's version to the maintainers"))
    return Check(attempt.layer, attempt.attempted, seen, works, "" if works else remedy.en)


def _outcome(child: Child, attempt: _Attempt) -> tuple[bool, str]:
    violation = getattr(child.student, attempt.function)
    try:
        answer = violation(*attempt.arguments)
    except (StudentError, Ended) as error:
        name = error.name if isinstance(error, StudentError) else type(error).__name__
        text = error.message if isinstance(error, StudentError) else str(error)
        return isinstance(error, attempt.stopped_by), f"{name}: {text}"
    return False, f"it went through ({answer!r})"
