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
# # AdamW, warm-up and cosine / WSD / multi-step schedules
#
# `pretraining/optimizer_and_schedule` · 60 minutes · difficulty 2/5 · [lesson](../../course/pretraining/optimizer_and_schedule.md)

# %% [markdown] lang="zh"
# # 预训练策略：优化器与学习率
#
# `pretraining/optimizer_and_schedule` · 60 分钟 · 难度 2/5 · [讲义](../../course/pretraining/optimizer_and_schedule.zh.md)

# %%
from autograder import check

# %% [markdown]
# Three things decide how a training step moves a language model: the **optimiser** turns gradients into steps, the
# **schedule** says how large the steps are, and the **batch size** how exact the gradients are. You write all three,
# as real runs use them.
#
# Not allowed: the optimisers of `torch.optim`.

# %% [markdown] lang="zh"
# 训练一步，语言模型怎样变化，由三样东西决定：**优化器**决定根据梯度怎么走，**学习率调度**决定步子多大，**批大小**决定梯度有多准。三样都由你来写，写法与真实的预训练一致。
#
# 不许使用 `torch.optim` 里的优化器。

# %%
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

# %% [markdown]
# ## 1. What decays
#
# Weight decay is for tensors that multiply vectors: parameters of **two or more axes** decay, embeddings included;
# biases and norms' weights, with one axis or none, don't. A name says nothing. A tensor that two modules share (a
# tied output head) is one parameter, in one group, once.

# %% [markdown] lang="zh"
# ## 1. 哪些参数衰减
#
# 权重衰减针对的是与向量相乘的张量：**有两个轴或更多轴**的参数衰减，嵌入也算在内；偏置和归一化的权重只有一个轴或没有轴，不衰减。与参数的名字无关。两个模块共用的张量（例如与嵌入共享权重的输出头）是同一个参数：只在一个组里出现一次。

# %%
def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Sort all parameters of a model into what decays and what doesn't.

    Args:
        model: any module; frozen parameters are sorted, too.
        weight_decay: of the first group.

    Returns:
        Two groups, as `AdamW` takes them: first the parameters that decay, then the others. Each is
        {"params": list of parameters, "weight_decay": `weight_decay` or 0.0}.

    Source: nanoGPT, `configure_optimizers`.
    """
    raise NotImplementedError("decay_groups")

# %%
check("pretraining/optimizer_and_schedule")

# %% [markdown]
# ## 2. AdamW
#
# For each parameter $p$ with gradient $g$, in its $t$-th step ($t = 1, 2, \dots$), with $\eta$ the group's rate times
# `factor` and $\lambda$ its weight decay:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# $$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}$$
#
# $$p \leftarrow p - \eta \lambda\, p, \qquad \text{then} \qquad p \leftarrow p - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$
#
# $m$ and $v$ begin at zero. The decay stays out of $g$, $m$ and $v$. A parameter whose `grad` is `None` sits the step
# out: it neither moves nor decays, and its $t$ stays.
#
# `step` changes the parameters in place.

# %% [markdown] lang="zh"
# ## 2. AdamW
#
# 参数 $p$ 的梯度为 $g$，现在是它自己的第 $t$ 步（$t = 1, 2, \dots$）；$\eta$ 是所在组的学习率乘以 `factor`，$\lambda$ 是所在组的权重衰减系数：
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# $$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}$$
#
# $$p \leftarrow p - \eta \lambda\, p, \qquad \text{然后} \qquad p \leftarrow p - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$
#
# $m$ 和 $v$ 从零开始。衰减不进入 $g$、$m$、$v$。`grad` 为 `None` 的参数跳过这一步：不更新，不衰减，它的 $t$ 也不往前数。
#
# `step` 就地修改参数。

# %%
class AdamW:
    """Adam with decoupled weight decay.

    Args:
        groups: as `decay_groups` gives them; a group may have an "lr" of its own.
        lr: the rate of the groups that have none.
        betas: beta_1 and beta_2.
        eps: epsilon.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2; the decay is scaled by the rate, as in PyTorch.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
    ) -> None:
        """Given. `state` is yours: parameter -> what you keep between steps."""
        self.param_groups = [{"lr": lr, **group, "params": list(group["params"])} for group in groups]
        self.betas, self.eps = betas, eps
        self.state: dict[nn.Parameter, dict[str, Any]] = {}

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Move every parameter that has a gradient.

        Args:
            factor: of every group's rate in this step, from a schedule.
        """
        raise NotImplementedError("AdamW.step")

    def parameters(self) -> list[nn.Parameter]:
        """Given: all parameters, group by group."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Given: no parameter has a gradient."""
        for parameter in self.parameters():
            parameter.grad = None

# %%
check("pretraining/optimizer_and_schedule")

# %% [markdown]
# ## 3. Schedules
#
# The rate of a step is the peak rate times a factor. Steps count from 0 to `total_steps - 1`; from step
# `total_steps` on, the factor stays what it is there. All three begin with the same warm-up.
#
# * **Warm-up**: `step / warmup_steps`, so step 0 has factor 0 and step `warmup_steps` has 1. With
#   `warmup_steps = 0` there is none.
# * **Cosine**: from 1 at the end of the warm-up, half a period of a cosine, scaled so that it reaches `min_factor` at
#   `total_steps`.
# * **WSD** (warm-up, stable, decay): 1, until the last `decay_steps` fall on a straight line to `min_factor` at
#   `total_steps`. There are from 1 to `total_steps - warmup_steps` of them.
# * **Multi-step**: 1; $10^{-1/2}$ from 80 % of `total_steps` on; $10^{-1}$ from 90 % on. It ignores `min_factor`.

# %% [markdown] lang="zh"
# ## 3. 学习率调度
#
# 一步的学习率等于峰值学习率乘以一个系数。步数从 0 数到 `total_steps - 1`；从第 `total_steps` 步起，系数停在那一步的值上。三种调度的开头是同样的预热。
#
# * **预热**：`step / warmup_steps`，所以第 0 步的系数是 0，第 `warmup_steps` 步是 1。`warmup_steps = 0` 表示没有预热。
# * **余弦**：预热结束时为 1，之后走余弦的半个周期，经过缩放，到 `total_steps` 时恰好是 `min_factor`。
# * **WSD**（预热、稳定、衰减）：保持 1；最后 `decay_steps` 步沿直线下降，到 `total_steps` 时为 `min_factor`。`decay_steps` 从 1 到 `total_steps - warmup_steps`。
# * **多阶段**：保持 1；从 `total_steps` 的 80 % 起为 $10^{-1/2}$，从 90 % 起为 $10^{-1}$。与 `min_factor` 无关。

# %%
@dataclass(frozen=True)
class Schedule:
    """Factors of the peak learning rate.

    Args:
        warmup_steps: steps of the warm-up.
        total_steps: steps of the training, the warm-up included; more than `warmup_steps`.
        min_factor: the last factor of `cosine` and `wsd`.
    """

    warmup_steps: int
    total_steps: int
    min_factor: float = 0.0

    def warm_up(self, step: int) -> float:
        """The factor of the warm-up alone: 1 from its end on."""
        raise NotImplementedError("Schedule.warm_up")

    def cosine(self, step: int) -> float:
        """Warm-up, then cosine. Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5."""
        raise NotImplementedError("Schedule.cosine")

    def wsd(self, step: int, decay_steps: int) -> float:
        """Warm-up, 1, linear decay over the last `decay_steps`. Source: Hu et al. 2024 (arXiv:2404.06395), section 4."""
        raise NotImplementedError("Schedule.wsd")

    def multi_step(self, step: int) -> float:
        """Warm-up, then three levels. Source: DeepSeek-AI 2024 (arXiv:2401.02954), section 2.3."""
        raise NotImplementedError("Schedule.multi_step")

# %%
check("pretraining/optimizer_and_schedule")

# %% [markdown]
# ## 4. Batch-size ramp
#
# Early gradients point the same way for almost any data; a large batch is wasted on them. The batch begins with
# `start` samples and grows by `increment` at a time to `full`. The ramp is measured in **samples**: with $c$ the
# samples consumed before this step, $R$ the length of the ramp and $n$ the number of increments,
#
# $$B = \text{start} + \text{increment} \cdot \Bigl\lfloor \frac{c}{R / n} \Bigr\rfloor, \qquad n = \frac{\text{full} - \text{start}}{\text{increment}}$$
#
# and `full` once $c \ge R$. Compute in integers: $R / n$ need not be one.

# %% [markdown] lang="zh"
# ## 4. 批大小的渐增
#
# 训练初期，几乎不管用什么数据，梯度都指向同一个方向，大批次用在这里是浪费。批次从 `start` 个样本起，每次增加 `increment` 个，直到 `full`。渐增的进度按**样本**计：$c$ 是前面各步一共用掉的样本数，$R$ 是渐增阶段的样本数，$n$ 是要增加的次数，
#
# $$B = \text{start} + \text{increment} \cdot \Bigl\lfloor \frac{c}{R / n} \Bigr\rfloor, \qquad n = \frac{\text{full} - \text{start}}{\text{increment}}$$
#
# $c \ge R$ 之后都是 `full`。请用整数计算：$R / n$ 不必是整数。

# %%
def batch_size_ramp(num_steps: int, start: int, increment: int, full: int, ramp_samples: int) -> list[int]:
    """The batch size of each of the first steps of a training.

    Args:
        num_steps: steps.
        start: samples in the first batch.
        increment: what one increase adds.
        full: samples in a batch after the ramp.
        ramp_samples: R.

    Returns:
        `num_steps` batch sizes.

    Raises:
        ValueError: `full - start` is not a positive multiple of `increment`.

    Example: 6 steps, start 2, increment 2, full 6, ramp of 8 samples: 2, 2, 4, 6, 6, 6.

    Source: Megatron-LM, `--rampup-batch-size`.
    """
    raise NotImplementedError("batch_size_ramp")

# %%
check("pretraining/optimizer_and_schedule")
