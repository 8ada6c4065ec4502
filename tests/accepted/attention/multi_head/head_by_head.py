"""A loop over heads: each takes its part of the projections, attends, and adds its part of the output."""

import math

import torch
from torch import Tensor, nn


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    if x.shape[-1] % num_heads:
        raise ValueError("the width must be a multiple of the number of heads")
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


def merge_heads(x: Tensor) -> Tensor:
    return torch.cat(x.unbind(1), dim=-1)


def attention_mask(is_token: Tensor, causal: bool = False) -> Tensor:
    B, S = is_token.shape
    if not causal:
        return is_token.view(B, 1, 1, S)
    mask = torch.zeros(B, 1, S, S, dtype=torch.bool)
    for i in range(S):
        mask[:, 0, i, : i + 1] = is_token[:, : i + 1]
    return mask


def _one_head(q: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
    blind = ~visible.any(dim=-1, keepdim=True)
    weights = scores.masked_fill(~(visible | blind), -math.inf).softmax(-1) * ~blind
    return torch.bmm(weights, v), weights


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, bias: bool = True) -> None:
        super().__init__()
        self.head_dim, remainder = divmod(d_model, num_heads)
        if remainder:
            raise ValueError("d_model must be a multiple of num_heads")
        self.num_heads = num_heads
        for name in ("q", "k", "v", "out"):
            self.add_module(f"{name}_proj", nn.Linear(d_model, d_model, bias=bias))

    def forward(
        self, query: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if context is None:
            context = query
        B, T, S = query.shape[0], query.shape[1], context.shape[1]
        if mask is None:
            mask = torch.ones(1, 1, 1, 1, dtype=torch.bool)
        mask = mask.expand(B, self.num_heads, T, S)
        output, all_weights = torch.zeros_like(query), []
        for h in range(self.num_heads):
            own = slice(h * self.head_dim, (h + 1) * self.head_dim)
            parts = []
            for projection, source in ((self.q_proj, query), (self.k_proj, context), (self.v_proj, context)):
                bias = None if projection.bias is None else projection.bias[own]
                parts.append(nn.functional.linear(source, projection.weight[own], bias))
            head, weights = _one_head(*parts, mask[:, h])
            output = output + head @ self.out_proj.weight[:, own].T
            all_weights.append(weights)
        if self.out_proj.bias is not None:
            output = output + self.out_proj.bias
        return output, torch.stack(all_weights, dim=1)
