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
# # Add & Norm: post-norm, pre-norm, sandwich, DeepNorm
#
# `blocks/residual_placement` · 45 minutes · difficulty 2/5 · [lesson](../../course/blocks/residual_placement.md)

# %% [markdown] lang="zh"
# # Post-Norm、Pre-Norm、Sandwich-Norm 与 DeepNorm
#
# `blocks/residual_placement` · 45 分钟 · 难度 2/5 · [讲义](../../course/blocks/residual_placement.zh.md)

# %%
from autograder import check

# %% [markdown]
# A Transformer is a stack of *branches* (attention, feed-forward, attention, ...). Each adds its result to a
# *residual stream* $x$, and norms keep the numbers in range. You write the four placements of the norm and two
# formulas about them.
#
# | `placement` | for each branch $f$ | at the end |
# |---|---|---|
# | `"post"` | $x \leftarrow \mathrm{norm}(x + f(x))$ | |
# | `"pre"` | $x \leftarrow x + f(\mathrm{norm}(x))$ | $\mathrm{norm}(x)$ |
# | `"sandwich"` | $x \leftarrow x + \mathrm{norm}_2(f(\mathrm{norm}_1(x)))$ | $\mathrm{norm}(x)$ |
# | `"deepnorm"` | $x \leftarrow \mathrm{norm}(\alpha x + f(x))$ | |

# %% [markdown] lang="zh"
# Transformer 是一摞**分支**（注意力、前馈、注意力……）。每个分支把自己的结果加进**残差流** $x$，再由归一化把数值控制在合适的范围。你要写的是归一化的四种放法，以及与之有关的两个公式。
#
# | `placement` | 对每个分支 $f$ | 最后 |
# |---|---|---|
# | `"post"` | $x \leftarrow \mathrm{norm}(x + f(x))$ | |
# | `"pre"` | $x \leftarrow x + f(\mathrm{norm}(x))$ | $\mathrm{norm}(x)$ |
# | `"sandwich"` | $x \leftarrow x + \mathrm{norm}_2(f(\mathrm{norm}_1(x)))$ | $\mathrm{norm}(x)$ |
# | `"deepnorm"` | $x \leftarrow \mathrm{norm}(\alpha x + f(x))$ | |

# %%
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# %% [markdown]
# ## 1. The residual stack
#
# Branches and norms are given as functions (or modules). `norms` lists all norms **in the order in which the data
# meets them**, so that for `n` branches there are `n` (post, DeepNorm), `n + 1` (pre) or `2 n + 1` (sandwich).
#
# In training, dropout acts on each branch's output $f(\cdot)$ before anything else does. The random draw is given:
# `keep[i]` says which entries of branch `i` survive. These are divided by `1 - drop_prob`, the others become 0.
# Without `keep` nothing is dropped or scaled.

# %% [markdown] lang="zh"
# ## 1. 残差堆叠
#
# 分支和归一化都以函数（或模块）的形式给出。`norms` 按**数据经过的先后**列出全部归一化，所以 `n` 个分支要有 `n` 个（post、DeepNorm）、`n + 1` 个（pre）或 `2 n + 1` 个（sandwich）。
#
# 训练时，dropout 直接作用于每个分支的输出 $f(\cdot)$，先于其他一切处理。随机数已经替你抽好：`keep[i]` 标出分支 `i` 的哪些元素留下，留下的除以 `1 - drop_prob`，其余变成 0。不给 `keep` 时，既不丢弃，也不放大。

# %%
def residual_stack(
    x: Tensor,
    branches: Sequence[Callable[[Tensor], Tensor]],
    norms: Sequence[Callable[[Tensor], Tensor]],
    placement: str,
    alpha: float = 1.0,
    keep: Sequence[Tensor] | None = None,
    drop_prob: float = 0.0,
) -> Tensor:
    """Run the residual stream through all branches.

    Args:
        x: float tensor [B, T, C].
        branches: n functions, [B, T, C] to [B, T, C].
        norms: functions of the same kind, in order of use.
        placement: "post", "pre", "sandwich" or "deepnorm".
        alpha: factor of DeepNorm's skip; the other placements ignore it.
        keep: n boolean tensors [B, T, C], True = survives dropout; None outside training.
        drop_prob: the probability, below 1, with which entries were dropped.

    Returns:
        Tensor [B, T, C].

    Raises:
        ValueError: if the placement is unknown, or the number of norms doesn't fit it.

    Source: Vaswani et al. 2017, section 3.1 (post); Xiong et al. 2020, table 1 (pre); Ding et al. 2021, section 2.4
    (sandwich); Wang et al. 2022, figure 2 (DeepNorm).
    """
    raise NotImplementedError("residual_stack")

# %%
check("blocks/residual_placement")

# %% [markdown]
# ## 2. DeepNorm's constants
#
# DeepNorm makes the skip larger and some initial weights smaller. A decoder of $M$ layers, with two branches each, has
#
# $$\alpha = (2M)^{1/4}, \qquad \beta = (8M)^{-1/4}$$
#
# Initial weights are drawn by Xavier's rule with a *gain*: $\beta$ for both matrices of the feed-forward network, the
# values and the output projection of attention, 1 for queries and keys.

# %% [markdown] lang="zh"
# ## 2. DeepNorm 的两个常数
#
# DeepNorm 放大跳连，同时缩小一部分初始权重。一个 $M$ 层、每层两个分支的解码器取
#
# $$\alpha = (2M)^{1/4}, \qquad \beta = (8M)^{-1/4}$$
#
# 初始权重按 Xavier 规则抽取，乘上一个**增益**（gain）：前馈网络的两个矩阵、注意力的值投影和输出投影用 $\beta$，查询和键用 1。

# %%
def deepnorm_constants(num_layers: int) -> tuple[float, dict[str, float]]:
    """Alpha, and the gain of each weight matrix of a decoder.

    Args:
        num_layers: M, at least 1.

    Returns:
        alpha, and a dict from "q_proj", "k_proj", "v_proj", "out_proj", "up_proj" and "down_proj" (the last two are
        the feed-forward network's) to gains.

    Source: Wang et al. 2022 (arXiv:2203.00555), figure 2, decoder-only.
    """
    raise NotImplementedError("deepnorm_constants")

# %%
check("blocks/residual_placement")

# %% [markdown]
# ## 3. How far the stream grows
#
# Suppose that the stream starts with variance 1, and that every term added to it (by a branch, or by the sandwich's second
# norm) has variance 1 and is independent of the stream. How large is the stream behind `n` branches, before the norm of the
# table's column "at the end"? Every other norm gives variance 1.

# %% [markdown] lang="zh"
# ## 3. 残差流会长到多大
#
# 设残差流的初始方差为 1；每次加进来的那一项（来自分支，或 sandwich 的第二个归一化）方差为 1，且与残差流独立。经过 `n` 个分支之后，表中“最后”一列的归一化之前，残差流有多大？其余每个归一化的结果方差都是 1。

# %%
def residual_std(placement: str, num_branches: int) -> float:
    """Standard deviation of the stream behind the last branch, without the norm at the end.

    Args:
        placement: "post", "pre", "sandwich" or "deepnorm".
        num_branches: n, 0 or more.

    Raises:
        ValueError: if the placement is unknown.
    """
    raise NotImplementedError("residual_std")

# %%
check("blocks/residual_placement")
