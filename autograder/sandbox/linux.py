"""The few Linux calls that Python's library lacks, with errors raised as OSError. Import it on Linux only."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from autograder.sandbox.syscalls import NUMBERS

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAPABILITY_VERSION_3 = 0x20080522
LAST_POSSIBLE_CAPABILITY = 63

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
# The C library, called without letting go of Python's lock.
_holding_the_lock = ctypes.PyDLL(None, use_errno=True)


def machine() -> str:
    """This machine's architecture, by the name the tables use."""
    return platform.machine()


def checked(result: int, what: str) -> int:
    """The result of a call of the C library; OSError where it says that it failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def syscall(name: str, *args: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """A system call by name. Integers are passed as longs, buffers as pointers."""
    number = NUMBERS[machine()][name]
    converted = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return checked(libc.syscall(ctypes.c_long(number), *converted), name)


def prctl(option: int, *args: int) -> int:
    padded = [*args, 0, 0, 0, 0][:4]
    return checked(libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, padded)), f"prctl {option}")


def go_first() -> None:
    """When the machine runs out of memory, end this process and its children before the one that started it."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def fork() -> int:
    """os.fork() for a process with one thread, without what modules have registered to be done in a child.

    threading, logging and random renew there what other threads may have held: nothing, here. Each child would copy
    250 pages for it. A child's `random` is thus in the zygote's state, as torch's and numpy's generators are.
    """
    return checked(_holding_the_lock.fork(), "fork")


def unshare(flags: int) -> None:
    checked(libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, filesystem: str = "", flags: int = 0, data: str = "") -> None:
    result = libc.mount(
        source.encode(),
        target.encode(),
        filesystem.encode() or None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    checked(result, f"mount {source} on {target}")


def detach(target: str) -> None:
    """Unmount `target` with everything below it, at once for us and for real when nobody uses it any more."""
    mnt_detach = 2
    checked(libc.umount2(target.encode(), mnt_detach), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    syscall("pivot_root", new.encode(), old.encode())


def restrict_mount(target: str, attributes: int, recursive: bool = True) -> None:
    """Add attributes (read-only, nosuid, ...) to a mount and those below it: mount_setattr, Linux 5.12."""
    at_fdcwd, at_recursive = -100, 0x8000
    request = struct.pack("<QQQQ", attributes, 0, 0, 0)
    syscall(
        "mount_setattr", at_fdcwd, target.encode(), at_recursive if recursive else 0, request, len(request)
    )


def bound_capabilities() -> None:
    """No process started from here can gain a capability that it doesn't have: empty the bounding set."""
    for capability in range(LAST_POSSIBLE_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last one this kernel knows, or not ours to drop: then not ours to use either


def drop_capabilities() -> None:
    """Give up every capability: ambient, permitted, effective, inheritable."""
    with suppress(OSError):  # kernels without ambient capabilities have none to clear
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    syscall("capset", struct.pack("<Ii", CAPABILITY_VERSION_3, 0), bytes(24))


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this thread on the processor that it runs on at the moment."""
    before = os.sched_getaffinity(0)
    with suppress(OSError):  # sched_getcpu gives -1 where it can't tell, and an empty set is refused
        os.sched_setaffinity(0, before & {int(libc.sched_getcpu())})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
