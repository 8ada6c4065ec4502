"""`kv_oracle` against torch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import kv_oracle


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("heads", "kv_heads", "length"), [(6, 2, 5), (3, 3, 1), (4, 1, 7)])
def test_as_torch(heads: int, kv_heads: int, length: int, causal: bool) -> None:
    torch.manual_seed(heads)
    q = torch.randn(heads, length, 8)
    k, v = torch.randn(2, kv_heads, length, 8).unbind()
    expected = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal, enable_gqa=True)[0]
    torch.testing.assert_close(kv_oracle(q, k, v, causal=causal), expected)
    # A later part of the queries sees all of the cache up to itself.
    torch.testing.assert_close(kv_oracle(q[:, -1:], k, v, causal=causal), expected[:, -1:])


def test_nothing_to_see() -> None:
    empty = torch.empty(2, 0, 4)
    assert torch.equal(kv_oracle(torch.randn(4, 1, 4), empty, empty), torch.zeros(4, 1, 4))
