"""No copies at all: queries get an axis for their place in the group, and einsum does the rest; numpy pools."""

import numpy as np
import torch
from torch import nn


class GrowingCache:
    def __init__(self):
        self.keys = self.values = None

    def __len__(self):
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, k, v):
        self.keys = k if self.keys is None else torch.cat([self.keys, k], dim=2)
        self.values = v if self.values is None else torch.cat([self.values, v], dim=2)
        return self.keys, self.values


def repeat_kv(x, group_size):
    batch, kv_heads, length, width = x.shape
    return (
        x[:, :, None].expand(-1, -1, group_size, -1, -1).reshape(batch, kv_heads * group_size, length, width)
    )


class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads, bias=False):
        super().__init__()
        self.head_dim, rest = divmod(d_model, num_heads)
        self.group, uneven = divmod(num_heads, num_kv_heads)
        if rest or uneven:
            raise ValueError("head counts must divide")
        self.kv_heads = num_kv_heads
        for name, rows in [("q", num_heads), ("k", num_kv_heads), ("v", num_kv_heads)]:
            setattr(self, f"{name}_proj", nn.Linear(d_model, rows * self.head_dim, bias=bias))
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x, mask=None, cache=None):
        B, T, C = x.shape
        q = self.q_proj(x).reshape(B, T, self.kv_heads, self.group, self.head_dim)
        k, v = (
            each.reshape(B, T, self.kv_heads, self.head_dim).transpose(1, 2)
            for each in (self.k_proj(x), self.v_proj(x))
        )
        if cache is not None:
            k, v = cache.append(k, v)
        scores = torch.einsum("btjgd,bjsd->bjgts", q, k) / self.head_dim**0.5
        if mask is not None:
            full = mask.expand(B, self.kv_heads * self.group, T, k.shape[2])
            scores = scores.masked_fill(~full.reshape(scores.shape), float("-inf"))
        heads = torch.einsum("bjgts,bjsd->btjgd", scores.softmax(-1), v)
        return self.out_proj(heads.reshape(B, T, C))


def mha_to_gqa(weights, num_heads, num_kv_heads):
    result = dict(weights)
    for name in ("k_proj.weight", "v_proj.weight", "k_proj.bias", "v_proj.bias"):
        if name in weights:
            heads = np.split(weights[name].numpy(), num_heads)
            groups = np.array(heads).reshape(num_kv_heads, num_heads // num_kv_heads, *heads[0].shape)
            result[name] = torch.from_numpy(np.concatenate(list(groups.mean(axis=1))))
    return result, 1 / (num_heads // num_kv_heads)
