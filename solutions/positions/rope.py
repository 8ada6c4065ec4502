# %% [markdown]
# A dot product does not know where its two vectors stand. Rotary position embedding (RoPE) tells it by **turning**: the
# query of position $i$ is turned by $i$ steps, the key of position $j$ by $j$ steps, and their dot product then knows
# $i - j$. Columns turn in pairs, each pair at its own speed. You write the speeds, the turn in both layouts that
# checkpoints use, the conversion between them, and the score that depends on the distance alone.
#
# * Of the $D$ columns of a head the first $R$ (`rotary_dim`) turn, and the rest pass through unchanged.
# * `layout` says which columns make pair $i$, with $i$ from 0 to $R/2 - 1$. `"half"`: columns $i$ and $i + R/2$ (GPT-NeoX,
#   LLaMA on Hugging Face). `"interleaved"`: columns $2i$ and $2i + 1$ (GPT-J, LLaMA's own code). Columns stay in their
#   places: the result has the layout of the input.

# %% [markdown] lang="zh"
# 点积不知道它的两个向量站在哪里。旋转位置编码（RoPE）靠**旋转**告诉它：位置 $i$ 的查询转 $i$ 步，位置 $j$ 的键转 $j$ 步，两者的点积就知道了 $i - j$。各列两两成对，每一对有自己的转速。本题要写的是：各对的转速、两种布局下的旋转（公开的权重里两种都有）、两种布局之间的转换，以及只由距离决定的分数。
#
# * 一个头有 $D$ 列，只有前 $R$ 列（`rotary_dim`）旋转，其余各列原样通过。
# * `layout` 规定第 $i$ 对由哪两列组成，$i$ 从 0 到 $R/2 - 1$。`"half"`：第 $i$ 列与第 $i + R/2$ 列（GPT-NeoX，以及 Hugging Face 上的 LLaMA）。`"interleaved"`：第 $2i$ 列与第 $2i + 1$ 列（GPT-J，以及 LLaMA 的原始代码）。各列的位置不动：结果与输入的布局相同。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. One speed for each pair
#
# Pair $i$ turns by $\theta_i = \text{theta}^{-2i/R}$ radians at each position: the first pair by a whole radian, the last
# by a tiny angle.

# %% [markdown] lang="zh"
# ## 1. 每一对各有转速
#
# 位置每加 1，第 $i$ 对转过 $\theta_i = \text{theta}^{-2i/R}$ 弧度：第一对每步整整转 1 弧度，最后一对几乎不动。


# %%
def rope_frequencies(head_dim: int, rotary_dim: int | None = None, theta: float = 10000.0) -> Tensor:
    """Angle by which each pair turns at one step.

    Args:
        head_dim: D, columns of a head.
        rotary_dim: R, how many of them turn; None: all.
        theta: the base.

    Returns:
        [R / 2] float32, in radians.

    Raises:
        ValueError: R is odd, smaller than 2 or larger than D.

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 15 (which counts from 1).
    """
    # BEGIN SOLUTION
    rotary_dim = head_dim if rotary_dim is None else rotary_dim
    if rotary_dim % 2 or not 2 <= rotary_dim <= head_dim:
        raise ValueError(f"rotary_dim must be even, from 2 to {head_dim}, not {rotary_dim}")
    return theta ** (-torch.arange(0, rotary_dim, 2) / rotary_dim)
    # END SOLUTION


# %% [markdown]
# ## 2. The turn
#
# With $\varphi = \text{position} \cdot \theta_i$, the pair $(a, b)$ becomes
#
# $$(a \cos\varphi - b \sin\varphi, \quad a \sin\varphi + b \cos\varphi)$$
#
# Positions are given: during generation with a KV cache they don't start at 0, and with padding every row of the batch
# has its own. $R$ is twice the number of frequencies. Compute angles, cosines and sines in float32 whatever the dtype of
# `x`: bfloat16 can't tell position 256 from 257.

# %% [markdown] lang="zh"
# ## 2. 旋转
#
# 记 $\varphi = \text{position} \cdot \theta_i$，一对数 $(a, b)$ 变为
#
# $$(a \cos\varphi - b \sin\varphi, \quad a \sin\varphi + b \cos\varphi)$$
#
# 位置由参数给出：用 KV 缓存生成时，位置不从 0 开始；有填充时，批次里每一行的位置各不相同。$R$ 等于频率个数的两倍。无论 `x` 是什么 dtype，角度、余弦和正弦都用 float32 计算：bfloat16 分不清位置 256 和 257。


# %%
def apply_rope(x: Tensor, positions: Tensor, frequencies: Tensor, layout: str) -> Tensor:
    """Turn the queries, or the keys, of all heads by their positions.

    Args:
        x: [B, H, T, D].
        positions: [T] for all rows, or [B, T], int64; may be negative.
        frequencies: [R / 2] float32.
        layout: "half" or "interleaved".

    Returns:
        [B, H, T, D], dtype of x.

    Raises:
        ValueError: another layout.

    Example: frequency pi / 2 at position 1 turns the pair (1, 2) into (-2, 1).

    Source: Su et al. 2021, equations 13 to 15.
    """
    # BEGIN SOLUTION
    if layout not in ("half", "interleaved"):
        raise ValueError(f"layout must be 'half' or 'interleaved', not {layout!r}")
    angles = positions.float().unsqueeze(-1) * frequencies
    if positions.ndim == 2:
        angles = angles.unsqueeze(1)  # [B, 1, T, R / 2]: the same for all heads
    cos, sin = angles.cos(), angles.sin()
    rotary_dim = 2 * frequencies.numel()
    turning, rest = x[..., :rotary_dim], x[..., rotary_dim:]
    # The columns as a table: its columns are the pairs of "half", its rows those of "interleaved".
    table, members = ((2, -1), -2) if layout == "half" else ((-1, 2), -1)
    a, b = turning.unflatten(-1, table).unbind(members)
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=members).flatten(-2)
    return torch.cat((turned.to(x.dtype), rest), dim=-1)
    # END SOLUTION


# %% [markdown]
# ## 3. From one layout to the other
#
# A checkpoint whose projections were trained in one layout gives nonsense in the other. Reorder the output rows of its
# query and key projections, and it works again: all scores stay as they were. Head $h$ owns the rows $hD$ to
# $(h + 1)D - 1$.

# %% [markdown] lang="zh"
# ## 3. 从一种布局到另一种
#
# 按一种布局训练的权重，放到另一种布局里，输出就是胡言乱语。把查询和键的投影矩阵的输出行重新排序，就又能用了：所有分数都和原来一样。第 $h$ 个头拥有第 $hD$ 到第 $(h + 1)D - 1$ 行。


# %%
def convert_layout(weight: Tensor, num_heads: int, rotary_dim: int, to: str) -> Tensor:
    """Reorder a query or key projection for the other layout.

    Args:
        weight: [H * D, C], or its bias [H * D].
        num_heads: H.
        rotary_dim: R; within each head the rows from R on stay.
        to: layout of the result, "half" or "interleaved"; `weight` has the other one.

    Returns:
        The shape of weight.

    Raises:
        ValueError: another layout.

    Example: one head, R = 6, to "half": rows 0 2 4 1 3 5 in this order.
    """
    # BEGIN SOLUTION
    if to not in ("half", "interleaved"):
        raise ValueError(f"to must be 'half' or 'interleaved', not {to!r}")
    rows = torch.arange(rotary_dim)
    order = rows.reshape(-1, 2).T if to == "half" else rows.reshape(2, -1).T
    heads = weight.reshape(num_heads, -1, *weight.shape[1:])
    reordered = torch.cat((heads[:, order.flatten()], heads[:, rotary_dim:]), dim=1)
    return reordered.reshape(weight.shape)
    # END SOLUTION


# %% [markdown]
# ## 4. Only the distance counts
#
# Turning both vectors further by the same angle changes nothing between them. So no positions are needed to know their
# score, only their distance $i - j$. Return the score of one query and one key at several distances: the dot product,
# not scaled, of `q` turned to position $i$ and `k` turned to position $j$.

# %% [markdown] lang="zh"
# ## 4. 只看距离
#
# 两个向量再同时转过同一个角度，它们之间什么也不变。所以要知道分数，不需要位置，只需要距离 $i - j$。求同一个查询和同一个键在若干个距离上的分数，也就是转到位置 $i$ 的 `q` 与转到位置 $j$ 的 `k` 的点积，不缩放。


# %%
def relative_scores(q: Tensor, k: Tensor, distances: Tensor, frequencies: Tensor, layout: str) -> Tensor:
    """Score of a query and a key as a function of their distance.

    Args:
        q, k: [B, H, D], not yet turned.
        distances: [N] int64, query position minus key position: positive where the key stands before the query.
        frequencies, layout: as in `apply_rope`.

    Returns:
        [B, H, N].

    Example: frequency pi / 2, q (1, 0), k (0, 1): distances 0, 1 and -1 give 0, 1 and -1.

    Source: Su et al. 2021, equation 16.
    """
    # BEGIN SOLUTION
    at_distance = q.unsqueeze(2).expand(-1, -1, distances.numel(), -1)
    turned = apply_rope(at_distance, distances, frequencies, layout)
    return (turned * k.unsqueeze(2)).sum(dim=-1)
    # END SOLUTION
