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
# # Padding, masks and length bucketing
#
# `tokenizers/padding_and_batching` · 20 minutes · difficulty 2/5 · [lesson](../../course/tokenizers/padding_and_batching.md)

# %% [markdown] lang="zh"
# # Batch 输入与 padding
#
# `tokenizers/padding_and_batching` · 20 分钟 · 难度 2/5 · [讲义](../../course/tokenizers/padding_and_batching.zh.md)

# %%
from autograder import check

# %% [markdown]
# What the student builds and why. Then every convention that the tests rely on.

# %% [markdown] lang="zh"
# 要写什么、为什么，以及测试所依赖的每一条约定。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. First question

# %% [markdown] lang="zh"
# ## 1. 第一问

# %%
def first(x: Tensor) -> Tensor:
    """One sentence.

    Args:
        x: [B, D], what it is.

    Returns:
        [B, D], what it is.

    Source: paper, equation.
    """
    raise NotImplementedError("first")

# %%
check("tokenizers/padding_and_batching")
