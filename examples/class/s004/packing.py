from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position that doesn't count


def first_fit_decreasing(lengths: list[int], capacity: int) -> list[list[int]]:
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


def pack_row(samples: list[tuple[list[int], list[int]]], capacity: int, pad_id: int) -> dict[str, Tensor]:
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
        "mask": torch.ones_like(same_sample).tril(),
    }


def packed_loss(logits: Tensor, labels: Tensor, cu_seqlens: list[Tensor], weighting: str = "token") -> Tensor:
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
