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
# # Pre-train a tiny GPT down to its source's entropy
#
# `capstone/pretrain` · 90 minutes · difficulty 3/5 · [lesson](../../course/capstone/pretrain.md)

# %% [markdown] lang="zh"
# # 预训练小 GPT，逼近信源的熵
#
# `capstone/pretrain` · 90 分钟 · 难度 3/5 · [讲义](../../course/capstone/pretrain.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put your parts together and train a tiny GPT on a stream of tokens. Where the stream comes from is known, and so is
# the lowest mean loss that any model can reach: the **entropy rate** of the source. A good run ends just above it.
#
# `parts` holds the earlier exercises as modules: `parts.gpt`, `parts.optimizer_and_schedule`, `parts.training_loop`
# and `parts.sampling`, each with the names that its statement gives. Here they are your own files. Points are given for
# a run with the course's solutions of these exercises. If you hand in yours as well, you are also told what *they* reached.
#
# * `B` rows, `T` tokens of context, `V` tokens of vocabulary. A `Batch` is a pair: inputs and targets, int64, of one shape.
# * Everything random comes in as an argument, except a new model's weights.

# %% [markdown] lang="zh"
# 把写过的部件组装起来，在一串词元上训练一个小 GPT。词元从哪里来是已知的，所以平均损失最低能到多少也是已知的：就是信源的**熵率**。训练得好，损失会停在它上方一点点。
#
# `parts` 里是前面的练习，每个是一个模块：`parts.gpt`、`parts.optimizer_and_schedule`、`parts.training_loop`、`parts.sampling`，里面的名字与各题的题面相同。在你这里，它们就是你自己的文件；计分时用的是课程给这几题的解答。如果把自己写的这几题也一起提交，还会告诉你**自己那一套**达到了什么水平。
#
# * `B` 是行数，`T` 是上下文的词元数，`V` 是词表大小。`Batch` 是一对 int64 张量：输入和目标，形状相同。
# * 除了新模型的权重，一切随机的东西都作为参数传入。

# %%
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]  # inputs and targets


@dataclass(frozen=True)
class Recipe:
    """Given: what decides a run, apart from its data."""

    context_length: int = 16
    num_layers: int = 2
    num_heads: int = 2
    d_model: int = 32
    num_steps: int = 200
    peak_rate: float = 2e-2
    warmup_steps: int = 20
    min_factor: float = 0.1
    weight_decay: float = 0.1
    max_norm: float = 1.0
    eval_every: int = 20

# %% [markdown]
# ## 1. Set up
#
# Make a new GPT that reads `context_length` tokens; the `AdamW` of `parts.optimizer_and_schedule` over its two decay
# groups, which starts with `lr=peak_rate`; and the learning rate of every step, 0 to `num_steps - 1`, on the cosine
# `Schedule`, whose `total_steps` is `num_steps`. `train_step` sets the *rate itself*, not a factor.
#
# Some advice, which your code need not check: a new model knows nothing, so its loss is about $\ln V$. If yours is far
# from it, look for the reason before you train.

# %% [markdown] lang="zh"
# ## 1. 准备
#
# 新建一个读 `context_length` 个词元的 GPT；给它的两个衰减分组配上 `parts.optimizer_and_schedule` 的 `AdamW`，初始 `lr=peak_rate`；再用 `Schedule` 的余弦调度（`total_steps` 即 `num_steps`）列出第 0 到 `num_steps - 1` 步的学习率。`train_step` 要的是**学习率本身**，不是系数。
#
# 一条建议，不必写进代码：新模型什么都不知道，损失约为 $\ln V$。如果差得远，先找原因，再训练。

# %%
def set_up(parts: Any, vocab_size: int, recipe: Recipe) -> tuple[nn.Module, Any, list[float]]:
    """What a run starts with.

    Args:
        parts: the earlier exercises.
        vocab_size: V.
        recipe: the run's numbers.

    Returns:
        The model; its optimiser; the rate of each step.
    """
    raise NotImplementedError("set_up")

# %%
check("capstone/pretrain")

# %% [markdown]
# ## 2. Hold out
#
# The end of the stream is held out; what is before it is for training, and not a token more. A loss below the entropy
# rate means that the model has seen the answers, most often because the two have mixed.
#
# Of the $n$ held-out tokens, each but the first is predicted **exactly once**, from those before it in its row. Cut
# these $n - 1$ predictions into rows of `T`, in order. What is left over, if anything, is a shorter row in a batch of
# its own. A batch may have any number of rows of one length, but none is empty.

# %% [markdown] lang="zh"
# ## 2. 留出
#
# 流的末尾留出来做评估；它前面的用来训练，一个词元也不能多。损失低于熵率，说明模型见过答案，多半是因为这两部分混在了一起。
#
# 留出的 $n$ 个词元里，除第一个外，每个都由本行中它前面的词元预测，**恰好一次**。把这 $n - 1$ 次预测按顺序切成每行 `T` 次；若有剩余，不足一行，就单独成一个批次。一个批次可以有任意多行等长的行，但不能是空的。

# %%
def split(stream: Tensor, num_held_out: int, context_length: int) -> tuple[Tensor, list[Batch]]:
    """Training tokens, and batches to evaluate on.

    Args:
        stream: [N] int64.
        num_held_out: n, at least 2 and less than N: the last n tokens.
        context_length: T.

    Returns:
        The training tokens [N - n]; batches [B, T], in order, the last one perhaps [1, fewer]. B, at least 1, is up to you.

    Example: stream 0 1 2 3 4 5 6 7, n = 6, T = 2: training 0 1; inputs (2 3), (4 5), (6), targets (3 4), (5 6), (7).
    """
    raise NotImplementedError("split")

# %%
check("capstone/pretrain")

# %% [markdown]
# ## 3. Train
#
# Step $i$ is one `train_step` on one micro-batch: the rows that begin at `starts[i]`, at the rate `rates[i]`. The held-out
# loss is measured with `evaluate`: before the first update, after every `eval_every` updates, and after the last one.
# There are `len(starts)` steps, whatever the recipe says. The model comes in training mode and stays in it;
# `evaluate` turns to evaluation mode and back by itself.

# %% [markdown] lang="zh"
# ## 3. 训练
#
# 第 $i$ 步是一次 `train_step`，只有一个微批次：从 `starts[i]` 开始的那些行，学习率为 `rates[i]`。留出损失用 `evaluate` 测：第一次更新之前，每 `eval_every` 次更新之后，以及最后一次更新之后。一共走 `len(starts)` 步，与配方里的步数无关。模型传进来时处于训练模式，训练中和结束后都是如此；`evaluate` 会自己切到评估模式，再切回来。

# %%
def pretrain(
    parts: Any,
    model: nn.Module,
    optimizer: Any,
    rates: Sequence[float],
    train: Tensor,
    held_out: Sequence[Batch],
    starts: Tensor,
    recipe: Recipe,
) -> tuple[list[float], dict[int, float]]:
    """Train the model, in place.

    Args:
        parts: the earlier exercises.
        model: ids [B, T] -> logits [B, T, V], in training mode.
        optimizer: of its parameters.
        rates: of each step, as many as `starts` has rows.
        train: [N] int64, training tokens.
        held_out: batches that are evaluated on, and never trained on.
        starts: [steps, B] int64, where the rows of each step begin in `train`.
        recipe: `context_length`, `max_norm` and `eval_every` are used.

    Returns:
        The training loss of each step, before its update; number of updates done -> held-out loss.
    """
    raise NotImplementedError("pretrain")

# %%
check("capstone/pretrain")

# %% [markdown]
# ## 4. Let it write
#
# New token $j$ of a row is drawn with `draws[:, j]` from the model's probabilities after the last `context_length`
# tokens (all, while there are fewer). The model writes in evaluation mode and is left in the mode it was in.

# %% [markdown] lang="zh"
# ## 4. 让它写
#
# 每行的第 $j$ 个新词元，用 `draws[:, j]` 从模型的概率里抽取；模型读的是最后 `context_length` 个词元（不足时读全部）。写的时候模型处于评估模式，写完回到原来的模式。

# %%
def write(
    parts: Any, model: nn.Module, prompt: Tensor, draws: Tensor, context_length: int, temperature: float = 1.0
) -> Tensor:
    """Continue each row by sampling.

    Args:
        parts: the earlier exercises.
        model: ids [B, T] -> logits [B, T, V].
        prompt: [B, P] int64, P at least 1.
        draws: [B, number of new tokens], uniform in [0, 1), of the dtype of the logits.
        context_length: the most tokens that the model reads.
        temperature: 0 or above.

    Returns:
        [B, P + number of new tokens] int64: the prompt, then what follows.
    """
    raise NotImplementedError("write")

# %%
check("capstone/pretrain")
