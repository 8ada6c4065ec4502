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
# # Token embedding: lookup, gradient, resize
#
# `blocks/embedding` · 25 minutes · difficulty 2/5 · [lesson](../../course/blocks/embedding.md)

# %% [markdown] lang="zh"
# # Embedding 层：查表、梯度与扩表
#
# `blocks/embedding` · 25 分钟 · 难度 2/5 · [讲义](../../course/blocks/embedding.zh.md)

# %%
from autograder import check

# %% [markdown]
# A model computes with vectors; a tokenizer gives it ids. The embedding turns one into the other: a table
# `weight` with a row for each token. You write the lookup, its gradient by hand, and the table's change of size.
# Not allowed: `torch.nn.Embedding`, `torch.nn.functional.embedding` and automatic differentiation.

# %% [markdown] lang="zh"
# 模型算的是向量，分词器给的是编号，中间隔着一张嵌入表 `weight`，每个词元一行。你要写的是查表、手算它的梯度，以及改变表的大小。不许调用 `torch.nn.Embedding`、`torch.nn.functional.embedding`，也不许用自动微分。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Look up
#
# With one-hot rows $x$, the Transformer's embedding is the product $\sqrt{C}\, x W$. Row `ids[b, t]` of $W$,
# times $\sqrt{C}$, is the same: return that. PyTorch's layer has no such factor.

# %% [markdown] lang="zh"
# ## 1. 查表
#
# 把编号写成 one-hot 行向量 $x$，Transformer 的嵌入就是乘积 $\sqrt{C}\, x W$；取出 $W$ 的第 `ids[b, t]` 行再乘 $\sqrt{C}$，结果一样，请返回它。PyTorch 的嵌入层没有这个系数。

# %%
def embed(ids: Tensor, weight: Tensor) -> Tensor:
    """Rows of the table, scaled.

    Args:
        ids: [B, T] int64.
        weight: [V, C].

    Returns: [B, T, C].

    Raises:
        IndexError: an id is outside 0 ... V - 1.

    Example: id 1 in [[1, 2, 3, 4], [5, 6, 7, 8]] gives [10, 12, 14, 16].

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.4.
    """
    raise NotImplementedError("embed")

# %%
check("blocks/embedding")

# %% [markdown]
# ## 2. Gradient
#
# `upstream` is the gradient of the loss with respect to what `embed` returned. Return the gradient with respect
# to `weight`. A row that was looked up several times gets the sum. The row `padding_idx` is looked up like any
# other, but gets no gradient.

# %% [markdown] lang="zh"
# ## 2. 梯度
#
# `upstream` 是损失对 `embed` 的结果的梯度，请返回损失对 `weight` 的梯度。被查过几次的行，得到的是几次之和。`padding_idx` 那一行照样可以查，但梯度为 0。

# %%
def embedding_gradient(
    ids: Tensor, upstream: Tensor, vocab_size: int, padding_idx: int | None = None
) -> Tensor:
    """Gradient of the table.

    Args:
        ids: [B, T] int64, all in the table.
        upstream: [B, T, C].
        vocab_size: V.
        padding_idx: 0 ... V - 1; None: every row is trained.

    Returns: [V, C].

    Example: ids [[1, 1]], upstream [[[1, 0, 0, 0], [2, 0, 0, 0]]], V = 2: row 1 is [6, 0, 0, 0], row 0 is zero.
    """
    raise NotImplementedError("embedding_gradient")

# %%
check("blocks/embedding")

# %% [markdown]
# ## 3. Resize
#
# New tokens need rows. They go to the end, and each is the mean of all old rows. A smaller table keeps the first
# rows.

# %% [markdown] lang="zh"
# ## 3. 改变大小
#
# 新增的词元要有自己的行：加在末尾，每一行都等于所有旧行的平均。缩小时，保留最前面的行。

# %%
def resize_embedding(weight: Tensor, new_size: int) -> Tensor:
    """A table of another size.

    Args:
        weight: [V, C].
        new_size: rows wanted, at least 1.

    Returns: [new_size, C].
    """
    raise NotImplementedError("resize_embedding")

# %%
check("blocks/embedding")
