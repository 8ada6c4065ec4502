"""Scaled dot-product attention that also returns its weights."""

import torch
import torch.nn.functional as F
from torch import Tensor


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """Given: scaled dot-product attention of all heads at once.

    Args:
        q: queries [B, H, T, D].
        k: keys [B, H, S, D].
        v: values [B, H, S, D].
        mask: boolean tensor of two axes or more that broadcasts to [B, H, T, S], True = may attend; None hides
            nothing.
        scale: the factor that scores are multiplied by before the softmax.

    Returns:
        The output [B, H, T, D] and the weights [B, H, T, S]; zero for a query that may attend to nothing.
    """
    # The library returns no weights, but averaging the rows of an identity matrix shows them.
    identity = torch.eye(k.shape[-2], dtype=k.dtype, device=k.device).expand(*k.shape[:-2], -1, -1)
    weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=mask, scale=scale)
    return torch.matmul(weights, v), weights
