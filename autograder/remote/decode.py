"""Wire nodes back to values, in bounded time and memory.

Whatever a frame holds, decoding it yields objects of exactly the types listed here, so nothing that a student
wrote is ever executed, compared or believed on the trusted side.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable
from itertools import groupby, islice
from operator import eq
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from autograder.remote import wire
from autograder.remote.values import (
    BATCH,
    FORMS,
    HASHING_SECONDS,
    MAKERS,
    MAX_AXIS,
    MAX_COLLISIONS,
    MAX_DEPTH,
    MAX_DIMENSIONS,
    MAX_FROZEN,
    MAX_INT_BITS,
    MAX_NODES,
    MAX_NUMBERS,
    NUMPY_DTYPES,
    SCALARS,
    TORCH_DTYPES,
    range_length,
)
from autograder.remote.wire import WireError

if TYPE_CHECKING:
    from autograder.remote.intake import Intake


class Decoder:
    """Turns the nodes of one frame into values; `resolve` gives what is behind handles, callbacks and stubs."""

    def __init__(
        self, payload: bytearray, resolve: Callable[[Any], Any], intake: Intake | None = None
    ) -> None:
        """intake: the budget that the elements count for; none on a student's own side."""
        self._intake = intake
        self._payload = payload
        self._resolve = resolve
        self._count = 0
        self._placed = 0
        self._listed = 0
        self._collisions = 0
        self._hashing = 0.0  # seconds of CPU
        self._frozen = 0

    def value(self, node: Any) -> Any:
        """The value of one node; WireError for whatever an honest encoder would not have written."""
        try:
            return self._value(node, 0)
        except WireError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise WireError(f"malformed value: {type(error).__name__}: {str(error)[:80]}") from None

    def arguments(self, arguments: wire.Arguments) -> tuple[list[Any], dict[str, Any]]:
        if not arguments.names and not arguments.values:
            return [self.value(node) for node in arguments.args], {}
        values = [self.value(node) for node in arguments.values]
        if not len(set(arguments.names)) == len(arguments.names) == len(values):
            raise WireError("keyword arguments don't match their names")
        return [self.value(node) for node in arguments.args], dict(zip(arguments.names, values, strict=True))

    def _add(self, count: int) -> None:
        if self._intake is not None:
            self._intake.add_elements(count)

    def _value(self, node: Any, depth: int) -> Any:
        if type(node) in SCALARS:
            return node
        self._count += 1
        if depth > MAX_DEPTH + 2 or self._count > MAX_NODES:
            raise WireError("the value is too deep or has too many elements")
        return self._READ[type(node)](self, node, depth)

    def _items(self, node: wire.Items, depth: int) -> Any:
        self._add(len(node.items))
        return self._make(node.kind, [self._value(item, depth + 1) for item in node.items])

    def _flat(self, node: wire.Scalars | wire.Blobs, depth: int) -> Any:
        self._add(len(node.items))
        return self._make(node.kind, node.items)

    def _rows(self, node: wire.Rows, depth: int) -> Any:
        self._count += len(node.lengths) + len(node.cells)
        if self._count > MAX_NODES:
            raise WireError("the value has too many elements")
        self._add(len(node.lengths) + len(node.cells))
        if sum(node.lengths) != len(node.cells) or min(node.lengths, default=0) < 0:
            raise WireError("rows that don't fit what they hold")
        make, cells = MAKERS[node.inner], iter(node.cells)
        return self._make(node.kind, [make(islice(cells, length)) for length in node.lengths])

    def _numbers(self, node: wire.Numbers, depth: int) -> Any:
        self._listed += node.size // 8
        if node.size % 8 or self._listed > MAX_NUMBERS:
            raise WireError("numbers of a wrong size")
        self._add(node.size // 8)
        return self._make(node.kind, array(node.code, bytes(self._raw(node.offset, node.size))).tolist())

    def _make(self, kind: str, items: list[Any]) -> Any:
        if kind in ("set", "frozenset"):
            return self._make_set(kind, items)
        return items if kind == "list" else MAKERS[kind](items)

    def _make_set(self, kind: str, items: list[Any]) -> Any:
        self._count_collisions(items)
        if len(items) <= BATCH or _randomised(items):
            return MAKERS[kind](items)
        made = self._fill(set(), items)
        if kind == "set":
            return made
        self._frozen += len(items)
        if self._frozen > MAX_FROZEN:
            raise WireError("frozensets have too many elements")
        return frozenset(made)

    def _fill(self, made: Any, items: Iterable[Any]) -> Any:
        """`made`, a set or dict, with these items.

        Chosen numbers of different hashes may look for their places in one another's way, which takes time that is quadratic
        in their number: 80,000 keys took 3.7 s. What they cost is only known by trying, so this is done bit by bit.
        """
        began, rest = time.thread_time() - self._hashing, iter(items)
        while batch := list(islice(rest, BATCH)):
            made.update(batch)
            self._hashing = time.thread_time() - began
            if self._hashing > HASHING_SECONDS:
                raise WireError("sets and dicts take too long to make")
        return made

    def _count_collisions(self, keys: list[Any]) -> None:
        """Keys of one hash make a set or dict quadratic.

        Counted before the set is made, and over the whole frame: many small sets cost as much as a large one.
        """
        if len(keys) > 1 and not _randomised(keys):
            self._collisions += _collision_work(keys)
            if self._collisions > MAX_COLLISIONS:
                raise WireError("too many keys of one hash")

    def _mapping(self, node: wire.Mapping, depth: int) -> Any:
        keys, values = self._value(node.keys, depth), self._value(node.values, depth)
        if type(keys) is not list or type(values) is not list:
            raise WireError("a dict needs a list of keys and one of values")
        self._count_collisions(keys)
        if len(keys) <= BATCH or _randomised(keys):
            return dict(zip(keys, values, strict=True))
        return self._fill({}, zip(keys, values, strict=True))

    def _big_int(self, node: wire.BigInt, depth: int) -> int:
        if len(node.value) > MAX_INT_BITS // 8 + 1:
            raise WireError("an integer is too large")
        return int.from_bytes(node.value, "little", signed=True)

    def _range(self, node: wire.Range, depth: int) -> range:
        value = range(node.start, node.stop, node.step)
        if range_length(value) > MAX_NODES:
            raise WireError("a range is too long")
        self._add(range_length(value))
        return value

    def _slice(self, node: wire.Slice, depth: int) -> slice:
        return slice(*(self._value(bound, depth + 1) for bound in (node.start, node.stop, node.step)))

    def _stub(self, node: wire.StubNode, depth: int) -> Any:
        stub = self._resolve(node)
        for name, value in zip(node.attributes, node.values, strict=True):
            setattr(stub, name, self._value(value, depth + 1))
        return stub

    def _check_place(self, offset: int, size: int) -> None:
        if offset < 0 or size < 0 or offset % wire.ALIGNMENT or offset + size > len(self._payload):
            raise WireError("a value lies outside its frame")
        self._placed += size
        if self._placed > len(self._payload):
            raise WireError("values lie upon one another")

    def _raw(self, offset: int, size: int) -> memoryview:
        self._check_place(offset, size)
        return memoryview(self._payload)[offset : offset + size]

    def _elements(self, dtype: np.dtype[Any], node: wire.TensorNode | wire.ArrayNode) -> np.ndarray[Any, Any]:
        """The elements as an array over the payload. A bool is made from each byte."""
        shape = node.shape
        if len(shape) > MAX_DIMENSIONS or (shape and not 0 <= min(shape) <= max(shape) <= MAX_AXIS):
            raise WireError("a tensor has an impossible shape")
        if self._intake is not None:
            self._intake.add_shape(shape)
        if math.prod(shape) * dtype.itemsize != node.size:
            raise WireError("a tensor's size doesn't fit its shape")
        self._check_place(node.offset, node.size)
        if not node.size:
            return np.empty(shape, dtype)
        if dtype == np.bool_:
            # A byte that is neither 0 nor 1 must not become a bool: it would equal neither.
            return np.ndarray(shape, np.uint8, self._payload, node.offset).astype(np.bool_)
        return np.ndarray(shape, dtype, self._payload, node.offset)

    def _tensor(self, node: wire.TensorNode, depth: int) -> torch.Tensor:
        dtype, bytes_as, differentiable = FORMS[node.dtype]
        tensor = torch.from_numpy(self._elements(bytes_as, node))
        if tensor.dtype is not dtype:
            tensor = tensor.view(dtype)
        if node.order:
            if sorted(node.order) != list(range(len(node.shape))):
                raise WireError("a tensor's axes have an impossible order")
            tensor = tensor.permute(node.order)
        return tensor.requires_grad_() if node.requires_grad and differentiable else tensor

    def _array(self, node: wire.ArrayNode, depth: int) -> np.ndarray[Any, Any]:
        return self._elements(NUMPY_DTYPES[node.dtype], node)

    _READ: ClassVar[dict[type, Callable[[Decoder, Any, int], Any]]] = {
        wire.Items: _items,
        wire.Scalars: _flat,
        wire.Rows: _rows,
        wire.Blobs: _flat,
        wire.Numbers: _numbers,
        wire.Mapping: _mapping,
        wire.BigInt: _big_int,
        wire.Bytes: lambda self, node, depth: node.value,
        wire.LongBytes: lambda self, node, depth: bytes(self._raw(node.offset, node.size)),
        wire.Surrogates: lambda self, node, depth: node.value.decode("utf-8", "surrogatepass"),
        wire.Complex: lambda self, node, depth: complex(node.real, node.imag),
        wire.Dtype: lambda self, node, depth: TORCH_DTYPES[node.name],
        wire.Device: lambda self, node, depth: torch.device(node.name),
        wire.Slice: _slice,
        wire.Range: _range,
        wire.Dots: lambda self, node, depth: ...,
        wire.TensorNode: _tensor,
        wire.ArrayNode: _array,
        wire.HandleNode: lambda self, node, depth: self._resolve(node),
        wire.CallbackNode: lambda self, node, depth: self._resolve(node),
        wire.StubNode: _stub,
    }


def _randomised(keys: list[Any]) -> bool:
    """Whether nobody can choose the keys' hashes."""
    return {str, bytes}.issuperset(map(type, keys))


def _by_hash(keys: Iterable[Any]) -> list[list[Any]]:
    """Those of the keys whose hash another one has, too."""
    hashes = sorted(map(hash, keys))
    if not any(map(eq, hashes, islice(hashes, 1, None))):
        return []
    groups = groupby(sorted(keys, key=hash), key=hash)
    return [group for _, same in groups if len(group := list(same)) > 1]


def _weight(key: Any) -> int:
    """What one comparison of this key costs at most, in comparisons of numbers."""
    if isinstance(key, str | bytes):
        return 1 + len(key) // 64
    if isinstance(key, tuple):
        return 1 + sum(map(_weight, key))
    if isinstance(key, frozenset):
        # Each element is looked up in the other set, among those of its hash there.
        return 1 + sum(map(_weight, key)) + _collision_work(key)
    return 1


def _collision_work(keys: Iterable[Any]) -> int:
    """How many comparisons keys of one hash cost in a set or dict: each is compared with each."""
    return sum((len(group) - 1) * sum(map(_weight, group)) for group in _by_hash(keys))
