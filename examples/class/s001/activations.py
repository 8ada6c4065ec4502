import math
from typing import Literal

import torch
from torch import Tensor


def _logistic(z: Tensor) -> Tensor:
    # Each branch sees only arguments at which its exp is at most 1, so that the branch not taken
    # sends back a zero and not a NaN.
    right = 1 / (1 + torch.exp(-z.clamp(min=0)))
    e = torch.exp(z.clamp(max=0))
    return torch.where(z >= 0, right, e / (1 + e))


def sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    # float16 and bfloat16 are computed in float32.
    z = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    s, s_neg = _logistic(z), _logistic(-z)
    return s.to(x.dtype), (s * s_neg).to(x.dtype)


def activation(
    x: Tensor, kind: Literal["gelu", "gelu_tanh", "swish"], beta: float = 1.0
) -> tuple[Tensor, Tensor]:
    z = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if kind == "gelu":
        gate = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
        slope = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    elif kind == "gelu_tanh":
        c = math.sqrt(2 / math.pi)
        t = torch.tanh(c * (z + 0.044715 * z**3))
        gate = 0.5 * (1 + t)
        slope = 0.5 * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)
    elif kind == "swish":
        gate = _logistic(beta * z)
        slope = beta * gate * _logistic(-beta * z)
    else:
        raise ValueError(f"unknown kind {kind!r}")
    return (z * gate).to(x.dtype), (gate + z * slope).to(x.dtype)
