# %% [markdown]
# One attention gives each query one weighted mean. *Multi-head* attention asks several questions at once: it
# cuts the model's channels into `H` groups, lets each group attend for itself, and mixes the answers. You write
# the cut and its inverse, the mask of a padded batch, and the module.
#
# **Conventions of this file**
#
# * Axes: `B` batch, `H` heads (`num_heads`), `T` queries, `S` keys and values, `C` model width (`d_model`),
#   `D = C / H` width of one head.
# * Head `h` owns the channels `h * D` to `(h + 1) * D - 1`: neighbours stay together.
# * A mask is boolean, **True means "may attend"**, and broadcasts to `[B, H, T, S]`: two axes `[T, S]` are one
#   mask for all sequences and heads. A query that may attend to nothing gets weights of zero, so that its output
#   is the bias of the last projection.
#
# Given below: `attention`, which works inside the heads. Not allowed:
# `torch.nn.MultiheadAttention` and what contains it.

# %% [markdown] lang="zh"
# 单个注意力对每个查询只给出一个加权平均。**多头**注意力同时问好几个问题：把模型的通道切成 `H` 组，每组各做各的注意力，最后再把各组的答案混合起来。你要写的是切分与合并、带填充的批次所需要的掩码，以及整个模块。
#
# **本文件的约定**
#
# * 轴：`B` 批大小，`H` 头数（`num_heads`），`T` 查询个数，`S` 键和值的个数，`C` 模型宽度（`d_model`），`D = C / H` 单个头的宽度。
# * 第 `h` 个头拥有第 `h * D` 到第 `(h + 1) * D - 1` 个通道：相邻的通道留在同一个头里。
# * 掩码是布尔张量，**True 表示“可以看”**，可广播到 `[B, H, T, S]`：两个轴的 `[T, S]` 由所有序列、所有头共用。什么都不能看的查询，权重为 0，它的输出因此就是最后那个投影的偏置。
#
# 头内部的注意力已经给出，就是下面的 `attention`。不许调用 `torch.nn.MultiheadAttention` 和含有它的东西。

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
# before positions, beside the batch. Reading the numbers in another shape is not exchanging two axes, though
# both give the right shape.

# %% [markdown] lang="zh"
# ## 1. 切分成多个头
#
# `[B, T, C]` 变成 `[B, H, T, D]`。每个头都要有自己的一张 `T × S` 分数表，所以头的轴要排到位置的前面，与批并列。注意顺序：把同样的数按另一种形状读出来，和交换两个轴不是一回事，而两者得到的形状可以一样。


# %%
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cut the channels into heads.

    Args:
        x: float tensor [B, T, C].
        num_heads: H.

    Returns:
        Tensor [B, H, T, D].

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
# Merging what was split gives the original.

# %% [markdown] lang="zh"
# ## 2. 合并各头
#
# 反过来：切分之后再合并，得到原来的张量。


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
# `is_token` says which positions of a batch hold real tokens; padding may be anywhere. A key may be read if it is
# a real token **and**, where `causal`, stands not later than the query.
#
# Only keys are hidden: a query that is itself padding is treated like any other. With padding at the start and a
# causal mask, such a query may see nothing at all.

# %% [markdown] lang="zh"
# ## 3. 填充掩码与因果掩码合一
#
# `is_token` 标出一批序列里哪些位置是真实的词元；填充可能在任何地方。一个键可以看，当且仅当它是真实的词元，**并且**（`causal` 为真时）位置不晚于查询。
#
# 遮住的只是键：填充位置的查询照常计算。填充在开头又加上因果掩码时，这样的查询可能什么都看不到。


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
# *self-attention*. With another sequence, perhaps of another length: *cross-attention*. The $W_h$ of all heads lie
# side by side in one matrix, so that one projection serves all heads.
#
# **Parameters.** The tests load weights by name. Make four `nn.Linear(d_model, d_model, bias=bias)` and no other
# parameters: `q_proj` (applied to the query), `k_proj` and `v_proj` (to the context), `out_proj` (to the merged
# heads).
#
# Gradients flow back through output and weights.

# %% [markdown] lang="zh"
# ## 4. 多头注意力
#
# $$\mathrm{MultiHead}(X, Z) = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_H)\,W^O$$
#
# $$\mathrm{head}_h = \mathrm{Attention}(X W^Q_h,\; Z W^K_h,\; Z W^V_h)$$
#
# 查询来自 $X$（`query`），键和值来自 $Z$（`context`）。不给 `context` 时 $Z = X$，就是**自注意力**；换成另一条序列（长度可以不同），就是**交叉注意力**。各头的 $W_h$ 并排放在同一个矩阵里，所以所有头共用一次投影。
#
# **参数。** 测试按名字加载权重。请创建四个 `nn.Linear(d_model, d_model, bias=bias)`，此外没有别的参数：`q_proj`（作用于查询）、`k_proj` 和 `v_proj`（作用于 context）、`out_proj`（作用于合并后的各头）。
#
# 梯度能从输出和权重两处传回去。


# %%
class MultiHeadAttention(nn.Module):
    """Multi-head attention with one projection each for queries, keys, values and output.

    Args:
        d_model: C.
        num_heads: H.
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
            mask: boolean tensor that broadcasts to [B, H, T, S], True = may attend; None hides nothing.

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
