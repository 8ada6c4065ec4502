"""What runs beside the student's objects on behalf of a test: the backward pass, unchanged arguments, torch objects.

Each runs where the objects live; only plain values come back. In a confined child they share the process with the student's
code, which may have replaced them: what they say is the child's word, as a function's result is. That wins nothing where a
test compares values with right ones (`gradients`), or goes on to use the object (`build`). `unchanged` is the one that answers
yes or no: see there.
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

PLAIN = (
    type(None), bool, int, float, complex, str, bytes, bytearray, set, frozenset, range, slice, type(...),
    np.generic, torch.dtype, torch.device,
)  # fmt: skip


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

    Of a confined child the arguments are sent back, and the trusted side compares them with its own. It takes the child's word
    for what can't be compared there: objects that live in the child and functions of the test's, whether a view or another
    reference to an argument was kept and changed later, and that what comes back is what the call was given. Code that makes
    copies beforehand, changes the arguments and has the helper send the copies is not found out.
    """
    return call_and_look(target, *args, **kwargs)[0]


def call_and_look(
    target: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[bool, list[Any], dict[str, Any]]:
    """What `unchanged` finds, and the arguments as they are after the call: what a child answers."""
    given = [list(args), kwargs]
    before = _copy(given)
    target(*args, **kwargs)
    return same(before, given), list(args), kwargs


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


def same(before: Any, now: Any, other: Callable[[Any, Any], bool] | None = None) -> bool:
    """Whether values are what they were. `other` decides on objects of other classes; without it they must be equal."""
    if isinstance(before, Tensor):
        return (
            isinstance(now, Tensor)
            and (before.dtype, before.shape, before.requires_grad)
            == (now.dtype, now.shape, now.requires_grad)
            and _same_elements(before.detach(), now.detach())
        )
    if isinstance(before, np.ndarray):
        return (
            isinstance(now, np.ndarray)
            and (before.dtype, before.shape) == (now.dtype, now.shape)
            and _same_elements(before, now)
        )
    if isinstance(before, dict):
        # The order, too: some exercises give it a meaning.
        return (
            isinstance(now, dict)
            and same(list(before), list(now), other)
            and same(list(before.values()), list(now.values()), other)
        )
    if isinstance(before, list | tuple):
        return (
            isinstance(now, list | tuple)
            and len(before) == len(now)
            and all(same(*pair, other) for pair in zip(before, now, strict=True))
        )
    if isinstance(before, PLAIN):
        # A NaN is a NaN here, even if it is another object.
        return isinstance(now, PLAIN) and bool(before == now or (before != before and now != now))
    return other(before, now) if other else before is now or bool(before == now)


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
# Those of a confined child: what comes back is looked at on the other side.
REMOTE_HELPERS = HELPERS | {"unchanged": call_and_look}
# Whose answers stay where they are made, whatever they are.
KEPT = ("build", "parts")
