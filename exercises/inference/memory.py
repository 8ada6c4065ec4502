# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: lang,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How much memory a model needs, training and serving
#
# `inference/memory` · 60 minutes · difficulty 2/5 · [lesson](../../course/inference/memory.md)

# %% [markdown] lang="zh"
# # LLM 显存需求
#
# `inference/memory` · 60 分钟 · 难度 2/5 · [讲义](../../course/inference/memory.zh.md)

# %%
from autograder import check

# %% [markdown]
# Does it fit? You write the calculator that answers before anything is started.
#
# * **Every result is an exact `int`.** 1 GB is $10^9$ bytes, 1 GiB is $2^{30}$ bytes.
# * `config` is a dict that describes a decoder such as GPT-2 or Llama:
#
# | key | meaning |
# |---|---|
# | `vocab_size`, `max_positions` | `V`; `P`, rows of the learned position table, perhaps 0 |
# | `num_layers`, `d_model`, `d_ff` | `L`; `C`, the model's width; `F`, the feed-forward network's inner width |
# | `num_heads`, `num_kv_heads`, `head_dim` | `H`; `H_kv`; `D`, a head's width, which needn't be `C / H` |
# | `gated` | True or False, as those below: whether the feed-forward network has a gate |
# | `qkv_bias` | whether the projections of queries, keys and values have biases |
# | `linear_bias` | the same of output projection and feed-forward network |
# | `norm_bias` | the same of the norms |
# | `tied` | whether the head uses the token table |
# | `dropout` | whether layers have dropout (question 3) |

# %% [markdown] lang="zh"
# 放得下吗？你要写一个计算器，不用真的启动就能回答。
#
# * **所有结果都是精确的 `int`**。1 GB 是 $10^9$ 字节，1 GiB 是 $2^{30}$ 字节。
# * `config` 是一个 dict，描述 GPT-2 或 Llama 这样的解码器：
#
# | 键名 | 含义 |
# |---|---|
# | `vocab_size`、`max_positions` | `V`；可学习的位置表的行数 `P`，可以是 0 |
# | `num_layers`、`d_model`、`d_ff` | `L`；模型宽度 `C`；前馈网络的内部宽度 `F` |
# | `num_heads`、`num_kv_heads`、`head_dim` | `H`；`H_kv`；一个头的宽度 `D`，不一定等于 `C / H` |
# | `gated` | True 或 False，以下各项也一样：前馈网络是否有门控 |
# | `qkv_bias` | 查询、键、值的投影是否带偏置 |
# | `linear_bias` | 输出投影和前馈网络是否带偏置 |
# | `norm_bias` | 归一化是否带偏置 |
# | `tied` | 输出头是否直接用词元嵌入表 |
# | `dropout` | 各层是否用 dropout（第 3 问） |

# %% [markdown]
# ## 1. Parameters
#
# * Token table `[V, C]`, position table `[P, C]`.
# * In each layer two norms, four projections (queries `[H * D, C]`, keys and values `[H_kv * D, C]` each, output
#   `[C, H * D]`) and the feed-forward network: up `[F, C]`, down `[C, F]`, and gate `[F, C]` if `gated`. A bias is
#   as long as the first axis.
# * One more norm after the last layer. A norm's weight is `[C]`, its bias too.
# * A head `[V, C]`, never with a bias. If tied, it is part of the embedding and not counted again.

# %% [markdown] lang="zh"
# ## 1. 参数
#
# * 词元嵌入表 `[V, C]`，位置表 `[P, C]`。
# * 每层有两个归一化、四个投影（查询 `[H * D, C]`，键和值各 `[H_kv * D, C]`，输出 `[C, H * D]`）和一个前馈网络：升维 `[F, C]`，降维 `[C, F]`，`gated` 时再加门控 `[F, C]`。偏置与第一个轴一样长。
# * 最后一层之后还有一个归一化。归一化的权重是 `[C]`，偏置也是。
# * 输出头 `[V, C]`，从不带偏置。若与嵌入共享，就算在嵌入里，不再另数。

# %%
def parameters(config: dict[str, int]) -> dict[str, int]:
    """How many parameters the model has, by part.

    Returns: {"embedding": both tables, "attention": projections, "feed_forward", "norm", "head"}, of all layers
        together; their sum is the model's size.

    Source: Radford et al. 2019 (GPT-2); Touvron et al. 2023, https://arxiv.org/abs/2307.09288 (Llama 2).
    """
    raise NotImplementedError("parameters")

# %%
check("inference/memory")

# %% [markdown]
# ## 2. What training keeps for each parameter
#
# | bytes, by `precision` | weight | gradient | master copy | one moment |
# |---|---|---|---|---|
# | `"float32"` | 4 | 4 | none | 4 |
# | `"mixed"` | 2 | 2 | 4 | 4 |
# | `"bfloat16"` | 2 | 2 | none | 2 |
#
# | `optimizer` | moments |
# |---|---|
# | `"adam"` | 2 |
# | `"adam8bit"` | 2, always of 1 byte each |
# | `"momentum"` | 1 |
# | `"sgd"` | none |
#
# Master copy and moments are the optimiser's state. A parameter that isn't trained, such as LoRA's base model's, has a
# weight and nothing else.

# %% [markdown] lang="zh"
# ## 2. 训练时每个参数要存什么
#
# | 字节数，按 `precision` | 权重 | 梯度 | 主副本 | 一个矩 |
# |---|---|---|---|---|
# | `"float32"` | 4 | 4 | 无 | 4 |
# | `"mixed"` | 2 | 2 | 4 | 4 |
# | `"bfloat16"` | 2 | 2 | 无 | 2 |
#
# | `optimizer` | 矩的个数 |
# |---|---|
# | `"adam"` | 2 |
# | `"adam8bit"` | 2，无论哪种精度都是每个 1 字节 |
# | `"momentum"` | 1 |
# | `"sgd"` | 无 |
#
# 主副本和矩合起来就是优化器状态。不训练的参数，例如 LoRA 底下的基座模型，只有权重，别的都没有。

# %%
def training_states(
    num_parameters: int, num_trainable: int, precision: str, optimizer: str
) -> dict[str, int]:
    """Bytes of what is kept for each parameter from step to step.

    Args:
        num_parameters: of the whole model.
        num_trainable: those of them that are trained.

    Returns: {"weights", "gradients", "optimizer"}, in bytes.

    Source: Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054, section 3.1; Dettmers et al. 2022,
    https://arxiv.org/abs/2110.02861 (8-bit Adam, here without the scales of its blocks).
    """
    raise NotImplementedError("training_states")

# %%
check("inference/memory")

# %% [markdown]
# ## 3. Activations
#
# For the backward pass each layer keeps these, **for every token of every sequence**, in 2 bytes a number, masks in 1.
# `T` is `tokens`.
#
# | | kept | numbers |
# |---|---|---|
# | norms | the input of each of the two | `C` each |
# | attention | the input that Q, K and V share | `C` |
# | | Q; K; V, before any repetition for groups | `H * D`; `H_kv * D`; `H_kv * D` |
# | *core* | the softmax's output | `H * T` |
# | *core* | with dropout: its mask, and its output | `H * T` each |
# | | the input of the output projection | `H * D` |
# | | with dropout: its mask | `C` |
# | feed-forward | its input | `C` |
# | | the activation function's input and output | `F` each |
# | | with a gate, also: the other factor, and the product | `F` each |
# | | with dropout: its mask | `C` |
#
# What isn't kept is computed anew: with `recompute="selective"` the lines of the *core*, with `"full"` all but the first
# norm's input, which is the layer's; `"none"` keeps everything. Embedding, last norm and head aren't counted.

# %% [markdown] lang="zh"
# ## 3. 激活值
#
# 反向传播要用到前向传播的结果。**对每条序列的每个词元**，每层都要留下表里这些数；每个数占 2 字节，只有掩码占 1 字节。`T` 就是 `tokens`。
#
# | | 留下什么 | 多少个数 |
# |---|---|---|
# | 归一化 | 两个归一化各自的输入 | 各 `C` |
# | 注意力 | Q、K、V 三个投影共用的输入 | `C` |
# | | Q；K；V，尚未按组重复 | `H * D`；`H_kv * D`；`H_kv * D` |
# | *核心* | softmax 的输出 | `H * T` |
# | *核心* | 有 dropout 时：它的掩码和它的输出 | 各 `H * T` |
# | | 输出投影的输入 | `H * D` |
# | | 有 dropout 时：它的掩码 | `C` |
# | 前馈网络 | 它的输入 | `C` |
# | | 激活函数的输入和输出 | 各 `F` |
# | | 有门控时，另加：另一个因子，以及乘积 | 各 `F` |
# | | 有 dropout 时：它的掩码 | `C` |
#
# 没留下的，到反向传播时重新计算：`recompute="selective"` 不留*核心*那几样；`"full"` 每层只留第一个归一化的输入，也就是这一层的输入；`"none"` 全都留。嵌入、最后的归一化和输出头不算在内。

# %%
def activations(config: dict[str, int], tokens: int, batch: int, recompute: str = "none") -> int:
    """Bytes of the activations that all layers keep for the backward pass.

    Args:
        tokens: length of each sequence.
        batch: number of sequences.

    Raises:
        ValueError: for another word as `recompute`.

    Source: Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198, section 4.1 and table 2.
    """
    raise NotImplementedError("activations")

# %%
check("inference/memory")

# %% [markdown]
# ## 4. Serving
#
# A server holds the weights, a reserve (for activations and the framework) and a KV cache for each sequence: keys and
# values of every token, in all layers. Each sequence gets room for its full length. How many fit at once?

# %% [markdown] lang="zh"
# ## 4. 推理服务
#
# 推理服务的显存里有权重、一份预留（给激活值和框架），还有每条序列的 KV 缓存：每个词元在所有层里的键和值。每条序列都按最大长度留位置。最多能同时放下几条？

# %%
def serving(
    config: dict[str, int],
    memory: int,
    unit: str,
    weights: int,
    reserve: int,
    tokens: int,
    item_bytes: int = 2,
) -> dict[str, int]:
    """The KV cache, and the largest batch that fits.

    Args:
        memory: of the GPU, in `unit`, "GB" or "GiB".
        weights, reserve: in bytes.
        tokens: full length of a sequence, prompt and answer.
        item_bytes: of one number in the cache.

    Returns: {"kv_per_token": bytes of one token's keys and values, "batch": whole sequences that fit, never below 0}.

    Source: Kwon et al. 2023, https://arxiv.org/abs/2309.06180, section 3.
    """
    raise NotImplementedError("serving")

# %%
check("inference/memory")
