"""The system-call filter of a confined child: an allow-list, written as a classic BPF program.

A call that is not listed fails with EPERM (the student's code sees PermissionError), a call newer than the
tables with ENOSYS (so that the C library falls back to an older one). Calls that could reach beyond the
process are either absent (execve, fork, socket, ptrace, ...) or allowed only with harmless arguments, which
the filter can see as long as they are plain numbers; `clone3` and `openat2` hide theirs in memory and get
ENOSYS.

Absent, too, is what leaves a note in the kernel for another child to read: locks on files, and what evicts a file's
pages from memory or tells which are there (fadvise64, preadv2, pwritev2, mincore, some advices of madvise, getrusage by
its count of blocks read); and what counts what others take (sysinfo, the clocks of other processes' CPU time).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from autograder.sandbox import linux
from autograder.sandbox.syscalls import HIGHEST_KNOWN, NUMBERS

# struct seccomp_data: number, architecture, instruction pointer, six 64-bit arguments (little-endian on both
# machines)
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16

LOAD, EQUAL, AT_LEAST, ANY_BIT, MASK, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Allowed with any arguments.
_PLAIN = """
    read write readv writev pread64 pwrite64 preadv pwritev lseek close close_range dup
    dup2 dup3 pipe pipe2 poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait
    epoll_pwait2 eventfd2 stat fstat lstat newfstatat statx access faccessat faccessat2 readlink
    readlinkat getdents getdents64 getcwd chdir fchdir statfs fstatfs umask fsync
    fdatasync ftruncate mprotect munmap mremap msync brk membarrier map_shadow_stack
    get_mempolicy futex futex_waitv set_robust_list get_robust_list set_tid_address rseq sched_yield
    restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
    sigaltstack pause nanosleep gettimeofday time times
    getitimer setitimer alarm getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid
    getresuid getresgid getgroups getrlimit uname getcpu getpriority sched_getaffinity
    sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getrandom wait4 waitid
    exit exit_group arch_prctl recvfrom shutdown getsockname getpeername getsockopt
"""
PLAIN = tuple(_PLAIN.split())

OFTEN = ("read", "write", "futex", "mmap", "munmap", "madvise", "brk", "clock_gettime")  # tested first

CLONE_THREAD = 0x00010000
CLONE_NEW_ANY = 0x7E020000 | 0x80  # every namespace flag
AF_UNIX = 1
O_TRUNC, O_ACCMODE = 0o1000, 0o3
MAP_SHARED = 1  # MAP_SHARED_VALIDATE has this bit, too
# F_SETOWN and F_SETSIG are missing on purpose: together they send any signal to any process of the same user.
# Allowed: DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC, GETPIPE_SZ.
FCNTL_COMMANDS = (*range(5), 1030, 1032)
# Of madvise, what allocators, OpenSSL and thread stacks say of their own memory: NORMAL, DONTNEED, FREE, HUGEPAGE,
# NOHUGEPAGE, DONTDUMP, DODUMP, WIPEONFORK, GUARD_INSTALL, GUARD_REMOVE. Others read a file's pages in or push them out.
ADVICES = (0, 4, 8, 14, 15, 16, 17, 18, 102, 103)
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
IOCTL_COMMANDS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
CLOCKS = tuple(range(12))  # the kernel's own; a negative one is the CPU time of some process
SOME_PID = 0x7069_6421  # stands in a filter for the pid that is not known yet; more than a pid can be
PRCTL_OPTIONS = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (glibc names its arenas)


class Instruction(NamedTuple):
    """One BPF instruction; `yes` and `no` are how many instructions a test skips."""

    code: int
    yes: int
    no: int
    value: int


def _return(action: int) -> Instruction:
    return Instruction(RETURN, 0, 0, action)


ALLOWED = _return(ALLOW)
REFUSED = _return(ERRNO | errno.EPERM)
UNKNOWN = _return(ERRNO | errno.ENOSYS)


def _load_argument(index: int, high: bool = False) -> Instruction:
    return Instruction(LOAD, 0, 0, ARGUMENTS + 8 * index + (4 if high else 0))


def _one_of(index: int, values: Iterable[int]) -> list[Instruction]:
    """Allow when the argument (an int to the kernel, so its low half) is one of `values`."""
    listed = list(values)
    tests = [Instruction(EQUAL, len(listed) - i, 0, value) for i, value in enumerate(listed)]
    return [_load_argument(index), *tests, REFUSED, ALLOWED]


def _null(index: int) -> list[Instruction]:
    """Fall through when the argument is a null pointer, refuse otherwise."""
    return [
        _load_argument(index),
        Instruction(EQUAL, 0, 2, 0),
        _load_argument(index, high=True),
        Instruction(EQUAL, 1, 0, 0),
        REFUSED,
    ]


def _thread_only() -> list[Instruction]:
    return [
        _load_argument(0),
        Instruction(ANY_BIT, 0, 2, CLONE_THREAD),
        Instruction(ANY_BIT, 1, 0, CLONE_NEW_ANY & ~0x80),
        ALLOWED,
        REFUSED,
    ]


def _private_mapping(flags: int) -> list[Instruction]:
    """Refuse shared mappings: no limit on memory counts their pages."""
    return [_load_argument(flags), Instruction(ANY_BIT, 0, 1, MAP_SHARED), REFUSED, ALLOWED]


def _no_truncating_read(flags: int) -> list[Instruction]:
    """Refuse O_TRUNC with read-only access: before Landlock's ABI 3, nothing else would stop the truncation."""
    return [
        _load_argument(flags),
        Instruction(ANY_BIT, 0, 3, O_TRUNC),
        Instruction(MASK, 0, 0, O_ACCMODE),
        Instruction(EQUAL, 0, 1, 0),
        REFUSED,
        ALLOWED,
    ]


def program(machine: str, pid: int) -> list[Instruction]:
    """The filter for one process on one architecture."""
    numbers = NUMBERS[machine]
    rules: dict[str, list[Instruction]] = {name: [ALLOWED] for name in PLAIN}
    rules |= {
        "clone": _thread_only(),
        "clone3": [UNKNOWN],
        "openat2": [UNKNOWN],
        "mmap": _private_mapping(3),
        "open": _no_truncating_read(1),
        "openat": _no_truncating_read(2),
        "kill": _one_of(0, [pid]),
        "tgkill": _one_of(0, [pid]),
        **dict.fromkeys(("clock_gettime", "clock_getres", "clock_nanosleep"), _one_of(0, CLOCKS)),
        "prlimit64": [*_null(2), *_one_of(0, [0, pid])],
        "prctl": _one_of(0, PRCTL_OPTIONS),
        "ioctl": _one_of(1, IOCTL_COMMANDS),
        "fcntl": _one_of(1, FCNTL_COMMANDS),
        "madvise": _one_of(2, ADVICES),
        "socketpair": _one_of(0, [AF_UNIX]),  # asyncio wakes its loop through one
        "sendto": [*_null(4), ALLOWED],
    }
    code = [
        Instruction(LOAD, 0, 0, ARCHITECTURE),
        Instruction(EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        _return(KILL_PROCESS),
        Instruction(LOAD, 0, 0, NUMBER),
    ]
    for name in sorted(rules, key=lambda rule: rule not in OFTEN):
        if name in numbers:
            body = rules[name]
            code += [Instruction(EQUAL, 0, len(body), numbers[name]), *body]
    # The x32 calls of x86_64 have numbers from 2**30 on, and so are unknown, too.
    return [*code, Instruction(AT_LEAST, 0, 1, HIGHEST_KNOWN + 1), UNKNOWN, REFUSED]


def assemble(code: list[Instruction]) -> bytes:
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def prepare() -> bytes:
    """The filter for this machine, for `install` to put on any process: making it takes longer than a fork may."""
    return assemble(program(linux.machine(), SOME_PID))


def install(prepared: bytes) -> None:
    """Put the filter on this process, for good. Needs no_new_privs."""
    set_mode_filter = 1
    binary = prepared.replace(struct.pack("<I", SOME_PID), struct.pack("<I", os.getpid()))
    buffer = ctypes.create_string_buffer(binary, len(binary))
    linux.syscall(
        "seccomp", set_mode_filter, 0, struct.pack("<HxxxxxxQ", len(binary) // 8, ctypes.addressof(buffer))
    )
