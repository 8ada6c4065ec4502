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
# # Scaled dot-product attention
#
# `attention/scaled_dot_product` · 40 minutes · difficulty 2/5 · [lesson](../../course/attention/scaled_dot_product.md)

# %% [markdown] lang="zh"
# # 缩放点积注意力
#
# `attention/scaled_dot_product` · 40 分钟 · 难度 2/5 · [讲义](../../course/attention/scaled_dot_product.zh.md)

# %%
from autograder import check

# %% [markdown]
# Attention is a soft look-up. A *query* is compared with every *key*; the comparisons become weights that
# sum to one; the answer is the weighted mean of the *values*. You build a softmax that survives any logits,
# the two masks that every language model uses, and the attention function.
#
# **Conventions of this file**
#
# * Axes: `B` batch, `H` heads, `T` queries, `S` keys (and values), `d_k` the width of queries and keys,
#   `d_v` the width of values. `d_v` may differ from `d_k`, and `T` from `S`.
# * A mask is boolean, and **True means "may attend"**, as in
#   `torch.nn.functional.scaled_dot_product_attention`. (In `torch.nn.MultiheadAttention` True means "hidden".)
# * A query that may attend to nothing gets zero weights and a zero output, not NaN.
#
# Not allowed in your functions, because they are the exercise: the library's softmax and its relatives
# (log-softmax, softmin, logsumexp), functions that contain them, and its ready-made attention.
#
# Source: Vaswani et al. 2017, *Attention Is All You Need*, section 3.2.1,
# [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).

# %% [markdown] lang="zh"
# 注意力是一种“软”查表：拿一个**查询**（query）和每个**键**（key）比一比，把比较的结果变成和为 1 的权重，再用这些权重对**值**（value）做加权平均。你要写的是：不怕任何 logits 的 softmax、语言模型都要用的两种掩码，以及注意力函数本身。
#
# **本文件的约定**
#
# * 轴：`B` 批大小，`H` 头数，`T` 查询个数，`S` 键（和值）的个数，`d_k` 查询与键的维度，`d_v` 值的维度。`d_v` 可以不等于 `d_k`，`T` 可以不等于 `S`。
# * 掩码是布尔张量，**True 表示“可以看”**，与 `torch.nn.functional.scaled_dot_product_attention` 一致。（在 `torch.nn.MultiheadAttention` 里，True 表示“遮住”。）
# * 如果一个查询什么都不能看，它的权重和输出都是 0，而不是 NaN。
#
# 你的函数里不许调用（它们就是本题要你写的东西）：库里的 softmax 和它的近亲（log-softmax、softmin、logsumexp），含有它们的函数，以及现成的注意力。
#
# 出处：Vaswani 等，2017，*Attention Is All You Need*，3.2.1 节，[arXiv:1706.03762](https://arxiv.org/abs/1706.03762)。

# %%
import math

import torch
from torch import Tensor

# %% [markdown]
# ## 1. Stable softmax
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$
#
# along one axis, each slice for itself.
#
# * Finite logits of any size give finite weights that sum to one, as accurate as the dtype allows:
#   `[10000, 10001]` and `[-10001, -10000]` both give `[0.2689, 0.7311]`.
# * An entry of `-inf` gets weight 0.
# * A slice whose entries are all `-inf` gets zeros, and its gradient is zero: no NaN, forwards or
#   backwards. (The library gives NaN there.)

# %% [markdown] lang="zh"
# ## 1. 数值稳定的 softmax
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$
#
# 沿一个轴计算，该轴上的每一条切片各算各的。
#
# * 无论有限的 logits 有多大，权重都是有限值且和为 1，并且达到该 dtype 应有的精度：`[10000, 10001]` 与 `[-10001, -10000]` 都得到 `[0.2689, 0.7311]`。
# * `-inf` 的位置权重为 0。
# * 整条切片都是 `-inf` 时结果全为 0，梯度也为 0：前向、反向都不能出现 NaN。（库函数在这里给出 NaN。）

# %%
def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Softmax along one axis, safe for large logits and for slices that hold nothing but -inf.

    Args:
        x: logits, a float tensor of any shape; finite or -inf.
        dim: the axis along which the weights sum to one.

    Returns:
        Weights of the shape and dtype of `x`; zeros along a slice that is -inf throughout.
    """
    raise NotImplementedError("softmax")

# %%
check("attention/scaled_dot_product")

# %% [markdown]
# ## 2. Causal mask
#
# A position of a language model may read itself and what came before it, never what comes after.
#
# Key `j` stands at position `j`, query `i` at position `i + offset`. A query may attend to every key whose
# position is not later than its own. With `offset = 0` and `T = S` this is the familiar lower triangle. While
# generating with a cache, the queries are the newest tokens, and `offset` is the number of tokens before them.

# %% [markdown] lang="zh"
# ## 2. 因果掩码
#
# 语言模型的每个位置只能看自己和前面的内容，不能看后面的。
#
# 键 `j` 的位置是 `j`，查询 `i` 的位置是 `i + offset`；位置不晚于查询的键都可以看。`offset = 0` 且 `T = S` 时就是常见的下三角。带缓存生成时，查询是最新的词元，`offset` 就是它们前面已有的词元数。

# %%
def causal_mask(query_length: int, key_length: int, offset: int = 0) -> Tensor:
    """Which keys each query may attend to when nobody may look ahead.

    Args:
        query_length, key_length: T and S.
        offset: position of the first query.

    Returns:
        Boolean tensor [T, S], True where query i may attend to key j.
    """
    raise NotImplementedError("causal_mask")

# %%
check("attention/scaled_dot_product")

# %% [markdown]
# ## 3. Padding mask
#
# Sequences that are shorter than others of their batch are filled up at the end with padding, which nobody
# may read. The mask hides *keys*, for all heads and queries alike: its shape `[B, 1, 1, S]` broadcasts
# against scores `[B, H, T, S]`. A length of 0 hides the whole sequence.

# %% [markdown] lang="zh"
# ## 3. 填充掩码
#
# 一批序列长短不一，短的在末尾用填充补齐，填充的内容谁也不该读。这个掩码遮住的是**键**，对所有头、所有查询一视同仁：形状 `[B, 1, 1, S]` 可以和分数 `[B, H, T, S]` 广播。长度为 0 表示整条序列都被遮住。

# %%
def padding_mask(lengths: Tensor, key_length: int) -> Tensor:
    """Which keys are real tokens, in sequences that are padded at the end.

    Args:
        lengths: integer tensor [B], the number of real tokens of each sequence.
        key_length: S, the padded length.

    Returns:
        Boolean tensor [B, 1, 1, S], True where the key is a real token.

    Raises:
        ValueError: if a length is negative or greater than `key_length`.
    """
    raise NotImplementedError("padding_mask")

# %%
check("attention/scaled_dot_product")

# %% [markdown]
# ## 4. Scaled dot-product attention
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V$$
#
# Each row of the weights belongs to one query and sums to one over the keys that it may see; hidden keys have
# weight 0. Gradients flow back through the output and through the weights, and stay finite where a query may
# see nothing.
#
# * The leading axes of `q`, `k` and `v` broadcast as in `torch.matmul`, and `mask` to the weights.
# * A mask that isn't boolean is a `TypeError`: of zeros and ones nobody can tell which convention was meant.

# %% [markdown] lang="zh"
# ## 4. 缩放点积注意力
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V$$
#
# 权重的每一行属于一个查询，在它能看到的键上和为 1；看不到的键权重为 0。梯度能从输出和权重两处传回去；查询什么都看不到时，梯度也保持有限。
#
# * `q`、`k`、`v` 的前导轴按 `torch.matmul` 的规则广播，`mask` 广播到权重的形状。
# * 掩码不是布尔类型时抛出 `TypeError`：只看 0 和 1，谁也说不准用的是哪种约定。

# %%
def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attention of every query over all keys, and the weights that produced it.

    Args:
        q: queries, float tensor [..., T, d_k].
        k: keys, float tensor [..., S, d_k].
        v: values, float tensor [..., S, d_v].
        mask: boolean tensor that broadcasts to [..., T, S], True = may attend; None hides nothing.

    Returns:
        The output [..., T, d_v] and the weights [..., T, S].

    Raises:
        TypeError: if `mask` is given and isn't boolean.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), equation 1.
    """
    raise NotImplementedError("scaled_dot_product_attention")

# %%
check("attention/scaled_dot_product")
