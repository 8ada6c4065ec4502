from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position that doesn't count


def first_fit_decreasing(lengths: list[int], capacity: int) -> list[list[int]]:
    if any(n > capacity for n in lengths):
        raise ValueError("a sample is longer than the capacity")
    bins, room = [], []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        for b, free in enumerate(room):
            if lengths[i] <= free:
                bins[b].append(i)
                room[b] -= lengths[i]
                break
        else:
            bins.append([i])
            room.append(capacity - lengths[i])
    return bins


def pack_row(samples: list[tuple[list[int], list[int]]], capacity: int, pad_id: int) -> dict[str, Tensor]:
    total = sum(len(ids) for ids, _ in samples)
    if total > capacity:
        raise ValueError("more tokens than the row has places")
    rest = capacity - total
    ids, labels, positions, owner, cu = [], [], [], [], [0]
    for number, (sample_ids, sample_labels) in enumerate(samples):
        n = len(sample_ids)
        ids += list(sample_ids)
        labels += [IGNORE_INDEX, *sample_labels[1:]]
        positions += range(n)
        owner += [number] * n
        cu.append(cu[-1] + n)
    owner += range(len(samples), len(samples) + rest)  # each padding place is alone
    owner = torch.tensor(owner, dtype=torch.int64)
    same = owner[:, None] == owner[None, :]
    return {
        "ids": torch.tensor(ids + [pad_id] * rest, dtype=torch.int64),
        "labels": torch.tensor(labels + [IGNORE_INDEX] * rest, dtype=torch.int64),
        "position_ids": torch.tensor(positions + [0] * rest, dtype=torch.int64),
        "cu_seqlens": torch.tensor(cu, dtype=torch.int32),
        "mask": same.tril(),
    }


def packed_loss(logits: Tensor, labels: Tensor, cu_seqlens: list[Tensor], weighting: str = "token") -> Tensor:
    if weighting not in ("token", "sample"):
        raise ValueError(f"unknown weighting {weighting!r}")
    targets = labels[:, 1:]
    keep = targets != IGNORE_INDEX
    scores = logits[:, :-1][keep]
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    losses = F.cross_entropy(scores, targets[keep], reduction="none")  # [K]
    if weighting == "token":
        loss = losses.sum() / max(len(losses), 1)
        return loss.to(logits.dtype)
    # the number of each place's sample, counted over all rows
    number, first = torch.zeros_like(labels), 0
    for row, cu in enumerate(cu_seqlens):
        for start, end in pairwise(cu.tolist()):
            number[row, start:end] = first
            first += 1
    number = number[:, 1:][keep]
    sums = losses.new_zeros(first).index_add(0, number, losses)
    counts = torch.bincount(number, minlength=first)
    loss = (sums / counts.clamp(min=1)).sum() / max(int((counts > 0).sum()), 1)
    return loss.to(logits.dtype)
