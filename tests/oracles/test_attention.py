"""The attention references against PyTorch's own attention, on random inputs and at the edges."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference

SIZES = [(2, 3, 5, 7, 16, 6), (1, 1, 1, 11, 3, 2), (3, 2, 13, 2, 64, 1), (2, 5, 7, 7, 2, 9)]


@pytest.fixture(scope="module")
def ref():
    return load_reference("attention/scaled_dot_product")


@pytest.fixture(scope="module")
def multi_head():
    return load_reference("attention/multi_head")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("magnitude", [1.0, 100.0, 1e4])
def test_scaled_dot_product_softmax(ref, magnitude):
    x = magnitude * torch.randn(3, 4, 5)
    x[0, :2, 1] = -math.inf
    for dim in range(-3, 3):
        assert_close(ref.softmax(x, dim), torch.softmax(x, dim))


def test_scaled_dot_product_softmax_is_zero_where_the_librarys_is_nan(ref):
    x = torch.full((2, 3), -math.inf)
    assert torch.softmax(x, -1).isnan().all()
    assert torch.equal(ref.softmax(x), torch.zeros(2, 3))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("mask_axes", [None, "full", "shared", "padding"])
def test_scaled_dot_product_attention(ref, sizes, mask_axes):
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


def test_scaled_dot_product_of_a_fully_masked_row(ref):
    q, k, v = torch.randn(3, 1, 2, 4, 8).unbind()
    mask = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4, [False, True, False, False]])
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert (expected[:, :, 1] == 0).all(), "the library gives zeros, too"
    assert_close(ref.scaled_dot_product_attention(q, k, v, mask)[0], expected)


@pytest.mark.parametrize("T, S", [(5, 5), (3, 7), (7, 3)])
def test_scaled_dot_product_causal_mask(ref, T, S):
    q, k, v = torch.randn(1, 2, T, 4), torch.randn(1, 2, S, 4), torch.randn(1, 2, S, 3)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert_close(ref.scaled_dot_product_attention(q, k, v, ref.causal_mask(T, S))[0], expected)


def test_scaled_dot_product_causal_mask_with_offset(ref):
    from torch.nn.attention.bias import causal_lower_right

    q, k, v = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 7, 4), torch.randn(1, 2, 7, 4)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=causal_lower_right(3, 7))
    assert_close(ref.scaled_dot_product_attention(q, k, v, ref.causal_mask(3, 7, offset=4))[0], expected)


def test_scaled_dot_product_padding_mask(ref):
    """True exactly where the library's padding of unequal sequences leaves their own numbers."""
    lengths = torch.tensor([3, 7, 1, 0])
    padded = torch.nn.utils.rnn.pad_sequence([torch.ones(n) for n in lengths], batch_first=True)
    assert torch.equal(ref.padding_mask(lengths, 7)[:, 0, 0], padded == 1)


def library_module(module, d_model, num_heads, bias):
    """PyTorch's module with the weights of ours: the first three projections stacked into one."""
    library = torch.nn.MultiheadAttention(d_model, num_heads, bias=bias, batch_first=True)
    own = module.state_dict()
    state = {"out_proj.weight": own["out_proj.weight"]}
    state["in_proj_weight"] = torch.cat([own[f"{name}_proj.weight"] for name in "qkv"])
    if bias:
        state["in_proj_bias"] = torch.cat([own[f"{name}_proj.bias"] for name in "qkv"])
        state["out_proj.bias"] = own["out_proj.bias"]
    library.load_state_dict(state)
    return library


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(12, 3, 5, 7), (10, 5, 7, 7), (8, 1, 1, 3), (7, 7, 6, 2)])
def test_multi_head_attention(multi_head, bias, sizes):
    d_model, num_heads, T, S = sizes
    module = multi_head.MultiHeadAttention(d_model, num_heads, bias)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    library = library_module(module, d_model, num_heads, bias)
    x, context = torch.randn(3, T, d_model), torch.randn(3, S, d_model)
    is_token = torch.rand(3, S) < 0.6
    is_token[:, 0] = True
    for source, mask in [(x, None), (context, None), (context, is_token)]:
        hidden = None if mask is None else ~mask
        output, weights = library(x, source, source, key_padding_mask=hidden, average_attn_weights=False)
        own = module(x, None if source is x else source, None if mask is None else mask[:, None, None, :])
        assert_close(own[0], output.detach())
        assert_close(own[1], weights.detach())


def test_multi_head_padding_and_causal_combined(multi_head):
    module = multi_head.MultiHeadAttention(12, 3)
    library = library_module(module, 12, 3, True)
    x, is_token = torch.randn(3, 6, 12), torch.rand(3, 6) < 0.6
    is_token[:, 0] = True  # the library's weights are NaN where a row is fully masked
    future = torch.ones(6, 6, dtype=torch.bool).triu(1)
    output, weights = library(
        x, x, x, key_padding_mask=~is_token, attn_mask=future, average_attn_weights=False
    )
    own = module(x, None, multi_head.attention_mask(is_token, causal=True))
    assert_close(own[0], output.detach())
    assert_close(own[1], weights.detach())


def test_multi_head_helper_is_scaled_dot_product(ref, multi_head):
    """The helper of the second exercise computes what the first one asks for, empty rows included."""
    q, k, v = torch.randn(3, 2, 3, 5, 4).unbind()
    mask = torch.rand(2, 1, 5, 5) < 0.3
    assert (~mask.any(-1)).any()
    expected = ref.scaled_dot_product_attention(q, k, v, mask)
    actual = multi_head.attention(q, k, v, mask, 0.5)
    assert_close(actual[0], expected[0])
    assert_close(actual[1], expected[1])
