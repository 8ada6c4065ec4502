import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

IGNORE_INDEX = -100  # the label of a position that doesn't count


def log_softmax(logits: Tensor) -> Tensor:
    z = logits.to(torch.promote_types(logits.dtype, torch.float32))
    z = z - z.detach().amax(dim=-1, keepdim=True)
    return (z - z.exp().sum(dim=-1, keepdim=True).log()).to(logits.dtype)


def cross_entropy(
    logits: Tensor, targets: Tensor, ignore_index: int = IGNORE_INDEX, label_smoothing: float = 0.0
) -> Tensor:
    V = logits.shape[-1]
    targets = targets.reshape(-1)
    counts = targets != ignore_index
    y = targets[counts]
    if ((y < 0) | (y >= V)).any():
        raise ValueError(f"targets must be {ignore_index} or 0 ... {V - 1}")
    z = logits.reshape(-1, V)[counts]
    logp = log_softmax(z.to(torch.promote_types(z.dtype, torch.float32)))
    losses = -logp.gather(1, y[:, None]).squeeze(1)
    if label_smoothing:
        losses = (1 - label_smoothing) * losses - label_smoothing * logp.mean(dim=-1)
    return (losses.sum() / max(y.numel(), 1)).to(logits.dtype)


class TiedLanguageModel(nn.Module):
    def __init__(self, vocab_size: int, d_model: int, body: nn.Module) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, mean=0.0, std=0.02)
        self.body = body

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        logits = self.body(self.embedding(ids)) @ self.embedding.weight.T
        if labels is None:
            return logits, None
        return logits, cross_entropy(logits[:, :-1], labels[:, 1:])


def chunked_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, chunk_size: int, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    V = weight.shape[0]
    counts = targets != ignore_index
    bad = counts & ((targets < 0) | (targets >= V))
    if bad.any():
        raise ValueError(f"targets must be {ignore_index} or 0 ... {V - 1}")
    wide = torch.promote_types(hidden.dtype, torch.float32)

    def chunk_sum(h: Tensor, w: Tensor, y: Tensor) -> Tensor:
        logp = log_softmax((h @ w.T).to(wide))
        return -logp.gather(1, y[:, None]).sum()

    total = (hidden[:0].sum() + weight[:0].sum()).to(wide)  # 0, in the graph even without any chunk
    for start in range(0, hidden.shape[0], chunk_size):
        part = slice(start, start + chunk_size)
        keep = counts[part]
        if keep.any():
            total = total + checkpoint(
                chunk_sum, hidden[part][keep], weight, targets[part][keep], use_reentrant=False
            )
    return (total / max(int(counts.sum()), 1)).to(hidden.dtype)
