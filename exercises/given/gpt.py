"""What models/gpt defines, as it is given to capstones."""

import torch
from torch import Tensor


def first(x: Tensor) -> Tensor:
    """One sentence.

    Args:
        x: [B, D], what it is.

    Returns:
        [B, D], what it is.

    Source: paper, equation.
    """
    return torch.relu(x)
