# %% [markdown]
# GPT-2 joins the parts that you have built: embeddings, blocks of causal attention and feed-forward network, a last
# norm, a head. You count its parameters, write block and model, and let it write.
#
# **Conventions of this file**
#
# * `GPTConfig` holds the sizes: `V` `vocab_size`, `P` `block_size` (the longest input), `L` `num_layers`,
#   `H` `num_heads`, `C` `d_model`. The feed-forward network has width `4 * C`.
# * The parameters, and no others. Each `_embedding` is an `nn.Embedding`, each `_proj` an `nn.Linear`, each norm an
#   `nn.LayerNorm` with eps 1e-5.
#
# | name | weight | bias |
# |---|---|---|
# | `token_embedding` | `[V, C]` | |
# | `position_embedding` | `[P, C]` | |
# | `blocks.i.norm_1`, `blocks.i.norm_2` | `[C]` | `[C]` |
# | `blocks.i.qkv_proj` | `[3 * C, C]` | `[3 * C]` |
# | `blocks.i.out_proj` | `[C, C]` | `[C]` |
# | `blocks.i.up_proj` | `[4 * C, C]` | `[4 * C]` |
# | `blocks.i.down_proj` | `[C, 4 * C]` | `[C]` |
# | `final_norm` | `[C]` | `[C]` |
#
# The tests load weights by these names, and `named_parameters()` must give exactly these.
#
# `F.scaled_dot_product_attention` is allowed; `torch.nn.MultiheadAttention`, `torch.nn.TransformerEncoderLayer` and
# their relatives are not.

# %% [markdown] lang="zh"
# GPT-2 就是你写过的各个部件，按一个固定的次序接起来：嵌入，若干层“因果注意力加前馈网络”，最后一次归一化，输出头。你要数出它的参数，写出一层和整个模型，再让它自己写下去。
#
# **本文件的约定**
#
# * `GPTConfig` 记录各个尺寸：`V` 是 `vocab_size`，`P` 是 `block_size`（最长的输入），`L` 是 `num_layers`，`H` 是 `num_heads`，`C` 是 `d_model`。前馈网络的宽度是 `4 * C`。
# * 参数只有下表这些。每个 `_embedding` 是一个 `nn.Embedding`，每个 `_proj` 是一个 `nn.Linear`，每个 norm 是一个 eps 为 1e-5 的 `nn.LayerNorm`。
#
# | 名字 | 权重 | 偏置 |
# |---|---|---|
# | `token_embedding` | `[V, C]` | |
# | `position_embedding` | `[P, C]` | |
# | `blocks.i.norm_1`、`blocks.i.norm_2` | `[C]` | `[C]` |
# | `blocks.i.qkv_proj` | `[3 * C, C]` | `[3 * C]` |
# | `blocks.i.out_proj` | `[C, C]` | `[C]` |
# | `blocks.i.up_proj` | `[4 * C, C]` | `[4 * C]` |
# | `blocks.i.down_proj` | `[C, 4 * C]` | `[C]` |
# | `final_norm` | `[C]` | `[C]` |
#
# 测试按这些名字加载权重，`named_parameters()` 给出的名字必须正好是这些。
#
# 可以用 `F.scaled_dot_product_attention`；不许用 `torch.nn.MultiheadAttention`、`torch.nn.TransformerEncoderLayer` 及其同类。

# %%
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


# %% [markdown]
# ## 1. How large is it?
#
# The head is the token table used once more (question 3), so it has no line of its own.
# GPT-2 small has 124,439,808 parameters.

# %% [markdown] lang="zh"
# ## 1. 它有多大？
#
# 输出头就是词元嵌入表再用一次（见第 3 问），所以表里没有它的一行。GPT-2 small 有 124,439,808 个参数。


# %%
def num_params(config: GPTConfig) -> int:
    """Count the parameters of a GPT from its sizes, without building it.

    Args:
        config: the sizes.

    Returns:
        The number of entries of all parameters, positions too, each tensor once.
    """
    # BEGIN SOLUTION
    width = config.d_model
    norms = 2 * 2 * width
    attention = (width + 1) * 3 * width + (width + 1) * width
    feed_forward = (width + 1) * 4 * width + (4 * width + 1) * width
    embeddings = (config.vocab_size + config.block_size) * width
    return embeddings + config.num_layers * (norms + attention + feed_forward) + 2 * width
    # END SOLUTION


# %% [markdown]
# ## 2. The block
#
# $$y = x + \mathrm{Attention}(\mathrm{LN}_1(x)), \qquad z = y + \mathrm{FFN}(\mathrm{LN}_2(y))$$
#
# * `qkv_proj` gives queries, keys and values in one product: its first `C` outputs are the queries of all heads, the
#   next `C` the keys, the last `C` the values. Head `h` owns the channels `h * C / H` to `(h + 1) * C / H - 1` of each.
# * Attention is causal and scaled by the square root of the head's width; `out_proj` mixes the heads.
# * The activation is GELU **in its tanh form**, as GPT-2 was trained with.

# %% [markdown] lang="zh"
# ## 2. 一层
#
# $$y = x + \mathrm{Attention}(\mathrm{LN}_1(x)), \qquad z = y + \mathrm{FFN}(\mathrm{LN}_2(y))$$
#
# * `qkv_proj` 一次乘法得到查询、键和值：前 `C` 个输出是所有头的查询，接着 `C` 个是键，最后 `C` 个是值。在每一份里，第 `h` 个头拥有第 `h * C / H` 到第 `(h + 1) * C / H - 1` 个通道。
# * 注意力是因果的，除以头宽度的平方根；`out_proj` 把各头混合起来。
# * 激活函数是 **tanh 形式**的 GELU，GPT-2 就是用它训练的。


# %%
class Block(nn.Module):
    """One pre-norm layer of GPT-2.

    Args:
        config: the sizes; `d_model` is a multiple of `num_heads`.

    Source: Radford et al. 2019 (GPT-2), section 2.3.
    """

    def __init__(self, config: GPTConfig) -> None:
        """Make the parameters named `blocks.i.` in the table."""
        super().__init__()
        # BEGIN SOLUTION
        width = config.d_model
        self.num_heads = config.num_heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up_proj = nn.Linear(width, 4 * width)
        self.down_proj = nn.Linear(4 * width, width)
        # END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Add attention, then the feed-forward network.

        Args:
            x: float tensor [B, T, C].

        Returns:
            Float tensor [B, T, C]; position t depends on positions up to t.
        """
        # BEGIN SOLUTION
        projected = self.qkv_proj(self.norm_1(x)).unflatten(2, (3, self.num_heads, -1))
        q, k, v = projected.permute(2, 0, 3, 1, 4)  # [3, B, H, T, D]
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out_proj(heads.transpose(1, 2).flatten(2))
        hidden = F.gelu(self.up_proj(self.norm_2(x)), approximate="tanh")
        return x + self.down_proj(hidden)
        # END SOLUTION


# %% [markdown]
# ## 3. The model
#
# **Forward.** Add the embeddings of token and position, apply `blocks`, an `nn.ModuleList` of `Block`, then
# `final_norm`. The head is *tied*, without a bias: the logit of token $j$ is the dot product of the final vector with
# row $j$ of the token table. One tensor gets the gradients of both uses.
#
# **Initialisation.** Weights are normal with mean 0 and standard deviation 0.02, except `out_proj` and `down_proj` of
# each block: these write into the residual stream, `2 * L` times in all, and get $0.02 / \sqrt{2L}$. Biases are 0,
# the weights of norms 1.
#
# **Loss.** The logits at position t are for the token at t + 1.

# %% [markdown] lang="zh"
# ## 3. 整个模型
#
# **前向。** 词元嵌入加位置嵌入，依次经过 `blocks`（由 `Block` 组成的 `nn.ModuleList`），再经过 `final_norm`。输出头是**共享**的，没有偏置：词元 $j$ 的 logit 是最后的向量与词元嵌入表第 $j$ 行的点积。同一个张量，收到两处用途的梯度。
#
# **初始化。** 权重取均值 0、标准差 0.02 的正态分布，只有每层的 `out_proj` 和 `down_proj` 例外：写进残差流的就是这两个投影，总共写 `2 * L` 次，它们的标准差是 $0.02 / \sqrt{2L}$。偏置为 0，norm 的权重为 1。
#
# **损失。** 位置 t 的 logits 预测的是位置 t + 1 的词元。


# %%
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
        # BEGIN SOLUTION
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
        # END SOLUTION

    def forward(self, ids: Tensor) -> Tensor:
        """Score every token as the next one, after each position.

        Args:
            ids: int64 tensor [B, T] of tokens; positions count from 0.

        Returns:
            Logits, float tensor [B, T, V].

        Raises:
            ValueError: if T is above `block_size`.
        """
        # BEGIN SOLUTION
        length = ids.shape[1]
        if length > self.config.block_size:
            raise ValueError(f"{length} tokens are more than the {self.config.block_size} of block_size")
        x = self.token_embedding(ids) + self.position_embedding.weight[:length]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.final_norm(x), self.token_embedding.weight)
        # END SOLUTION

    def loss(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean cross-entropy of the next tokens.

        Args:
            ids: int64 tensor [B, T], T at least 2.
            labels: int64 tensor [B, T], each at its own token's place; -100 does not count. None stands for `ids`.

        Returns:
            Float tensor [], the mean over the labels that count (at least one does). No logits predict the first label.
        """
        # BEGIN SOLUTION
        targets = (ids if labels is None else labels)[:, 1:]
        return F.cross_entropy(self(ids)[:, :-1].flatten(0, 1), targets.flatten())
        # END SOLUTION


# %% [markdown]
# ## 4. Let it write
#
# At each step, append the token with the largest logit after the last position. A model reads
# `model.config.block_size` tokens at most: of a longer text, the last ones. `model` may be another than yours, with
# dropout: work in eval mode and without gradients, and leave it in the mode it was in.

# %% [markdown] lang="zh"
# ## 4. 让它写下去
#
# 每一步在末尾接上最后一个位置之后 logit 最大的词元。模型一次最多读 `model.config.block_size` 个词元；文本更长时，读最后的那些。`model` 不一定是你的 GPT，可能带 dropout：生成时要处于 eval 模式、不计算梯度，结束后模型回到原来的模式。


# %%
def generate(model: nn.Module, ids: Tensor, max_new_tokens: int) -> Tensor:
    """Continue each row.

    Args:
        model: maps ids [B, T] to logits [B, T, V]; has `config.block_size`.
        ids: int64 tensor [B, T], T at least 1.
        max_new_tokens: N, how many tokens are appended; 0 or more.

    Returns:
        int64 tensor [B, T + N], the rows of `ids` with what follows.
    """
    # BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(max_new_tokens):
            logits = model(ids[:, -model.config.block_size :])
            ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    model.train(was_training)
    return ids
    # END SOLUTION
