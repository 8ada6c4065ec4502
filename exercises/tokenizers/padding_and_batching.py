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
# A batch is one rectangular tensor; sentences differ in length. You fill the short ones up and record what is
# real. Then you choose which sentences share a batch, so that little padding is needed.

# %% [markdown] lang="zh"
# 一个批次是一个矩形张量，句子却长短不一。先把短的补齐，并记下哪些是真的词元；再决定哪些句子放进同一批，让需要补的尽量少。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Pad a batch
#
# First cut each sequence to `max_length` tokens: `truncation_side` names the end that **loses** tokens. Then
# fill every row up to the **longest** after cutting: `padding_side` names the end where the padding goes.
#
# * `mask` is 1 for a real token, 0 for padding, as integers. A real token may have the id `pad_id`: many
#   models pad with their end token.
# * `position_ids` count 0, 1, 2, ... along the **real** tokens of each row. Under padding they are 0.
# * An empty sequence is a row of padding.
#
# Don't call `torch.nn.utils.rnn.pad_sequence`.

# %% [markdown] lang="zh"
# ## 1. 填充一个批次
#
# 先把每条序列截到 `max_length` 个词元，`truncation_side` 是**被截掉**的那一端；再把每一行补到**截断后最长**的那条那么长，`padding_side` 是补在哪一端。
#
# * `mask` 是整数：真的词元为 1，填充为 0。真的词元，编号也可能等于 `pad_id`：许多模型没有专门的填充词元，就拿结束符来填。
# * `position_ids` 沿每行**真的**词元数 0、1、2……；填充处为 0。
# * 空序列就是整行填充。
#
# 不要调用 `torch.nn.utils.rnn.pad_sequence`。

# %%
def pad_batch(
    sequences: list[list[int]],
    pad_id: int,
    padding_side: str = "right",
    max_length: int | None = None,
    truncation_side: str = "right",
) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences of different lengths as one batch.

    Args:
        sequences: B lists of token ids, B at least 1.
        pad_id: the id of padding.
        padding_side, truncation_side: "left" or "right".
        max_length: at least 1; None cuts nothing.

    Returns: (ids, mask, position_ids), each [B, T] int64.

    Raises:
        ValueError: a side is neither "left" nor "right".

    Example: [[5], [6, 7]] padded with 9 on the left gives ids [[9, 5], [6, 7]] and mask [[0, 1], [1, 1]].

    Source: transformers 5, `pad` and `generate`.
    """
    raise NotImplementedError("pad_batch")

# %%
check("tokenizers/padding_and_batching")

# %% [markdown]
# ## 2. Batches of similar lengths
#
# Sort the samples by length, shortest first; equal lengths keep their order. Cut this list into batches of
# `batch_size`. Every sample is in exactly one batch; the last one may be short.

# %% [markdown] lang="zh"
# ## 2. 长度相近的放一批
#
# 把样本按长度从短到长排序，长度相等的保持原来的先后；再切成每批 `batch_size` 个。每个样本恰好出现一次，最后一批可以不满。

# %%
def length_buckets(lengths: list[int], batch_size: int) -> list[list[int]]:
    """Which samples share a batch.

    Args:
        lengths: number of tokens of each sample.
        batch_size: at least 1.

    Returns: batches of sample indices, counted from 0.

    Example: lengths [9, 2, 5], batch_size 2: [[1, 2], [0]].
    """
    raise NotImplementedError("length_buckets")

# %%
check("tokenizers/padding_and_batching")
