"""Blocks are taken first and given back where they don't suffice; sequences are padded to one length and masked."""

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor


class BlockAllocator:
    def __init__(self, num_blocks: int) -> None:
        self._num_blocks = num_blocks
        self._held: Counter[int] = Counter()

    def allocate(self) -> int:
        for block in range(self._num_blocks):
            if not self._held[block]:
                self._held[block] = 1
                return block
        raise ValueError("out of blocks")

    def share(self, block: int) -> None:
        if not self.count(block):
            raise ValueError("a free block has nobody to share it with")
        self._held[block] += 1

    def release(self, block: int) -> None:
        if not self.count(block):
            raise ValueError("double free")
        self._held[block] -= 1

    def count(self, block: int) -> int:
        return self._held[block]

    def num_free(self) -> int:
        return self._num_blocks - len(+self._held)


@dataclass
class _Sequence:
    table: list[int] = field(default_factory=list)
    length: int = 0


class PagedCache:
    def __init__(self, allocator: BlockAllocator, keys: Tensor, values: Tensor) -> None:
        self.allocator, self.keys, self.values = allocator, keys, values
        self.sequences: dict[str, _Sequence] = {}

    def table(self, name: str) -> list[int]:
        return self.sequences[name].table

    def length(self, name: str) -> int:
        return self.sequences[name].length

    def start(self, name: str) -> None:
        self.sequences[name] = _Sequence()

    def append(self, name: str, k: Tensor, v: Tensor) -> None:
        sequence = self.sequences[name]
        block_size = self.keys.size(1)
        filled = sequence.length % block_size
        kept = sequence.table
        if filled and self.allocator.count(kept[-1]) > 1:
            kept = kept[:-1]
        wanted = (sequence.length + k.size(0) + block_size - 1) // block_size
        new: list[int] = []
        try:
            while len(kept) + len(new) < wanted:
                new.append(self.allocator.allocate())
        except ValueError:
            for block in new:
                self.allocator.release(block)
            raise
        if len(kept) < len(sequence.table):
            old = sequence.table[-1]
            for pool in (self.keys, self.values):
                pool[new[0], :filled] = pool[old, :filled]
            self.allocator.release(old)
        sequence.table = kept + new
        slots = torch.arange(sequence.length, sequence.length + k.size(0))
        blocks = torch.tensor(sequence.table)[slots // block_size]
        self.keys[blocks, slots % block_size] = k
        self.values[blocks, slots % block_size] = v
        sequence.length += k.size(0)

    def fork(self, parent: str, child: str) -> None:
        source = self.sequences[parent]
        self.sequences[child] = _Sequence(source.table.copy(), source.length)
        for block in source.table:
            self.allocator.share(block)

    def free(self, name: str) -> None:
        for block in self.sequences.pop(name).table:
            self.allocator.release(block)


def paged_attention(
    q: Tensor, keys: Tensor, values: Tensor, tables: list[list[int]], lengths: list[int]
) -> Tensor:
    longest, block_size = max(lengths), keys.size(1)
    widest = max(map(len, tables))
    padded = torch.tensor([table + [0] * (widest - len(table)) for table in tables])
    t = torch.arange(longest)
    blocks, slots = padded[:, t // block_size], t % block_size
    real = (t < torch.tensor(lengths)[:, None])[:, :, None, None]  # [N, S, 1, 1]
    group = q.size(1) // keys.size(2)
    k, v = (
        torch.where(real, pool[blocks, slots], 0).repeat_interleave(group, dim=2) for pool in (keys, values)
    )
    scores = torch.einsum("nhd,nshd->nsh", q, k) * q.size(-1) ** -0.5
    weights = scores.masked_fill(~real[..., 0], float("-inf")).softmax(dim=1)
    return torch.einsum("nsh,nshd->nhd", weights, v)


def empty_slots(tables: dict[str, list[int]], lengths: dict[str, int], block_size: int) -> int:
    filled = {}
    for name, table in tables.items():
        for place, block in enumerate(table):
            filled[block] = min(block_size, lengths[name] - place * block_size)
    return sum(block_size - tokens for tokens in filled.values())
