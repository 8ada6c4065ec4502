"""Values survive the way there and back; hostile frames end in WireError, quickly and without much memory."""

from __future__ import annotations

import math
import resource
import struct
import time
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.remote import wire
from autograder.remote.decode import Decoder
from autograder.remote.encode import Encoder
from autograder.remote.values import FLAT_FROM, MAX_DEPTH, MAX_NODES, NUMPY_DTYPES, TORCH_DTYPES
from autograder.remote.wire import WireError


def opaque(value: Any) -> wire.HandleNode:
    return wire.HandleNode(7, type(value).__name__)


def there_and_back(value: Any) -> Any:
    encoder = Encoder(opaque)
    node = encoder.node(value)
    frame = b"".join(wire.pack(wire.Returned(1, node), encoder.payload))
    header, payload = wire.lengths(frame[: wire.HEAD.size])
    begin = wire.HEAD.size + header
    assert len(frame) == begin + payload
    message = wire.unpack_from_child(frame[wire.HEAD.size : begin])
    assert isinstance(message, wire.Returned)
    return Decoder(bytearray(frame[begin:]), lambda node: node).value(message.value)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
hashables = st.recursive(
    scalars.filter(lambda x: x == x),  # a NaN in a set equals only itself
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.sets(hashables, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_round_trip(value: Any) -> None:
    assert same(there_and_back(value), value)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(2**63), 2**64), min_size=33, max_size=60)
    | st.lists(st.floats(), min_size=33, max_size=60)
)
def test_round_trip_of_many_numbers(value: list[Any]) -> None:
    assert same(there_and_back(value), value)
    assert same(there_and_back(tuple(value)), tuple(value))


@pytest.mark.parametrize(
    "value",
    [
        [(0, 5), (5, 9)],
        ((1, "a", None, True, 0.5), ()),
        [["词", 2**64 - 1], [-(2**63)], []],
        {(1, 2), (3,)},
        {"a": [(1, 2)], "b": [[]]},
    ],
    ids=range(5),
)
def test_rows_go_at_once(value: Any) -> None:
    encoder = Encoder(opaque)
    node = encoder.node(value)
    nodes = [node.values.items[0]] if isinstance(node, wire.Mapping) else [node]  # type: ignore[union-attr]
    assert all(isinstance(node, wire.Rows) for node in nodes)
    assert same(there_and_back(value), value)


@pytest.mark.parametrize(
    "value",
    [
        [(2**64, 1)],
        [("\ud800",)],
        [(1,), [2]],
        [(1, b"x")],
        [[1.0] * (FLAT_FROM + 1)],
        [[0] * 30] * (MAX_NODES // 30),
    ],
    ids=range(6),
)
def test_other_rows_go_one_by_one(value: Any) -> None:
    assert isinstance(Encoder(opaque).node(value), wire.Items)
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("name", TORCH_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 5), (0, 4)])
def test_round_trip_of_tensors(name: str, shape: tuple[int, ...]) -> None:
    bits = torch.randint(0, 2 if name == "bool" else 100, shape)
    tensor = bits.to(TORCH_DTYPES[name])
    back = there_and_back(tensor)
    assert back.dtype == tensor.dtype and back.shape == tensor.shape
    assert torch.equal(back.to(torch.complex128), tensor.to(torch.complex128))


class Same(torch.Tensor):
    """A tensor whose type alone is another."""


TENSORS: dict[str, Callable[[], torch.Tensor]] = {
    "transposed": lambda: torch.arange(6.0).view(2, 3).T,
    "with gaps": lambda: torch.arange(6.0)[::2],
    "of one element that is repeated": lambda: torch.ones(1).expand(5),
    "negated when read": lambda: torch.ones(4)._neg_view(),  # type: ignore[attr-defined]
    "zeros that take no memory": lambda: torch._efficientzerotensor(3),
    "with a gradient": lambda: torch.ones(3, requires_grad=True) * 2,
    "larger than a frame": lambda: torch.zeros(wire.MAX_PAYLOAD // 4 + 1),
    "nowhere": lambda: torch.empty(3, device="meta"),
    **{name: lambda dtype=dtype: torch.ones(2, 1, 3).to(dtype) for name, dtype in TORCH_DTYPES.items()},
}


@pytest.mark.parametrize("name", TENSORS)
def test_plain_tensors_are_encoded_as_all_others_are(name: str) -> None:
    """Nearly all tensors take a shorter way, which those of a subclass can't."""

    def encoded(value: torch.Tensor) -> tuple[Any, bytes]:
        encoder = Encoder(lambda opaque: wire.HandleNode(1))
        try:
            return encoder.node(value), b"".join(encoder.payload)
        except wire.WireError as error:
            return str(error), b""

    value = TENSORS[name]()
    assert encoded(value) == encoded(value.as_subclass(Same))


def test_transposed_tensors_keep_their_strides() -> None:
    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    for order in ((0, 1, 2, 3), (1, 0, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (0, 2, 1, 3)):
        for tensor in (base.permute(order), base.bfloat16().permute(order), base.bool().permute(order)):
            back = there_and_back(tensor)
            assert torch.equal(back, tensor) and back.stride() == tensor.stride(), order
    for tensor in (base.permute(1, 0, 2, 3)[:, :1], base[:, :1].transpose(0, 3), base.mT.requires_grad_()):
        back = there_and_back(tensor)
        assert torch.equal(back, tensor) and back.is_leaf and back.requires_grad == tensor.requires_grad
    assert (
        there_and_back(base[..., ::2]).is_contiguous()
        and there_and_back(base[0, 0, 0].expand(3, 5)).is_contiguous()
    )


def test_tensors_of_every_layout() -> None:
    base = torch.arange(24.0).reshape(4, 6)
    for tensor in (
        base.T,
        base[::2, 1::2],
        base[0].expand(3, 6),
        torch.tensor([1 + 2j]).conj(),
        base.flip(0),
    ):
        assert torch.equal(there_and_back(tensor), tensor)
    parameter = there_and_back(torch.nn.Parameter(base))
    assert type(parameter) is torch.Tensor and parameter.requires_grad and parameter.is_leaf
    nan = there_and_back(torch.tensor([float("nan"), -0.0]))
    assert nan[0] != nan[0] and math.copysign(1, nan[1].item()) == -1


@pytest.mark.parametrize("name", NUMPY_DTYPES)
def test_round_trip_of_arrays(name: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(name)
    for given_array in (array, array.T, array[:, ::2], array[:0]):
        back = there_and_back(given_array)
        assert (
            type(back) is np.ndarray and back.dtype == given_array.dtype and np.array_equal(back, given_array)
        )
    scalar = there_and_back(array[0, 1])
    assert type(scalar) in (int, float, complex, bool) and scalar == array[0, 1]


def test_known_subclasses_become_plain() -> None:
    Point = namedtuple("Point", "x y")
    assert same(there_and_back(Point(1, 2)), (1, 2))
    assert same(there_and_back(torch.Size([1, 2])), (1, 2))
    assert same(there_and_back(OrderedDict(a=1)), {"a": 1})
    assert same(there_and_back(Counter("aab")), {"a": 2, "b": 1})
    assert same(there_and_back(defaultdict(list, a=[1])), {"a": [1]})
    assert type(there_and_back(torch.tensor([[1, 2]]).max(dim=1))) is tuple
    for plain in (torch.float16, torch.device("cpu"), slice(1, None, 2), range(3, 9, 2), ...):
        assert there_and_back(plain) == plain


@pytest.mark.parametrize(
    "value",
    [type("T", (int,), {})(3), type("T", (str,), {})("x"), type("T", (list,), {})([1]), type("T", (dict,), {})(a=1),
     object(), torch.ones(2).to_sparse(), np.array(["a"]), {object(): 1}, {(1, object())}, torch.ones(2, device="meta")],
    ids=range(10),
)  # fmt: skip
def test_everything_else_stays_where_it_is(value: Any) -> None:
    assert isinstance(there_and_back(value), wire.HandleNode)


def test_values_that_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    myself: list[Any] = []
    myself.append(myself)
    for value in (deep, myself, torch.ones(1).expand(10**12), 1 << 10**5, bytes((256 << 20) + 1)):
        with pytest.raises(WireError):
            Encoder(opaque).node(value)


# --- hostile frames ---


def refused(header: bytes, payload: bytes = b"") -> None:
    with pytest.raises(WireError):
        message = wire.unpack_from_child(header)
        assert isinstance(message, wire.Returned)
        Decoder(bytearray(payload), lambda node: node).value(message.value)


@settings(max_examples=500, deadline=1000)
@given(st.binary(max_size=200))
def test_random_bytes(raw: bytes) -> None:
    with suppress(WireError):
        wire.unpack_from_child(raw)


WORDS = "l L R b n d i B P u z D v c r e T A h f o list set tuple q float32 bool int64 cpu"
json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=9)
    | st.sampled_from(WORDS.split()),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=12,
)


@settings(max_examples=1500, deadline=2000)
@given(json, st.binary(max_size=128))
def test_random_nodes(node: Any, payload: bytes) -> None:
    """Any structure at all is either refused or gives an honest value."""
    with suppress(WireError):
        message = wire.unpack_from_child(msgspec.msgpack.encode(["rt", 1, node]))
        assert isinstance(message, wire.Returned)
        Decoder(bytearray(payload), lambda node: node).value(message.value)


def hostile(*node: Any) -> bytes:
    return msgspec.msgpack.encode(["rt", 1, list(node)])


@pytest.mark.parametrize(
    "header",
    [
        b"", b"\xc1", b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
        hostile("T", "float32", [10**12], 0, 4, False),
        hostile("T", "float32", [2], 1, 8, False),
        hostile("T", "float32", [2], -64, 8, False),
        hostile("T", "float32", [2], 64, 8, False),
        hostile("T", "float32", [-1], 0, -4, False),
        hostile("T", "float32", [2**40, 0, 2**40, 2**40, 2**40], 0, 1, False),
        hostile("T", "float32", [1 << 62, 1 << 62, 4], 0, 0, False),
        hostile("T", "object", [1], 0, 8, False),
        hostile("T", "float32", [2, 4], 0, 32, False, [0, 2]),
        hostile("T", "float32", [2, 4], 0, 32, False, [0, 0]),
        hostile("T", "float32", [2, 4], 0, 32, False, [-1, 0]),
        hostile("T", "float32", [2, 4], 0, 32, False, [0, -1]),
        hostile("T", "float32", [2, 4], 0, 32, False, [1]),
        hostile("T", "float32", [2, 4], 0, 32, False, [1, 0, 2]),
        hostile("T", "float32", [2, 4], 0, 32, False, ["1", "0"]),
        hostile("A", "object", [1], 0, 8),
        hostile("A", "float64", [3], 0, 8),
        hostile("T", "float32", [1] * 100, 0, 4, False),
        hostile("n", "list", "q", 0, 7),
        hostile("n", "list", "q", 0, 1 << 40),
        hostile("n", "list", "O", 0, 8),
        hostile("P", 0, 1 << 40),
        hostile("i", bytes(10_000)),
        hostile("r", 0, 10**18, 1),
        hostile("r", 0, 1, 0),
        hostile("u", b"\xff"),
        hostile("D", "float31"),
        hostile("v", "cuda"),
        hostile("l", "set", [["L", "list", [1]]]),
        hostile("d", ["L", "list", [1, 2]], ["L", "list", [1]]),
        hostile("d", ["L", "set", [1]], ["L", "list", [1]]),
        hostile("d", ["l", "list", [["L", "list", []]]], ["L", "list", [1]]),
        hostile("L", "object", []),
        hostile("R", "list", "tuple", [3], [1, 2]),
        hostile("R", "list", "tuple", [-1, 3], [1, 2]),
        hostile("R", "list", "set", [1], [1]),
        hostile("R", "set", "list", [1], [1]),
        hostile("R", "list", "list", [1], [[1]]),
        hostile("R", "list", "list", [0] * (MAX_NODES + 1), []),
        hostile("??"),
        msgspec.msgpack.encode({"rt": 1}),
        msgspec.msgpack.encode(["rt", 1, {"a": 1}]),
        msgspec.msgpack.encode(["op", 1, "call", 0, "", [[], [], []], []]),
        msgspec.msgpack.encode(["rt", 1, msgspec.msgpack.Ext(1, b"x")]),
        msgspec.msgpack.encode(["rt", 1, 1, 1]),
    ],
    ids=range(51),
)  # fmt: skip
def test_malformed_frames(header: bytes) -> None:
    refused(header, bytes(32))


def test_deep_nodes_are_refused() -> None:
    node: Any = 1
    for _ in range(200):
        node = ["l", "list", [node]]
    refused(hostile(*node))


def test_lengths_are_bounded() -> None:
    for header, payload in ((wire.MAX_HEADER + 1, 0), (0, wire.MAX_PAYLOAD + 1), (2**32 - 1, 2**64 - 1)):
        with pytest.raises(WireError):
            wire.lengths(struct.pack("<IQ", header, payload))


def test_nested_claims_cost_nothing() -> None:
    """Arrays within arrays, each claiming all that is left: refused before anything is reserved."""
    count = 4 << 20
    claim = b"\xdd" + struct.pack(">I", count - 10_000)
    nested = b"\x93\xa2rt\x01" + b"".join([b"\x93\xa1l\xa4list" + claim] * 300) + b"\xc0" * count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (256 << 20), hard))
    try:
        began = time.monotonic()
        refused(nested)
        assert time.monotonic() - began < 1
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_values_may_not_share_their_bytes() -> None:
    """One payload told a thousand times would fill the memory."""
    once = ["T", "float32", [4], 0, 16, False]
    for node in (once, ["n", "list", "q", 0, 16], ["P", 0, 16]):
        assert (
            Decoder(bytearray(16), lambda n: n).value(
                wire.unpack_from_child(hostile(*node)).value  # type: ignore[union-attr]
            )
            is not None
        )
        refused(hostile("l", "list", [node, node]), bytes(16))


def test_numbers_are_counted_over_the_whole_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("encode", "decode"):
        monkeypatch.setattr(f"autograder.remote.{module}.MAX_NUMBERS", 100)
    assert there_and_back([[1] * 50, [2] * 50])
    with pytest.raises(WireError, match="more than 100 numbers"):
        there_and_back([[1] * 50, [2] * 51])
    monkeypatch.setattr("autograder.remote.encode.MAX_NUMBERS", 1000)
    with pytest.raises(WireError, match="wrong size"):
        there_and_back([[1] * 50, [2] * 51])


PRIME = 2**61 - 1  # the modulus of Python's integer hash: its multiples have one hash


def colliding(number: int) -> list[Any]:
    return ["i", (number * PRIME).to_bytes(16, "little")]


def test_names_are_given_once() -> None:
    """Two of one name, and a value for one of them, is a frame that breaks the format."""
    for names, values in ((["x", "x"], [1]), (["x", "x"], [1, 2]), (["x"], []), ([], [1]), (["x", "y"], [1])):
        with pytest.raises(WireError):
            Decoder(bytearray(), lambda node: node).arguments(wire.Arguments([], names, values))  # type: ignore[arg-type]


def test_colliding_keys_are_refused() -> None:
    keys = [i * PRIME for i in range(1, 2000)]
    for value in (set(keys[:200]), dict.fromkeys(keys[:200])):
        assert same(there_and_back(value), value)
    big = [colliding(i) for i in range(1, 2000)]
    refused(hostile("l", "set", big))
    refused(hostile("d", ["l", "list", big], ["L", "list", [0] * len(keys)]))


def test_neighbours_of_zero_may_collide() -> None:
    """-1 and -2 have one hash, and so have tuples of them: what an honest program may well give."""
    offsets = {(x, y, z): 0 for x in range(-9, 9) for y in range(-9, 9) for z in range(-9, 9)}
    assert same(there_and_back(offsets), offsets)
    assert same(there_and_back([offsets.keys() | set()] * 9), [set(offsets)] * 9)


@pytest.mark.parametrize(
    "key",
    [
        lambda i: colliding(i),
        lambda i: ["l", "tuple", [*range(60), colliding(i)]],
        lambda i: ["l", "tuple", ["x" * 4000, colliding(i)]],
        lambda i: ["l", "frozenset", [*map(colliding, range(1, 5)), colliding(100 + i)]],
    ],
    ids=["numbers", "long tuples", "long texts", "sets of colliding numbers"],
)
@pytest.mark.parametrize("form", ["sets", "dicts", "frozensets"])
def test_collisions_are_counted_over_the_whole_frame(key: Any, form: str) -> None:
    """Many sets, none of them large: each costs little, and all of them seconds."""
    keys = [key(i) for i in range(60)]
    one = {
        "sets": ["l", "set", keys],
        "dicts": ["d", ["l", "list", keys], ["L", "list", [0] * 60]],
        "frozensets": ["l", "frozenset", keys],
    }[form]
    decoded = Decoder(bytearray(), lambda node: node).value(wire.unpack_from_child(hostile(*one)).value)  # type: ignore[union-attr]
    assert len(decoded) == 60
    refused(hostile("l", "list", [one] * 100))


def test_chosen_numbers_cant_make_a_dict_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their hashes differ; yet each looks for its place along the whole way that the others have taken."""
    bits = 17
    size = 1 << bits
    way = [0]
    while len(way) < 0.45 * size:
        way.append((5 * way[-1] + 1) % size)
    taken = np.zeros(size, bool)
    taken[way] = True
    late = np.random.default_rng(0).integers(size, size << 10, 4_000_000)
    place, perturbed = late & (size - 1), late
    on_the_way = taken[place]
    for _ in range(8):
        perturbed = perturbed >> 5
        place = (place * 5 + 1 + perturbed) & (size - 1)
        on_the_way &= taken[place]
    keys = np.array([*way, *late[on_the_way][: size // 7]])
    honest = np.random.default_rng(1).integers(0, 1 << 60, len(keys))
    monkeypatch.setattr("autograder.remote.decode.HASHING_SECONDS", 0.3)  # without a limit it takes 4
    header = hostile("d", ["n", "list", "q", 0, 8 * len(keys)], ["L", "list", [0] * len(keys)])
    message = wire.unpack_from_child(header)
    assert Decoder(bytearray(honest.tobytes()), lambda n: n).value(message.value)  # type: ignore[union-attr]
    refused(header, keys.tobytes())


def test_large_frozensets_are_refused() -> None:
    """They can't be made bit by bit; of text they can be as large as anything."""
    texts = frozenset(map(str, range(60_000)))
    assert same(there_and_back(texts), texts)
    assert same(there_and_back(frozenset(range(40_000))), frozenset(range(40_000)))
    with pytest.raises(WireError):
        there_and_back([frozenset(range(30_000))] * 2)


def test_bools_are_bools() -> None:
    """A byte that is neither 0 nor 1 would compare unequal to both."""
    for tag in (["T", "bool", [4], 0, 4, False], ["A", "bool", [4], 0, 4]):
        message = wire.unpack_from_child(hostile(*tag))
        assert isinstance(message, wire.Returned)
        value = Decoder(bytearray(b"\x00\x01\x02\xff"), lambda node: node).value(message.value)
        raw = value.view(torch.uint8) if isinstance(value, torch.Tensor) else value.view(np.uint8)
        assert raw.tolist() == [0, 1, 1, 1]
