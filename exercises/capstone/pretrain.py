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
# # Pre-train a tiny GPT down to its source's entropy
#
# `capstone/pretrain` · 90 minutes · difficulty 2/5 · [lesson](../../course/capstone/pretrain.md)

# %% [markdown] lang="zh"
# # 预训练小 GPT，逼近信源的熵
#
# `capstone/pretrain` · 90 分钟 · 难度 2/5 · [讲义](../../course/capstone/pretrain.zh.md)

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
def first(parts: object, x: Tensor) -> Tensor:
    """One sentence.

    Args:
        parts: the earlier exercises; `parts.gpt` is the module of `models/gpt`.
        x: [B, D], what it is.

    Returns:
        [B, D], what it is.

    Source: paper, equation.
    """
    raise NotImplementedError("first")

# %%
check("capstone/pretrain")
