"""The violations that `doctor` attempts, as a program of the sandbox: each child attempts one and says what came of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

LARGEST_QUESTION = 1 << 16


class Attempt(msgspec.Struct):
    """A violation by its name, and what it is attempted on."""

    name: str
    arguments: list[Any] = []


class Seen(msgspec.Struct):
    """What came of an attempt: the exception's name and text, or "" and what the violation returned."""

    error: str
    text: str


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(20)


def _write(path: str) -> int:
    with open(path, "ab") as file:
        return file.write(b"x")


def _network() -> list[str]:
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not names:
        raise OSError("no interface but the loopback")
    return names


def _fork() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid


def _trace_parent() -> None:
    # Linux only, and `doctor` imports this module elsewhere, too.
    from autograder.sandbox import linux

    attach = 16
    linux.checked(linux.libc.ptrace(attach, os.getppid(), None, None), "ptrace")


def _loop() -> None:
    while True:
        pass


# Returning at all means that the attempt succeeded.
VIOLATIONS: dict[str, Callable[..., object]] = {
    "read": _read,
    "write": _write,
    "network": _network,
    "socket": socket.socket,
    "fork": _fork,
    "signal": lambda pid: os.kill(pid, 0),
    "signal to the parent": lambda: os.kill(os.getppid(), 0),
    "trace": _trace_parent,
    "chroot": lambda: os.chroot("/"),
    "allocate": lambda size: len(bytearray(size)),
    "loop": _loop,
}


def warm_up() -> None:
    """Nothing to do: an attempt needs no warm caches."""


def prepare(setting: list[str]) -> Callable[[], None]:
    """Nothing to prepare."""
    return lambda: None


def serve(channel: int) -> NoReturn:
    """Make one attempt and say what was seen."""
    attempt = msgspec.msgpack.decode(os.read(channel, LARGEST_QUESTION), type=Attempt)
    try:
        seen = Seen("", repr(VIOLATIONS[attempt.name](*attempt.arguments)))
    except Exception as error:
        seen = Seen(type(error).__name__, str(error))
    os.write(channel, msgspec.msgpack.encode(seen))
    os._exit(0)
