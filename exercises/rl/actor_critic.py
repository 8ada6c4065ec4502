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
# # Actor-critic and GAE
#
# `rl/actor_critic` · 45 minutes · difficulty 3/5 · [lesson](../../course/rl/actor_critic.md)

# %% [markdown] lang="zh"
# # Actor-Critic 与 GAE
#
# `rl/actor_critic` · 45 分钟 · 难度 3/5 · [讲义](../../course/rl/actor_critic.zh.md)

# %%
from autograder import check

# %% [markdown]
# An **actor** chooses actions; a **critic** says what states are worth. How much better than expected was an action?
# This is its *advantage*, and it trains both.
#
# The data are `T` steps of several episodes, one after another. Of step `t` they hold:
#
# * `rewards[t]`, what its action earned; `values[t]`, the critic's value of its state; `next_values[t]`, that of the
#   state it led to. Inside an episode this is `values[t + 1]`.
# * `terminated[t]`: this action ended the game. What follows is worth 0, whatever `next_values[t]` says.
# * `truncated[t]`: the episode was cut off after this action, as by a time limit. The game could have gone on:
#   `next_values[t]` counts.
#
# After either, the next step belongs to another episode. If both are True, the game has ended.

# %% [markdown] lang="zh"
# **Actor** 选动作，**Critic** 说状态值多少。一个动作比预期好了多少？这就是它的**优势**，用它可以同时训练两者。
#
# 数据是 `T` 步，含好几个回合，一个接一个。第 `t` 步有：
#
# * `rewards[t]`：这一步的动作得到的奖励；`values[t]`：Critic 给所在状态的价值；`next_values[t]`：所到状态的价值，回合内部就是 `values[t + 1]`。
# * `terminated[t]`：这个动作结束了游戏。之后的价值是 0，不管 `next_values[t]` 写的是什么。
# * `truncated[t]`：这个动作之后回合被截断，例如到了时间上限。游戏本来可以继续，所以 `next_values[t]` 要算。
#
# 这两种情况之后，下一步都属于另一个回合。两者同时为 True 时，按游戏结束处理。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. The n-step advantage
#
# Sum `n` rewards, let the critic guess the rest, and subtract what it expected at the start:
#
# $$A_t = r_t + \gamma r_{t+1} + \dots + \gamma^{m-1} r_{t+m-1} + \gamma^m V(s_{t+m}) - V(s_t)$$
#
# The window has $m = n$ steps, or fewer: it stops with its episode and with the data. A shorter window closes in the
# same way, with the value after *its* last step.

# %% [markdown] lang="zh"
# ## 1. n 步优势
#
# 累加 `n` 个奖励，剩下的让 Critic 估计，再减去它起初的预期：
#
# $$A_t = r_t + \gamma r_{t+1} + \dots + \gamma^{m-1} r_{t+m-1} + \gamma^m V(s_{t+m}) - V(s_t)$$
#
# 窗口有 $m = n$ 步，也可能更短：到本回合结束或数据末尾为止。短窗口照样收尾，用的是**它自己**最后一步之后的价值。

# %%
def n_step_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    n: int,
) -> Tensor:
    """The advantage of each action from up to n rewards.

    Args:
        rewards, values, next_values: [T].
        terminated, truncated: [T] bool.
        discount: gamma.
        n: 1 or more.

    Returns: [T].

    Source: Mnih et al. 2016, https://arxiv.org/abs/1602.01783, section 4.
    """
    raise NotImplementedError("n_step_advantages")

# %%
check("rl/actor_critic")

# %% [markdown]
# ## 2. GAE
#
# *Generalised advantage estimation* mixes all window lengths, with weights that fall by $\lambda$ from one to the
# next. With the one-step error $\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)$ this is
#
# $$A_t = \sum_{l \ge 0} (\gamma \lambda)^l\, \delta_{t+l}$$
#
# up to the end of the episode, that step included, or of the data. Return the value targets as well: what the critic
# should have said, $A_t + V(s_t)$.

# %% [markdown] lang="zh"
# ## 2. GAE
#
# **广义优势估计**（GAE）不必挑一个 `n`：它把所有窗口长度的优势混合起来，长度每增加一步，权重乘以 $\lambda$。记单步误差 $\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)$，则
#
# $$A_t = \sum_{l \ge 0} (\gamma \lambda)^l\, \delta_{t+l}$$
#
# 求和到本回合的最后一步（含它）或数据的末尾为止。还要返回价值目标，也就是 Critic 本该给出的数：$A_t + V(s_t)$。

# %%
def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    trace_decay: float,
) -> tuple[Tensor, Tensor]:
    """Advantages and value targets by GAE.

    Args:
        rewards, values, next_values, terminated, truncated, discount: as in `n_step_advantages`.
        trace_decay: lambda, from 0 to 1.

    Returns: (advantages [T], value targets [T]).

    Source: Schulman et al. 2016, https://arxiv.org/abs/1506.02438, equation 16.
    """
    raise NotImplementedError("gae")

# %%
check("rl/actor_critic")

# %% [markdown]
# ## 3. One loss for both
#
# $$\ell = -\operatorname{mean}\bigl(\log \pi(a_t \mid s_t)\, A_t\bigr)
#   + c_v \operatorname{mean}\bigl((V(s_t) - \text{target}_t)^2\bigr)
#   - c_e \operatorname{mean}\bigl(H_t\bigr)$$
#
# with the entropy $H_t = -\sum_a \pi(a \mid s_t) \log \pi(a \mid s_t)$ over **all** actions: it rewards a policy that
# keeps trying. Means are over the steps. `advantages` and `targets` may still hang on the critic's graph, but they are
# **constants**: no gradient flows into them. Logits may be 1,000 apart; loss and gradient stay finite.
#
# Not allowed: `torch.distributions.Categorical`.

# %% [markdown] lang="zh"
# ## 3. 一个损失训练两者
#
# $$\ell = -\operatorname{mean}\bigl(\log \pi(a_t \mid s_t)\, A_t\bigr)
#   + c_v \operatorname{mean}\bigl((V(s_t) - \text{target}_t)^2\bigr)
#   - c_e \operatorname{mean}\bigl(H_t\bigr)$$
#
# 其中熵 $H_t = -\sum_a \pi(a \mid s_t) \log \pi(a \mid s_t)$ 对**所有**动作求和，鼓励策略继续尝试。各项都对步取平均。`advantages` 和 `targets` 可能还连着 Critic 的计算图，但它们是**常数**：梯度不流进去。logits 之间可能相差一千，损失和梯度仍须有限。
#
# 不许调用 `torch.distributions.Categorical`。

# %%
def actor_critic_loss(
    logits: Tensor,
    actions: Tensor,
    values: Tensor,
    advantages: Tensor,
    targets: Tensor,
    value_coefficient: float,
    entropy_coefficient: float,
) -> Tensor:
    """The loss of actor and critic.

    Args:
        logits: [T, A] of the actor.
        actions: [T] int64, those taken.
        values: [T] of the critic.
        advantages, targets: [T], constants.
        value_coefficient, entropy_coefficient: c_v and c_e.

    Returns: [].

    Source: Mnih et al. 2016, section 4; Stable-Baselines3's A2C (no 1/2 in the value term).
    """
    raise NotImplementedError("actor_critic_loss")

# %%
check("rl/actor_critic")
