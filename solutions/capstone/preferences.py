# %% [markdown]
# A model that was trained on tunes writes what is usual. Now a listener says which of two endings she likes better,
# pair after pair. You teach the model her taste with DPO, and you report honestly what it gained and what it cost.
# There are ten notes and an answer is two of them, so **all answers can be listed**: nothing is estimated.
#
# `parts` holds the earlier exercises as modules: `parts.gpt`, `parts.dpo` and `parts.optimizer_and_schedule`, each with
# the names that its statement gives. Here they are your own files. Points are given for a run with the course's solutions
# of these exercises. If you hand in yours as well, you are also told what *they* reached.
#
# * A prompt has `P` tokens, an answer `A`: the same number in all rows, without padding. A model reads `P + A` tokens.
# * `Pairs` are three int64 tensors: prompts `[N, P]`, chosen `[N, A]`, rejected `[N, A]`. A prompt may stand in many rows.
# * The **log-ratio** of an answer is $\log \pi(y \mid x) - \log \pi_{ref}(y \mid x)$, in nats: DPO's reward without $\beta$.

# %% [markdown] lang="zh"
# 在曲调上训练出来的模型，写的是**常见**的东西。现在有一位听众，一对一对地说出两个结尾里更喜欢哪一个。你要用 DPO 让模型学会她的口味，并如实报告：得到了什么，付出了什么。音符只有十个，回答只有两个音符，所以**全部回答都列得出来**，什么都不用估计。
#
# `parts` 里是前面的练习，每个是一个模块：`parts.gpt`、`parts.dpo`、`parts.optimizer_and_schedule`，里面的名字与各题的题面相同。在你这里，它们就是你自己的文件；计分时用的是课程给这几题的解答。如果把自己写的这几题也一起提交，还会告诉你**自己那一套**达到了什么水平。
#
# * 提示词有 `P` 个词元，回答有 `A` 个，各行都一样多，没有填充。模型读 `P + A` 个词元。
# * `Pairs` 是三个 int64 张量：提示词 `[N, P]`、被选中的回答 `[N, A]`、被拒绝的回答 `[N, A]`。同一个提示词可以出现在许多行里。
# * 一个回答的**对数比**是 $\log \pi(y \mid x) - \log \pi_{ref}(y \mid x)$，单位 nat，也就是 DPO 的奖励不乘 $\beta$。

# %%
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Pairs = tuple[Tensor, Tensor, Tensor]  # prompts, chosen, rejected

# %% [markdown]
# ## 1. Set up
#
# Two models begin with the same weights: the **policy**, which learns, and the **reference**, a copy of its own, whose
# parameters require no gradient. The `AdamW` of `parts.optimizer_and_schedule` moves all parameters of the policy,
# **without weight decay**: decay pulls towards zero, and what this run is tied to is the reference. Count what it moves.

# %% [markdown] lang="zh"
# ## 1. 准备
#
# 两个模型从同样的权重出发：**策略模型**负责学习；**参考模型**是独立的一份副本，参数都不需要梯度。`parts.optimizer_and_schedule` 的 `AdamW` 更新策略模型的全部参数，**不用权重衰减**：衰减会往零拉，而这次训练应该拴在参考模型上，不是零上。再数出它一共更新多少个数。


# %%
def set_up(
    parts: Any, config: Any, weights: Mapping[str, Tensor], rate: float
) -> tuple[nn.Module, nn.Module, Any, int]:
    """What a run starts with.

    Args:
        parts: the earlier exercises.
        config: a `parts.gpt.GPTConfig`, the sizes of the model.
        weights: parameter name -> tensor, for `load_state_dict`. (If your own GPT also has buffers, or a second name for
            its head, load with `strict=False`.)
        rate: the learning rate.

    Returns:
        The policy; the reference; the optimiser; how many numbers it moves: the entries of its parameters.
    """
    # BEGIN SOLUTION
    policy, reference = parts.gpt.GPT(config), parts.gpt.GPT(config)
    policy.load_state_dict(weights)
    reference.load_state_dict(weights)
    reference.requires_grad_(False)
    groups = [{"params": policy.parameters(), "weight_decay": 0.0}]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=rate)
    return policy, reference, optimizer, sum(moved.numel() for moved in optimizer.parameters())
    # END SOLUTION


# %% [markdown]
# ## 2. How likely is an answer?
#
# The model reads the prompt, then the answer. The **sum** of the log-probabilities of the answer's tokens is what counts:
# all of them, and no token of the prompt. `parts.dpo.sequence_logps` takes logits and labels, and does the shift itself.

# %% [markdown] lang="zh"
# ## 2. 一个回答有多大可能？
#
# 模型先读提示词，再读回答。要的是回答各词元对数概率的**总和**：一个不少，提示词的一个不算。`parts.dpo.sequence_logps` 接收 logits 和标签，移位由它来做。


# %%
def answer_logps(parts: Any, model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
    """The log-probability of each answer after its prompt.

    Args:
        parts: the earlier exercises.
        model: ids [B, T] -> logits [B, T, V].
        prompts: [B, P] int64, P at least 1.
        answers: [B, A] int64, A at least 1.

    Returns:
        [B]; gradients flow into the model.
    """
    # BEGIN SOLUTION
    ids = torch.cat([prompts, answers], dim=1)
    labels = ids.clone()
    labels[:, : prompts.shape[1]] = -100
    return parts.dpo.sequence_logps(model(ids), labels)
    # END SOLUTION


# %% [markdown]
# ## 3. Train
#
# Step $i$ takes the pairs in the rows `batches[i]`, and moves the policy once down the gradient of `parts.dpo.dpo_loss`.
# The reference stays as it is, bit for bit. At the call all gradients are `None`.
#
# Some advice, which your code need not check: a policy that equals its reference has a loss of $\ln 2 = 0.693$. If your
# first loss is another, or if *no* loss is, look for the reason before you train on.

# %% [markdown] lang="zh"
# ## 3. 训练
#
# 第 $i$ 步取 `batches[i]` 这些行的偏好对，让策略模型沿 `parts.dpo.dpo_loss` 的梯度下降一次。参考模型一个比特也不变。调用时所有梯度都是 `None`。
#
# 一条建议，不必写进代码：策略与参考相同时，损失是 $\ln 2 = 0.693$。如果第一个损失不是它，或者**每一个**都是它，先找原因，再接着训练。


# %%
def train(
    parts: Any,
    policy: nn.Module,
    reference: nn.Module,
    optimizer: Any,
    pairs: Pairs,
    batches: Tensor,
    beta: float,
) -> list[float]:
    """Train the policy with DPO, in place.

    Args:
        parts: the earlier exercises.
        policy: ids [B, T] -> logits [B, T, V].
        reference: the same, frozen.
        optimizer: of the policy's parameters, with `zero_grad` and `step`.
        pairs: N of them.
        batches: [steps, B] int64, which rows of the pairs each step takes.
        beta: DPO's.

    Returns:
        The loss of each step, before its update.
    """
    # BEGIN SOLUTION
    prompts, chosen, rejected = pairs
    with torch.no_grad():  # the reference never changes: once is enough
        reference_chosen = answer_logps(parts, reference, prompts, chosen)
        reference_rejected = answer_logps(parts, reference, prompts, rejected)
    losses = []
    for rows in batches:
        both = torch.cat([chosen[rows], rejected[rows]])  # one pass through the model for both sides
        policy_chosen, policy_rejected = answer_logps(parts, policy, prompts[rows].repeat(2, 1), both).chunk(
            2
        )
        loss = parts.dpo.dpo_loss(
            policy_chosen, policy_rejected, reference_chosen[rows], reference_rejected[rows], beta
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    # END SOLUTION


# %% [markdown]
# ## 4. Report
#
# Four numbers, measured without gradients:
#
# | name | what it is |
# |---|---|
# | `margin` | log-ratio of the chosen answer minus that of the rejected one, mean over the pairs |
# | `accuracy` | share of pairs whose chosen answer has the larger log-ratio; a tie is wrong |
# | `chosen_shift` | log-ratio of the chosen answer, mean over the pairs |
# | `kl` | $\sum_y \pi(y \mid x) \, \bigl( \log \pi(y \mid x) - \log \pi_{ref}(y \mid x) \bigr)$ over **all** answers $y$; mean over the *different* prompts, each once |

# %% [markdown] lang="zh"
# ## 4. 报告
#
# 四个数，测量时不计算梯度：
#
# | 名字 | 含义 |
# |---|---|
# | `margin` | 间隔：被选中回答的对数比减去被拒绝回答的对数比，对偏好对取平均 |
# | `accuracy` | 被选中回答的对数比更大的偏好对所占的比例，相等算错 |
# | `chosen_shift` | 被选中回答的对数比，对偏好对取平均 |
# | `kl` | 对**全部**回答 $y$ 求和的 $\sum_y \pi(y \mid x) \, \bigl( \log \pi(y \mid x) - \log \pi_{ref}(y \mid x) \bigr)$；再对**不同的**提示词取平均，每个只算一次 |


# %%
def report(
    parts: Any, policy: nn.Module, reference: nn.Module, pairs: Pairs, answers: Tensor
) -> dict[str, float]:
    """What the training has changed, on these pairs.

    Args:
        parts: the earlier exercises.
        policy, reference: ids [B, T] -> logits [B, T, V].
        pairs: N of them, at least one.
        answers: [M, A] int64, every possible answer, each once.

    Returns:
        "margin", "accuracy", "chosen_shift", "kl" -> float.

    Source: the first three as trl's DPOTrainer logs them, at beta 1.
    """
    # BEGIN SOLUTION
    prompts, chosen, rejected = pairs
    different = prompts.unique(dim=0)
    every_prompt = different.repeat_interleave(len(answers), dim=0)
    every_answer = answers.repeat(len(different), 1)
    with torch.no_grad():

        def log_ratios(prompts: Tensor, answers: Tensor) -> Tensor:
            logps = answer_logps(parts, policy, prompts, answers)
            return logps - answer_logps(parts, reference, prompts, answers)

        moved = log_ratios(prompts, chosen)
        gaps = moved - log_ratios(prompts, rejected)
        probabilities = answer_logps(parts, policy, every_prompt, every_answer).exp()
        kl = (probabilities * log_ratios(every_prompt, every_answer)).sum() / len(different)
    return {
        "margin": gaps.mean().item(),
        "accuracy": (gaps > 0).double().mean().item(),
        "chosen_shift": moved.mean().item(),
        "kl": kl.item(),
    }
    # END SOLUTION
