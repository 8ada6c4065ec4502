"""Namespaces: a world of its own for the zygote and all its children, entered once, before torch is imported.

The process becomes pid 1 of a new pid namespace, with no network, and its root is a read-only tmpfs on which
only what is needed is mounted, read-only. There is no /proc. When pid 1 goes, the kernel kills everything
inside.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from autograder.sandbox import linux

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x1000, 0x4000, 0x40000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4

_STAGE = "/tmp"  # any directory: a tmpfs covers it while the new root is built, in this namespace only


def enter(serve: Callable[[], NoReturn], failed: Callable[[str], None]) -> NoReturn:
    """Unshare, fork, and run `serve` as pid 1 inside; this process stays outside and ends as that one does.

    `failed` is told the reason where this kernel or its policy doesn't let us.
    """
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS
    try:
        if os.getuid() == 0:
            linux.unshare(flags)
        else:
            _unshare_with_user(flags)
        first = os.fork()
    except OSError as error:
        failed(f"unshare: {error}")
        os._exit(1)
    if first:
        _wait_outside(first)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    serve()


def _unshare_with_user(flags: int) -> None:
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(flags | CLONE_NEWUSER)
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def _wait_outside(first: int) -> NoReturn:
    os.closerange(0, 1024)  # our copies of the channels must not keep them open
    status = 1
    with suppress(OSError):
        linux.bound_capabilities()
        linux.drop_capabilities()
        status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    os._exit(status if status >= 0 else 1)


def build_root(
    visible: Sequence[str], devices: Sequence[str], masked: Sequence[str], kept: Sequence[str]
) -> None:
    """Change to a root that holds only `visible` and `devices`, without `masked`, except for `kept` below those.

    Args:
        visible: files and directories to mount read-only under their own names, links on the way included.
        devices: device nodes.
        masked: what to cover where it lies under a visible directory.
        kept: what to mount all the same.
    """
    linux.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    linux.mount("tmpfs", _STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for name in ("new", "old"):
        os.mkdir(f"{_STAGE}/{name}", 0o755)
    # From here on the old tree is /old, with nothing covered, and the new one is /new.
    linux.pivot_root(_STAGE, f"{_STAGE}/old")
    os.chdir("/")
    linux.mount("/new", "/new", flags=MS_BIND | MS_REC)
    os.mkdir("/new/tmp", 0o755)
    linux.mount("tmpfs", "/new/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=8m")
    for path in visible:
        _bind(path, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)
    for path in devices:
        _bind(path, ATTR_RDONLY | ATTR_NOSUID)
    for path in masked:
        _mask(path)
    for path in kept:
        _bind(path, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)
    for path in masked:
        if os.path.ismount(f"/new{path}"):
            linux.restrict_mount(f"/new{path}", ATTR_RDONLY, recursive=False)
    os.chdir("/new")
    linux.pivot_root(".", ".")
    linux.detach(".")
    os.chdir("/")
    linux.restrict_mount("/", ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, recursive=False)


def close_root(starting: Sequence[str]) -> None:
    """Once the zygote has imported what wanted it: make /tmp read-only, and take `starting` out of the new root."""
    linux.restrict_mount("/tmp", ATTR_RDONLY, recursive=False)
    for path in filter(os.path.ismount, starting):
        linux.detach(path)


def _bind(path: str, attributes: int) -> None:
    """Mount /old's `path` at the same name in /new, making the directories and links that lead to it."""
    real = _recreate(path)
    if real is None:
        return
    source, target = f"/old{real}", f"/new{real}"
    mode = os.stat(source).st_mode
    if stat.S_ISDIR(mode):
        os.makedirs(target, 0o755, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    linux.mount(source, target, flags=MS_BIND | MS_REC)
    linux.restrict_mount(target, attributes)


def _recreate(path: str) -> str | None:
    """Walk `path` in /old; every symbolic link met is made in /new, too. Returns the real path, None if missing."""
    pending = [part for part in path.split("/") if part]
    real = ""
    for _ in range(256):
        if not pending:
            return real
        part = pending.pop(0)
        if part == "..":
            real = real.rpartition("/")[0]
            continue
        here = f"{real}/{part}"
        if not os.path.lexists(f"/old{here}"):
            return None
        if not os.path.islink(f"/old{here}"):
            real = here
            continue
        link = os.readlink(f"/old{here}")
        if not os.path.lexists(f"/new{here}"):
            os.makedirs(f"/new{real}", 0o755, exist_ok=True)
            os.symlink(link, f"/new{here}")
        pending = [piece for piece in link.split("/") if piece and piece != "."] + pending
        real = "" if link.startswith("/") else real
    raise OSError(f"too many symbolic links in {path}")


def _mask(path: str) -> None:
    """Cover `path` where it can be seen: a directory by an empty one, a file by /dev/null."""
    target = f"/new{path}"
    if os.path.isdir(target):
        linux.mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=64k")
    elif os.path.exists(target):
        linux.mount("/old/dev/null", target, flags=MS_BIND)
