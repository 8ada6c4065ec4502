"""By clamping."""

# 2 correct solutions or more, each in another style; one by somebody who saw only the skeleton.

from torch import Tensor


def first(x: Tensor) -> Tensor:
    return x.clamp(min=0)
