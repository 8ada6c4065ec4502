"""By a mask."""

# 2 correct solutions or more, each in another style; one by somebody who saw only the skeleton.

from torch import Tensor


def first(parts: object, x: Tensor) -> Tensor:
    return x * (x > 0)
