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
# # Speculative decoding
#
# `decoding/speculative` · 45 minutes · difficulty 3/5 · [lesson](../../course/decoding/speculative.md)

# %% [markdown] lang="zh"
# # 投机解码
#
# `decoding/speculative` · 45 分钟 · 难度 3/5 · [讲义](../../course/decoding/speculative.zh.md)

# %%
from autograder import check

# %% [markdown]
# A large *target* model takes one pass for each token that it writes. In *speculative decoding* a small *draft* model
# guesses the next γ tokens, and the target looks at all of them in **one** pass. Accepted tokens are kept, and their
# distribution is **exactly** the target's.
#
# * `target` and `draft` hold probabilities, after temperature and filters. Some may be 0. (Leviathan et al. write $p$ for the
#   target and $q$ for the draft, Chen et al. the reverse.)
# * Draws are uniform numbers in [0, 1). Tokens are drawn with `draw_token`, given below.

# %% [markdown] lang="zh"
# 大的**目标模型**（target）每写一个词元就要跑一遍。**投机解码**让一个小的**草稿模型**（draft）先猜出后面 γ 个词元，目标模型**跑一遍**就把它们全部审完。审过的留下，而且结果的分布与目标模型自己写出来的**完全相同**。
#
# * `target` 和 `draft` 都是概率，温度和过滤器已经作用过，其中可以有 0。（Leviathan 等用 $p$ 表示目标、$q$ 表示草稿，Chen 等正好相反。）
# * 随机数都是 [0, 1) 上的均匀数。抽词元请用下面给出的 `draw_token`。

# %%
from collections.abc import Callable

import torch
from torch import Tensor


# GIVEN draw_token
def draw_token(probabilities: Tensor, draw: float) -> int:
    """Given: the first token whose cumulative probability exceeds `draw`, in [0, 1); never one of probability 0.

    probabilities: [V], with the sum 1.
    """
    possible = probabilities.nonzero().flatten()
    passed = int((probabilities[possible].cumsum(0) <= draw).sum())
    return int(possible[min(passed, len(possible) - 1)])


# END GIVEN

# %% [markdown]
# ## 1. Accept or replace
#
# Take the drafted tokens in turn. Token $x_i$ with the draw $u_i$ is accepted if
#
# $$u_i \cdot \mathrm{draft}_i(x_i) < \mathrm{target}_i(x_i)$$
#
# * The first that isn't accepted ends the round. In its place comes one token from the *residual*
#   $\max(0, \mathrm{target}_i - \mathrm{draft}_i)$, divided by its sum.
# * If all are accepted, one *bonus* token follows, from the target's last row.

# %% [markdown] lang="zh"
# ## 1. 接受或替换
#
# 依次看每个草稿词元。第 $i$ 个词元 $x_i$ 配随机数 $u_i$，满足下式就接受：
#
# $$u_i \cdot \mathrm{draft}_i(x_i) < \mathrm{target}_i(x_i)$$
#
# * 遇到第一个不接受的，这一轮就结束。它的位置换成从**残差分布**里抽的一个词元：$\max(0, \mathrm{target}_i - \mathrm{draft}_i)$ 除以它自己的总和。
# * 如果全部接受，再从目标的最后一行抽一个词元，作为**奖励词元**（bonus）接在后面。

# %%
def verify(
    drafted: list[int], draft: Tensor, target: Tensor, draws: list[float], last_draw: float
) -> list[int]:
    """The tokens of one round: the accepted ones and one more.

    Args:
        drafted: γ tokens, γ >= 1.
        draft: [γ, V]; `drafted[i]` was drawn from row i.
        target: [γ + 1, V]; row i is the target's distribution in the place of `drafted[i]`, the last row that of the
            token after all of them.
        draws: γ, for the acceptance of each token.
        last_draw: for the replacement or the bonus.

    Returns: 1 to γ + 1 tokens.

    Raises:
        ValueError: `target` doesn't have γ + 1 rows.

    Source: Leviathan et al. 2023, https://arxiv.org/abs/2211.17192, algorithm 1; Chen et al. 2023,
    https://arxiv.org/abs/2302.01318, algorithm 2.
    """
    raise NotImplementedError("verify")

# %%
check("decoding/speculative")

# %% [markdown]
# ## 2. One round
#
# A model takes a list of T tokens and gives probabilities `[T, V]`: row t is about the token that follows token t.
#
# The draft model is asked γ times, each time with the prefix and all tokens drafted so far. Then the target is asked
# **once**. Question 1 gives the new tokens.

# %% [markdown] lang="zh"
# ## 2. 一轮
#
# 模型接收一个长 T 的词元列表，返回概率 `[T, V]`：第 t 行预测紧跟在第 t 个词元后面的那个词元。
#
# 草稿模型问 γ 次，每次都给它前缀和目前已有的全部草稿词元。然后目标模型**只问一次**。新词元由第 1 问得出。

# %%
def speculative_round(
    target_model: Callable[[list[int]], Tensor],
    draft_model: Callable[[list[int]], Tensor],
    prefix: list[int],
    draft_draws: list[float],
    draws: list[float],
    last_draw: float,
) -> list[int]:
    """Draft γ tokens, let the target look at them, and return the new tokens of the round.

    Args:
        target_model, draft_model: T tokens -> probabilities [T, V].
        prefix: the text so far, at least one token.
        draft_draws: γ, for the drafted tokens.
        draws, last_draw: as in `verify`.

    Returns: 1 to γ + 1 tokens.
    """
    raise NotImplementedError("speculative_round")

# %%
check("decoding/speculative")

# %% [markdown]
# ## 3. How many tokens a round brings
#
# Let the two distributions be the same in every place. A drafted token is then accepted with the probability
#
# $$\alpha = \sum_x \min(\mathrm{target}(x), \mathrm{draft}(x))$$
#
# each time anew. How many tokens does a round return on average, the last one included?

# %% [markdown] lang="zh"
# ## 3. 一轮平均得几个词元
#
# 假设每个位置上的两个分布都一样。那么每个草稿词元被接受的概率都是
#
# $$\alpha = \sum_x \min(\mathrm{target}(x), \mathrm{draft}(x))$$
#
# 各次相互独立。一轮平均返回几个词元（最后那一个也算）？

# %%
def expected_tokens(target: Tensor, draft: Tensor, gamma: int) -> float:
    """The mean number of tokens that `verify` returns.

    Args:
        target, draft: [V], the distributions in every place. They may be equal.
        gamma: γ, drafted tokens of a round.

    Returns: from 1 to γ + 1.

    Source: Leviathan et al. 2023, equation 1 and section 3.
    """
    raise NotImplementedError("expected_tokens")

# %%
check("decoding/speculative")
