import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORE_INDEX = -100  # the target that does not count
Batch = tuple[Tensor, Tensor]  # inputs and targets, both [B, T]


def get_batch(tokens: Tensor, starts: Tensor, context_length: int) -> Batch:
    num_starts = tokens.shape[0] - context_length
    if bool(((starts < 0) | (starts >= num_starts)).any()):
        raise ValueError(f"starts must be in [0, {num_starts})")
    places = starts[:, None] + torch.arange(context_length, device=starts.device)
    return tokens[places], tokens[places + 1]


def document_blocks(tokens: Tensor, eos_id: int, context_length: int) -> Batch:
    documents: list[list[int]] = [[]]
    for token in tokens.tolist():
        documents[-1].append(token)
        if token == eos_id:
            documents.append([])
    input_rows, target_rows = [], []
    for document in documents:
        for begin in range(0, len(document) - 1, context_length):
            window = document[begin : begin + context_length + 1]
            inputs, targets = window[:-1], window[1:]
            missing = context_length - len(inputs)
            input_rows.append(inputs + [eos_id] * missing)
            target_rows.append(targets + [IGNORE_INDEX] * missing)
    return (
        torch.tensor(input_rows, dtype=tokens.dtype, device=tokens.device),
        torch.tensor(target_rows, dtype=tokens.dtype, device=tokens.device),
    )


def _summed_loss(model: nn.Module, batch: Batch) -> Tensor:
    inputs, targets = batch
    logits = model(inputs)
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=IGNORE_INDEX, reduction="sum"
    )


def _num_counted(batch: Batch) -> int:
    return int((batch[1] != IGNORE_INDEX).sum())


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[Batch],
    learning_rate: float,
    max_norm: float,
) -> tuple[float, float]:
    total = sum(_num_counted(batch) for batch in micro_batches)
    loss = 0.0
    for batch in micro_batches:
        part = _summed_loss(model, batch) / total
        part.backward()
        loss += part.item()
        del part
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = math.sqrt(sum(float(torch.linalg.vector_norm(g)) ** 2 for g in gradients))
    scale = min(1.0, max_norm / (norm + 1e-6))
    for gradient in gradients:
        gradient.mul_(scale)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    optimizer.zero_grad()
    return loss, norm


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> float:
    modes = [(module, module.training) for module in model.modules()]
    total, count = 0.0, 0
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                total += _summed_loss(model, batch).item()
                count += _num_counted(batch)
    finally:
        for module, mode in modes:  # one by one: a frozen part may have been in evaluation mode before
            module.training = mode
    return total / count
