# %% [markdown]
# QLoRA trains a LoRA adapter on a base that is stored in about four bits a weight. Each forward pass decodes the
# weight, uses it and drops it.
#
# $$y = \hat W x + b + \frac{\alpha}{r} B A x, \qquad \hat W = \text{decode}(\text{encode}(W_0))$$
#
# Encoding computes in float32.

# %% [markdown] lang="zh"
# QLoRA 在一个每权重只占约四比特的底座上训练 LoRA 适配器。每次前向都把权重解码出来，用完就丢。
#
# $$y = \hat W x + b + \frac{\alpha}{r} B A x, \qquad \hat W = \text{decode}(\text{encode}(W_0))$$
#
# 编码时用 float32 计算。

# %%
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# %% [markdown]
# ## 1. Levels where weights are
#
# Trained weights are roughly normal: many near zero, few far out. So the levels are quantiles of the standard
# normal distribution. With $Q$ the inverse of its cumulative distribution and $k$ bits:
#
# * $p = 1 - \frac12\left(\frac{1}{2 \cdot 2^k} + \frac{1}{2 (2^k - 1)}\right)$; for four bits, 0.9677083.
# * The positive levels are $Q$ at $2^{k-1}$ evenly spaced probabilities from $p$ down; the next would be 0.5.
# * The negative levels are $-Q$ at $2^{k-1} - 1$ probabilities, chosen in the same way.
# * Zero is a level. All are divided by the largest.

# %% [markdown] lang="zh"
# ## 1. 权重在哪里，量化值就放在哪里
#
# 训练好的权重大致服从正态分布：零附近多，远处少。所以量化值取标准正态分布的分位数。记 $Q$ 为它的分位数函数（累积分布函数的反函数），比特数为 $k$：
#
# * $p = 1 - \frac12\left(\frac{1}{2 \cdot 2^k} + \frac{1}{2 (2^k - 1)}\right)$；四比特时为 0.9677083。
# * 正的量化值：从 $p$ 往下朝 0.5 等间距地取 $2^{k-1}$ 个概率，求 $Q$；再往下的一个就正好是 0.5。
# * 负的量化值：用同样的办法取 $2^{k-1} - 1$ 个概率，求 $-Q$。
# * 零也是一个量化值。最后全部除以其中最大的一个。


# %%
def normal_float_levels(bits: int = 4) -> Tensor:
    """The levels of the NormalFloat format (NF4 for four bits), in ascending order.

    Args:
        bits: k, at least 2.

    Returns: [2 ** bits], float32, from -1 to 1.

    Example: for two bits, Q(0.8542) = 1.0545 and Q(0.6771) = 0.4596 give the levels -1, 0, 0.4358, 1.

    Source: Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, section 3 and appendix E; p as in bitsandbytes.
    """
    # BEGIN SOLUTION
    half = 2 ** (bits - 1)
    top = 1 - (1 / (4 * half) + 1 / (4 * half - 2)) / 2

    def quantiles(count: int) -> Tensor:
        return torch.special.ndtri(torch.linspace(top, 0.5, count + 1)[:-1])

    positive = quantiles(half)
    levels = torch.cat([-quantiles(half - 1), torch.zeros(1), positive.flip(0)])
    return levels / positive[0]
    # END SOLUTION


# %% [markdown]
# ## 2. Blocks of weights as codes and scales
#
# Flatten the tensor and cut it into blocks of `block_size`; the last may be shorter. The scale of a block is its
# largest absolute value. The code of a value is the index of the level nearest to value / scale. A block of
# zeros has scale 0 and, throughout, the code whose level is zero.
#
# Two codes share a byte, the first in the high half. The low half of the last byte may be left over; it may hold
# anything.

# %% [markdown] lang="zh"
# ## 2. 把权重分块存成编码和缩放系数
#
# 把张量展平，切成大小为 `block_size` 的块，最后一块可以不满。块的缩放系数是块内绝对值的最大值。一个数的编码，是离“数值 / 缩放系数”最近的量化值的下标。全零的块，缩放系数为 0，编码都取“量化值为零”的那个下标。
#
# 每两个编码合用一个字节：前一个放在高四位，后一个放在低四位。编码个数为奇数时，最后一个字节的低四位放什么都行。


# %%
class BlockCodec:
    """Blockwise 4-bit quantisation on given levels.

    Source: Dettmers et al. 2023, section 2; the halves as in bitsandbytes.
    """

    def __init__(self, levels: Tensor, block_size: int = 64) -> None:
        """Given.

        Args:
            levels: [16], float32, ascending, from -1 to 1, one of them 0.
            block_size: how many values share a scale.
        """
        self.levels = levels
        self.block_size = block_size

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """n values of any shape as bytes and scales.

        Returns:
            packed: [ceil(n / 2)], uint8.
            scales: [ceil(n / block_size)], float32.

        Example: in blocks of 3, [0, 2, -2, 5] has the scales [2, 5] and the codes 7, 15, 0, 15 (NF4).
        """
        # BEGIN SOLUTION
        flat = values.detach().float().flatten()
        blocks = F.pad(flat, (0, -len(flat) % self.block_size)).view(-1, self.block_size)
        scales = blocks.abs().amax(dim=1)
        relative = blocks / torch.where(scales == 0, 1.0, scales)[:, None]
        midpoints = (self.levels[1:] + self.levels[:-1]) / 2
        codes = torch.bucketize(relative.flatten()[: len(flat)], midpoints).to(torch.uint8)
        codes = F.pad(codes, (0, len(flat) % 2))
        return codes[0::2] << 4 | codes[1::2], scales
        # END SOLUTION

    def decode(self, packed: Tensor, scales: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The level of each code, times its block's scale.

        Returns: of the given shape, float32.
        """
        # BEGIN SOLUTION
        count = math.prod(shape)
        codes = torch.stack([packed >> 4, packed & 15], dim=1).flatten()[:count]
        scale_of_each = scales.repeat_interleave(self.block_size)[:count]
        return (self.levels[codes.long()] * scale_of_each).reshape(shape)
        # END SOLUTION


# %% [markdown]
# ## 3. Double quantisation
#
# A 32-bit scale for 64 weights costs half a bit per weight. So the scales are quantised, too, in blocks of 256.
# All are positive: subtract the mean of them all, so that both signs are used. The step of a block is then its
# largest absolute value divided by 127; a code is the nearest multiple of the step, from -127 to 127. A block
# whose step is 0 has the codes 0.
#
# (The paper's codes are 8-bit floating point; here they are integers.)

# %% [markdown] lang="zh"
# ## 3. 双重量化
#
# 块大小为 64 时，一个 32 位的缩放系数摊到每个权重上是半个比特。所以把缩放系数也量化，每 256 个系数一块。系数全是正的，先减去全部系数的平均值，正负两边才都用得上。一块的步长，是（减去平均值之后）块内绝对值的最大值除以 127；编码是最接近的那个步长倍数，从 -127 到 127。步长为 0 的块，编码全为 0。
#
# （论文的编码是 8 位浮点数；这里是整数。）


# %%
class ScaleCodec:
    """Blockwise 8-bit quantisation of scales around their mean.

    Source: Dettmers et al. 2023, section 3, "Double Quantization".
    """

    def __init__(self, block_size: int = 256) -> None:
        """Given.

        Args:
            block_size: how many scales share a step.
        """
        self.block_size = block_size

    def encode(self, scales: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scales [n], float32, in three parts.

        Returns:
            codes: [n], int8.
            steps: [ceil(n / block_size)], float32.
            mean: [], float32.
        """
        # BEGIN SOLUTION
        mean = scales.mean()
        centred = F.pad(scales - mean, (0, -len(scales) % self.block_size)).view(-1, self.block_size)
        steps = centred.abs().amax(dim=1) / 127
        codes = (centred / torch.where(steps == 0, 1.0, steps)[:, None]).round()
        return codes.flatten()[: len(scales)].to(torch.int8), steps, mean
        # END SOLUTION

    def decode(self, codes: Tensor, steps: Tensor, mean: Tensor) -> Tensor:
        """Back to scales: [n], float32."""
        # BEGIN SOLUTION
        return codes * steps.repeat_interleave(self.block_size)[: len(codes)] + mean
        # END SOLUTION


# %% [markdown]
# ## 4. LoRA on a 4-bit base
#
# The layer encodes the weight once, with the levels of question 1 and double quantisation, and keeps it in no
# other form. `state_dict()` holds these tensors and nothing else:
#
# | name | what it is |
# |---|---|
# | `packed` | buffer, the weight's bytes |
# | `scale_codes`, `scale_steps`, `scale_mean` | buffers, its scales |
# | `bias` | a frozen copy of the base's; not there if it has none |
# | `lora_A`, `lora_B` | `nn.Parameter`s `[r, in]` and `[out, r]`, of the weight's dtype |
#
# $A$ and $B$ are those of [peft/lora](lora.py), without dropout: $A$ starts uniform on $\pm 1/\sqrt{in}$, $B$ at
# zero. Only they train. The gradient of $x$ passes through both paths.

# %% [markdown] lang="zh"
# ## 4. 四比特底座上的 LoRA
#
# 权重只编码一次，用第 1 问的量化值，缩放系数再做双重量化。除此之外，这一层不以任何形式保存权重。`state_dict()` 里有且只有下面这些张量：
#
# | 名字 | 内容 |
# |---|---|
# | `packed` | buffer，权重的字节 |
# | `scale_codes`、`scale_steps`、`scale_mean` | buffer，权重的缩放系数 |
# | `bias` | base 的偏置的副本，冻结；base 没有偏置就没有这一项 |
# | `lora_A`、`lora_B` | `nn.Parameter`，形状为 `[r, in]` 和 `[out, r]`，dtype 与权重相同 |
#
# $A$、$B$ 与 [peft/lora](lora.py) 里的相同，只是没有 dropout：$A$ 起初在 $\pm 1/\sqrt{in}$ 之间均匀分布，$B$ 起初为零。只有它们参与训练。$x$ 的梯度来自两条路。


# %%
class QLoRALinear(nn.Module):
    """A linear layer stored in four bits, with a trainable low-rank change beside it.

    Source: Dettmers et al. 2023, section 3, eq. 5 and 6.
    """

    def __init__(
        self, base: nn.Linear, r: int, alpha: float, block_size: int = 64, scale_block_size: int = 256
    ) -> None:
        """Encode the weight of `base`, which stays as it is.

        Args:
            base: the trained layer, with or without a bias.
            r, alpha: rank and scale, as in `LoRALinear`.
            block_size: weights that share a scale.
            scale_block_size: scales that share a step.
        """
        super().__init__()
        # BEGIN SOLUTION
        self.shape = tuple(base.weight.shape)
        self.scaling = alpha / r
        self.weights = BlockCodec(normal_float_levels(4), block_size)
        self.scales = ScaleCodec(scale_block_size)
        packed, scales = self.weights.encode(base.weight)
        self.register_buffer("packed", packed)
        for name, part in zip(("codes", "steps", "mean"), self.scales.encode(scales), strict=True):
            self.register_buffer(f"scale_{name}", part)
        bias = None if base.bias is None else nn.Parameter(base.bias.clone(), requires_grad=False)
        self.register_parameter("bias", bias)
        self.lora_A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        nn.init.uniform_(self.lora_A, -(base.in_features**-0.5), base.in_features**-0.5)
        # END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out], in the dtype of x, which is that of the base's weight."""
        # BEGIN SOLUTION
        scales = self.scales.decode(self.scale_codes, self.scale_steps, self.scale_mean)
        weight = self.weights.decode(self.packed, scales, self.shape).to(x.dtype)
        return F.linear(x, weight, self.bias) + self.scaling * (x @ self.lora_A.T @ self.lora_B.T)
        # END SOLUTION

    def bits_per_weight(self) -> float:
        """What the frozen weight occupies: the bits of its four buffers, divided by its number of entries.

        Example: 4 x 16 weights have 32 bytes of codes, one scale code, one step and the mean:
        8 * (32 + 1 + 4 + 4) / 64 = 5.125.
        """
        # BEGIN SOLUTION
        return 8 * sum(buffer.nbytes for buffer in self.buffers()) / math.prod(self.shape)
        # END SOLUTION
