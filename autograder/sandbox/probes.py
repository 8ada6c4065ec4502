"""Cheap proofs, made by the zygote itself: each layer is tried on a forked process, by attempting what it must stop.

Every probe returns "" where the layer held, and otherwise what was seen. They cost a few milliseconds each,
before torch is imported; `doctor` makes the thorough ones with real children.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable

from autograder.sandbox import landlock as landlock_layer
from autograder.sandbox import linux
from autograder.sandbox import seccomp as seccomp_layer
from autograder.sandbox.syscalls import NUMBERS


def _forked(attempt: Callable[[], str]) -> str:
    """Run `attempt` in a child process and return what it returned, or how it failed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = attempt()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writing, b"=" + text.encode()[:1000])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return answer[1:].decode(errors="replace") if answer else f"the probe ended with status {status}"


def namespaces(mounted: Iterable[str]) -> str:
    """Called inside: nothing of the outside may be in reach but the paths that were `mounted`."""
    if os.getpid() != 1:
        return "this process is not the first of its pid namespace"
    ways = {path.split("/")[2] for path in mounted if path.startswith("/tmp/")}
    if set(os.listdir("/tmp")) - ways:
        return "/tmp can be listed"
    for path in ("/proc/1/environ", "/etc/passwd", "/root", "/home"):
        if os.path.exists(path) and not os.path.isdir(path):
            return f"{path} can be reached"
        if os.path.isdir(path) and _foreign_entries(path):
            return f"{path} can be listed"
    try:
        os.close(os.open("/probe", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pass
    else:
        return "the root can be written to"
    interfaces = [name for _, name in socket.if_nameindex() if name != "lo"]
    return f"network interfaces are visible: {interfaces}" if interfaces else ""


def _foreign_entries(path: str) -> bool:
    """Whether a directory holds more than the way to what we mounted: every step of such a way has one entry or few."""
    mounted = os.stat("/").st_dev
    return os.stat(path).st_dev != mounted


def landlock() -> str:
    def attempt() -> str:
        outside = os.__file__
        with open(outside, "rb"):
            pass
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        landlock_layer.restrict(landlock_layer.prepare(["/dev/null"]))
        try:
            with open(outside, "rb"):
                return f"{outside} could still be read"
        except PermissionError:
            return ""

    return _forked(attempt)


def seccomp() -> str:
    if linux.machine() not in NUMBERS:
        return f"there is no system-call table for {linux.machine()}"

    def attempt() -> str:
        parent = os.getppid()
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        seccomp_layer.install(seccomp_layer.prepare())
        attempts: dict[str, Callable[[], object]] = {
            "socket": socket.socket,
            "fork": os.fork,
            "signal to the parent": lambda: os.kill(parent, 0),
            "execve": lambda: os.execv(sys.executable, [sys.executable, "-V"]),
        }
        for name, forbidden in attempts.items():
            try:
                forbidden()
            except OSError as error:
                if error.errno != errno.EPERM:
                    return f"{name} failed with {error} instead of EPERM"
            else:
                return f"{name} went through"
        return ""

    return _forked(attempt)


def as_user(uid: int, readable: Iterable[str]) -> str:
    """Whether another user could still read the interpreter's libraries."""
    # What exists is settled while we may still look: to the other user, a closed directory holds nothing.
    wanted = [path for path in [*readable, *sys.path, os.__file__] if os.path.exists(path)]

    def attempt() -> str:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        for path in wanted:
            if not os.access(path, os.R_OK):
                return f"{path} is closed to other users"
        return ""

    return _forked(attempt)
