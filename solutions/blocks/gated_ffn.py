# %% [markdown]
# Attention moves information between positions. What is done with it at each position is the work of the
# *feed-forward network* (FFN), which holds about two thirds of a layer's weights. You write the FFN of the first
# Transformer, the gated one of today's models, and the rule for its width.
#
# **Conventions of this file**
#
# * Axes: `C` is the width of the model (`d_model`), `F` that of the hidden layer (`d_hidden`). Both modules take and
#   give `[..., C]`; each position is computed for itself.
# * The tests load weights by name: make exactly the `nn.Linear` layers that a question names, and no other
#   parameters.
# * GELU is the exact one everywhere. Library calls for activation functions are welcome.

# %% [markdown] lang="zh"
# 注意力在位置之间搬运信息；每个位置拿到信息之后怎么加工，是**前馈网络**（FFN）的事，一层里大约三分之二的权重都在它那里。你要写的是：最初 Transformer 的 FFN、今天的模型所用的门控 FFN，以及确定其宽度的规则。
#
# **本文件的约定**
#
# * 轴：`C` 是模型宽度（`d_model`），`F` 是隐藏层宽度（`d_hidden`）。两个模块的输入和输出都是 `[..., C]`，各个位置分别计算，互不影响。
# * 测试按名字加载权重：请恰好创建各题点名的那几个 `nn.Linear`，此外没有别的参数。
# * 所有 GELU 都用精确式。激活函数可以直接调用库函数。

# %%
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

# %% [markdown]
# ## 1. The plain FFN
#
# $$\mathrm{FFN}(x) = W_2\, \mathrm{act}(W_1 x + b_1) + b_2$$
#
# **Parameters.** `w1`: `C` to `F`, `w2`: `F` to `C`, both with bias.

# %% [markdown] lang="zh"
# ## 1. 普通的 FFN
#
# $$\mathrm{FFN}(x) = W_2\, \mathrm{act}(W_1 x + b_1) + b_2$$
#
# **参数。** `w1`：从 `C` 到 `F`；`w2`：从 `F` 到 `C`。两者都有偏置。


# %%
class FeedForward(nn.Module):
    """The position-wise feed-forward network.

    Args:
        d_model: C.
        d_hidden: F.
        activation: act, by name.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), equation 2, with ReLU.
    """

    def __init__(self, d_model: int, d_hidden: int, activation: Literal["relu", "gelu"] = "relu") -> None:
        """Make the parameters named in the statement."""
        super().__init__()
        # BEGIN SOLUTION
        self.activation = {"relu": F.relu, "gelu": F.gelu}[activation]
        self.w1 = nn.Linear(d_model, d_hidden)
        self.w2 = nn.Linear(d_hidden, d_model)
        # END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Float tensor [..., C] to float tensor [..., C]."""
        # BEGIN SOLUTION
        hidden = self.w1(x)  # [..., F]
        hidden = self.activation(hidden)
        return self.w2(hidden)  # [..., C]
        # END SOLUTION


# %% [markdown]
# ## 2. The gated FFN
#
# $$\mathrm{GatedFFN}(x) = W_2\,\bigl(\mathrm{act}(W_1 x) \odot W_3 x\bigr)$$
#
# Two layers read $x$: one opens gates, the other carries what passes through them. $\odot$ multiplies element by
# element. The name says which activation function opens the gates: SiLU in *SwiGLU*, GELU in *GeGLU*, ReLU in *ReGLU*.
#
# **Parameters.** `w1` and `w3`: `C` to `F`, `w2`: `F` to `C`, all without bias. LLaMA's checkpoints call `w1` the gate,
# `w3` the up and `w2` the down projection.

# %% [markdown] lang="zh"
# ## 2. 门控 FFN
#
# $$\mathrm{GatedFFN}(x) = W_2\,\bigl(\mathrm{act}(W_1 x) \odot W_3 x\bigr)$$
#
# 有两个层读 $x$：一个负责开门，另一个送来要过门的内容。$\odot$ 是逐元素相乘。名字说明用哪个激活函数开门：*SwiGLU* 用 SiLU，*GeGLU* 用 GELU，*ReGLU* 用 ReLU。
#
# **参数。** `w1`、`w3`：从 `C` 到 `F`；`w2`：从 `F` 到 `C`。都没有偏置。在 LLaMA 的权重文件里，`w1` 叫 gate，`w3` 叫 up，`w2` 叫 down。


# %%
class GatedFeedForward(nn.Module):
    """A feed-forward network whose hidden layer is gated.

    Args:
        d_model: C.
        d_hidden: F.
        kind: which activation function opens the gates.

    Source: Shazeer 2020 (arXiv:2002.05202), equations 5 and 6.
    """

    def __init__(
        self, d_model: int, d_hidden: int, kind: Literal["swiglu", "geglu", "reglu"] = "swiglu"
    ) -> None:
        """Make the parameters named in the statement."""
        super().__init__()
        # BEGIN SOLUTION
        self.activation = {
            "swiglu": F.silu,
            "geglu": F.gelu,
            "reglu": F.relu,
        }[kind]
        self.w1 = nn.Linear(d_model, d_hidden, bias=False)
        self.w2 = nn.Linear(d_hidden, d_model, bias=False)
        self.w3 = nn.Linear(d_model, d_hidden, bias=False)
        # END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Float tensor [..., C] to float tensor [..., C]."""
        # BEGIN SOLUTION
        gate = self.activation(self.w1(x))  # [..., F]
        up = self.w3(x)  # [..., F]
        return self.w2(gate * up)  # [..., C]
        # END SOLUTION


# %% [markdown]
# ## 3. How wide?
#
# A plain FFN usually has $F = 4C$. The gated one has three matrices in place of two, so two thirds of that width cost
# the same. Computers like widths that divide well, so the result is rounded:
#
# 1. take $\frac23 \cdot 4C$ and drop the fraction;
# 2. go up to the next multiple of `multiple_of`. What is a multiple already stays.

# %% [markdown] lang="zh"
# ## 3. 该有多宽？
#
# 普通 FFN 通常取 $F = 4C$。门控 FFN 有三个矩阵而不是两个，宽度取它的三分之二，代价就一样了。硬件偏爱整齐的宽度，所以还要取整：
#
# 1. 算出 $\frac23 \cdot 4C$，舍去小数部分；
# 2. 再向上取到 `multiple_of` 的倍数；本来就是倍数的，保持不变。


# %%
def gated_hidden_size(d_model: int, multiple_of: int = 256) -> int:
    """The width of a gated FFN with about as many weights as a plain one of width 4 C.

    Args:
        d_model: C, at least 1.
        multiple_of: what the width is a multiple of, at least 1.

    Returns:
        F.

    Source: LLaMA's reference code: 4096 gives 11008.
    """
    # BEGIN SOLUTION
    wanted = int(2 * (4 * d_model) / 3)
    multiples = (wanted + multiple_of - 1) // multiple_of
    return multiples * multiple_of
    # END SOLUTION
