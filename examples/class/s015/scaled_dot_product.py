import torch
from my_tools import need, softmax


def causal_mask(query_length, key_length, offset=0):
    mask = torch.zeros(query_length, key_length, dtype=torch.bool)
    for i in range(query_length):
        mask[i, : i + offset + 1] = True
    return mask


def padding_mask(lengths, key_length):
    need(all(0 <= n <= key_length for n in lengths), ValueError, "a length does not fit")
    return torch.stack([torch.arange(key_length) < n for n in lengths]).reshape(-1, 1, 1, key_length)


def scaled_dot_product_attention(q, k, v, mask=None):
    scores = (q * k.size(-1) ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        need(mask.dtype == torch.bool, TypeError, "I only understand True and False")
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = softmax(scores)
    return weights @ v, weights
