"""The reference against PyTorch's own sharing of heads, transformers' repeat_kv and LlamaAttention, and plain loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, kv_oracle, load_by_name, load_reference

# d_model, num_heads, num_kv_heads.
SIZES = [(24, 6, 2), (15, 5, 1), (20, 4, 4), (6, 6, 3), (64, 32, 8), (21, 21, 7)]


@pytest.fixture(scope="module")
def ref() -> Any:
    return load_reference("attention/grouped_query")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def shapes(C: int, H: int, H_kv: int) -> dict[str, tuple[int, int]]:
    return {
        "q_proj.weight": (C, C),
        "k_proj.weight": (C // H * H_kv, C),
        "v_proj.weight": (C // H * H_kv, C),
        "out_proj.weight": (C, C),
    }


def heads(x: torch.Tensor, weight: torch.Tensor, count: int) -> torch.Tensor:
    return F.linear(x, weight).unflatten(2, (count, -1)).transpose(1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "B, H_kv, S, D, g", [(2, 3, 5, 4, 2), (1, 1, 7, 3, 6), (3, 4, 1, 2, 1), (2, 2, 3, 1, 3)]
)
def test_repeat_kv_of_transformers(
    ref: Any, B: int, H_kv: int, S: int, D: int, g: int, dtype: torch.dtype
) -> None:
    from transformers.models.llama.modeling_llama import repeat_kv

    x = torch.randn(B, H_kv, S, D, dtype=dtype)
    assert_close(ref.repeat_kv(x, g), repeat_kv(x, g))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("B, T", [(2, 5), (1, 1), (3, 7)])
def test_module_against_torch(ref: Any, sizes: tuple[int, int, int], B: int, T: int) -> None:
    C, H, H_kv = sizes
    module = ref.GroupedQueryAttention(C, H, H_kv)
    weights = load_by_name(module, shapes(C, H, H_kv))
    x = torch.randn(B, T, C)
    q, k, v = (
        heads(x, weights[f"{name}_proj.weight"], count)
        for name, count in (("q", H), ("k", H_kv), ("v", H_kv))
    )
    some = torch.rand(B, H, T, T) < 0.5
    for mask in (None, torch.ones(T, T, dtype=torch.bool).tril(), some | torch.eye(T, dtype=torch.bool)):
        merged = (
            F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
            .transpose(1, 2)
            .flatten(2)
        )
        assert_close(module(x, mask), F.linear(merged, weights["out_proj.weight"]))


@pytest.mark.parametrize("sizes", SIZES)
def test_cached_steps_against_loops(ref: Any, sizes: tuple[int, int, int]) -> None:
    C, H, H_kv = sizes
    module, cache = ref.GroupedQueryAttention(C, H, H_kv), ref.GrowingCache()
    weights = load_by_name(module, shapes(C, H, H_kv))
    x, end = torch.randn(2, 9, C), 0
    for size in (4, 1, 1, 3):
        start, end = end, end + size
        mask = torch.ones(size, end, dtype=torch.bool).tril(end - size)
        output = module(x[:, start:end], mask, cache)
        q = heads(x[:, start:end], weights["q_proj.weight"], H)
        expected = torch.stack(
            [kv_oracle(q[b], cache.keys[b], cache.values[b], causal=True) for b in range(2)]
        ).transpose(1, 2)
        assert_close(output, F.linear(expected.flatten(2), weights["out_proj.weight"]))
        assert len(cache) == end


def test_llama_attention(ref: Any) -> None:
    """transformers' layer, with angles of zero for its rotary positions."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaAttention

    config = LlamaConfig(
        hidden_size=24, num_attention_heads=6, num_key_value_heads=2, attn_implementation="eager"
    )
    layer, module = LlamaAttention(config, 0).eval(), ref.GroupedQueryAttention(24, 6, 2)
    module.load_state_dict(
        {name.replace("o_proj", "out_proj"): tensor for name, tensor in layer.state_dict().items()}
    )
    x = torch.randn(2, 5, 24)
    still = torch.ones(2, 5, 4), torch.zeros(2, 5, 4)
    visible = torch.ones(5, 5, dtype=torch.bool).tril()
    hidden = torch.zeros(1, 1, 5, 5).masked_fill(~visible, -torch.inf)
    assert_close(module(x, visible), layer(x, still, hidden)[0])


@pytest.mark.parametrize("sizes", SIZES)
def test_conversion_by_loops(ref: Any, sizes: tuple[int, int, int]) -> None:
    C, H, H_kv = sizes
    D, g = C // H, H // H_kv
    weights = {name: torch.randn(C, C) for name in shapes(C, H, H)}
    weights |= {name.replace("weight", "bias"): torch.randn(C) for name in weights}
    converted, share = ref.mha_to_gqa(weights, H, H_kv)
    assert share == pytest.approx(H_kv / H)
    for name, tensor in weights.items():
        if name[0] in "kv":
            rows = [
                torch.stack([tensor[(j * g + i) * D + d] for i in range(g)]).mean(0)
                for j in range(H_kv)
                for d in range(D)
            ]
            assert_close(converted[name], torch.stack(rows))
        else:
            assert torch.equal(converted[name], tensor)
    module = ref.GroupedQueryAttention(C, H, H_kv, bias=True)
    module.load_state_dict(converted)
    kept = sum(converted[f"{name}_proj.weight"].numel() for name in "kv")
    assert share == pytest.approx(kept / sum(weights[f"{name}_proj.weight"].numel() for name in "kv"))
