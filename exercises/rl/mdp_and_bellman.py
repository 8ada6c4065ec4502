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
# # Markov decision processes and Bellman equations
#
# `rl/mdp_and_bellman` · 45 minutes · difficulty 2/5 · [lesson](../../course/rl/mdp_and_bellman.md)

# %% [markdown] lang="zh"
# # 马尔可夫决策过程与贝尔曼方程
#
# `rl/mdp_and_bellman` · 45 分钟 · 难度 2/5 · [讲义](../../course/rl/mdp_and_bellman.zh.md)

# %%
from autograder import check

# %% [markdown]
# A **Markov decision process** (MDP) is a game whose rules fit into two arrays. What can a player expect?
#
# * In state `s`, action `a` leads to state `s'` with probability `transitions[s, a, s']`, which earns
#   `rewards[s, a, s']`. A `policy[s, a]` is the probability of action `a` in state `s`.
# * **Entering a terminal state is paid, once.** Its value and its actions' values are 0. What the arrays hold in the
#   rows of a terminal state means nothing: ignore it.
# * A reward `k` steps later counts `discount ** k` as much; `discount` is from 0 to 1.

# %% [markdown] lang="zh"
# **马尔可夫决策过程**（MDP）是一种游戏，规则装得进两个数组。玩家能指望得到多少？
#
# * 在状态 `s` 采取动作 `a`，以概率 `transitions[s, a, s']` 转移到状态 `s'`，这次转移得到奖励 `rewards[s, a, s']`。`policy[s, a]` 是策略在状态 `s` 选动作 `a` 的概率。
# * **进入终止状态的那一步有奖励，只有这一次。** 终止状态的价值是 0，那里的动作价值也是 0。数组里终止状态自己的那些行没有意义，不要用。
# * 晚 `k` 步到来的奖励要乘以 `discount ** k`；折扣 `discount` 在 0 到 1 之间（含两端）。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Returns
#
# A recording holds several episodes, one after another. The reward at index `t` follows the action at `t`, and the
# return at `t` starts with it:
#
# $$G_t = r_t + \gamma\, r_{t+1} + \gamma^2\, r_{t+2} + \dots$$
#
# up to the end of its episode, that reward included, or of the recording.

# %% [markdown] lang="zh"
# ## 1. 回报
#
# 一份记录里有好几个回合，一个接一个。下标 `t` 处的奖励是 `t` 时刻的动作得到的，`t` 时刻的回报从它算起：
#
# $$G_t = r_t + \gamma\, r_{t+1} + \gamma^2\, r_{t+2} + \dots$$
#
# 一直加到本回合的最后一个奖励为止（含它）；最后一个回合若没有打完，就加到记录的末尾。

# %%
def discounted_returns(rewards: Tensor, ends: Tensor, discount: float) -> Tensor:
    """The return of each step.

    Args:
        rewards: [T].
        ends: [T] bool, True where the action at t ended its episode.

    Returns: [T].

    Example: rewards 1, 2, 4, the first one ending its episode, discount 0.5: returns 1, 4, 4.

    Source: Sutton and Barto 2018, equations 3.8 and 3.9 (their reward t + 1 is ours at t).
    """
    raise NotImplementedError("discounted_returns")

# %%
check("rl/mdp_and_bellman")

# %% [markdown]
# ## 2. The exact values of a policy
#
# Average the actions out, and a **Markov chain** remains: `chain[s, s']` is the probability of going from `s` to `s'`
# in one step. A terminal state stays where it is.
#
# **Bellman's equation**: a state is worth the reward of its next step plus $\gamma$ times the value of where it leads,
# on average. Solve these linear equations exactly, not by iteration. $Q(s, a)$ is the same for one action.
#
# At discount 1, raise `ValueError` unless the policy can reach a terminal state from every state.

# %% [markdown] lang="zh"
# ## 2. 策略的精确价值
#
# 对动作取平均，剩下一条**马尔可夫链**：`chain[s, s']` 是按策略走一步、从 `s` 到 `s'` 的概率。终止状态停在原处。
#
# **贝尔曼方程**说：一个状态的价值，等于下一步的奖励，加上 $\gamma$ 乘以下一步所到之处的价值，两者都取平均。请精确求解这组线性方程，不要靠一遍遍迭代逼近。$Q(s, a)$ 同理，只是动作固定为 `a`。
#
# 折扣为 1 时，只有策略从每个状态都走得到终止状态，方程才有解。否则有的游戏永远不会结束：抛出 `ValueError`。

# %%
def evaluate_policy(
    transitions: Tensor, rewards: Tensor, terminal: Tensor, policy: Tensor, discount: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The chain of a policy and its values.

    Args:
        transitions, rewards: [S, A, S], axes state, action, next state.
        terminal: [S] bool.
        policy: [S, A], rows sum to 1.

    Returns: (chain [S, S], V [S], Q [S, A]).

    Raises:
        ValueError: some game never ends, at discount 1.

    Source: Sutton and Barto 2018, equations 3.4 to 3.6 and 3.14.
    """
    raise NotImplementedError("evaluate_policy")

# %%
check("rl/mdp_and_bellman")

# %% [markdown]
# ## 3. Bellman operators
#
# Read from right to left, Bellman's equation is a step: put in **any** guess of the values, get a better one. With a
# policy, average over its actions; without one, take each state's best action (the optimality operator). Whatever
# `values` says of terminal states counts as 0.
#
# A step is a *contraction*: two guesses come closer, to at most `discount` times their distance, the **largest absolute
# difference** over the states. So the size of a step bounds what is still missing:
#
# $$\max_s |V_{new}(s) - V_{exact}(s)| \;\le\; \frac{\gamma}{1 - \gamma}\, \max_s |V_{new}(s) - V_{old}(s)|$$
#
# Return the new guess and the right-hand side.

# %% [markdown] lang="zh"
# ## 3. 贝尔曼算子
#
# 把贝尔曼方程从右往左读，它就成了一步计算：代入**任意**一组对价值的猜测，得到更好的一组。给了策略，就按它对动作取平均；没给，就在每个状态取最好的动作（最优算子）。`values` 里终止状态的数一律当作 0。
#
# 每一步都是**压缩**：两组猜测之间的距离，至少缩小到原来的 `discount` 倍；距离指各状态之差的**最大绝对值**。于是，由这一步走了多远，就知道最多还差多远：
#
# $$\max_s |V_{new}(s) - V_{exact}(s)| \;\le\; \frac{\gamma}{1 - \gamma}\, \max_s |V_{new}(s) - V_{old}(s)|$$
#
# 返回新的猜测和不等式的右边。

# %%
def bellman_operator(
    values: Tensor,
    transitions: Tensor,
    rewards: Tensor,
    terminal: Tensor,
    discount: float,
    policy: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step towards the values of a policy, or the best ones.

    Args:
        values: [S].
        transitions, rewards, terminal, policy: as in `evaluate_policy`.
        discount: below 1.

    Returns: (new values [S], bound []).

    Source: Sutton and Barto 2018, equations 3.14 and 3.19; Puterman 1994, section 6.3.
    """
    raise NotImplementedError("bellman_operator")

# %%
check("rl/mdp_and_bellman")
