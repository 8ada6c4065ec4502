"""The reference against PyTorch's own attention, on random inputs and at the edges."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference

SIZES = [(2, 3, 5, 7, 16, 6), (1, 1, 1, 11, 3, 2), (3, 2, 13, 2, 64, 1), (2, 5, 7, 7, 2, 9)]


@pytest.fixture(scope="module")
def ref():
    return load_reference("attention/scaled_dot_product")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("magnitude", [1.0, 100.0, 1e4])
def test_softmax(ref, magnitude):
    x = magnitude * torch.randn(3, 4, 5)
    x[0, :2, 1] = -math.inf
    for dim in range(-3, 3):
        assert_close(ref.softmax(x, dim), torch.softmax(x, dim))


def test_softmax_is_zero_where_the_librarys_is_nan(ref):
    x = torch.full((2, 3), -math.inf)
    assert torch.softmax(x, -1).isnan().all()
    assert torch.equal(ref.softmax(x), torch.zeros(2, 3))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("mask_axes", [None, "full", "shared", "padding"])
def test_attention(ref, sizes, mask_axes):
    B, H, T, S, d_k, d_v = sizes
    q, k, v = (
        torch.randn(B, H, T, d_k, requires_grad=True),
        torch.randn(B, H, S, d_k, requires_grad=True),
        torch.randn(B, H, S, d_v, requires_grad=True),
    )
    shapes = {"full": (B, H, T, S), "shared": (T, S), "padding": (B, 1, 1, S)}
    mask = None if mask_axes is None else torch.rand(shapes[mask_axes]) < 0.5  # some rows are fully masked
    output, weights = ref.scaled_dot_product_attention(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert_close(output, expected.detach())
    eye = torch.eye(S).expand(B, H, S, S)
    assert_close(weights, F.scaled_dot_product_attention(q, k, eye, attn_mask=mask).detach())
    upstream = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (q, k, v), upstream)
    assert_close(torch.autograd.grad(output, (q, k, v), upstream), wanted)


def test_of_a_fully_masked_row(ref):
    q, k, v = torch.randn(3, 1, 2, 4, 8).unbind()
    mask = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4, [False, True, False, False]])
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert (expected[:, :, 1] == 0).all(), "the library gives zeros, too"
    assert_close(ref.scaled_dot_product_attention(q, k, v, mask)[0], expected)


@pytest.mark.parametrize("T, S", [(5, 5), (3, 7), (7, 3)])
def test_causal_mask(ref, T, S):
    q, k, v = torch.randn(1, 2, T, 4), torch.randn(1, 2, S, 4), torch.randn(1, 2, S, 3)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert_close(ref.scaled_dot_product_attention(q, k, v, ref.causal_mask(T, S))[0], expected)


def test_causal_mask_with_offset(ref):
    """The newest three of seven queries, as in the attention of all seven."""
    q, k, v = torch.randn(1, 2, 7, 4), torch.randn(1, 2, 7, 4), torch.randn(1, 2, 7, 4)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)[..., 4:, :]
    newest = ref.scaled_dot_product_attention(q[..., 4:, :], k, v, ref.causal_mask(3, 7, offset=4))
    assert_close(newest[0], expected)


def test_padding_mask(ref):
    """True exactly where the library's padding of unequal sequences leaves their own numbers."""
    lengths = torch.tensor([3, 7, 1, 0])
    padded = torch.nn.utils.rnn.pad_sequence([torch.ones(n) for n in lengths], batch_first=True)
    assert torch.equal(ref.padding_mask(lengths, 7)[:, 0, 0], padded == 1)
