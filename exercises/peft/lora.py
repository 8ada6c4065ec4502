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
# # LoRA
#
# `peft/lora` · 60 minutes · difficulty 3/5 · [lesson](../../course/peft/lora.md)

# %% [markdown] lang="zh"
# # LoRA
#
# `peft/lora` · 60 分钟 · 难度 3/5 · [讲义](../../course/peft/lora.zh.md)

# %%
from autograder import check

# %% [markdown]
# LoRA leaves a trained weight $W_0$ as it is and learns a low-rank change beside it:
#
# $$y = W_0 x + b + \frac{\alpha}{r} B A x$$
#
# with $A$ of shape `[r, in]` and $B$ of shape `[out, r]`. You write the change, the layer, the function that
# puts such layers into a model, and the count of what is left to train. Weights are `[out, in]`, as in
# PyTorch.

# %% [markdown] lang="zh"
# LoRA 不动训练好的权重 $W_0$，只在旁边学一个低秩的改动：
#
# $$y = W_0 x + b + \frac{\alpha}{r} B A x$$
#
# 其中 $A$ 的形状是 `[r, in]`，$B$ 的形状是 `[out, r]`。你要写出这个改动、这一层、把它装进模型的函数，以及还剩多少参数要训练。权重采用 PyTorch 的布局：`[out, in]`。

# %%
import math

import torch
from torch import Tensor, nn

# %% [markdown]
# ## 1. The change of the weight
#
# Return $\frac{\alpha}{r} B A$ as a full matrix. The rank is read off the two matrices; raise `ValueError`
# when they disagree about it.

# %% [markdown] lang="zh"
# ## 1. 权重的改动量
#
# 返回完整的矩阵 $\frac{\alpha}{r} B A$。秩从两个矩阵的形状里读出；它们的秩对不上时抛出 `ValueError`。

# %%
def lora_delta(lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    """The change of the weight that an adapter stands for: (alpha / r) B A.

    Args:
        lora_A: [r, in].
        lora_B: [out, r].
        alpha: scale before the division by r.

    Returns: [out, in].

    Raises:
        ValueError: lora_A has not as many rows as lora_B has columns.

    Example: A = [[1, 2]], B = [[1], [3]], alpha = 4: r is 1 and the result [[4, 8], [12, 24]].

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1.
    """
    raise NotImplementedError("lora_delta")

# %%
check("peft/lora")

# %% [markdown]
# ## 2. A linear layer with an adapter
#
# The tests read these attributes, and `state_dict()` holds the tensors among them and nothing else:
#
# | attribute | what it is |
# |---|---|
# | `base` | the `nn.Linear` that was passed in (the object itself), frozen |
# | `lora_A` | `nn.Parameter` `[r, in]`, Kaiming-uniform with `a = sqrt(5)`: uniform on $\pm 1/\sqrt{in}$ |
# | `lora_B` | `nn.Parameter` `[out, r]`, zeros |
# | `merged` | `bool`, `False` at first |
#
# * **Forward.** Not merged: the base's output plus the adapter's. Dropout acts on the **input of the
#   adapter** (before `lora_A`), never on the base path, and only in training mode: each number is dropped or
#   kept by itself, as in `nn.Dropout`. Merged: the base's output alone, without dropout.
# * **merge()** adds the change to `base.weight` in place. **unmerge()** takes it out again. A second
#   `merge()` in a row changes nothing, nor does `unmerge()` on a layer that isn't merged. Both leave every
#   `requires_grad` as it was, and autograd doesn't record them. Neither happens by itself in `train()` or
#   `eval()`.

# %% [markdown] lang="zh"
# ## 2. 带适配器的线性层
#
# 测试会读取下面这些属性；`state_dict()` 里只有其中的张量，没有别的：
#
# | 属性 | 内容 |
# |---|---|
# | `base` | 传入的那个 `nn.Linear` 对象本身，已冻结 |
# | `lora_A` | `nn.Parameter`，`[r, in]`，Kaiming 均匀分布，`a = sqrt(5)`：即 $\pm 1/\sqrt{in}$ 之间均匀 |
# | `lora_B` | `nn.Parameter`，`[out, r]`，全零 |
# | `merged` | `bool`，起初为 `False` |
#
# * **前向。** 未合并时：base 的输出加上适配器的输出。dropout 作用在**适配器的输入**上（在 `lora_A` 之前），绝不作用于 base 这一路，并且只在训练模式下生效：每个数独立地决定去留，与 `nn.Dropout` 一致。合并后：只有 base 的输出，没有 dropout。
# * **merge()** 把改动就地加进 `base.weight`，**unmerge()** 再把它取出来。连续第二次 `merge()` 不起作用；对未合并的层调用 `unmerge()` 也一样。二者都不改变任何 `requires_grad`，也不给自动微分留下记录。调用 `train()` 或 `eval()` 时不会自动合并或取消合并。

# %%
class LoRALinear(nn.Module):
    """A frozen linear layer with a trainable low-rank change beside it.

    Source: Hu et al. 2021, section 4.1, eq. 3; initialisation as in the authors' code.
    """

    def __init__(self, base: nn.Linear, r: int, alpha: float, dropout: float = 0.0) -> None:
        """Wrap `base` and freeze it.

        Args:
            base: the trained layer, with or without a bias.
            r: rank.
            alpha: the adapter's output is scaled by alpha / r.
            dropout: probability that an input of the adapter is dropped, in training mode.

        Raises:
            ValueError: r < 1.
        """
        super().__init__()
        raise NotImplementedError("LoRALinear.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        raise NotImplementedError("LoRALinear.forward")

    def merge(self) -> None:
        """Add the change to base.weight, once."""
        raise NotImplementedError("LoRALinear.merge")

    def unmerge(self) -> None:
        """Take the change out of base.weight again, if it is in."""
        raise NotImplementedError("LoRALinear.unmerge")

# %%
check("peft/lora")

# %% [markdown]
# ## 3. Put adapters into a model
#
# A target fits a module when it is the module's dotted name (as in `model.named_modules()`), or the end of
# that name from a dot on: `"q_proj"` fits `q_proj` and `layers.0.q_proj`, but not `layers.0.xq_proj`;
# `"0.q_proj"` fits `layers.0.q_proj`. Replace every `nn.Linear` that some target fits by a `LoRALinear`
# around it. Modules of other types stay, whatever their name.
#
# Freeze every parameter of the model, so that only the adapters train. A new layer is in the mode, training
# or evaluation, of the layer it replaces (peft's are in training mode until somebody calls `eval()`); no other
# module's mode changes. Return the dotted names of the replaced modules in the order of
# `model.named_modules()`, each once. Raise `ValueError` when a target fits no `nn.Linear`, and then change
# nothing.

# %% [markdown] lang="zh"
# ## 3. 把适配器装进模型
#
# 目标名与模块匹配，是指它等于模块的点分全名（即 `model.named_modules()` 给出的名字），或者等于全名里某个点之后的部分：`"q_proj"` 匹配 `q_proj` 和 `layers.0.q_proj`，但不匹配 `layers.0.xq_proj`；`"0.q_proj"` 匹配 `layers.0.q_proj`。凡是有目标名匹配的 `nn.Linear`，都换成包着它的 `LoRALinear`。其他类型的模块，不管叫什么都不动。
#
# 冻结模型的全部参数，只留适配器可训练。新的层与被替换的层处于同一模式（训练或评估；peft 里新的层总是训练模式，直到有人调用 `eval()`），其他模块的模式不变。按 `model.named_modules()` 的顺序返回被替换模块的点分全名，每个只列一次。如果某个目标名匹配不到任何 `nn.Linear`，抛出 `ValueError`，并且什么都不改。

# %%
def inject_lora(
    model: nn.Module, targets: list[str], r: int, alpha: float, dropout: float = 0.0
) -> list[str]:
    """Replace linear layers by adapted ones, in place, and freeze all else.

    Args:
        model: changed in place.
        targets: module names, or ends of them; the rule is that of peft's `target_modules`.
        r, alpha, dropout: as in `LoRALinear`.

    Returns: the dotted names of the replaced modules.

    Raises:
        ValueError: a target fits no nn.Linear.
    """
    raise NotImplementedError("inject_lora")

# %%
check("peft/lora")

# %% [markdown]
# ## 4. What is left to train
#
# Count the numbers (not the tensors) in the parameters of a model: those that require a gradient, and all. A
# parameter that is used in two places counts once. Buffers, such as a running mean, don't count.

# %% [markdown] lang="zh"
# ## 4. 还剩多少要训练
#
# 统计模型参数里有多少个数（不是多少个张量）：需要梯度的有多少，总共有多少。用在两处的同一个参数只算一次。缓冲区（buffer）不算，例如滑动均值。

# %%
def count_parameters(model: nn.Module) -> tuple[int, int]:
    """How many numbers train, and how many there are.

    Returns: (trainable, total).

    Example: a frozen nn.Linear(10, 20) with a rank-2 adapter: (2 * (10 + 20), 220 + 60) = (60, 280).
    """
    raise NotImplementedError("count_parameters")

# %%
check("peft/lora")
