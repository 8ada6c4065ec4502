"""The fork server: a clean, single-threaded process that forks one child per request.

Run as `python -s -P -m autograder.sandbox.zygote FD` with an empty environment, it reads `Settings` from the
control socket, enters namespaces if asked, proves which layers work, warms the program up, and then forks a child for
every `ForkRequest` it receives. It has a single thread, because a forked child of several could hang, and never sees a
guest's byte. It ends when the control socket is closed, and its children end with it.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import resource
import selectors
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import NoReturn

import msgspec

from autograder.sandbox import confine, landlock, linux, namespaces, paths, probes, seccomp, warmup
from autograder.sandbox.messages import (
    CONTROL_MESSAGE,
    OWN_USER,
    Confined,
    Exited,
    Forked,
    ForkRequest,
    LayerReport,
    Ready,
    Refused,
    Settings,
    Status,
)

CHANNEL, STATUS = 3, 4  # descriptors of a child; the second is closed before anything of the guest's runs


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

    def collapse(self) -> Iterator[int]:
        return warmup.collapse_pages(self._maps)


class Zygote:
    """Serves one control socket."""

    def __init__(
        self, control: socket.socket, plan: confine.Confinement, itself: Self, program: ModuleType
    ) -> None:
        self.control = control
        self.plan = plan
        self.itself = itself
        self.program = program
        self.selector = selectors.DefaultSelector()
        self.children: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> (pid, status socket)
        self.count = 0
        self.setting: list[str] | None = None
        self.undo: Callable[[], None] = lambda: None

    def serve(self) -> NoReturn:
        self.selector.register(self.control, selectors.EVENT_READ, self._fork)
        pages = self.itself.collapse()
        waiting = False  # while there is nothing else to do
        while True:
            requests = self.selector.select(None if waiting else 0)
            for key, _ in requests:
                key.data()
            if not requests:
                waiting = next(pages, None) is None

    def _fork(self) -> None:
        try:
            message, fds, _, _ = socket.recv_fds(self.control, CONTROL_MESSAGE, 3)
        except OSError:
            message, fds = b"", []
        if not message:
            self._end()
        request = msgspec.msgpack.decode(message, type=ForkRequest)
        try:
            self._prepare(request.setting)
        except Exception as error:
            self._refuse(fds, f"{type(error).__name__}: {error}")
            return
        mapped = self.itself.mapped()
        self.count += 1
        parent = os.getpid()
        try:
            pid = linux.fork()
        except OSError as error:  # no memory, or too many processes: that one request fails
            self._refuse(fds, f"the zygote could not fork: {error}")
            return
        if pid == 0:
            self._become_child(fds, parent, mapped, request.memory)
        channel, output, status_fd = fds
        os.close(channel)
        os.close(output)
        status = socket.socket(fileno=status_fd)
        pidfd = os.pidfd_open(pid)
        self.children[pidfd] = (pid, status)
        self.selector.register(pidfd, selectors.EVENT_READ, partial(self._reap, pidfd))
        self.selector.register(status, selectors.EVENT_READ, partial(self._abandon, pidfd, status))
        self._report(status, Forked(), [pidfd])

    def _prepare(self, setting: list[str] | None) -> None:
        """Prepare the program here, for one child after another: most are forked with the same setting.

        To guard an exercise's forbidden calls in each child took 2 ms, and copies of 400 pages.
        """
        if setting is None or setting == self.setting:
            return
        self.undo()
        self.setting, self.undo = None, lambda: None
        self.undo = self.program.prepare(setting)
        if self.itself.threads() != 1:
            raise RuntimeError(
                f"preparing {', '.join(setting)} started a thread: a child forked now could hang"
            )
        self.setting = setting

    def _refuse(self, fds: list[int], reason: str) -> None:
        """Say why there is no child."""
        channel, output, status_fd = fds
        os.close(channel)
        os.close(output)
        with socket.socket(fileno=status_fd) as status:
            self._report(status, Refused(reason))

    def _become_child(self, fds: list[int], parent: int, mapped: tuple[int, int], memory: int) -> NoReturn:
        """In the child: from here to the end of `confine`, nothing of the guest's has been read."""
        try:
            null = os.open("/dev/null", os.O_RDONLY)
            channel, output, status = (fcntl.fcntl(fd, fcntl.F_DUPFD, STATUS + 1) for fd in fds)
            for source, target in ((null, 0), (output, 1), (output, 2), (channel, CHANNEL), (status, STATUS)):
                os.dup2(source, target)
            # Of what lies above, confining itself still needs one descriptor, and closes it.
            rules = self.plan.landlock or STATUS
            os.closerange(STATUS + 1, rules)
            os.closerange(rules + 1, confine.OPEN_FILES + 4096)
            uid = confine.FIRST_UID + self.count % confine.UID_COUNT
            confine.confine(self.plan, uid, parent, mapped, memory)
            os.write(STATUS, msgspec.msgpack.encode(Confined()))
            os.close(STATUS)
            self.program.serve(CHANNEL)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(70)

    def _abandon(self, pidfd: int, status: socket.socket) -> None:
        """Nobody waits for this child any more: the process that asked for it has ended."""
        if self.children.get(pidfd, (0, None))[1] is status:  # and was not reaped a moment ago
            self.selector.unregister(status)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def _reap(self, pidfd: int) -> None:
        self.selector.unregister(pidfd)
        pid, status = self.children.pop(pidfd)
        with suppress(KeyError):  # it was abandoned
            self.selector.unregister(status)
        os.close(pidfd)
        _, code, usage = os.wait4(pid, 0)
        cpu = usage.ru_utime + usage.ru_stime
        self._report(status, Exited(os.waitstatus_to_exitcode(code), cpu))
        status.close()

    def _report(self, status: socket.socket, message: Status, fds: list[int] | None = None) -> None:
        with suppress(OSError):  # nobody may be waiting for it any more
            socket.send_fds(status, [msgspec.msgpack.encode(message)], fds or [])

    def _end(self) -> NoReturn:
        for pidfd in self.children:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os._exit(0)


def _prepare(control: socket.socket, settings: Settings) -> NoReturn:
    """Inside the namespaces, where there are any: build the root, prove the layers, import, serve."""
    itself = Self()
    package = paths.package_paths(settings.program)
    readable = paths.library_paths()
    report = LayerReport(landlock_version=landlock.version())
    if settings.namespaces:
        masked = [*paths.exposed(settings.hidden, readable), str(paths.PACKAGE)]
        try:
            visible = [*readable, *paths.STARTING, *paths.WRITABLE]
            namespaces.build_root(visible, paths.DEVICES, masked, package)
        except OSError as error:
            _fail(control, LayerReport(namespaces=f"building the root: {error}"))
        importlib.invalidate_caches()
    mounted = [*readable, *package]
    report.namespaces = probes.namespaces(mounted) if settings.namespaces else "switched off"
    report.seccomp = probes.seccomp() if settings.seccomp else "switched off"
    report.landlock = _landlock(settings, readable)
    root = os.getuid() == 0
    change_uid = root and settings.user and not probes.as_user(confine.FIRST_UID, readable)
    report.user = OWN_USER if change_uid else "root without capabilities" if root else "the grader's user"
    control.send(msgspec.msgpack.encode(report))
    plan = confine.Confinement(
        landlock=None if report.landlock else _rules(readable),
        seccomp=b"" if report.seccomp else seccomp.prepare(),
        change_uid=change_uid,
        count_threads=change_uid or (settings.namespaces and not root),
    )
    linux.bound_capabilities()
    # No directory is writable here, and looking for one is an error at import time of some libraries.
    tempfile.tempdir = paths.TEMPORARY
    program = importlib.import_module(settings.program.module)
    program.warm_up()
    if settings.namespaces:
        namespaces.close_root(paths.STARTING)
    gc.freeze()
    gc.enable()
    warmup.fill_holes()
    control.send(msgspec.msgpack.encode(Ready(itself.threads())))
    Zygote(control, plan, itself, program).serve()


def _rules(readable: list[str]) -> int:
    """The descriptor of Landlock's rules, out of the way of those that a child is given."""
    return fcntl.fcntl(
        landlock.prepare([*readable, *paths.DEVICES], paths.WRITABLE), fcntl.F_DUPFD_CLOEXEC, 32
    )


def _landlock(settings: Settings, readable: list[str]) -> str:
    if not settings.landlock:
        return "switched off"
    found = paths.exposed(settings.hidden, readable)
    if found and not settings.namespaces:  # in the new root they are covered already
        return f"its rules can't leave out {found[0]}, which lies among the libraries"
    return probes.landlock()


def _fail(control: socket.socket, report: LayerReport) -> NoReturn:
    control.send(msgspec.msgpack.encode(report))
    os._exit(1)


def main() -> NoReturn:
    os.umask(0o022)
    gc.disable()  # nearly all that is imported stays: to look through it again and again took 0.4 s of 2.8
    linux.go_first()
    # One that is started again in the middle of a test has the cap of that test's memory, and would keep it.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    control = socket.socket(fileno=int(sys.argv[1]))
    settings = msgspec.msgpack.decode(control.recv(CONTROL_MESSAGE), type=Settings)
    if not settings.namespaces:
        _prepare(control, settings)
    namespaces.enter(
        lambda: _prepare(control, settings),
        lambda reason: _fail(control, LayerReport(namespaces=reason)),
    )


if __name__ == "__main__":
    main()
