"""Gradients are compared by their values: of arguments, of parameters, in every form that autograd gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.guest.helpers import gradients
from autograder.testing import compare_gradients


def pair() -> tuple[nn.Linear, nn.Linear]:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    second.load_state_dict(first.state_dict())
    return first, second


def test_the_same_gradients() -> None:
    compare_gradients(gradients, *pair(), torch.randn(4, 3), upstream=torch.randn(4, 2))
    compare_gradients(gradients, torch.sin, torch.sin, torch.randn(3))


def test_no_gradient_is_a_gradient_of_zeros() -> None:
    def one(x: Tensor, y: Tensor) -> Tensor:
        return 2 * x

    def other(x: Tensor, y: Tensor) -> Tensor:
        return 2 * x + 0 * y

    compare_gradients(gradients, one, other, torch.randn(3), torch.randn(3))
    compare_gradients(gradients, other, one, torch.randn(3), torch.randn(3))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x.detach() * x,  # half of the gradient, the same value
        lambda x: x * x + 1,  # another value, the same gradient
    ],
)
def test_another_value_or_gradient(wrong: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(AssertionError):
        compare_gradients(gradients, wrong, lambda x: x * x, torch.randn(3))


def test_a_parameter_that_gets_no_gradient() -> None:
    target, expected = pair()

    class Detached(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight, self.bias.detach())

    detached = Detached(3, 2)
    detached.load_state_dict(target.state_dict())
    x: Any = torch.randn(4, 3)
    with pytest.raises(AssertionError):
        compare_gradients(gradients, detached, expected, x)
    compare_gradients(gradients, detached, expected, x, parameters=["weight"])
    with pytest.raises(AssertionError, match="no parameter 'bias'"):
        compare_gradients(gradients, nn.Linear(3, 2, bias=False), nn.Linear(3, 2), x, atol=100.0)


def test_gradients_that_show_nothing() -> None:
    with pytest.raises(ValueError, match="every gradient of the reference is zero"):
        compare_gradients(gradients, torch.relu, torch.relu, -torch.ones(3))
