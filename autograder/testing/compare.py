"""`assert_close`: are two values the same up to rounding? Types, shapes and dtypes count; NaN never equals anything."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Rounding that a different order of operations may cause, relative to the largest expected magnitude.
RELATIVE = {
    torch.float64: 1e-7,
    torch.complex128: 1e-7,
    torch.float32: 1e-4,
    torch.complex64: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 3e-2,
}
SCALE_FLOOR = (
    0.1  # expected values that are all about zero still allow this much times the relative tolerance
)
SHOWN_ELEMENTS = 10  # of a tensor that is not as expected


def tolerance(dtype: torch.dtype) -> float:
    """The relative tolerance for a dtype; 0 for integers and booleans."""
    return RELATIVE.get(dtype, 0.0)


def assert_close(
    actual: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None, message: str = ""
) -> None:
    """Raise AssertionError unless `actual` has the type, shape, dtype and values of `expected`.

    Lists and tuples stand for each other; nothing else does.

    Args:
        actual, expected: tensors, numpy arrays, numbers, strings, None, or lists, tuples and dicts of these.
        rtol, atol: override the tolerances, which otherwise follow the dtype and the largest expected magnitude.
        message: what to say first when they differ.
    """
    __tracebackhide__ = True
    problem = _difference(actual, expected, rtol, atol, "the result")
    if problem:
        raise AssertionError(f"{message}: {problem}" if message else problem)


def _difference(actual: Any, expected: Any, rtol: float | None, atol: float | None, where: str) -> str:
    """What is different, in words; empty if nothing is."""
    if isinstance(expected, Tensor):
        return _tensors_differ(actual, expected, rtol, atol, where)
    if isinstance(expected, np.ndarray):
        if not isinstance(actual, np.ndarray):
            return f"{where} should be a numpy array, not {_kind(actual)}"
        return _tensors_differ(torch.from_numpy(actual), torch.from_numpy(expected), rtol, atol, where)
    if isinstance(expected, bool) or not isinstance(expected, int | float | complex):
        return _plain_differ(actual, expected, rtol, atol, where)
    return _numbers_differ(actual, expected, rtol, atol, where)


def _kind(value: Any) -> str:
    return (
        "a tensor" if isinstance(value, Tensor) else "None" if value is None else f"a {type(value).__name__}"
    )


def _tensors_differ(actual: Any, expected: Tensor, rtol: float | None, atol: float | None, where: str) -> str:
    if not isinstance(actual, Tensor):
        return f"{where} should be a tensor, not {_kind(actual)}"
    if actual.shape != expected.shape:
        return f"{where} has shape {list(actual.shape)}, expected {list(expected.shape)}"
    if actual.dtype != expected.dtype:
        return f"{where} has dtype {actual.dtype}, expected {expected.dtype}"
    if (actual.layout, actual.device) != (expected.layout, expected.device):
        return (
            f"{where} is {actual.layout} on {actual.device}, expected {expected.layout} on {expected.device}"
        )
    actual, expected = actual.detach(), expected.detach()
    if torch.equal(actual, expected):
        return ""
    relative = tolerance(expected.dtype) if rtol is None else rtol
    if tolerance(expected.dtype) == 0.0:
        relative, atol = 0.0, 0.0
    elif atol is None:
        atol = tolerance(expected.dtype) * max(_largest(expected), SCALE_FLOOR) if rtol is None else 0.0
    if torch.allclose(actual, expected, relative, atol):
        return ""
    try:
        torch.testing.assert_close(actual, expected, rtol=relative, atol=atol)
    except AssertionError as error:
        if actual.dtype.is_floating_point and bool(torch.isnan(actual).any()):
            return f"{where} contains NaN{_both(actual, expected)}"
        details = [
            line
            for line in str(error).splitlines()
            if line.startswith(("Mismatched", "Greatest", "Expected"))
        ]
        said = f"{where} is not close to the expected values ({'; '.join(details[:2])})"
        # Of a tensor without axes torch has said what it is.
        return (
            said if any(line.startswith("Expected") for line in details) else said + _both(actual, expected)
        )
    return ""


def _both(actual: Tensor, expected: Tensor) -> str:
    """What came and what should have, where both are small enough to be looked at."""
    if not 0 < expected.numel() <= SHOWN_ELEMENTS or expected.layout != torch.strided:
        return ""
    values = actual.tolist(), expected.tolist()
    got, wanted = (_written(value, "{:.6g}") for value in values)
    if got == wanted:  # they differ further back
        got, wanted = (_written(value, "{!r}") for value in values)
    return f": got {got}, expected {wanted}"


def _written(value: Any, form: str) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_written(item, form) for item in value)}]"
    return form.format(value) if isinstance(value, float) else str(value)


def _largest(expected: Tensor) -> float:
    """The largest finite magnitude; 0 if there is none."""
    if not expected.numel():
        return 0.0
    largest = float(expected.abs().max())
    if not math.isfinite(largest):
        finite = expected[torch.isfinite(expected)]
        largest = float(finite.abs().max()) if finite.numel() else 0.0
    return largest


def _numbers_differ(
    actual: Any, expected: float | complex, rtol: float | None, atol: float | None, where: str
) -> str:
    if isinstance(actual, bool) or not isinstance(actual, int | float | complex):
        return f"{where} should be a number, not {_kind(actual)}"
    if isinstance(expected, int):
        if isinstance(actual, int) and actual == expected:
            return ""
        return f"{where} is {actual!r}, expected {expected!r}"
    # A Python float may come from float32 arithmetic, so it is held to float32's tolerance.
    relative = 1e-5 if rtol is None else rtol
    absolute = 1e-7 if atol is None else atol
    if actual == expected:
        return ""
    if cmath.isfinite(expected) and abs(actual - expected) <= absolute + relative * abs(expected):
        return ""
    return f"{where} is {actual!r}, expected about {expected!r}"


def _plain_differ(actual: Any, expected: Any, rtol: float | None, atol: float | None, where: str) -> str:
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return f"{where} should be a dict, not {_kind(actual)}"
        if set(actual) != set(expected):
            return f"{where} has keys {sorted(map(repr, actual))}, expected {sorted(map(repr, expected))}"
        pairs = [(actual[key], expected[key], f"{where}[{key!r}]") for key in expected]
    elif isinstance(expected, Sequence) and not isinstance(expected, str | bytes):
        if not isinstance(actual, list | tuple):  # which of the two is a matter of style
            return f"{where} should be a {type(expected).__name__}, not {_kind(actual)}"
        if len(actual) != len(expected):
            return f"{where} has {len(actual)} elements, expected {len(expected)}"
        pairs = [(a, e, f"{where}[{i}]") for i, (a, e) in enumerate(zip(actual, expected, strict=True))]
    else:
        same = type(actual) is type(expected) and actual == expected
        return "" if same else f"{where} is {actual!r}, expected {expected!r}"
    return next((d for a, e, place in pairs if (d := _difference(a, e, rtol, atol, place))), "")
