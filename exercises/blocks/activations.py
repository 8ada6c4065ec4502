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
# # Activations from sigmoid to Swish
#
# `blocks/activations` · 25 minutes · difficulty 2/5 · [lesson](../../course/blocks/activations.md)

# %% [markdown] lang="zh"
# # 激活函数：从 Sigmoid 到 Swish
#
# `blocks/activations` · 25 分钟 · 难度 2/5 · [讲义](../../course/blocks/activations.zh.md)

# %%
from autograder import check

# %% [markdown]
# Between two linear layers a network needs something that is not linear. The sigmoid came first; today's models use
# GELU or Swish, which multiply $x$ by a **gate** between 0 and 1. You write them together with their derivatives.
#
# **Conventions of this file**
#
# * Both functions work on each element for itself and return two tensors: the value, and its derivative in $x$.
# * In float32 and float64, from $x = -10000$ to $10000$, both are finite, and so is the gradient that autograd sends back through the value.
#
# Not allowed: `torch.sigmoid`, `F.gelu`, `F.silu`, other forms of these, and autograd.

# %% [markdown] lang="zh"
# 两个线性层之间必须夹一点非线性的东西。最早用的是 Sigmoid；今天的模型用 GELU 或 Swish，它们都是拿 $x$ 乘以一个介于 0 和 1 之间的**门**。请写出这些函数，连同它们的导数。
#
# **本文件的约定**
#
# * 两个函数都逐元素计算，都返回两个张量：函数值，以及它对 $x$ 的导数。
# * 在 float32 和 float64 下，$x$ 从 $-10000$ 到 $10000$，两者都是有限值；autograd 穿过函数值传回来的梯度也是有限值。
#
# 不许调用 `torch.sigmoid`、`F.gelu`、`F.silu` 和它们的其他写法，也不许用 autograd。

# %%
import math
from typing import Literal

import torch
from torch import Tensor

# %% [markdown]
# ## 1. Sigmoid
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{1 + e^x}$$
#
# Each of the two forms overflows on one side.

# %% [markdown] lang="zh"
# ## 1. Sigmoid
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{1 + e^x}$$
#
# 两种写法各有一侧会溢出。

# %%
def sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    """The logistic function.

    Args:
        x: float tensor of any shape.

    Returns:
        The value and the derivative, each of x's shape.
    """
    raise NotImplementedError("sigmoid")

# %%
check("blocks/activations")

# %% [markdown]
# ## 2. GELU and Swish
#
# | `kind` | value | |
# |---|---|---|
# | `"gelu"` | $x\,\Phi(x)$ | $\Phi$: the distribution function of the standard normal, by `torch.erf` |
# | `"gelu_tanh"` | $\frac{x}{2}\bigl(1 + \tanh\bigl(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\bigr)\bigr)$ | an approximation with a derivative of its own |
# | `"swish"` | $x\,\sigma(\beta x)$ | $\beta = 1$ is SiLU |

# %% [markdown] lang="zh"
# ## 2. GELU 与 Swish
#
# | `kind` | 函数值 | |
# |---|---|---|
# | `"gelu"` | $x\,\Phi(x)$ | $\Phi$ 是标准正态分布的分布函数，用 `torch.erf` 计算 |
# | `"gelu_tanh"` | $\frac{x}{2}\bigl(1 + \tanh\bigl(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\bigr)\bigr)$ | 近似式，导数也是它自己的 |
# | `"swish"` | $x\,\sigma(\beta x)$ | $\beta = 1$ 就是 SiLU |

# %%
def activation(
    x: Tensor, kind: Literal["gelu", "gelu_tanh", "swish"], beta: float = 1.0
) -> tuple[Tensor, Tensor]:
    """x times a gate.

    Args:
        x: float tensor of any shape.
        kind: which row of the table.
        beta: of Swish, a constant; the other kinds ignore it.

    Returns:
        The value and the derivative, each of x's shape.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2; Ramachandran et al. 2017 (arXiv:1710.05941),
    section 4.
    """
    raise NotImplementedError("activation")

# %%
check("blocks/activations")
