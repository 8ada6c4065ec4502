"""A function of a test's in the student's process that autograd can go through: the test computes both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# What an object of the test's lists in `__remote__` to arrive as such a function.
METHODS = ["forward", "backward"]


class _Asked(torch.autograd.Function):
    """One call. `names` are those of the last values, which were given by keyword."""

    @staticmethod
    def forward(ctx: Any, forward: Any, backward: Any, names: list[str], *values: Any) -> Any:
        ctx.backward_of, ctx.names = backward, names
        # Tensors as autograd keeps them: it lets go of them after the backward pass, and checkpoints do before.
        ctx.others = [None if isinstance(value, Tensor) else value for value in values]
        ctx.places = [place for place, value in enumerate(values) if isinstance(value, Tensor)]
        ctx.save_for_backward(*(values[place] for place in ctx.places))
        return forward(names, *values)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        values = list(ctx.others)
        for place, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            values[place] = tensor
        return None, None, None, *ctx.backward_of(upstream, ctx.names, *values)


def differentiable(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose result `forward(names, *values)` gives, and whose gradients `backward(upstream, names, *values)`.

    `names` are those of the last values, which were given by keyword; there is a gradient, or None, for each value.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        values = (*args, *kwargs.values())
        if any(isinstance(value, Tensor) and value.requires_grad for value in values):
            return _Asked.apply(forward, backward, list(kwargs), *values)
        return forward(list(kwargs), *values)

    return function
