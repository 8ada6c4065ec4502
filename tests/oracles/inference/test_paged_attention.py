"""The reference against PyTorch's grouped attention, and its cache against a dictionary of lists under any operations."""

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autograder.testing import assert_close, load_reference


@pytest.fixture(scope="module")
def ref():
    return load_reference("inference/paged_attention")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "lengths, H, H_kv, D, size",
    [
        ([15, 16, 17], 8, 2, 16, 16),
        ([1], 1, 1, 1, 1),
        ([4, 1, 9, 3], 6, 3, 5, 4),
        ([70, 33], 4, 1, 64, 8),
        ([2, 3], 3, 3, 7, 5),
    ],
)
def test_attention_is_that_of_contiguous_copies(ref, lengths, H, H_kv, D, size, dtype):
    torch.manual_seed(0)
    allocator = ref.BlockAllocator(40)
    stale = torch.full((40, size, H_kv, D), math.nan, dtype=dtype)
    cache = ref.PagedCache(allocator, stale, stale.clone())
    copies = [torch.randn(2, length, H_kv, D, dtype=dtype) for length in lengths]
    for name in range(len(lengths)):
        cache.start(str(name))
    for t in range(max(lengths)):  # the sequences grow in turn, so that their blocks are mixed
        for name, copy in enumerate(copies):
            if t < copy.shape[1]:
                cache.append(str(name), copy[0, t : t + 1], copy[1, t : t + 1])
    q = torch.randn(len(lengths), H, D, dtype=dtype)
    found = ref.paged_attention(q, cache.keys, cache.values, list(cache.tables.values()), lengths)
    for output, query, copy in zip(found, q, copies, strict=True):
        k, v = (each.transpose(0, 1)[None] for each in copy)
        expected = F.scaled_dot_product_attention(query[None, :, None], k, v, enable_gqa=True)
        assert_close(output, expected[0, :, 0])
    assert ref.empty_slots(cache.tables, cache.lengths, size) == sum(-length % size for length in lengths)


SIZE, BLOCKS = 3, 7
indices = st.integers(0, 1000)


class AgainstLists(RuleBasedStateMachine):
    """A sequence is a list of numbers; a token's key is its number, its value the negative."""

    def __init__(self):
        super().__init__()
        self.ref = load_reference("inference/paged_attention")
        self.allocator = self.ref.BlockAllocator(BLOCKS)
        stale = torch.full((BLOCKS, SIZE, 1, 1), math.nan)
        self.cache = self.ref.PagedCache(self.allocator, stale, stale.clone())
        self.lists: dict[str, list[int]] = {}
        self.named = self.written = 0

    def new_name(self):
        self.named += 1
        return f"s{self.named}"

    def some(self, index):
        return sorted(self.lists)[index % len(self.lists)]

    @rule()
    def start(self):
        name = self.new_name()
        self.cache.start(name)
        self.lists[name] = []

    @precondition(lambda self: self.lists)
    @rule(index=indices, count=st.integers(1, 8))
    def append(self, index, count):
        name = self.some(index)
        numbers = list(range(self.written, self.written + count))
        k = torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1)
        # The pool must hold the distinct contents of all blocks afterwards: those of the lists' pieces, each holder of a
        # partly filled piece that writes on its own.
        before = {key: list(table) for key, table in self.cache.tables.items()}
        try:
            self.cache.append(name, k, -k)
        except ValueError:
            table, length = before[name], len(self.lists[name])
            others = {block for key, blocks in before.items() if key != name for block in blocks}
            mine = len(table) - bool(length % SIZE and table[-1] in others)
            in_use = len(others | set(table[:mine]))
            assert in_use + math.ceil((length + count) / SIZE) - mine > BLOCKS
            assert self.cache.tables == before
        else:
            self.lists[name] = self.lists[name] + numbers
            self.written += count

    @precondition(lambda self: self.lists)
    @rule(index=indices)
    def fork(self, index):
        parent, child = self.some(index), self.new_name()
        self.cache.fork(parent, child)
        self.lists[child] = list(self.lists[parent])

    @precondition(lambda self: self.lists)
    @rule(index=indices)
    def free(self, index):
        name = self.some(index)
        self.cache.free(name)
        del self.lists[name]
        for call in (self.cache.free, lambda gone: self.cache.fork(gone, "never")):
            with pytest.raises(KeyError):
                call(name)

    @invariant()
    def each_reads_its_own(self):
        assert self.cache.lengths == {name: len(numbers) for name, numbers in self.lists.items()}
        slots = set()
        for name, numbers in self.lists.items():
            table = self.cache.tables[name]
            where = [(table[t // SIZE], t % SIZE) for t in range(len(numbers))]
            assert [int(self.cache.keys[place]) for place in where] == numbers
            assert [-int(self.cache.values[place]) for place in where] == numbers
            slots.update(where)
        held = {block for table in self.cache.tables.values() for block in table}
        empty = self.ref.empty_slots(self.cache.tables, self.cache.lengths, SIZE)
        assert empty == len(held) * SIZE - len(slots)
        assert empty <= (SIZE - 1) * len(self.lists)

    @invariant()
    def books_balance(self):
        holders = Counter(block for table in self.cache.tables.values() for block in table)
        assert [self.allocator.count(block) for block in range(BLOCKS)] == [holders[b] for b in range(BLOCKS)]
        assert self.allocator.num_free() == BLOCKS - len(holders)


TestAgainstLists = AgainstLists.TestCase
TestAgainstLists.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
