"""The reference against transformers' GPT-2 over the same int8 weights, and its steps against a simulation of slots."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close, load_reference

PARTS = SimpleNamespace(
    kv_cache=load_reference("attention/kv_cache"),
    sampling=load_reference("decoding/sampling"),
    quantization=load_reference("compression/quantization"),
)
V, P, L, H, C, END = 23, 30, 2, 4, 16, 5
NAMES = {
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "final_norm": "ln_f",
    "norm_1": "ln_1",
    "norm_2": "ln_2",
}
NAMES |= {
    "qkv_proj": "attn.c_attn",
    "out_proj": "attn.c_proj",
    "up_proj": "mlp.c_fc",
    "down_proj": "mlp.c_proj",
}


def library_model(seed: int) -> Any:
    """GPT-2 with random weights, float64."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=V,
        n_positions=P,
        n_embd=C,
        n_layer=L,
        n_head=H,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=0.5,
    )
    model = GPT2LMHeadModel(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def to_ours(model: Any) -> dict[str, tuple[str, bool]]:
    """Our names -> theirs, and whether the matrix is stored the other way round."""
    own = ["token_embedding.weight", "position_embedding.weight", "final_norm.weight", "final_norm.bias"]
    for i in range(L):
        for name in list(NAMES)[3:]:
            own += [f"blocks.{i}.{name}.weight", f"blocks.{i}.{name}.bias"]
    found = {}
    for name in own:
        *block, part, kind = name.split(".")
        prefix = f"h.{block[1]}." if block else ""
        found[name] = (
            f"transformer.{prefix}{NAMES[part]}.{kind}",
            part.endswith("proj") and kind == "weight",
        )
    assert {theirs for theirs, _ in found.values()} == {name for name, _ in model.named_parameters()}
    return found


def quantised(seed: int) -> tuple[Any, Any]:
    """The library's model with the weights that torch's own quantiser leaves, in float64; the reference's stored ones."""
    model = library_model(seed)
    weights = {}
    for ours, (theirs, turned) in to_ours(model).items():
        weight = model.get_parameter(theirs).detach()
        weights[ours] = (weight.T if turned else weight).clone()
    reference: Any = load_reference("capstone/serve")
    stored, _ = reference.compress(PARTS, weights)
    model = model.double()
    for ours, (theirs, turned) in to_ours(model).items():
        if weights[ours].dim() == 2:
            scales = weights[ours].abs().amax(1).double() / 127
            codes = torch.quantize_per_channel(
                weights[ours], scales, torch.zeros(len(scales)), 0, torch.qint8
            )
            exact = codes.int_repr().double() * scales.float().double()[:, None]
            model.get_parameter(theirs).data = exact.T.contiguous() if turned else exact
    return model, stored


@pytest.mark.parametrize("seed", range(3))
def test_tokens(seed: int) -> None:
    reference: Any = load_reference("capstone/serve")
    model, stored = quantised(seed)
    rng = random.Random(seed)
    requests, expected = [], []
    for number in range(8):
        prompt = [rng.randrange(V) for _ in range(rng.randint(1, 12))]
        draws = torch.tensor([rng.random() for _ in range(rng.randint(1, 12))], dtype=torch.float64)
        settings = [{}, {"temperature": 0.0}, {"temperature": 0.5}][number % 3]
        text, answer = torch.tensor([prompt]), []
        for draw in draws:
            logits: Tensor = model(text).logits[0, -1].detach()
            if settings.get("temperature") == 0.0:
                token = int(logits.argmax())
            else:
                line = (logits / settings.get("temperature", 1.0)).softmax(0).cumsum(0)
                assert (line - draw).abs().min() > 1e-9
                token = int(torch.searchsorted(line, draw, right=True))
            answer.append(token)
            text = torch.cat([text, torch.tensor([[token]])], dim=1)
            if token == END:
                break
        requests.append(reference.Request(str(number), prompt, draws, rng.randint(0, 5), settings))
        expected.append(answer)
    engine = reference.Engine(PARTS, reference.Model(H, stored))
    done = reference.serve(PARTS, engine, requests, 40, END)
    assert [tokens for tokens, _ in done] == expected
    assert not engine.caches


@pytest.mark.parametrize("seed", range(40))
def test_steps(seed: int) -> None:
    """An event simulation: for each request in the line's order the first step in which it fits."""
    reference: Any = load_reference("capstone/serve")
    rng = random.Random(seed)
    max_slots = rng.randint(12, 40)
    plan = [(rng.randint(1, 6), rng.randint(1, 6), rng.randint(0, 12)) for _ in range(rng.randint(1, 9))]
    spans: dict[int, tuple[int, int, int]] = {}  # first step, last step, slots
    earliest = 0
    for number in sorted(range(len(plan)), key=lambda i: (plan[i][2], i)):
        length, limit, arrival = plan[number]
        need, start = length + limit - 1, max(arrival, earliest)
        while (
            sum(slots for first, last, slots in spans.values() if first <= start <= last) + need > max_slots
        ):
            start += 1
        spans[number] = (start, start + limit - 1, need)
        earliest = start
    seen = []

    def prefill(name: str, prompt: list[int], capacity: int) -> Tensor:
        seen.append(capacity)
        return torch.zeros(3, dtype=torch.float64)

    engine = SimpleNamespace(
        prefill=prefill,
        decode=lambda names, tokens: torch.zeros(len(names), 3, dtype=torch.float64),
        release=lambda name: None,
    )
    requests = [
        reference.Request(str(i), [0] * length, torch.rand(limit, dtype=torch.float64), arrival)
        for i, (length, limit, arrival) in enumerate(plan)
    ]
    done = reference.serve(PARTS, engine, requests, max_slots, 99)
    assert_close([step for _, step in done], [spans[i][1] for i in range(len(plan))])
    assert sorted(seen) == sorted(slots for _, _, slots in spans.values())
