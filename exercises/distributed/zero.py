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
# # ZeRO stages 1, 2 and 3
#
# `distributed/zero` · 60 minutes · difficulty 3/5 · [lesson](../../course/distributed/zero.md)

# %% [markdown] lang="zh"
# # ZeRO 优化器并行
#
# `distributed/zero` · 60 分钟 · 难度 3/5 · [讲义](../../course/distributed/zero.zh.md)

# %%
from autograder import check

# %% [markdown]
# Plain data parallelism copies everything to every GPU: parameters, gradients, and the optimiser's state,
# which is the largest of the three. **ZeRO** (the *zero redundancy optimiser*) keeps the data parallelism and
# removes the copies: each of `N` ranks owns one `N`-th and fetches the rest when it is needed. You build the
# partition, the three stages, and the model of what each one costs.
#
# **Conventions of this file**
#
# * `comm` connects the ranks: `comm.rank` is 0 to N-1, `comm.world_size` is N, and its collectives (listed
#   below) take and return 1-D tensors. Every rank must call the same collectives in the same order.
# * The parameters of a model, or of a layer, lie in one *flat* tensor `[n]`. Nothing guarantees that `n` is
#   divisible by `N`, nor that `n >= N`.
# * Each rank sees its own part of the batch. The gradient of a step is the **mean** over ranks.
# * The optimiser is AdamW. It is given (`adamw`): one step on any flat tensor, with a state of that size.
#   A state is `None` before the first step, then what the step before returned. `hyper` holds keyword
#   arguments of `adamw`, the same on every rank.
# * Whatever the stage, a step gives the numbers that one process without any sharding would get.
# * Results, and what the ranks send, have the dtype of the inputs. No function changes its arguments.
#
# `comm` in tests is either a connection between N real processes (or threads), or a stand-in that plays one
# rank and writes down what you call. The module of PyTorch that turns parameters into a vector and back is
# not allowed, since that is question 1; `cat`, `split`, `view`, `pad` and slices are.
#
# Source: Rajbhandari et al. 2020, *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*,
# sections 5 to 7, [arXiv:1910.02054](https://arxiv.org/abs/1910.02054).

# %% [markdown] lang="zh"
# 普通的数据并行在每张卡上都放一整份：参数、梯度，还有三者中最占地方的优化器状态。**ZeRO**（零冗余优化器）
# 保留数据并行，去掉这些重复：`N` 个 rank 各管 `N` 分之一，其余的用到时再取。本题要写的是：切分、三个阶段，
# 以及各阶段代价的公式。
#
# **本文件的约定**
#
# * `comm` 把各个 rank 连在一起：`comm.rank` 取 0 到 N-1，`comm.world_size` 就是 N；它的集合通信（见下文）
#   收、发的都是一维张量。所有 rank 必须以相同的顺序调用相同的集合通信。
# * 一个模型或一层的参数放在一个**扁平**张量 `[n]` 里。`n` 不一定能被 `N` 整除，也可能比 `N` 还小。
# * 每个 rank 只看到批次中自己的那一份数据。一步的梯度是各 rank 梯度的**平均**。
# * 优化器是 AdamW，已经给出（`adamw`）：对任意扁平张量走一步，状态与该张量一样大。第一步之前状态是 `None`，
#   之后就是上一步返回的状态。`hyper` 是传给 `adamw` 的关键字参数，各 rank 相同。
# * 无论哪个阶段，走一步得到的数都要与完全不切分的单进程训练一致。
# * 结果和各 rank 发送的张量，dtype 都与输入相同；函数不得修改传入的参数。
#
# 测试中的 `comm` 有两种：一种连接 N 个真正的进程（或线程），另一种是替身，扮演其中一个 rank，并记下你的每次调用。
# PyTorch 里把参数拼成向量、再拆回来的模块不许用，因为那正是第 1 题；`cat`、`split`、`view`、`pad` 和切片都可以用。
#
# 出处：Rajbhandari 等，2020，*ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*，
# 第 5 至 7 节，[arXiv:1910.02054](https://arxiv.org/abs/1910.02054)。

# %%
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


# GIVEN comm
class Comm(Protocol):
    """One rank's connection to the others. A ring sends, for a full tensor of P bytes, (N-1)/N times:"""

    rank: int
    world_size: int

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """[n] -> [n]: the sum over ranks, on every rank. 2P."""

    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        """[n] -> [n / N]: the sum over ranks, cut into N equal parts; rank r gets part r. n % N == 0. 1P."""

    def all_gather(self, tensor: Tensor) -> Tensor:
        """[n] -> [n * N]: all ranks' tensors, joined in rank order, on every rank. 1P (of the result)."""

    def broadcast(self, tensor: Tensor, src: int) -> Tensor:
        """[n] -> [n]: the tensor of rank `src`, on every rank. 1P."""


# END GIVEN


# GIVEN adamw
State = dict[str, Any]


def adamw(
    params: Tensor,
    grads: Tensor,
    state: State | None,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, State]:
    """Given. One step of AdamW on a flat tensor [n]: the new parameters [n] and the new state.

    Every element goes its own way: it meets its own gradient and its own two averages, no other element.
    The state holds "step", "exp_avg" [n] and "exp_avg_sq" [n]. (Loshchilov and Hutter 2019, algorithm 2.)
    """
    if state is None:
        state = {"step": 0, "exp_avg": torch.zeros_like(params), "exp_avg_sq": torch.zeros_like(params)}
    step = state["step"] + 1
    exp_avg = betas[0] * state["exp_avg"] + (1 - betas[0]) * grads
    exp_avg_sq = betas[1] * state["exp_avg_sq"] + (1 - betas[1]) * grads * grads
    root = (exp_avg_sq / (1 - betas[1] ** step)).sqrt() + eps
    decayed = params * (1 - lr * weight_decay)
    updated = decayed - lr * (exp_avg / (1 - betas[0] ** step)) / root
    return updated, {"step": step, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}


# END GIVEN

# %% [markdown]
# ## 1. The flat padded partition
#
# Tensors of any shapes, joined into one flat tensor, cut into `N` equal shards. Flattening each tensor in
# row-major order (as `tensor.reshape(-1)` does) and joining them in the order given makes `n` numbers. A
# shard has `ceil(n / N)` of them: the fewest with which `N` equal shards hold everything. What is missing
# is padding: **zeros, all at the very end**. Shard `r` is the `r`-th run of neighbouring numbers.
#
# So 5 numbers on 4 ranks make shards of 2, and rank 3 has nothing but padding. If `n` is divisible by `N`,
# nothing is padded. A shard may cut through the middle of a tensor: nobody minds, because AdamW treats every
# element alone.

# %% [markdown] lang="zh"
# ## 1. 补齐后的扁平切分
#
# 把任意形状的几个张量接成一个扁平张量，再切成 `N` 个等长的分片。每个张量按行优先展平（同 `tensor.reshape(-1)`），
# 按给定的先后顺序相接，共 `n` 个数。每个分片含 `ceil(n / N)` 个数，这是 `N` 个等长分片装得下全部内容的最小长度。
# 不足的部分补 **0，全部补在最末尾**。第 `r` 个分片就是第 `r` 段相邻的数。
#
# 例如 5 个数分给 4 个 rank，每个分片 2 个数，rank 3 拿到的全是补齐的 0。`n` 能被 `N` 整除时什么也不补。
# 分片的边界可以落在某个张量的中间，这没有关系：AdamW 对每个元素都是单独处理的。

# %%
class FlatPartition:
    """How tensors of these shapes are spread over `world_size` ranks."""

    def __init__(self, shapes: Sequence[Sequence[int]], world_size: int) -> None:
        """Given.

        Args:
            shapes: the shape of each tensor, in order; every tensor holds at least one element.
            world_size: N, at least 1.
        """
        self.shapes = [torch.Size(shape) for shape in shapes]
        self.world_size = world_size

    def flatten(self, tensors: Sequence[Tensor]) -> Tensor:
        """Join the tensors and pad.

        Args:
            tensors: one tensor for each shape, all of one dtype; not necessarily contiguous.

        Returns:
            Flat tensor [N * ceil(n / N)].
        """
        raise NotImplementedError("FlatPartition.flatten")

    def shard(self, flat: Tensor, rank: int) -> Tensor:
        """What one rank owns.

        Args:
            flat: padded flat tensor [N * ceil(n / N)], as `flatten` gives it.
            rank: 0 to N-1.

        Returns:
            Flat tensor [ceil(n / N)].
        """
        raise NotImplementedError("FlatPartition.shard")

    def unflatten(self, flat: Tensor) -> list[Tensor]:
        """Undo `flatten`.

        Args:
            flat: padded flat tensor [N * ceil(n / N)].

        Returns:
            One tensor for each shape, without the padding.
        """
        raise NotImplementedError("FlatPartition.unflatten")

# %%
check("distributed/zero")

# %% [markdown]
# ## 2. Stage 1: sharded optimiser state
#
# Every rank still holds all parameters and computes a gradient for all of them. But each rank runs the
# optimiser on its own shard only, so that it needs the optimiser's state for that shard only.
#
# The ranks communicate exactly twice: one reduce-scatter, then one all-gather, each over the padded flat
# tensor. That sends what data parallelism with its all-reduce sends: `2n` numbers, times `(N-1)/N`.
# You may leave communication out where `N` is 1.

# %% [markdown] lang="zh"
# ## 2. 阶段 1：切分优化器状态
#
# 每个 rank 仍有全部参数，也为全部参数算出梯度；但每个 rank 只对自己的分片运行优化器，
# 因此也只需要保存这个分片的优化器状态。
#
# 各 rank 之间恰好通信两次：先一次 reduce-scatter，再一次 all-gather，对象都是补齐后的扁平张量。
# 发送量与数据并行的一次 all-reduce 相同：`2n` 个数，再乘 `(N-1)/N`。`N` 为 1 时可以不通信。

# %%
def stage1_step(
    comm: Comm, params: Tensor, grads: Tensor, state: State | None, hyper: dict[str, Any]
) -> tuple[Tensor, State]:
    """One training step of ZeRO stage 1 on one rank.

    Args:
        comm: the connection to the other ranks.
        params: all parameters, [n], the same on every rank.
        grads: the gradient of this rank's part of the batch, [n].
        state: the optimiser's state for this rank's shard, or None before the first step.
        hyper: keyword arguments of `adamw`.

    Returns:
        All parameters after the step, [n], the same on every rank; and the state of this rank's shard, whose
        averages are [ceil(n / N)].

    Source: Rajbhandari et al. 2020, section 5.1.
    """
    raise NotImplementedError("stage1_step")

# %%
check("distributed/zero")

# %% [markdown]
# ## 3. Stage 2: sharded gradients
#
# In stage 1 the whole gradient exists on every rank until it is reduced. Stage 2 reduces it *while* the
# backward pass runs, layer by layer, and keeps the own shard only. The model comes as a list of `L` layers,
# each a flat tensor of its own, and **each layer is padded and partitioned for itself**.
#
# `backward(i)` runs the backward pass of layer `i` and returns this rank's gradient for it. It must be called
# once for each layer, from the last (`L-1`) to the first (`0`); anything else is an error. The gradient of
# one layer must be reduce-scattered **before** `backward` is called for the next. This order is what the tests
# look at. They can't see whether you then let go of the full gradient, which is what saves the memory: check
# for yourself that nothing refers to it any more.
#
# There are `2L` collectives: one reduce-scatter and one all-gather for each layer. When the all-gathers come,
# inside the loop or after it, is up to you.

# %% [markdown] lang="zh"
# ## 3. 阶段 2：切分梯度
#
# 阶段 1 里，整份梯度在归约之前一直待在每个 rank 上。阶段 2 在反向传播**进行当中**就逐层归约，只留自己的分片。
# 模型是 `L` 层的列表，每层是一个扁平张量，**每一层各自补齐、各自切分**。
#
# `backward(i)` 执行第 `i` 层的反向传播，返回本 rank 在该层的梯度。每层恰好调用一次，
# 从最后一层（`L-1`）到第一层（`0`），否则就会报错。一层的梯度必须**先** reduce-scatter，
# 然后才能为下一层调用 `backward`。测试检查的就是这个先后顺序。归约之后完整的梯度是否真的放掉了，测试看不到，
# 而省显存靠的正是这一步：请自己确认，再没有什么引用着它。
#
# 一共 `2L` 次集合通信：每层一次 reduce-scatter，一次 all-gather。all-gather 放在循环里还是循环之后，由你决定。

# %%
def stage2_step(
    comm: Comm,
    layers: Sequence[Tensor],
    backward: Callable[[int], Tensor],
    states: Sequence[State | None],
    hyper: dict[str, Any],
) -> tuple[list[Tensor], list[State]]:
    """One training step of ZeRO stage 2 on one rank.

    Args:
        comm: the connection to the other ranks.
        layers: the parameters of each layer, [n_i], the same on every rank.
        backward: layer index -> gradient of this rank's part of the batch, [n_i].
        states: the optimiser's state for this rank's shard of each layer, or None before the first step.
        hyper: keyword arguments of `adamw`.

    Returns:
        The layers after the step, each [n_i], and the states of this rank's shards, whose averages are
        [ceil(n_i / N)]; both in the order of `layers`.

    Source: Rajbhandari et al. 2020, sections 5.2 and 7.2.1.
    """
    raise NotImplementedError("stage2_step")

# %%
check("distributed/zero")

# %% [markdown]
# ## 4. Stage 3: sharded parameters
#
# Now the parameters, too, exist only as shards. A layer's full weights are gathered just before the layer
# runs and let go right after it: in the forward pass, and **once more** in the backward pass, for every
# layer, the last one included. At no time does a rank hold the full weights of more than two layers (two,
# because the variable of the layer before may still be alive during a gather). The same goes for full
# gradients. One test runs a model that is larger than the memory it may use.
#
# The model is passed in. `weights` are always the `n_i` weights of layer `i`, without padding:
#
# * `model.forward(i, weights, x)` returns the output of layer `i` for its input `x`;
# * `model.loss_gradient(output)` returns the gradient of the loss at the output of the last layer;
# * `model.backward(i, weights, x, grad_output)` takes the **input** `x` that layer `i` had in the forward
#   pass, and the gradient at its output. It returns the gradient at its input, and the gradient of its
#   weights, `[n_i]`.
#
# The exact order: for each layer, first to last: gather, forward. Then the loss gradient. Then for each
# layer, last to first: gather, backward, reduce-scatter. These are `3L` collectives, and no other. The
# updated shards stay where they are: the next step will gather them.

# %% [markdown] lang="zh"
# ## 4. 阶段 3：切分参数
#
# 现在连参数也只以分片的形式存在。一层的完整权重在这层运行之前才收集，用完立刻放掉：前向时收集一次，
# 反向时**再收集一次**，每一层都如此，最后一层也不例外。任何时刻，一个 rank 手里最多有两层的完整权重
# （允许两层，是因为收集时上一层的变量可能还活着）。完整梯度也一样。有一项测试的模型比允许使用的内存还要大。
#
# 模型由参数传入。`weights` 总是第 `i` 层的 `n_i` 个权重，不含补齐的部分：
#
# * `model.forward(i, weights, x)`：输入为 `x` 时第 `i` 层的输出；
# * `model.loss_gradient(output)`：损失对最后一层输出的梯度；
# * `model.backward(i, weights, x, grad_output)`：`x` 是第 `i` 层在前向时的**输入**，`grad_output`
#   是损失对该层输出的梯度。返回两项：对该层输入的梯度，对该层权重的梯度 `[n_i]`。
#
# 确切的顺序：从第一层到最后一层，每层先收集，再前向；然后求损失的梯度；再从最后一层到第一层，每层先收集，
# 再反向，再 reduce-scatter。总共 `3L` 次集合通信，没有别的。更新后的分片留在原处，下一步自然会收集它们。

# %%
class Model(Protocol):
    """The interface of the models that question 4 is given."""

    def forward(self, i: int, weights: Tensor, x: Tensor) -> Tensor:
        """The output of layer i."""

    def loss_gradient(self, output: Tensor) -> Tensor:
        """The gradient at the output of the last layer."""

    def backward(self, i: int, weights: Tensor, x: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients at the input of layer i and of its weights."""

# %%
def stage3_step(
    comm: Comm,
    shards: Sequence[Tensor],
    sizes: Sequence[int],
    states: Sequence[State | None],
    model: Model,
    x: Tensor,
    hyper: dict[str, Any],
) -> tuple[list[Tensor], list[State]]:
    """One training step of ZeRO stage 3 on one rank.

    Args:
        comm: the connection to the other ranks.
        shards: this rank's shard of each layer, [ceil(n_i / N)], padding included.
        sizes: n_i, the number of weights of each layer.
        states: the optimiser's state for each of the shards, or None before the first step.
        model: what runs the layers.
        x: the input of the first layer, this rank's part of the batch.
        hyper: keyword arguments of `adamw`.

    Returns:
        The shards after the step and the states of the shards, both in the order of the layers.

    Source: Rajbhandari et al. 2020, sections 5.3 and 7.2.2.
    """
    raise NotImplementedError("stage3_step")

# %%
check("distributed/zero")

# %% [markdown]
# ## 5. What each stage costs
#
# In mixed precision a parameter takes 2 bytes for itself (float16), 2 for its gradient (float16), and
# `optimizer_bytes` for the state of the optimiser: 12 with Adam, that is 4 each for a float32 copy of the
# parameter, the first and the second moment. Stage 0 is plain data parallelism. Stage 1 divides the
# optimiser's state by `N`, stage 2 also the gradients, stage 3 also the parameters.
#
# Parameters and gradients cross the network as float16. Stage 0 all-reduces the gradients; the other stages
# communicate as in questions 2 to 4. Count as `Comm` does: reduce-scatter and all-gather of a full tensor of
# P bytes send `P (N-1)/N` from each rank, all-reduce twice that. Ignore padding, activations and buffers. Don't
# round: a rank's share may be a fraction of a byte.

# %% [markdown] lang="zh"
# ## 5. 各阶段的代价
#
# 混合精度训练中，每个参数本身占 2 字节（float16），梯度 2 字节（float16），优化器状态占 `optimizer_bytes` 字节：
# 用 Adam 时是 12，即 float32 参数副本、一阶矩、二阶矩各 4 字节。阶段 0 就是普通的数据并行。
# 阶段 1 把优化器状态除以 `N`，阶段 2 再把梯度除以 `N`，阶段 3 连参数也除以 `N`。
#
# 参数和梯度以 float16 在网络上传输。阶段 0 对梯度做 all-reduce，其余阶段的通信同第 2 至 4 题。计数方法同 `Comm`：
# 完整张量为 P 字节时，reduce-scatter 和 all-gather 让每个 rank 发送 `P (N-1)/N` 字节，all-reduce 是它的两倍。
# 补齐、激活值和缓冲区都忽略不计。结果不要取整：除不尽时，一份可以不是整数个字节。

# %%
def costs(num_params: int, world_size: int, stage: int, optimizer_bytes: int = 12) -> dict[str, float]:
    """The memory that one rank needs for model states, and what it sends in one training step.

    Args:
        num_params: Psi, the number of parameters of the model.
        world_size: N, at least 1.
        stage: 0, 1, 2 or 3.
        optimizer_bytes: K, bytes of optimiser state for each parameter.

    Returns:
        "parameters", "gradients", "optimizer": bytes that one rank holds; "sent": bytes that one rank sends.

    Raises:
        ValueError: if there is no such stage, or `world_size` is less than 1.

    Source: Rajbhandari et al. 2020, figure 1 and section 7.2.
    """
    raise NotImplementedError("costs")

# %%
check("distributed/zero")
