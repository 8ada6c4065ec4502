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
# # Absolute positions: sinusoidal, learned, recurrent
#
# `positions/absolute` · 45 minutes · difficulty 2/5 · [lesson](../../course/positions/absolute.md)

# %% [markdown] lang="zh"
# # 绝对位置编码（正弦、可学习、RNN）
#
# `positions/absolute` · 45 分钟 · 难度 2/5 · [讲义](../../course/positions/absolute.zh.md)

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
check("positions/absolute")
