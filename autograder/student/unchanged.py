"""Whether a call leaves its arguments as they were, seen where the arguments are: to the other side go copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor


def leaves_unchanged(
    target: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> bool:
    """Call `target`; True if every tensor, array, list, dict and set in the arguments is afterwards what it was.

    Objects of other classes are not looked into.
    """
    given = [list(args), dict(kwargs or {})]
    before = _copy(given)
    target(*args, **(kwargs or {}))
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
