"""Element by element through masks: each half of the line gets the form that is safe there; derivatives from outputs."""

import math

import torch


def sigmoid(x):
    value = torch.empty_like(x)
    right = x >= 0
    value[right] = 1 / (1 + torch.exp(-x[right]))
    power = torch.exp(x[~right])
    value[~right] = power / (1 + power)
    return value, value - value.square()


def normal_density(x):
    return torch.exp(-0.5 * x * x) / (2 * math.pi) ** 0.5


def activation(x, kind, beta=1.0):
    if kind == "gelu":
        gate = torch.erfc(-x * 0.5**0.5) / 2
        return x * gate, torch.addcmul(gate, x, normal_density(x))
    if kind == "gelu_tanh":
        root = (2 / math.pi) ** 0.5
        bent = torch.tanh(root * x * (1 + 0.044715 * x * x))
        rise = root * (1 + 0.134145 * x * x)
        return x / 2 * (1 + bent), (1 + bent + x * (1 - bent) * (1 + bent) * rise) / 2
    gate, _ = sigmoid(x * beta)
    value = x * gate
    # Swish' = beta * swish + gate * (1 - beta * swish), the form of Ramachandran et al.
    return value, beta * value + gate * (1 - beta * value)
