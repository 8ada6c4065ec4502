"""Values of a trace as JSON, with as many digits as diagnosis compares, and back again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.grading.diagnosis import SCALE
from autograder.remote.errors import StudentError, student_error
from autograder.remote.proxy import Handle

DIGITS = round(-math.log10(SCALE)) + 1  # of the largest number of a tensor


def plain(value: Any) -> Any:
    """A value as JSON. ValueError for a kind that traces hardly ever hold."""
    match value:
        case int() if abs(value) >= 1 << 63:
            raise ValueError("an integer of more than 64 bits has no place in this file")
        case None | bool() | int() | str():
            return value
        case float():
            return _rounded([value])[0] if math.isfinite(value) else {"float": str(value)}
        case Tensor() | np.ndarray():
            return _plain_tensor(value)
        case list():
            return [plain(item) for item in value]
        case tuple():
            return {"tuple": [plain(item) for item in value]}
        case set() | frozenset():
            return {type(value).__name__: sorted((plain(item) for item in value), key=repr)}
        case dict():
            return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
        case bytes():
            return {"bytes": value.hex()}
        case StudentError():
            return {"raises": list(value.mro)}
        case Handle():
            return {"object": None}
    raise ValueError(f"a {type(value).__name__} has no place in this file")


def _plain_tensor(value: Tensor | np.ndarray[Any, Any]) -> dict[str, Any]:
    tensor = value.detach() if isinstance(value, Tensor) else torch.from_numpy(value)
    if tensor.is_complex():
        raise ValueError("complex numbers have no place in this file")
    numbers = tensor.flatten().tolist()
    if tensor.dtype.is_floating_point:
        numbers = [x if math.isfinite(x) else str(x) for x in _rounded(numbers)]
    elif tensor.dtype == torch.bool:
        numbers = [int(x) for x in numbers]
    kind = "tensor" if isinstance(value, Tensor) else "array"
    made = {kind: numbers, "shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
    return {**made, "requires_grad": True} if isinstance(value, Tensor) and value.requires_grad else made


def _rounded(numbers: Sequence[float]) -> list[float]:
    """Rounded so that the largest keeps `DIGITS` digits. What is left of a cancellation differs from machine to machine."""
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)
    places = DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0
    return [round(x, places) + 0.0 if math.isfinite(x) else x for x in numbers]


def value_of(made: Any) -> Any:
    """The value that `plain` made this of."""
    if isinstance(made, list):
        return [value_of(item) for item in made]
    if not isinstance(made, dict):
        return made
    (kind, inner), *rest = made.items()
    match kind:
        case "tensor" | "array":
            return _tensor(kind, inner, **dict(rest))
        case "float":
            return float(inner)
        case "tuple":
            return tuple(map(value_of, inner))
        case "set":
            return set(map(value_of, inner))
        case "frozenset":
            return frozenset(map(value_of, inner))
        case "dict":
            return {value_of(key): value_of(item) for key, item in inner}
        case "bytes":
            return bytes.fromhex(inner)
        case "raises":
            return student_error(inner[0] if inner else "Exception", inner)
        case "object":
            return Handle(_NOWHERE, 0, "", "object")
    raise ValueError(f"there is no value of kind {kind!r}")


def _tensor(kind: str, numbers: list[Any], shape: list[int], dtype: str, requires_grad: bool = False) -> Any:
    floats = [float(x) for x in numbers] if getattr(torch, dtype).is_floating_point else numbers
    tensor = torch.tensor(floats, dtype=getattr(torch, dtype)).reshape(shape)
    return tensor.requires_grad_(requires_grad) if kind == "tensor" else tensor.numpy()


class _Nowhere:
    def release(self, number: int) -> None:
        return None


_NOWHERE: Any = _Nowhere()
