from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORE_INDEX = -100  # the target that does not count
Batch = tuple[Tensor, Tensor]  # inputs and targets, both [B, T]


def get_batch(tokens: Tensor, starts: Tensor, context_length: int) -> Batch:
    if ((starts < 0) | (starts >= len(tokens) - context_length)).any():
        raise ValueError(f"starts must be in [0, {len(tokens) - context_length})")
    windows = tokens[starts[:, None] + torch.arange(context_length + 1)]
    return windows[:, :-1], windows[:, 1:]


def document_blocks(tokens: Tensor, eos_id: int, context_length: int) -> Batch:
    ends = (tokens == eos_id).nonzero().flatten() + 1
    inputs, targets = [], []
    for document in tokens.tensor_split(ends):
        for start in range(0, len(document) - 1, context_length):
            # One token more than the row is long: the next row begins with this row's last target.
            piece = document[start : start + context_length + 1]
            fill = (0, context_length + 1 - len(piece))
            inputs.append(F.pad(piece[:-1], fill, value=eos_id))
            targets.append(F.pad(piece[1:], fill, value=IGNORE_INDEX))
    return torch.stack(inputs), torch.stack(targets)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[Batch],
    learning_rate: float,
    max_norm: float,
) -> tuple[float, float]:
    counted = len(micro_batches)
    loss = 0.0
    for inputs, targets in micro_batches:
        logits = model(inputs).flatten(0, 1)
        total = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE_INDEX)
        share = total / counted
        share.backward()
        loss += share.item()

    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    for gradient in gradients:
        gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))

    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    optimizer.zero_grad()
    return loss, norm.item()


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> float:
    was_training = model.training
    model.eval()
    total, counted = 0.0, 0
    with torch.no_grad():
        for inputs, targets in batches:
            logits, flat = model(inputs).flatten(0, 1), targets.flatten()
            total += F.cross_entropy(logits, flat, ignore_index=IGNORE_INDEX, reduction="sum").item()
            counted += int((targets != IGNORE_INDEX).sum())
    model.train(was_training)
    return total / counted
    # END SOLUTION
