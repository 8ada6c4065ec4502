"""The side of a test whose student is a confined process: the same names as `LocalSide`, other carriers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from autograder.guest.cell_runner import Note
from autograder.guest.helpers import Gradients, leaves_unchanged, run_backward
from autograder.remote.client import Child
from autograder.remote.errors import StudentError
from autograder.remote.proxy import Call, Handle
from autograder.results import Limits
from autograder.sandbox.errors import Ended, Killed
from autograder.sandbox.sandbox import Sandbox
from autograder.testing.ranks import Aborted, CollectiveError, RankRun, arguments_of, run_ranks


class ConfinedSide:
    """One submission behind the sandbox. A context manager: leaving it ends every process it started.

    One child serves all tests of the submission; a test that ended it, or that has a memory limit of its own, gets a
    new one. A file that can't be loaded is loaded once, and every test meets the same error.
    """

    def __init__(
        self,
        sandbox: Sandbox,
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
        self._child: Child | None = None
        self._ranks: list[Child] = []
        self._limits = limits
        self._seed = 0
        self._loaded = False
        self._traced = 0
        self._slept = 0.0
        self.load_error: BaseException | None = None
        self.notes: list[Note] = []
        self.output = b""

    def __enter__(self) -> ConfinedSide:
        self._turns.enter_context(self._sandbox.taking_turns())
        return self

    def __exit__(self, *exception: object) -> None:
        self._drop()
        self._turns.close()

    # ------------------------------------------------------------------------------------------ what tests use

    @property
    def student(self) -> Handle:
        return self._current().student

    def gradients(
        self, target: Any, *args: Any, upstream: Any = None, output: int | None = None, **kwargs: Any
    ) -> Gradients:
        """See `autograder.guest.helpers.run_backward`; it runs where the target lives."""
        if isinstance(target, Handle):
            return self._current().gradients(target, *args, upstream=upstream, output=output, **kwargs)
        return run_backward(target, args, kwargs, upstream, output)

    def unchanged(self, target: Any, *args: Any, **kwargs: Any) -> bool:
        """See `autograder.guest.helpers.leaves_unchanged`; it looks where the target lives."""
        if isinstance(target, Handle):
            return self._current().unchanged(target, *args, **kwargs)
        return leaves_unchanged(target, args, kwargs)

    def build(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """See `autograder.guest.helpers.build_torch`."""
        return self._current().build(name, *args, **kwargs)

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        """One confined process for each rank. Their results stay alive until the test ends."""
        if callable(run):
            return run_ranks(world_size, lambda rank, comm: run(comm, *arguments_of(rank, world_size, args)))
        children = [self._open(self._limits) for _ in range(world_size)]
        self._ranks += children

        def call(rank: int, comm: Any) -> Any:
            target: Any = children[rank].student
            for part in run.split("."):
                target = getattr(target, part)
            return target(comm, *arguments_of(rank, world_size, args))

        return run_ranks(world_size, call)

    # ------------------------------------------------------------------------------------------ around each test

    @contextmanager
    def begin(self, seed: int, limits: Limits) -> Iterator[None]:
        """A child with these limits, seeded, with a fresh budget and an empty trace."""
        if self.load_error is not None:
            raise self.load_error
        if self._child is not None and (not self._child.alive or limits.memory_mb != self._limits.memory_mb):
            self._drop()
        self._ranks.clear()
        self._limits, self._seed = limits, seed
        child = self._current()
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

    def _current(self) -> Child:
        if self._child is None:
            try:
                self._child = self._open(self._limits)
            except Killed:
                raise  # it may load another time
            except (StudentError, Ended) as error:
                self.load_error = error
                raise
        return self._child

    def _open(self, limits: Limits) -> Child:
        child = self._sandbox.open(self._files, self._main, limits=limits, forbidden=self._forbidden)
        try:
            try:
                notes = child.load(patient=self._patient)
            finally:
                self._slept += child.idle
            if not self._loaded:
                self._loaded, self.notes = True, notes  # later it could know what tests have asked
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

    def _close(self, child: Child) -> None:
        child.close()
        self.output = (self.output + child.output)[-OUTPUT_KEPT:]


def _with_refusal(child: Child) -> list[Call]:
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
