"""The mask by positions and torch.block_diag; the loss as one weighted sum, with a weight for every token."""

import torch
from torch.nn.functional import pad


def first_fit_decreasing(lengths, capacity):
    if max(lengths, default=0) > capacity:
        raise ValueError(f"{max(lengths)} > {capacity}")
    sizes = torch.tensor(lengths)
    used, bins = torch.zeros(len(lengths), dtype=torch.long), [[] for _ in lengths]
    for sample in sizes.argsort(descending=True, stable=True).tolist():
        place = int((used + sizes[sample] <= capacity).int().argmax())  # the first that is True
        used[place] += sizes[sample]
        bins[place].append(sample)
    return [content for content in bins if content]


def pack_row(samples, capacity, pad_id):
    sizes = torch.tensor([len(ids) for ids, _ in samples])
    ends = sizes.cumsum(0)
    rest = capacity - int(ends[-1])
    if rest < 0:
        raise ValueError("too many tokens")
    begins = ends - sizes
    positions = torch.arange(int(ends[-1])) - begins.repeat_interleave(sizes)
    labels = torch.cat([torch.tensor(labels) for _, labels in samples])
    blocks = [torch.ones(int(size), int(size)).tril() for size in sizes]
    return {
        "ids": pad(torch.cat([torch.tensor(ids) for ids, _ in samples]), (0, rest), value=pad_id),
        "labels": pad(labels.where(positions > 0, -100), (0, rest), value=-100),
        "position_ids": pad(positions, (0, rest)),
        "cu_seqlens": pad(ends, (1, 0)).int(),
        "mask": torch.block_diag(*blocks, torch.eye(rest)).bool(),
    }


def packed_loss(logits, labels, cu_seqlens, weighting="token"):
    if weighting not in {"token", "sample"}:
        raise ValueError("weighting")
    counts = (labels != -100).to(logits.dtype)
    weights = counts.clone()
    if weighting == "sample":
        for row, places in enumerate(cu_seqlens):
            for piece in torch.tensor_split(torch.arange(labels.shape[1]), places.long()):
                total = counts[row, piece].sum()
                weights[row, piece] = counts[row, piece] / total.clamp(min=1)
    weights = weights[:, 1:]
    total = weights.sum()
    log_probs = logits[:, :-1].log_softmax(-1)
    found = log_probs.gather(-1, labels[:, 1:, None].clamp(min=0))[..., 0]
    return -(weights * found).sum() / torch.where(total > 0, total, 1)
