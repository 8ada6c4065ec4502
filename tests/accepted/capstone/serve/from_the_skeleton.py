"""As solved from the skeleton alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# For each weight: a tensor, or the codes and scales of a matrix.
Stored = dict[str, Tensor | tuple[Tensor, Tensor]]


class Model:
    def __init__(self, num_heads: int, stored: Stored) -> None:
        self.stored = stored
        self.num_layers = sum(name.endswith("qkv_proj.weight") for name in stored)
        self.num_heads = num_heads
        self.head_dim = self._plain("final_norm.weight").numel() // num_heads

    def _plain(self, name: str) -> Tensor:
        kept = self.stored[name]
        return kept.double() if isinstance(kept, Tensor) else kept[0].double() * kept[1].double()

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        table, places = self._plain("token_embedding.weight"), self._plain("position_embedding.weight")
        return table[tokens] + places[positions]

    def project(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        projected = self._linear(f"blocks.{layer}.qkv_proj", self._norm(f"blocks.{layer}.norm_1", x))
        q, k, v = projected.unflatten(1, (3, self.num_heads, self.head_dim)).unbind(1)
        return q, k, v

    def finish_layer(self, layer: int, x: Tensor, heads: Tensor) -> Tensor:
        x = x + self._linear(f"blocks.{layer}.out_proj", heads.flatten(1))
        hidden = self._linear(f"blocks.{layer}.up_proj", self._norm(f"blocks.{layer}.norm_2", x))
        return x + self._linear(f"blocks.{layer}.down_proj", F.gelu(hidden, approximate="tanh"))

    def logits(self, x: Tensor) -> Tensor:
        return self._norm("final_norm", x) @ self._plain("token_embedding.weight").T


@dataclass(frozen=True, eq=False)
class Request:
    name: str
    prompt: list[int]
    draws: Tensor
    arrival: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


def compress(parts: Any, weights: dict[str, Tensor]) -> tuple[Stored, int]:
    stored: Stored = {}
    num_bytes = 0
    for name, weight in weights.items():
        if weight.ndim == 2:
            codes, scales = parts.quantization.quantize_symmetric(weight)
            stored[name] = (codes, scales)
            kept = [codes, scales]
        else:
            stored[name] = weight
            kept = [weight]
        num_bytes += sum(t.numel() * t.element_size() for t in kept)
    return stored, num_bytes


class Engine:
    def __init__(self, parts: Any, model: Model) -> None:
        self.parts = parts
        self.model = model
        self.caches: dict[str, list[Any]] = {}

    def prefill(self, name: str, prompt: list[int], capacity: int) -> Tensor:
        kv, model = self.parts.kv_cache, self.model
        caches = [
            kv.KVCache(1, model.num_heads, capacity, model.head_dim, dtype=torch.float64)
            for _ in range(model.num_layers)
        ]
        self.caches[name] = caches
        length = len(prompt)
        x = model.embed(torch.tensor(prompt), torch.arange(length))
        for layer, cache in enumerate(caches):
            # [N, H, D] -> [1, H, N, D], and back.
            q, k, v = (t.transpose(0, 1)[None] for t in model.project(layer, x))
            heads = kv.prefill(q, k, v, cache, length)
            x = model.finish_layer(layer, x, heads[0].transpose(0, 1))
        return model.logits(x[-1:])[0]

    def decode(self, names: list[str], tokens: list[int]) -> Tensor:
        kv, model = self.parts.kv_cache, self.model
        positions = torch.tensor([self.caches[name][0].length for name in names])
        x = model.embed(torch.tensor(tokens), positions)
        for layer in range(model.num_layers):
            q, k, v = (t[:, None, :, None] for t in model.project(layer, x))  # [B, 1, H, 1, D]
            heads = torch.cat(
                [kv.decode_step(q[i], k[i], v[i], self.caches[name][layer]) for i, name in enumerate(names)]
            )  # [B, H, 1, D]
            x = model.finish_layer(layer, x, heads[:, :, 0])
        return model.logits(x)

    def release(self, name: str) -> None:
        del self.caches[name]


def serve(
    parts: Any, engine: Any, requests: Sequence[Request], max_slots: int, end: int
) -> list[tuple[list[int], int]]:
    def slots(i: int) -> int:
        return len(requests[i].prompt) + len(requests[i].draws) - 1

    def next_token(i: int, logits: Tensor) -> int:
        request = requests[i]
        ids = torch.tensor([request.prompt + answers[i]])
        probabilities = parts.sampling.next_token_probabilities(logits[None], ids, **request.settings)
        k = len(answers[i])
        return int(parts.sampling.sample(probabilities, request.draws[k : k + 1]))

    answers: list[list[int]] = [[] for _ in requests]
    last_steps = [0] * len(requests)
    line = sorted(range(len(requests)), key=lambda i: requests[i].arrival)  # stable: ties by place
    running: list[int] = []
    free = max_slots
    step = 0
    while line or running:
        joined: list[int] = []
        while line and requests[line[0]].arrival <= step and slots(line[0]) <= free:
            i = line.pop(0)
            free -= slots(i)
            joined.append(i)

        rows: dict[int, Tensor] = {}
        for i in joined:
            rows[i] = engine.prefill(requests[i].name, list(requests[i].prompt), slots(i))
        if running:
            logits = engine.decode([requests[i].name for i in running], [answers[i][-1] for i in running])
            rows.update(zip(running, logits, strict=True))
        for i, row in rows.items():
            answers[i].append(next_token(i, row))
            last_steps[i] = step

        running = []
        for i in rows:
            if answers[i][-1] == end or len(answers[i]) == len(requests[i].draws):
                engine.release(requests[i].name)
                free += slots(i)
            else:
                running.append(i)
        step += 1
    return list(zip(answers, last_steps, strict=True))
