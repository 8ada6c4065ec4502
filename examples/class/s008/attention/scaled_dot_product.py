import math

import torch


def softmax(x, dim=-1):
    ex = torch.exp(x)
    return ex / ex.sum(dim=dim, keepdim=True)


def causal_mask(query_length, key_length, offset=0):
    mask = torch.zeros(query_length, key_length, dtype=torch.bool)
    for i in range(query_length):
        mask[i, : i + offset + 1] = True
    return mask


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
