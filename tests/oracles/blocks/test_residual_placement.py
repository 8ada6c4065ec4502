"""The reference of blocks/residual_placement against torch, transformers, simulation and the paper's constants."""

import math

import pytest
import torch
from torch import nn

from autograder.testing import assert_close, load_reference


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("size", [(2, 5, 12), (1, 1, 6)])
def test_torch_layer(norm_first: bool, size: tuple[int, int, int]) -> None:
    reference = load_reference("blocks/residual_placement")
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(size[-1], 3, 17, dropout=0.0, norm_first=norm_first, batch_first=True)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = 3 * torch.randn(size) + 1
    branches = [
        lambda h: layer.self_attn(h, h, h)[0],
        lambda h: layer.linear2(torch.relu(layer.linear1(h))),
    ]
    norms = [layer.norm1, layer.norm2]
    if norm_first:
        actual = reference.residual_stack(x, branches, [*norms, nn.Identity()], "pre")
    else:
        actual = reference.residual_stack(x, branches, norms, "post")
        # DeepNorm with alpha 1 is post-norm.
        assert_close(reference.residual_stack(x, branches, norms, "deepnorm"), actual)
    assert_close(actual, layer(x))


def test_torch_dropout() -> None:
    """Dropout as torch's layer applies it, replayed from the masks that it drew."""
    reference = load_reference("blocks/residual_placement")
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 3, 17, dropout=0.3, batch_first=True)
    layer.self_attn.dropout = layer.dropout.p = 0.0
    drawn = []
    for module in (layer.dropout1, layer.dropout2):
        module.register_forward_hook(lambda _, __, output: drawn.append(output != 0))
    x = torch.randn(2, 5, 12)
    expected = layer(x)
    branches = [
        lambda h: layer.self_attn(h, h, h)[0],
        lambda h: layer.linear2(torch.relu(layer.linear1(h))),
    ]
    norms = [layer.norm1, layer.norm2]
    assert_close(
        reference.residual_stack(x, branches, norms, "post", keep=drawn, drop_prob=0.3), expected, rtol=1e-4
    )


def test_gemma2_is_a_sandwich() -> None:
    from transformers import Gemma2Config
    from transformers.models.gemma2.modeling_gemma2 import Gemma2DecoderLayer, Gemma2RotaryEmbedding

    reference = load_reference("blocks/residual_placement")
    torch.manual_seed(0)
    config = Gemma2Config(
        hidden_size=12,
        intermediate_size=17,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=6,
        num_hidden_layers=2,
    )
    config._attn_implementation = "eager"
    layer = Gemma2DecoderLayer(config, 0).eval()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = 3 * torch.randn(2, 5, 12) + 1
    positions = Gemma2RotaryEmbedding(config)(x, torch.arange(5)[None])

    def attend(h: torch.Tensor) -> torch.Tensor:
        return layer.self_attn(h, position_embeddings=positions, attention_mask=None)[0]

    norms = [
        layer.input_layernorm,
        layer.post_attention_layernorm,
        layer.pre_feedforward_layernorm,
        layer.post_feedforward_layernorm,
    ]
    expected = layer(x, position_embeddings=positions, attention_mask=None)
    expected = expected[0] if isinstance(expected, tuple) else expected
    actual = reference.residual_stack(x, [attend, layer.mlp], [*norms, nn.Identity()], "sandwich")
    assert_close(actual, expected, rtol=1e-4)


@pytest.mark.parametrize("layers", [1, 6, 18, 100, 1000])
def test_constants_of_the_paper(layers: int) -> None:
    """Wang et al. 2022, figure 2, decoder-only: alpha^4 = 2M, beta^4 = 1 / (8M); which weights have gain beta."""
    alpha, gains = load_reference("blocks/residual_placement").deepnorm_constants(layers)
    assert math.isclose(alpha**4, 2 * layers)
    for name in ("up_proj", "down_proj", "v_proj", "out_proj"):
        assert math.isclose(gains.pop(name) ** -4, 8 * layers)
    assert gains == {"q_proj": 1, "k_proj": 1}


@pytest.mark.parametrize("placement", ["post", "pre", "sandwich", "deepnorm"])
@pytest.mark.parametrize("branches", [0, 1, 8, 24])
def test_std_by_simulation(placement: str, branches: int) -> None:
    """Branches that are nothing but noise of variance 1; no final norm."""
    reference = load_reference("blocks/residual_placement")
    torch.manual_seed(0)
    norm = nn.LayerNorm(256, elementwise_affine=False)
    count = {"post": branches, "deepnorm": branches, "pre": branches, "sandwich": 2 * branches}[placement]
    norms = [norm] * count + [nn.Identity()] * (placement in ("pre", "sandwich"))
    x = torch.randn(4, 50, 256)
    out = reference.residual_stack(x, [torch.randn_like] * branches, norms, placement, alpha=2.2)
    assert math.isclose(out.std().item(), reference.residual_std(placement, branches), rel_tol=0.02)
