# %% [markdown]
# Two maps that stand in every network.

# %% [markdown] lang="zh"
# 每个网络里都有的两个映射。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Affine

# %% [markdown] lang="zh"
# ## 1. 仿射


# %%
def affine(x: Tensor, scale: float, shift: float) -> Tensor:
    """Scale every element, then shift it.

    Args:
        x: [B, D], any values.
        scale: the factor.
        shift: what is added.
    """
    # BEGIN SOLUTION
    return x * scale + shift
    # END SOLUTION


# %% [markdown]
# ## 2. Normalise

# %% [markdown] lang="zh"
# ## 2. 归一化


# %%
def normalise(x: Tensor) -> Tensor:
    """Give every row mean 0 and standard deviation 1 (biased)."""
    # BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    spread = centred.square().mean(dim=-1, keepdim=True).sqrt()
    return torch.div(centred, spread)
    # END SOLUTION
