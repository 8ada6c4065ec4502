"""Public tests of inference/paged_attention: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close


class FiveBlocks:
    """An allocator for these tests, so that they don't need yours: it gives 4, 1, 3, 0, 2 and takes nothing back."""

    __remote__ = ("allocate", "share", "release", "count", "num_free")

    def __init__(self):
        self.coming, self.given = [4, 1, 3, 0, 2], {}

    def allocate(self):
        number = self.coming.pop(0)
        self.given[number] = 1
        return number

    def share(self, number):
        self.given[number] += 1

    def release(self, number):
        self.given[number] -= 1

    def count(self, number):
        return self.given.get(number, 0)

    def num_free(self):
        return len(self.coming)


def column(*numbers):
    """Tokens of one head of width 1: [T, 1, 1]."""
    return torch.tensor(numbers).view(-1, 1, 1)


def new_cache(student):
    """Five blocks of two slots, one head of width 1."""
    return student.PagedCache(FiveBlocks(), torch.zeros(5, 2, 1, 1), torch.zeros(5, 2, 1, 1))


def read(cache, name):
    """The values of a sequence, found through its table."""
    table, values = cache.table(name), cache.values
    return [float(values[table[t // 2], t % 2]) for t in range(cache.length(name))]


@pytest.mark.points(1)
def test_two_blocks_by_hand(student):
    """Of two blocks, one is shared: it is free after its second release, and a third one is a ValueError.

    zh: 共两块，其中一块被共用：第二次释放后才空闲，第三次释放抛出 ValueError。
    """
    allocator = student.BlockAllocator(2)
    block = allocator.allocate()
    assert sorted([block, allocator.allocate()]) == [0, 1]
    allocator.share(block)
    assert (allocator.count(block), allocator.num_free()) == (2, 0)
    allocator.release(block)
    assert (allocator.count(block), allocator.num_free()) == (1, 0)
    allocator.release(block)
    assert (allocator.count(block), allocator.num_free()) == (0, 1)
    with pytest.raises(ValueError):
        allocator.release(block)
    assert allocator.allocate() == block


@pytest.mark.points(1)
def test_three_tokens_in_blocks_of_two(student):
    """Three tokens need two blocks of two slots, wherever these are; a fourth needs no other.

    zh: 每块两个槽位，三个词元要两块，块在哪里都行；第四个词元不必再占新块。
    """
    cache = new_cache(student)
    cache.start("a")
    cache.append("a", column(0.1, 0.2, 0.3), column(1.0, 2.0, 3.0))
    assert read(cache, "a") == [1.0, 2.0, 3.0]
    cache.append("a", column(0.4), column(4.0))
    assert read(cache, "a") == [1.0, 2.0, 3.0, 4.0]
    assert len(cache.table("a")) == 2


@pytest.mark.points(2)
def test_siblings_go_their_own_ways(student):
    """After a fork, parent and child append different tokens, and each reads its own.

    zh: 分叉之后，父子各追加不同的词元，各自读到自己的。
    """
    cache = new_cache(student)
    cache.start("parent")
    cache.append("parent", column(0.1, 0.2, 0.3), column(1.0, 2.0, 3.0))
    cache.fork("parent", "child")
    cache.append("child", column(0.5), column(50.0))
    cache.append("parent", column(0.4), column(40.0))
    assert read(cache, "child") == [1.0, 2.0, 3.0, 50.0]
    assert read(cache, "parent") == [1.0, 2.0, 3.0, 40.0]
    assert cache.table("child")[0] == cache.table("parent")[0], "the full block is still shared"


@pytest.mark.points(1)
def test_mean_through_the_table(student):
    """A query of zero likes all keys equally: its output is the mean of its sequence's values, and of nothing else.

    zh: 查询为 0 时对所有键一视同仁：输出就是本序列各个值的平均，不掺别的。
    """
    values = torch.tensor([[9.0, 700.0], [500.0, 500.0], [1.0, 2.0], [4.0, 8.0]]).view(4, 2, 1, 1)
    q, keys = torch.zeros(2, 1, 1), torch.zeros(4, 2, 1, 1)
    output = student.paged_attention(q, keys, values, [[2, 0], [3]], [3, 2])
    assert_close(output, torch.tensor([4.0, 6.0]).view(2, 1, 1))


@pytest.mark.points(1)
def test_empty_slots_by_hand(student):
    """Blocks of four: six tokens leave two slots empty, and a fork of them adds none.

    zh: 每块四个槽位：六个词元空出两个槽位，再分叉一条也不会多空。
    """
    assert student.empty_slots({"a": [3, 1]}, {"a": 6}, 4) == 2
    assert student.empty_slots({"a": [3, 1], "b": [3, 1], "c": [0]}, {"a": 6, "b": 6, "c": 4}, 4) == 2
