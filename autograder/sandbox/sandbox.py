"""`Sandbox`: one zygote, held by the trusted process, and the decision which level it gives."""

from __future__ import annotations

import enum
import os
import platform
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import msgspec

from autograder.sandbox.errors import SandboxFault, SandboxUnavailable
from autograder.sandbox.messages import (
    CONTROL_MESSAGE,
    OWN_USER,
    ForkRequest,
    LayerReport,
    Program,
    Ready,
    Settings,
)
from autograder.sandbox.process import Process
from autograder.sandbox.syscalls import NUMBERS
from autograder.text import Text

START_SECONDS = 120.0
STOP_SECONDS = 5.0
DEATH_SECONDS = 0.5  # a process's sockets close a moment before it can be seen to have ended
LAYERS = ("namespaces", "landlock", "seccomp")

REMEDIES = {
    "namespaces": Text(
        "start the grader as root, or allow unprivileged user namespaces (on Ubuntu: sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0; in Docker: --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined)",
        "以 root 启动评分程序，或允许非特权用户命名空间（Ubuntu 上：sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0；Docker 中：--security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined）",
    ),
    "landlock": Text(
        "use a kernel of 5.13 or later with landlock in its `lsm=` list",
        "使用 5.13 或更新的内核，并在其 `lsm=` 列表中启用 landlock",
    ),
    "seccomp": Text(
        "use x86_64 or aarch64 Linux with CONFIG_SECCOMP_FILTER",
        "使用启用了 CONFIG_SECCOMP_FILTER 的 x86_64 或 aarch64 Linux",
    ),
}

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "MPLBACKEND": "Agg",
    "TORCHINDUCTOR_CACHE_DIR": "/tmp",  # torch._dynamo makes a directory when imported; this one exists
    "TORCHDYNAMO_DISABLE": "1",  # a compiler needs files to write and programs to start; @torch.compile does nothing
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",  # fixed: memory that is freed goes back, and a memory limit means what it says
    "MALLOC_ARENA_MAX": "1",  # one of its own would cost every thread 64 MiB of the child's address space
}

M = TypeVar("M", LayerReport, Ready)


class Level(enum.Enum):
    """How much stands between a submission and the machine. FULL: every layer; STANDARD: one file layer less."""

    FULL = "full"
    STANDARD = "standard"


def level_of(report: LayerReport, nothing_hidden: bool = False) -> Level | None:
    """The level that these report prove; None where a submission could read hidden files or reach out.

    Where there is `nothing_hidden` on the machine, no file layer is needed. A user of their own must then
    keep submissions from the grader's memory (/proc) and from the files that the grader writes.
    """
    if report.seccomp:
        return None
    if report.namespaces and report.landlock:
        return Level.STANDARD if nothing_hidden and report.user == OWN_USER else None
    return Level.STANDARD if report.namespaces or report.landlock else Level.FULL


def refuse_other_systems() -> None:
    """SandboxUnavailable where this system has none of the layers; it is asked before a process is started."""
    if platform.system() != "Linux" or platform.machine() not in NUMBERS:
        raise SandboxUnavailable(
            f"submissions can't be confined on {platform.system()} {platform.machine()}: "
            "run the grader on Linux (x86_64 or aarch64), in WSL2 or in Docker",
            f"在 {platform.system()} {platform.machine()} 上无法隔离提交："
            "请在 Linux（x86_64 或 aarch64）、WSL2 或 Docker 中运行评分程序",
        )


class Sandbox:
    """A zygote that forks confined children, each running one program. A context manager.

    It is made as soon as its layers are proven, while the zygote still imports the program; `await_ready` waits for that,
    and so does the first fork. Processes that are forked from this one after that may go on using it.

    Args:
        program: what the children run.
        level: the level that must be reached; by default the best that can be proven here.
        hide: files and directories that no child may read. What lies outside the interpreter's own
            directories is hidden in any case.
        nothing_hidden: the caller vouches that no file on this machine must stay hidden; see `level_of`.
        without: layers to leave out, or "user": a child then stays the grader's user. For tests and `doctor`, which show by it what each layer stops.

    Raises: SandboxUnavailable where the level can't be reached; it names what is missing and the remedy.
    """

    def __init__(
        self,
        program: Program,
        *,
        level: Level | None = None,
        hide: Sequence[Path] = (),
        nothing_hidden: bool = False,
        without: Collection[str] = (),
    ) -> None:
        refuse_other_systems()
        self._wanted = level
        self._program = program
        self._nothing_hidden = nothing_hidden
        self._hidden = [str(Path(path).absolute()) for path in hide]
        self._without = frozenset(without)
        self._lock = threading.Lock()
        self._closed = False
        self._zygote = self._start()

    @property
    def level(self) -> Level:
        """The level that was proven when the zygote started."""
        level = level_of(self._zygote.report, self._nothing_hidden)
        if level is None:
            raise _unavailable(self._zygote.report, Level.STANDARD)
        return level

    @property
    def missing(self) -> dict[str, str]:
        """The layers that don't work here, with the reason."""
        reasons = {layer: str(getattr(self._zygote.report, layer)) for layer in LAYERS}
        return {layer: reason for layer, reason in reasons.items() if reason}

    @property
    def layers(self) -> tuple[str, ...]:
        """What confines each child, in words."""
        report = self._zygote.report
        found = []
        if not report.namespaces:
            found.append("namespaces (mount, pid, ipc, network, uts), a root of its own, no /proc")
        if not report.landlock:
            found.append(f"Landlock (version {report.landlock_version})")
        if not report.seccomp:
            found.append("system-call filter")
        return (*found, report.user, "resource limits")

    def await_ready(self) -> None:
        """Wait until a zygote can fork; one that has died is started again. SandboxFault where it does not start."""
        zygote = self._zygote
        if not zygote.alive:
            zygote = self._replace(zygote)
        zygote.await_ready()

    def fork(self, memory: int, setting: Sequence[str] | None = None) -> Process:
        """A confined child that may add so many bytes of memory. A dead zygote is started again.

        The child runs on the processors that the calling thread may run on.

        Args:
            setting: what the program's `prepare` is given; None where nothing needs to be prepared.
        """
        request = ForkRequest(memory, None if setting is None else list(setting))
        zygote = self._zygote
        try:
            process = zygote.fork(request)
        except SandboxFault:
            if zygote.alive:
                raise
            process = self._replace(zygote).fork(request)
        process.run_on(os.sched_getaffinity(0))
        return process

    def share_cpu(self) -> AbstractContextManager[None]:
        """While this lasts, the calling thread shares one processor with the children that it opens.

        They take turns, and to wake up another processor at every call, with cold caches, cost a tenth to a fourth of
        all the CPU time. Which one it is, the scheduler chooses anew each time.
        """
        # Linux only, and this module is imported elsewhere, too.
        from autograder.sandbox.linux import one_processor

        return one_processor()

    def _replace(self, dead: ZygoteProcess) -> ZygoteProcess:
        """Start another zygote, unless one of the threads that found this one dead already has."""
        with self._lock:
            if self._closed:
                raise SandboxFault("the sandbox was closed")
            if self._zygote is dead:
                dead.close()
                self._zygote = self._start()
            return self._zygote

    def close(self) -> None:
        """End the zygote and every child of it."""
        with self._lock:
            self._closed = True
            self._zygote.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self) -> ZygoteProcess:
        """A zygote with namespaces where they work, else one without; refused where that isn't enough."""
        wanted_layers = {layer: layer not in self._without for layer in (*LAYERS, "user")}
        settings = Settings(self._program, hidden=self._hidden, **wanted_layers)
        zygote = ZygoteProcess(settings)
        if zygote.report.namespaces and settings.namespaces:
            reason = zygote.report.namespaces
            zygote.close()
            settings.namespaces = False
            zygote = ZygoteProcess(settings)
            zygote.report.namespaces = reason
        found = level_of(zygote.report, self._nothing_hidden)
        wanted = self._wanted or Level.STANDARD
        if not self._without and (found is None or (wanted is Level.FULL and found is not Level.FULL)):
            zygote.close()
            raise _unavailable(zygote.report, wanted)
        return zygote


def _unavailable(report: LayerReport, wanted: Level) -> SandboxUnavailable:
    en = [f"level {wanted.value!r} can't be reached on this machine:"]
    zh = [f"这台机器达不到隔离级别 {wanted.value!r}："]
    for layer in LAYERS:
        reason = getattr(report, layer)
        if reason:
            en.append(f"  {layer}: {reason}. Remedy: {REMEDIES[layer].en}.")
            zh.append(f"  {layer}：{reason}。补救办法：{REMEDIES[layer].zh}。")
    return SandboxUnavailable("\n".join(en), "\n".join(zh))


class ZygoteProcess:
    """The process itself: started with an empty environment, spoken to through one socket."""

    def __init__(self, settings: Settings) -> None:
        package_parent = str(Path(__file__).resolve().parents[2])
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        with theirs:
            command = [sys.executable, "-s", "-P", "-m", "autograder.sandbox.zygote", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                env={**_ENVIRONMENT, "PYTHONPATH": package_parent},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._pidfd = os.pidfd_open(self._process.pid)  # type: ignore[attr-defined, unused-ignore]
        self._starting = threading.Lock()
        self._serving = False
        self._control.settimeout(START_SECONDS)
        try:
            self._control.send(msgspec.msgpack.encode(settings))
            self.report = self._receive(LayerReport)
        except BaseException:
            self.close()
            raise

    def await_ready(self) -> None:
        """Wait until it can fork, unless it was closed."""
        with self._starting:
            if self._serving or self._pidfd < 0:
                return
            try:
                ready = self._receive(Ready)
            except BaseException:
                self.close()
                raise
            if ready.threads != 1:
                self.close()
                raise SandboxFault(
                    f"the zygote has {ready.threads} threads; a child forked from it could hang"
                )
            self._serving = True

    def _receive(self, kind: type[M]) -> M:
        try:
            message = self._control.recv(CONTROL_MESSAGE)
        except TimeoutError:
            message = b""
        if not message:
            self._errors.seek(0)
            said = self._errors.read()[-2000:].decode(errors="replace").strip()
            raise SandboxFault(f"the zygote did not start: {said or 'it said nothing'}")
        return msgspec.msgpack.decode(message, type=kind)

    @property
    def alive(self) -> bool:
        return not self._ended(0)

    def _ended(self, seconds: float) -> bool:
        """Whether it ends within this time. A process forked from its parent, which can't wait for it, may ask, too."""
        if self._pidfd < 0:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def fork(self, request: ForkRequest) -> Process:
        """A new child. Threads and forked processes may ask at once: a request is a datagram, its answer has a socket."""
        self.await_ready()
        channel, their_channel = socket.socketpair()
        status, their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, their_output = os.pipe()
        try:
            fds = [their_channel.fileno(), their_output, their_status.fileno()]
            socket.send_fds(self._control, [msgspec.msgpack.encode(request)], fds)
        except OSError as error:
            for ours in (channel, status):
                ours.close()
            os.close(output)
            self._ended(DEATH_SECONDS)
            raise SandboxFault(f"the zygote is gone ({error})") from None
        finally:
            their_channel.close()
            their_status.close()
            os.close(their_output)
        try:
            return Process(channel, output, status, request.memory)
        except SandboxFault:
            self._ended(DEATH_SECONDS)
            raise

    def close(self) -> None:
        self._control.close()
        if not self._serving:
            self._process.kill()  # it may be importing torch, and would look at its socket only afterwards
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pidfd = -1
