# core: 25 to 60 lines of code between the markers, 1 to 4 questions, at most 700 English
# words of statement and docstrings. One idea; every convention that a test relies on. Students don't get this comment.

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
    # BEGIN SOLUTION
    return torch.relu(x)
    # END SOLUTION
