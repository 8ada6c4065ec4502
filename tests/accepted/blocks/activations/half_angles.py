"""Gates as objects: the sigmoid is a tanh of half the angle, and one product rule serves every gate."""

from dataclasses import dataclass
from math import pi, sqrt

import torch
from torch import Tensor


@dataclass
class Gate:
    opening: Tensor
    slope: Tensor

    def applied_to(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.opening.mul(x), self.slope.mul(x).add(self.opening)


def tanh_gate(angle: Tensor, rate) -> Gate:
    """(1 + tanh(angle)) / 2; `rate` is the derivative of the angle."""
    bent = angle.tanh()
    return Gate((bent + 1) / 2, (1 - bent**2) / 2 * rate)


def normal_gate(x: Tensor) -> Gate:
    return Gate(torch.special.ndtr(x), x.square().div(-2).exp() * (1 / sqrt(2 * pi)))


def sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    gate = tanh_gate(x / 2, 0.5)
    return gate.opening, gate.slope


def activation(x: Tensor, kind: str, beta: float = 1.0) -> tuple[Tensor, Tensor]:
    gates = {
        "gelu": lambda: normal_gate(x),
        "gelu_tanh": lambda: tanh_gate(
            sqrt(2 / pi) * torch.lerp(x, x + x**3, 0.044715), sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)
        ),
        "swish": lambda: tanh_gate(x * (beta / 2), beta / 2),
    }
    return gates[kind]().applied_to(x)
