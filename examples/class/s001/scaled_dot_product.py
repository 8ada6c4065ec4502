import math

import torch


def softmax(x, dim=-1):
    # subtract the biggest logit of each slice; a slice of only -inf must not become nan
    top = x.max(dim, keepdim=True).values
    top = torch.where(torch.isinf(top), torch.zeros_like(top), top)
    e = torch.exp(x - top)
    s = e.sum(dim, keepdim=True)
    return e / torch.where(s > 0, s, torch.ones_like(s))


def causal_mask(query_length, key_length, offset=0):
    return torch.tril(torch.ones(query_length, key_length, dtype=torch.bool), diagonal=offset)


def padding_mask(lengths, key_length):
    if lengths.min() < 0 or lengths.max() > key_length:
        raise ValueError("bad length")
    cols = torch.arange(key_length).expand(len(lengths), -1)
    return torch.lt(cols, lengths.unsqueeze(1)).view(-1, 1, 1, key_length)


def scaled_dot_product_attention(q, k, v, mask=None):
    if mask is not None and mask.dtype is not torch.bool:
        raise TypeError("mask has to be a bool tensor")
    att = torch.matmul(q, k.transpose(-1, -2)) * q.size(-1) ** -0.5
    if mask is not None:
        att = torch.where(mask, att, -math.inf)
    w = softmax(att)
    return torch.matmul(w, v), w
