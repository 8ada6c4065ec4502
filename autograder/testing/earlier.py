"""A later question's test that an earlier question's mistake does not fail.

Where a test fails with the student's own earlier functions, it runs once more with right ones in their place:

    @own_or_reference("softmax")
    def test_masked_rows(student, reference): ...
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec

import torch
from torch import Tensor

from autograder.guest.seed import seed_everything
from autograder.remote.differentiable import METHODS
from autograder.sandbox.errors import SandboxFault

P = ParamSpec("P")


class StandIn:
    """A function of the test's that the student's code calls in place of its own; gradients pass through it, if it returns one tensor.

    It works until `close` is called: what a test lends may not answer the next one.
    """

    __remote__ = METHODS

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function: Callable[..., Any] | None = function

    def close(self) -> None:
        self._function = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In process it is the function itself."""
        if self._function is None:
            raise RuntimeError("this function was lent for one test, which is over")
        return self._function(*args, **kwargs)

    def forward(self, names: list[str], *values: Any) -> Any:
        """The result, without a graph. `names`: of the last values, which were given by keyword."""
        return _without_graph(self._answer(names, [_without_graph(value) for value in values]))

    def backward(self, upstream: Tensor, names: list[str], *values: Any) -> list[Tensor | None]:
        """A gradient, or None, for each value."""
        leaves = [
            value.detach().requires_grad_()
            if isinstance(value, Tensor) and value.is_floating_point()
            else value
            for value in values
        ]
        with torch.enable_grad():
            result = self._answer(names, leaves)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.requires_grad]
        found = iter(torch.autograd.grad(result, tensors, upstream, allow_unused=True))
        return [next(found) if isinstance(leaf, Tensor) and leaf.requires_grad else None for leaf in leaves]

    def _answer(self, names: list[str], values: list[Any]) -> Any:
        split = len(values) - len(names)
        return self(*values[:split], **dict(zip(names, values[split:], strict=True)))


def _without_graph(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


@contextmanager
def _lent(student: Any, functions: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """In the block, these functions stand in the student's module."""
    own = {name: getattr(student, name) for name in functions}
    stand_ins = {name: StandIn(function) for name, function in functions.items()}
    try:
        for name, stand_in in stand_ins.items():
            setattr(student, name, stand_in)
        yield
    finally:
        for name, stand_in in stand_ins.items():
            stand_in.close()
            setattr(student, name, own[name])


def own_or_given(check: Callable[[], None], student: Any, **functions: Callable[..., Any]) -> None:
    """Run `check`; where it fails, run it once more with `functions` in place of the student's own of these names.

    Args:
        check: the test's calls and assertions.
        student: the fixture.
        functions: right answers to earlier questions. They may know the calls of this test alone, and raise at others.

    Raises what the check raised with the student's own functions, if it fails both times.
    """
    __tracebackhide__ = True
    try:
        return check()
    except (KeyboardInterrupt, SystemExit, SandboxFault):
        raise
    except BaseException as error:  # a failed `pytest.raises` is no Exception
        own = error
    try:
        with _lent(student, functions):
            check()
    except (KeyboardInterrupt, SystemExit, SandboxFault):
        raise
    except BaseException:
        raise own from None


def own_or_reference(*names: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """A hidden test that runs, where it fails, once more with the reference's functions of these names.

    The names are those of earlier questions. The test uses them through the student's code alone, and has both fixtures,
    `student` and `reference`. It comes after all tests that call these functions: what a submission has seen of what is lent
    could answer them (the audit looks).
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(test)
        def either(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True

            seed = int(torch.randint(1 << 31, ()))

            def check() -> None:
                seed_everything(seed)  # both runs draw the same
                test(*args, **kwargs)

            functions = {name: getattr(kwargs["reference"], name) for name in names}
            own_or_given(check, kwargs["student"], **functions)

        vars(either)["lends"] = frozenset(names)
        return either

    return decorate
