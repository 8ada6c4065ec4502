"""`compare_gradients`: are the student's gradients those of the reference?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from autograder.testing.compare import assert_close


def compare_gradients(
    gradients: Callable[..., Any],
    target: Any,
    expected: Any,
    *args: Any,
    upstream: Tensor | None = None,
    output: int | None = None,
    parameters: Sequence[str] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Raise AssertionError unless the result and the gradients of two functions, or modules, agree.

    A gradient of None and one of zeros are the same. The reference's may not all be zero: that would show nothing.

    Args:
        gradients: the fixture of that name.
        target: of the student's.
        expected: of the reference, with the same weights.
        args: what both are called with; the gradient of each floating-point tensor is compared.
        upstream: the gradient of the result, of its shape; ones where there is none.
        output: which element of a tuple result is differentiated.
        parameters: names of those parameters of modules that are compared; None compares all of the reference's.
    """
    __tracebackhide__ = True
    actual = gradients(target, *args, upstream=upstream, output=output)
    wanted = gradients(expected, *args, upstream=upstream, output=output)
    names = wanted.parameters if parameters is None else parameters
    compared = [gradient for gradient in wanted.arguments if gradient is not None]
    compared += [wanted.parameters[name] for name in names if wanted.parameters[name] is not None]
    if not any(bool(gradient.any()) for gradient in compared):
        raise ValueError(
            "every gradient of the reference is zero; choose inputs and an upstream that show something"
        )
    close = partial(assert_close, rtol=rtol, atol=atol)
    close(actual.output, wanted.output)
    for found, right in zip(actual.arguments, wanted.arguments, strict=True):
        _assert_same(found, right, close)
    for name in names:
        if name not in actual.parameters:
            raise AssertionError(f"the module has no parameter {name!r}")
        _assert_same(actual.parameters[name], wanted.parameters[name], close)


def _assert_same(actual: Tensor | None, expected: Tensor | None, close: Callable[..., None]) -> None:
    __tracebackhide__ = True
    if expected is None:
        if actual is not None and bool(actual.any()):
            close(actual, actual.new_zeros(actual.shape))
    else:
        close(expected.new_zeros(expected.shape) if actual is None else actual, expected)
