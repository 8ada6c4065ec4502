# %% [markdown]
# To reinforcement learning a response is an episode: the state is the prompt with what has been written so far, an
# action is the next token. The reward model speaks once, at the end; a penalty at every token keeps the policy
# near the reference model that it started from.
#
# Tensors are `[B, T]`: whole sequences, padded left, right or both. `logps[b, t]` is the log-probability of the
# token **at** position `t` under the policy that wrote it, `ref_logps` under the reference. `response_mask` is 1 at
# response tokens (at least one a row), 0 at the prompt and at padding, where the numbers mean nothing.

# %% [markdown] lang="zh"
# 从强化学习的角度看，一条回答就是一个回合：状态是提示词加上已经写出的部分，动作是下一个词元。奖励模型只在最后打一次分；每个词元上另有一项惩罚，不让策略离出发时的参考模型太远。
#
# 张量都是 `[B, T]`：整条序列，可能在左边、右边或两边填充。`logps[b, t]` 是位置 `t` **上**的词元在写出它的策略下的对数概率，`ref_logps` 是在参考模型下的。`response_mask` 在回答的词元上为 1（每行至少有一个），在提示词和填充上为 0，那里的数没有意义。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. The reward of each token
#
# A response token earns
#
# $$r_t = -\beta \, \bigl( \log \pi(a_t \mid s_t) - \log \pi_{ref}(a_t \mid s_t) \bigr)$$
#
# and the **last** response token of a row earns the row's score besides. Everywhere else the reward is 0.
# Rewards are data: **no gradient** flows through them.

# %% [markdown] lang="zh"
# ## 1. 每个词元的奖励
#
# 回答的每个词元得到
#
# $$r_t = -\beta \, \bigl( \log \pi(a_t \mid s_t) - \log \pi_{ref}(a_t \mid s_t) \bigr)$$
#
# 每行回答的**最后一个**词元另外再得到这一行的评分。其他位置的奖励都是 0。奖励是数据，**梯度不经过它**。


# %%
def token_rewards(
    scores: Tensor, logps: Tensor, ref_logps: Tensor, response_mask: Tensor, beta: float
) -> Tensor:
    """KL penalty at each response token, and the score at the last one.

    Args:
        scores: [B], what the reward model says of each response.
        logps, ref_logps: [B, T].
        response_mask: [B, T] int64.
        beta: strength of the penalty.

    Returns: [B, T].

    Example: mask [0, 1, 1, 0], log-ratios log pi - log ref 1 and -2, beta 0.1, score 5: [0, -0.1, 5.2, 0].

    Source: Ziegler et al. 2019, https://arxiv.org/abs/1909.08593, equation 2.
    """
    # BEGIN SOLUTION
    rewards = -beta * (logps - ref_logps) * response_mask
    positions = torch.arange(response_mask.shape[1], device=response_mask.device)
    last = (positions * response_mask).argmax(dim=-1, keepdim=True)  # [B, 1]
    rewards = rewards.scatter_add(1, last, scores.unsqueeze(1))
    return rewards.detach()
    # END SOLUTION


# %% [markdown]
# ## 2. Three estimates of the KL divergence
#
# $\mathrm{KL}(\pi \| \pi_{ref})$ is a sum over the vocabulary. Estimate it from the tokens that $\pi$ wrote: with
# $\rho = \pi_{ref} / \pi$ at a token,
#
# $$k_1 = -\log \rho \qquad k_2 = \tfrac{1}{2} (\log \rho)^2 \qquad k_3 = \rho - 1 - \log \rho$$
#
# Gradients flow.

# %% [markdown] lang="zh"
# ## 2. KL 散度的三种估计
#
# $\mathrm{KL}(\pi \| \pi_{ref})$ 要对整个词表求和，这里只用 $\pi$ 写出的词元来估计。记一个词元上的 $\rho = \pi_{ref} / \pi$，则
#
# $$k_1 = -\log \rho \qquad k_2 = \tfrac{1}{2} (\log \rho)^2 \qquad k_3 = \rho - 1 - \log \rho$$
#
# 有的方法拿它们当损失训练，所以这里梯度要能流过去。


# %%
def kl_estimates(logps: Tensor, ref_logps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three estimates of KL(policy || reference) from each token.

    Args:
        logps, ref_logps: of any one shape.

    Returns: (k1, k2, k3), each of that shape.

    Example: pi 1/2 and ref 1/4 give 0.6931, 0.2402 and 0.1931.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html.
    """
    # BEGIN SOLUTION
    log_ratio = ref_logps - logps
    k1 = -log_ratio
    k2 = log_ratio.square() / 2
    k3 = torch.exp(log_ratio) - 1 - log_ratio
    return k1, k2, k3
    # END SOLUTION


# %% [markdown]
# ## 3. Whitening under a mask
#
# With the mean $\mu$ and the unbiased variance $s^2$ (divided by $n - 1$) of all values of the batch that count, not
# row by row, each of them becomes
#
# $$\frac{x - \mu}{\sqrt{s^2 + 10^{-8}}}$$
#
# With `shift_mean=False`, $\mu$ is added back: only the spread changes. What doesn't count becomes 0.

# %% [markdown] lang="zh"
# ## 3. 带掩码的白化
#
# 记整个批次里所有计入的值的均值为 $\mu$、方差为 $s^2$（一起算，不是逐行；方差是无偏的，除以 $n - 1$），每个值变成
#
# $$\frac{x - \mu}{\sqrt{s^2 + 10^{-8}}}$$
#
# `shift_mean=False` 时再把 $\mu$ 加回去，只改变散布的程度。不计入的位置变成 0。


# %%
def masked_whiten(values: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    """Values with variance one.

    Args:
        values: [B, T].
        mask: [B, T] int64, 1 where a value counts.
        shift_mean: False keeps the mean.

    Returns: [B, T].

    Raises:
        ValueError: fewer than two values count.

    Example: 1, 3 and 5 become -1, 0 and 1; with shift_mean=False they become 2, 3 and 4.
    """
    # BEGIN SOLUTION
    count = mask.sum()
    if count < 2:
        raise ValueError(f"a variance needs two values, and {int(count)} count")
    mean = (values * mask).sum() / count
    variance = ((values - mean).square() * mask).sum() / (count - 1)
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    if not shift_mean:
        whitened = whitened + mean
    return whitened * mask
    # END SOLUTION


# %% [markdown]
# ## 4. A controller for beta
#
# To hold the KL divergence near a target: after each batch of `num_sequences` responses with mean KL `kl`,
#
# $$e = \mathrm{clip}\Bigl( \frac{kl}{target} - 1,\; -0.2,\; 0.2 \Bigr) \qquad
#   \beta \leftarrow \beta \, \Bigl( 1 + e \, \frac{num\_sequences}{horizon} \Bigr)$$

# %% [markdown] lang="zh"
# ## 4. 调节 beta 的控制器
#
# $\beta$ 取多大，KL 散度才会停在目标附近？每一批 `num_sequences` 条回答之后，若它们的平均 KL 是 `kl`，则
#
# $$e = \mathrm{clip}\Bigl( \frac{kl}{target} - 1,\; -0.2,\; 0.2 \Bigr) \qquad
#   \beta \leftarrow \beta \, \Bigl( 1 + e \, \frac{num\_sequences}{horizon} \Bigr)$$


# %%
def next_beta(beta: float, kl: float, target: float, num_sequences: int, horizon: int) -> float:
    """The coefficient for the next batch.

    Args:
        beta: the coefficient of this batch.
        kl: mean KL divergence of its responses.
        horizon: in sequences; the larger, the slower.

    Returns: the new coefficient.

    Example: beta 0.2, kl 6.6, target 6, 100 sequences, horizon 1000: 0.2 * (1 + 0.1 * 0.1) = 0.202.

    Source: Ziegler et al. 2019, section 2.2, and OpenAI's lm-human-preferences.
    """
    # BEGIN SOLUTION
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * num_sequences / horizon)
    # END SOLUTION
