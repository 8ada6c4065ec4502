"""Which layers a child wears, at which level, and what is visible to it."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from autograder.remote.client import RemoteModule
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
from autograder.sandbox import paths
from autograder.sandbox.doctor import examine
from autograder.sandbox.errors import SandboxFault, SandboxUnavailable
from autograder.sandbox.messages import OWN_USER, LayerReport
from autograder.sandbox.sandbox import Level, Sandbox, level_of

REPOSITORY = Path(__file__).resolve().parents[2]
LOOK = """
import os, sys, resource, threading
def identity(): return os.getuid(), os.getgid(), os.getgroups(), os.getpid(), os.getppid(), os.getsid(0) == os.getpid()
def limits(): return {n: resource.getrlimit(getattr(resource, n))[1] for n in dir(resource) if n.startswith("RLIMIT_")}
def environment(): return dict(os.environ)
def descriptors():
    found = []
    for fd in range(64):
        try: os.fstat(fd)
        except OSError: continue
        found.append(fd)
    return found
def listing(path): return sorted(os.listdir(path))
def read(path):
    with open(path, "rb") as file: return file.read(10)
def imports(*names): return [__import__(name).__name__ for name in names]
def mount_flags(path): return os.statvfs(path).f_flag
def threads(): return threading.active_count()
"""


def look(sandbox: ModuleSandbox, **limits: float) -> RemoteModule:
    child = sandbox.open({"look.py": LOOK.encode()}, "look.py", limits=Limits(**limits))  # type: ignore[arg-type]
    child.load()
    return child


def test_full_where_everything_works(best: ModuleSandbox, unavailable: Callable[[object], NoReturn]) -> None:
    if best.missing:
        unavailable(best.missing)
    assert best.level is Level.FULL
    assert len(best.layers) == 5
    with look(best) as child:
        for path in ("/", "/tmp", "/etc/passwd"):
            with pytest.raises(OSError):
                child.student.listing(path)
    with (
        ModuleSandbox(without=["landlock"]) as bare,
        look(bare) as child,
    ):  # the root as namespaces alone show it
        # The way to this very package, if it lies there, and nothing else.
        assert set(child.student.listing("/tmp")) <= {REPOSITORY.parts[2]}
        assert {"etc", "home", "boot"} & set(child.student.listing("/")) <= {"etc"}
        # There while the zygote starts.
        assert child.student.read("/proc/cpuinfo") == b"" and not child.student.listing(
            "/sys/devices/system/cpu"
        )
        assert set(child.student.listing("/dev")) == {"null", "zero", "random", "urandom"}


def test_every_mount_is_read_only(best: ModuleSandbox, unavailable: Callable[[object], NoReturn]) -> None:
    if best.missing.get("namespaces"):
        unavailable(best.missing["namespaces"])
    with look(best) as child:
        for path in ("/", "/usr/lib", os.__file__, pytest.__file__, "/dev/null"):
            flags = child.student.mount_flags(path)
            assert flags & os.ST_RDONLY and flags & os.ST_NOSUID, path
            assert path.startswith("/dev") or flags & os.ST_NODEV, path


def test_reading_leaves_no_trace(best: ModuleSandbox, unavailable: Callable[[object], NoReturn]) -> None:
    """No read-only mount keeps the times at which files were read. Without namespaces that is the machine's own choice."""
    if best.missing.get("namespaces"):
        unavailable(best.missing["namespaces"])
    path = Path(os.__file__).with_name("antigravity.py")  # nobody reads it
    before = path.stat()
    try:
        os.utime(
            path, ns=(before.st_mtime_ns - 1, before.st_mtime_ns)
        )  # as it was installed: the next read counts
    except PermissionError:
        pytest.skip(f"{path} is another user's")
    with look(best) as child:
        assert child.student.read(str(path))
    assert path.stat().st_atime_ns == before.st_mtime_ns - 1


def test_identity(best: ModuleSandbox, standard: ModuleSandbox) -> None:
    for sandbox in (best, standard):
        with look(sandbox) as child:
            uid, gid, groups, pid, parent, leads_session = child.student.identity()
            assert leads_session and pid != os.getpid()
            if "unprivileged user of its own" in sandbox.layers:
                assert uid == gid >= 61184 and groups == []
            elif os.getuid() == 0:
                assert "root without capabilities" in sandbox.layers
            else:
                assert uid in (os.getuid(), 65534)
            if sandbox is best and not best.missing:
                assert parent == 1


def test_as_the_kernel_sees_it(best: ModuleSandbox, standard: ModuleSandbox) -> None:
    """No capability in any of its sets, no way to gain one, and a filter."""
    for sandbox in (best, standard):
        with look(sandbox) as child:
            lines = Path(f"/proc/{child._process.budget.pid}/status").read_text().splitlines()
            status = dict(line.split(":\t", 1) for line in lines)
            sets = {name: value for name, value in status.items() if name.startswith("Cap")}
            if os.getuid() != 0:  # an ordinary user's process can't empty it, and needs not
                sets.pop("CapBnd")
            assert len(sets) >= 4 and {int(value, 16) for value in sets.values()} == {0}, sets
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_two_children_are_two_users(best: ModuleSandbox) -> None:
    if "unprivileged user of its own" not in best.layers:
        pytest.skip("needs root")
    with look(best) as one, look(best) as two:
        assert one.student.identity()[0] != two.student.identity()[0]


def test_what_a_child_holds(best: ModuleSandbox, standard: ModuleSandbox) -> None:
    os.environ["OF_THE_GRADER"] = "secret"
    try:
        for sandbox in (best, standard):
            with look(sandbox) as child:
                assert child.student.descriptors() == [0, 1, 2, 3]
                environment = child.student.environment()
                assert "OF_THE_GRADER" not in environment and environment["OMP_NUM_THREADS"] == "1"
                assert environment["HOME"] == "/nonexistent" and len(environment) < 20
                assert child.student.threads() == 1
    finally:
        del os.environ["OF_THE_GRADER"]


def test_resource_limits(best: ModuleSandbox) -> None:
    with look(best, memory_mb=100) as child:
        limits = child.student.limits()
        assert limits["RLIMIT_CORE"] == 0 and limits["RLIMIT_NOFILE"] <= 64
        assert 0 < limits["RLIMIT_AS"] < 64 << 30
    with look(best, memory_mb=300) as child:
        assert child.student.limits()["RLIMIT_AS"] - limits["RLIMIT_AS"] == pytest.approx(200 << 20, rel=0.1)


def test_what_submissions_need_is_there(best: ModuleSandbox, standard: ModuleSandbox) -> None:
    for sandbox in (best, standard):
        with look(sandbox) as child:
            names = [
                "sqlite3",
                "zoneinfo",
                "encodings.idna",
                "ctypes",
                "torch.fft",
                "numpy.linalg",
                "multiprocessing.pool",
            ]
            assert child.student.imports(*names)
            assert child.student.read("/dev/urandom")
            assert child.student.read("/dev/null") == b""


def test_common_torch_work_in_a_child(best: ModuleSandbox, standard: ModuleSandbox) -> None:
    source = b"""
import torch, asyncio, threading, tempfile
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader
def train():
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for x in DataLoader(torch.randn(32, 4), batch_size=8):
        loss = checkpoint(model, x, use_reentrant=False).square().mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()
def loop():
    async def f(): await asyncio.sleep(0.01); return 5
    return asyncio.run(f())
def pool():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as executor: return list(executor.map(abs, [-1, -2]))
def compute():
    a = torch.randn(300, 300)
    return torch.linalg.svdvals(a @ a.T).sum().item() + torch.nn.functional.conv2d(torch.randn(1, 3, 32, 32), torch.randn(4, 3, 3, 3)).sum().item()
def quiet():
    import os
    with open(os.devnull, "w") as file: print("x", file=file)
    return tempfile.gettempdir()
"""
    for sandbox in (best, standard):
        with sandbox.open({"s.py": source}, "s.py", limits=Limits()) as child:
            child.load()
            assert isinstance(child.student.train(), float)
            assert child.student.loop() == 5
            assert child.student.pool() == [1, 2]
            assert isinstance(child.student.compute(), float)
            assert child.student.quiet() == "/tmp"


def test_siblings_and_notebooks(best: ModuleSandbox) -> None:
    files = {
        "main.ipynb": b'{"cells": [{"cell_type": "code", "source": ["from helper import h\\n", "def f(): return h() + 1"]}]}',
        "helper.py": b"def h(): return 41\n",
    }
    with best.open(files, "main.ipynb", limits=Limits()) as child:
        child.load()
        assert child.student.f() == 42


def test_hidden_paths(tmp_path: Path, unavailable: Callable[[object], NoReturn]) -> None:
    """A hidden path among the libraries is covered by namespaces; Landlock alone can't, and refuses."""
    library = Path(pytest.__file__).parent
    with ModuleSandbox(hide=[library]) as sandbox:
        if sandbox.missing.get("namespaces"):
            unavailable(sandbox.missing["namespaces"])
        with look(sandbox) as child:
            assert child.student.listing(str(library)) == []
            with pytest.raises(OSError):
                child.student.read(pytest.__file__)
    with (
        ModuleSandbox(hide=[library], without=["namespaces"]) as sandbox,
        pytest.raises(SandboxUnavailable, match="leave out"),
    ):
        _ = sandbox.level


def test_nothing_of_the_repository_is_visible(best: ModuleSandbox, standard: ModuleSandbox) -> None:
    for sandbox in (best, standard):
        with look(sandbox) as child:
            for path in (
                "autograder/sandbox/sandbox.py",
                "tests/sandbox/test_confinement.py",
                "pyproject.toml",
            ):
                with pytest.raises(OSError):
                    child.student.read(str(REPOSITORY / path))
            for path in ("solutions", "tests", "course", "autograder", ""):
                with pytest.raises(OSError):
                    child.student.listing(str(REPOSITORY / path))


def test_exposed_paths(tmp_path: Path) -> None:
    (tmp_path / "lib" / "secret").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "lib")
    lib, secret = str(tmp_path / "lib"), str(tmp_path / "lib" / "secret")
    assert paths.exposed([secret], [lib]) == [secret]
    assert paths.exposed([f"{tmp_path}/link/secret"], [lib]) == [secret]
    assert paths.exposed([secret], [f"{tmp_path}/link"]) == [secret]
    assert paths.exposed([str(tmp_path), f"{tmp_path}/library"], [lib]) == []


@pytest.mark.parametrize(
    ("report", "level"),
    [
        (LayerReport(), Level.FULL),
        (LayerReport(namespaces="no"), Level.STANDARD),
        (LayerReport(landlock="no"), Level.STANDARD),
        (LayerReport(namespaces="no", landlock="no"), None),
        (LayerReport(seccomp="no"), None),
        (LayerReport(seccomp="no", namespaces="no"), None),
    ],
)
def test_levels(report: LayerReport, level: Level | None) -> None:
    assert level_of(report) is level


@pytest.mark.parametrize(
    ("report", "level"),
    [
        (LayerReport(namespaces="no", landlock="no", user=OWN_USER), Level.STANDARD),
        (LayerReport(namespaces="no", landlock="no", user="root without capabilities"), None),
        (LayerReport(namespaces="no", landlock="no", user="the grader's user"), None),
        (LayerReport(namespaces="no", landlock="no", seccomp="no", user=OWN_USER), None),
        (LayerReport(namespaces="no", user="root without capabilities"), Level.STANDARD),
    ],
)
def test_level_where_nothing_is_left_to_hide(report: LayerReport, level: Level | None) -> None:
    """A user of their own stands for the file layer, and nothing else does; it counts nowhere but there."""
    assert level_of(report, nothing_hidden=True) is level
    if report.landlock:
        assert level_of(report) is None


def test_submissions_go_first_when_memory_runs_out(sandbox: ModuleSandbox) -> None:
    """The system ends the process with the highest score: never the grader, which would take every result with it."""
    score = Path(f"/proc/{sandbox._zygote._process.pid}/oom_score_adj").read_text()
    assert int(score) == 1000
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


def test_asking_for_more_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused with the layer's name, what was seen, and the remedy; no zygote is left behind."""
    from autograder.sandbox import sandbox as module

    class Poor(module.ZygoteProcess):
        def _receive(self, kind):  # type: ignore[no-untyped-def]
            message = super()._receive(kind)
            if kind is LayerReport:
                message.namespaces = message.namespaces or "not permitted"
            return message

    monkeypatch.setattr(module, "ZygoteProcess", Poor)
    with pytest.raises(SandboxUnavailable, match=r"(?s)full.*namespaces: not permitted.*Remedy"):
        ModuleSandbox(level=Level.FULL)
    with ModuleSandbox(level=Level.STANDARD) as sandbox:
        assert sandbox.level is Level.STANDARD


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(SandboxUnavailable, match="WSL2"):
        ModuleSandbox()
    report = examine()
    assert report.level is None and not report.checks[0].works


def test_import_needs_no_linux() -> None:
    """With every Linux-only module out of reach, the errors still import, and nothing else with them."""
    script = (
        "import sys\n"
        "for name in ('resource', 'fcntl', 'pwd', 'grp', 'termios', 'select', 'ctypes'): sys.modules[name] = None\n"
        "from autograder.remote.errors import StudentError\n"
        "from autograder.sandbox.errors import Ended, SandboxUnavailable\n"
        "assert not any(n.startswith('autograder.sandbox.') and n.rsplit('.')[-1] != 'errors' for n in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


def test_a_dead_zygote_is_replaced() -> None:
    with ModuleSandbox() as sandbox:
        with look(sandbox) as child:
            assert child.student.threads() == 1
            sandbox._zygote._process.kill()
            sandbox._zygote._process.wait()
            with pytest.raises(Exception):  # noqa: B017 (its children go with it, and say so in one way or another)
                for _ in range(1000):
                    child.student.threads()
        with look(sandbox) as child:
            assert child.student.threads() == 1


def test_a_child_ends_with_the_process_that_asked_for_it(sandbox: ModuleSandbox) -> None:
    """One forked from this one, too, while the zygote lives on: a killed worker leaves no loop behind."""
    sandbox.await_ready()
    reading, writing = os.pipe()
    asking = os.fork()
    if asking == 0:
        try:
            source = b"def loop():\n    while True: pass\n"
            child = sandbox.open({"l.py": source}, "l.py", limits=Limits(seconds=60))
            child.load()
            os.write(writing, str(child._process.budget.pid).encode())
            child.deadline(60)
            child.student.loop()
        finally:
            os._exit(1)
    looping = Path(f"/proc/{int(os.read(reading, 20))}/stat")

    def ticks() -> int:
        return int(looping.read_text().rpartition(")")[2].split()[11])

    before = ticks()
    while ticks() < before + 20:
        time.sleep(0.01)
    os.kill(asking, signal.SIGKILL)
    os.waitpid(asking, 0)
    for _ in range(100):
        if not looping.exists():
            break
        time.sleep(0.05)
    assert not looping.exists()
    with look(sandbox) as child:
        assert child.student.threads() == 1


def test_a_closed_sandbox_opens_nothing() -> None:
    sandbox = ModuleSandbox()
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxFault):
        look(sandbox)


UNPRIVILEGED = """
set -e
# In a mount namespace of its own: the interpreter under root's home is bound where others may read it.
mount --make-rprivate /
if [ -n "$HOME_PART" ]; then
    mkdir -p /tmp/unprivileged && mount -t tmpfs none /tmp/unprivileged && mkdir /tmp/unprivileged/part
    mount --bind "$HOME_PART" /tmp/unprivileged/part
    mount -t tmpfs -o mode=755 none "$ROOT_HOME" && mkdir -p "$HOME_PART" && mount --bind /tmp/unprivileged/part "$HOME_PART"
fi
exec setpriv --reuid=65000 --regid=65000 --clear-groups -- "$PYTHON" -c "$SCRIPT"
"""


@pytest.mark.parametrize("without", [[], ["namespaces"]])
def test_started_by_an_ordinary_user(without: list[str], unavailable: Callable[[object], NoReturn]) -> None:
    """The whole grader as uid 65000: user namespaces instead of root's, and the same walls."""
    tools = [shutil.which(name) for name in ("unshare", "setpriv", "mount")]
    if os.getuid() != 0 or not all(tools):
        pytest.skip("only root can become somebody else; as an ordinary user, the other tests prove this")
    script = f"""
import os
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
assert os.getuid() == 65000
with ModuleSandbox(without={without!r}) as sandbox, sandbox.open({{"l.py": {LOOK.encode()!r}}}, "l.py", limits=Limits()) as child:
    child.load()
    print(sandbox.level.value, child.student.identity()[0], sandbox.missing)
    for path in ({str(REPOSITORY / "pyproject.toml")!r}, "/etc/passwd", "/proc/self/environ"):
        try:
            print("READ", path, child.student.read(path))
        except OSError as error:
            print("refused")
"""
    prefix = Path(sys.base_prefix)
    home_part = str(prefix) if prefix.is_relative_to(Path.home()) else ""
    environment = {
        **os.environ, "PYTHONPATH": str(REPOSITORY), "ROOT_HOME": str(Path.home()),
        "HOME_PART": home_part, "PYTHON": sys.executable, "SCRIPT": script,
    }  # fmt: skip
    answer = subprocess.run(
        ["unshare", "--mount", "sh", "-c", UNPRIVILEGED],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "user namespaces" in answer.stderr or "putting" in answer.stderr:
        unavailable(answer.stderr)
    assert answer.returncode == 0, answer.stderr
    first, *rest = answer.stdout.splitlines()
    level, uid, missing = first.split(" ", 2)
    assert uid == "65000"
    assert rest == ["refused"] * 3
    if not without and "unshare" not in missing:
        assert level == "full", missing
    if without:
        assert level == "standard"


def test_doctor() -> None:
    """Every violation that this machine can be protected from is attempted and seen to be stopped."""
    report = examine()
    assert report.level is not None
    stopped = {check.attempted for check in report.checks if check.works}
    assert {"opening a socket", "forking", "computing for ever with a limit of 0.2 s"} <= stopped
    assert any(attempted.startswith("reading a file") for attempted in stopped)
    for check in report.checks:
        assert check.works or check.remedy
        assert check.seen


def test_doctor_sees_a_missing_layer() -> None:
    """Where the attempt goes through, the report says so."""
    from autograder.sandbox import doctor

    with Sandbox(doctor.PROGRAM, without=["seccomp", "landlock", "namespaces"]) as sandbox:
        check = doctor._check(sandbox, doctor._trials("/etc/passwd")["seccomp"][0])
    assert not check.works and "went through" in check.seen and check.remedy


def test_no_right_of_root_is_left() -> None:
    """Even where the child must stay root, and were it not for the filter, it may do nothing that only root may."""
    source = b"import os\ndef change_root(): os.chroot('/')\ndef user(): os.setuid(0); os.setgid(0); os.setgroups([0])\n"
    with ModuleSandbox(without=["namespaces", "seccomp"]) as sandbox:
        for name in ("change_root", "user"):
            with sandbox.open({"s.py": source}, "s.py", limits=Limits()) as child:
                child.load()
                with pytest.raises(PermissionError):
                    getattr(child.student, name)()


def test_the_program_may_lie_below_tmp(sandbox: ModuleSandbox) -> None:
    """Many people try a clone in /tmp first; that costs no layer, and nothing else of /tmp is seen."""
    script = f"""
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
with ModuleSandbox() as sandbox, sandbox.open({{"l.py": {LOOK.encode()!r}}}, "l.py", limits=Limits()) as child:
    child.load()
    print(sandbox.level.value, sandbox.missing)
    try:
        print(child.student.listing("."), child.student.listing(HERE))
    except OSError as error:
        print("refused")
"""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.copytree(
            paths.PACKAGE, Path(folder, "autograder"), ignore=shutil.ignore_patterns("__pycache__")
        )
        Path(folder, "secret.txt").write_text("42")
        done = subprocess.run(
            [sys.executable, "-c", script.replace("HERE", repr(folder))],
            env={**os.environ, "PYTHONPATH": folder}, cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
    assert done.stdout.startswith(f"{sandbox.level.value} {sandbox.missing}\n"), done.stdout + done.stderr
    assert "secret.txt" not in done.stdout
