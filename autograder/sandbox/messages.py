"""What the trusted side, the zygote and a new child tell one another, over sockets that no guest holds."""

from __future__ import annotations

from msgspec import Struct

CONTROL_MESSAGE = 1 << 16
OWN_USER = "unprivileged user of its own"  # what `LayerReport.user` says when a child gives up root for good
EXIT_MEMORY = 71  # a child that can't even say that its memory ran out


class Program(Struct, frozen=True):
    """What runs in the children: a module, and the files of this package that it is made of.

    The module has three functions. `warm_up()` is called once, in the zygote. `prepare(setting)` is called there whenever
    the setting of the next child is another one; what it returns undoes it. `serve(channel)` is called in each child,
    confined, with the descriptor of its channel.
    """

    module: str
    files: tuple[str, ...]


class Settings(Struct):
    """What the trusted side asks of a zygote at its start."""

    program: Program
    namespaces: bool = True
    landlock: bool = True
    seccomp: bool = True
    user: bool = True
    hidden: list[str] = []


class LayerReport(Struct):
    """What each layer did here: "" where it was proven to work, otherwise why it doesn't."""

    namespaces: str = ""
    landlock: str = ""
    seccomp: str = ""
    landlock_version: int = 0
    user: str = ""  # what became of the user that started the grader


class Ready(Struct):
    """The zygote serves. `threads` is 1, or forking would be unsafe."""

    threads: int


class ForkRequest(Struct):
    """One child to fork; its channel, output pipe and status socket come along as descriptors.

    memory: bytes it may add. setting: what the program's `prepare` is given; None where nothing needs to be prepared.
    """

    memory: int
    setting: list[str] | None


# --- on a child's status socket


class Forked(Struct, tag="forked"):
    """There is a child; its pidfd comes along."""


class Refused(Struct, tag="refused"):
    """There is none."""

    reason: str


class Confined(Struct, tag="confined"):
    """The child itself: it is confined."""


class Exited(Struct, tag="exited"):
    """The child is gone. `status` is negative for a signal."""

    status: int
    cpu_seconds: float


Status = Forked | Refused | Confined | Exited
