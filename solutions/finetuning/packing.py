# %% [markdown]
# Samples for fine-tuning are short and uneven, so much of a padded batch is padding. Packing puts several into
# one row. You choose which samples share a row, build the row so that **no sample notices its neighbours**, and
# compute a loss that is the same as for the samples one by one.

# %% [markdown] lang="zh"
# 微调样本大多很短，长短又不齐，补齐之后一个批次里有很大一部分是填充。序列打包把几条样本放进同一行。本题先决定哪些样本放在一起，再拼出这一行，让**任何样本都察觉不到邻居的存在**，最后计算打包后的损失：同一个模型，损失必须与逐条计算时一样。

# %%
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position that doesn't count

# %% [markdown]
# ## 1. Which samples share a row
#
# First-fit decreasing: take the samples from the longest to the shortest, equally long ones in their given order.
# Put each into the **first** bin in which it still fits; if there is none, open a new one behind the others.

# %% [markdown] lang="zh"
# ## 1. 哪些样本放在一行
#
# 首次适应递减算法（first-fit decreasing）：从最长的样本取到最短的，长度相同的按原来的次序；每条放进**第一个**还装得下的箱子，都装不下，就在最后面新开一个。


# %%
def first_fit_decreasing(lengths: list[int], capacity: int) -> list[list[int]]:
    """Bins of samples that share a row.

    Args:
        lengths: tokens of each sample, at least 1.
        capacity: the most tokens that a bin holds.

    Returns: for each bin, in the order of opening, the numbers of its samples, in the order in which they were put there.

    Raises:
        ValueError: a sample is longer than `capacity`.

    Example: lengths (3, 6, 4, 5), capacity 9: bins [[1, 0], [3, 2]].

    Source: Johnson 1973; at most 11/9 of the fewest possible bins, plus 6/9 (Dosa et al. 2013).
    """
    # BEGIN SOLUTION
    if any(length > capacity for length in lengths):
        raise ValueError(f"a sample is longer than the {capacity} tokens of a bin")
    bins: list[list[int]] = []
    free: list[int] = []
    for sample in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        for place, room in enumerate(free):
            if lengths[sample] <= room:
                bins[place].append(sample)
                free[place] -= lengths[sample]
                break
        else:
            bins.append([sample])
            free.append(capacity - lengths[sample])
    return bins
    # END SOLUTION


# %% [markdown]
# ## 2. Build a row
#
# A sample is its ids and labels; `labels[t]` is the token **at** place `t`, or -100 where it doesn't count. The row
# holds the samples in the given order, then padding up to `capacity`.
#
# * Each sample's first label becomes -100: nothing before it belongs to the sample, so nothing may predict it.
# * Positions count from 0 in each sample.
# * `cu_seqlens` ("cumulative sequence lengths") are the places where samples begin, and where the last one ends.
# * In `mask[query, key]`, a token may attend to itself and to earlier tokens of its own sample.
# * Padding belongs to no sample: id `pad_id` (real tokens may have it, too), label -100, position 0. It attends to
#   itself alone, and nothing else attends to it.

# %% [markdown] lang="zh"
# ## 2. 拼出一行
#
# 一条样本由词元编号和标签组成；`labels[t]` 是位置 `t` **上**的词元，不计入的地方是 -100。一行就是这些样本按给定的次序首尾相接，再填充到 `capacity`。
#
# * 每条样本第一个词元的标签改成 -100：它前面没有属于这条样本的词元，所以谁也不该预测它。
# * 位置编号在每条样本里都从 0 数起。
# * `cu_seqlens`（累积序列长度）是各条样本开始的位置，加上最后一条结束的位置。
# * 在 `mask[query, key]` 里，一个词元可以看到自己，以及同一条样本里在它前面的词元。
# * 填充不属于任何样本：编号 `pad_id`（真的词元也可能是这个编号），标签 -100，位置 0。它只看自己，别的词元都看不到它。


# %%
def pack_row(samples: list[tuple[list[int], list[int]]], capacity: int, pad_id: int) -> dict[str, Tensor]:
    """One packed row, T = capacity.

    Args:
        samples: n pairs (ids, labels) of equal length, at least one token each.

    Returns: a dictionary of
        ids, labels, position_ids: [T] int64.
        cu_seqlens: [n + 1] int32.
        mask: [T, T] bool, True = may attend.

    Raises:
        ValueError: there are more than `capacity` tokens.

    Example: samples of 3 and 2 tokens, capacity 6: position_ids (0, 1, 2, 0, 1, 0), cu_seqlens (0, 3, 5).

    Source: Krell et al. 2021, https://arxiv.org/abs/2107.02027; transformers' DataCollatorWithFlattening.
    """
    # BEGIN SOLUTION
    lengths = [len(ids) for ids, _ in samples]
    padding = capacity - sum(lengths)
    if padding < 0:
        raise ValueError(f"{sum(lengths)} tokens don't fit into {capacity}")
    ids = [token for ids, _ in samples for token in ids]
    labels = [label for _, labels in samples for label in [IGNORE_INDEX, *labels[1:]]]
    positions = [position for length in lengths for position in range(length)]
    # The sample of each token; each piece of padding is a sample of its own.
    owner = torch.arange(len(lengths) + padding).repeat_interleave(torch.tensor(lengths + [1] * padding))
    same_sample = owner[:, None] == owner[None, :]
    return {
        "ids": torch.tensor(ids + [pad_id] * padding),
        "labels": torch.tensor(labels + [IGNORE_INDEX] * padding),
        "position_ids": torch.tensor(positions + [0] * padding),
        "cu_seqlens": torch.tensor([0, *lengths]).cumsum(0).to(torch.int32),
        "mask": same_sample.tril(),
    }
    # END SOLUTION


# %% [markdown]
# ## 3. The loss of packed rows
#
# `logits[b, t]` score the token at place `t + 1`; you do the shift. A token's loss is its cross-entropy, averaged
#
# * by `"token"`: over all labels that count in **all** rows;
# * by `"sample"`: over the labels of each sample, then over the samples of **all** rows. A sample without any label
#   that counts is left out.
#
# If nothing counts, the loss is 0. Library calls are allowed.

# %% [markdown] lang="zh"
# ## 3. 打包后的损失
#
# `logits[b, t]` 是对位置 `t + 1` 的词元的打分；移位由你来做。一个词元的损失是它的交叉熵，取平均的方式有两种：
#
# * `"token"`：对**所有**行里所有计入的标签取平均。
# * `"sample"`：先在每条样本内对标签取平均，再对**所有**行的全部样本取平均。一个计入的标签都没有的样本，不参与平均。
#
# 什么都不计入时，损失为 0。可以调用库函数。


# %%
def packed_loss(logits: Tensor, labels: Tensor, cu_seqlens: list[Tensor], weighting: str = "token") -> Tensor:
    """Mean loss of a batch of packed rows.

    Args:
        logits: [B, T, V].
        labels, cu_seqlens: [B, T] int64, and a tensor for each row, as in question 2.
        weighting: "token" or "sample".

    Returns: [].

    Raises:
        ValueError: another weighting.

    Example: samples with token losses (1, 2, 3) and (6): 3 by token, 4 by sample.

    Source: Bai et al. 2024 (LongAlign), https://arxiv.org/abs/2401.18058, section 3.
    """
    # BEGIN SOLUTION
    if weighting not in ("token", "sample"):
        raise ValueError(f"weighting is 'token' or 'sample', not {weighting!r}")
    targets = labels[:, 1:]
    counted = targets != IGNORE_INDEX
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), targets, reduction="none")  # 0 at -100
    if weighting == "token":
        return losses.sum() / counted.sum().clamp(min=1)
    means = []
    for row, boundaries in enumerate(cu_seqlens):
        for begin, end in pairwise(boundaries.tolist()):
            inside = slice(begin, end - 1)  # the prediction made at `begin` is about the second token
            if counted[row, inside].any():
                means.append(losses[row, inside].sum() / counted[row, inside].sum())
    return torch.stack(means).mean() if means else losses.sum()
    # END SOLUTION
