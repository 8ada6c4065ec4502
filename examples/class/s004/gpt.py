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
    norms = 2 * 2 * width
    attention = (width + 1) * 3 * width + (width + 1) * width
    feed_forward = (width + 1) * 4 * width + (4 * width + 1) * width
    embeddings = (config.vocab_size + config.block_size) * width
    return embeddings + config.num_layers * (norms + attention + feed_forward) + 2 * width


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width = config.d_model
        self.num_heads = config.num_heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up_proj = nn.Linear(width, 4 * width)
        self.down_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        projected = self.qkv_proj(self.norm_1(x)).unflatten(2, (3, self.num_heads, -1))
        q, k, v = projected.permute(2, 0, 3, 1, 4)  # [3, B, H, T, D]
        heads = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out_proj(heads.transpose(1, 2).flatten(2))
        hidden = F.gelu(self.up_proj(self.norm_2(x)), approximate="tanh")
        return x + self.down_proj(hidden)


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.block_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(config.d_model)
        for name, parameter in self.named_parameters():
            if name.endswith(("out_proj.weight", "down_proj.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.num_layers))
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        if length > self.config.block_size:
            raise ValueError(f"{length} tokens are more than the {self.config.block_size} of block_size")
        x = self.token_embedding(ids) + self.position_embedding.weight[:length]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.final_norm(x), self.token_embedding.weight)

    def loss(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        targets = (ids if labels is None else labels)[:, 1:]
        return F.cross_entropy(self(ids)[:, :-1].flatten(0, 1), targets.flatten())


def generate(model: nn.Module, ids: Tensor, max_new_tokens: int) -> Tensor:
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(max_new_tokens):
            logits = model(ids[:, -model.config.block_size :])
            ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    model.train(was_training)
    return ids
    # END SOLUTION
