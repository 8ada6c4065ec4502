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
# # Serve it: cache, batch, sample, quantise
#
# `capstone/serve` · 90 minutes · difficulty 4/5 · [lesson](../../course/capstone/serve.md)

# %% [markdown] lang="zh"
# # 推理服务：缓存、批处理、采样与量化
#
# `capstone/serve` · 90 分钟 · 难度 4/5 · [讲义](../../course/capstone/serve.zh.md)

# %%
from autograder import check

# %% [markdown]
# A server reads all weights once for **everybody's** next token. Requests join when there is room and leave when they
# are done; nobody's answer depends on who sat beside them. You store weights in eight bits, and write the engine that
# runs several requests through a model, and the loop that serves them.
#
# `parts` holds the earlier exercises as modules: `parts.kv_cache`, `parts.sampling` and `parts.quantization`, with the
# names of their statements. Here they are your own files. Points are given for a run with the course's solutions of
# them. If you hand in yours as well, you are also told what *they* reached.
#
# * `N` tokens of any requests, `B` requests, `V` tokens of vocabulary, `C` width, `H` heads of width `D`.
# * All that the model returns is float64, and so are caches and draws.

# %% [markdown] lang="zh"
# 推理服务把全部权重读一遍，就给**每个人**都算出下一个词元。有空位时请求加入，答完就离开；不管身边坐着谁，谁的回答都不会因此改变。本题要写三样东西：把权重存成八比特，让几个请求一起通过模型的引擎，以及接待请求的主循环。
#
# `parts` 里是前面的练习，每个是一个模块：`parts.kv_cache`、`parts.sampling`、`parts.quantization`，里面的名字与各题的题面相同。在你这里，它们就是你自己的文件；计分时用的是课程给这几题的解答。如果把自己写的这几题也一起提交，还会告诉你**自己那一套**达到了什么水平。
#
# * `N` 个词元（来自任意几个请求），`B` 个请求，词表大小 `V`，宽度 `C`，`H` 个头，每个头宽 `D`。
# * 模型返回的一切都是 float64，缓存和随机数也是。

# %%
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# For each weight: a tensor, or the codes and scales of a matrix.
Stored = dict[str, Tensor | tuple[Tensor, Tensor]]


class Model:
    """Given: the GPT of models/gpt without attention. So methods take N tokens of whichever requests."""

    def __init__(self, num_heads: int, stored: Stored) -> None:
        self.stored, self.num_heads = stored, num_heads
        self.num_layers = sum(name.endswith("qkv_proj.weight") for name in stored)
        self.head_dim = self._plain("final_norm.weight").numel() // num_heads

    def _plain(self, name: str) -> Tensor:
        kept = self.stored[name]
        return kept.double() if isinstance(kept, Tensor) else kept[0].double() * kept[1].double()

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._plain(f"{name}.weight"), self._plain(f"{name}.bias"))

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens [N], positions [N] -> x [N, C]."""
        table, places = self._plain("token_embedding.weight"), self._plain("position_embedding.weight")
        return table[tokens] + places[positions]

    def project(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [N, C] -> queries, keys, values, [N, H, D] each."""
        projected = self._linear(f"blocks.{layer}.qkv_proj", self._norm(f"blocks.{layer}.norm_1", x))
        q, k, v = projected.unflatten(1, (3, self.num_heads, self.head_dim)).unbind(1)
        return q, k, v

    def finish_layer(self, layer: int, x: Tensor, heads: Tensor) -> Tensor:
        """x [N, C] before the layer, attention's output [N, H, D] -> x [N, C] after the layer."""
        x = x + self._linear(f"blocks.{layer}.out_proj", heads.flatten(1))
        hidden = self._linear(f"blocks.{layer}.up_proj", self._norm(f"blocks.{layer}.norm_2", x))
        return x + self._linear(f"blocks.{layer}.down_proj", F.gelu(hidden, approximate="tanh"))

    def logits(self, x: Tensor) -> Tensor:
        """x [N, C] after all layers -> scores of the next token [N, V]."""
        return self._norm("final_norm", x) @ self._plain("token_embedding.weight").T


@dataclass(frozen=True, eq=False)
class Request:
    """Given: what somebody asks of the server.

    name: no two are the same.
    prompt: token ids, at least one.
    draws: [K], K at least 1. Token k of the answer is drawn with draws[k], so the answer has at most K tokens.
    arrival: the step from which it may join.
    settings: keyword arguments for `next_token_probabilities`.
    """

    name: str
    prompt: list[int]
    draws: Tensor
    arrival: int = 0
    settings: dict[str, Any] = field(default_factory=dict)

# %% [markdown]
# ## 1. Weights in eight bits
#
# Store every matrix, embeddings too, as `parts.quantization.quantize_symmetric` gives it: a tuple of int8 codes and
# float32 scales, one a row. Vectors (biases, norms) stay as they are. Count the bytes of all that is stored.

# %% [markdown] lang="zh"
# ## 1. 八比特的权重
#
# 每个矩阵（包括两张嵌入表）都按 `parts.quantization.quantize_symmetric` 的结果存放：由 int8 编码和 float32 缩放系数（每行一个）组成的元组。向量（偏置、归一化的参数）保持原样。再数出存下来的东西一共多少字节。

# %%
def compress(parts: Any, weights: dict[str, Tensor]) -> tuple[Stored, int]:
    """Quantise a model's matrices.

    Args:
        parts: the earlier exercises.
        weights: name -> float32 tensor, a matrix [out, in] or a vector.

    Returns:
        The stored weights; their bytes.

    Example: a matrix [3, 5] and a vector [3] take 15 + 3 * 4 + 3 * 4 = 39 bytes.
    """
    raise NotImplementedError("compress")

# %%
check("capstone/serve")

# %% [markdown]
# ## 2. The engine
#
# * The attribute `caches` is a `dict`: for each request in the engine, by name, a list with one
#   `parts.kv_cache.KVCache` for each layer, of batch size 1 and with room for exactly `capacity` tokens.
# * No token runs twice, and `decode` runs the tokens of all its requests **together**: like `prefill`, it calls `embed`
#   once, and `project` and `finish_layer` once a layer. Only attention is each request's own, with its own cache.
# * A token's position is its place in its own text, counted from 0.

# %% [markdown] lang="zh"
# ## 2. 引擎
#
# * 属性 `caches` 是一个 `dict`：引擎里的每个请求，按名字对应一个列表，每层一个 `parts.kv_cache.KVCache`，批大小为 1，正好放得下 `capacity` 个词元。
# * 词元绝不跑第二遍，而且 `decode` 要让所有请求的词元**一起**跑：它和 `prefill` 一样，只调用一次 `embed`，每层各调用一次 `project` 和 `finish_layer`。只有注意力是各个请求用自己的缓存分别做的。
# * 词元的位置是它在自己那段文本里的序号，从 0 数起。

# %%
class Engine:
    """Requests in progress, and the model that they share."""

    def __init__(self, parts: Any, model: Model) -> None:
        """An engine without requests. `model` has the attributes and methods of `Model`."""
        raise NotImplementedError("Engine.__init__")

    def prefill(self, name: str, prompt: list[int], capacity: int) -> Tensor:
        """Let a request in, and run its prompt.

        Args:
            name: of the request.
            prompt: token ids.
            capacity: of its caches, at least the prompt.

        Returns:
            Logits after the prompt [V].
        """
        raise NotImplementedError("Engine.prefill")

    def decode(self, names: list[str], tokens: list[int]) -> Tensor:
        """Run one token of each of B requests.

        Args:
            names: of requests in the engine, in any order.
            tokens: the newest token of each.

        Returns:
            Logits [B, V], row i for names[i].

        Source: Yu et al. 2022 (Orca), section 3: selective batching.
        """
        raise NotImplementedError("Engine.decode")

    def release(self, name: str) -> None:
        """Let a request go."""
        raise NotImplementedError("Engine.release")

# %%
check("capstone/serve")

# %% [markdown]
# ## 3. Serve
#
# Steps are counted from 0. A request takes as many *slots* as tokens of it may run: its prompt and `K` new ones
# without the last, which is given out and never run. That number is its `capacity`. In each step:
#
# 1. **Join.** Who has arrived waits in a line, by arrival, then by place in `requests`. As long as its head fits, it
#    joins: the slots of all running requests may add up to `max_slots`. Nobody overtakes a head that doesn't fit.
# 2. **One token for each running request.** Those that have just joined get it from `engine.prefill`, all others
#    from **one** call of `engine.decode`; no others, no call. Two functions of `parts.sampling` draw a request's token:
#    `next_token_probabilities(logits, ids, **settings)` takes `[1, V]` and `[1, T]`, its own text so far (prompt and
#    answer); `sample(probabilities, draws)` takes `[1, V]` and `[1]`, its own draw.
# 3. **Leave.** A request whose new token is `end`, or that has `K` tokens now, is released. Its slots are free from
#    the next step on. An `end` inside a prompt ends nothing.

# %% [markdown] lang="zh"
# ## 3. 接待请求
#
# 时间按步来数，从 0 数起。一个请求最多会跑多少个词元，就占多少个**槽位**：提示词，加上 `K` 个新词元里除最后一个以外的（最后一个交出去就完了，不再跑）。这个数就是它的 `capacity`。每一步依次是：
#
# 1. **加入。** 已经到达的请求按到达的先后排队，同时到达的，在 `requests` 里靠前的排在前面。只要队首放得下，就让它加入：所有运行中的请求的槽位，合起来最多 `max_slots` 个。队首放不下时，后面的谁也不许插队。
# 2. **运行中的请求，每个得到一个词元。** 刚加入的从 `engine.prefill` 得到，其余的全部由**一次** `engine.decode` 得到；没有其余的，就不调用。请求的词元由 `parts.sampling` 的两个函数抽取：`next_token_probabilities(logits, ids, **settings)`，参数为 `[1, V]` 和 `[1, T]`，`ids` 是它自己到目前为止的文本（提示词和回答）；`sample(probabilities, draws)`，参数为 `[1, V]` 和 `[1]`，用它自己的随机数。
# 3. **离开。** 新词元是 `end`，或者已经有了 `K` 个词元，请求就释放。它的槽位从下一步起空出来。提示词里的 `end` 并不结束什么。

# %%
def serve(
    parts: Any, engine: Any, requests: Sequence[Request], max_slots: int, end: int
) -> list[tuple[list[int], int]]:
    """Answer all requests.

    Args:
        parts: the earlier exercises.
        engine: has the methods of `Engine`, and no request in it.
        requests: in any order; each fits alone.
        max_slots, end: as above.

    Returns:
        For each of `requests`, in order: the tokens of its answer, a drawn `end` among them; the step of the last one.

    Example: a request that arrives in step 3, alone, and whose second token is `end`, is done in step 4.

    Source: Yu et al. 2022 (Orca), section 3: iteration-level scheduling.
    """
    raise NotImplementedError("serve")

# %%
check("capstone/serve")
