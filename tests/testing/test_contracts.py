"""Each promise is kept by an honest function, and fails one that breaks it and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.guest.helpers import unchanged
from autograder.testing import PROMISES, check_promise, check_refusal, first_seed


def make(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return tuple(torch.randn(4, 3, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))  # type: ignore[return-value]


def honest(x: Tensor, y: Tensor) -> dict[str, Any]:
    return {"sum": x + 2 * y, "pair": (x * y, 1)}


calls: list[int] = []


def changes_an_argument(x: Tensor, y: Tensor) -> Tensor:
    x.data[0, 0] += 1  # in place, also where autograd or an expanded tensor would refuse
    return y * 1


def loses_the_dtype(x: Tensor, y: Tensor) -> Tensor:
    return (x + y).float()


def needs_contiguous(x: Tensor, y: Tensor) -> Tensor:
    flat = torch.as_strided(x, (x.numel(),), (1,))  # reads memory as it lies, as a hand-made view does
    return flat.view(x.shape) + y if x.stride() != (0, 1) else x + y


def takes_no_single_row(x: Tensor, y: Tensor) -> Tensor:
    return (x.sum(0) if x.shape[0] == 1 else x) * len(x) + y


def remembers(x: Tensor, y: Tensor) -> Tensor:
    calls.append(1)
    return x + y * len(calls)


@pytest.mark.parametrize("promise", [*PROMISES, "broadcast"])
def test_an_honest_function_keeps_all(promise: str) -> None:
    check_promise(promise, honest, make, unchanged)


@pytest.mark.parametrize(
    ("promise", "target", "said"),
    [
        ("arguments_unchanged", changes_an_argument, "changed an argument"),
        ("dtype_kept", loses_the_dtype, r"float64 give a result of torch\.float32"),
        ("not_contiguous", needs_contiguous, "not contiguous"),
        ("broadcast", takes_no_single_row, "size 1 along"),
        ("called_twice", remembers, "second call"),
    ],
)
def test_a_broken_promise_is_told(promise: str, target: Callable[..., Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_promise(promise, target, make, unchanged)


def test_a_result_without_tensors_keeps_no_dtype() -> None:
    with pytest.raises(AssertionError, match="no floating-point tensor"):
        check_promise("dtype_kept", lambda x, y: 3, make, unchanged)


def test_an_unknown_promise_is_the_author_s_mistake() -> None:
    with pytest.raises(ValueError, match="there is no promise 'dtypes'"):
        check_promise("dtypes", honest, make, unchanged)


def test_refusals_come_beside_a_valid_call() -> None:
    def root(x: float) -> float:
        if x < 0:
            raise ValueError
        return x**0.5

    def always(x: float) -> float:
        raise ValueError

    check_refusal(root, (4.0,), (-1.0,), ValueError)
    with pytest.raises(AssertionError, match="should raise ValueError"):
        check_refusal(abs, (4.0,), (-1.0,), ValueError)
    with pytest.raises(ValueError):
        check_refusal(always, (4.0,), (-1.0,), ValueError)
    with pytest.raises(ValueError):  # of another kind than promised
        check_refusal(root, (4.0,), (-1.0,), TypeError)


def test_first_seed() -> None:
    drawn = first_seed(lambda g: torch.randint(0, 10, (3,), generator=g), lambda x: len(set(x.tolist())) == 3)
    assert len(set(drawn.tolist())) == 3
    assert torch.equal(
        drawn,
        first_seed(lambda g: torch.randint(0, 10, (3,), generator=g), lambda x: len(set(x.tolist())) == 3),
    )
    with pytest.raises(ValueError, match="none of the seeds below 5"):
        first_seed(lambda g: 0, bool, tries=5)
