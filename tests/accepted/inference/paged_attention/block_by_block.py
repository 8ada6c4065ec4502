"""A set of free blocks; tokens go in block by block; attention keeps a running softmax, as the kernels do."""

import math

import torch
from torch import Tensor


class BlockAllocator:
    def __init__(self, num_blocks: int) -> None:
        self._free = set(range(num_blocks))
        self._counts: dict[int, int] = {}

    def allocate(self) -> int:
        try:
            block = min(self._free)
        except ValueError:
            raise ValueError("all blocks are in use") from None
        self._free.remove(block)
        self._counts[block] = 1
        return block

    def share(self, block: int) -> None:
        if block in self._free:
            raise ValueError("nobody holds this block")
        self._counts[block] += 1

    def release(self, block: int) -> None:
        if block in self._free:
            raise ValueError("nobody holds this block")
        if self._counts[block] == 1:
            del self._counts[block]
            self._free.add(block)
        else:
            self._counts[block] -= 1

    def count(self, block: int) -> int:
        return self._counts.get(block, 0)

    def num_free(self) -> int:
        return len(self._free)


class PagedCache:
    def __init__(self, allocator: BlockAllocator, keys: Tensor, values: Tensor) -> None:
        self.allocator = allocator
        self.keys, self.values = keys.clone(), values.clone()
        self.tables: dict[str, list[int]] = {}
        self.lengths: dict[str, int] = {}

    def start(self, name: str) -> None:
        self.tables.update({name: []})
        self.lengths.update({name: 0})

    def _must_copy(self, name: str) -> bool:
        slots = len(self.tables[name]) * self.keys.shape[1]
        return self.lengths[name] < slots and self.allocator.count(self.tables[name][-1]) >= 2

    def append(self, name: str, k: Tensor, v: Tensor) -> None:
        if name not in self.tables:
            raise KeyError(name)
        block_size = self.keys.shape[1]
        room = len(self.tables[name]) * block_size - self.lengths[name]
        needed = math.ceil(max(0, k.shape[0] - room) / block_size) + self._must_copy(name)
        if needed > self.allocator.num_free():
            raise ValueError(f"{needed} blocks needed, {self.allocator.num_free()} free")
        while len(k):
            taken = self._fill_one_block(name, k, v)
            k, v = k[taken:], v[taken:]

    def _fill_one_block(self, name: str, k: Tensor, v: Tensor) -> int:
        block_size, table = self.keys.shape[1], self.tables[name]
        first = self.lengths[name] % block_size
        if first == 0:
            table.append(self.allocator.allocate())
        elif self._must_copy(name):
            shared = table.pop()
            table.append(self.allocator.allocate())
            self.keys[table[-1]].copy_(self.keys[shared])
            self.values[table[-1]].copy_(self.values[shared])
            self.allocator.release(shared)
        taken = min(block_size - first, len(k))
        self.keys[table[-1], first : first + taken] = k[:taken]
        self.values[table[-1], first : first + taken] = v[:taken]
        self.lengths[name] += taken
        return taken

    def fork(self, parent: str, child: str) -> None:
        if parent not in self.tables:
            raise KeyError(parent)
        self.tables[child] = [*self.tables[parent]]
        self.lengths[child] = self.lengths[parent]
        for block in self.tables[child]:
            self.allocator.share(block)

    def free(self, name: str) -> None:
        if name not in self.tables:
            raise KeyError(name)
        while self.tables[name]:
            self.allocator.release(self.tables[name].pop())
        self.tables.pop(name)
        self.lengths.pop(name)

    def table(self, name: str) -> list[int]:
        return list(self.tables[name])

    def length(self, name: str) -> int:
        return int(self.lengths[name])


def _attend(query: Tensor, keys: Tensor, values: Tensor, table: list[int], length: int) -> Tensor:
    """One sequence in float64: query [H_kv, group, D] -> [H_kv, group, D]."""
    largest = torch.full(query.shape[:2], -math.inf, dtype=torch.float64)
    total = torch.zeros(query.shape[:2], dtype=torch.float64)
    output = torch.zeros(query.shape, dtype=torch.float64)
    left = length
    for block in table:
        k = keys[block][:left].double()  # [slots, H_kv, D]
        v = values[block][:left].double()
        left -= len(k)
        scores = torch.einsum("kgd,skd->kgs", query.double(), k) / math.sqrt(query.shape[-1])
        new_largest = torch.maximum(largest, scores.amax(dim=-1))
        shrink = (largest - new_largest).exp()
        powers = (scores - new_largest[..., None]).exp()
        total = total * shrink + powers.sum(dim=-1)
        output = output * shrink[..., None] + torch.einsum("kgs,skd->kgd", powers, v)
        largest = new_largest
    return output / total[..., None]


def paged_attention(
    q: Tensor, keys: Tensor, values: Tensor, tables: list[list[int]], lengths: list[int]
) -> Tensor:
    result = torch.empty_like(q)
    for n, (table, length) in enumerate(zip(tables, lengths, strict=True)):
        query = q[n].unflatten(0, (keys.shape[2], -1))
        result[n] = _attend(query, keys, values, table, length).flatten(0, 1)
    return result


def empty_slots(tables: dict[str, list[int]], lengths: dict[str, int], block_size: int) -> int:
    held = {block for table in tables.values() for block in table}
    tokens = {
        (table[t // block_size], t % block_size)
        for name, table in tables.items()
        for t in range(lengths[name])
    }
    return len(held) * block_size - len(tokens)
