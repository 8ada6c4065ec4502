import math

import torch


def softmax(x, dim=-1):
    slices = []
    moved = torch.movedim(x, dim, 0)
    biggest = moved[0]
    for s in moved[1:]:
        biggest = torch.maximum(biggest, s)
    biggest = torch.nan_to_num(biggest.detach(), neginf=0.0)
    for s in moved:
        slices.append(torch.exp(s - biggest))
    total = sum(slices)
    total = total + (total == 0)
    return torch.stack([s / total for s in slices], dim=dim)


def causal_mask(query_length, key_length, offset=0):
    mask = torch.zeros(query_length, key_length, dtype=torch.bool)
    for i in range(query_length):
        mask[i, : i + offset + 1] = True
    return mask


def padding_mask(lengths, key_length):
    mask = torch.zeros(len(lengths), 1, 1, key_length, dtype=torch.bool)
    for b in range(len(lengths)):
        n = int(lengths[b])
        if n < 0 or n > key_length:
            raise ValueError("length %d does not fit into %d" % (n, key_length))
        mask[b, :, :, :n] = True
    return mask


def scaled_dot_product_attention(q, k, v, mask=None):
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError("only boolean masks")
    d_k = k.size(-1)
    scores = q.matmul(k.mT) / math.sqrt(d_k)
    weights = softmax(scores)
    if mask is not None:
        weights = weights * mask  # nothing from the hidden keys
    return weights.matmul(v), weights
