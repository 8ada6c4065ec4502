"""Bin by bin instead of sample by sample, and rows, masks and losses place by place."""

import torch

FIELDS = ("ids", "labels", "position_ids")


def first_fit_decreasing(lengths, capacity):
    waiting = sorted(enumerate(lengths), key=lambda pair: pair[1], reverse=True)
    if waiting and waiting[0][1] > capacity:
        raise ValueError("too long")
    bins = []
    while waiting:  # one sweep fills one bin: what doesn't fit waits for the next
        room, content, left = capacity, [], []
        for sample, length in waiting:
            if length <= room:
                content.append(sample)
                room -= length
            else:
                left.append((sample, length))
        bins.append(content)
        waiting = left
    return bins


def pack_row(samples, capacity, pad_id):
    row = {name: [] for name in FIELDS}
    mask = torch.zeros(capacity, capacity, dtype=torch.bool)
    boundaries = [0]
    for ids, labels in samples:
        begin = boundaries[-1]
        for position, (token, label) in enumerate(zip(ids, labels, strict=True)):
            if begin + position == capacity:
                raise ValueError("too many tokens")
            row["ids"].append(token)
            row["labels"].append(label if position else -100)
            row["position_ids"].append(position)
            mask[begin + position, begin : begin + position + 1] = True
        boundaries.append(begin + len(ids))
    for place in range(boundaries[-1], capacity):
        for name, value in zip(FIELDS, (pad_id, -100, 0), strict=True):
            row[name].append(value)
        mask[place, place] = True
    result = {name: torch.tensor(values, dtype=torch.int64) for name, values in row.items()}
    return {**result, "cu_seqlens": torch.tensor(boundaries, dtype=torch.int32), "mask": mask}


def packed_loss(logits, labels, cu_seqlens, weighting="token"):
    if weighting != "token" and weighting != "sample":
        raise ValueError(weighting)
    samples = []
    for scores, targets, places in zip(logits, labels, cu_seqlens, strict=True):
        log_probs = scores.log_softmax(-1)
        for sample in range(len(places) - 1):
            inside = range(int(places[sample]) + 1, int(places[sample + 1]))
            samples.append([-log_probs[t - 1, targets[t]] for t in inside if targets[t] != -100])
    if weighting == "token":
        samples = [[loss for own in samples for loss in own]]
    means = [sum(own) / len(own) for own in samples if own]
    return sum(means) / len(means) if means else 0 * logits.sum()
