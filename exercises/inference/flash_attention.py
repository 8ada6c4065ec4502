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
# # Safe softmax, online softmax, FlashAttention
#
# `inference/flash_attention` · 90 minutes · difficulty 4/5 · [lesson](../../course/inference/flash_attention.md)

# %% [markdown] lang="zh"
# # FlashAttention：Safe softmax 与分块流程
#
# `inference/flash_attention` · 90 分钟 · 难度 4/5 · [讲义](../../course/inference/flash_attention.zh.md)

# %%
from autograder import check

# %% [markdown]
# FlashAttention gives exactly the result of ordinary attention, and never writes down the table of all scores.
#
# * Axes: `B` batch, `H` heads, `T` queries, `S` keys (and values), `D` the width of a head; none is 0.
# * Scores are scaled, $QK^\top / \sqrt{D}$, and lie between -10,000 and 10,000. Inputs are float32 or float64; all
#   results keep the dtype.
# * The *lse* of a query is the natural logarithm of its softmax denominator: $\ln \sum_j e^{s_j}$ over the scaled
#   scores that it sees. A query that sees nothing has the output 0 and the lse $-\infty$. No result holds NaN.
# * No graph of autograd is asked for.
#
# Not allowed: the library's softmax, logsumexp and attention in all their forms, and autograd. `torch.logaddexp`
# is allowed.

# %% [markdown] lang="zh"
# FlashAttention 的结果与普通注意力完全一致，却从不把整张分数表写出来。
#
# * 轴：`B` 批大小，`H` 头数，`T` 查询个数，`S` 键（和值）的个数，`D` 单个头的宽度，都不为 0。
# * 分数要缩放：$QK^\top / \sqrt{D}$，缩放后在 -10,000 到 10,000 之间。输入是 float32 或 float64，所有结果保持同样的 dtype。
# * 一个查询的 **lse** 是 softmax 分母的自然对数 $\ln \sum_j e^{s_j}$，对它看得到的缩放分数求和。什么都看不到的查询，输出为 0，lse 为 $-\infty$。结果里不能有 NaN。
# * 结果不必带自动求导的计算图。
#
# 不许调用：库里各种形式的 softmax、logsumexp 和注意力，以及自动求导。`torch.logaddexp` 可以用。

# %%
import math

import torch
from torch import Tensor

# %% [markdown]
# ## 1. Safe softmax of one block
#
# Hidden scores are `-inf`; a row may hold nothing else.

# %% [markdown] lang="zh"
# ## 1. 一块键上的 safe softmax
#
# 看不到的位置分数是 `-inf`；一行也可能全是 `-inf`。

# %%
def attend_block(scores: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Attention over one block of keys: a partial result.

    Args:
        scores: [..., T, S], scaled and masked already; finite or -inf.
        values: [..., S, D].

    Returns:
        Output [..., T, D] and lse [..., T].

    Source: Milakov and Gimelshein 2018 (arXiv:1805.02867), algorithm 2.
    """
    raise NotImplementedError("attend_block")

# %%
check("inference/flash_attention")

# %% [markdown]
# ## 2. Merge
#
# The same queries have attended to two disjoint sets of keys. Find the result for all these keys. One part, or both,
# may have seen nothing.

# %% [markdown] lang="zh"
# ## 2. 合并
#
# 同一批查询分别看了两组互不重叠的键。由这两份部分结果，可以推出一次看完所有键的结果。其中一份可能什么都没看到，两份都没看到也有可能。

# %%
def merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
    """Join two partial results of attention.

    Args:
        out_a, out_b: outputs [..., T, D].
        lse_a, lse_b: their lses [..., T].

    Returns:
        Output [..., T, D] and lse [..., T] over the keys of both.
    """
    raise NotImplementedError("merge")

# %%
check("inference/flash_attention")

# %% [markdown]
# ## 3. Forward, tile by tile
#
# Queries are cut into tiles of `block_q`, keys and values into tiles of `block_k`; the last ones may be smaller. For
# each query tile, go through the key tiles with a running result. FlashAttention-2 carries maximum, sum and numerator
# and divides once, at the end; calling `merge` is fine, too.
#
# * **Memory.** Besides tensors of the size of `q`, `k` and `v` there is room for a few tiles
#   `[B, H, block_q, block_k]`. Tests allow 64 MiB, less than one float32 matrix `[T, S]`. `block_q` may be as large as
#   `T`.
# * **Causal.** Query `i` sees the keys `j <= i`. A tile wholly above the diagonal isn't touched: NaN in it does no harm.

# %% [markdown] lang="zh"
# ## 3. 分块前向
#
# 查询按 `block_q` 个一块切开，键和值按 `block_k` 个一块切开；最后一块可以小一些。对每个查询块，逐个走过键块，边走边更新结果。FlashAttention-2 随身带着最大值、和、以及还没做除法的分子，最后只除一次；调用 `merge` 来写也可以。
#
# * **内存。** 除了和 `q`、`k`、`v` 一样大的张量，只放得下几个 `[B, H, block_q, block_k]` 大小的块。测试的上限是 64 MiB，连一个 float32 的 `[T, S]` 矩阵都放不下。`block_q` 可能和 `T` 一样大。
# * **因果。** 查询 `i` 看得到 `j <= i` 的键。整个落在对角线上方的块碰都不碰：里面就算是 NaN 也没有影响。

# %%
def flash_forward(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, block_q: int, block_k: int
) -> tuple[Tensor, Tensor]:
    """Exact attention that never holds all scores.

    Args:
        q, k, v: queries [B, H, T, D], keys and values [B, H, S, D].
        causal: whether query i sees the keys j <= i alone.
        block_q, block_k: queries and keys of a tile, at least 1.

    Returns:
        Output [B, H, T, D] and lse [B, H, T].

    Raises:
        ValueError: causal, and T differs from S (libraries disagree on the diagonal).

    Source: Dao 2023 (arXiv:2307.08691), algorithm 1.
    """
    raise NotImplementedError("flash_forward")

# %%
check("inference/flash_attention")

# %% [markdown]
# ## 4. What it saves
#
# A GPU computes in a small fast memory on its chip; large tensors live outside, in HBM. Count, for one head, `T = S` and
# no mask, the **elements** read from HBM and written to it.
#
# * *Plain* attention is three kernels: scores, weights (softmax), output. Each reads its inputs once from HBM and
#   writes its result once.
# * *Tiled*, as in question 3: every query tile is read once; for each of them all keys and all values are read once;
#   its rows of output and lse are written once.

# %% [markdown] lang="zh"
# ## 4. 省了多少
#
# GPU 在芯片上又小又快的内存里计算；大张量放在芯片外面的 HBM（显存）里。设只有一个头，`T = S`，没有掩码，数一数从 HBM 读出和写回的**元素个数**。
#
# * **普通**注意力是三个内核：分数、权重（softmax）、输出。每个内核把输入从 HBM 读一遍，把结果写回 HBM 一遍。
# * **分块**，就像第 3 问：每个查询块读一遍；每有一个查询块，所有的键和值都要读一遍；它的输出和 lse 各写一遍。

# %%
def hbm_traffic(num_tokens: int, head_dim: int, block_q: int) -> tuple[int, int]:
    """Elements that the forward pass moves between HBM and the chip.

    Args:
        num_tokens: T = S.
        head_dim: D.
        block_q: queries of a tile; the last may hold fewer.

    Returns:
        Elements of plain attention, elements of tiled attention.

    Source: the model of Dao et al. 2022 (arXiv:2205.14135), section 3.2.
    """
    raise NotImplementedError("hbm_traffic")

# %%
check("inference/flash_attention")

# %% [markdown]
# ## 5. Backward, without the matrix (optional)
#
# The weights were never kept. From the lse any tile of them is made anew, already divided:
# $P_{ij} = e^{s_{ij} - \mathrm{lse}_i}$. With $dO$ the gradient of the output,
#
# $$dV = P^\top dO, \qquad dP = dO\, V^\top, \qquad dS_{ij} = P_{ij}\, (dP_{ij} - \delta_i), \qquad \delta_i = \textstyle\sum_d dO_{id}\, O_{id}$$
#
# where $dS$ belongs to the scaled scores; the step from there to $q$ and $k$ is yours. Tiles, mask and memory as in
# question 3, loops as you like.

# %% [markdown] lang="zh"
# ## 5. 反向：同样不要那张矩阵（选做）
#
# 权重从没留下来。有了 lse，任何一块权重都能重新算出，而且已经除好：$P_{ij} = e^{s_{ij} - \mathrm{lse}_i}$。设 $dO$ 是输出的梯度，则
#
# $$dV = P^\top dO, \qquad dP = dO\, V^\top, \qquad dS_{ij} = P_{ij}\, (dP_{ij} - \delta_i), \qquad \delta_i = \textstyle\sum_d dO_{id}\, O_{id}$$
#
# 这里的 $dS$ 是对缩放之后的分数而言；从它到 $q$ 和 $k$ 的那一步由你来推。分块、掩码和内存上限与第 3 问相同，循环的次序随你。

# %%
def flash_backward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    lse: Tensor,
    grad_output: Tensor,
    causal: bool,
    block_q: int,
    block_k: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of attention, the weights computed anew.

    Args:
        q, k, v, causal, block_q, block_k: as in flash_forward; T = S where causal.
        output, lse: what flash_forward gave, [B, H, T, D] and [B, H, T].
        grad_output: gradient of the output [B, H, T, D].

    Returns:
        The gradients of q, k and v, in their shapes.

    Source: Dao 2023 (arXiv:2307.08691), algorithm 2.
    """
    raise NotImplementedError("flash_backward")

# %%
check("inference/flash_attention")
