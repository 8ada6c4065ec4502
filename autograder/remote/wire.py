"""The frames between the trusted process and a confined child, and the guard that hostile ones can't pass.

A frame is `u32 header length | u64 payload length | header | payload`. The header is msgpack, checked against
the declared types below while it is decoded: no maps, no extension types, no unknown tags. Tensors, arrays
and long byte strings lie in the payload as raw bytes, 64-aligned. Nothing is ever unpickled.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

HEAD = struct.Struct("<IQ")
MAX_HEADER = 8 << 20
MAX_PAYLOAD = 256 << 20
ALIGNMENT = 64
ORDINARY = 1 << 16  # bytes: copying the pieces of a smaller frame together costs less than a system call


class WireError(Exception):
    """A value that can't be sent, or a frame that breaks the format."""


class _Node(Struct, array_like=True, forbid_unknown_fields=True):
    pass


class Items(_Node, tag="l"):
    """A list, tuple, set or frozenset of any nodes."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    items: list[Node]


class Scalars(_Node, tag="L"):
    """The same, of plain scalars only: nothing to walk through in Python."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    items: list[bool | int | float | str | None]


class Blobs(_Node, tag="b"):
    """The same, of byte strings only."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    items: list[bytes]


class Numbers(_Node, tag="n"):
    """The same, of many int64 (`q`) or float64 (`d`), in the payload."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    code: Literal["q", "d"]
    offset: int
    size: int


class Rows(_Node, tag="R"):
    """Lists, or tuples, of plain scalars in one sequence: how long each is, and what all of them hold, in order."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    inner: Literal["list", "tuple"]
    lengths: list[int]
    cells: list[bool | int | float | str | None]


class Mapping(_Node, tag="d"):
    """A dict: two sequences of the same length."""

    keys: Items | Scalars | Rows | Blobs | Numbers
    values: Items | Scalars | Rows | Blobs | Numbers


class BigInt(_Node, tag="i"):
    """An integer beyond 64 bits, little-endian two's complement."""

    value: bytes


class Bytes(_Node, tag="B"):
    value: bytes


class LongBytes(_Node, tag="P"):
    """Bytes that lie in the payload."""

    offset: int
    size: int


class Surrogates(_Node, tag="u"):
    """A str with lone surrogates, as UTF-8 with `surrogatepass`."""

    value: bytes


class Complex(_Node, tag="z"):
    real: float
    imag: float


class Dtype(_Node, tag="D"):
    """A torch dtype by its name."""

    name: str


class Device(_Node, tag="v"):
    name: Literal["cpu", "meta"]


class Slice(_Node, tag="c"):
    start: Node
    stop: Node
    step: Node


class Range(_Node, tag="r"):
    start: int
    stop: int
    step: int


class Dots(_Node, tag="e"):
    """`...`, as an index."""


class TensorNode(_Node, tag="T"):
    """A tensor in its order in memory: `shape` is that of the bytes, `order` which of those axes each axis is."""

    dtype: str
    shape: list[int]
    offset: int
    size: int
    requires_grad: bool
    order: list[int] = []


class ArrayNode(_Node, tag="A"):
    dtype: str
    shape: list[int]
    offset: int
    size: int


class HandleNode(_Node, tag="h"):
    """An object that stays in the child; `type_name` is for messages only."""

    number: int
    type_name: str = ""


class CallbackNode(_Node, tag="f"):
    """A function that stays with the test."""

    number: int


class StubNode(_Node, tag="o"):
    """An object that stays with the test: attributes by value, methods called back."""

    number: int
    methods: list[str]
    attributes: list[str]
    values: list[Node]


Node = (
    None
    | bool
    | int
    | float
    | str
    | Items
    | Scalars
    | Rows
    | Blobs
    | Numbers
    | Mapping
    | BigInt
    | Bytes
    | LongBytes
    | Surrogates
    | Complex
    | Dtype
    | Device
    | Slice
    | Range
    | Dots
    | TensorNode
    | ArrayNode
    | HandleNode
    | CallbackNode
    | StubNode
)


class Arguments(_Node):
    """Positional and keyword arguments."""

    args: list[Node] = []
    names: list[str] = []
    values: list[Node] = []


# --- trusted side to child ---


class Request(_Node, tag="op"):
    """One operation, under an unguessable number; `free` are handles no longer used, `seed` is for the generators."""

    call: int
    kind: str
    target: int
    name: str
    arguments: Arguments
    free: list[int]
    seed: int | None = None


class CallbackResult(_Node, tag="cr"):
    """What a function of the test returned; `ok` is False where it raised, and then only an `error` meant for the student,
    a builtin exception's name and text, is told."""

    call: int
    ok: bool
    value: Node = None
    error: list[str] = []


# --- child to trusted side ---


class Returned(_Node, tag="rt"):
    """How an operation ended: with a value. `rebound`: a name of the module no longer means what was given out."""

    call: int
    value: Node
    rebound: bool = False


class Raised(_Node, tag="ex"):
    """Or with an exception."""

    call: int
    name: str
    mro: list[str]
    message: str
    frames: list[tuple[str, int, str, str]]
    rebound: bool = False


class Exhausted(_Node, tag="st"):
    """Or because the iterator has no further item."""

    call: int
    rebound: bool = False


class Callback(_Node, tag="cb"):
    """The student's code calls a function (or, by name, a method of an object) of the test, during `call`."""

    call: int
    number: int
    method: str
    arguments: Arguments


FromChild = Returned | Raised | Exhausted | Callback
ToChild = Request | CallbackResult

_encoder = msgspec.msgpack.Encoder()
_from_child = msgspec.msgpack.Decoder(FromChild)
_to_child = msgspec.msgpack.Decoder(ToChild)


def scalars(values: list[Any]) -> msgspec.Raw | None:
    """Plain scalars, encoded at once; None if one is no such thing: an int beyond 64 bits, a str with lone surrogates."""
    try:
        return msgspec.Raw(_encoder.encode(values))
    except (OverflowError, UnicodeEncodeError):
        return None


def pack(message: Struct, payload: Sequence[memoryview | bytes] = ()) -> list[memoryview | bytes]:
    """The pieces of one frame, to be written in order: one piece, unless the frame is large."""
    header = _encoder.encode(message)
    size = sum(map(len, payload))
    if len(header) > MAX_HEADER:
        raise WireError(f"the value has too many elements to send ({len(header)} bytes of structure)")
    if size > MAX_PAYLOAD:
        raise WireError(f"the value is too large to send ({size} bytes; the limit is {MAX_PAYLOAD})")
    head = HEAD.pack(len(header), size)
    if len(header) + size < ORDINARY:
        return [b"".join((head, header, *payload))]
    return [head + header, *payload]


def lengths(head: bytes | memoryview) -> tuple[int, int]:
    """Header and payload length, if within limits."""
    header, payload = HEAD.unpack(head)
    if header > MAX_HEADER or payload > MAX_PAYLOAD:
        raise WireError(f"a frame announces {header} + {payload} bytes")
    return header, payload


def unpack_from_child(header: bytes | bytearray) -> FromChild:
    return _unpack(header, _from_child)  # type: ignore[return-value]


def unpack_to_child(header: bytes | bytearray) -> ToChild:
    return _unpack(header, _to_child)  # type: ignore[return-value]


def _unpack(header: bytes | bytearray, decoder: msgspec.msgpack.Decoder[Struct]) -> Struct:
    try:
        # An array that claims more elements than follow costs nothing: msgspec reserves no room on its word.
        return decoder.decode(header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError) as error:
        raise WireError(f"malformed frame: {type(error).__name__}: {str(error)[:80]}") from None
