"""The reference of inference/memory against real modules, optimisers, saved tensors and caches.

Parameters: transformers' models on the meta device. States: what torch's optimisers hold. Activations: what autograd
saves in a layer, and the formulas of Korthikanti et al. 2022. Cache: transformers' DynamicCache.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from autograder.testing import load_reference


def config_of(**changes: int) -> dict[str, int]:
    sizes = {
        "vocab_size": 101,
        "max_positions": 0,
        "num_layers": 3,
        "d_model": 18,
        "d_ff": 28,
        "num_heads": 6,
        "num_kv_heads": 2,
        "head_dim": 4,
        "gated": True,
        "qkv_bias": False,
        "linear_bias": False,
        "norm_bias": False,
        "tied": False,
        "dropout": False,
    }
    return sizes | changes


def transformers_model(config: dict[str, int], cls: str = "Llama") -> Any:
    import transformers

    sizes = {
        "vocab_size": config["vocab_size"],
        "hidden_size": config["d_model"],
        "intermediate_size": config["d_ff"],
        "num_hidden_layers": config["num_layers"],
        "num_attention_heads": config["num_heads"],
        "num_key_value_heads": config["num_kv_heads"],
        "head_dim": config["head_dim"],
        "tie_word_embeddings": bool(config["tied"]),
    }
    return getattr(transformers, f"{cls}ForCausalLM")(getattr(transformers, f"{cls}Config")(**sizes))


# class, vocab_size, num_layers, d_model, d_ff, num_heads, num_kv_heads, head_dim, flag, parameters
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "Llama 2 7B": ("Llama", 32000, 32, 4096, 11008, 32, 32, 128, None, 6_738_415_616),
    "Llama 2 70B": ("Llama", 32000, 80, 8192, 28672, 64, 8, 128, None, 68_976_648_192),
    "Llama 3.1 8B": ("Llama", 128256, 32, 4096, 14336, 32, 8, 128, None, 8_030_261_248),
    "Qwen2.5 7B": ("Qwen2", 152064, 28, 3584, 18944, 28, 4, 128, "qkv_bias", 7_615_616_512),
    "Gemma 7B": ("Gemma", 256000, 28, 3072, 24576, 16, 16, 256, "tied", 8_537_680_896),
    "tiny": ("Llama", 101, 3, 18, 28, 6, 2, 4, None, None),
    "tiny, tied": ("Llama", 101, 2, 18, 29, 6, 1, 10, "tied", None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_of_llama_and_its_kin(name: str) -> None:
    cls, vocab, layers, width, inner, heads, kv_heads, head_dim, flag, total = PUBLISHED[name]
    config = config_of(
        vocab_size=vocab,
        num_layers=layers,
        d_model=width,
        d_ff=inner,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        **({flag: True} if flag else {}),
    )
    with torch.device("meta"):
        model = transformers_model(config, cls)
    found = load_reference("inference/memory").parameters(config)
    assert sum(found.values()) == model.num_parameters()
    assert total is None or sum(found.values()) == total
    for part, word in [("attention", "self_attn"), ("feed_forward", "mlp"), ("norm", "norm")]:
        assert found[part] == sum(
            weight.numel() for place, weight in model.named_parameters() if word in place
        )


@pytest.mark.parametrize(
    ("width", "heads", "inner", "layers"), [(768, 12, 3072, 12), (1600, 25, 6400, 48), (15, 3, 22, 2)]
)
def test_parameters_of_gpt2(width: int, heads: int, inner: int, layers: int) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(n_embd=width, n_head=heads, n_inner=inner, n_layer=layers))
    config = config_of(
        vocab_size=50257, max_positions=1024, num_layers=layers, d_model=width, d_ff=inner, num_heads=heads,
        num_kv_heads=heads, head_dim=width // heads, gated=False, qkv_bias=True, linear_bias=True, norm_bias=True,
        tied=True,
    )  # fmt: skip
    assert sum(load_reference("inference/memory").parameters(config).values()) == model.num_parameters()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
def test_states_of_real_optimisers(precision: str, optimizer: str) -> None:
    frozen = nn.Linear(5, 7, dtype=getattr(torch, precision)).requires_grad_(False)
    trained = nn.Linear(7, 3, dtype=getattr(torch, precision))
    make: Any = {
        "adam": lambda p: torch.optim.AdamW(p),
        "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        "sgd": lambda p: torch.optim.SGD(p, 0.1),
    }[optimizer]
    stepper = make(trained.parameters())
    trained(frozen(torch.ones(2, 5, dtype=getattr(torch, precision)))).sum().backward()
    stepper.step()
    weights = [*frozen.parameters(), *trained.parameters()]
    states = [value for state in stepper.state.values() for value in state.values() if value is not None]
    expected = {
        "weights": sum(weight.nbytes for weight in weights),
        "gradients": sum(weight.grad.nbytes for weight in weights if weight.grad is not None),
        "optimizer": sum(state.nbytes for state in states if state.dim() > 0),
    }
    counts = sum(weight.numel() for weight in weights), sum(weight.numel() for weight in trained.parameters())
    assert load_reference("inference/memory").training_states(*counts, precision, optimizer) == expected


def test_sixteen_bytes_of_zero() -> None:
    """Rajbhandari et al. 2020, section 3.1: 1.5 billion parameters, at least 24 GB, 12 bytes of them Adam's."""
    found = load_reference("inference/memory").training_states(1_500_000_000, 1_500_000_000, "mixed", "adam")
    assert found == {"weights": 3 * 10**9, "gradients": 3 * 10**9, "optimizer": 18 * 10**9}


class Layer(nn.Module):
    """A decoder layer in bfloat16, written out so that autograd saves what the statement's table lists."""

    def __init__(self, config: dict[str, int], recompute: str) -> None:
        super().__init__()
        self.config, self.recompute = config, recompute
        C, inner, D = config["d_model"], config["d_ff"], config["head_dim"]
        self.norm_1, self.norm_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.q, self.out = nn.Linear(C, config["num_heads"] * D), nn.Linear(config["num_heads"] * D, C)
        self.k, self.v = (nn.Linear(C, config["num_kv_heads"] * D) for _ in "kv")
        self.up, self.gate, self.down = nn.Linear(C, inner), nn.Linear(C, inner), nn.Linear(inner, C)

    def drop(self, x: Tensor) -> Tensor:
        return torch.native_dropout(x, 0.1, True)[0] if self.config["dropout"] else x

    def core(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        result: Tensor = self.drop(scores.softmax(-1)) @ v
        return result

    def body(self, x: Tensor) -> Tensor:
        B, T, _ = x.shape
        groups, D = self.config["num_kv_heads"], self.config["head_dim"]
        normed = self.norm_1(x)
        # The queries of a group stand below each other, so that nothing has to be repeated.
        q = self.q(normed).view(B, T, groups, -1, D).permute(0, 2, 3, 1, 4).reshape(B, groups, -1, D)
        k, v = (proj(normed).view(B, T, groups, D).transpose(1, 2).contiguous() for proj in (self.k, self.v))
        if self.recompute == "selective":
            heads = checkpoint(self.core, q, k, v, use_reentrant=False)
        else:
            heads = self.core(q, k, v)
        merged = heads.view(B, groups, -1, T, D).permute(0, 3, 1, 2, 4).reshape(B, T, -1)
        x = x + self.drop(self.out(merged))
        normed = self.norm_2(x)
        if self.config["gated"]:
            hidden = F.silu(self.gate(normed)) * self.up(normed)
        else:
            hidden = F.gelu(self.up(normed))
        return x + self.drop(self.down(hidden))

    def forward(self, x: Tensor) -> Tensor:
        if self.recompute == "full":
            result: Tensor = checkpoint(self.body, x, use_reentrant=False)
            return result
        return self.body(x)


def saved_bytes(config: dict[str, int], tokens: int, batch: int, recompute: str) -> int:
    """What autograd saves in the layers, each storage once; no parameters, and no mean or deviation of a norm."""
    layers = [Layer(config, recompute).bfloat16() for _ in range(config["num_layers"])]
    ours = {weight.data_ptr() for layer in layers for weight in layer.parameters()}
    seen: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage().data_ptr()
        if storage not in ours and tensor.numel() > batch * tokens:
            seen[storage] = tensor
        return tensor

    x = torch.randn(batch, tokens, config["d_model"], dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        for layer in layers:
            x = layer(x)
    return sum(tensor.untyped_storage().nbytes() for tensor in seen.values())


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
@pytest.mark.parametrize(("dropout", "gated"), list(product([True, False], repeat=2)))
def test_activations_that_autograd_saves(recompute: str, dropout: bool, gated: bool) -> None:
    exercise = load_reference("inference/memory")
    for changes in ({}, {"num_kv_heads": 6, "d_ff": 64}, {"num_kv_heads": 1, "head_dim": 2, "num_layers": 2}):
        config = config_of(dropout=dropout, gated=gated, **changes)
        expected = saved_bytes(config, 10, 3, recompute)
        assert exercise.activations(config, 10, 3, recompute) == expected


@pytest.mark.parametrize(("s", "b", "h", "a"), [(2048, 1, 12288, 96), (2048, 4, 20480, 128), (12, 3, 8, 2)])
def test_activations_of_the_paper(s: int, b: int, h: int, a: int) -> None:
    exercise = load_reference("inference/memory")
    config = config_of(
        num_layers=5,
        d_model=h,
        d_ff=4 * h,
        num_heads=a,
        num_kv_heads=a,
        head_dim=h // a,
        gated=False,
        dropout=True,
    )
    assert exercise.activations(config, s, b) == 5 * (34 * s * b * h + 5 * a * s * s * b)
    assert exercise.activations(config, s, b, "selective") == 5 * 34 * s * b * h
    assert exercise.activations(config, s, b, "full") == 5 * 2 * s * b * h


@pytest.mark.parametrize("item", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "changes", [{}, {"num_kv_heads": 6}, {"num_kv_heads": 1, "head_dim": 8, "num_layers": 2}]
)
def test_cache_of_transformers(item: str, changes: dict[str, int]) -> None:
    config = config_of(**changes)
    model = transformers_model(config).to(getattr(torch, item))
    with torch.no_grad():
        cache = model(torch.arange(26).view(2, 13), use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    size = getattr(torch, item).itemsize
    found = load_reference("inference/memory").serving(config, 1, "GB", 10**6, 10**5, 13, size)
    assert found == {"kv_per_token": held // 26, "batch": math.floor((10**9 - 1_100_000) / (held // 2))}
