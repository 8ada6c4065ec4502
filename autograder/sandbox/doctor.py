"""Which protections work on this machine: each is proven alone, by violations attempted in a real child.

`examine` starts a zygote for every combination it needs, so it takes some seconds; `Sandbox` itself relies on
the cheap probes that each zygote makes at its start.
"""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

from autograder.sandbox.channel import Closed
from autograder.sandbox.errors import Ended, SandboxFault, SandboxUnavailable
from autograder.sandbox.messages import Program
from autograder.sandbox.sandbox import LAYERS, REMEDIES, Level, Sandbox
from autograder.sandbox.violations import LARGEST_QUESTION, Attempt, Seen
from autograder.text import Text

SECONDS, MEMORY = 0.2, 256 << 20
PROGRAM = Program("autograder.sandbox.violations", files=())


class Check(Struct, frozen=True):
    """One attempted violation. `works` means that it was stopped."""

    layer: str
    attempted: str
    seen: str
    works: bool
    remedy: str = ""


class DoctorReport(Struct, frozen=True):
    """What `doctor` found. `level` is None where nothing may be graded."""

    level: Level | None
    layers: tuple[str, ...]
    checks: tuple[Check, ...]


class _Trial(Struct, frozen=True):
    """An attempt, in words, and the names of the errors that show that it was stopped."""

    layer: str
    attempted: str
    attempt: Attempt
    stopped_by: tuple[str, ...] = ("OSError", "PermissionError", "FileNotFoundError", "ProcessLookupError")


def _trials(hidden: str) -> dict[str, list[_Trial]]:
    """What each layer must stop by itself, and under "" what needs none of the three."""
    read = "reading a file outside the interpreter's directories"
    environment = "reading the environment of process 1"
    files = [
        (read, Attempt("read", [hidden])),
        (environment, Attempt("read", ["/proc/1/environ"])),
        ("writing to a file", Attempt("write", [hidden])),
    ]
    by_layer = {
        "namespaces": [
            *files,
            ("seeing a network interface", Attempt("network")),
            ("sending a signal to the grader", Attempt("signal", [os.getpid()])),
        ],
        "landlock": files,
        "seccomp": [
            ("opening a socket", Attempt("socket")),
            ("forking", Attempt("fork")),
            ("sending a signal to the parent process", Attempt("signal to the parent")),
            ("tracing the parent process", Attempt("trace")),
        ],
    }
    trials = {layer: [_Trial(layer, *each) for each in own] for layer, own in by_layer.items()}
    trials[""] = [
        _Trial("user", "using a right of root (chroot)", Attempt("chroot")),
        _Trial(
            "limits",
            "allocating 1 GiB with a limit of 256 MiB",
            Attempt("allocate", [1 << 30]),
            ("MemoryError", "OutOfMemory"),
        ),
        _Trial("limits", "computing for ever with a limit of 0.2 s", Attempt("loop"), ("TimedOut",)),
    ]
    return trials


def examine() -> DoctorReport:
    """Attempt every violation, and report what was seen. Never raises for a machine that lacks a layer."""
    level: Level | None = None
    layers: tuple[str, ...] = ()
    try:
        with Sandbox(PROGRAM) as sandbox:
            level, layers = sandbox.level, sandbox.layers
    except SandboxUnavailable as error:
        if platform.system() != "Linux":
            return DoctorReport(
                None, (), (Check("system", "starting", str(error), False, "use WSL2 or Docker"),)
            )
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        hidden = Path(folder, "hidden.txt")
        hidden.write_text("hidden")
        hidden.chmod(0o666)  # so that only a sandbox keeps another user out
        trials = _trials(str(hidden))
        general = trials.pop("")
        for layer, own in trials.items():
            found = _try(layer, [*own, *general])
            if len(found) > 1:
                general = []  # made; the other layers needn't repeat them
            checks += found
    return DoctorReport(level, layers, tuple(checks))


def _try(layer: str, trials: list[_Trial]) -> list[Check]:
    """The attempts with this layer alone; one failed check where it can't even be put on."""
    try:
        with Sandbox(PROGRAM, without=[other for other in LAYERS if other != layer]) as sandbox:
            reason = sandbox.missing.get(layer, "")
            if reason:
                return [Check(layer, "putting it on", reason, False, REMEDIES[layer].en)]
            return [_check(sandbox, trial) for trial in trials]
    except (SandboxFault, SandboxUnavailable) as error:
        return [Check(layer, "putting it on", str(error), False, REMEDIES[layer].en)]


def _check(sandbox: Sandbox, trial: _Trial) -> Check:
    seen = _attempt(sandbox, trial.attempt)
    works = seen.error in trial.stopped_by
    remedy = REMEDIES.get(trial.layer, Text("report this kernel's version to the maintainers"))
    said = f"{seen.error}: {seen.text}" if seen.error else f"it went through ({seen.text})"
    return Check(trial.layer, trial.attempted, said, works, "" if works else remedy.en)


def _attempt(sandbox: Sandbox, attempt: Attempt) -> Seen:
    """What a child of its own says of the attempt, or what ended it."""
    process = sandbox.fork(MEMORY)
    answer = bytearray(LARGEST_QUESTION)
    try:
        process.budget.arm(SECONDS)
        with process.budget:
            process.channel.send([msgspec.msgpack.encode(attempt)])
            size = process.channel.read(memoryview(answer))
        return msgspec.msgpack.decode(answer[:size], type=Seen)
    except Closed:
        ended: Ended = process.cause()
    except Ended as error:
        ended = error
    finally:
        process.end()
    return Seen(type(ended).__name__, str(ended))
