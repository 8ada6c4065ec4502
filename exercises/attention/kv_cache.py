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
# # KV cache for autoregressive decoding
#
# `attention/kv_cache` · 50 minutes · difficulty 2/5 · [lesson](../../course/attention/kv_cache.md)

# %% [markdown] lang="zh"
# # KV Cache
#
# `attention/kv_cache` · 50 分钟 · 难度 2/5 · [讲义](../../course/attention/kv_cache.zh.md)

# %%
from autograder import check

# %% [markdown]
# A model that generates text reads its own past again at every step. The keys and values of the past never
# change, so they are computed once, and the *KV cache* keeps them. You write the cache of one attention layer,
# the step that adds one token, the pass that reads a long prompt chunk by chunk, and the size of it all.
#
# **Conventions of this file**
#
# * Axes: `B` batch, `H_kv` heads of keys and values, `D` width of one head, `T` new tokens, `S` all tokens in
#   the cache, the new ones included. In questions 2 and 3 each query head has keys and values of its own:
#   `H = H_kv`.
# * All sequences of a batch have the same number of tokens in the cache: its `length`. Token `j` is in slot `j`.
# * This is inference: no gradients are asked for.
#
# For the attention itself call `F.scaled_dot_product_attention(q, keys, values, attn_mask=...)`. In its boolean
# mask, too, **True means "may attend"**. Not allowed: `torch.nn.attention.bias.causal_lower_right`.

# %% [markdown] lang="zh"
# 模型生成文本时，每一步都要重读自己的过去。过去的键和值不会再变，所以只需算一次：**KV 缓存**把它们留下来。你要写的是：一个注意力层的缓存、每次加一个词元的解码步、把长提示词分块读完的预填充，以及这一切占多少内存。
#
# **本文件的约定**
#
# * 轴：`B` 批大小，`H_kv` 键和值的头数，`D` 单个头的宽度，`T` 新词元的个数，`S` 缓存里全部词元的个数（含新的）。第 2、3 问里每个查询头都有自己的键和值：`H = H_kv`。
# * 一个批次里各条序列在缓存中的词元数相同，就是缓存的 `length`。第 `j` 个词元在第 `j` 个槽位。
# * 这里只做推理，不要求梯度。
#
# 注意力本身请调用 `F.scaled_dot_product_attention(q, keys, values, attn_mask=...)`；它的布尔掩码同样是 **True 表示“可以看”**。不许调用 `torch.nn.attention.bias.causal_lower_right`。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor

# %% [markdown]
# ## 1. The cache
#
# Memory is taken once, when the cache is made, for `capacity` tokens. The tests read these attributes:
#
# | attribute | what it is |
# |---|---|
# | `keys`, `values` | the storage, `[B, H_kv, capacity, D]` each |
# | `length` | `int`, the number of slots that are filled, 0 at first |
#
# `append` writes the new tokens into the next free slots **of this storage**. It makes no other tensor of its
# size. Whatever stands in the free slots, even NaN, is never read.
#
# The tests also set `length` back, as a server does that takes back tokens it had only guessed: the later tokens
# are forgotten, and their slots are free again.

# %% [markdown] lang="zh"
# ## 1. 缓存
#
# 内存只在创建缓存时申请一次，够放 `capacity` 个词元。测试会读取下面这些属性：
#
# | 属性 | 内容 |
# |---|---|
# | `keys`、`values` | 存储，形状都是 `[B, H_kv, capacity, D]` |
# | `length` | `int`，已经填好的槽位数，起初为 0 |
#
# `append` 把新词元写进**这块存储**里接下来的空槽位，不再造一个同样大小的张量。空槽位里不管是什么，哪怕是 NaN，都绝不读取。
#
# 测试还会把 `length` 往回调，就像推理服务收回先前猜出来的词元：后面的词元从此作废，槽位重新空出来。

# %%
class KVCache:
    """Keys and values of the tokens that one attention layer has seen."""

    def __init__(
        self,
        batch_size: int,
        num_kv_heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Make an empty cache.

        Args:
            batch_size: B.
            num_kv_heads: H_kv.
            capacity: how many tokens fit.
            head_dim: D.
            dtype: of keys and values.
        """
        raise NotImplementedError("KVCache.__init__")

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store new tokens behind those that are there.

        Args:
            k: keys of T new tokens [B, H_kv, T, D], T >= 1, of the cache's dtype.
            v: their values, of the same shape.

        Returns:
            The keys and the values of all tokens so far, the new ones included: [B, H_kv, S, D] each.

        Raises:
            ValueError: the new tokens don't fit. The cache is as it was before.
        """
        raise NotImplementedError("KVCache.append")

# %%
check("attention/kv_cache")

# %% [markdown]
# ## 2. One token more
#
# This step runs for every generated token. The layer has computed query, key and value of the newest token
# alone. A token sees itself and all tokens before it.

# %% [markdown] lang="zh"
# ## 2. 再加一个词元
#
# 每生成一个词元都要走这一步。这一层只算了最新词元的查询、键和值，别的都没有重算。一个词元看得到自己和它之前的所有词元。

# %%
def decode_step(q: Tensor, k: Tensor, v: Tensor, cache: KVCache) -> Tensor:
    """Store one token in the cache and let it attend.

    Args:
        q: query of the newest token [B, H, 1, D].
        k: its key [B, H, 1, D].
        v: its value [B, H, 1, D].
        cache: the tokens before it, perhaps none; afterwards this one, too.

    Returns:
        The output of attention for this token [B, H, 1, D].

    Raises:
        ValueError: there is more than one new token. The cache is as it was before.
    """
    raise NotImplementedError("decode_step")

# %%
check("attention/kv_cache")

# %% [markdown]
# ## 3. A prompt, chunk by chunk
#
# A prompt's tokens are all known, so many can be read at once; not too many, since scores take memory. Take the
# tokens in chunks of `chunk_size` (the last may be smaller). Append one chunk, let it attend, then take the next.
#
# The cache may hold tokens before the first chunk: the earlier turns of a conversation. Query $i$ of a chunk
# stands at position $\mathrm{length} + i$, where length is that of the cache before this chunk, and sees the keys
#
# $$j \le \mathrm{length} + i$$

# %% [markdown] lang="zh"
# ## 3. 提示词分块读入
#
# 提示词的词元全都已知，所以可以一次读很多个；但也不能太多，因为分数要占内存。把词元按 `chunk_size` 个一块取出（最后一块可以小一些）：追加一块，让它做注意力，再取下一块。
#
# 第一块之前，缓存里可能已经有词元，比如对话的前几轮。一块里的第 $i$ 个查询位于 $\mathrm{length} + i$（length 是追加这一块之前缓存的长度），它看得到的键是
#
# $$j \le \mathrm{length} + i$$

# %%
def prefill(q: Tensor, k: Tensor, v: Tensor, cache: KVCache, chunk_size: int) -> Tensor:
    """Store the tokens of a prompt in the cache and let them attend, one chunk after the other.

    Args:
        q: queries of T new tokens [B, H, T, D], T >= 1.
        k: their keys [B, H, T, D].
        v: their values [B, H, T, D].
        cache: the tokens before them, perhaps none; afterwards these, too. All fit.
        chunk_size: how many tokens are taken at a time, at least 1.

    Returns:
        The output of attention for the new tokens [B, H, T, D].

    Source: Agrawal et al. 2023 (arXiv:2308.16369), section 4.
    """
    raise NotImplementedError("prefill")

# %%
check("attention/kv_cache")

# %% [markdown]
# ## 4. What it costs in memory
#
# Every layer has a cache of its own.

# %% [markdown] lang="zh"
# ## 4. 占多少内存
#
# 每一层都有自己的缓存。

# %%
def kv_cache_bytes(
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    capacity: int,
    batch_size: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> int:
    """The size of a model's whole KV cache.

    Args:
        num_layers: L.
        num_kv_heads: H_kv of each layer.
        head_dim: D.
        capacity: tokens for which each sequence has room.
        batch_size: B.
        dtype: of keys and values.

    Returns:
        Bytes.
    """
    raise NotImplementedError("kv_cache_bytes")

# %%
check("attention/kv_cache")
