"""Hidden tests of inference/paged_attention."""

import math
import random
from collections import Counter

import pytest
import torch

from autograder.testing import assert_close, for_student, kv_oracle

SIZE = 4  # slots of a block of the cache
H_KV, D = 2, 3


class Lender:
    """An allocator with right counts that hands out blocks in no order, so that question 2 needs no answer to 1."""

    __remote__ = ("allocate", "share", "release", "count", "num_free")

    def __init__(self, num_blocks):
        self.idle = random.Random(num_blocks).sample(range(num_blocks), num_blocks)
        self.holders = Counter()

    def allocate(self):
        if not self.idle:
            raise for_student(ValueError("none is left"))
        number = self.idle.pop()
        self.holders[number] = 1
        return number

    def share(self, number):
        self._must_be_held(number)
        self.holders[number] += 1

    def release(self, number):
        self._must_be_held(number)
        self.holders[number] -= 1
        self.idle += [number] * (self.holders[number] == 0)

    def count(self, number):
        return self.holders[number]

    def num_free(self):
        return len(self.idle)

    def _must_be_held(self, number):
        if self.holders[number] < 1:
            raise for_student(ValueError(f"nobody holds {number}"))


class Served:
    """The student's cache, and beside it what it has to hold: the tokens of each sequence in one piece."""

    def __init__(self, student, num_blocks):
        self.lender, self.num_blocks = Lender(num_blocks), num_blocks
        stale = torch.full((num_blocks, SIZE, H_KV, D), math.nan)
        self.cache = student.PagedCache(self.lender, stale, stale.clone())
        self.tokens = {}

    def start(self, name, length=0):
        self.cache.start(name)
        self.tokens[name] = torch.empty(2, 0, H_KV, D)
        if length:
            self.append(name, length)

    def append(self, name, count):
        new = torch.randn(2, H_KV, count, D).transpose(1, 2)  # as a layer gives them: not contiguous
        self.cache.append(name, *new)
        self.tokens[name] = torch.cat([self.tokens[name], new], dim=1)

    def fork(self, parent, child):
        self.cache.fork(parent, child)
        self.tokens[child] = self.tokens[parent]

    def free(self, name):
        self.cache.free(name)
        del self.tokens[name]

    def state(self):
        """The tables and the lengths of all sequences, and the counts."""
        tables = {name: list(self.cache.table(name)) for name in self.tokens}
        return tables, {name: self.cache.length(name) for name in self.tokens}, +self.lender.holders

    def check(self, books=True):
        """Every sequence reads its own tokens through its table, and, if asked, the counts are those of the tables."""
        tables, lengths, holders = self.state()
        pools = self.cache.keys, self.cache.values
        assert lengths == {name: pair.shape[1] for name, pair in self.tokens.items()}
        for name, pair in self.tokens.items():
            table = tables[name]
            assert len(table) == math.ceil(pair.shape[1] / SIZE), f"blocks of {name}"
            assert all(number in range(self.num_blocks) for number in table)
            for pool, expected in zip(pools, pair, strict=True):
                found = [pool[table[t // SIZE], t % SIZE] for t in range(len(expected))]
                assert_close(torch.stack(found) if found else expected, expected, message=f"tokens of {name}")
        if books:
            assert holders == Counter(number for table in tables.values() for number in table), "counts"
            assert len(holders) + self.lender.num_free() == self.num_blocks


def scattered(lengths, h_kv, width, size, stale, dtype=torch.float32):
    """A pool in which the blocks of the sequences lie in no order, its tables, and each sequence in one piece."""
    needed = [math.ceil(length / size) for length in lengths]
    order = random.Random(7).sample(range(sum(needed) + 3), sum(needed))
    assert order != sorted(order)
    pools = torch.full((2, sum(needed) + 3, size, h_kv, width), stale, dtype=dtype)
    tables, pieces = [], []
    for length, blocks in zip(lengths, needed, strict=True):
        table, order = order[:blocks], order[blocks:]
        piece = torch.randn(2, length, h_kv, width, dtype=dtype)
        for t in range(length):
            pools[:, table[t // size], t % size] = piece[:, t]
        tables.append(table)
        pieces.append(piece.transpose(1, 2))
    return *pools, tables, pieces


def expected_attention(q, pieces):
    return torch.stack(
        [kv_oracle(query[:, None], *piece)[:, 0] for query, piece in zip(q, pieces, strict=True)]
    )


@pytest.mark.points(1)
@pytest.mark.parametrize("num_blocks", [1, 2, 7])
def test_each_block_goes_out_once(student, num_blocks):
    """Each block is handed out once; when none is left, that is a ValueError, and what is released comes again.

    zh: 每个块只发一次；发完了就抛出 ValueError，释放的块可以再发。
    """
    allocator = student.BlockAllocator(num_blocks)
    assert allocator.num_free() == num_blocks
    assert [allocator.count(block) for block in range(num_blocks)] == [0] * num_blocks
    blocks = []
    for left in reversed(range(num_blocks)):
        blocks.append(allocator.allocate())
        assert allocator.count(blocks[-1]) == 1
        assert allocator.num_free() == left
    assert sorted(blocks) == list(range(num_blocks))
    for block in (blocks[0], blocks[-1]):
        with pytest.raises(ValueError):
            allocator.allocate()
        allocator.release(block)
        assert (allocator.num_free(), allocator.count(block)) == (1, 0)
        assert allocator.allocate() == block
        assert (allocator.num_free(), allocator.count(block)) == (0, 1)


@pytest.mark.points(1)
def test_counts_of_holders(student):
    """A block is free when its last holder has released it; to release or share a free block is a ValueError.

    zh: 最后一个持有者释放之后，块才空闲；释放或共用一个空闲块都抛出 ValueError。
    """
    allocator = student.BlockAllocator(3)
    block, other = allocator.allocate(), allocator.allocate()
    for count in (2, 3):
        allocator.share(block)
        assert allocator.count(block) == count
    assert allocator.num_free() == 1
    for count, free in [(2, 1), (1, 1), (0, 2)]:
        allocator.release(block)
        assert (allocator.count(block), allocator.num_free()) == (count, free)
    assert allocator.count(other) == 1
    for refused in (allocator.release, allocator.share, allocator.release):
        with pytest.raises(ValueError):
            refused(block)
        assert (allocator.count(block), allocator.num_free()) == (0, 2)
    assert sorted([allocator.allocate(), allocator.allocate(), other]) == [0, 1, 2]


@pytest.mark.points(1)
@pytest.mark.parametrize("cuts", [(3, 1, 1, 4), (4, 5), (1, 1, 1, 1, 1), (11,)])
def test_tokens_are_found_by_their_table(student, cuts):
    """Each sequence finds its tokens through its table, in no more blocks than they need.

    zh: 每条序列都能通过块表找到自己的词元，用的块不多不少。
    """
    served = Served(student, 9)
    served.start("first")
    served.start("second", 2)
    for count in cuts:
        served.append("first", count)
        served.append("second", 1)
    served.check(books=False)
    tables = served.state()[0]
    assert not set(tables["first"]) & set(tables["second"])


@pytest.mark.points(1)
@pytest.mark.parametrize("length", [7, 5, 0, 4])
def test_nothing_copied_in_vain(student, length):
    """A block that one sequence alone holds is never copied, a fork takes no block, and a full block is never copied.

    zh: 只有一条序列持有的块不会被复制；分叉不占新块；填满的块也不会被复制。
    """
    served = Served(student, 7)
    served.start("parent", length)
    own, free = served.state()[0]["parent"], served.lender.num_free()
    served.append("parent", 1)
    table, left = served.state()[0]["parent"], served.lender.num_free()
    assert table[: len(own)] == own
    assert left == free - (length % SIZE == 0)
    served.fork("parent", "child")
    assert served.state()[0] == {"parent": table, "child": table}
    assert served.lender.num_free() == left
    if length == 7:
        served.append("child", 1)
        assert served.state()[0]["child"][:2] == table
        assert served.lender.num_free() == left - 1
    served.check(books=False)


@pytest.mark.points(2)
@pytest.mark.parametrize("length", [7, 1, 6])
@pytest.mark.parametrize("writer, sibling", [("child", "parent"), ("parent", "child")])
def test_copy_when_shared(student, writer, sibling, length):
    """The first of a fork to append gets a copy of the partly filled block, the other keeps the old block for itself.

    zh: 分叉后先追加的一方得到未满块的副本，另一方独占旧块，词元不变。
    """
    served = Served(student, 6)
    served.start("parent", length)
    served.fork("parent", "child")
    before = served.state()[0][sibling]
    served.append(writer, 1)
    tables, _, holders = served.state()
    assert tables[sibling] == before
    assert tables[writer][:-1] == before[:-1]
    assert tables[writer][-1] != before[-1]
    assert holders[before[-1]] == holders[tables[writer][-1]] == 1
    served.append(sibling, 1)
    assert served.state()[0] == {writer: tables[writer], sibling: before}
    served.check(books=False)


@pytest.mark.points(1)
@pytest.mark.parametrize(
    "lengths, writer, too_many, freed, fits",
    [
        ({"a": 0}, "a", 17, None, 16),
        ({"a": 8, "b": 7}, "a", 1, "b", 8),
        ({"a": 6, "b": 8}, "fork of a", 1, "b", 2),
        ({"a": 6, "b": 3}, "fork of a", 3, None, 2),
        ({"a": 8}, "fork of a", 9, None, 8),  # its last block is full: nothing is copied
    ],
)
def test_too_few_blocks(student, lengths, writer, too_many, freed, fits):
    """Tokens for which there are too few blocks, a copy included, are a ValueError before anything has changed.

    zh: 空闲块不够放下全部新词元（连同副本）时抛出 ValueError，此前什么都没有改变。
    """
    served = Served(student, 4)
    for name, length in lengths.items():
        served.start(name, length)
    served.fork("a", "fork of a")
    if writer == "a":
        served.free("fork of a")
    before = served.state()
    with pytest.raises(ValueError):
        served.append(writer, too_many)
    assert served.state() == before
    served.check(books=False)
    if freed:
        served.free(freed)
    served.append(writer, fits)
    served.check(books=False)


@pytest.mark.points(1)
@pytest.mark.parametrize("freed, kept", [("parent", "child"), ("child", "parent")])
def test_freed_sequence(student, freed, kept):
    """Freeing one of a fork leaves the other its tokens and blocks; a freed sequence is a KeyError like one that never was.

    zh: 释放分叉中的一条，另一条的词元和块都不受影响；已释放的序列和从未有过的一样，抛出 KeyError。
    """
    served = Served(student, 8)

    def append_one(name):
        served.append(name, 1)

    def fork_one(name):
        served.fork(name, "new")

    served.start("parent", 10)
    served.fork("parent", "child")
    if freed == "child":
        served.append("child", 4)
    served.free(freed)
    served.check(books=False)
    assert served.lender.num_free() == 8 - len(served.state()[0][kept])
    for operation in (append_one, fork_one, served.free, served.cache.table, served.cache.length):
        for gone in (freed, "never"):
            with pytest.raises(KeyError):
                operation(gone)
            served.check(books=False)
    with pytest.raises(KeyError):
        served.cache.length("new")
    with pytest.raises(KeyError):
        served.cache.table("new")
    own = served.state()[0][kept]
    served.append(kept, 1)
    assert served.state()[0][kept] == own, "its last block has room, and is its own"
    served.check(books=False)
    served.free(kept)
    assert served.lender.num_free() == 8


@pytest.mark.points(2)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_books_balance(student, seed):
    """After any operations each count is the number of tables with that block, and free and used blocks add up.

    zh: 无论做过哪些操作，每块的计数都等于含有它的块表数，空闲块与在用块加起来正好是全部。
    """
    rng, served = random.Random(seed), Served(student, 11)
    served.start("s0")
    done = Counter()
    for step in range(1, 50):
        names = list(served.tokens)
        operation = rng.choice(["append"] * 4 + ["fork", "fork", "free", "start"]) if names else "start"
        name = rng.choice(names or [""])
        if operation == "append":
            count, (tables, lengths, holders) = rng.choice([1, 1, 2, 5]), served.state()
            fresh = math.ceil((lengths[name] + count) / SIZE) - math.ceil(lengths[name] / SIZE)
            shared = lengths[name] % SIZE != 0 and holders[tables[name][-1]] > 1
            done[f"append, {'shared' if shared else 'own'}"] += 1
            if fresh + shared > served.lender.num_free():
                done["refused"] += 1
                with pytest.raises(ValueError):
                    served.append(name, count)
            else:
                served.append(name, count)
        elif operation == "fork":
            served.fork(name, f"s{step}")
        elif operation == "free":
            served.free(name)
        else:
            served.start(f"s{step}")
        served.check()
    assert len(done) == 3, "the operations of this seed meet every case"


@pytest.mark.points(2)
@pytest.mark.parametrize(
    "lengths, H, h_kv, width, size, dtype",
    [
        ([8, 4, 12], 6, 2, 5, 4, torch.float32),
        ([3, 6], 4, 4, 7, 3, torch.float64),
        ([2, 1, 5], 3, 1, 1, 1, torch.float32),
        ([16, 33], 12, 3, 8, 16, torch.bfloat16),
    ],
)
def test_paged_as_in_one_piece(student, lengths, H, h_kv, width, size, dtype):
    """Each query head gets what attention over its KV head, with the sequence in one piece, would give.

    zh: 每个查询头得到的结果，与把序列放在一整块连续内存里、对相应 KV 头做注意力时相同。
    """
    keys, values, tables, pieces = scattered(lengths, h_kv, width, size, 0.0, dtype)
    q = torch.randn(H, len(lengths), width, dtype=dtype).transpose(0, 1)
    q = q * 100 if dtype == torch.float32 else q  # scores whose exponentials overflow
    assert_close(student.paged_attention(q, keys, values, tables, lengths), expected_attention(q, pieces))


@pytest.mark.points(1)
@pytest.mark.parametrize("stale", [3.0, math.nan, math.inf, -math.inf])
def test_slots_behind_the_end(student, unchanged, stale):
    """Slots without a token change no result, whatever they hold, and are left as they are.

    zh: 没有词元的槽位里不管是什么，都不影响结果，也不会被改动。
    """
    lengths = [5, 1, 4, 7, 3]
    keys, values, tables, pieces = scattered(lengths, 2, 3, 4, stale)
    q = torch.randn(5, 2, 3)
    found = student.paged_attention(q, keys, values, tables, lengths)
    assert_close(found, expected_attention(q, pieces))
    if math.isfinite(stale):
        assert unchanged(student.paged_attention, q, keys, values, tables, lengths)


@pytest.mark.points(1)
def test_empty_slots_of_shared_blocks(student):
    """A block that several tables hold is counted once; a full block has no empty slot.

    zh: 几张块表共用的块只数一次；填满的块没有空槽位。
    """
    for tables, lengths, size, expected in [
        ({"a": [5, 2], "b": [5, 2], "c": [0]}, {"a": 6, "b": 6, "c": 1}, 4, 2 + 3),
        ({"a": [5, 2], "b": [5, 2, 7], "c": [5, 2]}, {"a": 8, "b": 9, "c": 8}, 4, 3),
        ({"a": [3, 1], "b": [3, 4], "c": [3, 4]}, {"a": 7, "b": 9, "c": 9}, 5, 3 + 1),
        ({"a": [0, 1, 2], "b": [4]}, {"a": 3, "b": 1}, 1, 0),
        ({"a": [], "b": [9]}, {"a": 0, "b": 2}, 16, 14),
        ({}, {}, 4, 0),
    ]:
        assert student.empty_slots(tables, lengths, size) == expected
