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
# # PPO
#
# `rl/ppo` · 60 minutes · difficulty 3/5 · [lesson](../../course/rl/ppo.md)

# %% [markdown] lang="zh"
# # PPO
#
# `rl/ppo` · 60 分钟 · 难度 3/5 · [讲义](../../course/rl/ppo.zh.md)

# %%
from autograder import check

# %% [markdown]
# Policy gradient throws its data away after one step: what the old policy did says little about a new one. Proximal
# policy optimisation (PPO) takes many steps on the same data and takes care that none of them goes too far. You write
# its two losses, the measure of how far it has gone, and an epoch.
#
# * `N` is the number of samples. A sample is one action in one state, of one step of an episode.
# * *Old* is the policy and the critic that collected the data; they don't change while you train on it. **No gradient
#   flows into old log-probabilities, old values, advantages or returns.**
# * A loss, and the KL, is the **mean** over the samples, a tensor without axes.

# %% [markdown] lang="zh"
# 策略梯度的数据只用一步就要扔掉：旧策略的所作所为，对新策略没有多少参考价值。近端策略优化（PPO）在同一批数据上走很多步，同时保证哪一步都不会走太远。本题要写它的两个损失、衡量“走了多远”的 KL，以及训练一轮的循环。
#
# * `N` 是样本数；一个样本就是某条轨迹里某一步的“一个状态、一个动作”。
# * “旧”指采集数据时的策略和 Critic，在这批数据上训练期间保持不变。**旧对数概率、旧价值、优势、回报都不应得到梯度。**
# * 损失和 KL 都对样本取**平均**，返回没有轴的标量张量。

# %%
import math

import torch
from torch import Tensor, nn

# %% [markdown]
# ## 1. The clipped surrogate loss
#
# With the ratio $r = \pi_\theta(a \mid s) / \pi_{old}(a \mid s)$ of the probabilities of the action taken, its advantage
# $A$ and the clip range $\epsilon$, the loss of a sample is
#
# $$-\min\bigl(r A, \; \mathrm{clip}(r, 1 - \epsilon, 1 + \epsilon)\, A\bigr)$$
#
# Log-probabilities may be as low as -1,000, the old and the new one of an action alike.

# %% [markdown] lang="zh"
# ## 1. 裁剪的代理损失
#
# 记 $r = \pi_\theta(a \mid s) / \pi_{old}(a \mid s)$ 为所采取动作的新旧概率之比，$A$ 为它的优势，$\epsilon$ 为裁剪范围，一个样本的损失是
#
# $$-\min\bigl(r A, \; \mathrm{clip}(r, 1 - \epsilon, 1 + \epsilon)\, A\bigr)$$
#
# 一个动作的新旧对数概率可能同时低至 -1000。

# %%
def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_range: float
) -> Tensor:
    """Mean clipped surrogate loss; a descent on it raises the probability of actions with positive advantage.

    Args:
        log_probs: [N] log-probabilities of the actions taken, under the policy in training.
        old_log_probs: [N] the same under the old policy.
        advantages: [N], used as they are.
        clip_range: epsilon, between 0 and 1.

    Returns: [].

    Example: advantage 1 and ratio 2 with clip range 0.2 give -1.2.

    Source: Schulman et al. 2017, https://arxiv.org/abs/1707.06347, equation 7.
    """
    raise NotImplementedError("clipped_policy_loss")

# %%
check("rl/ppo")

# %% [markdown]
# ## 2. The clipped value loss
#
# The critic is held back in the same way, around its **old value**. With $v$ the value, $v_{old}$ the old one and $R$ the
# return, the loss of a sample is
#
# $$\tfrac12 \max\bigl((v - R)^2, \; (v_{old} + \mathrm{clip}(v - v_{old}, -\epsilon, \epsilon) - R)^2\bigr)$$
#
# A critic's output is often `[N, 1]`. Minus returns of `[N]` that silently becomes `[N, N]`, so refuse what doesn't fit.

# %% [markdown] lang="zh"
# ## 2. 裁剪的价值损失
#
# Critic 也用同样的办法约束，以它的**旧价值**为中心。记 $v$ 为价值，$v_{old}$ 为旧价值，$R$ 为回报，一个样本的损失是
#
# $$\tfrac12 \max\bigl((v - R)^2, \; (v_{old} + \mathrm{clip}(v - v_{old}, -\epsilon, \epsilon) - R)^2\bigr)$$
#
# Critic 的输出常常是 `[N, 1]`，减去 `[N]` 的回报会悄悄广播成 `[N, N]`，所以形状不一致时要拒绝。

# %%
def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    """Mean clipped value loss.

    Args:
        values: [N] of the critic in training.
        old_values: [N] of the critic that collected the data.
        returns: [N], the targets.
        clip_range: epsilon, in the unit of the values.

    Returns: [].

    Raises:
        ValueError: the three shapes are not the same.

    Example: value 2, old value 1, return 3, clip range 0.5: max(1, 2.25) / 2 = 1.125.

    Source: OpenAI baselines, `ppo2/model.py`, https://github.com/openai/baselines.
    """
    raise NotImplementedError("clipped_value_loss")

# %%
check("rl/ppo")

# %% [markdown]
# ## 3. How far has the policy gone?
#
# The KL divergence from the old policy to the new one is a mean over actions of the old policy, and those we have.
# Average $(r - 1) - \log r$ over them: no sample is below zero, and on average it is the KL divergence.

# %% [markdown] lang="zh"
# ## 3. 策略走了多远
#
# 旧策略到新策略的 KL 散度是对旧策略动作的平均，而这些动作正好就在手里。对它们取 $(r - 1) - \log r$ 的平均：每个样本都不小于零，期望恰好是 KL 散度。

# %%
def approximate_kl(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    """Estimate of KL(old || new) from the old policy's actions.

    Args:
        log_probs, old_log_probs: [N] as in `clipped_policy_loss`.

    Returns: [].

    Example: one action, now half as likely as before: -0.5 + log 2 = 0.1931.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html.
    """
    raise NotImplementedError("approximate_kl")

# %%
check("rl/ppo")

# %% [markdown]
# ## 4. One epoch
#
# Cut `permutation` into minibatches of `minibatch_size`, in its order; the last may be shorter. For each minibatch:
#
# 1. Normalise **its** advantages: $(A - \text{mean}) / (\text{std} + 10^{-8})$ with the unbiased standard deviation. A
#    minibatch of one sample has no spread; its advantage stays as it is.
# 2. Compute log-probabilities and values with the models as they are now. If the approximate KL is above
#    $1.5 \cdot$ `target_kl`, **the epoch ends here, before the step**.
# 3. Take one optimiser step on `policy loss + value_coef * value loss`. There is no entropy bonus.
#
# When you are called, all gradients are zero or `None`.

# %% [markdown] lang="zh"
# ## 4. 训练一轮
#
# 按 `permutation` 的次序切出一个个小批次（minibatch），每个 `minibatch_size` 个样本，最后一个可以不满。对每个小批次：
#
# 1. 归一化**它自己的**优势：$(A - \text{mean}) / (\text{std} + 10^{-8})$，标准差用无偏估计。只有一个样本的小批次谈不上标准差，优势保持原样。
# 2. 用此刻的模型计算对数概率和价值。近似 KL 超过 $1.5 \cdot$ `target_kl` 时，**这一轮到此为止，这一步也不走**。
# 3. 对“策略损失 + `value_coef` × 价值损失”走一步优化器。不加熵奖励。
#
# 调用这个函数时，所有梯度都是零或 `None`。

# %%
def ppo_epoch(
    actor: nn.Module,
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: dict[str, Tensor],
    permutation: Tensor,
    minibatch_size: int,
    clip_range: float,
    value_coef: float,
    target_kl: float = math.inf,
) -> list[float]:
    """Train on every sample of a rollout once, and change the models in place.

    Args:
        actor: states [M, D] -> logits of the actions [M, number of actions].
        critic: states [M, D] -> values [M, 1].
        optimizer: of both models' parameters; only `zero_grad()` and `step()` are used.
        rollout: "states" [N, D], "actions" [N] int64, "advantages" [N], "returns" [N], and what the old models gave:
            "log_probs" [N], "values" [N].
        permutation: [N] int64, each of 0 to N - 1 once.
        minibatch_size: at least 1.
        clip_range: of both losses.
        value_coef: weight of the value loss.
        target_kl: `math.inf` never stops.

    Returns:
        The approximate KL of each minibatch, as Python floats; the last is of the one that ended the epoch, if one did.

    Source: Schulman et al. 2017, algorithm 1; the early stop is that of Stable-Baselines3.
    """
    raise NotImplementedError("ppo_epoch")

# %%
check("rl/ppo")
