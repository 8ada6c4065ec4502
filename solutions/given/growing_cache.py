"""The keys and values of one attention layer, kept by concatenation."""

import torch
from torch import Tensor


class GrowingCache:
    """Given: keys and values of one layer, [B, H_kv, S, D] each; None while there are none."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def __len__(self) -> int:
        """S."""
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add T tokens, [B, H_kv, T, D] each; returns the keys and the values of all S."""
        joined_k = k if self.keys is None else torch.cat([self.keys, k], dim=2)
        joined_v = v if self.values is None else torch.cat([self.values, v], dim=2)
        self.keys, self.values = joined_k, joined_v
        return joined_k, joined_v
