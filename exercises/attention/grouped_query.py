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
# # Multi-query and grouped-query attention
#
# `attention/grouped_query` · 40 minutes · difficulty 2/5 · [lesson](../../course/attention/grouped_query.md)

# %% [markdown] lang="zh"
# # MQA 与 GQA
#
# `attention/grouped_query` · 40 分钟 · 难度 2/5 · [讲义](../../course/attention/grouped_query.zh.md)

# %%
from autograder import check

# %% [markdown]
# In *grouped-query attention* (GQA) several query heads share one head of keys and values, a *KV head*: there is less
# to keep in the cache and less to read from it.
#
# * Axes: `B` batch, `T` new tokens, `S` all keys and values, `C` model width, `H` query heads, `H_kv` KV heads,
#   `D = C / H` width of every head.
# * A group is `g = H / H_kv` query heads. **KV head `j` serves the query heads `j * g` to `(j + 1) * g - 1`.** With
#   `H_kv = H` this is multi-head attention (MHA), with `H_kv = 1` multi-query attention (MQA).
# * Head `h` owns the channels `h * D` to `(h + 1) * D - 1` of its projection.
#
# You may call `F.scaled_dot_product_attention`.

# %% [markdown] lang="zh"
# **分组查询注意力**（GQA）让几个查询头共用一个键值头（**KV 头**）：缓存里要存的少了，要读的也少了。
#
# * 轴：`B` 批大小，`T` 新词元的个数，`S` 全部键和值的个数，`C` 模型宽度，`H` 查询头数，`H_kv` KV 头数，`D = C / H` 每个头的宽度，查询、键、值都一样。
# * 每组有 `g = H / H_kv` 个查询头。**第 `j` 个 KV 头服务第 `j * g` 到第 `(j + 1) * g - 1` 个查询头。**`H_kv = H` 就是多头注意力（MHA），`H_kv = 1` 就是多查询注意力（MQA）。
# * 第 `h` 个头拥有其投影的第 `h * D` 到第 `(h + 1) * D - 1` 个通道。
#
# 可以调用 `F.scaled_dot_product_attention`。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor, nn


# GIVEN growing_cache
class GrowingCache:
    """Given: keys and values of one layer, [B, H_kv, S, D] each; None while there are none."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def __len__(self) -> int:
        """S."""
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add T tokens, [B, H_kv, T, D] each; returns the keys and the values of all S."""
        joined_k = k if self.keys is None else torch.cat([self.keys, k], dim=2)
        joined_v = v if self.values is None else torch.cat([self.values, v], dim=2)
        self.keys, self.values = joined_k, joined_v
        return joined_k, joined_v


# END GIVEN

# %% [markdown]
# ## 1. One KV head for several query heads
#
# Head `h` of the result is the KV head that query head `h` reads.

# %% [markdown] lang="zh"
# ## 1. 一个 KV 头供几个查询头用
#
# 结果的第 `h` 个头，就是第 `h` 个查询头要读的那个 KV 头。

# %%
def repeat_kv(x: Tensor, group_size: int) -> Tensor:
    """Repeat the KV heads, one for each query head.

    Args:
        x: keys or values [B, H_kv, S, D].
        group_size: g.

    Returns:
        Tensor [B, H_kv * g, S, D].

    Source: Ainslie et al. 2023 (arXiv:2305.13245), figure 2; transformers' `repeat_kv`.
    """
    raise NotImplementedError("repeat_kv")

# %%
check("attention/grouped_query")

# %% [markdown]
# ## 2. The module
#
# Self-attention of the tokens `x`; with a cache they also see the tokens in it. Keys and values are kept there with
# `H_kv` heads. Only `mask` hides anything, the future included. Gradients flow to `x` and the parameters.
#
# Make four `nn.Linear` and no other parameters: `q_proj` from `C` to `H * D`, `k_proj` and `v_proj` from `C` to
# `H_kv * D`, `out_proj` from `H * D` to `C`.

# %% [markdown] lang="zh"
# ## 2. 模块
#
# 词元 `x` 的自注意力；给了缓存时，还看得到缓存里的词元。缓存里的键和值只有 `H_kv` 个头。遮什么全由 `mask` 决定，遮住未来也要靠它。梯度能传到 `x` 和各个参数。
#
# 请创建四个 `nn.Linear`，此外没有别的参数：`q_proj` 从 `C` 到 `H * D`，`k_proj` 和 `v_proj` 从 `C` 到 `H_kv * D`，`out_proj` 从 `H * D` 到 `C`。

# %%
class GroupedQueryAttention(nn.Module):
    """Grouped-query self-attention.

    Args:
        d_model: C.
        num_heads: H.
        num_kv_heads: H_kv.
        bias: whether the projections have one.

    Raises:
        ValueError: if `d_model` is not a multiple of `num_heads`, or `num_heads` not of `num_kv_heads`.

    Source: Shazeer 2019 (arXiv:1911.02150), section 3 (MQA); Ainslie et al. 2023, section 2.2 (GQA).
    """

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, bias: bool = False) -> None:
        """Make the parameters named in the statement."""
        super().__init__()
        raise NotImplementedError("GroupedQueryAttention.__init__")

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: GrowingCache | None = None) -> Tensor:
        """Attend.

        Args:
            x: T new tokens [B, T, C].
            mask: boolean, two axes or four, broadcasts to [B, H, T, S], True = may attend; every query sees a key.
                None hides nothing.
            cache: the tokens before `x`, perhaps none; afterwards those of `x`, too.

        Returns:
            Tensor [B, T, C].
        """
        raise NotImplementedError("GroupedQueryAttention.forward")

# %%
check("attention/grouped_query")

# %% [markdown]
# ## 3. A trained model converted
#
# An MHA model becomes a GQA model. Each new KV head is the **mean of the heads of its group**: of their rows in the
# weights of `k_proj` and `v_proj`, and of their numbers in the biases. The other projections stay.

# %% [markdown] lang="zh"
# ## 3. 转换训练好的模型
#
# 把 MHA 模型变成 GQA 模型。每个新 KV 头都是**本组各头的平均**：`k_proj` 和 `v_proj` 的权重，取各头对应行的平均；偏置也一样。其余的投影不变。

# %%
def mha_to_gqa(
    weights: dict[str, Tensor], num_heads: int, num_kv_heads: int
) -> tuple[dict[str, Tensor], float]:
    """The weights of a GQA module, made from those of an MHA module.

    Args:
        weights: `q_proj.weight`, `k_proj.weight`, `v_proj.weight`, `out_proj.weight`, [C, C] each; perhaps all four
            `.bias`, [C] each.
        num_heads: H.
        num_kv_heads: H_kv, divides H.

    Returns:
        The weights by the same names, for `GroupedQueryAttention(C, H, H_kv)`; and the size of its KV cache in shares
        of the MHA module's.

    Source: Ainslie et al. 2023, section 2.1 and figure 1.
    """
    raise NotImplementedError("mha_to_gqa")

# %%
check("attention/grouped_query")
