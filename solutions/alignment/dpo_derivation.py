# %% [markdown]
# The DPO loss has a derivation of four steps: an objective, its best policy, the way back from that policy to
# the reward, and a model of how people rank. You take each step on a **finite set of responses**, where
# every sum can be computed and every claim checked.
#
# * `B` is the number of prompts, `K` of responses to each. Row `b` of a `[B, K]` tensor belongs to prompt `b`.
# * `policy_logps` and `reference_logps` are log-probabilities of the whole responses: in each row, their
#   exponentials add up to one. A response of probability 0 has the log-probability `-inf`.
# * `beta` is positive; rewards are finite.

# %% [markdown] lang="zh"
# DPO 损失的推导有四步：目标函数，它的最优策略，从最优策略反推奖励，再加上人怎样排序的模型。本题在一个**有限的回答集合**上把这四步逐一写出来：在这里，每个求和都算得出，每个结论都能检验。
#
# * `B` 是提示词数，`K` 是每个提示词的回答数。`[B, K]` 张量的第 `b` 行属于第 `b` 个提示词。
# * `policy_logps` 与 `reference_logps` 是整条回答的对数概率：每一行取指数后加起来等于 1。概率为 0 的回答，对数概率是 `-inf`。
# * `beta` 为正数，奖励都有限。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. The objective
#
# RLHF maximises the reward that the policy expects, and pays for every nat of distance from the reference:
#
# $$J(\pi) = \mathbb{E}_{y \sim \pi}\, r(y) - \beta\, \mathrm{KL}(\pi \,\|\, \pi_{ref}), \qquad
#   \mathrm{KL}(\pi \,\|\, \pi_{ref}) = \sum_y \pi(y) \log \frac{\pi(y)}{\pi_{ref}(y)}$$
#
# A response that the policy never gives adds nothing, whatever the reference thinks of it. A response that
# only the policy gives makes the divergence infinite and $J = -\infty$.

# %% [markdown] lang="zh"
# ## 1. 目标函数
#
# RLHF 最大化策略的期望奖励，同时为偏离参考模型的每一个 nat 付费：
#
# $$J(\pi) = \mathbb{E}_{y \sim \pi}\, r(y) - \beta\, \mathrm{KL}(\pi \,\|\, \pi_{ref}), \qquad
#   \mathrm{KL}(\pi \,\|\, \pi_{ref}) = \sum_y \pi(y) \log \frac{\pi(y)}{\pi_{ref}(y)}$$
#
# 策略从不给出的回答没有贡献，不管参考模型怎么看它。只有策略会给出的回答则让散度变成无穷大，$J = -\infty$。


# %%
def kl_objective(policy_logps: Tensor, reference_logps: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """Expected reward minus beta times the divergence of the policy from the reference.

    Args:
        policy_logps, reference_logps, rewards: [B, K].
        beta: price of one nat of divergence, in units of reward.

    Returns: [B], one value for each prompt.

    Example: reference (1/4, 3/4), policy (3/4, 1/4), rewards (2, -2), beta 2: 1 - log(3) = -0.0986.

    Source: Rafailov et al. 2023, eq. 3, https://arxiv.org/abs/2305.18290.
    """
    # BEGIN SOLUTION
    probabilities = policy_logps.exp()
    # Where the policy gives nothing, -inf - (-inf) and 0 * inf would be NaN; p log p tends to 0.
    log_ratios = (policy_logps - reference_logps).masked_fill(probabilities == 0, 0.0)
    expected_reward = (probabilities * rewards).sum(dim=-1)
    divergence = (probabilities * log_ratios).sum(dim=-1)
    return expected_reward - beta * divergence
    # END SOLUTION


# %% [markdown]
# ## 2. The best policy
#
# No policy has a larger $J$ than
#
# $$\pi^*(y) = \frac{1}{Z}\, \pi_{ref}(y)\, e^{r(y) / \beta}, \qquad
#   Z = \sum_y \pi_{ref}(y)\, e^{r(y) / \beta}$$
#
# Return $\log \pi^*$ and the logarithm of the partition function $Z$. $r / \beta$ may be as large as
# ±10,000. What the reference never gives, the best policy never gives.

# %% [markdown] lang="zh"
# ## 2. 最优策略
#
# 没有哪个策略的 $J$ 比它更大：
#
# $$\pi^*(y) = \frac{1}{Z}\, \pi_{ref}(y)\, e^{r(y) / \beta}, \qquad
#   Z = \sum_y \pi_{ref}(y)\, e^{r(y) / \beta}$$
#
# 返回 $\log \pi^*$ 和配分函数 $Z$ 的对数。$r / \beta$ 可能大到 ±10000。参考模型从不给出的回答，最优策略也从不给出。


# %%
def optimal_policy(reference_logps: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """The policy of the largest objective, and the log of its partition function.

    Args:
        reference_logps, rewards: [B, K].
        beta: as in `kl_objective`.

    Returns: (policy_logps [B, K], log_partition [B]).

    Example: reference (1/2, 1/4, 1/4), rewards beta * log (1, 2, 4): policy (1/4, 1/4, 1/2), Z = 2.

    Source: Rafailov et al. 2023, eq. 4 and appendix A.1.
    """
    # BEGIN SOLUTION
    nats = rewards / beta  # that each reward buys
    tilted_logps = reference_logps + nats
    log_partition = tilted_logps.logsumexp(dim=-1)
    policy_logps = tilted_logps - log_partition.unsqueeze(-1)
    return policy_logps, log_partition
    # END SOLUTION


# %% [markdown]
# ## 3. The way back
#
# Solve the formula of question 2 for the reward. $\log Z$ is the one thing that a policy doesn't tell; where
# it isn't given, leave its term out. The result is then DPO's *implicit reward*, which differs from the true
# one by a constant for each prompt. Here, all log-probabilities are finite.

# %% [markdown] lang="zh"
# ## 3. 反推奖励
#
# 由第 2 问的公式解出奖励。策略唯一没有透露的是 $\log Z$；没有给出时，就略去含它的那一项，得到的便是 DPO 的**隐式奖励**，与真实奖励相差一个常数，每个提示词各有一个。本问的对数概率都是有限的。


# %%
def recover_rewards(
    policy_logps: Tensor, reference_logps: Tensor, beta: float, log_partition: Tensor | None = None
) -> Tensor:
    """The rewards for which this policy is the best one.

    Args:
        policy_logps, reference_logps: [B, K].
        beta: as in `kl_objective`.
        log_partition: [B] log Z of each prompt, or None for the implicit reward.

    Returns: [B, K].

    Example: reference (1/2, 1/4, 1/4), policy (1/4, 1/4, 1/2), beta 0.5, Z = 2: 0.5 * log (1, 2, 4).

    Source: Rafailov et al. 2023, eq. 5.
    """
    # BEGIN SOLUTION
    nats = policy_logps - reference_logps
    if log_partition is not None:
        nats = nats + log_partition.unsqueeze(-1)  # normalising took as much from every response
    return beta * nats
    # END SOLUTION


# %% [markdown]
# ## 4. One loss for rankings
#
# Plackett and Luce model a ranking as a series of choices. The best response is chosen among all $K$ with
# the probabilities softmax($r$); the second among those that are left, and so on. The loss of a prompt is
# minus the log-probability of its whole ranking, a **sum** over the places.
#
# `ranking` lists indices of responses, best first. It may stop early: $P \le K$ places are known, and the
# responses that it doesn't name lost to all that it names. With `rewards` from question 3, the special cases
# have names: $P = 1$ is **InfoNCE**, one chosen among $K$; $K = 2$ is **DPO**. Rewards may be ±10,000.

# %% [markdown] lang="zh"
# ## 4. 一个损失，各种排序
#
# Plackett-Luce 模型把排序看成一连串选择：最好的回答从全部 $K$ 个里选出，概率是 softmax($r$)；第二名从剩下的里面选，依此类推。一个提示词的损失，是整个排序的对数概率取负，即各名次之**和**。
#
# `ranking` 按从好到差列出回答的下标，可以提前停下：只知道前 $P \le K$ 名，没有列出的回答输给所有列出的。代入第 3 问的奖励，特例各有名字：$P = 1$ 是 **InfoNCE**，即 $K$ 个里选中一个；$K = 2$ 就是 **DPO**。奖励可能大到 ±10000。


# %%
def ranking_loss(rewards: Tensor, ranking: Tensor) -> Tensor:
    """Mean negative log-likelihood of rankings under the Plackett-Luce model.

    Args:
        rewards: [B, K].
        ranking: [B, P] int64 indices of responses, best first, 1 <= P <= K.

    Returns: [], the mean over the prompts.

    Raises:
        ValueError: a row of ranking names a response twice.

    Example: rewards log (2, 3, 1), ranking (1, 0, 2): 3/6 * 2/3 * 1/1, so the loss is log 3.

    Source: Rafailov et al. 2023, appendix A.3; van den Oord et al. 2018, eq. 4, https://arxiv.org/abs/1807.03748.
    """
    # BEGIN SOLUTION
    in_order = ranking.sort().values
    if (in_order[:, 1:] == in_order[:, :-1]).any():
        raise ValueError("a ranking names a response twice")
    place_logps = []
    left = rewards
    for place in range(ranking.shape[-1]):
        chosen = ranking[:, place : place + 1]
        place_logps.append(left.log_softmax(dim=-1).gather(-1, chosen))
        left = left.scatter(-1, chosen, -torch.inf)  # it is placed, and no longer competes
    ranking_logps = torch.cat(place_logps, dim=-1).sum(dim=-1)
    return -ranking_logps.mean()
    # END SOLUTION
