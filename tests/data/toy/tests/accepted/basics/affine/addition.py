"""With the library's functions."""

import torch


def affine(x, scale, shift):
    return torch.add(torch.full_like(x, shift), x, alpha=scale)


def normalise(x):
    deviation, mean = torch.std_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) / deviation
