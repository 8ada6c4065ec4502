# %% [markdown]
# Plain data parallelism copies everything to every GPU: parameters, gradients and, largest of all, the
# optimiser's state. **ZeRO** (the *zero redundancy optimiser*) removes the copies: each of `N` ranks owns one
# `N`-th and fetches the rest when it is needed.
#
# * `comm` connects the ranks: `comm.rank` is 0 to N-1, `comm.world_size` is N. Its collectives take and
#   return 1-D tensors. Every rank must call the same ones in the same order.
# * Parameters lie in one *flat* tensor `[n]`; `N` needn't divide `n`, and may be larger.
# * Each rank sees its own part of the batch. The gradient of a step is the **mean** over ranks.
# * `adamw`, given, makes one step on any flat tensor. `hyper` holds its keyword arguments.
# * A step gives the numbers that one process without sharding would get.
#
# PyTorch's `parameters_to_vector` is not allowed.
#
# Source: Rajbhandari et al. 2020, [arXiv:1910.02054](https://arxiv.org/abs/1910.02054), sections 5 to 7.

# %% [markdown] lang="zh"
# 普通的数据并行在每张卡上都放一整份：参数、梯度，还有三者中最占地方的优化器状态。**ZeRO**（零冗余优化器）去掉这些重复：`N` 个 rank 各管 `N` 分之一，其余的用到时再取。
#
# * `comm` 把各个 rank 连在一起：`comm.rank` 取 0 到 N-1，`comm.world_size` 就是 N。它的集合通信收、发的都是一维张量。所有 rank 必须以相同的顺序调用相同的集合通信。
# * 参数放在一个**扁平**张量 `[n]` 里。`n` 不一定能被 `N` 整除，也可能比 `N` 还小。
# * 每个 rank 只看到批次中自己的那一份数据。一步的梯度是各 rank 梯度的**平均**。
# * `adamw` 已经给出，对任意扁平张量走一步。`hyper` 是传给它的关键字参数。
# * 走一步得到的数要与完全不切分的单进程训练一致。
#
# PyTorch 的 `parameters_to_vector` 不许用。
#
# 出处：Rajbhandari 等 2020，[arXiv:1910.02054](https://arxiv.org/abs/1910.02054)，第 5 至 7 节。

# %%
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


# GIVEN comm
class Comm(Protocol):
    """One rank's connection to the others. For a full tensor of P bytes a rank sends (N-1)/N times:"""

    rank: int
    world_size: int

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """[n] -> [n]: the sum over ranks, on every rank. 2P."""

    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        """[n] -> [n / N]: the sum over ranks, cut into N equal parts; rank r gets part r. 1P."""

    def all_gather(self, tensor: Tensor) -> Tensor:
        """[n] -> [n * N]: all ranks' tensors, joined in rank order, on every rank. 1P of the result."""

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

    The state holds "step", "exp_avg" [n] and "exp_avg_sq" [n]; it is None before the first
    step. (Loshchilov and Hutter 2019, algorithm 2.)
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
# Flatten each tensor row by row, join them in order, and fill up with zeros **at the very end** to `N` shards
# of `ceil(n / N)` numbers. Shard `r` is the `r`-th run of neighbours; it may cut through a tensor. So 5
# numbers on 4 ranks make shards of 2, and rank 3 has nothing but padding.

# %% [markdown] lang="zh"
# ## 1. 补齐后的扁平切分
#
# 每个张量逐行展平，按先后顺序相接，再在**最末尾**补 0，凑成 `N` 个分片，每个分片 `ceil(n / N)` 个数。第 `r` 个分片就是第 `r` 段相邻的数，边界可以落在某个张量的中间。例如 5 个数分给 4 个 rank，每个分片 2 个数，rank 3 拿到的全是补齐的 0。


# %%
class FlatPartition:
    """How tensors of these shapes are spread over `world_size` ranks."""

    def __init__(self, shapes: Sequence[Sequence[int]], world_size: int) -> None:
        """Given. `shapes`: the shape of each tensor, in order. `world_size`: N."""
        self.shapes = [torch.Size(shape) for shape in shapes]
        self.world_size = world_size

    def flatten(self, tensors: Sequence[Tensor]) -> Tensor:
        """Join the tensors, one for each shape, and pad: a flat tensor [N * ceil(n / N)]."""
        # BEGIN SOLUTION
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        shard_size = -(-flat.numel() // self.world_size)
        return F.pad(flat, (0, shard_size * self.world_size - flat.numel()))
        # END SOLUTION

    def shard(self, flat: Tensor, rank: int) -> Tensor:
        """What one rank owns of a padded flat tensor: [N * ceil(n / N)] -> [ceil(n / N)]."""
        # BEGIN SOLUTION
        return flat.view(self.world_size, -1)[rank]
        # END SOLUTION

    def unflatten(self, flat: Tensor) -> list[Tensor]:
        """Undo `flatten`: one tensor for each shape, without the padding."""
        # BEGIN SOLUTION
        sizes = [shape.numel() for shape in self.shapes]
        parts = flat[: sum(sizes)].split(sizes)
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        # END SOLUTION


# %% [markdown]
# ## 2. Stage 1: sharded optimiser state
#
# Every rank still has all parameters and all gradients, but it runs the optimiser on its own shard only, and
# keeps the state of that shard only. The ranks communicate exactly twice: one reduce-scatter, then one
# all-gather, each over the padded flat tensor. (Where `N` is 1 you may leave them out.)

# %% [markdown] lang="zh"
# ## 2. 阶段 1：切分优化器状态
#
# 每个 rank 仍有全部参数，也有全部参数的梯度；但它只对自己的分片运行优化器，也只保存这个分片的优化器状态。各 rank 之间恰好通信两次：先一次 reduce-scatter，再一次 all-gather，对象都是补齐后的扁平张量。（`N` 为 1 时可以不通信。）


# %%
def stage1_step(
    comm: Comm, params: Tensor, grads: Tensor, state: State | None, hyper: dict[str, Any]
) -> tuple[Tensor, State]:
    """One step of ZeRO stage 1 on one rank (section 5.1 of the paper).

    Args:
        params: all, [n].
        grads: this rank's, [n].
        state: of this rank's shard, averages [ceil(n / N)].

    Returns: all new parameters [n], and the new state of this rank's shard.
    """
    # BEGIN SOLUTION
    partition = FlatPartition([params.shape], comm.world_size)
    own_grads = comm.reduce_scatter(partition.flatten([grads])) / comm.world_size
    own_params = partition.shard(partition.flatten([params]), comm.rank)
    own_params, state = adamw(own_params, own_grads, state, **hyper)
    return partition.unflatten(comm.all_gather(own_params))[0], state
    # END SOLUTION


# %% [markdown]
# ## 3. Stage 2: sharded gradients
#
# Stage 2 reduces the gradient *while* the backward pass runs, and keeps only its own shard. The model comes
# as `L` layers, **each padded and partitioned for itself**.
#
# `backward(i)` returns this rank's gradient of layer `i`. Call it once for each layer, from the last to the
# first, and reduce-scatter a layer's gradient, and let go of it, **before** you ask for the next. Each layer
# also has one all-gather, in the loop or after it.

# %% [markdown] lang="zh"
# ## 3. 阶段 2：切分梯度
#
# 阶段 2 在反向传播**进行当中**就归约梯度，只留自己的分片。模型分成 `L` 层，**每一层各自补齐、各自切分**。
#
# `backward(i)` 返回本 rank 上第 `i` 层的梯度。每层恰好调用一次，从最后一层到第一层；一层的梯度要**先** reduce-scatter 并放掉，然后才能去要下一层的。每层还有一次 all-gather，放在循环里还是循环之后都可以。


# %%
def stage2_step(
    comm: Comm,
    layers: Sequence[Tensor],
    backward: Callable[[int], Tensor],
    states: Sequence[State | None],
    hyper: dict[str, Any],
) -> tuple[list[Tensor], list[State]]:
    """One step of ZeRO stage 2 on one rank (section 5.2).

    Args:
        layers: their parameters, [n_i].
        backward: layer index -> this rank's gradient, [n_i].
        states: of this rank's shard of each layer, averages [ceil(n_i / N)].

    Returns: the new layers and states, both in the order of `layers`.
    """
    # BEGIN SOLUTION
    new_layers, new_states = [], []
    for i in reversed(range(len(layers))):
        partition = FlatPartition([layers[i].shape], comm.world_size)
        own_grads = comm.reduce_scatter(partition.flatten([backward(i)])) / comm.world_size
        own_params = partition.shard(partition.flatten([layers[i]]), comm.rank)
        own_params, state = adamw(own_params, own_grads, states[i], **hyper)
        new_layers.append(partition.unflatten(comm.all_gather(own_params))[0])
        new_states.append(state)
    return new_layers[::-1], new_states[::-1]
    # END SOLUTION


# %% [markdown]
# ## 4. Stage 3: sharded parameters
#
# Now parameters, too, exist only as shards. A layer's weights are gathered just before it runs and let go
# right after: in the forward pass, and **once more** in the backward pass. At no time does a rank hold the
# full weights, or the full gradients, of more than two layers: one test runs a model that is larger than the
# memory it may use.
#
# The order: for each layer, first to last: all-gather, forward. Then the loss gradient. Then for each layer,
# last to first: all-gather, backward, reduce-scatter. Nothing else is sent. A model's `weights` are the `n_i`
# numbers of layer `i`, without padding.

# %% [markdown] lang="zh"
# ## 4. 阶段 3：切分参数
#
# 现在连参数也只以分片的形式存在。一层的权重在这层运行之前才收集，用完立刻放掉：前向时一次，反向时**再一次**。任何时刻，一个 rank 手里最多有两层的完整权重，完整梯度也一样：有一项测试的模型比允许使用的内存还要大。
#
# 顺序：从第一层到最后一层，每层先 all-gather，再前向；然后求损失的梯度；再从最后一层到第一层，每层先 all-gather，再反向，再 reduce-scatter。除此之外不再通信。传给模型的 `weights` 是第 `i` 层的 `n_i` 个数，不含补齐的部分。


# %%
class Model(Protocol):
    """What question 4 calls."""

    def forward(self, i: int, weights: Tensor, x: Tensor) -> Tensor:
        """The output of layer i for its input x."""

    def loss_gradient(self, output: Tensor) -> Tensor:
        """The gradient at the output of the last layer."""

    def backward(self, i: int, weights: Tensor, x: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients at the input x that layer i had, and of its weights [n_i]."""


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
    """One step of ZeRO stage 3 on one rank (section 5.3).

    Args:
        shards: this rank's shard of each layer, [ceil(n_i / N)], padding included.
        sizes: n_i.
        x: this rank's part of the batch, the input of the first layer.

    Returns: the new shards and states, both in the order of the layers.
    """
    # BEGIN SOLUTION
    partitions = [FlatPartition([(size,)], comm.world_size) for size in sizes]

    def gathered(i: int) -> Tensor:
        return partitions[i].unflatten(comm.all_gather(shards[i]))[0]

    inputs = []
    for i in range(len(shards)):
        inputs.append(x)
        x = model.forward(i, gathered(i), x)
    grad = model.loss_gradient(x)

    new_shards, new_states = [], []
    for i in reversed(range(len(shards))):
        grad, grad_weights = model.backward(i, gathered(i), inputs[i], grad)
        own_grads = comm.reduce_scatter(partitions[i].flatten([grad_weights])) / comm.world_size
        shard, state = adamw(shards[i], own_grads, states[i], **hyper)
        new_shards.append(shard)
        new_states.append(state)
    return new_shards[::-1], new_states[::-1]
    # END SOLUTION


# %% [markdown]
# ## 5. What each stage costs
#
# A parameter takes 2 bytes (float16), its gradient 2, and the optimiser's state `optimizer_bytes`: for Adam 12,
# three float32 numbers. Stage 0 is plain data parallelism. Stage 1 divides the state by `N`, stage 2 also the
# gradients, stage 3 also the parameters.
#
# What is sent is float16: in stage 0 an all-reduce of the gradients, else what questions 2 to 4 send, counted
# as `Comm` does. Ignore padding and activations, and don't round.

# %% [markdown] lang="zh"
# ## 5. 各阶段的代价
#
# 每个参数占 2 字节（float16），梯度 2 字节，优化器状态 `optimizer_bytes` 字节：用 Adam 时是 12，即三个 float32 数。阶段 0 就是普通的数据并行。阶段 1 把优化器状态除以 `N`，阶段 2 再把梯度除以 `N`，阶段 3 连参数也除以 `N`。
#
# 在网络上传输的是 float16：阶段 0 对梯度做一次 all-reduce，其余阶段的通信同第 2 至 4 题，计数方法同 `Comm`。补齐和激活值忽略不计，结果不要取整。


# %%
def costs(num_params: int, world_size: int, stage: int, optimizer_bytes: int = 12) -> dict[str, float]:
    """The bytes that one rank holds, and that it sends in one step.

    Args:
        world_size: N.
        stage: 0, 1, 2 or 3; any other is a ValueError.
        optimizer_bytes: for each parameter.

    Returns: "parameters", "gradients", "optimizer": what it holds; "sent".
    """
    # BEGIN SOLUTION
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"ZeRO has the stages 0 to 3, not {stage}")
    full_passes = 3 if stage == 3 else 2
    return {
        "parameters": 2 * num_params / (world_size if stage >= 3 else 1),
        "gradients": 2 * num_params / (world_size if stage >= 2 else 1),
        "optimizer": optimizer_bytes * num_params / (world_size if stage >= 1 else 1),
        "sent": full_passes * 2 * num_params * (world_size - 1) / world_size,
    }
    # END SOLUTION
