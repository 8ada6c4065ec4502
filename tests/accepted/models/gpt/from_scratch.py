"""Attention, GELU and cross-entropy by their formulas, plain parameters drawn by the layers that hold them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class GPTConfig:
    vocab_size: int = 50257
    block_size: int = 1024
    num_layers: int = 12
    num_heads: int = 12
    d_model: int = 768


def num_params(config: GPTConfig) -> int:
    c = config.d_model
    one_block = 12 * c**2 + 13 * c
    return config.num_layers * one_block + c * (config.vocab_size + config.block_size + 2)


def _linear(inputs: int, outputs: int, std: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(outputs, inputs) * std)
        layer.bias.fill_(0)
    return layer


def _gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(2 * (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        c, residual = config.d_model, 0.02 * (2 * config.num_layers) ** -0.5
        self.heads, self.head_dim = config.num_heads, c // config.num_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(c, eps=1e-5), nn.LayerNorm(c, eps=1e-5)
        self.qkv_proj, self.out_proj = _linear(c, 3 * c, 0.02), _linear(c, c, residual)
        self.up_proj, self.down_proj = _linear(c, 4 * c, 0.02), _linear(4 * c, c, residual)

    def attend(self, x: Tensor) -> Tensor:
        length, found = x.shape[1], []
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        queries, keys, values = self.qkv_proj(x).split(x.shape[2], dim=2)
        for head in range(self.heads):
            own = slice(head * self.head_dim, (head + 1) * self.head_dim)
            scores = queries[..., own] @ keys[..., own].mT / self.head_dim**0.5
            found.append(scores.masked_fill(future, -torch.inf).softmax(-1) @ values[..., own])
        return self.out_proj(torch.cat(found, -1))

    def forward(self, x: Tensor) -> Tensor:
        middle = x + self.attend(self.norm_1(x))
        return middle + self.down_proj(_gelu(self.up_proj(self.norm_2(middle))))


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.block_size, config.d_model)
        for table in (self.token_embedding, self.position_embedding):
            table.weight.data.normal_(0.0, 0.02)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.num_layers)])
        self.final_norm = nn.LayerNorm(config.d_model, eps=1e-5)

    def forward(self, ids: Tensor) -> Tensor:
        if ids.size(1) > self.config.block_size:
            raise ValueError("the input is longer than the block")
        positions = torch.arange(ids.size(1), device=ids.device)
        x = self.token_embedding(ids) + self.position_embedding(positions)
        for block in self.blocks:
            x = block(x)
        return self.final_norm(x) @ self.token_embedding.weight.T

    def loss(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        labels = ids if labels is None else labels
        log_probs = self(ids).log_softmax(-1)[:, :-1]
        counts = labels[:, 1:] != -100
        right = labels[:, 1:].where(counts, 0)
        return -log_probs.gather(2, right[..., None])[..., 0][counts].mean()


def generate(model: nn.Module, ids: Tensor, max_new_tokens: int) -> Tensor:
    mode = model.training
    model.train(False)
    longest = model.config.block_size
    text = torch.cat([ids, ids.new_zeros(len(ids), max_new_tokens)], dim=1)
    with torch.inference_mode():
        for end in range(ids.shape[1], text.shape[1]):
            text[:, end] = model(text[:, max(0, end - longest) : end])[:, -1].max(-1).indices
    model.train(mode)
    return text
