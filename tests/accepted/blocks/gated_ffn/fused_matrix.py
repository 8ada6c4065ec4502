"""Weights by their names, everything else in einsum: gate and up are one product with a stacked matrix."""

import math

import torch
from torch import Tensor, nn


class FeedForward(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, activation: str = "relu"):
        super().__init__()
        self.w1, self.w2 = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model)
        self.exact_gelu = activation == "gelu"

    def forward(self, x: Tensor) -> Tensor:
        h = torch.einsum("...c,fc->...f", x, self.w1.weight) + self.w1.bias
        h = h * 0.5 * (1 + torch.erf(h / math.sqrt(2))) if self.exact_gelu else h.clamp(min=0)
        return torch.einsum("...f,cf->...c", h, self.w2.weight) + self.w2.bias


class GatedFeedForward(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, kind: str = "swiglu"):
        super().__init__()
        for name, (read, written) in {
            "w1": (d_model, d_hidden),
            "w2": (d_hidden, d_model),
            "w3": (d_model, d_hidden),
        }.items():
            setattr(self, name, nn.Linear(read, written, bias=False))
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        stacked = torch.cat([self.w1.weight, self.w3.weight])
        gate, up = torch.einsum("...c,fc->...f", x, stacked).chunk(2, dim=-1)
        if self.kind == "swiglu":
            share = torch.sigmoid(gate)
        elif self.kind == "geglu":
            share = torch.special.ndtr(gate)
        else:
            share = (gate > 0).to(gate.dtype)
        return torch.einsum("...f,...f,cf->...c", gate * share, up, self.w2.weight)


def gated_hidden_size(d_model: int, multiple_of: int = 256) -> int:
    return -(-(8 * d_model // 3) // multiple_of) * multiple_of
