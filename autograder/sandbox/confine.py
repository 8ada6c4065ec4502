"""What a child does to itself between fork and the first byte of the student's code. The order matters."""

from __future__ import annotations

import os
import resource
import signal

from msgspec import Struct

from autograder.sandbox import landlock, linux, seccomp

MEBIBYTE = 1 << 20
FILE_SIZE = 32 * MEBIBYTE
OPEN_FILES = 64
THREADS = 64
CPU_SECONDS = 3600  # a backstop only: the trusted side counts CPU for every test

# Uids that systemd reserves for short-lived services (61184-65519): nobody's, and mapped in most containers.
FIRST_UID, UID_COUNT = 61184, 4336


class Confinement(Struct, frozen=True):
    """The layers that every child of one zygote puts on, made ready once for all of them."""

    landlock: int | None  # the rules' descriptor; None to go without
    seccomp: bytes  # the filter; empty to go without
    change_uid: bool  # started as root, and the libraries are readable to others
    count_threads: bool  # RLIMIT_NPROC counts this child alone: it has a uid or a user namespace of its own


def confine(plan: Confinement, uid: int, parent: int, mapped: tuple[int, int], memory: int) -> None:
    """Confine this process for good.

    Args:
        plan: which layers.
        uid: the unprivileged user to become, where the plan says so.
        parent: the zygote's pid, to notice that it died before we asked to die with it.
        mapped: bytes of address space in use now, and how many of them are private and writable.
        memory: bytes of either that may be added.
    """
    os.setsid()
    os.umask(0o077)
    os.chdir("/")
    if plan.change_uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    linux.drop_capabilities()
    # After the change of user, which would clear both.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    if os.getppid() != parent:
        os._exit(0)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    address_space, data = mapped
    _limit_resources(address_space + memory, data + memory, plan.count_threads)
    if plan.landlock is not None:
        landlock.restrict(plan.landlock)
    if plan.seccomp:
        seccomp.install(plan.seccomp)  # last: it forbids most of the above


def _limit_resources(address_space: int, data: int, count_threads: bool) -> None:
    limits = {
        resource.RLIMIT_AS: address_space,
        # Unmapping libraries makes room in the address space, but none here.
        resource.RLIMIT_DATA: data,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if count_threads:
        limits[resource.RLIMIT_NPROC] = THREADS
    for which, value in limits.items():
        _, hard = resource.getrlimit(which)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (ceiling, ceiling))
