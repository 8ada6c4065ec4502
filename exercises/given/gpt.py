"""What models/gpt defines, as it is given to capstones."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class GPTConfig:
    """Given: the sizes of a GPT. The defaults are those of GPT-2 small."""

    vocab_size: int = 50257
    block_size: int = 1024
    num_layers: int = 12
    num_heads: int = 12
    d_model: int = 768


def num_params(config: GPTConfig) -> int:
    """Count the parameters of a GPT from its sizes, without building it.

    Args:
        config: the sizes.

    Returns:
        The number of entries of all parameters, positions too, each tensor once.
    """
    width = config.d_model
    norms = 2 * 2 * width
    attention = (width + 1) * 3 * width + (width + 1) * width
    feed_forward = (width + 1) * 4 * width + (4 * width + 1) * width
    embeddings = (config.vocab_size + config.block_size) * width
    return embeddings + config.num_layers * (norms + attention + feed_forward) + 2 * width


class Block(nn.Module):
    """One pre-norm layer of GPT-2.

    Args:
        config: the sizes; `d_model` is a multiple of `num_heads`.

    Source: Radford et al. 2019 (GPT-2), section 2.3.
    """

    def __init__(self, config: GPTConfig) -> None:
        """Make the parameters named `blocks.i.` in the table."""
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
        """Add attention, then the feed-forward network.

        Args:
            x: float tensor [B, T, C].

        Returns:
            Float tensor [B, T, C]; position t depends on positions up to t.
        """
        projected = self.qkv_proj(self.norm_1(x)).unflatten(2, (3, self.num_heads, -1))
        q, k, v = projected.permute(2, 0, 3, 1, 4)  # [3, B, H, T, D]
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out_proj(heads.transpose(1, 2).flatten(2))
        hidden = F.gelu(self.up_proj(self.norm_2(x)), approximate="tanh")
        return x + self.down_proj(hidden)


class GPT(nn.Module):
    """A decoder-only language model with learned positions and a tied head.

    Args:
        config: the sizes; kept as the attribute `config`.

    Source: Radford et al. 2019 (GPT-2), section 2.3; the factor of the initialisation as in transformers.
    """

    def __init__(self, config: GPTConfig) -> None:
        """Make and initialise the parameters of the table."""
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
        """Score every token as the next one, after each position.

        Args:
            ids: int64 tensor [B, T] of tokens; positions count from 0.

        Returns:
            Logits, float tensor [B, T, V].

        Raises:
            ValueError: if T is above `block_size`.
        """
        length = ids.shape[1]
        if length > self.config.block_size:
            raise ValueError(f"{length} tokens are more than the {self.config.block_size} of block_size")
        x = self.token_embedding(ids) + self.position_embedding.weight[:length]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.final_norm(x), self.token_embedding.weight)

    def loss(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean cross-entropy of the next tokens.

        Args:
            ids: int64 tensor [B, T], T at least 2.
            labels: int64 tensor [B, T], each at its own token's place; -100 does not count. None stands for `ids`.

        Returns:
            Float tensor [], the mean over the labels that count (at least one does). No logits predict the first label.
        """
        targets = (ids if labels is None else labels)[:, 1:]
        return F.cross_entropy(self(ids)[:, :-1].flatten(0, 1), targets.flatten())


def generate(model: nn.Module, ids: Tensor, max_new_tokens: int) -> Tensor:
    """Continue each row.

    Args:
        model: maps ids [B, T] to logits [B, T, V]; has `config.block_size`.
        ids: int64 tensor [B, T], T at least 1.
        max_new_tokens: N, how many tokens are appended; 0 or more.

    Returns:
        int64 tensor [B, T + N], the rows of `ids` with what follows.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(max_new_tokens):
            logits = model(ids[:, -model.config.block_size :])
            ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    model.train(was_training)
    return ids
