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
        entry = self.stored[name]
        return entry.double() if isinstance(entry, Tensor) else entry[0].double() * entry[1].double()

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        token_table, position_table = (
            self._plain("token_embedding.weight"),
            self._plain("position_embedding.weight"),
        )
        return token_table[tokens] + position_table[positions]

    def project(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self._linear(f"blocks.{layer}.qkv_proj", self._norm(f"blocks.{layer}.norm_1", x))
        q, k, v = qkv.unflatten(1, (3, self.num_heads, self.head_dim)).unbind(1)
        return q, k, v

    def finish_layer(self, layer: int, x: Tensor, heads: Tensor) -> Tensor:
        x = x + self._linear(f"blocks.{layer}.out_proj", heads.flatten(1))
        inner = self._linear(f"blocks.{layer}.up_proj", self._norm(f"blocks.{layer}.norm_2", x))
        return x + self._linear(f"blocks.{layer}.down_proj", F.gelu(inner, approximate="tanh"))

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
    for name, weight in weights.items():
        stored[name] = parts.quantization.quantize_symmetric(weight) if weight.dim() == 2 else weight
    all_tensors = [
        tensor for entry in stored.values() for tensor in (entry if isinstance(entry, tuple) else [entry])
    ]
    return stored, sum(tensor.nbytes for tensor in all_tensors)


class Engine:
    def __init__(self, parts: Any, model: Model) -> None:
        self.kv = parts.kv_cache
        self.model = model
        self.caches: dict[str, list[Any]] = {}

    def prefill(self, name: str, prompt: list[int], capacity: int) -> Tensor:
        model, length = self.model, len(prompt)
        shape = (1, model.num_heads, capacity, model.head_dim, torch.float64)
        self.caches[name] = [self.kv.KVCache(*shape) for _ in range(model.num_layers)]
        x = model.embed(torch.tensor(prompt), torch.arange(length))
        for layer, cache in enumerate(self.caches[name]):
            q, k, v = (each.transpose(0, 1)[None] for each in model.project(layer, x))  # [1, H, N, D]
            mixed = self.kv.prefill(q, k, v, cache, length)
            x = model.finish_layer(layer, x, mixed[0].transpose(0, 1))
        return model.logits(x[-1:])[0]

    def decode(self, names: list[str], tokens: list[int]) -> Tensor:
        model, rows = self.model, [self.caches[name] for name in names]
        positions = torch.zeros(len(rows), dtype=torch.int64)
        x = model.embed(torch.tensor(tokens), positions)
        for layer in range(model.num_layers):
            q, k, v = (each[:, None, :, None] for each in model.project(layer, x))  # [B, 1, H, 1, D]
            mixed = [
                self.kv.decode_step(*new, caches[layer]) for *new, caches in zip(q, k, v, rows, strict=True)
            ]
            x = model.finish_layer(layer, x, torch.cat(mixed)[:, :, 0])
        return model.logits(x)

    def release(self, name: str) -> None:
        del self.caches[name]


def serve(
    parts: Any, engine: Any, requests: Sequence[Request], max_slots: int, end: int
) -> list[tuple[list[int], int]]:
    written: dict[str, list[int]] = {request.name: [] for request in requests}
    finished_at: dict[str, int] = {}

    def slots_of(request: Request) -> int:
        return len(request.prompt) + len(request.draws) - 1

    def draw_next(request: Request, logits: Tensor) -> None:
        tokens_so_far = written[request.name]
        context = torch.tensor([request.prompt + tokens_so_far])
        probs = parts.sampling.next_token_probabilities(logits[None], context, **request.settings)
        tokens_so_far.append(int(parts.sampling.sample(probs, request.draws[len(tokens_so_far), None])))

    line = sorted(requests, key=lambda request: request.arrival)  # equal ones keep their order
    active: list[Request] = []
    tick = 0
    while line or active:
        decoding, slots_left = list(active), max_slots - sum(map(slots_of, active))
        while line and line[0].arrival <= tick and slots_of(line[0]) <= slots_left:
            slots_left -= slots_of(line[0])
            active.append(line.pop(0))
        for request in active[len(decoding) :]:
            draw_next(request, engine.prefill(request.name, request.prompt, slots_of(request)))
        if decoding:
            rows = engine.decode(
                [request.name for request in decoding], [written[r.name][-1] for r in decoding]
            )
            for request, logits in zip(decoding, rows, strict=True):
                draw_next(request, logits)
        for request in list(active):
            tokens_so_far = written[request.name]
            if tokens_so_far[-1] == end or len(tokens_so_far) == len(request.draws):
                engine.release(request.name)
                active.remove(request)
                finished_at[request.name] = tick
        tick += 1
    return [(written[request.name], finished_at[request.name]) for request in requests]
