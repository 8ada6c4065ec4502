"""What pretraining/training_loop defines, as it is given to capstones."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORE_INDEX = -100  # the target that does not count
Batch = tuple[Tensor, Tensor]  # inputs and targets, both [B, T]


def get_batch(tokens: Tensor, starts: Tensor, context_length: int) -> Batch:
    """Inputs and shifted targets at these starts.

    Args:
        tokens: [N] int64.
        starts: [B] int64.
        context_length: T, less than N.

    Returns:
        inputs and targets, each [B, T] int64.

    Raises:
        ValueError: a start is not in [0, N - T).

    Example: tokens 5 6 7 8 9, start 2, T = 2: inputs 7 8, targets 8 9.

    Source: nanoGPT's train.py, https://github.com/karpathy/nanoGPT.
    """
    if ((starts < 0) | (starts >= len(tokens) - context_length)).any():
        raise ValueError(f"starts must be in [0, {len(tokens) - context_length})")
    windows = tokens[starts[:, None] + torch.arange(context_length + 1)]
    return windows[:, :-1], windows[:, 1:]


def document_blocks(tokens: Tensor, eos_id: int, context_length: int) -> Batch:
    """Rows of inputs and targets of which each lies in one document.

    Args:
        tokens: [N] int64, documents one after another. At least one has two tokens.
        eos_id: the token that ends a document.
        context_length: T.

    Returns:
        inputs and targets, each [number of rows, T] int64.

    Example: tokens 5 6 7 0 8 0, eos 0, T = 2: inputs (5 6), (7 0), (8 0); targets (6 7), (0 -100), (0 -100).
    """
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
    """One update of the model's weights from several micro-batches.

    Args:
        model: ids [B, T] -> logits [B, T, V]; its mode stays as it is.
        optimizer: of all its parameters; only `param_groups`, `step()` and `zero_grad()` are used.
        micro_batches: inputs and targets, each [B, T] int64; B and T may differ.
        learning_rate: of this step.
        max_norm: what the gradient's norm is clipped to, greater than 0; `math.inf` never clips.

    Returns:
        The loss before the update and the gradient's norm before clipping, as Python floats.

    Source: Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, algorithm 1; the 1e-6 is that of PyTorch's
    `clip_grad_norm_`.
    """
    counted = sum(int((targets != IGNORE_INDEX).sum()) for _, targets in micro_batches)
    loss = 0.0
    for inputs, targets in micro_batches:
        logits = model(inputs).flatten(0, 1)
        total = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
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
    """The model's loss on held-out batches.

    Args:
        model: as in `train_step`.
        batches: inputs and targets, each [B, T] int64; B and T may differ.

    Returns:
        The loss.

    Example: a batch of three tokens with cross-entropy 1 each and one of a single token with 5: (3 + 5) / 4 = 2.
    """
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
