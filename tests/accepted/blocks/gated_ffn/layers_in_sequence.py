"""Modules of the library under the asked names; the width found by counting up."""

from torch import nn


class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, activation="relu"):
        super().__init__()
        self.w1 = nn.Linear(d_model, d_hidden)
        self.act = nn.GELU() if activation == "gelu" else nn.ReLU()
        self.w2 = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        for layer in (self.w1, self.act, self.w2):
            x = layer(x)
        return x


class GatedFeedForward(nn.Module):
    GATES = {"swiglu": nn.SiLU, "geglu": nn.GELU, "reglu": nn.ReLU}  # noqa: RUF012

    def __init__(self, d_model, d_hidden, kind="swiglu"):
        super().__init__()
        self.w1 = nn.Linear(d_model, d_hidden, bias=False)
        self.w3 = nn.Linear(d_model, d_hidden, bias=False)
        self.w2 = nn.Linear(d_hidden, d_model, bias=False)
        self.open = self.GATES[kind]()

    def forward(self, x):
        return self.w2(self.w3(x).mul(self.open(self.w1(x))))


def gated_hidden_size(d_model, multiple_of=256):
    size = 0
    while 3 * (size + 1) <= 2 * 4 * d_model:
        size += 1
    while size % multiple_of:
        size += 1
    return size
