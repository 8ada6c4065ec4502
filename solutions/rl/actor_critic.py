# %% [markdown]
# An **actor** chooses actions; a **critic** says what states are worth. From the critic's values one computes how much
# better each action was than expected, its *advantage*, and with the advantages both are trained.
#
# The data are `T` steps of several episodes, one after another. Of each step `t` they hold, all `[T]`:
#
# * `rewards[t]`, earned by the action at `t`; `values[t]`, the critic's value of the state it was chosen in;
#   `next_values[t]`, that of the state it led to, *before* any new episode begins. Inside an episode this is
#   `values[t + 1]`; at its end it isn't.
# * `terminated[t]`: the action at `t` ended the game, and what follows is worth 0, whatever `next_values[t]` says.
# * `truncated[t]`: the episode was cut off after the action at `t`, by a time limit for example. The game could have
#   gone on: `next_values[t]` counts.
#
# After either, the next step belongs to another episode. Where both are True, the game has ended.

# %% [markdown] lang="zh"
# **Actor** 选动作，**Critic** 说状态值多少。由 Critic 给的价值，可以算出每个动作比预期好多少，也就是它的**优势**；再用优势同时训练两者。
#
# 数据是 `T` 步，含好几个回合，一个接一个。对每一步 `t` 有（形状都是 `[T]`）：
#
# * `rewards[t]`：`t` 时刻的动作得到的奖励；`values[t]`：选动作时所在状态的价值（Critic 给的）；`next_values[t]`：这个动作所到状态的价值，取在新回合开始**之前**。回合内部它就是 `values[t + 1]`，回合结尾处则不是。
# * `terminated[t]`：`t` 时刻的动作结束了游戏，之后的价值是 0，不管 `next_values[t]` 写的是什么。
# * `truncated[t]`：`t` 时刻的动作之后回合被截断，例如到了时间上限。游戏本来可以继续，所以 `next_values[t]` 要算。
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
# The window has $m = n$ steps, or fewer: it doesn't go past the end of its episode, nor past the end of the data. A
# shorter window closes in the same way, with the value after *its* last step (0 if that step terminated the game).

# %% [markdown] lang="zh"
# ## 1. n 步优势
#
# 累加 `n` 个奖励，剩下的让 Critic 估计，再减去它起初的预期：
#
# $$A_t = r_t + \gamma r_{t+1} + \dots + \gamma^{m-1} r_{t+m-1} + \gamma^m V(s_{t+m}) - V(s_t)$$
#
# 窗口有 $m = n$ 步，也可能更短：既不越过本回合的结尾，也不越过数据的末尾。短窗口照样收尾，用的是**它自己**最后一步之后的价值（那一步若终止了游戏，就是 0）。


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
        n: the most steps of a window, 1 or more.

    Returns: [T].

    Source: Mnih et al. 2016, https://arxiv.org/abs/1602.01783, section 4.
    """
    # BEGIN SOLUTION
    bootstrap = next_values.masked_fill(terminated, 0.0)
    done = terminated | truncated
    advantages = []
    for start in range(len(rewards)):
        total, weight = -values[start], 1.0
        for t in range(start, min(start + n, len(rewards))):
            total = total + weight * rewards[t]
            weight *= discount
            if done[t]:
                break
        advantages.append(total + weight * bootstrap[t])
    return torch.stack(advantages)
    # END SOLUTION


# %% [markdown]
# ## 2. GAE
#
# *Generalised advantage estimation* needs no choice of `n`: it mixes the advantages of all window lengths, with
# weights that fall by $\lambda$ from one length to the next. With the one-step error
# $\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)$ this is
#
# $$A_t = \sum_{l \ge 0} (\gamma \lambda)^l\, \delta_{t+l}$$
#
# where the sum goes up to the end of the episode, that step included, or of the data. Return the value targets as
# well: what the critic should have said, $A_t + V(s_t)$.

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
    """Advantages by GAE, and the targets of the critic.

    Args:
        rewards, values, next_values, terminated, truncated, discount: as in `n_step_advantages`.
        trace_decay: lambda, from 0 (one step) to 1 (all rewards).

    Returns: (advantages [T], value targets [T]).

    Source: Schulman et al. 2016, https://arxiv.org/abs/1506.02438, equation 16.
    """
    # BEGIN SOLUTION
    errors = rewards + discount * next_values.masked_fill(terminated, 0.0) - values
    carried = discount * trace_decay * (~(terminated | truncated)).to(rewards.dtype)
    advantages, following = [], torch.zeros_like(errors[0])
    for error, share in zip(errors.flip(0), carried.flip(0), strict=True):
        following = error + share * following
        advantages.append(following)
    summed = torch.stack(advantages[::-1])
    return summed, summed + values
    # END SOLUTION


# %% [markdown]
# ## 3. One loss for both
#
# $$\ell = -\operatorname{mean}\bigl(\log \pi(a_t \mid s_t)\, A_t\bigr)
#   + c_v \operatorname{mean}\bigl((V(s_t) - \text{target}_t)^2\bigr)
#   - c_e \operatorname{mean}\bigl(H_t\bigr)$$
#
# with the entropy $H_t = -\sum_a \pi(a \mid s_t) \log \pi(a \mid s_t)$ over **all** actions: it rewards a policy that
# keeps trying. Means are over the steps. `advantages` and `targets` were computed from the critic and may still hang on
# its graph, but they are **constants** here: no gradient flows into them. Logits may be 1,000 apart.
#
# Not allowed: `torch.distributions.Categorical`.

# %% [markdown] lang="zh"
# ## 3. 一个损失训练两者
#
# $$\ell = -\operatorname{mean}\bigl(\log \pi(a_t \mid s_t)\, A_t\bigr)
#   + c_v \operatorname{mean}\bigl((V(s_t) - \text{target}_t)^2\bigr)
#   - c_e \operatorname{mean}\bigl(H_t\bigr)$$
#
# 其中熵 $H_t = -\sum_a \pi(a \mid s_t) \log \pi(a \mid s_t)$ 对**所有**动作求和，鼓励策略继续尝试。各项都对步取平均。`advantages` 和 `targets` 由 Critic 算出，可能还连着它的计算图，但在这里是**常数**：梯度不流进去。logits 之间可能相差一千。
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
        actions: [T] int64, the actions taken.
        values: [T] of the critic.
        advantages, targets: [T], constants.
        value_coefficient, entropy_coefficient: c_v and c_e.

    Returns: [].

    Source: Mnih et al. 2016, section 4; Stable-Baselines3's A2C, whose value term has no 1/2 either.
    """
    # BEGIN SOLUTION
    logps = logits.log_softmax(dim=-1)
    taken = logps.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    entropy = -(logps.exp() * logps).sum(dim=-1)
    policy_loss = -(taken * advantages.detach()).mean()
    value_loss = (values - targets.detach()).square().mean()
    return policy_loss + value_coefficient * value_loss - entropy_coefficient * entropy.mean()
    # END SOLUTION
