import math
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


class FeedForward(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, activation: Literal["relu", "gelu"] = "relu") -> None:
        super().__init__()
        self.w1 = nn.Linear(d_model, d_hidden)
        self.w2 = nn.Linear(d_hidden, d_model)
        self.act = {"relu": F.relu, "gelu": F.gelu}[activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(self.act(self.w1(x)))


class GatedFeedForward(nn.Module):
    def __init__(
        self, d_model: int, d_hidden: int, kind: Literal["swiglu", "geglu", "reglu"] = "swiglu"
    ) -> None:
        super().__init__()
        self.w1 = nn.Linear(d_model, d_hidden, bias=False)
        self.w3 = nn.Linear(d_model, d_hidden, bias=False)
        self.w2 = nn.Linear(d_hidden, d_model, bias=False)
        self.act = {"swiglu": F.silu, "geglu": F.gelu, "reglu": F.relu}[kind]

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(self.act(self.w1(x)) * self.w3(x))


def gated_hidden_size(d_model: int, multiple_of: int = 256) -> int:
    return math.ceil(2 * 4 * d_model / 3 / multiple_of) * multiple_of
