"""The backend whose student is a confined process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Self

from autograder.guest.cell_runner import SkippedCell
from autograder.guest.helpers import HELPERS, KEPT
from autograder.guest.loading import filename_of
from autograder.remote.client import LOAD_SECONDS, Listener, RemoteModule
from autograder.remote.errors import StudentError
from autograder.remote.intake import MEBIBYTES, Intake, LoadedTooLong
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.remote.proxy import Call, Handle
from autograder.results import Limits
from autograder.runner.backend import dotted
from autograder.runner.own_memory import own_memory
from autograder.sandbox.errors import Ended, Killed, TimedOut
from autograder.testing.ranks import Aborted, CollectiveError, RankRun, arguments_of, run_ranks


class ConfinedBackend:
    """One submission behind the sandbox. A context manager: leaving it ends every process it started.

    One child serves all tests of the submission; a test that ended it, or that has a memory limit of its own, gets a
    new one. A file that can't be loaded is loaded once, and every test meets the same error; once more where the system
    killed its process. To load it after a child was lost has a budget of its own.
    """

    def __init__(
        self,
        sandbox: ModuleSandbox,
        files: Mapping[str, bytes],
        main: str,
        limits: Limits,
        forbidden: Sequence[str],
    ) -> None:
        self._sandbox = sandbox
        self._files = files
        self._main = main
        self._forbidden = forbidden
        self._turns = ExitStack()
        self._child: RemoteModule | None = None
        self._ranks: list[RemoteModule] = []
        self._limits = limits
        self._seed = 0
        self._loaded = False
        self._traced = 0
        self._slept = 0.0
        self._intake = Intake()
        self._killed = False  # by the system, while it was loading
        self._loading = 0.0  # CPU seconds, see `_open`
        self.listener: Listener | None = None
        self.load_error: BaseException | None = None
        self.skipped: list[SkippedCell] = []
        self.output = b""

    def __enter__(self) -> Self:
        self._turns.enter_context(self._sandbox.share_cpu())
        return self

    def __exit__(self, *exception: object) -> None:
        self._drop()
        self._turns.close()

    # ------------------------------------------------------------------------------------------ what tests use

    @property
    def student(self) -> Handle:
        return self._current().student

    @property
    def helpers(self) -> dict[str, Callable[..., Any]]:
        """Each runs where its target lives."""
        return {name: partial(self._help, name) for name in HELPERS}

    def _help(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in KEPT or isinstance(args[0], Handle):
            return self._current().help(name, *args, **kwargs)
        return HELPERS[name](*args, **kwargs)

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        """One confined process for each rank. Their results stay alive until the test ends."""
        if callable(run):
            return run_ranks(world_size, lambda rank, comm: run(comm, *arguments_of(rank, world_size, args)))
        children = [self._open(self._limits, planned=True) for _ in range(world_size)]
        self._ranks += children
        self._intake.add_ranks(world_size)

        def call(rank: int, comm: Any) -> Any:
            return dotted(children[rank].student, run)(comm, *arguments_of(rank, world_size, args))

        return run_ranks(world_size, call)

    # ------------------------------------------------------------------------------------------ around each test

    @contextmanager
    def begin(self, seed: int, limits: Limits) -> Iterator[None]:
        """A child with these limits, seeded, with a fresh budget and an empty trace."""
        if self.load_error is not None:
            raise self.load_error
        planned = limits.memory_mb != self._limits.memory_mb
        if self._child is not None and (not self._child.alive or planned):
            self._drop()
        self._ranks.clear()
        self._limits, self._seed = limits, seed
        # A test may have a low limit of memory to see what the student's code needs; its own code needs no less for that.
        mebibytes = max(limits.memory_mb, MEBIBYTES)
        self._intake = Intake(mebibytes)
        with self.own_memory(2 * mebibytes):
            child = self._current(planned)
            child.take_in(self._intake)
            child.seed(seed)
            child.reset_trace()
            child.callback_error = None
            child.deadline(limits.seconds, patient=self._patient)
            try:
                yield
            finally:
                self._slept += max(used.idle for used in (child, *self._ranks))
                for rank in self._ranks:
                    rank.close()

    def own_memory(self, mebibytes: int) -> AbstractContextManager[None]:
        """Caps what a test's own code may take of this process's memory."""
        return own_memory(mebibytes)

    def made_by_student(self, error: BaseException) -> bool:
        """Never: what the student's code raises arrives as a StudentError."""
        return False

    def trace(self) -> list[Any]:
        """Every operation of the last test with its result, for diagnosis; nothing where they are too large to keep."""
        children = [*([self._child] if self._child is not None else []), *self._ranks]
        self._traced += sum(child.traced for child in children)
        return [call for child in children for call in _with_refusal(child)] if self._traced <= TRACED else []

    @property
    def _patient(self) -> bool:
        """Whether it may still wait longer than it may work: one submission must not hold up a class."""
        return self._slept < PATIENCE

    # ------------------------------------------------------------------------------------------ children

    def _current(self, planned: bool = False) -> RemoteModule:
        if self._child is None:
            killed_before = self._killed
            try:
                self._child = self._open(self._limits, planned)
            except LoadedTooLong:
                raise  # it did load, and what it answered counts
            except (StudentError, Ended) as error:
                if isinstance(error, Killed) and not killed_before:
                    raise  # it may load another time; a second time it is no accident
                self.load_error = self._made_certain(error)
                raise self.load_error from None
        return self._child

    def _made_certain(self, error: Exception) -> Exception:
        """What Python says of a file that it can't compile, in place of what that file's own process claims it says."""
        if not (isinstance(error, StudentError) and isinstance(error, SyntaxError)):
            return error
        claimed = error.frames[-1].filename if error.frames else ""
        file = next((name for name in self._files if filename_of(name) == claimed), self._main)
        try:
            with self._sandbox.open(self._files, self._main, limits=self._limits) as untouched:
                untouched.check_syntax(file)
        except StudentError as found:
            found.certain = True
            return found
        except Ended:
            pass
        return error

    def _open(self, limits: Limits, planned: bool = False) -> RemoteModule:
        """A child with the file loaded. LoadedTooLong where the time for that is spent.

        planned: the test needs a child of its own, whatever the file does: what loading it takes counts only if it fails.
            An honest file that takes long to load has the time in each of its ranks.
        """
        left = 2 * LOAD_SECONDS - self._loading
        if left <= 0:
            raise LoadedTooLong("loading it again took too long")
        child = self._sandbox.open(self._files, self._main, limits=limits, forbidden=self._forbidden)
        try:
            try:
                skipped = child.load(patient=self._patient, seconds=min(LOAD_SECONDS, left))
            except BaseException as error:
                self._killed |= isinstance(error, Killed)
                planned = False
                if isinstance(error, TimedOut) and left < LOAD_SECONDS:
                    raise LoadedTooLong(str(error)) from None
                raise
            finally:
                self._slept += child.idle
                self._loading += 0.0 if planned else child.cpu_seconds
            child.take_in(self._intake)
            child.listener = self.listener
            if not self._loaded:
                self._loaded, self.skipped = True, skipped  # later it could know what tests have asked
            child.seed(self._seed)
            child.deadline(limits.seconds, patient=self._patient)
        except BaseException:
            self._close(child)
            raise
        return child

    def _drop(self) -> None:
        if self._child is not None:
            self._close(self._child)
            self._child = None

    def _close(self, child: RemoteModule) -> None:
        child.close()
        self.output = (self.output + child.output)[-OUTPUT_KEPT:]


def _with_refusal(child: RemoteModule) -> list[Call]:
    """A child's trace. Before an error that a function of the test set off stands what that function said.

    The student's side learns only that there was an exception; its words tell one misuse from another. A collective
    that another rank left, or failed in, says nothing about this one: which of them comes first is chance.
    """
    calls, refusal = list(child.trace), child.callback_error
    if refusal is None or isinstance(refusal, CollectiveError | Aborted) or not calls:
        return calls
    if isinstance(calls[-1].result, StudentError):
        calls.insert(-1, Call("callback", "", f"{type(refusal).__name__}: {refusal}"))
    return calls


PATIENCE = 120.0  # seconds that a submission may sleep in all, each test within its own limit
TRACED = 256 << 20  # bytes of a submission's answers, kept until all its tests have run
OUTPUT_KEPT = 16 << 10  # bytes of what a submission printed, kept for the instructor
