"""A plain value as a student would write it in Python, and how long it is to read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.remote.proxy import Handle
from autograder.text import Text, printable

DIGITS = 4
WORD = re.compile(r"\w+|[^\w\s]")
TEXT_SHOWN = 80  # characters of a text
AXES, LONGEST_AXIS = 6, 9999  # of a tensor whose shape is told
TENSOR = Text("a large tensor", "一个很大的张量")
OBJECT = Text("an object", "一个对象")
LARGE = Text("{kind} of {n} values", "{kind}，共 {n} 个值")
SHAPED = Text("a tensor of shape {shape}", "形状为 {shape} 的张量")


def tokens_in(value: Any) -> int:
    """How much there is to read in a value: each number and truth value counts, each word and sign of a text, each byte."""
    match value:
        case Tensor():
            return value.numel()
        case np.ndarray():
            return value.size
        case str():
            return max(1, len(WORD.findall(value)))
        case bytes():
            return max(1, len(value))
        case list() | tuple() | set() | frozenset():
            return sum(map(tokens_in, value))
        case dict():
            return sum(tokens_in(key) + tokens_in(item) for key, item in value.items())
        case bool() | int() | float() | complex():
            return 1
    return 0


def as_python(value: Any) -> str:
    """The value as an expression; floats with four digits."""
    match value:
        case bool() | None:
            return repr(value)
        case float():
            return _float(value)
        case complex() | int():
            return repr(value)
        case str():
            return repr(printable(value, TEXT_SHOWN))
        case bytes():
            return repr(value[:TEXT_SHOWN])
        case Tensor() | np.ndarray():
            return _tensor(value)
        case list():
            return f"[{', '.join(map(as_python, value))}]"
        case tuple():
            return f"({', '.join(map(as_python, value))}{',' if len(value) == 1 else ''})"
        case set() | frozenset():
            items = f"{{{', '.join(sorted(map(as_python, value)))}}}" if value else "set()"
            return items if isinstance(value, set) else f"frozenset({items if value else ''})"
        case dict():
            pairs = (f"{as_python(key)}: {as_python(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case torch.dtype():
            return str(value)
    return "..."


def described(value: Any, most: int) -> Text:
    """An answer: as an expression where it is short enough, else what kind of value it is."""
    if isinstance(value, Handle):
        return OBJECT
    if isinstance(value, Tensor | np.ndarray) and (
        len(value.shape) > AXES or max(value.shape, default=0) > LONGEST_AXIS
    ):
        return TENSOR  # a shape could spell out anything
    count = tokens_in(value)
    if count <= most:
        said = as_python(value)
        return Text(said, said)
    if isinstance(value, Tensor):
        return SHAPED.format(shape=list(value.shape))
    return LARGE.format(kind=type(value).__name__, n=count)


def call(name: str, args: Sequence[str], kwargs: Mapping[str, str]) -> str:
    """A call of expressions."""
    return f"{name}({', '.join([*args, *(f'{key}={said}' for key, said in kwargs.items())])})"


def _float(value: float) -> str:
    if not math.isfinite(value):
        return f'float("{value}")'
    said = f"{value:.{DIGITS}g}"
    return said if re.search(r"[.e]", said) else f"{said}.0"


def _tensor(value: Tensor | np.ndarray[Any, Any]) -> str:
    array = isinstance(value, np.ndarray)
    tensor = torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value.detach()
    module, usual = ("np", torch.float64) if array else ("torch", torch.float32)
    # What the library makes of Python's own numbers.
    known = tensor.dtype == usual or (tensor.numel() and tensor.dtype in (torch.int64, torch.bool))
    dtype = "" if known else f", dtype={module}.{str(tensor.dtype).removeprefix('torch.')}"
    if not tensor.numel():
        return f"{module}.zeros({list(tensor.shape)}{dtype})"
    return f"{module}.{'array' if array else 'tensor'}({as_python(tensor.tolist())}{dtype})"
