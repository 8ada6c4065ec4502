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
# # Quantisation: absmax, zero-point, per-channel, group-wise
#
# `compression/quantization` · 60 minutes · difficulty 3/5 · [lesson](../../course/compression/quantization.md)

# %% [markdown] lang="zh"
# # 模型量化
#
# `compression/quantization` · 60 分钟 · 难度 3/5 · [讲义](../../course/compression/quantization.zh.md)

# %%
from autograder import check

# %% [markdown]
# A weight in float32 takes four bytes. *Quantisation* stores a small integer in its place, the **code**, and a
# **scale** that many weights share, sometimes with an integer **zero point**:
#
# $$w \approx \mathrm{scale} \cdot (\mathrm{code} - \mathrm{zero\ point})$$
#
# **Conventions of this file**
#
# * A matrix is `[out, in]`: one row for each output. Weights are finite, float32 or float64.
# * Codes are int8 tensors, whatever `bits` is; zero points are int8, too. Scales have the dtype of the weights.
# * A row is cut into groups of `group_size` neighbouring columns; the last group may be shorter. `None` makes the
#   whole row one group. Scales are `[out, G]`, G = ceil(in / group_size).
# * Rounding is that of `torch.round`: a half goes to the even integer.
# * A group of zeros has scale 1.
# * No gradients are asked for.
#
# Not allowed: PyTorch's own `quantize_per_tensor`, `quantize_per_channel` and `fake_quantize_...`.
#
# `dequantize`, given, says what codes mean.

# %% [markdown] lang="zh"
# 一个 float32 权重占四个字节。**量化**改存一个小整数，叫**编码**；再让许多权重共用一个**缩放系数**，有时还有一个整数**零点**：
#
# $$w \approx \text{缩放系数} \cdot (\text{编码} - \text{零点})$$
#
# **本文件的约定**
#
# * 矩阵是 `[out, in]`，每个输出一行。权重都是有限的数，dtype 为 float32 或 float64。
# * 不管 `bits` 是几，编码都存成 int8 张量；零点也是 int8。缩放系数的 dtype 与权重相同。
# * 一行按列切成组，每组是相邻的 `group_size` 列，最后一组可以不满；`None` 表示整行为一组。缩放系数的形状是 `[out, G]`，G = ceil(in / group_size)。
# * 舍入与 `torch.round` 相同：恰好是一半时取偶数。
# * 全零的组，缩放系数为 1。
# * 不要求梯度。
#
# 不许调用 PyTorch 自带的 `quantize_per_tensor`、`quantize_per_channel` 和 `fake_quantize_...`。
#
# 已经给出的 `dequantize` 说明编码代表什么。

# %%
import math

import torch
import torch.nn.functional as F
from torch import Tensor


def dequantize(
    codes: Tensor, scales: Tensor, zero_points: Tensor | None = None, group_size: int | None = None
) -> Tensor:
    """The weights that the codes stand for (given).

    Args:
        codes: [out, in], int8.
        scales: [out, G].
        zero_points: [out, G], int8; None where all are 0.
        group_size: columns that share a scale; None: all of a row.

    Returns: [out, in].
    """
    columns = codes.shape[1]

    def spread(per_group: Tensor) -> Tensor:
        """[out, G] -> [out, in]: for each column the number of its group."""
        return per_group.repeat_interleave(group_size or columns, dim=1)[:, :columns]

    steps = codes.to(scales.dtype)
    if zero_points is not None:
        steps = steps - spread(zero_points)
    return spread(scales) * steps

# %% [markdown]
# ## 1. Symmetric: the largest magnitude decides
#
# Zero points are 0. With `bits` = $b$ the codes go from $-(2^{b-1} - 1)$ to $2^{b-1} - 1$: from -127 to 127 for
# eight bits, from -7 to 7 for four. For each group
#
# $$\mathrm{scale} = \frac{\max |w|}{2^{b-1} - 1}, \qquad \mathrm{code} = \mathrm{round}(w / \mathrm{scale})$$

# %% [markdown] lang="zh"
# ## 1. 对称量化：由最大绝对值决定
#
# 零点都是 0。`bits` 为 $b$ 时，编码从 $-(2^{b-1} - 1)$ 到 $2^{b-1} - 1$：八比特是 -127 到 127，四比特是 -7 到 7。对每一组，
#
# $$\text{缩放系数} = \frac{\max |w|}{2^{b-1} - 1}, \qquad \text{编码} = \mathrm{round}(w / \text{缩放系数})$$

# %%
def quantize_symmetric(weight: Tensor, bits: int = 8, group_size: int | None = None) -> tuple[Tensor, Tensor]:
    """Codes around zero, with one scale for each group of columns in a row.

    Args:
        weight: [out, in].
        bits: b, from 2 to 8.
        group_size: columns that share a scale, at least 1; None: all of a row.

    Returns:
        codes: [out, in], int8.
        scales: [out, G].

    Raises:
        ValueError: bits isn't from 2 to 8.

    Example: [[0.7, -0.2, 6.0]] with four bits and groups of 2 has the codes [[7, -2, 7]] and the scales
        [[0.1, 6 / 7]].

    Source: Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, section 2 (absmax).
    """
    raise NotImplementedError("quantize_symmetric")

# %%
check("compression/quantization")

# %% [markdown]
# ## 2. Affine: the range decides
#
# Where values lie mostly on one side of zero, half of the symmetric codes stand idle. The affine form uses all
# $2^b$ codes, from $c_{\min} = -2^{b-1}$ to $c_{\max} = 2^{b-1} - 1$. For each row, with $l = \min(0, \min w)$
# and $h = \max(0, \max w)$:
#
# $$\mathrm{scale} = \frac{h - l}{2^b - 1}, \qquad
# \mathrm{zero\ point} = c_{\min} - \mathrm{round}(l / \mathrm{scale})$$
#
# $$\mathrm{code} = \mathrm{clamp}(\mathrm{round}(w / \mathrm{scale}) + \mathrm{zero\ point},\ c_{\min},\ c_{\max})$$
#
# The range always holds 0, and the code of 0 is the zero point: zeros come back as exact zeros.

# %% [markdown] lang="zh"
# ## 2. 非对称量化：由取值范围决定
#
# 如果数值大多在零的一侧，对称量化的编码就有一半闲着。非对称（affine，仿射）量化用满全部 $2^b$ 个编码，从 $c_{\min} = -2^{b-1}$ 到 $c_{\max} = 2^{b-1} - 1$。对每一行，令 $l = \min(0, \min w)$，$h = \max(0, \max w)$：
#
# $$\text{缩放系数} = \frac{h - l}{2^b - 1}, \qquad \text{零点} = c_{\min} - \mathrm{round}(l / \text{缩放系数})$$
#
# $$\text{编码} = \mathrm{clamp}(\mathrm{round}(w / \text{缩放系数}) + \text{零点},\ c_{\min},\ c_{\max})$$
#
# 取值范围里总有 0，而 0 的编码就是零点：零还原后仍是不差分毫的零。

# %%
def quantize_affine(weight: Tensor, bits: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Codes over the range of each row.

    Args:
        weight: [out, in].
        bits: b, from 2 to 8.

    Returns:
        codes: [out, in], int8.
        scales: [out, 1].
        zero_points: [out, 1], int8.

    Raises:
        ValueError: bits isn't from 2 to 8.

    Example: [[-1.0, 0.0, 0.5, 2.0]] with two bits has the scale 1, the zero point -1 and the codes
        [[-2, -1, -1, 1]].

    Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 2.1, equation 1.
    """
    raise NotImplementedError("quantize_affine")

# %%
check("compression/quantization")

# %% [markdown]
# ## 3. A product of codes
#
# Processors multiply integers faster than floats. Inputs have one scale for each row (a token), weights one for each
# row (an output), zero points are 0; so both scales can wait until the sum is done:
#
# $$y_{mn} = \mathrm{scale}^x_m \cdot \mathrm{scale}^w_n \cdot \sum_k c^x_{mk}\, c^w_{nk}$$
#
# The sum of integers is **exact**: no rounding, no overflow. It always fits into int32.

# %% [markdown] lang="zh"
# ## 3. 编码的乘法
#
# 处理器做整数乘法比浮点快。输入每行（一个词元）一个缩放系数，权重每行（一个输出）一个，零点都是 0，所以两个系数都可以等到求和之后再乘：
#
# $$y_{mn} = \mathrm{scale}^x_m \cdot \mathrm{scale}^w_n \cdot \sum_k c^x_{mk}\, c^w_{nk}$$
#
# 整数之和必须**精确**：既没有舍入误差，也没有溢出。它总在 int32 的范围之内。

# %%
def int8_matmul(x_codes: Tensor, x_scales: Tensor, weight_codes: Tensor, weight_scales: Tensor) -> Tensor:
    """The product of quantised inputs and a quantised weight.

    Args:
        x_codes: [M, K], int8, from -127 to 127.
        x_scales: [M, 1].
        weight_codes: [N, K], int8, from -127 to 127.
        weight_scales: [N, 1], of the dtype of x_scales.

    Returns: [M, N], in the dtype of the scales.

    Source: Dettmers et al. 2022, section 3.1 (vector-wise quantisation).
    """
    raise NotImplementedError("int8_matmul")

# %%
check("compression/quantization")

# %% [markdown]
# ## 4. The bill
#
# A file holds codes, scales and zero points. A code of eight bits takes a byte. Two codes of four bits share one,
# and packing goes on from row to row: 3 x 5 codes take 8 bytes. A scale takes `scale_bytes` bytes; a zero point takes
# one byte, in the affine form only.

# %% [markdown] lang="zh"
# ## 4. 算账
#
# 文件里有编码、缩放系数和零点。八比特的编码占一个字节；四比特的编码两个合用一个字节，而且换行不断开：3 x 5 个编码占 8 个字节。一个缩放系数占 `scale_bytes` 个字节；零点占一个字节，只有非对称量化才有。

# %%
def stored_bytes(
    rows: int,
    columns: int,
    bits: int,
    group_size: int | None = None,
    affine: bool = False,
    scale_bytes: int = 4,
) -> int:
    """The size of a quantised matrix, all included.

    Args:
        rows: out.
        columns: in.
        bits: of a code, 4 or 8.
        group_size: columns that share a scale (and a zero point); None: all of a row.
        affine: whether there are zero points.
        scale_bytes: of one scale.

    Returns: bytes.

    Example: 3 x 5 codes of four bits in groups of 2, scales of two bytes: 8 + 9 * 2 = 26.
    """
    raise NotImplementedError("stored_bytes")

# %%
check("compression/quantization")
