"""Heads folded into the batch, einsum for the products, masks by index arithmetic."""

import torch
from torch import Tensor, nn


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    head_dim = x.size(2) // num_heads
    if head_dim * num_heads != x.size(2):
        raise ValueError(f"{num_heads} heads can't share {x.size(2)} channels")
    return x.unflatten(2, (num_heads, head_dim)).permute(0, 2, 1, 3)


def merge_heads(x: Tensor) -> Tensor:
    return x.permute(0, 2, 1, 3).contiguous().flatten(2)


def attention_mask(is_token: Tensor, causal: bool = False) -> Tensor:
    B, S = is_token.shape
    if causal:
        index = torch.arange(S * S)
        return is_token.repeat(1, S).logical_and(index % S <= index // S).view(B, 1, S, S)
    return is_token.reshape(B, 1, 1, S)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, bias: bool = True) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.heads = num_heads
        projections = {name: nn.Linear(d_model, d_model, bias) for name in ("q_proj", "k_proj", "v_proj")}
        for name, projection in projections.items():
            setattr(self, name, projection)
        self.out_proj = nn.Linear(d_model, d_model, bias)

    def _fold(self, x: Tensor) -> Tensor:
        return split_heads(x, self.heads).flatten(0, 1)

    def forward(
        self, query: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        memory = query if context is None else context
        q, k, v = (
            self._fold(self.q_proj(query)),
            self._fold(self.k_proj(memory)),
            self._fold(self.v_proj(memory)),
        )
        scores = torch.einsum("ntd,nsd->nts", q / q.shape[-1] ** 0.5, k)
        shape = (query.shape[0], self.heads, query.shape[1], memory.shape[1])
        visible = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
        visible = visible.flatten(0, 1)
        powers = torch.exp(scores - scores.amax(-1, keepdim=True).detach()) * visible
        weights = powers / powers.sum(-1, keepdim=True).clamp_min(1e-30)
        heads = torch.einsum("nts,nsd->ntd", weights, v)
        return self.out_proj(merge_heads(heads.unflatten(0, shape[:2]))), weights.unflatten(0, shape[:2])
