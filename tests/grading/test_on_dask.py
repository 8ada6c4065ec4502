"""Grading on a real Dask cluster: over TLS, on two machines as far as their network goes, whatever dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.grading import on_dask
from autograder.grading.apart import packed
from autograder.grading.bundle import ENGINE, bundle_of
from autograder.grading.scheduler import Grader
from autograder.grading.submissions import Submission, students_of
from autograder.grading.worker import Mode
from autograder.results import ExerciseResult, Outcome, Status

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")

HandIn = Callable[..., Path]
GOOD = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
ADDRESSES = "10.213.7.1", "10.213.7.2"

# ------------------------------------------------------------------------------------------- two machines


class Network:
    """Two network namespaces with a cable between them; where they can't be made, this machine's own loopback."""

    def __init__(self, apart: bool = True) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        self.hosts = "127.0.0.1", "127.0.0.1"
        if not apart:
            return
        try:
            self._make()
            self.hosts = ADDRESSES
        except (OSError, subprocess.SubprocessError) as reason:
            self.close()
            said = getattr(reason, "stderr", None) or str(reason)
            warnings.warn(f"no network namespaces, so the cluster is on loopback: {said}", stacklevel=2)

    def _make(self) -> None:
        for _ in ADDRESSES:
            holder = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", "echo; exec sleep 3600"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            self._holders.append(holder)
            if not holder.stdout or not holder.stdout.readline():
                raise subprocess.SubprocessError(holder.communicate()[1].decode())
        first, second = (str(holder.pid) for holder in self._holders)
        ends = ["ag-end", "netns", first, "type", "veth", "peer", "name", "ag-end", "netns", second]
        self._do("ip", "link", "add", *ends)
        for machine, address in enumerate(ADDRESSES):
            for command in (
                ("addr", "add", f"{address}/24", "dev", "ag-end"),
                ("link", "set", "lo", "up"),
                ("link", "set", "ag-end", "up"),
            ):
                self._do(*self.on(machine), "ip", *command)

    @staticmethod
    def _do(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)

    def on(self, machine: int) -> list[str]:
        """What a command begins with that runs on that machine."""
        return ["nsenter", "--net", "-t", str(self._holders[machine].pid)] if self._holders else []

    def close(self) -> None:
        for holder in self._holders:
            holder.kill()
            holder.communicate()
        self._holders.clear()


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two authorities, `own` and `other`, each with a certificate of that name."""
    if shutil.which("openssl") is None:
        pytest.skip("the certificates are made with openssl, which is not here")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("own", "other"):
        openssl(
            "req",
            "-x509",
            *key,
            "-keyout",
            f"{name}-ca.key",
            "-out",
            f"{name}-ca.pem",
            "-subj",
            f"/CN={name} CA",
        )
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca.key",
                "-CAcreateserial", "-out", f"{name}.pem")  # fmt: skip
    return folder


class Cluster:
    """`dask scheduler` and `dask worker`, as processes of their own. A context manager."""

    def __init__(
        self, network: Network, certificates: Path, place: Path, environment: dict[str, str]
    ) -> None:
        self.network = network
        self.place = place
        place.mkdir()
        self.environment = {
            **environment,
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(certificates / "own-ca.pem"),
            **{
                f"DASK_DISTRIBUTED__COMM__TLS__{role}__{kind}": str(certificates / file)
                for role in ("SCHEDULER", "WORKER", "CLIENT")
                for kind, file in (("CERT", "own.pem"), ("KEY", "own.key"))
            },
            "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
            "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "200s",
        }
        self.processes: list[subprocess.Popen[str]] = []
        file = place / "scheduler.json"
        self.scheduler = self._start(
            0, "scheduler", "--protocol", "tls", "--host", network.hosts[0], "--port", "0",
            "--dashboard-address", ":0", "--scheduler-file", str(file),
            more={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
        )  # fmt: skip
        while not (file.exists() and file.read_text()):
            assert self.scheduler.poll() is None, self.said()
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def _start(
        self, machine: int, *command: str, hidden: Path | None = None, more: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        cwd = self.place / f"empty-{len(self.processes)}"
        cwd.mkdir()
        before = self.network.on(machine)
        if hidden is not None and before:
            before += ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hidden)]
        process = subprocess.Popen(
            [*before, sys.executable, "-P", "-m", "distributed.cli.dask_" + command[0], *command[1:]],
            cwd=cwd, env={**self.environment, **(more or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=(self.place / "said").open("a"), text=True, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def add_worker(self, machine: int, *options: str, hidden: Path | None = None) -> subprocess.Popen[str]:
        """One more worker on that machine, in an empty folder. It has nothing of `hidden`."""
        always = "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.place)
        return self._start(machine, "worker", self.address, *always, *options, hidden=hidden)

    def command(self, folder: Path, course: Path, book: Path, *more: str) -> list[str]:
        return [*self.network.on(0), sys.executable, "-m", "autograder", "grade", str(folder), "--course", str(course),
                "--only", "vowels", "--gradebook", str(book), "--scheduler", self.address, *more]  # fmt: skip

    def begin(self, *arguments: Any, **more: str) -> subprocess.Popen[str]:
        """The driver."""
        return subprocess.Popen(
            self.command(*arguments), env={**self.environment, **more}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @staticmethod
    def end(driver: subprocess.Popen[str]) -> tuple[int, str]:
        """Its exit status, and what it said. It ends by itself."""
        _, said = driver.communicate(timeout=600)
        assert "Traceback" not in said and "distributed." not in said, said
        return driver.returncode, " ".join(said.split())

    def said(self) -> str:
        return (self.place / "said").read_text()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self.processes:  # each leads a session: its nanny, its worker
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for _ in range(300):  # grading processes are no part of that session, and must end with their worker
            if not (left := self.left()):
                break
            time.sleep(0.1)
        assert not left

    def left(self) -> list[str]:
        """What still runs in one of the folders that processes were started in."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(self.place):
                    found.append((process / "cmdline").read_bytes().decode())
        return found


@pytest.fixture
def cluster(
    network: Network, certificates: Path, tmp_path: Path, environment: dict[str, str]
) -> Iterator[Cluster]:
    """A scheduler over TLS, without a worker."""
    with Cluster(network, certificates, tmp_path / "cluster", environment) as started:
        yield started


# ------------------------------------------------------------------------------------------- what dies


def fated(number: int) -> str:
    """An answer with full marks that tells `deadly` what is to happen."""
    return f"def vowels(text):\n    return {number} if text == 'fate' else sum(text.lower().count(c) for c in 'aeiou')\n"


@pytest.fixture
def deadly(toy: Path, tmp_path: Path, edited: Callable[[Path, str, str], None]) -> Path:
    """A course whose hidden test ends its own process, or the Dask worker above that, for whoever is fated so."""
    fate = f"""    import os, pathlib, signal
    fate, mark = student.vowels("fate"), pathlib.Path({str(tmp_path / "died once")!r})
    if fate == 91:
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == 92 or (fate == 93 and not mark.exists()):
        mark.touch()
        os.kill(os.getppid(), signal.SIGKILL)
    assert student"""
    edited(toy / "solutions/extras/test_vowels.py", "    assert student", fate)
    return toy


def slow_class(hand_in: HandIn, count: int, **fates: int) -> Path:
    for number in range(count):
        student = f"s{number:03}"
        source = fated(fates.get(student, 2))
        folder = hand_in(student, {"vowels.py": f"# {number}\nimport time\ntime.sleep(0.2)\n{source}"})
    return folder


def attempts(path: Path) -> dict[str, list[ExerciseResult]]:
    if not path.exists():
        return {}
    with Gradebook(str(path)) as book:
        return {student: book.in_full(made) for (student, _), made in book.attempts().items()}


def wait_for(count: int, path: Path, driver: subprocess.Popen[str]) -> None:
    while len(attempts(path)) < count:
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.1)


def test_workers_and_the_driver_die(
    cluster: Cluster, deadly: Path, hand_in: HandIn, tmp_path: Path, shared_sandbox: Any
) -> None:
    """Each submission has one result in the end, the same as here, or says why it has none. Workers have an empty folder and no course."""
    folder = slow_class(hand_in, 12, s001=91, s002=92, s003=93)
    for machine in range(2):
        cluster.add_worker(machine, hidden=deadly)
    book = tmp_path / "book.db"
    killed = cluster.begin(folder, deadly, book)
    wait_for(3, book, killed)
    killed.kill()
    killed.communicate()
    before = attempts(book)
    known = sum(result.status is Status.GRADED for [result] in before.values())
    assert known < 10

    code, said = cluster.end(cluster.begin(folder, deadly, book))
    assert code == 3, said + cluster.said()
    assert f"{10 - known} graded, {known} known already, 0 could not be read, 2 left ungraded" in said
    after = attempts(book)
    for number in range(12):
        *_, last = made = after[f"s{number:03}"]
        if number in (1, 2):
            assert (last.status, last.score) == (Status.UNGRADED, None)
        else:
            assert (last.status, last.score, len(made)) == (Status.GRADED, 4.0, 1)
    assert "its process died 2 times; the last time SIGKILL ended it" in after["s001"][-1].detail
    assert "KilledWorker" in after["s002"][-1].detail
    assert (tmp_path / "died once").exists()

    for deadly_one in ("s001", "s002", "s003"):
        shutil.rmtree(folder / deadly_one)
    here: list[ExerciseResult] = []
    grader = Grader(
        Course.load(deadly).select(["vowels"]), Mode(), known=lambda key: None, record=here.append
    )
    list(grader.run(students_of(folder)))
    assert {result.student: result for result in here} == {
        student: made[-1] for student, made in after.items() if student not in ("s001", "s002", "s003")
    }


@pytest.mark.parametrize(
    "gone, why", [("scheduler", "its scheduler is gone"), ("worker", "it had no worker for 3 s")]
)
def test_the_cluster_is_gone(
    cluster: Cluster, toy: Path, hand_in: HandIn, tmp_path: Path, gone: str, why: str
) -> None:
    """What was graded is recorded; of everything else it is said why not, and the run ends by itself."""
    folder = slow_class(hand_in, 12)
    book = tmp_path / "book.db"
    worker = cluster.add_worker(0, "--no-nanny", hidden=toy)
    while "Register worker" not in cluster.said():
        assert worker.poll() is None, cluster.said()
        time.sleep(0.1)
    impatient = {
        "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "3s",
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "8s",
    }
    driver = cluster.begin(folder, toy, book, "--unsafe", **impatient)  # which saves half of the test's time
    wait_for(2, book, driver)
    os.killpg((cluster.scheduler if gone == "scheduler" else worker).pid, signal.SIGKILL)
    code, said = cluster.end(driver)
    assert code == 3, said
    assert f"grading on Dask: {why}" in said
    results = [result for [result] in attempts(book).values()]
    graded = [result for result in results if result.status is Status.GRADED]
    assert (len(results), {result.score for result in graded}) == (12, {4.0})
    assert 2 <= len(graded) < 12
    others = {result.detail for result in results if result not in graded}
    assert others == {f"grading on Dask: {why}"}


def test_who_answers_and_who_may_ask(
    certificates: Path,
    toy: Path,
    hand_in: HandIn,
    tmp_path: Path,
    environment: dict[str, str],
    cli: Callable[..., Any],
) -> None:
    """A wrong address, certificate or version, and a cluster without workers: a sentence, exit status 2, nothing recorded."""
    folder, book = hand_in("s001", {"vowels.py": GOOD}), tmp_path / "book.db"

    def refused(address: str, **configured: object) -> str:
        own = {"ca_file": "own-ca.pem", "cert": "own.pem", "key": "own.key"}
        ca, cert, key = (str(certificates / configured.pop(name, file)) for name, file in own.items())  # type: ignore[operator]
        tls = {"ca-file": ca, "client.cert": cert, "client.key": key}
        with dask.config.set(
            {**{f"distributed.comm.tls.{name}": file for name, file in tls.items()}, **configured}
        ):
            said = cli("grade", folder, "--course", toy, "--gradebook", book, "--scheduler", address)
        assert (said.code, said.out, attempts(book)) == (2, "", {})
        assert "Traceback" not in said.err and "distributed." not in said.err
        return " ".join(said.err.split())

    soon = {"distributed.comm.timeouts.connect": "2s"}
    with Cluster(Network(apart=False), certificates, tmp_path / "cluster", environment) as cluster:
        address = cluster.address
        said = refused(address, ca_file="other-ca.pem")
        assert f"{address}: no Dask scheduler answers there (SSLCertVerificationError" in said
        said = refused(address, cert="other.pem", key="other.key", **soon)
        assert "no Dask scheduler answers there" in said and "the certificates" in said
        assert "no Dask scheduler answers there (FileNotFoundError" in refused(address, cert="none.pem")
        assert "no Dask scheduler answers there" in refused(address.replace("tls", "tcp"), **soon)
        assert "no Dask scheduler answers there (KeyError" not in refused("tls//127.0.0.1", **soon)
        said = refused(address, **{"distributed.scheduler.no-workers-timeout": "1s"})
        assert f"it had no worker for 1 s; start some with `dask worker {address} --nthreads 1`" in said
        older = tmp_path / "older.py"
        older.write_text("from autograder.grading import on_dask\non_dask.ENGINE = '0.0.9/1'\n")
        cluster.add_worker(0, "--no-nanny", "--preload", str(older))
        said = refused(address)
        assert f"has autograder 0.0.9/1, but this machine has autograder {ENGINE}" in said
        bare = tmp_path / "bare.py"
        bare.write_text(
            "from importlib.metadata import version\nfrom distributed import versions\n"
            "versions.version = lambda name: {}[name] if name == 'llm-autograder' else version(name)\n"
        )
        cluster.add_worker(0, "--no-nanny", "--preload", str(bare), "--name", "bare")
        while "name: bare" not in cluster.said():
            time.sleep(0.1)
        assert f"{address}: llm-autograder is not installed on tls://127.0.0.1:" in refused(address)
    assert "can be read on the way" in refused("tcp://192.0.2.1:8786", **soon)


@pytest.mark.parametrize(
    "address, open_to_others",
    [("tls://10.0.0.1:8786", False), ("tcp://10.0.0.1:8786", True), ("gpu7:8786", True), ("tcp://127.0.0.1:1", False),
     ("tcp://localhost:1", False), ("tcp://[::1]:8786", False), ("ws://host:1", True), ("wss://host:1", False)],
)  # fmt: skip
def test_in_clear(address: str, open_to_others: bool) -> None:
    assert on_dask.in_clear(address) == open_to_others


@pytest.mark.usefixtures("sandbox")
def test_a_greedy_neighbour(toy: Path, tmp_path: Path, edited: Callable[[Path, str, str], None]) -> None:
    """A worker of two threads: what one submission takes of the memory that a test may take, another does not lack."""
    filled, done = tmp_path / "filled", tmp_path / "done"
    edited(
        toy / "solutions/extras/test_vowels.py",
        "    assert student",
        f"""    import pathlib, time, torch
    filled, done, kept = pathlib.Path({str(filled)!r}), pathlib.Path({str(done)!r}), []
    if student.vowels("fate") == 94:
        for size in (1 << 20, 1 << 10):
            try:
                while True:
                    kept.append(bytearray(size))
            except MemoryError:
                pass
        filled.touch()
        while not done.exists():
            time.sleep(0.1)
        raise MemoryError
    assert torch.ones(50_000_000).sum() > 0
    assert student""",
    )
    bundle = bundle_of(Course.load(toy).exercise("extras/vowels"))

    def grade(student: str, fate: int) -> ExerciseResult:
        files = {"vowels.py": fated(fate).encode()}
        submission = Submission(student, bundle.exercise, student, "vowels.py", files)
        return on_dask.grade_task(on_dask.versions(), packed(bundle, submission, Mode()))

    with ThreadPoolExecutor(2) as threads:
        greedy = threads.submit(grade, "s001", 94)
        try:
            while not filled.exists():
                assert not greedy.done(), greedy.result()
                time.sleep(0.1)
            assert threads.submit(grade, "s002", 2).result().score == 4.0
        finally:
            done.touch()
        assert [test.outcome for test in greedy.result().tests] == [Outcome.PASSED, Outcome.MEMORY]
