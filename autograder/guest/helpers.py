"""What runs beside the student's objects on behalf of a test: the backward pass, unchanged arguments, torch objects.

Each runs where the objects live; only plain values come back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autograder.guest.cut_graph import CutGraph
from autograder.guest.loading import PART, part_names


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


def gradients(
    target: Callable[..., Any],
    *args: Any,
    upstream: Tensor | None = None,
    output: int | None = None,
    **kwargs: Any,
) -> Gradients:
    """Call `target`, run the backward pass, and collect the gradients of its tensor arguments and parameters.

    Args:
        target: a function, or an nn.Module (whose parameter gradients are then collected, and were cleared before).
        upstream: gradient flowing into the result, the result's shape; ones by default.
        output: which element of a tuple result to differentiate.

    Raises:
        RuntimeError: if the chosen result is not a tensor; CutGraph if it depends on none of the inputs and parameters.
    """
    leaves = [_leaf(arg) for arg in args]
    named = {key: _leaf(value) for key, value in kwargs.items()}
    parameters = dict(target.named_parameters()) if isinstance(target, torch.nn.Module) else {}
    for parameter in parameters.values():
        parameter.grad = None
    result = target(*leaves, **named)
    chosen = result if output is None else result[output]
    if not isinstance(chosen, Tensor):
        raise RuntimeError(f"a gradient needs a tensor result, not {type(chosen).__name__}")
    if not chosen.requires_grad:
        raise CutGraph("the result is cut from the graph: it has no gradient function")
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


def unchanged(target: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    """Call `target`; True if every tensor, array, list, dict and set in the arguments is afterwards what it was.

    Objects of other classes are not looked into.
    """
    given = [list(args), kwargs]
    before = _copy(given)
    target(*args, **kwargs)
    return _same(before, given)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, np.ndarray | set):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return value


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, Tensor):
        return (before.dtype, before.shape, before.requires_grad) == (
            now.dtype,
            now.shape,
            now.requires_grad,
        ) and _same_elements(before.detach(), now.detach())
    if isinstance(before, np.ndarray):
        return (before.dtype, before.shape) == (now.dtype, now.shape) and _same_elements(before, now)
    if isinstance(before, dict):
        # The order, too: some exercises give it a meaning.
        return list(before) == list(now) and all(_same(item, now[key]) for key, item in before.items())
    if isinstance(before, list):
        return len(before) == len(now) and all(map(_same, before, now))
    return before is now or bool(before == now)


def _same_elements(before: Any, now: Any) -> bool:
    """NaN is NaN here: it was before, it is now."""
    return bool(((before == now) | ((before != before) & (now != now))).all())


def build(name: str, *args: Any, **kwargs: Any) -> Any:
    """`build("torch.nn.Linear", 4, 3)` -> a Linear. ValueError for a name outside torch or unknown."""
    module, _, attribute = name.rpartition(".")
    if module.split(".")[0] != "torch":
        raise ValueError(
            f"build() makes torch classes only, not {name!r}; write the full name, as torch.nn.Linear"
        )
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise ValueError(f"build(): there is no {name!r} in this torch") from None
    return factory(*args, **kwargs)


def parts() -> SimpleNamespace:
    """The parts that a capstone's functions take as an argument: topic -> the module that answers that exercise."""
    return SimpleNamespace(
        **{name.removeprefix(PART): importlib.import_module(name) for name in part_names()}
    )


# The fixtures of these names, for every backend.
HELPERS: dict[str, Callable[..., Any]] = {
    "gradients": gradients,
    "unchanged": unchanged,
    "build": build,
    "parts": parts,
}
# Whose answers stay where they are made, whatever they are.
KEPT = ("build", "parts")
