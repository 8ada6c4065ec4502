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
# # The training loop: batches, steps, evaluation
#
# `pretraining/training_loop` · 75 minutes · difficulty 2/5 · [lesson](../../course/pretraining/training_loop.md)

# %% [markdown] lang="zh"
# # 训练循环：取批、更新与评估
#
# `pretraining/training_loop` · 75 分钟 · 难度 2/5 · [讲义](../../course/pretraining/training_loop.zh.md)

# %%
from autograder import check

# %% [markdown]
# Pre-training is one small loop: take a batch, move the weights, now and then measure. You write its four parts.
# Most bugs here raise no error: the loss still falls, only to the wrong place.
#
# * A model turns ids `[B, T]` into logits `[B, T, V]`; the logits of a position are for the token **after** it. The
#   shift is made where batches are made, and nowhere else.
# * A target of `-100` does not count: neither in a sum nor in the number it is divided by.
# * The loss is the **sum** of the cross-entropies of all tokens that count, divided by **their number**, however they
#   are spread over batches. At least one counts.
#
# Not allowed: `torch.nn.utils.clip_grad_norm_` and its relatives. `F.cross_entropy` is.

# %% [markdown] lang="zh"
# 预训练就是一个小小的循环：取一批数据，动一下权重，隔一阵子测一次损失。你要写的是它的四个部分。这种循环里的错误大多不会报错：损失照样下降，只是降到了不该去的地方。
#
# * 模型把编号 `[B, T]` 变成 logits `[B, T, V]`；某个位置的 logits 是对**下一个**词元的打分。输入与目标的错位在取批时就做好，别处不再移位。
# * 目标为 `-100` 的位置不计入：既不进总和，也不进分母。
# * 损失是所有计入的词元的交叉熵之**和**，除以**它们的个数**，与它们怎样分在各批次里无关。至少有一个词元计入。
#
# 不许调用 `torch.nn.utils.clip_grad_norm_` 及其同类函数；`F.cross_entropy` 可以用。

# %%
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORE_INDEX = -100  # the target that does not count
Batch = tuple[Tensor, Tensor]  # inputs and targets, both [B, T]

# %% [markdown]
# ## 1. A batch at given draws
#
# The corpus is one long array of `N` tokens. Row `b` of a batch begins at `s = starts[b]`: its inputs are
# `tokens[s : s + T]`, its targets `tokens[s + 1 : s + T + 1]`. Starts are drawn outside, in `[0, N - T)`: you draw
# nothing, so that step 700 of two runs sees the same batch.

# %% [markdown] lang="zh"
# ## 1. 按给定的起点取一批
#
# 语料是一个长数组，共 `N` 个词元。批次的第 `b` 行从 `s = starts[b]` 开始：输入是 `tokens[s : s + T]`，目标是 `tokens[s + 1 : s + T + 1]`。起点由外面抽好，都在 `[0, N - T)` 里：函数自己不抽随机数，这样两次训练的第 700 步看到的是同一批数据。

# %%
def get_batch(tokens: Tensor, starts: Tensor, context_length: int) -> Batch:
    """Inputs and shifted targets at these starts.

    Args:
        tokens: [N] int64.
        starts: [B] int64.
        context_length: T, less than N.

    Returns:
        inputs and targets, each [B, T] int64.

    Raises:
        ValueError: a start is not in [0, N - T).

    Example: tokens 5 6 7 8 9, start 2, T = 2: inputs 7 8, targets 8 9.

    Source: nanoGPT's train.py, https://github.com/karpathy/nanoGPT.
    """
    raise NotImplementedError("get_batch")

# %%
check("pretraining/training_loop")

# %% [markdown]
# ## 2. Blocks that keep document boundaries
#
# A window of question 1 may straddle two documents; then the end of one text has to predict the beginning of an
# unrelated one. Each document ends with the token `eos_id`; only the last may lack it. A document of `n` tokens, its
# `eos` included, has `n - 1` predictions: every token but the first, from the one before. Cut these into rows of `T`,
# in order; **none is lost and none comes twice**, also where one row ends and the next begins.
#
# Fill a short last row up on the right, inputs with `eos_id`, targets with `-100`. A document of a single token has
# no row.

# %% [markdown] lang="zh"
# ## 2. 不跨文档的数据块
#
# 第 1 问的窗口可能横跨两篇文档，于是一篇的结尾要去预测另一篇毫不相干的开头。每篇文档以词元 `eos_id` 结尾；最后一篇可能被截断，没有它。一篇共 `n` 个词元（含 `eos`）的文档里有 `n - 1` 次预测：除第一个外，每个词元都由它前一个来预测。把这些预测按顺序切成每行 `T` 次；**一次不丢，一次不重**，在上一行结束、下一行开始的地方也是如此。
#
# 文档的最后一行若不满，就在右边填满：输入填 `eos_id`，目标填 `-100`。只有一个词元的文档不占行。

# %%
def document_blocks(tokens: Tensor, eos_id: int, context_length: int) -> Batch:
    """Rows of inputs and targets of which each lies in one document.

    Args:
        tokens: [N] int64, documents one after another. At least one has two tokens.
        eos_id: the token that ends a document.
        context_length: T.

    Returns:
        inputs and targets, each [number of rows, T] int64.

    Example: tokens 5 6 7 0 8 0, eos 0, T = 2: inputs (5 6), (7 0), (8 0); targets (6 7), (0 -100), (0 -100).
    """
    raise NotImplementedError("document_blocks")

# %%
check("pretraining/training_loop")

# %% [markdown]
# ## 3. One training step
#
# A batch that does not fit into memory comes as several *micro-batches* of different sizes. They make **one** step,
# that of one large batch:
#
# 1. *Accumulate* the gradient of the loss over **all** micro-batches' tokens. Go backward through each micro-batch
#    before the next goes forward, so that only one graph is in memory.
# 2. *Clip, once.* With $\lVert g \rVert$ the norm of all parameters' gradients together, multiply each gradient by
#
# $$\min\left(1, \; \frac{\text{max\_norm}}{\lVert g \rVert + 10^{-6}}\right)$$
#
# 3. *Set the learning rate* of this step in every group: `group["lr"]` for each `group` of `optimizer.param_groups`.
# 4. *Step*, then *zero* the gradients.
#
# A parameter whose `grad` is `None` takes no part. When you are called, all gradients are zero or `None`.

# %% [markdown] lang="zh"
# ## 3. 一步训练
#
# 一个批次放不进显存时，就拆成几个大小不一的**微批次**（micro-batch）。它们合起来只更新**一次**，结果与整批一次算完完全相同：
#
# 1. **累积**：损失是**所有**微批次的词元一起算的，把它的梯度一份份加起来。一个微批次反向传播完，下一个才前向，这样内存里只有一张计算图。
# 2. **裁剪，只裁一次**：记 $\lVert g \rVert$ 为全部参数的梯度合在一起的范数，每个梯度都乘以
#
# $$\min\left(1, \; \frac{\text{max\_norm}}{\lVert g \rVert + 10^{-6}}\right)$$
#
# 3. **设置学习率**：对 `optimizer.param_groups` 里的每个 `group`，把 `group["lr"]` 设成这一步的学习率。
# 4. **更新**，然后把梯度**清零**。
#
# `grad` 为 `None` 的参数不参与。调用这个函数时，所有梯度都是零或 `None`。

# %%
def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[Batch],
    learning_rate: float,
    max_norm: float,
) -> tuple[float, float]:
    """One update of the model's weights from several micro-batches.

    Args:
        model: ids [B, T] -> logits [B, T, V]; its mode stays as it is.
        optimizer: of all its parameters; only `param_groups`, `step()` and `zero_grad()` are used.
        micro_batches: inputs and targets, each [B, T] int64; B and T may differ.
        learning_rate: of this step.
        max_norm: what the gradient's norm is clipped to, greater than 0; `math.inf` never clips.

    Returns:
        The loss before the update and the gradient's norm before clipping, as Python floats.

    Source: Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, algorithm 1; the 1e-6 is that of PyTorch's
    `clip_grad_norm_`.
    """
    raise NotImplementedError("train_step")

# %%
check("pretraining/training_loop")

# %% [markdown]
# ## 4. Evaluation
#
# Held-out text comes in batches, the last one usually short. Return the loss over **all** their tokens. Meanwhile the
# model is in evaluation mode and builds no graph. Afterwards it is as it was, its mode included.

# %% [markdown] lang="zh"
# ## 4. 评估
#
# 留出的文本分批送来，最后一批往往不满。返回**所有**词元的损失。评估期间，模型处于评估模式，也不建计算图。结束之后一切照旧，模式也一样：原来是哪种，就还是哪种。

# %%
def evaluate(model: nn.Module, batches: Iterable[Batch]) -> float:
    """The model's loss on held-out batches.

    Args:
        model: as in `train_step`.
        batches: inputs and targets, each [B, T] int64; B and T may differ.

    Returns:
        The loss.

    Example: a batch of three tokens with cross-entropy 1 each and one of a single token with 5: (3 + 5) / 4 = 2.
    """
    raise NotImplementedError("evaluate")

# %%
check("pretraining/training_loop")
