# %% [markdown]
# Reinforcement learning from human feedback (RLHF) trains a language model on the scores of a reward model. Four models
# take part:
#
# | model | answers for each position | trained |
# |---|---|---|
# | actor | logits of the next token | yes |
# | critic | a value: the return it expects from here on | yes |
# | reward model | a score of the text so far | frozen |
# | reference | logits, as the actor's before training | frozen |
#
# You write one PPO step, which trains the first two.
#
# * A row of `ids` [B, T] is a prompt of `prompt_length` tokens, the same for all rows, and a response of up to
#   `R = T - prompt_length` tokens that the actor has sampled. `mask` [B, R] is True at a response's real tokens, at least
#   one; padding follows. **What stands at padding is arbitrary** and must not change any result.
# * A model is called as `model(ids)` and returns [B, T, V] or [B, T, 1]. All are causal: position `p` has seen the tokens
#   up to and including `p`.
# * Tokens were sampled at a `temperature`: **log-probabilities, the reference's too, are those of `logits / temperature`**.

# %% [markdown] lang="zh"
# 基于人类反馈的强化学习（RLHF）用奖励模型的打分来训练语言模型。一共有四个模型：
#
# | 模型 | 在每个位置给出什么 | 训练吗 |
# |---|---|---|
# | Actor | 下一个词元的 logits | 训练 |
# | Critic | 价值：预计从这里往后的回报 | 训练 |
# | 奖励模型 | 到此为止这段文本的得分 | 冻结 |
# | 参考模型 | logits，即训练之前的 Actor | 冻结 |
#
# 本题写 PPO 的一步，训练的是前两个。
#
# * `ids` [B, T] 的一行由两部分组成：长为 `prompt_length` 的提示词（各行相同），和 Actor 采样出来的回答，最长 `R = T - prompt_length` 个词元。`mask` [B, R] 在回答的真实词元处为 True：至少有一个，其后是填充。**填充处的内容是任意的**，不能影响任何结果。
# * 模型的调用方式是 `model(ids)`，返回 [B, T, V] 或 [B, T, 1]。它们都是因果的：位置 `p` 看到的是直到 `p`（含 `p`）的词元。
# * 词元是按某个温度 `temperature` 采样的：**对数概率一律按 `logits / temperature` 计算，参考模型也不例外**。

# %%
import torch
from torch import Tensor, nn

# %% [markdown]
# Given, from earlier exercises:

# %% [markdown] lang="zh"
# 以下是给定的代码，来自前面的练习：


# %%
def log_probs_of(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probabilities [B, R] of tokens [B, R], under logits [B, R, V] that speak of them."""
    return logits.log_softmax(dim=-1).gather(-1, tokens[..., None]).squeeze(-1)


def token_rewards(
    log_probs: Tensor, reference_log_probs: Tensor, scores: Tensor, mask: Tensor, beta: float
) -> Tensor:
    """Rewards [B, R]: -beta * (log pi - log ref) at each token, and the score [B] at the last real one as well."""
    last = mask & (mask.cumsum(dim=-1) == mask.sum(dim=-1, keepdim=True))
    return -beta * (log_probs - reference_log_probs) + last * scores[:, None]


def masked_whiten(x: Tensor, mask: Tensor) -> Tensor:
    """x [B, R] with mean 0 and variance 1 over the places where mask is True; 0 elsewhere."""
    real = x[mask]
    return torch.where(mask, (x - real.mean()) / (real.var() + 1e-8).sqrt(), 0.0)


def policy_losses(log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """PPO's clipped surrogate loss of each token, [B, R]."""
    ratio = torch.exp(log_probs - old_log_probs)
    return -torch.min(ratio * advantages, ratio.clamp(1 - clip_range, 1 + clip_range) * advantages)


def value_losses(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    """PPO's clipped value loss of each token, with its factor 1/2, [B, R]."""
    clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.max((values - returns).square(), (clipped - returns).square())


# %% [markdown]
# ## 1. Where the models speak of the response
#
# Response token `t` is an action, chosen in a state: the prompt and the response tokens before `t`. The actor's logits
# for this action, and the critic's value of this state, stand where the model **has not yet seen the token**.

# %% [markdown] lang="zh"
# ## 1. 模型在哪里谈论回答
#
# 回答的词元 `t` 是一个动作，它是在某个状态下选出的：提示词，加上 `t` 之前的回答词元。Actor 对这个动作的 logits、Critic 对这个状态的价值，都在模型**还没有看到这个词元**的地方。


# %%
def response_outputs(outputs: Tensor, prompt_length: int) -> Tensor:
    """What a model said in the states in which the response's tokens were chosen.

    Args:
        outputs: [B, T, D] of the actor or the reference (D = V), or of the critic (D = 1).
        prompt_length: at least 1, less than T.

    Returns:
        [B, R, D]; entry t belongs to the state before response token t, padding included.
    """
    # BEGIN SOLUTION
    return outputs[:, prompt_length - 1 : -1]
    # END SOLUTION


# %% [markdown]
# ## 2. Advantages over responses
#
# Generalised advantage estimation (GAE), with $\delta_t = r_t + \gamma V_{t+1} - V_t$:
#
# $$A_t = \delta_t + \gamma \lambda A_{t+1}$$
#
# A response ends with its last **real** token: behind it there is no value and no advantage.

# %% [markdown] lang="zh"
# ## 2. 回答上的优势
#
# 广义优势估计（GAE），其中 $\delta_t = r_t + \gamma V_{t+1} - V_t$：
#
# $$A_t = \delta_t + \gamma \lambda A_{t+1}$$
#
# 一条回答到它最后一个**真实**词元为止：其后没有价值，也没有优势。


# %%
def response_advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """GAE for each response of a batch.

    Args:
        rewards: [B, R].
        values: [B, R], of the state before each token.
        mask: [B, R] bool.
        gamma, lam: between 0 and 1.

    Returns:
        [B, R], not whitened; 0 at padding.

    Example: rewards 0 and 1, values 0.5 and 0.25, gamma = lam = 1 give advantages 0.5 and 0.75.

    Source: Schulman et al. 2016, https://arxiv.org/abs/1506.02438, equation 16.
    """
    # BEGIN SOLUTION
    values = torch.where(mask, values, 0.0)
    following_value = following_advantage = torch.zeros_like(values[:, 0])
    advantages = []
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        following_advantage = torch.where(mask[:, t], delta + gamma * lam * following_advantage, 0.0)
        following_value = values[:, t]
        advantages.append(following_advantage)
    return torch.stack(advantages[::-1], dim=1)
    # END SOLUTION


# %% [markdown]
# ## 3. Collect
#
# 1. Put all four models into evaluation mode (dropout off) and leave them there. Ask them without building a graph: all of this is data.
# 2. The score of a response is the reward model's output **at its last real token**, where it has seen all of it.
# 3. Rewards by `token_rewards`, advantages by question 2. The returns, the critic's targets, are these advantages plus
#    the values. Then whiten the advantages over all real tokens of the batch.

# %% [markdown] lang="zh"
# ## 3. 收集数据
#
# 1. 把四个模型都切换到评估模式（关掉 dropout），之后不必恢复。询问时不建计算图：这里得到的全是数据。
# 2. 一条回答的得分，是奖励模型**在它最后一个真实词元处**的输出，这时它才看完了整条回答。
# 3. 奖励用 `token_rewards` 计算，优势用第 2 问计算。回报（即 Critic 的目标）是这个优势加上价值。然后在整个批次的所有真实词元上把优势白化。


# %%
def collect(
    actor: nn.Module,
    critic: nn.Module,
    reward_model: nn.Module,
    reference: nn.Module,
    ids: Tensor,
    mask: Tensor,
    prompt_length: int,
    temperature: float,
    beta: float,
    gamma: float,
    lam: float,
) -> dict[str, Tensor]:
    """What PPO has to know of the responses, from the models before training.

    Args:
        actor, reference: ids -> logits [B, T, V].
        critic, reward_model: ids -> [B, T, 1].
        ids: [B, T] int64.
        mask: [B, R] bool.
        beta: weight of the KL penalty.

    Returns:
        "log_probs", "values", "advantages" (whitened) and "returns", each [B, R]. What stands at padding is up to you.

    Source: Ouyang et al. 2022, https://arxiv.org/abs/2203.02155, equation 2, without the pre-training term.
    """
    # BEGIN SOLUTION
    tokens = ids[:, prompt_length:]
    for model in (actor, critic, reward_model, reference):
        model.eval()
    with torch.no_grad():
        log_probs = log_probs_of(response_outputs(actor(ids), prompt_length) / temperature, tokens)
        reference_logits = response_outputs(reference(ids), prompt_length)
        reference_log_probs = log_probs_of(reference_logits / temperature, tokens)
        values = response_outputs(critic(ids), prompt_length).squeeze(-1)
        last = prompt_length - 1 + mask.sum(dim=1)
        scores = reward_model(ids).squeeze(-1)[torch.arange(len(ids)), last]
        rewards = token_rewards(log_probs, reference_log_probs, scores, mask, beta)
        advantages = response_advantages(rewards, values, mask, gamma, lam)
    return {
        "log_probs": log_probs,
        "values": values,
        "returns": advantages + values,
        "advantages": masked_whiten(advantages, mask),
    }
    # END SOLUTION


# %% [markdown]
# ## 4. Train
#
# Take `epochs` optimiser steps, each on the whole batch, on `policy loss + value_coef * value loss`. Each of the two is
# the mean over **all real response tokens of the batch**. Both models are asked anew in each epoch; what was
# collected stays. In the first epoch every ratio must be 1, so evaluation mode is needed here, too. At the call all
# gradients are `None`.

# %% [markdown] lang="zh"
# ## 4. 训练
#
# 走 `epochs` 步优化器，每一步都用整个批次，损失是“策略损失 + `value_coef` × 价值损失”。两者都对**整个批次的所有真实回答词元**取平均。每一轮都重新询问两个模型，收集到的数据则始终不变。第一轮里每个概率比都必须是 1，所以这里同样需要评估模式。调用时所有梯度都是 `None`。


# %%
def ppo_step(
    actor: nn.Module,
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    ids: Tensor,
    mask: Tensor,
    prompt_length: int,
    temperature: float,
    experience: dict[str, Tensor],
    clip_range: float,
    value_coef: float,
    epochs: int,
) -> list[float]:
    """Train actor and critic in place on one batch of responses.

    Args:
        actor, critic, ids, mask, temperature: as in `collect`.
        optimizer: of the parameters of both.
        experience: what `collect` returned.
        clip_range: of both losses.

    Returns:
        The loss of each epoch, before its step.
    """
    # BEGIN SOLUTION
    actor.eval()
    critic.eval()
    epoch_losses = []
    for _ in range(epochs):
        logits = response_outputs(actor(ids), prompt_length) / temperature
        log_probs = log_probs_of(logits, ids[:, prompt_length:])
        values = response_outputs(critic(ids), prompt_length).squeeze(-1)
        policy = policy_losses(log_probs, experience["log_probs"], experience["advantages"], clip_range)
        value = value_losses(values, experience["values"], experience["returns"], clip_range)
        loss = policy[mask].mean() + value_coef * value[mask].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_losses.append(loss.item())
    return epoch_losses
    # END SOLUTION
