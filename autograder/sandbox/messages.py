"""What the trusted side and the zygote tell one another, over a socket that no child holds."""

from __future__ import annotations

from msgspec import Struct

CONTROL_MESSAGE = 1 << 16
OWN_USER = "unprivileged user of its own"  # what `Findings.user` says when a child gives up root for good
EXIT_MEMORY = 71  # a child that can't even say that its memory ran out


class Settings(Struct):
    """What the trusted side asks of a zygote at its start."""

    namespaces: bool = True
    landlock: bool = True
    seccomp: bool = True
    hidden: list[str] = []


class Findings(Struct):
    """What each layer did here: "" where it was proven to work, otherwise why it doesn't."""

    namespaces: str = ""
    landlock: str = ""
    seccomp: str = ""
    landlock_version: int = 0
    user: str = ""  # what became of the user that started the grader


class Ready(Struct):
    """The zygote serves. `threads` is 1, or forking would be unsafe."""

    threads: int


class Opening(Struct):
    """One child to fork; its channel, output pipe and status socket come along as descriptors.

    `forbidden` are the calls that its functions may not make; None where no function of a student's will be called.
    """

    memory: int
    forbidden: list[str] | None


class Exited(Struct):
    """The child is gone. `status` is negative for a signal."""

    status: int
    cpu_seconds: float
    peak_resident: int
