"""What both directions of the wire agree on: limits, and the names of dtypes and containers."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

MAX_DEPTH = 64
MAX_NODES = 1_000_000
MAX_NUMBERS = 4_000_000
MAX_INT_BITS = 14_000  # about what Python itself is willing to print
MAX_DIMENSIONS = 64
MAX_AXIS = 1 << 40
SHORT_BYTES = 1024
FLAT_FROM = 32  # shorter sequences of numbers aren't worth a place in the payload
MAX_COLLISIONS = 250_000  # comparisons of keys of one hash, in a frame: some 20 ms
HASHING_SECONDS = 2.0  # of CPU for the large sets and dicts of a frame; a million tuples as keys take 0.3
BATCH = 64  # keys that go into a large set or dict at once
MAX_FROZEN = (
    50_000  # elements that are not text, of the large frozensets of a frame: they can't be made bit by bit
)

Kind = Literal["list", "tuple", "set", "frozenset"]
KINDS: dict[type, Kind] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
MAKERS: dict[str, Callable[[Iterable[Any]], Any]] = {kind: maker for maker, kind in KINDS.items()}
DICTS = (OrderedDict, Counter, defaultdict)
SCALARS = frozenset({type(None), bool, int, float, str})

_NAMES = "float64 float32 float16 complex128 complex64 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool"
NUMPY_DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in _NAMES.split()}
_TORCH_NAMES = f"{_NAMES} bfloat16 float8_e4m3fn float8_e5m2"
TORCH_DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in _TORCH_NAMES.split()}
# numpy has no such numbers: their bytes pass as these.
STAND_INS: dict[torch.dtype, torch.dtype] = {
    torch.bfloat16: torch.int16,
    torch.float8_e4m3fn: torch.uint8,
    torch.float8_e5m2: torch.uint8,
}
TORCH_NAMES = {dtype: name for name, dtype in TORCH_DTYPES.items()}
# Real numbers that numpy has, too: what nearly all tensors are of.
REAL_NAMES = {
    dtype: name for dtype, name in TORCH_NAMES.items() if dtype not in STAND_INS and not dtype.is_complex
}


class Form(NamedTuple):
    """How a tensor of one dtype is read: what that is, what its bytes pass as, whether it can have a gradient."""

    dtype: torch.dtype
    bytes_as: np.dtype[Any]
    differentiable: bool


FORMS = {
    name: Form(
        dtype,
        NUMPY_DTYPES[TORCH_NAMES[STAND_INS.get(dtype, dtype)]],
        dtype.is_floating_point or dtype.is_complex,
    )
    for name, dtype in TORCH_DTYPES.items()
}


MODULE = 0  # the handle of the student's module
# What a module hardly ever binds anew, and its process says so when it does: asked for once, not at every call.
LASTING = (FunctionType, type)


def type_name(kind: type) -> str:
    """What messages call a type, and by which the trusted side knows those that are LASTING."""
    return f"{getattr(kind, '__module__', '')}.{kind.__qualname__}"  # made by exec, it may have no module


def range_length(value: range) -> int:
    return max(0, -((value.start - value.stop) // value.step)) if value.step else 0
