"""Sends how the parameters change and adds it, as Muon's sharded step does; question 1 by index arithmetic."""

import math

import torch


def adamw(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    state = state or {"step": 0, "exp_avg": torch.zeros_like(params), "exp_avg_sq": torch.zeros_like(params)}
    step = state["step"] + 1
    exp_avg = betas[0] * state["exp_avg"] + (1 - betas[0]) * grads
    exp_avg_sq = betas[1] * state["exp_avg_sq"] + (1 - betas[1]) * grads**2
    root = (exp_avg_sq / (1 - betas[1] ** step)).sqrt() + eps
    new = params * (1 - lr * weight_decay) - lr * (exp_avg / (1 - betas[0] ** step)) / root
    return new, {"step": step, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}


class FlatPartition:
    def __init__(self, shapes, world_size):
        self.shapes = [tuple(shape) for shape in shapes]
        self.ends = torch.tensor([math.prod(shape) for shape in self.shapes]).cumsum(0).tolist()
        self.world_size = world_size

    def flatten(self, tensors):
        numbers = self.ends[-1]
        flat = tensors[0].new_zeros(math.ceil(numbers / self.world_size) * self.world_size)
        for end, tensor in zip(self.ends, tensors, strict=True):
            flat[end - tensor.numel() : end] = tensor.flatten()
        return flat

    def shard(self, flat, rank):
        size = len(flat) // self.world_size
        return flat[torch.arange(rank * size, (rank + 1) * size)]

    def unflatten(self, flat):
        starts = [0, *self.ends[:-1]]
        return [
            flat[start:end].reshape(shape)
            for start, end, shape in zip(starts, self.ends, self.shapes, strict=True)
        ]


def _change(comm, params, grads, state, hyper):
    """How the whole of `params` changes, and the new state of this rank's shard."""
    partition = FlatPartition([tuple(params.shape)], comm.world_size)
    shard = partition.shard(partition.flatten([params]), comm.rank)
    own = comm.reduce_scatter(partition.flatten([grads])) / comm.world_size
    new, state = adamw(shard, own, state, **hyper)
    return partition.unflatten(comm.all_gather(new - shard))[0], state


def stage1_step(comm, params, grads, state, hyper):
    change, state = _change(comm, params, grads, state, hyper)
    return params + change, state


def stage2_step(comm, layers, backward, states, hyper):
    layers, states = list(layers), list(states)
    for i in range(len(layers) - 1, -1, -1):
        change, states[i] = _change(comm, layers[i], backward(i), states[i], hyper)
        layers[i] = layers[i] + change
    return layers, states


def stage3_step(comm, shards, sizes, states, model, x, hyper):
    shards, states, inputs = list(shards), list(states), []
    for i, (shard, size) in enumerate(zip(shards, sizes, strict=True)):
        inputs.append(x)
        x = model.forward(i, comm.all_gather(shard)[:size], x)
    upstream = model.loss_gradient(x)
    for i in range(len(shards) - 1, -1, -1):
        weights = comm.all_gather(shards[i])[: sizes[i]]
        upstream, grads = model.backward(i, weights, inputs.pop(), upstream)
        padded = FlatPartition([(sizes[i],)], comm.world_size).flatten([grads])
        own = comm.reduce_scatter(padded) / comm.world_size
        shards[i], states[i] = adamw(shards[i], own, states[i], **hyper)
    return shards, states


def costs(num_params, world_size, stage, optimizer_bytes=12):
    if stage not in {0, 1, 2, 3}:
        raise ValueError(f"no stage {stage}")
    held = {"optimizer": optimizer_bytes, "gradients": 2, "parameters": 2}
    for place, name in enumerate(held, start=1):
        held[name] *= num_params / world_size if stage >= place else num_params
    passes = {0: 2, 1: 2, 2: 2, 3: 3}[stage]
    return held | {"sent": 2 * passes * num_params * (world_size - 1) / world_size}
