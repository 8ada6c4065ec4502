"""Values to wire nodes: plain data, tensors and arrays by value, everything else by what `opaque` decides."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
import torch

from autograder.remote import wire
from autograder.remote.values import (
    DICTS,
    FLAT_FROM,
    KINDS,
    MAX_DEPTH,
    MAX_INT_BITS,
    MAX_NODES,
    MAX_NUMBERS,
    NUMPY_DTYPES,
    REAL_NAMES,
    SCALARS,
    SHORT_BYTES,
    STAND_INS,
    TORCH_NAMES,
    Kind,
    range_length,
)
from autograder.remote.wire import MAX_PAYLOAD, Node, WireError


def _needs_bytes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


class Encoder:
    """Turns the values of one frame into nodes, gathering raw bytes in `payload`."""

    def __init__(self, opaque: Callable[[Any], Node]) -> None:
        self.payload: list[memoryview | bytes] = []
        self._opaque = opaque
        self._offset = 0
        self._count = 0
        self._listed = 0

    def node(self, value: Any, depth: int = 0) -> Node:
        """The node for one value; WireError where it is too deep, too long or too large."""
        if depth > MAX_DEPTH:
            raise WireError(f"the value is nested more than {MAX_DEPTH} levels deep, or holds itself")
        self._count += 1
        if self._count > MAX_NODES:
            raise WireError(f"the value has more than {MAX_NODES} elements")
        kind = type(value)
        if kind is torch.Tensor and (node := self._plain_tensor(value)) is not None:
            return node
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 64 else _big_int(value)
        if kind is str:
            return wire.Surrogates(value.encode("utf-8", "surrogatepass")) if _needs_bytes(value) else value
        if kind in SCALARS:
            return value
        if kind in KINDS:
            return self._sequence(value, KINDS[kind], depth)
        if kind is dict or kind in DICTS:
            return self._mapping(value, depth)
        if kind is bytes or kind is bytearray:
            return self._bytes(bytes(value))
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, tuple) and (hasattr(kind, "_fields") or hasattr(kind, "n_sequence_fields")):
            return self._sequence(tuple(tuple.__iter__(value)), "tuple", depth)
        if kind is torch.Size:
            return self._sequence(tuple(value), "tuple", depth)
        return self._rare(value, depth)

    def _rare(self, value: Any, depth: int) -> Node:
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            item = value.item()
            return self._opaque(value) if isinstance(item, np.generic) else self.node(item, depth + 1)
        if type(value) is complex:
            return wire.Complex(value.real, value.imag)
        if type(value) is torch.dtype and value in TORCH_NAMES:
            return wire.Dtype(TORCH_NAMES[value])
        if type(value) is torch.device and value.type in ("cpu", "meta"):
            return wire.Device("cpu" if value.type == "cpu" else "meta")
        if type(value) is slice:
            return wire.Slice(
                *(self.node(bound, depth + 1) for bound in (value.start, value.stop, value.step))
            )
        if type(value) is range and len(str(value)) < 80 and range_length(value) <= MAX_NODES:
            return wire.Range(value.start, value.stop, value.step)
        if value is ...:
            return wire.Dots()
        node = self._opaque(value)
        if isinstance(node, wire.StubNode):
            node.values.extend(self.node(getattr(value, name), depth + 1) for name in node.attributes)
        return node

    def _sequence(self, value: Any, kind: Kind, depth: int) -> Node:
        if len(value) > MAX_NUMBERS:
            raise WireError(f"the {kind} has {len(value)} elements; the limit is {MAX_NUMBERS}")
        types = set(map(type, value))
        if len(value) > FLAT_FROM and len(types) == 1 and types <= {int, float}:
            code: Literal["q", "d"] = "q" if types == {int} else "d"
            self._listed += len(value)
            if self._listed > MAX_NUMBERS:
                raise WireError(f"the value has more than {MAX_NUMBERS} numbers")
            try:
                return wire.Numbers(kind, code, *self._place(memoryview(array(code, value)).cast("B")))
            except OverflowError:
                pass  # beyond 64 bits: one by one
        if types <= SCALARS and (items := wire.scalars(list(value))) is not None:
            return wire.Scalars(kind, items)  # type: ignore[arg-type]
        if depth < MAX_DEPTH and (types == {tuple} or types == {list}) and (rows := self._rows(value, kind)):
            return rows
        if types == {bytes} and sum(map(len, value)) < wire.MAX_HEADER // 2:
            return wire.Blobs(kind, list(value))
        nodes = [self.node(item, depth + 1) for item in value]
        if kind in ("set", "frozenset") and not all(map(_hashable, nodes)):
            return self._opaque(value)
        return wire.Items(kind, nodes)

    def _rows(self, value: Collection[Any], kind: Kind) -> wire.Rows | None:
        """Short rows of plain scalars, as in a list of pairs; None if some are anything else."""
        lengths = list(map(len, value))
        count = self._count + len(lengths) + sum(lengths)
        if max(lengths) > FLAT_FROM or count > MAX_NODES:
            return None
        cells = list(chain.from_iterable(value))
        if not set(map(type, cells)) <= SCALARS or (packed := wire.scalars(cells)) is None:
            return None
        self._count = count
        inner: Any = KINDS[type(next(iter(value)))]
        return wire.Rows(kind, inner, lengths, packed)  # type: ignore[arg-type]

    def _mapping(self, value: dict[Any, Any], depth: int) -> Node:
        keys = self._sequence(list(dict.keys(value)), "list", depth)
        if not _hashable(keys):
            return self._opaque(value)
        return wire.Mapping(keys, self._sequence(list(dict.values(value)), "list", depth))  # type: ignore[arg-type]

    def _bytes(self, value: bytes) -> Node:
        return (
            wire.Bytes(value)
            if len(value) <= SHORT_BYTES
            else wire.LongBytes(*self._place(memoryview(value)))
        )

    def _plain_tensor(self, value: torch.Tensor) -> wire.TensorNode | None:
        """What `_tensor` makes of nearly all tensors, in less time; None for the others."""
        name = REAL_NAMES.get(value.dtype)
        if name is None or value.layout is not torch.strided or not (value.is_cpu and value.is_contiguous()):
            return None
        self._check_size(value.nbytes, value.shape)
        place = self._place(_bytes_of(value.numpy(force=True)))
        return wire.TensorNode(name, list(value.shape), *place, value.requires_grad)

    def _tensor(self, value: torch.Tensor) -> Node:
        with torch._C.DisableTorchFunctionSubclass():
            name = TORCH_NAMES.get(value.dtype)
            if name is None or value.layout is not torch.strided or not value.is_cpu:
                return self._opaque(value)
            self._check_size(value.nbytes, value.shape)
            requires_grad = value.requires_grad
            stand_in = STAND_INS.get(value.dtype)
            plain = value.detach().resolve_neg().view(stand_in) if stand_in else value
            # By force: without its gradient, and conjugated where it is only marked so.
            raw = plain.numpy(force=True)
        order: list[int] = []
        if not raw.flags.c_contiguous:
            raw, order = _in_memory_order(raw)
        return wire.TensorNode(name, list(raw.shape), *self._place(_bytes_of(raw)), requires_grad, order)

    def _array(self, value: np.ndarray[Any, Any]) -> Node:
        name = value.dtype.name
        if NUMPY_DTYPES.get(name) != value.dtype:
            return self._opaque(value)
        self._check_size(value.size * value.itemsize, value.shape)
        raw = np.ascontiguousarray(np.asarray(value))
        return wire.ArrayNode(name, list(value.shape), *self._place(_bytes_of(raw)))

    def _check_size(self, size: int, shape: Sequence[int]) -> None:
        # Before anything is copied: expand() makes 10**12 elements out of one.
        if self._offset + size > MAX_PAYLOAD:
            raise WireError(f"a tensor of shape {list(shape)} is too large to send ({size} bytes)")

    def _place(self, raw: memoryview | bytes) -> tuple[int, int]:
        offset, size = self._offset, len(raw)
        if offset + size > MAX_PAYLOAD:
            raise WireError(f"the value is too large to send (over {MAX_PAYLOAD} bytes)")
        padding = -size % wire.ALIGNMENT
        self.payload += [raw, bytes(padding)] if padding else [raw]
        self._offset += size + padding
        return offset, size

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> wire.Arguments:
        positional = [self.node(arg) for arg in args]
        if not kwargs:
            return wire.Arguments(positional)
        return wire.Arguments(positional, list(kwargs), [self.node(value) for value in kwargs.values()])


def _big_int(value: int) -> Node:
    if value.bit_length() > MAX_INT_BITS:
        raise WireError(f"an integer of {value.bit_length()} bits is too large to send")
    return wire.BigInt(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _bytes_of(value: np.ndarray[Any, Any]) -> memoryview | bytes:
    """The bytes of a contiguous array; the few of a small one are sooner copied than viewed."""
    return value.tobytes() if value.nbytes <= SHORT_BYTES else value.reshape(-1).view(np.uint8).data


def _in_memory_order(value: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], list[int]]:
    """For an array that is not: a contiguous one of its elements, and the permutation of it that is `value`; [] for none.

    A transposed tensor stays one on the other side, so that `view` fails there as it does here. Layouts with gaps or
    repeated elements become contiguous.
    """
    axes = sorted(range(value.ndim), key=lambda axis: -value.strides[axis])
    straight = value.transpose(axes)
    if not straight.flags.c_contiguous:
        return np.ascontiguousarray(value), []
    return straight, [axes.index(axis) for axis in range(value.ndim)]


def _hashable(node: Node) -> bool:
    """Whether the other side can put this into a set: a handle can't be compared, so it can't."""
    if isinstance(node, wire.HandleNode):
        return False
    return not isinstance(node, wire.Items) or all(map(_hashable, node.items))
