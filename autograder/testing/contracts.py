"""The promises of the course's conventions, checked for any function: arguments unchanged, dtypes, memory layouts.

A hidden test runs them one by one, so that each costs its own share:

    @pytest.mark.parametrize("promise", PROMISES)
    def test_promises(student, unchanged, promise):
        check_promise(promise, student.softmax, lambda dtype: (torch.randn(3, 5, dtype=dtype), -1), unchanged)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.testing.compare import assert_close

PROMISES = ("arguments_unchanged", "dtype_kept", "not_contiguous", "called_twice")
BROADCAST = "broadcast"  # a promise of functions whose first tensor may have size 1 along its first axis
DTYPES = (torch.float64, torch.float32)

Arguments = Sequence[Any]


def check_promise(
    promise: str,
    target: Callable[..., Any],
    make: Callable[[torch.dtype], Arguments],
    unchanged: Callable[..., bool],
    *,
    dtypes: Sequence[torch.dtype] = DTYPES,
) -> None:
    """Raise AssertionError, in a sentence, unless the target keeps this promise.

    Results are compared with the target's own, so that a wrong formula fails no promise.

    Args:
        promise: one of PROMISES, or BROADCAST.
        target: a function of the student's module. Its result holds at least one floating-point tensor.
        make: gives fresh positional arguments; floating-point tensors of the given dtype. The same values at every call.
        unchanged: the fixture of that name.
        dtypes: what the statement promises to keep; the first is used for all other promises.
    """
    __tracebackhide__ = True
    arguments = make(dtypes[0])
    match promise:
        case "arguments_unchanged":
            assert unchanged(target, *arguments), "the call changed an argument in place; work on a copy"
        case "dtype_kept":
            for dtype in dtypes:
                _check_dtype(target(*make(dtype)), dtype)
        case "not_contiguous":
            message = (
                "inputs that are not contiguous in memory give another result; use reshape in place of view"
            )
            assert_close(target(*map(_transposed, arguments)), target(*arguments), message=message)
        case "broadcast":
            message = "a first input of size 1 along its first axis gives another result than the same input repeated"
            one, repeated = _broadcast(arguments)
            assert_close(target(*one), target(*repeated), message=message)
        case "called_twice":
            message = (
                "the second call with the same arguments gives another result; keep nothing between calls"
            )
            first = target(*arguments)
            assert_close(target(*make(dtypes[0])), first, message=message)
        case _:
            raise ValueError(
                f"there is no promise {promise!r}; it is one of {', '.join((*PROMISES, BROADCAST))}"
            )


def check_refusal(
    target: Callable[..., Any], valid: Arguments, bad: Arguments, error: type[Exception]
) -> None:
    """Raise AssertionError unless `target(*bad)` raises `error` and `target(*valid)` raises nothing.

    The valid call comes first, so that a target which always raises earns nothing.
    """
    __tracebackhide__ = True
    target(*valid)
    try:
        target(*bad)
    except error:
        return
    raise AssertionError(f"a call with bad arguments was accepted; it should raise {error.__name__}")


def first_seed(
    make: Callable[[torch.Generator], Any], holds: Callable[[Any], bool], tries: int = 1000
) -> Any:
    """What `make` draws under the first seed for which `holds` is true: a fixture that must not be degenerate.

    Raises ValueError where none of the first `tries` seeds gives one.
    """
    for seed in range(tries):
        made = make(torch.Generator().manual_seed(seed))
        if holds(made):
            return made
    raise ValueError(f"none of the seeds below {tries} gives what is asked for; relax the condition")


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in items for tensor in _tensors(item)]


def _check_dtype(result: Any, dtype: torch.dtype) -> None:
    found = _tensors(result)
    assert found, "the result holds no floating-point tensor"
    for tensor in found:
        assert tensor.dtype == dtype, f"inputs of {dtype} give a result of {tensor.dtype}"


def _transposed(value: Any) -> Any:
    """The same values, the last two axes in the other order in memory: the one layout that survives every carrier."""
    if not isinstance(value, Tensor) or value.dim() < 2:
        return value
    return value.transpose(-1, -2).contiguous().transpose(-1, -2)


def _broadcast(arguments: Arguments) -> tuple[list[Any], list[Any]]:
    """The arguments with the first tensor cut to size 1 along its first axis, and with that one repeated."""
    place = next(i for i, value in enumerate(arguments) if isinstance(value, Tensor) and value.dim())
    size, one = arguments[place].shape[0], arguments[place][:1]
    repeated = torch.cat([one] * size)
    before, after = arguments[:place], arguments[place + 1 :]
    return [*before, one, *after], [*before, repeated, *after]
