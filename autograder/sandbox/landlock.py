"""Landlock: a process gives up every file but those it names.

Source: Documentation/userspace-api/landlock.rst of Linux.

Rules bind inodes, not names, and a rule on a directory covers all below it; so paths are resolved first, and
nothing that must stay hidden may lie under one of them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from stat import S_ISDIR

from autograder.sandbox import linux

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
# How many file rights each version of the interface can handle; 16 from version 5 on.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
BIND_AND_CONNECT_TCP = 0b11  # from version 4
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # from version 6


def version() -> int:
    """The kernel's Landlock version, 0 where it has none."""
    create_ruleset_version = 1
    try:
        return linux.syscall("landlock_create_ruleset", None, 0, create_ruleset_version)
    except OSError:
        return 0


def prepare(readable: Iterable[str], writable: Iterable[str] = ()) -> int:
    """A descriptor of the rules that leave a process only these paths; missing ones are skipped.

    OSError where the kernel has no Landlock.
    """
    abi = version()
    handled = (1 << FILE_RIGHTS.get(abi, 16)) - 1
    attributes = struct.pack("<QQQ", handled, BIND_AND_CONNECT_TCP, ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = linux.syscall("landlock_create_ruleset", attributes[:size], size, 0)
    for path in readable:
        _add(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
    for path in writable:
        _add(ruleset, path, READ_FILE | WRITE_FILE)
    return ruleset


def restrict(ruleset: int) -> None:
    """Put the rules on this process, for good, and close their descriptor. Needs no_new_privs."""
    linux.syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _add(ruleset: int, path: str, rights: int) -> None:
    path_beneath = 1
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not S_ISDIR(os.fstat(fd).st_mode):
            rights &= ~READ_DIR
        linux.syscall("landlock_add_rule", ruleset, path_beneath, struct.pack("<Qi", rights, fd), 0)
    finally:
        os.close(fd)
