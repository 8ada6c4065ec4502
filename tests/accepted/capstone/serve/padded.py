"""Attention of all requests at once: keys and values are brought to one length and masked. The line is a heap."""

import heapq
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Stored = dict[
    str, Tensor | tuple[Tensor, Tensor]
]  # for each weight: a tensor, or the codes and scales of a matrix


class Model:
    """Given: the GPT of models/gpt, cut open where tokens meet.

    Only attention lets one token look at another, and attention isn't in here. So every method takes N tokens, of
    whichever requests, each at a position of its own. It reads the attributes below and computes in float64.
    """

    def __init__(self, num_heads: int, stored: Stored) -> None:
        """Keep the weights, by the names of models/gpt."""
        self.stored = stored
        self.num_layers = sum(name.endswith("qkv_proj.weight") for name in stored)
        self.num_heads = num_heads
        self.head_dim = self._plain("final_norm.weight").numel() // num_heads

    def _plain(self, name: str) -> Tensor:
        """A weight as float64, from its codes if need be."""
        kept = self.stored[name]
        return kept.double() if isinstance(kept, Tensor) else kept[0].double() * kept[1].double()

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens [N] at positions [N], both int64 -> x [N, C]."""
        table, places = self._plain("token_embedding.weight"), self._plain("position_embedding.weight")
        return table[tokens] + places[positions]

    def project(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [N, C] -> queries, keys and values of a layer, [N, H, D] each."""
        projected = self._linear(f"blocks.{layer}.qkv_proj", self._norm(f"blocks.{layer}.norm_1", x))
        q, k, v = projected.unflatten(1, (3, self.num_heads, self.head_dim)).unbind(1)
        return q, k, v

    def finish_layer(self, layer: int, x: Tensor, heads: Tensor) -> Tensor:
        """x [N, C] of before the layer, and what attention gave, [N, H, D] -> x [N, C] of behind the layer."""
        x = x + self._linear(f"blocks.{layer}.out_proj", heads.flatten(1))
        hidden = self._linear(f"blocks.{layer}.up_proj", self._norm(f"blocks.{layer}.norm_2", x))
        return x + self._linear(f"blocks.{layer}.down_proj", F.gelu(hidden, approximate="tanh"))

    def logits(self, x: Tensor) -> Tensor:
        """x [N, C] of behind the last layer -> scores of the next token [N, V]."""
        return self._norm("final_norm", x) @ self._plain("token_embedding.weight").T


@dataclass(frozen=True, eq=False)
class Request:
    """Given: what somebody asks of the server.

    name: no two are the same.
    prompt: token ids, at least one.
    draws: [N], N at least 1. Token k of the answer is drawn with draws[k]; so the answer has at most N tokens.
    arrival: the step from which the request may join.
    settings: keyword arguments for `next_token_probabilities`, such as {"temperature": 0.7}.
    """

    name: str
    prompt: list[int]
    draws: Tensor
    arrival: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


def compress(parts, weights):
    matrices = {name: weight for name, weight in weights.items() if weight.dim() > 1}
    stored, total = {}, 0
    for name, weight in weights.items():
        if name in matrices:
            codes, scales = parts.quantization.quantize_symmetric(weight, bits=8)
            total += parts.quantization.stored_bytes(*codes.shape, 8)
            stored[name] = (codes, scales)
        else:
            total += weight.numel() * weight.element_size()
            stored[name] = weight
    return stored, total


class Engine:
    def __init__(self, parts, model):
        self.parts, self.model, self.caches = parts, model, {}

    def prefill(self, name, prompt, capacity):
        model = self.model
        x = model.embed(torch.tensor(prompt), torch.arange(len(prompt)))
        made = []
        for layer in range(model.num_layers):
            cache = self.parts.kv_cache.KVCache(
                batch_size=1,
                num_kv_heads=model.num_heads,
                capacity=capacity,
                head_dim=model.head_dim,
                dtype=torch.float64,
            )
            q, k, v = (t.permute(1, 0, 2).unsqueeze(0) for t in model.project(layer, x))
            cache.append(k, v)
            heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = model.finish_layer(layer, x, heads.squeeze(0).permute(1, 0, 2))
            made.append(cache)
        self.caches[name] = made
        return model.logits(x)[-1]

    def decode(self, names, tokens):
        model = self.model
        lengths = torch.tensor([self.caches[name][0].length for name in names])
        longest = int(lengths.max()) + 1
        visible = torch.arange(longest) <= lengths[:, None]  # [B, S]
        x = model.embed(torch.tensor(tokens, dtype=torch.int64), lengths)
        for layer in range(model.num_layers):
            q, k, v = model.project(layer, x)
            keys = torch.zeros(len(names), model.num_heads, longest, model.head_dim, dtype=torch.float64)
            values = keys.clone()
            for row, name in enumerate(names):
                mine = self.caches[name][layer].append(k[row][None, :, None], v[row][None, :, None])
                keys[row, :, : mine[0].shape[2]], values[row, :, : mine[1].shape[2]] = mine[0][0], mine[1][0]
            heads = F.scaled_dot_product_attention(
                q[:, :, None], keys, values, attn_mask=visible[:, None, None]
            )
            x = model.finish_layer(layer, x, heads[:, :, 0])
        return model.logits(x)

    def release(self, name):
        self.caches.pop(name)


def serve(parts, engine, requests, max_slots, end):
    line = [(request.arrival, place) for place, request in enumerate(requests)]
    heapq.heapify(line)
    texts = [list(request.prompt) for request in requests]
    capacities = [len(request.prompt) + request.draws.numel() - 1 for request in requests]
    finished = [0] * len(requests)
    inside, taken, now = [], 0, 0

    def draw(place, logits):
        request, text = requests[place], texts[place]
        row = parts.sampling.next_token_probabilities(
            logits.unsqueeze(0), torch.tensor([text]), **request.settings
        )
        k = len(text) - len(request.prompt)
        text.append(parts.sampling.sample(row, request.draws[k : k + 1]).item())
        return text[-1] == end or k + 1 == request.draws.numel()

    while line or inside:
        leaving = []
        if inside:
            rows = engine.decode([requests[i].name for i in inside], [texts[i][-1] for i in inside])
            leaving = [i for i, row in zip(inside, rows, strict=True) if draw(i, row)]
        while line and line[0][0] <= now and taken + capacities[line[0][1]] <= max_slots:
            _, i = heapq.heappop(line)
            inside.append(i)
            taken += capacities[i]
            if draw(i, engine.prefill(requests[i].name, list(requests[i].prompt), capacities[i])):
                leaving.append(i)
        for i in leaving:
            engine.release(requests[i].name)
            inside.remove(i)
            taken -= capacities[i]
            finished[i] = now
        now += 1
    return [
        (text[len(request.prompt) :], step)
        for text, request, step in zip(texts, requests, finished, strict=True)
    ]
