"""The reference of positions/rope against three models of transformers, and against the paper's matrix."""

import math

import pytest
import torch
from transformers import GPTNeoXConfig, LlamaConfig
from transformers.models.gpt_neox import modeling_gpt_neox as gpt_neox
from transformers.models.gptj import modeling_gptj as gptj
from transformers.models.llama import modeling_llama as llama

from autograder.testing import assert_close, load_reference


@pytest.fixture(scope="module")
def ref():
    return load_reference("positions/rope")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def parameters(theta, **more):
    return {"rope_theta": theta, "rope_type": "default", **more}


@pytest.mark.parametrize(
    ("B", "H", "T", "D", "theta"), [(2, 3, 5, 10, 500.0), (1, 1, 1, 2, 1e4), (3, 2, 7, 128, 5e5)]
)
def test_llama(ref, B, H, T, D, theta):
    rotary = llama.LlamaRotaryEmbedding(
        LlamaConfig(hidden_size=H * D, num_attention_heads=H, rope_parameters=parameters(theta))
    )
    q, k, positions = torch.randn(B, H, T, D), torch.randn(B, H, T, D), torch.randint(0, 2000, (B, T))
    frequencies = ref.rope_frequencies(D, theta=theta)
    assert_close(frequencies, rotary.inv_freq, rtol=1e-6)
    expected = llama.apply_rotary_pos_emb(q, k, *rotary(q, positions))
    for x, turned in zip((q, k), expected, strict=True):
        assert_close(ref.apply_rope(x, positions, frequencies, "half"), turned)


def test_llama_in_bfloat16(ref):
    rotary = llama.LlamaRotaryEmbedding(LlamaConfig(hidden_size=32, num_attention_heads=2))
    q, positions = torch.randn(1, 2, 5, 16).bfloat16(), torch.tensor([[0, 257, 258, 1999, 4001]])
    expected = llama.apply_rotary_pos_emb(q, q, *rotary(q, positions))[0]
    assert_close(ref.apply_rope(q, positions, ref.rope_frequencies(16), "half"), expected)


@pytest.mark.parametrize(("D", "share"), [(12, 0.5), (24, 0.25), (10, 0.2)])
def test_gpt_neox(ref, D, share):
    B, H, T = 2, 3, 5
    rotary = gpt_neox.GPTNeoXRotaryEmbedding(
        GPTNeoXConfig(
            hidden_size=H * D,
            num_attention_heads=H,
            rope_parameters=parameters(300.0, partial_rotary_factor=share),
        )
    )
    q, k, positions = torch.randn(B, H, T, D), torch.randn(B, H, T, D), torch.randint(0, 2000, (B, T))
    frequencies = ref.rope_frequencies(D, int(D * share), 300.0)
    assert_close(frequencies, rotary.inv_freq, rtol=1e-6)
    expected = gpt_neox.apply_rotary_pos_emb(q, k, *rotary(q, positions))
    for x, turned in zip((q, k), expected, strict=True):
        assert_close(ref.apply_rope(x, positions, frequencies, "half"), turned)


def gptj_turn(x, positions):
    """GPT-J's turn of all columns: its heads come after the positions."""
    table = gptj.create_sinusoidal_positions(int(positions.max()) + 1, x.shape[-1])
    sin, cos = table[positions].chunk(2, dim=-1)
    return gptj.apply_rotary_pos_emb(x.transpose(1, 2), sin, cos).transpose(1, 2)


@pytest.mark.parametrize(("B", "H", "T", "D"), [(2, 3, 5, 10), (1, 1, 1, 2), (3, 2, 7, 64)])
def test_gptj(ref, B, H, T, D):
    x, positions = torch.randn(B, H, T, D), torch.randint(0, 2000, (B, T))
    actual = ref.apply_rope(x, positions, ref.rope_frequencies(D), "interleaved")
    assert_close(actual, gptj_turn(x, positions))


@pytest.mark.parametrize(("H", "D", "C"), [(3, 10, 7), (1, 6, 4), (4, 2, 5)])
def test_conversion_from_gptj_to_llama(ref, H, D, C):
    """Scores of one projection turned by GPT-J's code, and of the converted one turned by LLaMA's."""
    B, T = 2, 5
    x, positions = torch.randn(B, T, C), torch.randint(0, 300, (B, T))
    weights = [torch.randn(H * D, C) for _ in "qk"]
    rotary = llama.LlamaRotaryEmbedding(
        LlamaConfig(hidden_size=H * D, num_attention_heads=H, rope_parameters=parameters(10000.0))
    )

    def heads(weight):
        return (x @ weight.T).reshape(B, T, H, D).transpose(1, 2)

    q, k = (gptj_turn(heads(weight), positions) for weight in weights)
    converted = [ref.convert_layout(weight, H, D, "half") for weight in weights]
    turned = llama.apply_rotary_pos_emb(*map(heads, converted), *rotary(x, positions))
    assert_close(turned[0] @ turned[1].mT, q @ k.mT)
    for weight, other in zip(weights, converted, strict=True):
        assert_close(ref.convert_layout(other, H, D, "interleaved"), weight)


@pytest.mark.parametrize("distance", [0, 1, -3, 17])
def test_scores_by_the_matrix_of_the_paper(ref, distance):
    """Equation 16: q R(n - m) k with the block-diagonal matrix of equation 15, m of the query, n of the key."""
    D, theta = 8, 100.0
    q, k = torch.randn(1, 1, D), torch.randn(1, 1, D)
    matrix = torch.zeros(D, D)
    for i in range(D // 2):
        angle = -distance * theta ** (-2 * i / D)
        cos, sin = math.cos(angle), math.sin(angle)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.tensor([[cos, -sin], [sin, cos]])
    actual = ref.relative_scores(
        q, k, torch.tensor([distance]), ref.rope_frequencies(D, theta=theta), "interleaved"
    )
    assert_close(actual[0, 0, 0], q[0, 0] @ matrix @ k[0, 0])
