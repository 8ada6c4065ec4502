"""Forward and backward of one call, run where the student's graph lives; only values come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Gradients(NamedTuple):
    """What `gradients(...)` gives a test.

    output: the call's result, without a graph.
    arguments: one gradient (the argument's shape) or None for each positional argument.
    keywords: the same by name, for keyword arguments.
    parameters: parameter name -> gradient or None, when the target is a module.
    """

    output: Any
    arguments: list[Tensor | None]
    keywords: dict[str, Tensor | None]
    parameters: dict[str, Tensor | None]


def _leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex()):
        return value.detach().clone().requires_grad_()
    return value


def _gradient(value: Any) -> Tensor | None:
    if not (isinstance(value, Tensor) and value.requires_grad):
        return None
    # A leaf the result doesn't depend on has a zero gradient: whether autograd reports None or zeros for it
    # depends on how the formula was written (x * 0 against x.detach()), not on what it computes.
    return torch.zeros_like(value) if value.grad is None else value.grad


def run_backward(
    target: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    upstream: Tensor | None = None,
    output: int | None = None,
) -> Gradients:
    """Call `target`, run the backward pass, and collect the gradients of its tensor arguments and parameters.

    Args:
        target: a function, or an nn.Module (whose parameter gradients are then collected, and were cleared before).
        upstream: gradient flowing into the result, the result's shape; ones by default.
        output: which element of a tuple result to differentiate.

    Raises:
        RuntimeError: if the chosen result is not a tensor, or depends on none of the inputs and parameters.
    """
    leaves = [_leaf(arg) for arg in args]
    named = {key: _leaf(value) for key, value in (kwargs or {}).items()}
    parameters = dict(target.named_parameters()) if isinstance(target, torch.nn.Module) else {}
    for parameter in parameters.values():
        parameter.grad = None
    result = target(*leaves, **named)
    chosen = result if output is None else result[output]
    if not isinstance(chosen, Tensor):
        raise RuntimeError(f"a gradient needs a tensor result, not {type(chosen).__name__}")
    chosen.backward(torch.ones_like(chosen) if upstream is None else upstream.to(chosen.dtype))
    return Gradients(
        output=_detach(result),
        arguments=[_gradient(leaf) for leaf in leaves],
        keywords={key: _gradient(value) for key, value in named.items()},
        parameters={name: p.grad for name, p in parameters.items()},
    )


def _detach(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if type(value) in (tuple, list):
        return type(value)(_detach(item) for item in value)
    return value
