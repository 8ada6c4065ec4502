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
# # Fine-tune it into a chat model
#
# `capstone/chat` · 75 minutes · difficulty 3/5 · [lesson](../../course/capstone/chat.md)

# %% [markdown] lang="zh"
# # 微调成会对话的模型
#
# `capstone/chat` · 75 分钟 · 难度 3/5 · [讲义](../../course/capstone/chat.zh.md)

# %%
from autograder import check

# %% [markdown]
# The base model of this capstone has read songs, whose lines come again and again. Give it a line, and it sings it
# for ever. Fine-tune it on conversations, so that it **answers** what is asked, and **stops**.
#
# `parts` holds the earlier exercises as modules: `parts.gpt`, `parts.chat_template` and `parts.optimizer_and_schedule`,
# each with the names that its statement gives. Here they are your own files. Points are given for a run with the
# course's solutions of these exercises. If you hand in yours as well, you are also told what *they* reached.
#
# * `B` rows, `T` tokens, `V` tokens of vocabulary.
# * The base model's weights are `chat.weights.npz` beside this file; `models/gpt` has their names.

# %% [markdown] lang="zh"
# 这个综合项目的基座模型只读过歌词，歌词总是一句一句地重复。给它一句，它就没完没了地唱下去。用对话微调它，让它学会**回答**提问，并且**停下来**。
#
# `parts` 里是前面的练习，每个是一个模块：`parts.gpt`、`parts.chat_template`、`parts.optimizer_and_schedule`，里面的名字与各题的题面相同。在你这里，它们就是你自己的文件；计分时用的是课程给这几题的解答。如果把自己写的这几题也一起提交，还会告诉你**自己那一套**达到了什么水平。
#
# * `B` 是行数，`T` 是词元数，`V` 是词表大小。
# * 基座模型的权重是本文件旁边的 `chat.weights.npz`，其中的名字见 `models/gpt`。

# %%
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Message = dict[str, str]
Batch = tuple[Tensor, Tensor, Tensor]  # ids, labels and weights, each [B, T], as from `collate`


@dataclass(frozen=True)
class Tokenizer:
    """Given: `encode` turns plain text into ids; two special tokens have ids of their own."""

    encode: Callable[[str], list[int]]
    im_start: int
    im_end: int


@dataclass(frozen=True)
class Recipe:
    """Given: what decides a run, apart from its data."""

    peak_rate: float = 1e-2
    warmup_steps: int = 8
    min_factor: float = 0.1
    weight_decay: float = 0.0

# %% [markdown]
# ## 1. Batches
#
# Render the conversations with `parts.chat_template` and put them into batches. Padding is `im_end`, as in many real
# models. Each batch is a batch of its own: as wide as its longest row, and its turns share a weight of 1.

# %% [markdown] lang="zh"
# ## 1. 批次
#
# 用 `parts.chat_template` 渲染对话，组成批次。填充用 `im_end`，许多真实的模型也是这样。每个批次各自独立：宽度等于其中最长的一行，其中各轮的权重合起来是 1。

# %%
def make_batches(
    parts: Any, conversations: Sequence[list[Message]], order: Tensor, tokenizer: Tokenizer
) -> list[Batch]:
    """What each step of a run learns from.

    Args:
        parts: the earlier exercises.
        conversations: to learn from, complete: each ends with an answer.
        order: [steps, B] int64: row j of step i is conversation `order[i, j]`.
        tokenizer: of the model.

    Returns:
        A batch for each step.
    """
    raise NotImplementedError("make_batches")

# %%
check("capstone/chat")

# %% [markdown]
# ## 2. The loss
#
# $$\mathcal{L} = \sum_t w_t \, \ell_t$$
#
# over all tokens of the batch. $\ell_t$ is the cross-entropy of the label at `t`, and $w_t$ the weight at `t`, as they
# stand in the batch: nothing is shifted yet. The logits at a position are for the token **after** it. What has weight 0
# has label -100.

# %% [markdown] lang="zh"
# ## 2. 损失
#
# $$\mathcal{L} = \sum_t w_t \, \ell_t$$
#
# 对批次里的所有词元求和。$\ell_t$ 是 `t` 处标签的交叉熵，$w_t$ 是 `t` 处的权重，都按批次里的位置：还没有错位。某个位置的 logits 预测的是它**后面**那个词元。权重为 0 的地方，标签是 -100。

# %%
def chat_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """The loss of a batch.

    Args:
        logits: float tensor [B, T, V], what the model says of the batch's ids.
        labels: [B, T] int64, each at its own token's place, -100 where nothing is learned, as in column 0.
        weights: float tensor [B, T], each at its own token's place.

    Returns:
        Float tensor [].

    Example: labels (-100, 5, 2) with weights (0, 1/2, 1/2): half the cross-entropy of 5 under the logits at 0, plus
    half that of 2 under the logits at 1.
    """
    raise NotImplementedError("chat_loss")

# %%
check("capstone/chat")

# %% [markdown]
# ## 3. Fine-tune
#
# Train a **copy** of the base model; `base` itself stays as it is, since you'll want to compare. Each batch makes one
# update, in order, with `chat_loss` and the `AdamW` of `parts.optimizer_and_schedule` over its two decay groups, with
# `lr=peak_rate`. The factor of step $i$ is that of the cosine `Schedule`, whose `total_steps` is the number of batches.
#
# Without batches, you get the base model's weights back. A good test of a start, for success alone can't tell: with
# enough steps even random weights learn this small task.

# %% [markdown] lang="zh"
# ## 3. 微调
#
# 训练的是基座模型的一份**副本**；`base` 保持原样，因为之后还要拿它来比较。每个批次更新一次，按顺序来，损失用 `chat_loss`，优化器用 `parts.optimizer_and_schedule` 的 `AdamW`，配上它的两个衰减分组，`lr=peak_rate`。第 $i$ 步的系数来自 `Schedule` 的余弦调度，`total_steps` 就是批次数。
#
# 一个批次也没有时，得到的就是基座模型的权重。这正好用来检查起点：光看成绩看不出来，因为步数一多，随机的权重也学得会这个小任务。

# %%
def fine_tune(
    parts: Any, base: nn.Module, batches: Sequence[Batch], recipe: Recipe
) -> tuple[nn.Module, list[float]]:
    """Go on from a trained model.

    Args:
        parts: the earlier exercises.
        base: ids [B, T] -> logits [B, T, V].
        batches: as from `make_batches`, more than `recipe.warmup_steps` of them, or none.
        recipe: the run's numbers.

    Returns:
        A new model; the loss of each batch, before its update.
    """
    raise NotImplementedError("fine_tune")

# %%
check("capstone/chat")

# %% [markdown]
# ## 4. Reply
#
# Render the conversation with its generation prompt and let the model go on: always the most probable token, until
# that is `im_end`, or until it has written `max_new_tokens` tokens (`im_end` is one of them). Call the model once for
# each new token, and not again after the end. Each turn of the conversation has an `im_end`, too; those end nothing.
#
# Conversation, generation prompt and `max_new_tokens` together must have at most `context_length` tokens. Where
# they have more, old messages go, as `truncate` does it.

# %% [markdown] lang="zh"
# ## 4. 回答
#
# 渲染对话，加上生成提示，让模型往下写：每次取概率最大的词元，直到它是 `im_end`，或者已经写了 `max_new_tokens` 个词元（`im_end` 也算一个）。每写一个新词元调用一次模型，结束之后不再调用。对话里的每一轮也都有 `im_end`，那些并不结束什么。
#
# 对话、生成提示和 `max_new_tokens` 加起来不能超过 `context_length` 个词元；超过时按 `truncate` 的办法丢掉旧消息。

# %%
def reply(
    parts: Any,
    model: nn.Module,
    messages: list[Message],
    tokenizer: Tokenizer,
    context_length: int,
    max_new_tokens: int = 8,
) -> tuple[list[int], bool]:
    """The model's next turn.

    Args:
        parts: the earlier exercises.
        model: ids [1, T] -> logits [1, T, V].
        messages: of a conversation; the last one is the user's.
        tokenizer: of the model.
        context_length: the most tokens that the model reads.
        max_new_tokens: 1 or more.

    Returns:
        The ids of the answer, without `im_end`; whether the model ended it by itself.
    """
    raise NotImplementedError("reply")

# %%
check("capstone/chat")
