# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: lang,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # PagedAttention: block tables and copy-on-write
#
# `inference/paged_attention` · 75 minutes · difficulty 3/5 · [lesson](../../course/inference/paged_attention.md)

# %% [markdown] lang="zh"
# # PagedAttention：块表与写时复制
#
# `inference/paged_attention` · 75 分钟 · 难度 3/5 · [讲义](../../course/inference/paged_attention.zh.md)

# %%
from autograder import check

# %% [markdown]
# A server keeps keys and values of many sequences, and nobody knows how long each will become. **PagedAttention**
# cuts the memory into blocks of `block_size` tokens, hands them out one by one, and lets sequences share them.
#
# **Conventions of this file**
#
# * The *pool* is two tensors, `keys` and `values`, `[num_blocks, block_size, H_kv, D]` each.
# * Every sequence has a *block table*, a list of block numbers: its token `t` is in block `table[t // block_size]`,
#   slot `t % block_size`. A table has just as many blocks as the tokens need.
# * Which free block you take is up to you.
# * A slot without a token holds anything, even NaN or infinity. No result depends on it.
# * No gradients are asked for.

# %% [markdown] lang="zh"
# 推理服务要同时保留许多条序列的键和值，而谁也不知道每条会写多长。**PagedAttention** 把内存切成能放 `block_size` 个词元的小块，用一块发一块，还允许几条序列共用同一块。
#
# **本文件的约定**
#
# * *块池*是两个张量 `keys` 和 `values`，形状都是 `[num_blocks, block_size, H_kv, D]`。
# * 每条序列有一张*块表*，即块号的列表：第 `t` 个词元在第 `table[t // block_size]` 块的第 `t % block_size` 个槽位。表里的块数正好够放它的词元，不多不少。
# * 空闲的块取哪一个，由你决定。
# * 没有词元的槽位里什么都可能有，包括 NaN 和无穷大。任何结果都不能受它影响。
# * 不要求梯度。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor

# %% [markdown]
# ## 1. Blocks and their counts
#
# The count of a block says how many tables hold it; 0 means that it is free.

# %% [markdown] lang="zh"
# ## 1. 块与引用计数
#
# 块的计数表示有几张块表里有它。计数为 0 的块是空闲的。

# %%
class BlockAllocator:
    """Hands out the numbers of blocks and counts who holds them."""

    def __init__(self, num_blocks: int) -> None:
        """All blocks, 0 to num_blocks - 1, are free."""
        raise NotImplementedError("BlockAllocator.__init__")

    def allocate(self) -> int:
        """Take a free block. Its count is now 1.

        Returns:
            Its number.

        Raises:
            ValueError: none is free.
        """
        raise NotImplementedError("BlockAllocator.allocate")

    def share(self, block: int) -> None:
        """One table more holds this block: its count grows by 1.

        Raises:
            ValueError: the block is free.
        """
        raise NotImplementedError("BlockAllocator.share")

    def release(self, block: int) -> None:
        """One table fewer holds this block: its count falls by 1. At 0 it can be handed out again.

        Raises:
            ValueError: the block is free already. Nothing has changed.
        """
        raise NotImplementedError("BlockAllocator.release")

    def count(self, block: int) -> int:
        """How many tables hold this block; 0 if it is free."""
        raise NotImplementedError("BlockAllocator.count")

    def num_free(self) -> int:
        """How many blocks are free."""
        raise NotImplementedError("BlockAllocator.num_free")

# %%
check("inference/paged_attention")

# %% [markdown]
# ## 2. Append and fork
#
# * `append` fills the last block first, and takes a fresh one behind a full one.
# * After a `fork` two sequences hold the same blocks, also the last, partly filled one. While another sequence holds
#   that block, nobody writes into it: the writer's table gets a **copy** in its place, and the old block's count falls
#   by one. No other case copies anything.
# * You are never given a name twice, nor that of a freed sequence again; there is nothing to check.
# * An error comes before anything has changed: tables, lengths, counts, tokens.

# %% [markdown] lang="zh"
# ## 2. 追加与分叉
#
# * `append` 先填最后一块，填满了才取新块。
# * `fork` 之后，两条序列持有相同的块，没填满的最后一块也共用。只要还有别的序列持有这一块，谁都不许往里写：要写的一方在自己的块表里换上一份**副本**，旧块的计数减一。其他情况一律不复制。
# * 同一个名字不会给你两次，已释放的名字也不会再用；无须检查。
# * 报错要赶在任何改动之前：块表、长度、计数、词元都保持原样。

# %%
class PagedCache:
    """The keys and values of many sequences, in blocks of one pool."""

    def __init__(self, allocator: BlockAllocator, keys: Tensor, values: Tensor) -> None:
        """A cache without sequences.

        Args:
            allocator: use the five methods of question 1 only; the tests bring their own. All its blocks are free.
            keys, values: the pool. The attributes `keys` and `values` give it back as it is now.
        """
        raise NotImplementedError("PagedCache.__init__")

    def start(self, name: str) -> None:
        """Begin a sequence without tokens; its table is empty."""
        raise NotImplementedError("PagedCache.start")

    def append(self, name: str, k: Tensor, v: Tensor) -> None:
        """Store new tokens behind those of a sequence.

        Args:
            name: of the sequence.
            k, v: keys and values of T >= 1 new tokens, [T, H_kv, D], of the pool's dtype.

        Raises:
            KeyError: no such sequence: never started, or freed.
            ValueError: too few free blocks for all T tokens, the copy included.

        Source: Kwon et al. 2023, https://arxiv.org/abs/2309.06180, sections 4.3 and 4.4.
        """
        raise NotImplementedError("PagedCache.append")

    def fork(self, parent: str, child: str) -> None:
        """Begin a sequence with the tokens of another one, in the same blocks.

        Raises:
            KeyError: no such parent.
        """
        raise NotImplementedError("PagedCache.fork")

    def free(self, name: str) -> None:
        """Forget a sequence. It holds no block any more.

        Raises:
            KeyError: no such sequence.
        """
        raise NotImplementedError("PagedCache.free")

    def table(self, name: str) -> list[int]:
        """The block table of a sequence. KeyError if there is none."""
        raise NotImplementedError("PagedCache.table")

    def length(self, name: str) -> int:
        """The number of its tokens. KeyError if there is no such sequence."""
        raise NotImplementedError("PagedCache.length")

# %%
check("inference/paged_attention")

# %% [markdown]
# ## 3. Attention through the table
#
# One decoding step for N sequences. Each has one query, that of its newest token, which is in the pool already: the
# query sees all tokens of its sequence. Scores are scaled by $1/\sqrt{D}$. Query head $h$ of $H$ reads KV head
# $\lfloor h \cdot H_{kv} / H \rfloor$. You may call `F.scaled_dot_product_attention`.

# %% [markdown] lang="zh"
# ## 3. 通过块表做注意力
#
# 为 N 条序列各走一个解码步。每条序列只有一个查询，来自它最新的词元；这个词元已经在块池里，所以查询看得到本序列的全部词元。分数乘以 $1/\sqrt{D}$。$H$ 个查询头中的第 $h$ 个，读第 $\lfloor h \cdot H_{kv} / H \rfloor$ 个 KV 头。可以调用 `F.scaled_dot_product_attention`。

# %%
def paged_attention(
    q: Tensor, keys: Tensor, values: Tensor, tables: list[list[int]], lengths: list[int]
) -> Tensor:
    """The newest token of each sequence attends to its sequence.

    Args:
        q: one query for each sequence [N, H, D]; H is a multiple of H_kv.
        keys, values: the pool, of the dtype of q.
        tables: N block tables.
        lengths: N numbers of tokens, all at least 1.

    Returns:
        The output of attention [N, H, D].

    Source: Kwon et al. 2023, section 4.1, equation 4.
    """
    raise NotImplementedError("paged_attention")

# %%
check("inference/paged_attention")

# %% [markdown]
# ## 4. What is left empty
#
# Count the slots without a token in the blocks that are in use. A block that several tables share holds the same tokens
# for all of them, and is there once. For each sequence fewer than `block_size` slots stay empty, however long it may
# become.

# %% [markdown] lang="zh"
# ## 4. 还空着多少
#
# 数一数：用着的块里，有多少槽位没有词元。几张块表共用的块，对它们来说装的词元都相同，而且只有一份，只数一次。分页之后，不管序列以后会写多长，每条空着的槽位都不到 `block_size` 个。

# %%
def empty_slots(tables: dict[str, list[int]], lengths: dict[str, int], block_size: int) -> int:
    """Slots that are taken from the pool and hold no token.

    Args:
        tables: name of a sequence -> its block table, perhaps an empty one.
        lengths: name of a sequence -> number of its tokens.
        block_size: slots of one block.
    """
    raise NotImplementedError("empty_slots")

# %%
check("inference/paged_attention")
