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

from autograder.errors import failure
from autograder.testing.compare import assert_close
from autograder.text import Text

PROMISES = ("arguments_unchanged", "dtype_kept", "not_contiguous", "called_twice")
BROADCAST = "broadcast"  # a promise of functions whose first tensor may have size 1 along its first axis
DTYPES = (torch.float64, torch.float32)

CHANGED = Text(
    "the call changed an argument in place; work on a copy", "调用就地修改了传入的参数；请在副本上计算"
)
NOT_CONTIGUOUS = Text(
    "inputs that are not contiguous in memory give another result; use reshape in place of view",
    "输入在内存中不连续时结果不同；请用 reshape 代替 view",
)
NOT_BROADCAST = Text(
    "a first input of size 1 along its first axis gives another result than the same input repeated",
    "第一个输入的第一个轴大小为 1 时，结果与把它重复之后不同",
)
NOT_TWICE = Text(
    "the second call with the same arguments gives another result; keep nothing between calls",
    "用同样的参数再调用一次，结果不同；两次调用之间不要记下任何东西",
)
ACCEPTED = Text(
    "a call with bad arguments was accepted; it should raise {error}",
    "错误的参数没有被拒绝；应当引发 {error}",
)
NO_FLOAT = Text("the result holds no floating-point tensor", "结果里没有浮点张量")
OTHER_DTYPE = Text(
    "inputs of {expected} give a result of {actual}", "输入的 dtype 是 {expected}，结果却是 {actual}"
)

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
            _require(unchanged(target, *arguments), CHANGED)
        case "dtype_kept":
            for dtype in dtypes:
                _check_dtype(target(*make(dtype)), dtype)
        case "not_contiguous":
            assert_close(target(*map(_transposed, arguments)), target(*arguments), message=NOT_CONTIGUOUS)
        case "broadcast":
            one, repeated = _broadcast(arguments)
            assert_close(target(*one), target(*repeated), message=NOT_BROADCAST)
        case "called_twice":
            first = target(*arguments)
            assert_close(target(*make(dtypes[0])), first, message=NOT_TWICE)
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
    _require(False, ACCEPTED.format(error=error.__name__))


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


def _require(holds: bool, otherwise: Text) -> None:
    __tracebackhide__ = True
    if not holds:
        raise failure(otherwise)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in items for tensor in _tensors(item)]


def _check_dtype(result: Any, dtype: torch.dtype) -> None:
    found = _tensors(result)
    _require(bool(found), NO_FLOAT)
    for tensor in found:
        _require(tensor.dtype == dtype, OTHER_DTYPE.format(expected=dtype, actual=tensor.dtype))


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
