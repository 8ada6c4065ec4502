import torch
from my_tools import need, softmax
from torch import nn


def split_heads(x, num_heads):
    need(x.shape[2] % num_heads == 0, ValueError, "this many heads do not fit")
    return x.unflatten(2, (num_heads, -1)).swapaxes(1, 2)


def merge_heads(x):
    return torch.concat(x.unbind(1), dim=-1)


def attention_mask(is_token, causal = False):
    B, S = is_token.shape
    if not causal:
        return is_token.view(B, 1, 1, S)
    rows = []
    for i in range(S):
        row = is_token.clone()
        row[:, i + 1 :] = False
        rows.append(row)
    return torch.stack(rows, dim=1).unsqueeze(1)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, bias=True):
        super().__init__()
        need(d_model % num_heads == 0, ValueError, "this many heads do not fit")
        self.num_heads = num_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d_model, d_model, bias))

    def forward(self, query, context=None, mask=None):
        context = query if context is None else context
        q = split_heads(self.q_proj(query), self.num_heads)
        k = split_heads(self.k_proj(context), self.num_heads)
        v = split_heads(self.v_proj(context), self.num_heads)
        scores = torch.einsum("bhqc,bhkc->bhqk", q, k) / q.shape[3] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        weights = softmax(scores)
        return self.out_proj(merge_heads(weights @ v)), weights
