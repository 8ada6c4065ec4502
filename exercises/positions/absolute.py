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
# Attention without a mask has no sense of order: shuffle the words, and each gets the same result as before. An
# *absolute* position encoding is a table with one row for each position; the row is added to the token's embedding.
# You write three ways to fill the table. Not allowed: `torch.nn.RNN` and `torch.nn.RNNCell`.

# %% [markdown] lang="zh"
# 不带掩码的注意力不知道顺序：把词打乱，每个词得到的结果和原来一样。**绝对**位置编码是一张表，每个位置一行，加到词元的嵌入上。你要写的是填这张表的三种办法。不许调用 `torch.nn.RNN` 和 `torch.nn.RNNCell`。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Sines and cosines
#
# Column $j$ of row $p$ holds
#
# $$\sin(p\,\omega) \text{ for even } j, \qquad \cos(p\,\omega) \text{ for odd } j, \qquad
# \omega = 10000^{-2\lfloor j/2 \rfloor / C}$$
#
# Sine and cosine of a pair have the same frequency. An odd width ends with a sine.

# %% [markdown] lang="zh"
# ## 1. 正弦与余弦
#
# 第 $p$ 行第 $j$ 列是
#
# $$\sin(p\,\omega)\ (j \text{ 为偶数}), \qquad \cos(p\,\omega)\ (j \text{ 为奇数}), \qquad
# \omega = 10000^{-2\lfloor j/2 \rfloor / C}$$
#
# 一对正弦和余弦用同一个频率。宽度为奇数时，最后一列是正弦。

# %%
def sinusoidal_table(num_positions: int, d_model: int) -> Tensor:
    """The sinusoidal encodings of positions 0 to num_positions - 1.

    Args:
        num_positions: T, the number of rows.
        d_model: C, even or odd.

    Returns:
        float32 tensor [T, C].

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.5.
    """
    raise NotImplementedError("sinusoidal_table")

# %%
check("positions/absolute")

# %% [markdown]
# ## 2. A shift is a rotation
#
# For each offset $k$ there is **one** matrix $R_k$ with $R_k\, t_p = t_{p+k}$ for every position $p$, where $t_p$ is row $p$
# of the table as a column vector. It turns each (sine, cosine) pair by an angle of its own.

# %% [markdown] lang="zh"
# ## 2. 平移就是旋转
#
# 对每个偏移 $k$，存在**同一个**矩阵 $R_k$，使 $R_k\, t_p = t_{p+k}$ 对所有位置 $p$ 成立，其中 $t_p$ 是表的第 $p$ 行写成的列向量。它把每一对（正弦、余弦）各转一个角度。

# %%
def shift_matrix(offset: int, d_model: int) -> Tensor:
    """The matrix that takes the encoding of any position to that of the position `offset` later.

    Args:
        offset: k; negative for earlier positions.
        d_model: C.

    Returns:
        float32 tensor [C, C].

    Raises:
        ValueError: if C is odd; its last sine has no cosine to turn with.
    """
    raise NotImplementedError("shift_matrix")

# %%
check("positions/absolute")

# %% [markdown]
# ## 3. A learned table made longer
#
# A trained table $p_0, \dots, p_{n-1}$ can serve $n^2$ positions. Read a position as a number of two digits,
# $i\,n + j$ with $i, j$ from $0$ to $n - 1$, and mix one vector for each digit:
#
# $$q_{i n + j} = \alpha\, u_i + (1 - \alpha)\, u_j, \qquad u_i = \frac{p_i - \alpha\, p_0}{1 - \alpha}$$
#
# With this $u$ the first $n$ rows are the trained ones.

# %% [markdown] lang="zh"
# ## 3. 把学到的表加长
#
# 训练好的表 $p_0, \dots, p_{n-1}$ 可以供 $n^2$ 个位置使用。把位置看成两位数 $i\,n + j$（$i, j$ 从 $0$ 到 $n - 1$），每一位用一个向量，再混合起来：
#
# $$q_{i n + j} = \alpha\, u_i + (1 - \alpha)\, u_j, \qquad u_i = \frac{p_i - \alpha\, p_0}{1 - \alpha}$$
#
# 这样选 $u$，前 $n$ 行正好还是训练好的那些行。

# %%
def extend_table(table: Tensor, alpha: float = 0.4) -> Tensor:
    """Extend a learned position table to the square of its length.

    Args:
        table: float tensor [n, C], row p is the trained encoding of position p.
        alpha: the share of the higher digit i, strictly between 0 and 1.

    Returns:
        Tensor [n * n, C].

    Raises:
        ValueError: if alpha is 0.5: positions (i, j) and (j, i) would get the same row.

    Source: Su 2020, https://spaces.ac.cn/archives/7947.
    """
    raise NotImplementedError("extend_table")

# %%
check("positions/absolute")

# %% [markdown]
# ## 4. Recurrent positions
#
# Each row follows from the row before: $p_t = \tanh(W p_{t-1} + b)$. Row 0 is the given $p_0$. $W$, $b$ and $p_0$ are trained, so
# gradients must reach them through all steps.

# %% [markdown] lang="zh"
# ## 4. 递推的位置编码
#
# 每一行由前一行算出：$p_t = \tanh(W p_{t-1} + b)$，第 0 行就是给定的 $p_0$。三者都要训练，所以梯度必须穿过每一步传到它们。

# %%
def recurrent_positions(p0: Tensor, weight: Tensor, bias: Tensor, num_positions: int) -> Tensor:
    """Position encodings from a recurrence.

    Args:
        p0: float tensor [C], the encoding of position 0.
        weight: float tensor [C, C], W, as [out, in].
        bias: float tensor [C], b.
        num_positions: T, at least 1.

    Returns:
        Tensor [T, C].
    """
    raise NotImplementedError("recurrent_positions")

# %%
check("positions/absolute")
