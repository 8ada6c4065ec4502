"""The reference against `torch.nn.MultiheadAttention`, on random inputs and at the edges."""

import pytest
import torch

from autograder.testing import assert_close, load_reference


@pytest.fixture(scope="module")
def ref():
    return load_reference("attention/multi_head")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


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
def test_module(ref, bias, sizes):
    d_model, num_heads, T, S = sizes
    module = ref.MultiHeadAttention(d_model, num_heads, bias)
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


def test_padding_and_causal_combined(ref):
    module = ref.MultiHeadAttention(12, 3)
    library = library_module(module, 12, 3, True)
    x, is_token = torch.randn(3, 6, 12), torch.rand(3, 6) < 0.6
    is_token[:, 0] = True  # the library's weights are NaN where a row is fully masked
    future = torch.ones(6, 6, dtype=torch.bool).triu(1)
    output, weights = library(
        x, x, x, key_padding_mask=~is_token, attn_mask=future, average_attn_weights=False
    )
    own = module(x, None, ref.attention_mask(is_token, causal=True))
    assert_close(own[0], output.detach())
    assert_close(own[1], weights.detach())


def test_given_attention_is_scaled_dot_product(ref):
    """The given helper computes what attention/scaled_dot_product asks for, empty rows included."""
    q, k, v = torch.randn(3, 2, 3, 5, 4).unbind()
    mask = torch.rand(2, 1, 5, 5) < 0.3
    assert (~mask.any(-1)).any()
    expected = load_reference("attention/scaled_dot_product").scaled_dot_product_attention(q, k, v, mask)
    actual = ref.attention(q, k, v, mask, 0.5)
    assert_close(actual[0], expected[0])
    assert_close(actual[1], expected[1])
