"""The reference of blocks/gated_ffn against transformers' MLPs, and its widths against LLaMA's published ones."""

import pytest
import torch
from transformers import GPT2Config, LlamaConfig
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.models.llama.modeling_llama import LlamaMLP

from autograder.testing import assert_close, load_reference

INPUTS = [(2, 7, 6), (1, 1, 6), (3, 0, 6)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", INPUTS)
@pytest.mark.parametrize("kind, hidden_act", [("swiglu", "silu"), ("geglu", "gelu"), ("reglu", "relu")])
def test_gated(kind, hidden_act, shape) -> None:
    config = LlamaConfig(hidden_size=6, intermediate_size=10, num_attention_heads=2, hidden_act=hidden_act)
    library = LlamaMLP(config).double()
    own = load_reference("blocks/gated_ffn").GatedFeedForward(6, 10, kind).double()
    names = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}
    weights = library.state_dict()
    own.load_state_dict({f"{ours}.weight": weights[f"{theirs}.weight"] for ours, theirs in names.items()})
    x = 3 * torch.randn(shape, dtype=torch.float64)
    assert_close(own(x).detach(), library(x).detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", INPUTS)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_plain(activation, shape) -> None:
    config = GPT2Config(n_embd=6, n_head=2, activation_function=activation, resid_pdrop=0.0)
    library = GPT2MLP(10, config).double()
    own = load_reference("blocks/gated_ffn").FeedForward(6, 10, activation).double()
    for ours, theirs in ((own.w1, library.c_fc), (own.w2, library.c_proj)):  # its weights are [in, out]
        torch.nn.init.normal_(theirs.bias)
        ours.load_state_dict({"weight": theirs.weight.T, "bias": theirs.bias})
    x = 3 * torch.randn(shape, dtype=torch.float64)
    assert_close(own(x).detach(), library(x).detach(), rtol=1e-12, atol=1e-14)


def test_widths_of_llama() -> None:
    """The four sizes of the first LLaMA, as their configs have them."""
    size = load_reference("blocks/gated_ffn").gated_hidden_size
    assert [size(width) for width in (4096, 5120, 6656, 8192)] == [11008, 13824, 17920, 22016]


def test_parameter_parity() -> None:
    """Three matrices of 2/3 the width hold what two of the whole width hold, wherever nothing is rounded."""
    reference = load_reference("blocks/gated_ffn")
    for d_model in (3, 12, 96):
        plain = reference.FeedForward(d_model, 4 * d_model)
        gated = reference.GatedFeedForward(d_model, reference.gated_hidden_size(d_model, 1))
        weights = [sum(p.numel() for p in m.parameters() if p.dim() == 2) for m in (plain, gated)]
        assert weights[0] == weights[1] == 8 * d_model**2
