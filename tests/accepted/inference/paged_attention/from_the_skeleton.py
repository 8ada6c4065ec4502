"""As solved from the skeleton alone."""

import torch
from torch import Tensor


class BlockAllocator:
    def __init__(self, num_blocks: int) -> None:
        self._counts = [0] * num_blocks
        self._free = list(range(num_blocks - 1, -1, -1))

    def allocate(self) -> int:
        if not self._free:
            raise ValueError("no free block")
        block = self._free.pop()
        self._counts[block] = 1
        return block

    def share(self, block: int) -> None:
        if self.count(block) == 0:
            raise ValueError(f"block {block} is free")
        self._counts[block] += 1

    def release(self, block: int) -> None:
        if self.count(block) == 0:
            raise ValueError(f"block {block} is free already")
        self._counts[block] -= 1
        if self._counts[block] == 0:
            self._free.append(block)

    def count(self, block: int) -> int:
        return self._counts[block]

    def num_free(self) -> int:
        return len(self._free)


class PagedCache:
    def __init__(self, allocator: BlockAllocator, keys: Tensor, values: Tensor) -> None:
        self.allocator = allocator
        self.keys = keys
        self.values = values
        self._tables: dict[str, list[int]] = {}
        self._lengths: dict[str, int] = {}

    def start(self, name: str) -> None:
        self._tables[name] = []
        self._lengths[name] = 0

    def append(self, name: str, k: Tensor, v: Tensor) -> None:
        table, old = self._tables[name], self._lengths[name]
        size = self.keys.shape[1]
        new = old + len(k)
        used = old % size  # tokens in the last block, 0 if that is full or there is none
        copy = used > 0 and self.allocator.count(table[-1]) > 1
        fresh = -(-new // size) - len(table)
        if fresh + copy > self.allocator.num_free():
            raise ValueError("too few free blocks")

        with torch.no_grad():
            if copy:
                source, target = table[-1], self.allocator.allocate()
                self.keys[target, :used] = self.keys[source, :used]
                self.values[target, :used] = self.values[source, :used]
                table[-1] = target
                self.allocator.release(source)
            for _ in range(fresh):
                table.append(self.allocator.allocate())
            places = torch.arange(old, new)
            blocks = torch.tensor(table)[places // size].to(self.keys.device)
            slots = (places % size).to(self.keys.device)
            self.keys[blocks, slots] = k
            self.values[blocks, slots] = v
        self._lengths[name] = new

    def fork(self, parent: str, child: str) -> None:
        table, length = list(self._tables[parent]), self._lengths[parent]
        for block in table:
            self.allocator.share(block)
        self._tables[child] = table
        self._lengths[child] = length

    def free(self, name: str) -> None:
        table = self._tables.pop(name)
        del self._lengths[name]
        for block in table:
            self.allocator.release(block)

    def table(self, name: str) -> list[int]:
        return list(self._tables[name])

    def length(self, name: str) -> int:
        return self._lengths[name]


def paged_attention(
    q: Tensor, keys: Tensor, values: Tensor, tables: list[list[int]], lengths: list[int]
) -> Tensor:
    H, D = q.shape[1:]
    wide = torch.promote_types(q.dtype, torch.float32)
    repeats = H // keys.shape[2]
    output = torch.empty_like(q)
    for n, (table, length) in enumerate(zip(tables, lengths, strict=True)):
        blocks = torch.tensor(table, dtype=torch.long, device=keys.device)
        # [blocks, size, H_kv, D] -> [H, length, D]; slots without a token never enter the sum
        k = keys[blocks].flatten(0, 1)[:length].transpose(0, 1).to(wide).repeat_interleave(repeats, dim=0)
        v = values[blocks].flatten(0, 1)[:length].transpose(0, 1).to(wide).repeat_interleave(repeats, dim=0)
        scores = (k @ q[n].to(wide).unsqueeze(-1)).squeeze(-1) / D**0.5
        weights = scores.softmax(-1)
        output[n] = (weights.unsqueeze(1) @ v).squeeze(1)
    return output


def empty_slots(tables: dict[str, list[int]], lengths: dict[str, int], block_size: int) -> int:
    filled: dict[int, int] = {}
    for name, table in tables.items():
        for i, block in enumerate(table):
            here = min(block_size, lengths[name] - i * block_size)
            filled[block] = max(filled.get(block, 0), here)
    return sum(block_size - here for here in filled.values())
