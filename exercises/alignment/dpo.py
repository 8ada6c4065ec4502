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
# # DPO
#
# `alignment/dpo` · 45 minutes · difficulty 3/5 · [lesson](../../course/alignment/dpo.md)

# %% [markdown] lang="zh"
# # DPO 损失函数
#
# `alignment/dpo` · 45 分钟 · 难度 3/5 · [讲义](../../course/alignment/dpo.zh.md)

# %%
from autograder import check

# %% [markdown]
# Direct preference optimisation (DPO) trains a language model on pairs of responses to one prompt: a
# **chosen** response and a **rejected** one. It needs no reward model and samples nothing. You write the
# loss, from logits to its gradient.
#
# * `B` is the number of sequences or pairs, `T` of tokens, `V` the vocabulary size. Logarithms are natural.
# * The log-probability of a response is the **sum** over its tokens, not divided by the length.
# * `policy_*` belong to the model being trained, `reference_*` to the frozen model it started from: **no
#   gradient flows into any `reference_*` argument**.
# * A loss is the **mean** over the `B` pairs, a tensor without axes.

# %% [markdown] lang="zh"
# 直接偏好优化（DPO）用成对的回答训练语言模型：同一个提示词，一条是**被选中的**（chosen），一条是**被拒绝的**（rejected）。它不需要奖励模型，训练时也不用采样。本题从 logits 写起，一直写到损失的梯度。
#
# * `B` 是序列数或偏好对数，`T` 是词元数，`V` 是词表大小；对数一律是自然对数。
# * 一条回答的对数概率是各词元对数概率的**总和**，不除以长度。
# * `policy_*` 来自正在训练的模型，`reference_*` 来自训练起点的那个冻结模型：**任何 `reference_*` 参数都不应得到梯度**。
# * 损失对 `B` 个偏好对取**平均**，返回没有轴的标量张量。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position that doesn't count

# %% [markdown]
# ## 1. Log-probability of a response
#
# `labels[b, t]` is the token **at** position `t`, or `-100` where it doesn't count: the prompt, padding, or a
# tool's output in the middle. `logits[b, t]` are a causal model's scores for the token at position `t + 1`.
# You do the shift: nothing predicts the token at position 0, so it never counts, and the logits of the last
# position are never used.
#
# Return the sum over the tokens that count; a row without any gives 0. Token id 0 is a token like any other.
# Logits may be as large as 10,000. Raise `ValueError` when the labels' shape isn't the `[B, T]` of the
# logits.

# %% [markdown] lang="zh"
# ## 1. 一条回答的对数概率
#
# `labels[b, t]` 是位置 `t` **上**的词元；不计入的位置写 `-100`，例如提示词、填充，或夹在中间的工具输出。`logits[b, t]` 是模型对位置 `t + 1` 的词元的打分，与因果语言模型的输出一致。移位由你来做：位置 0 的词元没有谁来预测，从不计入；最后一个位置的 logits 用不到。
#
# 返回所有计入词元的对数概率之和；一个都没有的行返回 0。编号为 0 的词元与其他词元没有区别。logits 可能大到一万。`labels` 的形状不是 logits 的 `[B, T]` 时，抛出 `ValueError`。

# %%
def sequence_logps(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the log-probabilities of the tokens that count.

    Args:
        logits: [B, T, V].
        labels: [B, T] int64.

    Returns: [B].

    Raises:
        ValueError: labels.shape is not logits.shape[:2].

    Example: uniform logits over V = 4 and two tokens that count give 2 * log(1/4) = -2.7726.

    Source: log pi(y | x) in Rafailov et al. 2023, https://arxiv.org/abs/2305.18290.
    """
    raise NotImplementedError("sequence_logps")

# %%
check("alignment/dpo")

# %% [markdown]
# ## 2. Implicit rewards and margins
#
# DPO's policy is its own reward model. The reward of a response is
#
# $$r(x, y) = \beta \, \bigl( \log \pi_\theta(y \mid x) - \log \pi_{ref}(y \mid x) \bigr)$$
#
# and the margin of a pair is the chosen reward minus the rejected one. Return all three. Gradients flow from
# each of them into the policy's log-probabilities.

# %% [markdown] lang="zh"
# ## 2. 隐式奖励与间隔
#
# DPO 的策略模型本身就是奖励模型。一条回答的奖励是
#
# $$r(x, y) = \beta \, \bigl( \log \pi_\theta(y \mid x) - \log \pi_{ref}(y \mid x) \bigr)$$
#
# 一对回答的间隔（margin）是 chosen 的奖励减去 rejected 的奖励。三者都要返回，三者的梯度都要能流到策略模型的对数概率。

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
        reference_chosen, reference_rejected: [B] the same under the reference.
        beta: strength of the KL penalty.

    Returns: (chosen_rewards, rejected_rewards, margins), each [B].

    Example: beta 0.5, policy (-3, -6), reference (-5, -4): rewards 1 and -1, margin 2.

    Source: Rafailov et al. 2023, section 4.
    """
    raise NotImplementedError("implicit_rewards")

# %%
check("alignment/dpo")

# %% [markdown]
# ## 3. The DPO loss, with label smoothing
#
# With margin $m$, $\sigma$ the logistic function and smoothing $\varepsilon$ (the share of pairs believed to
# be labelled the wrong way round),
#
# $$\ell = -(1 - \varepsilon) \log \sigma(m) - \varepsilon \log \sigma(-m)$$
#
# averaged over the pairs. $\varepsilon = 0$ is DPO; a positive one is *conservative DPO*. Margins may be as
# large as ±10,000: the loss and its gradient must stay finite and right.

# %% [markdown] lang="zh"
# ## 3. DPO 损失与标签平滑
#
# 记间隔为 $m$，$\sigma$ 为 logistic 函数，平滑系数为 $\varepsilon$（估计有多大比例的偏好标反了），则
#
# $$\ell = -(1 - \varepsilon) \log \sigma(m) - \varepsilon \log \sigma(-m)$$
#
# 再对所有偏好对取平均。$\varepsilon = 0$ 就是 DPO，大于 0 则是保守 DPO（cDPO）。间隔可能大到 ±10000，损失和梯度都必须有限且正确。

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

    Args: as in `implicit_rewards`, and label_smoothing: epsilon.

    Returns: [].

    Raises:
        ValueError: label_smoothing is outside [0, 0.5).

    Example: a policy equal to its reference has margin 0 and loss log 2.

    Source: Rafailov et al. 2023, eq. 7; Mitchell 2023, https://ericmitchell.ai/cdpo.pdf, eq. 3.
    """
    raise NotImplementedError("dpo_loss")

# %%
check("alignment/dpo")

# %% [markdown]
# ## 4. The IPO loss
#
# DPO's loss falls for ever as the margin grows; IPO asks for one margin and no more. With the log-ratio gap
#
# $$h = \log \frac{\pi_\theta(y_w \mid x)}{\pi_\theta(y_l \mid x)}
#   - \log \frac{\pi_{ref}(y_w \mid x)}{\pi_{ref}(y_l \mid x)}$$
#
# the loss of a pair is $\bigl(h - \frac{1}{2\tau}\bigr)^2$, averaged over the pairs. This is the paper's
# form. Some libraries divide each log-ratio by the response's length first; we don't.

# %% [markdown] lang="zh"
# ## 4. IPO 损失
#
# 间隔越大，DPO 的损失就越小，没有尽头；IPO 只要求达到一个固定的差距，多了也罚。记对数比之差
#
# $$h = \log \frac{\pi_\theta(y_w \mid x)}{\pi_\theta(y_l \mid x)}
#   - \log \frac{\pi_{ref}(y_w \mid x)}{\pi_{ref}(y_l \mid x)}$$
#
# 一对回答的损失是 $\bigl(h - \frac{1}{2\tau}\bigr)^2$，再对所有偏好对取平均。这是论文的形式。有些库会先把每条回答的对数比除以长度，本题不除。

# %%
def ipo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    tau: float,
) -> Tensor:
    """Mean IPO loss of a batch of pairs.

    Args: as in `implicit_rewards`, and tau: the loss is 0 where the gap is 1 / (2 * tau).

    Returns: [].

    Example: tau 0.25, policy (-3, -6), reference (-5, -4): gap 4, target 2, loss 4.

    Source: Azar et al. 2023, https://arxiv.org/abs/2310.12036, eq. 17.
    """
    raise NotImplementedError("ipo_loss")

# %%
check("alignment/dpo")

# %% [markdown]
# ## 5. The gradient, by hand
#
# Return the gradient of the mean loss of question 3, from a formula, without automatic differentiation. It is
# the gradient, not the step of a descent: adding it makes the loss larger.

# %% [markdown] lang="zh"
# ## 5. 手算梯度
#
# 返回第 3 问的平均损失的梯度。用公式直接计算，不使用自动微分。要的是梯度本身，不是梯度下降的更新量：沿着它走，损失会变大。

# %%
def dpo_gradient(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Gradient of the mean DPO loss.

    Args: as in `dpo_loss`.

    Returns: (d loss / d policy_chosen, d loss / d policy_rejected), each [B].

    Example: one pair with margin 0, beta 0.1, no smoothing: (-0.05, 0.05).

    Source: Rafailov et al. 2023, section 4.
    """
    raise NotImplementedError("dpo_gradient")

# %%
check("alignment/dpo")
