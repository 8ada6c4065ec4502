"""A head that is a layer with the table's own tensor, blocks in a Sequential, parameters counted on the meta device."""

import contextlib
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
    with torch.device("meta"):
        one = Block(config)
        rest = [
            nn.Embedding(config.vocab_size, config.d_model),
            nn.Embedding(config.block_size, config.d_model),
            nn.LayerNorm(config.d_model),
        ]
    blocks = config.num_layers * sum(p.numel() for p in one.parameters())
    return blocks + sum(p.numel() for module in rest for p in module.parameters())


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head = config.num_heads
        width = config.d_model
        self.norm_1 = nn.LayerNorm(width)
        self.qkv_proj = nn.Linear(width, width * 3)
        self.out_proj = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up_proj = nn.Linear(width, width * 4)
        self.down_proj = nn.Linear(width * 4, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.size()
        q, k, v = self.qkv_proj(self.norm_1(x)).chunk(3, dim=-1)
        q, k, v = (t.reshape(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))
        visible = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        x = x + self.out_proj(y.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.down_proj(nn.GELU("tanh")(self.up_proj(self.norm_2(x))))


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.block_size, config.d_model)
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.num_layers)))
        self.final_norm = nn.LayerNorm(config.d_model)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.lm_head.weight = self.token_embedding.weight
        self.apply(self._initialise)
        for block in self.blocks:
            for projection in (block.out_proj, block.down_proj):
                nn.init.normal_(projection.weight, mean=0.0, std=0.02 / (2 * config.num_layers) ** 0.5)

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[-1]
        if length > self.config.block_size:
            raise ValueError(f"cannot read {length} tokens")
        x = self.token_embedding(ids) + self.position_embedding(torch.arange(length).to(ids.device))
        return self.lm_head(self.final_norm(self.blocks(x)))

    def loss(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            labels = ids
        shifted = F.pad(labels[:, 1:], (0, 1), value=-100)
        return F.cross_entropy(self.forward(ids).transpose(1, 2), shifted, ignore_index=-100)


@contextlib.contextmanager
def _evaluating(model: nn.Module):
    before = model.training
    try:
        yield model.eval()
    finally:
        model.train(before)


@torch.no_grad()
def generate(model: nn.Module, ids: Tensor, max_new_tokens: int) -> Tensor:
    with _evaluating(model):
        while max_new_tokens > 0:
            context = ids if ids.size(1) <= model.config.block_size else ids[:, -model.config.block_size :]
            probabilities = model(context)[:, -1, :].softmax(dim=-1)
            ids = torch.hstack([ids, probabilities.topk(1).indices])
            max_new_tokens -= 1
    return ids
