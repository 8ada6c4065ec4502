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
# # Policy gradient (REINFORCE)
#
# `rl/policy_gradient` · 60 minutes · difficulty 3/5 · [lesson](../../course/rl/policy_gradient.md)

# %% [markdown] lang="zh"
# # 策略梯度
#
# `rl/policy_gradient` · 60 分钟 · 难度 3/5 · [讲义](../../course/rl/policy_gradient.zh.md)

# %%
from autograder import check

# %% [markdown]
# A policy gradient lets a model act, looks at what each action led to, and makes the actions that led to more
# reward more probable. You write REINFORCE: what an action is credited with, the loss whose gradient is the
# estimate, a baseline, and the exact mean and variance of such an estimate.
#
# * A batch holds `B` episodes of at most `T` steps. `mask[i, t]` is True where an action was taken; shorter
#   episodes are padded **at the end**. Padding holds valid action ids and numbers that mean nothing; it counts
#   for nothing.
# * `rewards[i, t]` follows the action at `t`.
# * What is maximised is $J = E\bigl[\sum_t \gamma^t r_t\bigr]$, the expected return, discounted **from the start**
#   of the episode. `discount` is $\gamma$, $0 < \gamma \le 1$.

# %% [markdown] lang="zh"
# 策略梯度让模型先行动，看每个动作带来了什么，再让带来更多奖励的动作更容易出现。本题要写出 REINFORCE 的四个部分：每个动作名下该记多少回报，用来训练的损失，一种基线，以及这种估计的精确均值和方差。
#
# * 一个批次有 `B` 个回合，每个至多 `T` 步。`mask[i, t]` 为 True 表示这一步采取了动作；短的回合**在末尾**填充。填充处是合法的动作编号和没有意义的数，一律不计。
# * `rewards[i, t]` 是 `t` 时刻的动作之后得到的奖励。
# * 要最大化的是 $J = E\bigl[\sum_t \gamma^t r_t\bigr]$，即**从回合起点**开始折扣的期望回报。`discount` 就是 $\gamma$，$0 < \gamma \le 1$。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Reward to go
#
# An action can't change what came before it. It is credited with the rewards from its own step on:
#
# $$G_t = \sum_{k \ge t} \gamma^{k - t} \, r_k$$

# %% [markdown] lang="zh"
# ## 1. 从当前步算起的回报
#
# 动作改变不了它之前的事，所以只把从它这一步起的奖励记在它名下（reward to go）：
#
# $$G_t = \sum_{k \ge t} \gamma^{k - t} \, r_k$$

# %%
def reward_to_go(rewards: Tensor, mask: Tensor, discount: float) -> Tensor:
    """Discounted return from every step on.

    Args:
        rewards: [B, T].
        mask: [B, T] bool.
        discount: gamma.

    Returns: [B, T], 0 in the padding.

    Example: rewards 1, 2, 4 and gamma 0.5 give 3, 4, 4.

    Source: Sutton and Barto 2018, equation 3.8.
    """
    raise NotImplementedError("reward_to_go")

# %%
check("rl/policy_gradient")

# %% [markdown]
# ## 2. The loss
#
# Its gradient is **minus** an unbiased estimate of $\nabla J$, so that an optimiser, which goes downhill, climbs $J$:
#
# $$L = -\frac{1}{B} \sum_i \sum_t \gamma^t \, (G_{i,t} - b_{i,t}) \, \log \pi(a_{i,t} \mid s_{i,t})$$
#
# It is a **sum** over the steps of an episode and a **mean** over the `B` episodes, however many steps they have. The
# logits are those of the policy at each step; returns and baseline are **constants**: no gradient flows into them.
# Logits may be as large as 10,000.

# %% [markdown] lang="zh"
# ## 2. 损失
#
# 它的梯度是 $\nabla J$ 的无偏估计的**相反数**：优化器往低处走，$J$ 就往高处走。
#
# $$L = -\frac{1}{B} \sum_i \sum_t \gamma^t \, (G_{i,t} - b_{i,t}) \, \log \pi(a_{i,t} \mid s_{i,t})$$
#
# 一个回合内各步**求和**，`B` 个回合之间**取平均**，与各回合有多少步无关。logits 是策略在每一步给出的；回报和基线是**常数**，梯度不流进去。logits 可能大到一万。

# %%
def reinforce_loss(
    logits: Tensor, actions: Tensor, returns: Tensor, baseline: Tensor, mask: Tensor, discount: float
) -> Tensor:
    """Loss whose gradient is minus the estimate of the gradient of J.

    Args:
        logits: [B, T, A], one score for each of A actions.
        actions: [B, T] int64, the actions taken.
        returns: [B, T], G.
        baseline: [B, T], what is subtracted from G; zeros for none.
        mask: [B, T] bool.
        discount: gamma.

    Returns: [].

    Source: Williams 1992; the box in Sutton and Barto 2018, section 13.3, and equation 13.11.
    """
    raise NotImplementedError("reinforce_loss")

# %%
check("rl/policy_gradient")

# %% [markdown]
# ## 3. A baseline from the other episodes
#
# A baseline must not depend on the action it is held against, nor on what followed from it. Where several episodes
# start alike, such as several answers to one prompt, the mean return of the **other** ones is a baseline for each.

# %% [markdown] lang="zh"
# ## 3. 用其他回合作基线
#
# 基线不能依赖它要衡量的那个动作，也不能依赖这个动作引出的任何东西。如果几个回合起点相同，例如同一个提示词的几条回答，那么对每个回合来说，**其余**回合的平均回报就是它的基线。

# %%
def leave_one_out(returns: Tensor) -> Tensor:
    """Mean return of the other episodes of a group.

    Args:
        returns: [..., K] float, the return of each of the K episodes of a group, from its start.

    Returns: [..., K], the baseline of each, the same for all of its steps.

    Raises:
        ValueError: K is 1: there is no other episode.

    Example: returns 1, 2, 6 have the baselines 4, 3.5, 1.5.

    Source: Kool et al. 2019, "Buy 4 REINFORCE Samples, Get a Baseline for Free!".
    """
    raise NotImplementedError("leave_one_out")

# %%
check("rl/policy_gradient")

# %% [markdown]
# ## 4. Exact mean and variance of an estimate
#
# In a process small enough to list all of its `N` episodes, nothing is left to luck. The policy is a table: the
# logits of state `s` are row `s`. The estimate that **one** episode gives for $\nabla J$ is a table, too:
#
# $$g_n = \sum_t w_{n,t} \, \nabla \log \pi(a_{n,t} \mid s_{n,t})$$
#
# where $\nabla$ is the derivative by all logits of the table, and the weights $w$ (such as $\gamma^t G_t$) are
# constants. Episode `n` happens with probability $p_n$; the $p_n$ add up to one. Return the expectation $E[g]$, and
# the variance as one number: the expected squared distance of $g$ from its mean, $E\,\lVert g - E[g] \rVert^2$ (the
# trace of its covariance).

# %% [markdown] lang="zh"
# ## 4. 估计的精确均值与方差
#
# 如果过程小到能把 `N` 个回合全部列出来，就用不着碰运气了。策略是一张表：状态 `s` 的 logits 就是第 `s` 行。**一个**回合对 $\nabla J$ 给出的估计也是一张表：
#
# $$g_n = \sum_t w_{n,t} \, \nabla \log \pi(a_{n,t} \mid s_{n,t})$$
#
# 其中 $\nabla$ 是对表中所有 logits 求导，权重 $w$（例如 $\gamma^t G_t$）是常数。回合 `n` 的概率是 $p_n$，所有 $p_n$ 之和为 1。返回期望 $E[g]$，以及一个数表示的方差：$g$ 到均值的距离平方的期望 $E\,\lVert g - E[g] \rVert^2$（协方差矩阵的迹）。

# %%
def estimate_moments(
    logits: Tensor, states: Tensor, actions: Tensor, weights: Tensor, mask: Tensor, probabilities: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and variance of one episode's gradient estimate, over all episodes.

    Args:
        logits: [S, A], the policy's table.
        states, actions: [N, T] int64; valid ids in the padding.
        weights: [N, T].
        mask: [N, T] bool.
        probabilities: [N].

    Returns: (mean [S, A], variance []).

    Example: one state, logits 0 and 0, episodes of one step: action 0 with weight 1, action 1 with weight 0, each with
    probability 1/2. The estimates are (1/2, -1/2) and (0, 0): mean (1/4, -1/4), variance 1/8.
    """
    raise NotImplementedError("estimate_moments")

# %%
check("rl/policy_gradient")
