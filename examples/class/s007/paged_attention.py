import torch
import torch.nn.functional as F
from torch import Tensor


class BlockAllocator:
    def __init__(self, num_blocks: int) -> None:
        self.counts = [0] * num_blocks
        self.unused = list(range(num_blocks))

    def allocate(self) -> int:
        if not self.unused:
            raise ValueError("no block is free")
        block = self.unused.pop()
        self.counts[block] = 1
        return block

    def share(self, block: int) -> None:
        if self.counts[block] == 0:
            raise ValueError(f"block {block} is free and can't be shared")
        self.counts[block] += 1

    def release(self, block: int) -> None:
        if self.counts[block] == 0:
            raise ValueError(f"block {block} is free already")
        self.counts[block] -= 1
        if self.counts[block] == 0:
            self.unused.append(block)

    def count(self, block: int) -> int:
        return self.counts[block]

    def num_free(self) -> int:
        return len(self.unused)


class PagedCache:
    def __init__(self, allocator: BlockAllocator, keys: Tensor, values: Tensor) -> None:
        self.allocator = allocator
        self.keys, self.values = keys, values
        self.tables: dict[str, list[int]] = {}
        self.lengths: dict[str, int] = {}

    def start(self, name: str) -> None:
        self.tables[name] = []
        self.lengths[name] = 0

    def append(self, name: str, k: Tensor, v: Tensor) -> None:
        blocks, length = self.tables[name], self.lengths[name]
        block_size = self.keys.shape[1]
        new_length = length + len(k)
        needed = -(-new_length // block_size) - len(blocks)
        if needed > self.allocator.num_free():
            raise ValueError(f"{len(k)} tokens need {needed} free blocks")
        blocks.extend(self.allocator.allocate() for _ in range(needed))
        for t in range(length, new_length):
            block, offset = blocks[t // block_size], t % block_size
            self.keys[block, offset] = k[t - length]
            self.values[block, offset] = v[t - length]
        self.lengths[name] = new_length

    def fork(self, parent: str, child: str) -> None:
        for block in self.tables[parent]:
            self.allocator.share(block)
        self.tables[child] = list(self.tables[parent])
        self.lengths[child] = self.lengths[parent]

    def free(self, name: str) -> None:
        for block in self.tables.pop(name):
            self.allocator.release(block)
        del self.lengths[name]

    def table(self, name: str) -> list[int]:
        return self.tables[name]

    def length(self, name: str) -> int:
        return self.lengths[name]


def paged_attention(
    q: Tensor, keys: Tensor, values: Tensor, tables: list[list[int]], lengths: list[int]
) -> Tensor:
    results = []
    for q_one, table, length in zip(q, tables, lengths, strict=True):
        k_seq = keys[table].flatten(0, 1)[:length].transpose(0, 1)  # [H_kv, length, D]
        v_seq = values[table].flatten(0, 1)[:length].transpose(0, 1)
        out = F.scaled_dot_product_attention(q_one[:, None], k_seq, v_seq, enable_gqa=True)
        results.append(out[:, 0])
    return torch.stack(results)


def empty_slots(tables: dict[str, list[int]], lengths: dict[str, int], block_size: int) -> int:
    tails = {table[-1]: lengths[name] for name, table in tables.items() if table}
    return sum(-length % block_size for length in tails.values())
