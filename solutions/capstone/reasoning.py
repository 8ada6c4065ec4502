# %% [markdown]
# A small GPT has learnt to add two digits: it reads `7+5=` and writes `12`. It knows all 100 sums, but it isn't sure of
# them: a sampled answer is right with probability 0.30. You make it sure with GRPO. It tries, a program checks, and
# what did better than its group becomes more likely. No right answer is ever shown to it. Its weights lie beside this
# file, in `reasoning.weights.npz`.
#
# `parts` holds the earlier exercises as modules: `parts.gpt`, `parts.sampling`, `parts.verifiable_rewards`,
# `parts.grpo` and `parts.optimizer_and_schedule`, each with the names that its statement gives. Here they are your own
# files. Points are given for a run with the course's solutions of these exercises. If you hand in yours as well, you
# are also told what *they* reached.
#
# * There are `P` problems with `G` rollouts each: a **group**. All of them stand in one batch of `B = P * G` rows, group
#   after group: row `i` belongs to problem `i // G`.
# * A row is a prompt of `L` tokens and a response of `N` tokens, `T = L + N`. There is no padding and no end token.

# %% [markdown] lang="zh"
# 一个小 GPT 学会了一位数加法：读到 `7+5=`，写出 `12`。100 道题它全都知道，却没有把握：采样一次，答对的概率只有 0.30。本题用 GRPO 让它有把握：让它自己试，由程序判对错，比同组其他回答好的就变得更可能。自始至终，谁也没有给它看过正确答案。它的权重就放在这个文件旁边：`reasoning.weights.npz`。
#
# `parts` 里是前面的练习，每个是一个模块：`parts.gpt`、`parts.sampling`、`parts.verifiable_rewards`、`parts.grpo`、`parts.optimizer_and_schedule`，里面的名字与各题的题面相同。在你这里，它们就是你自己的文件；计分时用的是课程给这几题的解答。如果把自己写的这几题也一起提交，还会告诉你**自己那一套**达到了什么水平。
#
# * 有 `P` 道题，每道题采样 `G` 条 rollout，合称一**组**。它们按组排成一个批次，共 `B = P * G` 行：第 `i` 行属于第 `i // G` 题。
# * 一行由 `L` 个词元的提示词和 `N` 个词元的回答组成，`T = L + N`。没有填充，也没有结束词元。

# %%
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

SYMBOLS = "0123456789+="  # a token is the place of its symbol
SIZES = {
    "vocab_size": 12,
    "block_size": 6,
    "num_layers": 1,
    "num_heads": 2,
    "d_model": 32,
}  # of the trained GPT


def encode(text: str) -> list[int]:
    """Given: tokens. "7+5=" gives 7, 10, 5, 11."""
    return [SYMBOLS.index(symbol) for symbol in text]


def decode(ids: Tensor) -> str:
    """Given: the text of [T] tokens."""
    return "".join(SYMBOLS[token] for token in ids.tolist())


def success(model: nn.Module, prompts: Tensor, truths: Sequence[str]) -> float:
    """Given: the exact probability of the right answer in two digits, mean over the problems. No draw decides."""
    right = torch.tensor([encode(truth.zfill(2)) for truth in truths])
    first = model(prompts)[:, -1].softmax(-1).gather(1, right[:, :1])
    second = model(torch.cat([prompts, right[:, :1]], dim=1))[:, -1].softmax(-1).gather(1, right[:, 1:])
    return (first * second).mean().item()


# %% [markdown]
# ## 1. Roll out
#
# Each problem is tried `G` times. Token `n` of rollout `g` of problem `p` is drawn with `draws[p, g, n]` from the model's
# probabilities at temperature 1, by `parts.sampling`. No gradient is needed.

# %% [markdown] lang="zh"
# ## 1. 采样
#
# 每道题试 `G` 次。第 `p` 题第 `g` 条 rollout 的第 `n` 个词元，用 `draws[p, g, n]` 从模型在温度 1 下的概率里抽取，抽取用 `parts.sampling`。这一步不需要梯度。


# %%
def roll_out(parts: Any, model: nn.Module, prompts: Tensor, draws: Tensor) -> Tensor:
    """Sample a group of responses to each prompt.

    Args:
        parts: the earlier exercises.
        model: ids [B, T] -> logits [B, T, V].
        prompts: [P, L] int64.
        draws: [P, G, N], uniform in [0, 1), of the dtype of the logits.

    Returns:
        [B, T] int64: the prompt, then the response, group after group.
    """
    # BEGIN SOLUTION
    ids = prompts.repeat_interleave(draws.shape[1], dim=0)
    with torch.no_grad():
        for draw in draws.flatten(0, 1).unbind(1):
            probabilities = parts.sampling.next_token_probabilities(model(ids)[:, -1], ids)
            ids = torch.cat([ids, parts.sampling.sample(probabilities, draw)[:, None]], dim=1)
    return ids
    # END SOLUTION


# %% [markdown]
# ## 2. Score
#
# A response earns 1 if it consists of **digits only** and the number they spell is the truth; otherwise it earns 0. So
# `07` earns 1 where 7 is right, and `+7` earns nothing, although `parts.verifiable_rewards.same_answer` takes it for the
# number 7. What stands in the prompt doesn't count.
#
# The advantages are those of `parts.grpo.group_advantages`, with its default `eps` and deviation.

# %% [markdown] lang="zh"
# ## 2. 打分
#
# 一条回答如果**全是数字**，而且拼成的数就是正确答案，就得 1 分，否则得 0 分。所以正确答案是 7 时，`07` 得 1 分；`+7` 得 0 分，虽然 `parts.verifiable_rewards.same_answer` 会把它当成数 7。提示词里的内容不算。
#
# 优势由 `parts.grpo.group_advantages` 计算，`eps` 和标准差都用默认的。


# %%
def score(parts: Any, ids: Tensor, prompt_length: int, truths: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Check the responses, and compare each with its group.

    Args:
        parts: the earlier exercises.
        ids: [B, T] int64, as `roll_out` gives them.
        prompt_length: L.
        truths: P right answers, without leading zeros, such as "7" and "12".

    Returns:
        Rewards [P, G] and advantages [B, 1], both float32.

    Source: Shao et al. 2024, section 4.1.2, https://arxiv.org/abs/2402.03300.
    """
    # BEGIN SOLUTION
    group_size = len(ids) // len(truths)
    earned = []
    for row, response in enumerate(ids[:, prompt_length:]):
        text, truth = decode(response), truths[row // group_size]
        earned.append(float(text.isdigit() and parts.verifiable_rewards.same_answer(text, truth)))
    rewards = torch.tensor(earned).reshape(len(truths), group_size)
    return rewards, parts.grpo.group_advantages(rewards).reshape(-1, 1)
    # END SOLUTION


# %% [markdown]
# ## 3. Learn from one batch
#
# Make `num_updates` updates with the same rows. Before each, compute the log-probabilities of the tokens under the
# **current** model; the loss is `parts.grpo.token_losses`, averaged by `parts.grpo.response_mean`.
#
# * The tokens that count are those of the response, and all of them. Nobody chose the prompt's.
# * `old_log_probs` belong to the model that sampled the rows: the one before the first update. They are the same at every
#   update.
# * `beta` is 0, so any finite log-probabilities will do for the reference. `clip` is the default.

# %% [markdown] lang="zh"
# ## 3. 从一个批次中学习
#
# 用同样的这些行做 `num_updates` 次更新。每次更新前，先算各词元在**当前**模型下的对数概率；损失是 `parts.grpo.token_losses`，再由 `parts.grpo.response_mean` 取平均。
#
# * 算数的是回答的词元，一个不少；提示词的词元不是模型选的，不算。
# * `old_log_probs` 属于采样这些行的模型，也就是第一次更新之前的模型。每次更新用的都是同一份。
# * `beta` 取 0，所以参考模型那一项随便传入什么有限的对数概率都行。`clip` 用默认值。


# %%
def learn(
    parts: Any,
    model: nn.Module,
    optimizer: Any,
    ids: Tensor,
    prompt_length: int,
    advantages: Tensor,
    num_updates: int,
) -> list[float]:
    """Update the model, in place.

    Args:
        parts: the earlier exercises.
        model: ids [B, T] -> logits [B, T, V]. It has just sampled `ids`.
        optimizer: of its parameters, whose gradients are `None` at first, with `zero_grad()` and `step()`.
        ids: [B, T] int64.
        prompt_length: L, at least 1.
        advantages: [B, 1].
        num_updates: 1 or more.

    Returns:
        The loss that each update starts from. With whole groups the first is 0: their advantages add up to 0.

    Source: Shao et al. 2024, algorithm 1: the inner loop.
    """
    # BEGIN SOLUTION
    targets = ids[:, 1:]
    is_response = torch.arange(1, ids.shape[1]).expand_as(targets) >= prompt_length
    sampled_with = None
    before_update = []
    for _ in range(num_updates):
        logits = model(ids)[:, :-1]  # those at place t are for the token at t + 1
        log_probs = logits.log_softmax(-1).gather(2, targets[..., None]).squeeze(2)
        if sampled_with is None:
            sampled_with = log_probs.detach()
        by_token = parts.grpo.token_losses(log_probs, sampled_with, log_probs, advantages, beta=0.0)
        loss = parts.grpo.response_mean(by_token, is_response)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        before_update.append(loss.item())
    return before_update
    # END SOLUTION


# %% [markdown]
# ## 4. The run
#
# Step `i` takes the problems `picks[i]`, rolls them out with `draws[i]` from the model **as it is then**, scores the
# rollouts and learns from them.

# %% [markdown] lang="zh"
# ## 4. 完整的训练
#
# 第 `i` 步取出 `picks[i]` 这些题，用**此刻**的模型和 `draws[i]` 采样，打分，再从中学习。


# %%
def reinforce(
    parts: Any,
    model: nn.Module,
    optimizer: Any,
    prompts: Tensor,
    truths: Sequence[str],
    picks: Tensor,
    draws: Tensor,
    num_updates: int,
) -> list[float]:
    """Train the model, in place.

    Args:
        parts: the earlier exercises.
        model, optimizer, num_updates: as in `learn`.
        prompts: [number of problems, L] int64.
        truths: the right answer of each problem.
        picks: [steps, P] int64, which problems each step takes.
        draws: [steps, P, G, N].

    Returns:
        The share of right rollouts of each step.
    """
    # BEGIN SOLUTION
    length = prompts.shape[1]
    paid = []
    for chosen, draw in zip(picks, draws, strict=True):
        ids = roll_out(parts, model, prompts[chosen], draw)
        rewards, advantages = score(parts, ids, length, [truths[problem] for problem in chosen.tolist()])
        learn(parts, model, optimizer, ids, length, advantages, num_updates)
        paid.append(rewards.mean().item())
    return paid
    # END SOLUTION
