# %% [markdown]
# Direct preference optimisation (DPO) trains a language model on pairs of responses to one prompt: a
# **chosen** response and a **rejected** one. It needs no reward model and samples nothing. You write the
# loss, from logits to its gradient.
#
# Conventions that hold everywhere below:
#
# * `B` is the number of sequences or pairs (at least 1), `T` the number of tokens, `V` the vocabulary size.
#   Logarithms are natural.
# * The log-probability of a response is the **sum** of the log-probabilities of its tokens. It isn't divided
#   by the length.
# * `policy_*` belong to the model being trained, `reference_*` to the frozen model it started from. The
#   reference is a constant: **no gradient flows into any `reference_*` argument**.
# * A loss is the **mean** over the `B` pairs, a tensor without axes. Results keep the dtype of the inputs.
# * `beta` and `tau` are positive numbers; you needn't check them.

# %% [markdown] lang="zh"
# 直接偏好优化（DPO）用成对的回答训练语言模型：同一个提示词，一条是**被选中的**（chosen），
# 一条是**被拒绝的**（rejected）。它不需要奖励模型，训练时也不用采样。本题从 logits 写起，一直写到损失的梯度。
#
# 全题通用的约定：
#
# * `B` 是序列数或偏好对数（至少为 1），`T` 是词元数，`V` 是词表大小；对数一律是自然对数。
# * 一条回答的对数概率是各词元对数概率的**总和**，不除以长度。
# * `policy_*` 来自正在训练的模型，`reference_*` 来自训练起点的那个冻结模型。参考模型是常数：
#   **任何 `reference_*` 参数都不应得到梯度**。
# * 损失对 `B` 个偏好对取**平均**，返回没有轴的标量张量。结果的 dtype 与输入相同。
# * `beta`、`tau` 都是正数，不必检查。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position that doesn't count


# %% [markdown]
# ## 1. Log-probability of a response
#
# `labels[b, t]` is the token **at** position `t`, or `-100` where that token doesn't count: the prompt,
# padding, or a stretch in the middle such as a tool's output. `logits[b, t]` are the model's scores for the
# token at position `t + 1`, as a causal model returns them. You do the shift: the token at position 0 has
# nothing that predicts it and never counts, whatever its label; the logits of the last position are never
# used.
#
# Return the sum over the tokens that count. A row without any gives 0. Token id 0 is a token like any other.
# Logits may be as large as 10,000. Raise `ValueError` when `labels` isn't of shape `[B, T]` with the `B` and
# `T` of the logits.

# %% [markdown] lang="zh"
# ## 1. 一条回答的对数概率
#
# `labels[b, t]` 是位置 `t` **上**的词元；不计入的位置写 `-100`，例如提示词、填充，或夹在中间的工具输出。
# `logits[b, t]` 是模型对位置 `t + 1` 的词元的打分，与因果语言模型的输出一致。移位由你来做：
# 位置 0 的词元没有谁来预测，无论标签是什么都不计入；最后一个位置的 logits 用不到。
#
# 返回所有计入词元的对数概率之和；一个都没有的行返回 0。编号为 0 的词元与其他词元没有区别。
# logits 可能大到一万。`labels` 的形状不是与 logits 一致的 `[B, T]` 时，抛出 `ValueError`。


# %%
def sequence_logps(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the log-probabilities of the tokens that count, one number per sequence.

    Args:
        logits: [B, T, V] floating; logits[b, t] score the token at position t + 1.
        labels: [B, T] int64; the token at each position, or -100 where it doesn't count. Change neither argument.

    Returns: [B], the dtype of `logits`.

    Raises:
        ValueError: labels.shape is not logits.shape[:2].

    Example: uniform logits over V = 4 and two tokens that count give 2 * log(1/4) = -2.7726.

    Source: log pi(y | x) in Rafailov et al. 2023, https://arxiv.org/abs/2305.18290, section 4.
    """
    # BEGIN SOLUTION
    if labels.shape != logits.shape[:2]:
        raise ValueError(f"labels {tuple(labels.shape)} must have the [B, T] of logits {tuple(logits.shape)}")
    targets = labels[:, 1:]
    vocabulary_logps = logits[:, :-1].log_softmax(dim=-1)
    counted = targets != IGNORE_INDEX
    # -100 is no index: look up token 0 there, and drop what was found.
    token_logps = vocabulary_logps.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return token_logps.masked_fill(~counted, 0.0).sum(dim=-1)
    # END SOLUTION


# %% [markdown]
# ## 2. Implicit rewards and margins
#
# DPO's policy is its own reward model. The reward of a response is
#
# $$r(x, y) = \beta \, \bigl( \log \pi_\theta(y \mid x) - \log \pi_{ref}(y \mid x) \bigr)$$
#
# and the margin of a pair is the chosen reward minus the rejected one. Return all three. From each of them
# gradients flow into the policy's log-probabilities, and into nothing else.

# %% [markdown] lang="zh"
# ## 2. 隐式奖励与间隔
#
# DPO 的策略模型本身就是奖励模型。一条回答的奖励是
#
# $$r(x, y) = \beta \, \bigl( \log \pi_\theta(y \mid x) - \log \pi_{ref}(y \mid x) \bigr)$$
#
# 一对回答的间隔（margin）是 chosen 的奖励减去 rejected 的奖励。三者都要返回。
# 三者的梯度都要能流到策略模型的对数概率，而且只流到那里。


# %%
def implicit_rewards(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Implicit reward of each response, and the margin of each pair.

    Args:
        policy_chosen, policy_rejected: [B] log-probabilities of the responses under the policy.
        reference_chosen, reference_rejected: [B] the same under the reference; constants.
        beta: strength of the KL penalty.

    Returns: (chosen_rewards, rejected_rewards, margins), each [B].

    Example: beta 0.5, policy (-3, -6), reference (-5, -4): rewards 1 and -1, margin 2.

    Source: Rafailov et al. 2023, section 4, "What does the DPO update do?".
    """
    # BEGIN SOLUTION
    chosen_rewards = beta * (policy_chosen - reference_chosen.detach())
    rejected_rewards = beta * (policy_rejected - reference_rejected.detach())
    return chosen_rewards, rejected_rewards, chosen_rewards - rejected_rewards
    # END SOLUTION


# %% [markdown]
# ## 3. The DPO loss, with label smoothing
#
# With margin $m$, $\sigma$ the logistic function and smoothing $\varepsilon$ (the share of pairs believed to
# be labelled the wrong way round),
#
# $$\ell = -(1 - \varepsilon) \log \sigma(m) - \varepsilon \log \sigma(-m)$$
#
# averaged over the pairs. $\varepsilon = 0$ is DPO; a positive one is *conservative DPO*. (The "robust"
# variant, which also divides by $1 - 2\varepsilon$, is another loss.) Margins may be as large as ±10,000: the
# loss and its gradient must stay finite and right. Raise `ValueError` unless $0 \le \varepsilon < 0.5$.

# %% [markdown] lang="zh"
# ## 3. DPO 损失与标签平滑
#
# 记间隔为 $m$，$\sigma$ 为 logistic 函数，平滑系数为 $\varepsilon$（估计有多大比例的偏好标反了），则
#
# $$\ell = -(1 - \varepsilon) \log \sigma(m) - \varepsilon \log \sigma(-m)$$
#
# 再对所有偏好对取平均。$\varepsilon = 0$ 就是 DPO，大于 0 则是保守 DPO（cDPO）。
# （再除以 $1 - 2\varepsilon$ 的 “robust” 版本是另一个损失。）间隔可能大到 ±10000，
# 损失和梯度都必须有限且正确。$\varepsilon$ 不满足 $0 \le \varepsilon < 0.5$ 时抛出 `ValueError`。


# %%
def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean DPO loss of a batch of pairs.

    Args:
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: as in `implicit_rewards`.
        label_smoothing: epsilon, in [0, 0.5).

    Returns: [] the mean over the B pairs.

    Raises:
        ValueError: label_smoothing is outside [0, 0.5).

    Example: a policy equal to its reference has margin 0 and loss log 2, whatever beta and epsilon.

    Source: Rafailov et al. 2023, eq. 7; smoothing: Mitchell 2023, https://ericmitchell.ai/cdpo.pdf, eq. 3.
    """
    # BEGIN SOLUTION
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must be in [0, 0.5), not {label_smoothing}")
    _, _, margins = implicit_rewards(
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta
    )
    as_labelled, flipped = F.logsigmoid(margins), F.logsigmoid(-margins)
    return -((1 - label_smoothing) * as_labelled + label_smoothing * flipped).mean()
    # END SOLUTION


# %% [markdown]
# ## 4. The IPO loss
#
# DPO's loss falls for ever as the margin grows; IPO asks for one margin and no more. With the log-ratio gap
#
# $$h = \log \frac{\pi_\theta(y_w \mid x)}{\pi_\theta(y_l \mid x)}
#   - \log \frac{\pi_{ref}(y_w \mid x)}{\pi_{ref}(y_l \mid x)}$$
#
# the loss of a pair is $\bigl(h - \frac{1}{2\tau}\bigr)^2$, averaged over the pairs. This is the paper's
# form, on log-probabilities as they are given (sums over tokens). Some libraries divide each response's
# log-ratio by its length first; we don't.

# %% [markdown] lang="zh"
# ## 4. IPO 损失
#
# 间隔越大，DPO 的损失就越小，没有尽头；IPO 只要求达到一个固定的差距，多了也罚。记对数比之差
#
# $$h = \log \frac{\pi_\theta(y_w \mid x)}{\pi_\theta(y_l \mid x)}
#   - \log \frac{\pi_{ref}(y_w \mid x)}{\pi_{ref}(y_l \mid x)}$$
#
# 一对回答的损失是 $\bigl(h - \frac{1}{2\tau}\bigr)^2$，再对所有偏好对取平均。这里用的是论文的形式，
# 直接使用传入的对数概率（词元之和）。有些库会先把每条回答的对数比除以长度，本题不除。


# %%
def ipo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    tau: float,
) -> Tensor:
    """Mean IPO loss of a batch of pairs.

    Args:
        policy_chosen, policy_rejected, reference_chosen, reference_rejected: as in `implicit_rewards`.
        tau: regularisation; the loss is 0 where the gap is 1 / (2 * tau).

    Returns: [] the mean over the B pairs.

    Example: tau 0.25, policy (-3, -6), reference (-5, -4): gap 4, target 2, loss 4.

    Source: Azar et al. 2023, https://arxiv.org/abs/2310.12036, eq. 17.
    """
    # BEGIN SOLUTION
    gap = (policy_chosen - policy_rejected) - (reference_chosen - reference_rejected).detach()
    return (gap - 1 / (2 * tau)).square().mean()
    # END SOLUTION


# %% [markdown]
# ## 5. The gradient, by hand
#
# Return the gradient of the mean loss of question 3 with respect to `policy_chosen` and `policy_rejected`,
# from a formula, without automatic differentiation. It is the gradient, not the step of a descent: adding it
# makes the loss larger. Margins may be as large as in question 3.

# %% [markdown] lang="zh"
# ## 5. 手算梯度
#
# 返回第 3 问的平均损失对 `policy_chosen` 和 `policy_rejected` 的梯度。用公式直接计算，不使用自动微分。
# 要的是梯度本身，不是梯度下降的更新量：沿着它走，损失会变大。间隔可能与第 3 问一样大。


# %%
def dpo_gradient(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Gradient of the mean DPO loss with respect to the policy's log-probabilities.

    Args: as in `dpo_loss`.

    Returns: (d loss / d policy_chosen, d loss / d policy_rejected), each [B].

    Example: one pair with margin 0, beta 0.1, no smoothing: (-0.05, 0.05).

    Source: Rafailov et al. 2023, section 4, "What does the DPO update do?".
    """
    # BEGIN SOLUTION
    _, _, margins = implicit_rewards(
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta
    )
    # How wrongly the rewards rank the pair; smoothing turns it negative where the margin is too sure.
    weight = (1 - label_smoothing) * torch.sigmoid(-margins) - label_smoothing * torch.sigmoid(margins)
    chosen_gradient = -beta * weight / margins.numel()
    return chosen_gradient, -chosen_gradient
    # END SOLUTION
