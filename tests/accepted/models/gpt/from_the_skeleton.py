"""As solved from the skeleton alone."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class GPTConfig:
    vocab_size: int = 50257
    block_size: int = 1024
    num_layers: int = 12
    num_heads: int = 12
    d_model: int = 768


def num_params(config: GPTConfig) -> int:
    width = config.d_model
    norm = 2 * width
    attention = (3 * width * width + 3 * width) + (width * width + width)
    feed_forward = (4 * width * width + 4 * width) + (4 * width * width + width)
    block = 2 * norm + attention + feed_forward
    return (config.vocab_size + config.block_size) * width + config.num_layers * block + norm


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width = config.d_model
        self.num_heads = config.num_heads
        self.norm_1 = nn.LayerNorm(width, eps=1e-5)
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width, eps=1e-5)
        self.up_proj = nn.Linear(width, 4 * width)
        self.down_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch_size, length, width = x.shape
        q, k, v = (
            part.reshape(batch_size, length, self.num_heads, width // self.num_heads).transpose(1, 2)
            for part in self.qkv_proj(self.norm_1(x)).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out_proj(mixed.transpose(1, 2).reshape(batch_size, length, width))
        return x + self.down_proj(F.gelu(self.up_proj(self.norm_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.block_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(config.d_model, eps=1e-5)
        residual_std = 0.02 / math.sqrt(2 * config.num_layers) if config.num_layers else 0.02
        for name, module in self.named_modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            elif isinstance(module, nn.Linear):
                into_residual = name.endswith(("out_proj", "down_proj"))
                nn.init.normal_(module.weight, std=residual_std if into_residual else 0.02)
                nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        if length > self.config.block_size:
            raise ValueError(f"{length} tokens, but block_size is {self.config.block_size}")
        x = self.token_embedding(ids) + self.position_embedding(torch.arange(length, device=ids.device))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.final_norm(x), self.token_embedding.weight)

    def loss(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        targets = (ids if labels is None else labels)[:, 1:]
        logits = self(ids)[:, :-1]
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-100)


def generate(model: nn.Module, ids: Tensor, max_new_tokens: int) -> Tensor:
    modes = [(module, module.training) for module in model.modules()]
    text = ids.clone()
    model.eval()
    try:
        with torch.no_grad():
            for _ in range(max_new_tokens):
                logits = model(text[:, -model.config.block_size :])
                text = torch.cat([text, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    finally:
        for module, mode in modes:
            module.training = mode
    return text
