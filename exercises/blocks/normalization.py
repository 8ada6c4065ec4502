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
# # BatchNorm, LayerNorm and RMSNorm
#
# `blocks/normalization` · 60 minutes · difficulty 2/5 · [lesson](../../course/blocks/normalization.md)

# %% [markdown] lang="zh"
# # BatchNorm、LayerNorm 与 RMSNorm
#
# `blocks/normalization` · 60 分钟 · 难度 2/5 · [讲义](../../course/blocks/normalization.zh.md)

# %%
from autograder import check

# %% [markdown]
# A normalization layer subtracts a mean, divides by a spread, and lets learnt vectors choose a new scale. Its three kinds
# differ in **which numbers share a mean and a spread**. BatchNorm takes one feature over all rows of the batch, LayerNorm all
# features of one token; RMSNorm does the same and drops the mean. You write all three, and LayerNorm's gradient by hand.
#
# * `C` is the number of features. `[..., C]` has any number of axes in front, or none.
# * The **biased** variance is the mean of the squared deviations; the **unbiased** one divides by their
#   count minus one.
# * `eps` is added to the variance (or to the mean square) **inside the root**. The tests use large ones, too.
# * Questions 1 and 2: all numbers may lie far from zero, such as 4096.5 and 4096.25, and close together.
#
# Not allowed: PyTorch's normalization layers and functions, and automatic differentiation (`detach` and `no_grad` are fine).

# %% [markdown] lang="zh"
# 归一化层先减去均值、再除以离散程度，最后用两个学出来的向量重新设定尺度。三种归一化的区别在于：**哪些数共用一个均值和方差**。BatchNorm 对一个特征、跨整个批次的各行来算；LayerNorm 对一个词元的全部特征来算；RMSNorm 与 LayerNorm 相同，只是不减均值。三种都由你来写，LayerNorm 的梯度还要手算。
#
# * `C` 是特征数。`[..., C]` 前面可以有任意多个轴，也可以没有。
# * **有偏**方差是偏差平方的平均；**无偏**方差除以个数减一。
# * `eps` 加在方差（或均方）上，位于**根号里面**。测试里也会用很大的 eps。
# * 第 1、2 问：所有的数可能都离零很远、彼此又很近，例如 4096.5 和 4096.25。
#
# 不许调用 PyTorch 自带的归一化层和归一化函数，也不许用自动微分（`detach` 和 `no_grad` 可以用）。

# %%
import torch
from torch import Tensor, nn

# %% [markdown]
# ## 1. BatchNorm with running statistics
#
# **In training mode** each feature is normalized with the mean and the *biased* variance of the batch. Then the running
# statistics move towards those of the batch, of which the variance is now the *unbiased* one:
#
# $$\text{running} \leftarrow (1 - \text{momentum}) \cdot \text{running} + \text{momentum} \cdot \text{batch}$$
#
# **In evaluation mode** the running statistics take the place of the batch's and stay as they are.
#
# The module's state has four entries `[C]` and no others: the parameters `weight` (ones at first) and `bias` (zeros), the
# buffers `running_mean` (zeros) and `running_var` (ones). Gradients flow through the statistics of the batch, and none into
# the running ones.

# %% [markdown] lang="zh"
# ## 1. BatchNorm 与运行统计量
#
# **训练模式**下，每个特征用批次的均值和*有偏*方差归一化。然后运行统计量向批次统计量靠拢，这里的批次方差换成*无偏*方差：
#
# $$\text{running} \leftarrow (1 - \text{momentum}) \cdot \text{running} + \text{momentum} \cdot \text{batch}$$
#
# **评估模式**下，用运行统计量代替批次统计量，并且不改动它们。
#
# 模块的状态有且只有四项，形状都是 `[C]`：参数 `weight`（初始全 1）和 `bias`（初始全 0），缓冲区 `running_mean`（初始全 0）和 `running_var`（初始全 1）。梯度要流过批次统计量，但不流进运行统计量。

# %%
class BatchNorm1d(nn.Module):
    """Normalize each feature over the rows of a batch.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: the share of the batch in the new running statistics.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithms 1 and 2; running averages as in PyTorch.
    """

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        """Make the parameters and buffers named in the statement."""
        super().__init__()
        raise NotImplementedError("BatchNorm1d.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """Normalize, and in training mode update the running statistics.

        Args:
            x: [B, C].

        Returns:
            [B, C].

        Raises:
            ValueError: B is less than 2 in training mode: one row has no unbiased variance.
        """
        raise NotImplementedError("BatchNorm1d.forward")

# %%
check("blocks/normalization")

# %% [markdown]
# ## 2. LayerNorm
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad y = w \odot \hat x + b$$
#
# with mean $\mu$ and biased variance $\sigma^2$ over the `C` features of one token. No token sees another.

# %% [markdown] lang="zh"
# ## 2. LayerNorm
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad y = w \odot \hat x + b$$
#
# 均值 $\mu$ 和有偏方差 $\sigma^2$ 取自一个词元的 `C` 个特征。词元之间互不影响。

# %%
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalize each token over its features.

    Args:
        x: [..., C].
        weight, bias: [C].
        eps: added to the variance.

    Returns:
        [..., C].

    Example: (1, 3, 5, 7) with eps 4, ones and zeros: mean 4, variance 5, root 3, so (-1, -1/3, 1/3, 1).

    Source: Ba et al. 2016, https://arxiv.org/abs/1607.06450, equations 3 and 4.
    """
    raise NotImplementedError("layer_norm")

# %%
check("blocks/normalization")

# %% [markdown]
# ## 3. The gradient of LayerNorm
#
# `upstream` is the gradient of a loss with respect to the output `y`. Return the loss's gradients with respect to `x`,
# `weight` and `bias`. An input moves its token's output in three ways: directly, through the mean, and through the
# variance. Weight and bias are shared by all tokens.

# %% [markdown] lang="zh"
# ## 3. LayerNorm 的梯度
#
# `upstream` 是损失对输出 `y` 的梯度。返回损失对 `x`、`weight`、`bias` 的梯度。一个输入通过三条路影响本词元的输出：直接、经由均值、经由方差。所有词元共用同一份权重和偏置。

# %%
def layer_norm_backward(
    upstream: Tensor, x: Tensor, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of LayerNorm, by formula.

    Args:
        upstream: [..., C], the gradient of the output.
        x, weight, eps: as in `layer_norm`.

    Returns:
        The gradients of x [..., C], weight [C] and bias [C].
    """
    raise NotImplementedError("layer_norm_backward")

# %%
check("blocks/normalization")

# %% [markdown]
# ## 4. RMSNorm in half precision
#
# $$y = \frac{x}{\sqrt{\frac{1}{C} \sum_{i=1}^{C} x_i^2 + \varepsilon}} \odot w$$
#
# No mean is subtracted, and there is no bias. Inputs in float16 and bfloat16 are computed in float32; the result has their
# dtype. float16 ends at 65,504 and knows nothing between 0 and 6e-8.

# %% [markdown] lang="zh"
# ## 4. 半精度下的 RMSNorm
#
# $$y = \frac{x}{\sqrt{\frac{1}{C} \sum_{i=1}^{C} x_i^2 + \varepsilon}} \odot w$$
#
# 不减均值，也没有偏置。float16 和 bfloat16 的输入用 float32 计算，结果保持输入的 dtype。float16 最大只到 65504，在 0 和 6e-8 之间也没有别的数。

# %%
def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Divide each token by the root mean square of its features.

    Args:
        x: [..., C], float64, float32, float16 or bfloat16.
        weight: [C], of the same dtype.
        eps: added to the mean square.

    Returns:
        [..., C], of the same dtype.

    Example: (1, 7) with weights (1, 2), eps 0: mean square 25, so (0.2, 2.8).

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467, equation 4.
    """
    raise NotImplementedError("rms_norm")

# %%
check("blocks/normalization")
