import torch
import torch.nn.functional as F
from torch import nn


def attention(q, k, v, mask, scale):
    """Given."""
    identity = torch.eye(k.shape[-2], dtype=k.dtype, device=k.device).expand(*k.shape[:-2], -1, -1)
    weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=mask, scale=scale)
    return torch.matmul(weights, v), weights


def split_heads(x, num_heads):
    B, T, C = x.size()
    if C % num_heads:
        raise ValueError("C must be a multiple of num_heads")
    return x.view(B, T, num_heads, C // num_heads).permute(0, 2, 1, 3)


def merge_heads(x):
    return x.transpose(1, 2).flatten(start_dim=2)


def attention_mask(is_token, causal=False):
    keep = is_token.unsqueeze(1).unsqueeze(1)
    if causal:
        S = is_token.size(1)
        keep = keep.logical_and(torch.ones(S, S).tril().bool())
    return keep


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, bias=True):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.d_model = d_model
        self.num_heads = num_heads
        self.head_dim = d_model // num_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(d_model, d_model, bias) for _ in range(4)
        )

    def forward(self, query, context=None, mask=None):
        src = context if context is not None else query
        q, k, v = (
            split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(src), self.v_proj(src))
        )
        y, w = attention(q, k, v, mask, self.d_model**-0.5)
        return self.out_proj(merge_heads(y)), w
