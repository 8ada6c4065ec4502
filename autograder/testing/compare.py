"""`assert_close`: are two values the same up to rounding? Types, shapes and dtypes count; NaN never equals anything."""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.errors import failure
from autograder.text import Text

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

RESULT = Text("the result", "结果")
KIND = Text("{where} should be {wanted}, not {kind}", "{where}应为{wanted}，而不是{kind}")
TENSOR, ARRAY, NUMBER = Text("a tensor", "张量"), Text("a numpy array", "numpy 数组"), Text("a number", "数")
SHAPE = Text("{where} has shape {actual}, expected {expected}", "{where}的形状是 {actual}，应为 {expected}")
DTYPE = Text(
    "{where} has dtype {actual}, expected {expected}", "{where}的 dtype 是 {actual}，应为 {expected}"
)
PLACE = Text(
    "{where} is {layout} on {device}, expected {expected_layout} on {expected_device}",
    "{where}是 {device} 上的 {layout}，应为 {expected_device} 上的 {expected_layout}",
)
NAN = Text("{where} contains NaN{both}", "{where}里有 NaN{both}")
NOT_CLOSE = Text(
    "{where} is not close to the expected values ({details}){both}",
    "{where}与期望值不够接近（{details}）{both}",
)
BOTH = Text(": got {actual}, expected {expected}", "：得到 {actual}，应为 {expected}")
VALUE = Text("{where} is {actual!r}, expected {expected!r}", "{where}是 {actual!r}，应为 {expected!r}")
ABOUT = Text(
    "{where} is {actual!r}, expected about {expected!r}", "{where}是 {actual!r}，应约为 {expected!r}"
)
KEYS = Text("{where} has keys {actual}, expected {expected}", "{where}的键是 {actual}，应为 {expected}")
LENGTH = Text(
    "{where} has {actual} elements, expected {expected}", "{where}有 {actual} 个元素，应为 {expected} 个"
)
# What torch says of two tensors, in Chinese.
TORCH = (
    (r"Mismatched elements: (.+) \((.+)\)", r"不一致的元素：\1（\2）"),
    (r"Greatest (?:absolute|relative) difference: (\S+) at index (\(.*?\)) \(up to (\S+) allowed\)",
     r"差距最大处：\1，下标 \2，允许 \3"),
    (r"Greatest (?:absolute|relative) difference: (\S+) at index (\(.*?\))", r"差距最大处：\1，下标 \2"),
    (r"Expected (.+) but got (.+)\.", r"应为 \1，得到 \2"),
)  # fmt: skip


def tolerance(dtype: torch.dtype) -> float:
    """The relative tolerance for a dtype; 0 for integers and booleans."""
    return RELATIVE.get(dtype, 0.0)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    message: str | Text = "",
) -> None:
    """Raise AssertionError unless `actual` has the type, shape, dtype and values of `expected`.

    Lists and tuples stand for each other; nothing else does.

    Args:
        actual, expected: tensors, numpy arrays, numbers, strings, None, or lists, tuples and dicts of these.
        rtol, atol: override the tolerances, which otherwise follow the dtype and the largest expected magnitude.
        message: what to say first when they differ.
    """
    __tracebackhide__ = True
    problem = _difference(actual, expected, rtol, atol, RESULT)
    if problem is not None:
        said = message if isinstance(message, Text) else Text(message, message)
        if said.en:
            problem = Text(f"{said.en}: {problem.en}", f"{said.pick('zh')}：{problem.zh}")
        raise failure(problem)


def _difference(
    actual: Any, expected: Any, rtol: float | None, atol: float | None, where: Text
) -> Text | None:
    """What is different, in words; None if nothing is."""
    if isinstance(expected, Tensor):
        return _tensors_differ(actual, expected, rtol, atol, where)
    if isinstance(expected, np.ndarray):
        if not isinstance(actual, np.ndarray):
            return _another_kind(where, ARRAY, actual)
        return _tensors_differ(torch.from_numpy(actual), torch.from_numpy(expected), rtol, atol, where)
    if isinstance(expected, bool) or not isinstance(expected, int | float | complex):
        return _plain_differ(actual, expected, rtol, atol, where)
    return _numbers_differ(actual, expected, rtol, atol, where)


def _another_kind(where: Text, wanted: Text, value: Any) -> Text:
    name = type(value).__name__
    kind = TENSOR if isinstance(value, Tensor) else Text("None", " None") if value is None else _kind(name)
    return KIND.format(where=where, wanted=wanted, kind=kind)


def _kind(name: str) -> Text:
    return Text(f"a {name}", f" {name}")


def _tensors_differ(
    actual: Any, expected: Tensor, rtol: float | None, atol: float | None, where: Text
) -> Text | None:
    if not isinstance(actual, Tensor):
        return _another_kind(where, TENSOR, actual)
    if actual.shape != expected.shape:
        return SHAPE.format(where=where, actual=list(actual.shape), expected=list(expected.shape))
    if actual.dtype != expected.dtype:
        return DTYPE.format(where=where, actual=actual.dtype, expected=expected.dtype)
    if (actual.layout, actual.device) != (expected.layout, expected.device):
        return PLACE.format(
            where=where,
            layout=actual.layout,
            device=actual.device,
            expected_layout=expected.layout,
            expected_device=expected.device,
        )
    actual, expected = actual.detach(), expected.detach()
    if torch.equal(actual, expected):
        return None
    relative = tolerance(expected.dtype) if rtol is None else rtol
    if tolerance(expected.dtype) == 0.0:
        relative, atol = 0.0, 0.0
    elif atol is None:
        atol = tolerance(expected.dtype) * max(_largest(expected), SCALE_FLOOR) if rtol is None else 0.0
    if torch.allclose(actual, expected, relative, atol):
        return None
    try:
        torch.testing.assert_close(actual, expected, rtol=relative, atol=atol)
    except AssertionError as error:
        if actual.dtype.is_floating_point and bool(torch.isnan(actual).any()):
            return NAN.format(where=where, both=_both(actual, expected))
        details = [
            line
            for line in str(error).splitlines()
            if line.startswith(("Mismatched", "Greatest", "Expected"))
        ]
        # Of a tensor without axes torch has said what it is.
        told = any(line.startswith("Expected") for line in details)
        said = Text("; ".join(details[:2]), "；".join(map(_in_chinese, details[:2])))
        return NOT_CLOSE.format(where=where, details=said, both=Text() if told else _both(actual, expected))
    return None


def _in_chinese(line: str) -> str:
    """One of the lines of torch's `assert_close`."""
    return next((re.sub(known, zh, line) for known, zh in TORCH if re.fullmatch(known, line)), line)


def _both(actual: Tensor, expected: Tensor) -> Text:
    """What came and what should have, where both are small enough to be looked at."""
    if not 0 < expected.numel() <= SHOWN_ELEMENTS or expected.layout != torch.strided:
        return Text()
    values = actual.tolist(), expected.tolist()
    got, wanted = (_written(value, "{:.6g}") for value in values)
    if got == wanted:  # they differ further back
        got, wanted = (_written(value, "{!r}") for value in values)
    return BOTH.format(actual=got, expected=wanted)


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
    actual: Any, expected: float | complex, rtol: float | None, atol: float | None, where: Text
) -> Text | None:
    if isinstance(actual, bool) or not isinstance(actual, int | float | complex):
        return _another_kind(where, NUMBER, actual)
    if isinstance(expected, int):
        if isinstance(actual, int) and actual == expected:
            return None
        return VALUE.format(where=where, actual=actual, expected=expected)
    # A Python float may come from float32 arithmetic, so it is held to float32's tolerance.
    relative = 1e-5 if rtol is None else rtol
    absolute = 1e-7 if atol is None else atol
    if actual == expected:
        return None
    if cmath.isfinite(expected) and abs(actual - expected) <= absolute + relative * abs(expected):
        return None
    return ABOUT.format(where=where, actual=actual, expected=expected)


def _plain_differ(
    actual: Any, expected: Any, rtol: float | None, atol: float | None, where: Text
) -> Text | None:
    def inside(key: Any) -> Text:
        return Text(f"{where.en}[{key!r}]", f"{where.zh}[{key!r}]")

    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return _another_kind(where, _kind("dict"), actual)
        if set(actual) != set(expected):
            return KEYS.format(
                where=where, actual=sorted(map(repr, actual)), expected=sorted(map(repr, expected))
            )
        pairs = [(actual[key], expected[key], inside(key)) for key in expected]
    elif isinstance(expected, Sequence) and not isinstance(expected, str | bytes):
        if not isinstance(actual, list | tuple):  # which of the two is a matter of style
            return _another_kind(where, _kind(type(expected).__name__), actual)
        if len(actual) != len(expected):
            return LENGTH.format(where=where, actual=len(actual), expected=len(expected))
        pairs = [(a, e, inside(i)) for i, (a, e) in enumerate(zip(actual, expected, strict=True))]
    else:
        same = type(actual) is type(expected) and actual == expected
        return None if same else VALUE.format(where=where, actual=actual, expected=expected)
    found = (_difference(a, e, rtol, atol, place) for a, e, place in pairs)
    return next((problem for problem in found if problem is not None), None)
