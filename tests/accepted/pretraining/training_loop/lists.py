"""Rows by plain loops and lists; the gradient is divided at the end; one long vector for the norm."""

import math
from itertools import pairwise

import torch
from torch import nn


def get_batch(tokens, starts, context_length):
    inputs, targets = [], []
    for start in starts.tolist():
        if not 0 <= start <= len(tokens) - context_length - 1:
            raise ValueError(f"no row begins at {start}")
        inputs.append(tokens[start : start + context_length])
        targets.append(tokens[start + 1 : start + 1 + context_length])
    return torch.stack(inputs), torch.stack(targets)


def document_blocks(tokens, eos_id, context_length):
    rows, row = [], []

    def close():
        if row:
            rows.append(row + [(eos_id, -100)] * (context_length - len(row)))
            row.clear()

    ids = tokens.tolist()
    for now, following in pairwise(ids):
        if now == eos_id:
            close()
            continue
        row.append((now, following))
        if len(row) == context_length:
            close()
    close()
    pairs = torch.tensor(rows)
    return pairs[:, :, 0], pairs[:, :, 1]


criterion = nn.CrossEntropyLoss(reduction="sum")


def train_step(model, optimizer, micro_batches, learning_rate, max_norm):
    optimizer.zero_grad()
    total, counted = 0.0, 0
    for inputs, targets in micro_batches:
        loss = criterion(model(inputs).transpose(1, 2), targets)
        loss.backward()
        total += float(loss)
        counted += int(targets.ne(-100).sum())
    held = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    for p in held:
        p.grad /= counted
    norm = math.sqrt(sum(float(p.grad.pow(2).sum()) for p in held))
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for p in held:
            p.grad *= factor
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    return total / counted, norm


@torch.inference_mode()
def evaluate(model, batches):
    mode = model.training
    model.train(False)
    try:
        sums = [(float(criterion(model(x).transpose(1, 2), y)), int(y.ne(-100).sum())) for x, y in batches]
    finally:
        model.train(mode)
    losses, counts = zip(*sums, strict=True)
    return sum(losses) / sum(counts)
