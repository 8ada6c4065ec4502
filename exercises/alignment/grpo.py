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
# # GRPO
#
# `alignment/grpo` · 60 minutes · difficulty 3/5 · [lesson](../../course/alignment/grpo.md)

# %% [markdown] lang="zh"
# # GRPO
#
# `alignment/grpo` · 60 分钟 · 难度 3/5 · [讲义](../../course/alignment/grpo.zh.md)

# %%
from autograder import check

# %% [markdown]
# Is a reward of 0.7 good? PPO asks a critic, a second network that has to be trained. Group relative policy
# optimisation (GRPO) asks the neighbours: it samples several responses to **one prompt** and compares each with the
# others. You write its advantages and its loss.
#
# * There are `P` prompts with `G` responses each: their **group**. For the loss all of them stand in one batch of
#   `B = P * G` responses, padded to `T` tokens.
# * Rewards and advantages are numbers, for which no gradient is needed.

# %% [markdown] lang="zh"
# 奖励 0.7 算高吗？PPO 去问 critic，也就是另一个要训练的网络。GRPO（组相对策略优化）则问问左邻右舍：对**同一个提示词**采样几条回答，让每条与同组的其他回答比。本题要写出它的优势和损失。
#
# * 有 `P` 个提示词，每个有 `G` 条回答，合称一**组**。计算损失时，所有回答排成一个批次，共 `B = P * G` 条，填充到 `T` 个词元。
# * 奖励和优势都只是数，不需要梯度。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Advantages within a group
#
# Outcome supervision gives each response one reward. Its advantage is
#
# $$A_i = \frac{r_i - \mathrm{mean}(r)}{\mathrm{std}(r) + \epsilon}$$
#
# with mean and standard deviation of its own group; papers leave open which deviation, so `unbiased` says it. The
# paper has no $\epsilon$: `eps` may be 0. Responses that all got the same reward teach nothing: their advantages are 0,
# for every `eps`.

# %% [markdown] lang="zh"
# ## 1. 组内优势
#
# 结果监督（outcome supervision）给每条回答一个奖励，它的优势是
#
# $$A_i = \frac{r_i - \mathrm{mean}(r)}{\mathrm{std}(r) + \epsilon}$$
#
# 均值和标准差都取自它所在的组。论文没说是哪一种标准差，所以由 `unbiased` 指明。论文里也没有 $\epsilon$，所以 `eps` 可以为 0。如果一组回答的奖励全都相同，那就没有什么可学的：无论 `eps` 取多少，优势都是 0。

# %%
def group_advantages(rewards: Tensor, eps: float = 1e-4, unbiased: bool = True) -> Tensor:
    """Rewards, normalised within each group.

    Args:
        rewards: [P, G] float, a row for each prompt.
        eps: is added to the standard deviation.
        unbiased: whether the variance divides by G - 1 (True) or by G (False).

    Returns: [P, G].

    Raises:
        ValueError: G is 1: there is nothing to compare with.

    Example: rewards 1, 1, 1, 5 have the mean 2 and the unbiased standard deviation 2; eps 0 gives -1/2, -1/2, -1/2, 3/2.

    Source: Shao et al. 2024, section 4.1.2, https://arxiv.org/abs/2402.03300.
    """
    raise NotImplementedError("group_advantages")

# %%
check("alignment/grpo")

# %% [markdown]
# ## 2. Advantages of single steps
#
# Process supervision gives every **step** of a solution a reward, at the token where the step ends.
#
# * They are normalised as in question 1, but **all steps of all responses** to a prompt together: with one mean and one
#   standard deviation, however many steps each response has.
# * A token's advantage is the **sum** of the normalised rewards of those steps that end at this token or later.

# %% [markdown] lang="zh"
# ## 2. 逐步的优势
#
# 过程监督（process supervision）给解答的每一**步**一个奖励，记在这一步结束的那个词元上。
#
# * 归一化的方法同第 1 问，但对象是同一个提示词下**所有回答的所有步**的奖励：整组只有一个均值、一个标准差，不管每条回答有几步。
# * 一个词元的优势是一个**总和**：凡是在这个词元或之后结束的步，把它们归一化后的奖励加起来。

# %%
def step_advantages(rewards: Tensor, step_ends: Tensor, eps: float = 1e-4, unbiased: bool = True) -> Tensor:
    """Advantage of each token where each step has a reward.

    Args:
        rewards: [P, G, T] float; what stands elsewhere than at the end of a step doesn't count.
        step_ends: [P, G, T] bool, True at the last token of each step. Each response has at least one step.
        eps, unbiased: as in `group_advantages`, with the number of the prompt's steps in place of G.

    Returns: [P, G, T]; 0 after a response's last step.

    Example: a response of 4 tokens, whose steps end at tokens 1 and 3, has the normalised rewards -2 and 1. Its advantages
    are -1, -1, 1, 1.

    Source: Shao et al. 2024, section 4.1.3.
    """
    raise NotImplementedError("step_advantages")

# %%
check("alignment/grpo")

# %% [markdown]
# ## 3. The loss of each token
#
# With $\rho_t = \pi_\theta / \pi_{old}$, the token's probability under the current policy over that under the policy
# that sampled it, the loss is
#
# $$\ell_t = -\min\bigl(\rho_t A_t,\; \mathrm{clip}(\rho_t,\, 1 - c,\, 1 + c)\, A_t\bigr) + \beta\, k_t,
# \qquad k_t = \frac{\pi_{ref}}{\pi_\theta} - \log \frac{\pi_{ref}}{\pi_\theta} - 1$$
#
# $k_t$ estimates the KL divergence from a frozen reference model. It is neither clipped nor weighted by $\rho_t$.
#
# Only the current policy's log-probabilities get a gradient: those of the sampling policy and of the reference, and the
# advantages, are **constants**. In the first step after sampling the current policy *is* the sampling policy;
# `old_log_probs` may then be `None`. The ratio is 1 there, and the gradient isn't 0.

# %% [markdown] lang="zh"
# ## 3. 每个词元的损失
#
# 记 $\rho_t = \pi_\theta / \pi_{old}$，即当前策略与采样时的策略给 $t$ 处词元的概率之比，损失是
#
# $$\ell_t = -\min\bigl(\rho_t A_t,\; \mathrm{clip}(\rho_t,\, 1 - c,\, 1 + c)\, A_t\bigr) + \beta\, k_t,
# \qquad k_t = \frac{\pi_{ref}}{\pi_\theta} - \log \frac{\pi_{ref}}{\pi_\theta} - 1$$
#
# $k_t$ 估计当前策略与冻结的参考模型之间的 KL 散度，既不参与裁剪，也不乘 $\rho_t$。
#
# 只有当前策略的对数概率得到梯度；采样策略和参考模型的对数概率，以及优势，都是**常数**。采样后的第一步，当前策略**就是**采样策略，这时 `old_log_probs` 可以是 `None`：比值为 1，梯度却不为 0。

# %%
def token_losses(
    log_probs: Tensor,
    old_log_probs: Tensor | None,
    reference_log_probs: Tensor,
    advantages: Tensor,
    clip: float = 0.2,
    beta: float = 0.04,
) -> Tensor:
    """GRPO's loss at each token.

    Args:
        log_probs, old_log_probs, reference_log_probs: [B, T], of the tokens that were sampled, under the current policy,
            under the one that sampled them (None: it is the current one), and under the reference.
        advantages: [B, T], or [B, 1]: one for all tokens of a response.
        clip: c.
        beta: weight of the KL term.

    Returns: [B, T].

    Example: ratio 2 and c = 0.2, beta = 0: advantage 1 gives -1.2, advantage -1 gives 2.

    Source: Shao et al. 2024, equations 3 and 4.
    """
    raise NotImplementedError("token_losses")

# %%
check("alignment/grpo")

# %% [markdown]
# ## 4. One number
#
# The loss is the mean over a response's **own tokens**, then the mean over the `B` responses: a short one weighs as much
# as a long one.

# %% [markdown] lang="zh"
# ## 4. 汇成一个数
#
# 先在一条回答**自己的词元**上取平均，再对 `B` 条回答取平均：短的和长的份量一样。

# %%
def response_mean(losses: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens of each response, then over the responses.

    Args:
        losses: [B, T]; where the mask is False any finite numbers.
        mask: [B, T] bool, True for a response's own tokens.

    Returns: []. A response without tokens of its own has the mean 0 and counts as one of the B.

    Example: a response of one token with loss 3 and one of three tokens with losses 1, 0, 2 give (3 + 1) / 2 = 2.

    Source: Shao et al. 2024, equation 3.
    """
    raise NotImplementedError("response_mean")

# %%
check("alignment/grpo")
