"""The fork server: a clean, single-threaded process that has imported torch and forks one child per submission.

Run as `python -s -P -m autograder.sandbox.zygote FD` with an empty environment, it reads `Settings` from the
control socket, enters namespaces if asked, proves which layers work, imports what submissions commonly need,
rehearses what children do, and then forks a child for every `Opening` it receives, with the calls guarded that its
exercise forbids. It has a single thread, because a forked child of several could hang, and never sees a student's
byte. It ends when the control socket is closed, and its children end with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec

from autograder.guest.forbid import forbid
from autograder.sandbox import confine, landlock, linux, namespaces, paths, probes, seccomp
from autograder.sandbox.messages import CONTROL_MESSAGE, OWN_USER, Exited, Findings, Opening, Ready, Settings

# What submissions import, and what torch imports lazily at first use.
_PRELOAD = """
    torch numpy torch.optim torch.utils.checkpoint torch.utils.data torch._dynamo torch.nn.functional abc
    array ast asyncio base64 bisect collections concurrent.futures contextlib copy csv dataclasses
    datetime decimal difflib enum fractions functools glob hashlib heapq html inspect io itertools json
    logging math operator pathlib pickle pprint queue random re statistics string struct tarfile tempfile
    textwrap threading time traceback types typing unicodedata unittest urllib.parse uuid warnings weakref
    xml.etree.ElementTree zipfile zlib autograder.remote.rehearsal
"""
PRELOAD = tuple(_PRELOAD.split())


class Self:
    """This process as /proc shows it, through descriptors opened while there still is a /proc."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._tasks = os.open("/proc/self/task", os.O_RDONLY | os.O_DIRECTORY)
        self._maps = os.open("/proc/self/maps", os.O_RDONLY)

    def mapped(self) -> tuple[int, int]:
        """Bytes of address space in use, and how many of them are private and writable (data and stacks)."""
        pages = os.pread(self._statm, 256, 0).split()
        page = os.sysconf("SC_PAGE_SIZE")
        return int(pages[0]) * page, int(pages[5]) * page

    def threads(self) -> int:
        return len(os.listdir(self._tasks))

    def collapse(self) -> None:
        linux.collapse_pages(self._maps)


class Zygote:
    """Serves one control socket."""

    def __init__(self, control: socket.socket, plan: confine.Confinement, itself: Self) -> None:
        self.control = control
        self.plan = plan
        self.itself = itself
        self.selector = selectors.DefaultSelector()
        self.children: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> (pid, status socket)
        self.count = 0
        self.student_files: set[str] = set()  # each child fills its own
        self.forbidden: list[str] | None = []
        self.permit: Callable[[], None] = lambda: None

    def serve(self) -> NoReturn:
        self.selector.register(self.control, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.control:
                    self._open()
                else:
                    self._reap(key.fd)

    def _open(self) -> None:
        try:
            message, fds, _, _ = socket.recv_fds(self.control, CONTROL_MESSAGE, 3)
        except OSError:
            message, fds = b"", []
        if not message:
            self._end()
        opening = msgspec.msgpack.decode(message, type=Opening)
        try:
            self._forbid(opening.forbidden)
        except Exception as error:
            self._refuse(fds, f"{type(error).__name__}: {error}")
            return
        mapped = self.itself.mapped()
        self.count += 1
        parent = os.getpid()
        try:
            pid = linux.fork()
        except OSError as error:  # no memory, or too many processes: that one opening fails
            self._refuse(fds, f"the zygote could not fork: {error}")
            return
        if pid == 0:
            self._become_child(fds, parent, mapped, opening.memory)
        channel, output, status_fd = fds
        os.close(channel)
        os.close(output)
        status = socket.socket(fileno=status_fd)
        pidfd = os.pidfd_open(pid)
        self.children[pidfd] = (pid, status)
        self.selector.register(pidfd, selectors.EVENT_READ)
        self._report(status, b"forked", [pidfd])

    def _forbid(self, names: list[str] | None) -> None:
        """Guard these calls here, for one child after another: most are opened for the same exercise.

        To do it in each child took 2 ms, and copies of 400 pages.
        """
        if names is None or names == self.forbidden:
            return
        self.permit()
        self.forbidden, self.permit = None, lambda: None
        self.permit = forbid(names, self.student_files.__contains__)
        if self.itself.threads() != 1:
            raise RuntimeError(
                f"importing {', '.join(names)} started a thread: a child forked now could hang"
            )
        self.forbidden = names

    def _refuse(self, fds: list[int], reason: str) -> None:
        """Say why there is no child."""
        channel, output, status_fd = fds
        os.close(channel)
        os.close(output)
        with socket.socket(fileno=status_fd) as status:
            self._report(status, reason.encode())

    def _become_child(self, fds: list[int], parent: int, mapped: tuple[int, int], memory: int) -> NoReturn:
        """In the child: from here to the end of `confine`, nothing of the student's has been read."""
        try:
            from autograder.remote import server

            channel, output, _ = fds
            null = os.open("/dev/null", os.O_RDONLY)
            for source, target in ((null, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.dup2(os.dup(channel) if channel == server.CHANNEL else channel, server.CHANNEL)
            # Of what lies above, confining itself still needs one descriptor, and closes it.
            rules = self.plan.landlock or server.CHANNEL
            os.closerange(server.CHANNEL + 1, rules)
            os.closerange(rules + 1, confine.OPEN_FILES + 4096)
            uid = confine.FIRST_UID + self.count % confine.UID_COUNT
            confine.confine(self.plan, uid, parent, mapped, memory)
            server.Server(self.student_files).serve()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(70)

    def _reap(self, pidfd: int) -> None:
        self.selector.unregister(pidfd)
        pid, status = self.children.pop(pidfd)
        os.close(pidfd)
        _, code, usage = os.wait4(pid, 0)
        kibibyte = 1024
        cpu = usage.ru_utime + usage.ru_stime
        exited = Exited(os.waitstatus_to_exitcode(code), cpu, usage.ru_maxrss * kibibyte)
        self._report(status, msgspec.msgpack.encode(exited))
        status.close()

    def _report(self, status: socket.socket, message: bytes, fds: list[int] | None = None) -> None:
        with suppress(OSError):  # nobody may be waiting for it any more
            socket.send_fds(status, [message], fds or [])

    def _end(self) -> NoReturn:
        for pidfd in self.children:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os._exit(0)


def _prepare(control: socket.socket, settings: Settings) -> NoReturn:
    """Inside the namespaces, where there are any: build the root, prove the layers, import, serve."""
    itself = Self()
    readable = paths.library_paths()
    findings = Findings(landlock_version=landlock.version())
    if settings.namespaces:
        masked = [*paths.exposed(settings.hidden, readable), str(paths.PACKAGE)]
        try:
            namespaces.build_root([*readable, *paths.WRITABLE], paths.DEVICES, masked, paths.package_paths())
        except OSError as error:
            _fail(control, Findings(namespaces=f"building the root: {error}"))
        importlib.invalidate_caches()
    mounted = [*readable, *paths.package_paths()]
    findings.namespaces = probes.namespaces(mounted) if settings.namespaces else "switched off"
    findings.seccomp = probes.seccomp() if settings.seccomp else "switched off"
    findings.landlock = _landlock(settings, readable)
    root = os.getuid() == 0
    change_uid = root and not probes.as_user(confine.FIRST_UID, readable)
    findings.user = OWN_USER if change_uid else "root without capabilities" if root else "the grader's user"
    control.send(msgspec.msgpack.encode(findings))
    plan = confine.Confinement(
        landlock=None if findings.landlock else landlock.prepare([*readable, *paths.DEVICES], paths.WRITABLE),
        seccomp=b"" if findings.seccomp else seccomp.prepare(),
        change_uid=change_uid,
        count_threads=change_uid or (settings.namespaces and not root),
    )
    linux.bound_capabilities()
    _preload()
    if settings.namespaces:
        namespaces.close_temporary()
    gc.collect()
    gc.freeze()
    linux.fill_holes()
    itself.collapse()
    control.send(msgspec.msgpack.encode(Ready(itself.threads())))
    Zygote(control, plan, itself).serve()


def _landlock(settings: Settings, readable: list[str]) -> str:
    if not settings.landlock:
        return "switched off"
    found = paths.exposed(settings.hidden, readable)
    if found and not settings.namespaces:  # in the new root they are covered already
        return f"its rules can't leave out {found[0]}, which lies among the libraries"
    return probes.landlock()


def _preload() -> None:
    # No directory is writable here, and looking for one is an error at import time of some libraries.
    tempfile.tempdir = paths.TEMPORARY
    for name in PRELOAD:
        importlib.import_module(name)
    _preload_plots()
    torch = sys.modules["torch"]
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    sys.modules["autograder.remote.rehearsal"].rehearse()


def _preload_plots() -> None:
    """Import matplotlib where it is installed: most notebooks do, and its first import wants a directory to write to.

    It remembers the directory's name and never looks again, so it may be gone afterwards.
    """
    with tempfile.TemporaryDirectory(dir=paths.TEMPORARY) as folder:
        os.environ["MPLCONFIGDIR"] = folder
        with suppress(ImportError):
            importlib.import_module("matplotlib.pyplot")
    # It watches over its font search with a timer's thread; the timer is cancelled by now.
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(timeout=10)


def _fail(control: socket.socket, findings: Findings) -> NoReturn:
    control.send(msgspec.msgpack.encode(findings))
    os._exit(1)


def main() -> NoReturn:
    os.umask(0o022)
    linux.go_first()
    control = socket.socket(fileno=int(sys.argv[1]))
    settings = msgspec.msgpack.decode(control.recv(CONTROL_MESSAGE), type=Settings)
    if not settings.namespaces:
        _prepare(control, settings)
    namespaces.enter(
        lambda: _prepare(control, settings),
        lambda reason: _fail(control, Findings(namespaces=reason)),
    )


if __name__ == "__main__":
    main()
