# %% [markdown]
# One attention gives each query one weighted mean, one answer to one question. *Multi-head* attention asks
# several questions at once: it cuts the model's channels into `H` groups, lets each group attend for
# itself, and mixes the answers. You write the cut and its inverse, the mask that a padded batch of a
# language model needs, and the module.
#
# **Conventions of this file**
#
# * Axes: `B` batch, `H` heads (`num_heads`), `T` queries, `S` keys and values, `C` model width (`d_model`),
#   `D = C / H` width of one head (`head_dim`).
# * Head `h` owns the channels from `h * D` up to, not including, `(h + 1) * D`: neighbours stay together.
# * A mask is boolean, **True means "may attend"**, has at least two axes, and broadcasts to `[B, H, T, S]`:
#   two axes `[T, S]` are one mask for all sequences and heads. A query that may attend to nothing gets weights
#   of zero, so that its output is the bias of the last projection.
# * There is no dropout: training mode and evaluation mode give the same results. Inputs need not be contiguous
#   in memory, and no function changes its arguments.
#
# The attention inside the heads is given: `attention` below. You choose its scale. Not allowed in your
# functions: `torch.nn.MultiheadAttention`, its functional form, and the library's Transformer layers and
# models, which contain it.
#
# Source: Vaswani et al. 2017, *Attention Is All You Need*, section 3.2.2,
# [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).

# %% [markdown] lang="zh"
# 单个注意力对每个查询只给出一个加权平均，相当于一个问题、一个答案。**多头**注意力同时问好几个问题：
# 把模型的通道切成 `H` 组，每组各做各的注意力，最后再把各组的答案混合起来。你要写的是切分与合并、
# 带填充的语言模型批次所需要的掩码，以及整个模块。
#
# **本文件的约定**
#
# * 轴：`B` 批大小，`H` 头数（`num_heads`），`T` 查询个数，`S` 键和值的个数，`C` 模型宽度（`d_model`），
#   `D = C / H` 单个头的宽度（`head_dim`）。
# * 第 `h` 个头拥有从 `h * D` 到 `(h + 1) * D`（不含）的通道：相邻的通道留在同一个头里。
# * 掩码是布尔张量，**True 表示“可以看”**，至少有两个轴，可广播到 `[B, H, T, S]`：
#   两个轴的 `[T, S]` 由所有序列、所有头共用。
#   什么都不能看的查询，权重为 0，它的输出因此就是最后那个投影的偏置。
# * 没有 dropout：训练模式和评估模式结果相同。输入在内存中不一定连续；函数不得修改传入的参数。
#
# 头内部的注意力已经给出，就是下面的 `attention`，缩放系数由你来定。你的函数里不许调用
# `torch.nn.MultiheadAttention`、它的函数形式，以及包含它的那些现成的 Transformer 层和模型。
#
# 出处：Vaswani 等，2017，*Attention Is All You Need*，3.2.2 节，
# [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn


# GIVEN attention
def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """Given: scaled dot-product attention of all heads at once.

    Args:
        q: queries [B, H, T, D].
        k: keys [B, H, S, D].
        v: values [B, H, S, D].
        mask: boolean tensor of two axes or more that broadcasts to [B, H, T, S], True = may attend; None hides
            nothing.
        scale: the factor that scores are multiplied by before the softmax.

    Returns:
        The output [B, H, T, D] and the weights [B, H, T, S]; zero for a query that may attend to nothing.
    """
    # The library returns no weights, but averaging the rows of an identity matrix shows them.
    identity = torch.eye(k.shape[-2], dtype=k.dtype, device=k.device).expand(*k.shape[:-2], -1, -1)
    weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=mask, scale=scale)
    return torch.matmul(weights, v), weights


# END GIVEN


# %% [markdown]
# ## 1. Split into heads
#
# `[B, T, C]` becomes `[B, H, T, D]`. Every head needs its own table of `T` by `S` scores, so heads go
# before positions, beside the batch. Mind the order: reading the same numbers in another shape is not the
# same as exchanging two axes, and both give the right shape. A width that doesn't divide into `num_heads`
# equal heads is an error.

# %% [markdown] lang="zh"
# ## 1. 切分成多个头
#
# `[B, T, C]` 变成 `[B, H, T, D]`。每个头都要有自己的一张 `T × S` 分数表，所以头的轴要排到位置的前面，
# 与批并列。注意顺序：把同样的数按另一种形状读出来，和交换两个轴不是一回事，而两者得到的形状可以一样。
# 宽度不能被 `num_heads` 整除时要报错。


# %%
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cut the channels into heads.

    Args:
        x: float tensor [B, T, C].
        num_heads: H, at least 1.

    Returns:
        Tensor [B, H, T, C / H]; head h holds the channels h * D to (h + 1) * D - 1, where D = C / H.

    Raises:
        ValueError: if C is not a multiple of `num_heads`.
    """
    # BEGIN SOLUTION
    batch, length, width = x.shape
    if width % num_heads != 0:
        raise ValueError(f"a width of {width} does not divide into {num_heads} heads")
    return x.reshape(batch, length, num_heads, width // num_heads).transpose(1, 2)
    # END SOLUTION


# %% [markdown]
# ## 2. Merge the heads
#
# The way back: `[B, H, T, D]` becomes `[B, T, H * D]`, and merging what was split gives the original.

# %% [markdown] lang="zh"
# ## 2. 合并各头
#
# 反过来：`[B, H, T, D]` 变成 `[B, T, H * D]`；切分之后再合并，得到原来的张量。


# %%
def merge_heads(x: Tensor) -> Tensor:
    """Put the heads' channels side by side again; the inverse of `split_heads`.

    Args:
        x: float tensor [B, H, T, D].

    Returns:
        Tensor [B, T, H * D].
    """
    # BEGIN SOLUTION
    batch, num_heads, length, head_dim = x.shape
    return x.transpose(1, 2).reshape(batch, length, num_heads * head_dim)
    # END SOLUTION


# %% [markdown]
# ## 3. Padding and causal mask in one
#
# `is_token` says which positions of a batch hold real tokens; padding may be at the end, at the start, or
# anywhere. A key may be read if it is a real token **and**, where `causal`, stands not later than the
# query. (Queries and keys are the same `S` positions then: self-attention.)
#
# Only keys are hidden. A query that is itself padding is treated like any other; its result is simply not
# used. With padding at the start and a causal mask, such a query may see nothing at all.

# %% [markdown] lang="zh"
# ## 3. 填充掩码与因果掩码合一
#
# `is_token` 标出一批序列里哪些位置是真实的词元；填充可能在末尾，可能在开头，也可能在任何地方。
# 一个键可以看，当且仅当它是真实的词元，**并且**（`causal` 为真时）位置不晚于查询。
# （此时查询和键是同样的 `S` 个位置，即自注意力。）
#
# 遮住的只是键。填充位置的查询照常计算，结果不用就是了。填充在开头又加上因果掩码时，
# 这样的查询可能什么都看不到。


# %%
def attention_mask(is_token: Tensor, causal: bool = False) -> Tensor:
    """Which keys each query may attend to in a padded batch.

    Args:
        is_token: boolean tensor [B, S], True where the position holds a real token.
        causal: whether a query may see only its own position and earlier ones.

    Returns:
        Boolean tensor, True = may attend: [B, 1, S, S] if `causal`, otherwise [B, 1, 1, S].
    """
    # BEGIN SOLUTION
    visible = is_token[:, None, None, :]
    if causal:
        positions = torch.arange(is_token.shape[1], device=is_token.device)
        visible = visible & (positions[None, :] <= positions[:, None])
    return visible
    # END SOLUTION


# %% [markdown]
# ## 4. Multi-head attention
#
# $$\mathrm{MultiHead}(X, Z) = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_H)\,W^O$$
#
# $$\mathrm{head}_h = \mathrm{Attention}(X W^Q_h,\; Z W^K_h,\; Z W^V_h)$$
#
# Queries come from $X$ (`query`), keys and values from $Z$ (`context`). Without a context, $Z = X$:
# *self-attention*. With another sequence, of another length perhaps: *cross-attention*. The $W_h$ of all
# heads lie side by side in one matrix, so one projection serves all heads, and splitting its result gives
# each head its own.
#
# **Parameters.** The tests load weights by name. Make four `nn.Linear(d_model, d_model, bias=bias)` with
# exactly these names:
#
# | name | shape of `.weight` | shape of `.bias` (only if `bias`) | applied to |
# |---|---|---|---|
# | `q_proj` | `[C, C]` | `[C]` | `query` |
# | `k_proj` | `[C, C]` | `[C]` | `context` |
# | `v_proj` | `[C, C]` | `[C]` | `context` |
# | `out_proj` | `[C, C]` | `[C]` | the merged heads |
#
# There are no other parameters or buffers. Gradients flow back through both results: through the output to all
# four projections and the inputs, through the weights to `q_proj`, `k_proj` and the inputs.
#
# `torch.nn.MultiheadAttention` stacks the first three, in this order, into `in_proj_weight` `[3C, C]` and
# `in_proj_bias` `[3C]`; its `out_proj` is the same as yours. It also returns weights averaged over heads unless
# told otherwise, wants the batch second unless told otherwise, and its boolean masks mean the opposite. Yours
# returns the weights of each head.

# %% [markdown] lang="zh"
# ## 4. 多头注意力
#
# $$\mathrm{MultiHead}(X, Z) = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_H)\,W^O$$
#
# $$\mathrm{head}_h = \mathrm{Attention}(X W^Q_h,\; Z W^K_h,\; Z W^V_h)$$
#
# 查询来自 $X$（`query`），键和值来自 $Z$（`context`）。不给 `context` 时 $Z = X$，就是**自注意力**；
# 换成另一条序列（长度可以不同），就是**交叉注意力**。各头的 $W_h$ 并排放在同一个矩阵里，
# 所以所有头共用一次投影，把结果切开，每个头就得到自己的那份。
#
# **参数。** 测试按名字加载权重。请创建四个 `nn.Linear(d_model, d_model, bias=bias)`，名字必须是：
#
# | 名字 | `.weight` 的形状 | `.bias` 的形状（仅当 `bias`） | 作用于 |
# |---|---|---|---|
# | `q_proj` | `[C, C]` | `[C]` | `query` |
# | `k_proj` | `[C, C]` | `[C]` | `context` |
# | `v_proj` | `[C, C]` | `[C]` | `context` |
# | `out_proj` | `[C, C]` | `[C]` | 合并后的各头 |
#
# 除此之外没有别的参数或缓冲区。梯度要能从两个结果传回去：从输出传到全部四个投影和输入，
# 从权重传到 `q_proj`、`k_proj` 和输入。
#
# `torch.nn.MultiheadAttention` 把前三个按这个顺序叠成 `in_proj_weight` `[3C, C]` 和 `in_proj_bias` `[3C]`，
# 它的 `out_proj` 与你的相同。它默认返回各头平均后的权重，默认把批放在第二个轴，布尔掩码的含义也相反；
# 你的模块返回每个头各自的权重。


# %%
class MultiHeadAttention(nn.Module):
    """Multi-head attention with one projection each for queries, keys, values and output.

    Args:
        d_model: C, the width of inputs and output.
        num_heads: H, the number of heads.
        bias: whether the four projections have a bias.

    Raises:
        ValueError: if `d_model` is not a multiple of `num_heads`.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2.
    """

    def __init__(self, d_model: int, num_heads: int, bias: bool = True) -> None:
        """Make the parameters named in the statement."""
        super().__init__()
        # BEGIN SOLUTION
        if d_model % num_heads != 0:
            raise ValueError(f"d_model = {d_model} does not divide into {num_heads} heads")
        self.num_heads = num_heads
        self.scale = (d_model // num_heads) ** -0.5
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        # END SOLUTION

    def forward(
        self, query: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend from `query` to `context`, or to `query` itself if there is none.

        Args:
            query: float tensor [B, T, C].
            context: float tensor [B, S, C]; None stands for `query`.
            mask: boolean tensor of two axes or more that broadcasts to [B, H, T, S], True = may attend; None
                hides nothing.

        Returns:
            The output [B, T, C] and the weights of every head [B, H, T, S].
        """
        # BEGIN SOLUTION
        source = query if context is None else context
        q = split_heads(self.q_proj(query), self.num_heads)
        k = split_heads(self.k_proj(source), self.num_heads)
        v = split_heads(self.v_proj(source), self.num_heads)
        heads, weights = attention(q, k, v, mask, self.scale)
        return self.out_proj(merge_heads(heads)), weights
        # END SOLUTION
