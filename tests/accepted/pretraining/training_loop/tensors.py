"""Windows by unfold, documents by arithmetic on positions, and log-probabilities that are looked up."""

import torch
from torch import Tensor


def get_batch(tokens: Tensor, starts: Tensor, context_length: int) -> tuple[Tensor, Tensor]:
    windows = tokens.unfold(0, context_length + 1, 1)
    if starts.min() < 0 or starts.max() > len(windows) - 1:
        raise ValueError("a row would leave the corpus")
    chosen = windows[starts]
    return chosen[:, :context_length].clone(), chosen[:, -context_length:].clone()


def document_blocks(tokens: Tensor, eos_id: int, context_length: int) -> tuple[Tensor, Tensor]:
    inputs, targets = tokens[:-1], tokens[1:]
    document = (
        (tokens == eos_id).long().cumsum(0)[:-1]
    )  # of an input; an eos belongs to what follows, and is no input
    keep = inputs != eos_id
    inputs, targets, document = inputs[keep], targets[keep], document[keep]
    _, sizes = document.unique_consecutive(return_counts=True)
    place = torch.cat([torch.arange(size) for size in sizes])
    row = (place % context_length == 0).long().cumsum(0) - 1
    shape = (int(row[-1]) + 1, context_length)
    filled_inputs, filled_targets = tokens.new_full(shape, eos_id), tokens.new_full(shape, -100)
    filled_inputs[row, place % context_length] = inputs
    filled_targets[row, place % context_length] = targets
    return filled_inputs, filled_targets


def summed(model, inputs: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """Negative log-probabilities of the tokens that count, added up; and how many they are."""
    counts = targets != -100
    log_probabilities = model(inputs)[counts].log_softmax(-1)
    return -log_probabilities.gather(1, targets[counts][:, None]).sum(), int(counts.sum())


def train_step(model, optimizer, micro_batches, learning_rate, max_norm):
    for group in optimizer.param_groups:
        group.update(lr=learning_rate)
    number = int((torch.cat([targets.flatten() for _, targets in micro_batches]) != -100).sum())
    losses = []
    for inputs, targets in micro_batches:
        loss, _ = summed(model, inputs, targets)
        (loss / number).backward()
        losses.append(loss.detach() / number)
    with torch.no_grad():
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        if norm + 1e-6 > max_norm:
            for gradient in gradients:
                gradient.copy_(gradient * max_norm / (norm + 1e-6))
    optimizer.step()
    model.zero_grad(set_to_none=False)
    return sum(losses).item(), norm.item()


def evaluate(model, batches):
    mode = model.training
    model.eval()
    with torch.no_grad():
        pairs = [summed(model, *batch) for batch in batches]
    model.train(mode)
    return sum(loss.item() for loss, _ in pairs) / sum(number for _, number in pairs)
