"""A later question's test does not fail for an earlier question's mistake, and what is lent for it does not last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.guest.loading import load_module
from autograder.remote.errors import StudentError
from autograder.results import Limits
from autograder.runner.confined import ConfinedBackend
from autograder.runner.in_process import InProcessBackend
from autograder.sandbox.errors import SandboxFault
from autograder.testing import assert_close, own_or_given, own_or_reference

SOURCE = """
import torch
kept = []
def square(x, times=1): raise NotImplementedError("square")
def twice(x): return 2 * square(x, times=3)
def scaled(x, y): return square(x) * y
def hoard(x):
    kept.append(square)
    return 0.0
def ask(x): return kept[0](x)
"""


def square(x: Any, times: int = 1) -> Any:
    return times * x**2


Open = Callable[[str], Any]


@pytest.fixture(params=["confined", "in process"])
def backend(request: pytest.FixtureRequest, sandbox: Any) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(source: str = SOURCE) -> Any:
            files = {"a.py": source.encode()}
            opened: Any
            if request.param == "confined":
                opened = ConfinedBackend(sandbox, files, "a.py", Limits(5.0, 512), ())
            else:
                opened = InProcessBackend(lambda skipped: load_module(files, "a.py"), (), "<a.py>".__eq__)
            stack.enter_context(opened)
            stack.enter_context(opened.begin(0, Limits(5.0, 512)))
            return opened

        yield make


def test_a_missing_earlier_answer_costs_nothing(backend: Open) -> None:
    student = backend(SOURCE).student

    def check() -> None:
        assert student.twice(3) == 54
        assert_close(student.twice(torch.ones(2)), torch.full((2,), 6.0))

    with pytest.raises((NotImplementedError, StudentError)):
        check()
    own_or_given(check, student, square=square)
    with pytest.raises((NotImplementedError, StudentError)):
        student.twice(3)  # the student's own is back


def test_gradients_pass_through_what_is_lent(backend: Open) -> None:
    opened = backend(SOURCE)
    x, y = torch.randn(3), torch.randn(3)

    def check() -> None:
        found = opened.helpers["gradients"](opened.student.scaled, x, y)
        assert_close(found.arguments, [2 * x * y, x**2])
        found = opened.helpers["gradients"](opened.student.twice, x)
        assert_close(found.arguments, [12 * x])

    own_or_given(check, opened.student, square=square)


def test_a_right_answer_needs_nothing_lent(backend: Open) -> None:
    student = backend(SOURCE.replace('raise NotImplementedError("square")', "return times * x * x")).student
    calls = []

    def check() -> None:
        calls.append(1)
        assert student.twice(3) == 54

    own_or_given(check, student, square=square)
    assert len(calls) == 1


def test_what_fails_both_times_fails_as_it_did_with_the_students_own(backend: Open) -> None:
    student = backend(SOURCE.replace('raise NotImplementedError("square")', "return times * x")).student

    def check() -> None:
        got = student.twice(3)
        raise AssertionError(f"got {got}")

    with pytest.raises(AssertionError, match="got 18"):
        own_or_given(check, student, square=square)


def test_what_was_lent_answers_no_later_test(backend: Open) -> None:
    student = backend(SOURCE).student

    def check() -> None:
        assert student.hoard(2.0) == 4.0

    with pytest.raises(AssertionError):
        own_or_given(check, student, square=square)
    own_or_given(lambda: student.hoard(2.0), student, square=square)
    with pytest.raises((RuntimeError, NotImplementedError, StudentError)):
        student.ask(3.0)
    hoarder = backend(SOURCE.replace("    return 0.0", "    return kept[-1](x)")).student
    own_or_given(lambda: assert_close(hoarder.hoard(2.0), 4.0), hoarder, square=square)
    for number in range(2):
        with pytest.raises((RuntimeError, NotImplementedError, StudentError)):
            hoarder.kept[number](3.0)


def test_both_runs_draw_the_same(backend: Open) -> None:
    student = backend(SOURCE).student
    drawn = []

    @own_or_reference("square")
    def test(student: Any, reference: Any) -> None:
        drawn.append(float(torch.rand(())))
        assert student.twice(drawn[0]) == 6 * drawn[0] ** 2

    class Reference:
        square = staticmethod(square)

    test(student=student, reference=Reference())
    assert len(drawn) == 2 and drawn[0] == drawn[1]
    assert test.__name__ == "test"


def test_graders_and_learners_collect_such_a_test(tmp_path: Path) -> None:
    from autograder.results import Visibility
    from autograder.runner.collect import collect

    path = tmp_path / "solutions" / "u" / "test_t.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import pytest\nfrom autograder.testing import own_or_reference\n\n"
        '@pytest.mark.points(3)\n@pytest.mark.parametrize("n", [1, 2])\n@own_or_reference("first")\n'
        'def test_second(student, reference, n):\n    """One sentence.\n\n    zh: 一句话。\n    """\n'
        "    assert student.second(n)\n"
    )
    (one, two) = collect(path, Visibility.HIDDEN)
    assert (one.fixtures, one.points, one.sentence.en) == (("student", "reference"), 1.5, "One sentence.")
    assert two.question(["first", "second"]) == "second"


def test_a_fault_of_the_sandbox_is_no_failure_of_the_students(backend: Open) -> None:
    student, runs = backend(SOURCE).student, []

    def check() -> None:
        runs.append(1)
        if len(runs) == faulty:
            raise SandboxFault("the zygote is gone")
        student.twice(3)

    for faulty in (1, 2):
        runs.clear()
        with pytest.raises(SandboxFault):
            own_or_given(check, student, square=square)
        assert len(runs) == faulty


def test_what_is_lent_keeps_no_argument_longer_than_autograd_does(backend: Open) -> None:
    source = """
import gc, weakref
from torch.utils.checkpoint import checkpoint
def square(x): raise NotImplementedError("square")
def kept(x):
    seen = []
    def inner(x):
        y = 2 * x
        seen.append(weakref.ref(y))
        return square(y)
    z = checkpoint(inner, x, use_reentrant=False)
    gc.collect()
    return sum(ref() is not None for ref in seen)
"""
    student = backend(source).student
    own_or_given(
        lambda: assert_close(student.kept(torch.ones(3, requires_grad=True)), 0), student, square=square
    )
