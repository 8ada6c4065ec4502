from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Stored = dict[
    str, Tensor | tuple[Tensor, Tensor]
]  # for each weight: a tensor, or the codes and scales of a matrix


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


def compress(parts, weights):
    def keep(weight):
        return weight if weight.dim() == 1 else tuple(parts.quantization.quantize_symmetric(weight, 8, None))

    stored = {name: keep(weight) for name, weight in weights.items()}
    size = 0
    for kept in stored.values():
        for tensor in [kept] if torch.is_tensor(kept) else kept:
            size += tensor.numel() * tensor.dtype.itemsize
    return stored, size


class Engine:
    def __init__(self, parts, model):
        self.kv_cache = parts.kv_cache
        self.model = model
        self.caches = {}

    def run(self, names, runs):
        caches, sizes = [self.caches[name] for name in names], [len(run) for run in runs]
        starts = [cache[0].length for cache in caches]
        positions = [start + i for start, size in zip(starts, sizes, strict=True) for i in range(size)]
        x = self.model.embed(torch.tensor([token for run in runs for token in run]), torch.tensor(positions))
        for layer in range(self.model.num_layers):
            pieces = zip(*(each.split(sizes) for each in self.model.project(layer, x)), strict=True)
            heads = []
            for cache, qkv in zip(caches, pieces, strict=True):
                q, k, v = (each.transpose(0, 1).unsqueeze(0) for each in qkv)
                out = self.kv_cache.prefill(q, k, v, cache[layer], 3)
                heads.append(out.squeeze(0).transpose(0, 1))
            x = self.model.finish_layer(layer, x, torch.cat(heads))
        last = torch.tensor(sizes).cumsum(0) - 1
        return self.model.logits(x[last])

    def prefill(self, name, prompt, capacity):
        model = self.model
        self.caches[name] = [
            self.kv_cache.KVCache(1, model.num_heads, capacity, model.head_dim, dtype=torch.double)
            for _ in range(model.num_layers)
        ]
        return self.run([name], [list(prompt)])[0]

    def decode(self, names, tokens):
        return self.run(names, [[token] for token in tokens])

    def release(self, name):
        del self.caches[name]


def answering(parts, request, end, answer):
    for draw in request.draws:
        logits = yield
        ids = torch.tensor(list(request.prompt) + answer)[None]
        probabilities = parts.sampling.next_token_probabilities(logits[None], ids, **request.settings)
        answer.append(int(parts.sampling.sample(probabilities, draw[None])))
        if answer[-1] == end:
            return


def serve(parts, engine, requests, max_slots, end):
    order = sorted(range(len(requests)), key=lambda i: (requests[i].arrival, i))
    needs = {r.name: len(r.prompt) + len(r.draws) - 1 for r in requests}
    answers, steps, active, step = {r.name: [] for r in requests}, {}, {}, 0
    while len(steps) < len(requests):
        old = list(active)
        logits = {}
        while order:
            head = requests[order[0]]
            if head.arrival > step or sum(needs[name] for name in active) + needs[head.name] > max_slots:
                break
            order.pop(0)
            active[head.name] = answering(parts, head, end, answers[head.name])
            next(active[head.name])
            logits[head.name] = engine.prefill(head.name, head.prompt, needs[head.name])
        if old:
            logits |= dict(zip(old, engine.decode(old, [answers[name][-1] for name in old]), strict=True))
        for name, row in logits.items():
            try:
                active[name].send(row)
            except StopIteration:
                del active[name]
                engine.release(name)
                steps[name] = step
        step += 1
    return [(answers[r.name], steps[r.name]) for r in requests]
