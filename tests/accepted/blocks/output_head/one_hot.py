"""One-hot targets and sums of logaddexp-like pieces; recomputation by reentrant checkpoints; two tied modules."""

import torch
from torch import nn
from torch.utils import checkpoint as recomputation


def log_softmax(logits):
    with torch.no_grad():
        top = torch.amax(logits, -1)
    rest = torch.einsum("...v->...", torch.exp(logits - top.unsqueeze(-1)))
    return logits - (top + rest.log()).unsqueeze(-1)


def summed(logits, targets, ignore_index, epsilon=0.0):
    """The sum of the losses, and how many there are."""
    size = logits.shape[-1]
    flat, targets = log_softmax(logits).reshape(-1, size), targets.reshape(-1)
    valid = [index for index, target in enumerate(targets.tolist()) if target != ignore_index]
    for index in valid:
        if not 0 <= targets[index] < size:
            raise ValueError(f"target {int(targets[index])}")
    one_hot = torch.zeros(flat.shape, dtype=flat.dtype)
    for index in valid:
        one_hot[index] = epsilon / size
        one_hot[index, targets[index]] += 1 - epsilon
    return -(one_hot * flat).sum(), len(valid)


def cross_entropy(logits, targets, ignore_index=-100, label_smoothing=0.0):
    loss, number = summed(logits, targets, ignore_index, label_smoothing)
    return loss / max(number, 1)


class Unembed(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.shared = [embedding]  # in a list, so that the matrix has one name

    def forward(self, hidden):
        return hidden.matmul(self.shared[0].weight.transpose(0, 1))


class TiedLanguageModel(nn.Module):
    def __init__(self, vocab_size, d_model, body):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model, _weight=0.02 * torch.randn(vocab_size, d_model))
        self.body = body
        self.head = Unembed(self.embedding)

    def forward(self, ids, labels=None):
        logits = self.head(self.body(self.embedding(ids)))
        if labels is None:
            return logits, None
        length = ids.shape[1]
        losses = [summed(logits[:, t], labels[:, t + 1], -100) for t in range(length - 1)]
        return logits, sum(loss for loss, _ in losses) / max(sum(number for _, number in losses), 1)


def chunked_cross_entropy(hidden, weight, targets, chunk_size, ignore_index=-100):
    def one(h, w, y):
        return summed(torch.mm(h, w.t()), y, ignore_index)[0]

    pieces = []
    for h, y in zip(hidden.split(chunk_size), targets.split(chunk_size), strict=True):
        pieces.append(recomputation.checkpoint(one, h, weight, y, use_reentrant=True))
    return torch.stack(pieces).sum() / max(1, (targets != ignore_index).count_nonzero().item())
