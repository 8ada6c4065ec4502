"""Offsets and loops: buffers filled slice by slice, question 1 not used by the later ones, numpy for costs."""

import numpy as np
import torch


def adamw(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    if state is None:
        state = {"step": 0, "exp_avg": torch.zeros_like(params), "exp_avg_sq": torch.zeros_like(params)}
    t = state["step"] + 1
    m = torch.lerp(grads, state["exp_avg"], betas[0])
    v = state["exp_avg_sq"].mul(betas[1]).addcmul(grads, grads, value=1 - betas[1])
    update = (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)).sqrt() + eps)
    return params - lr * weight_decay * params - lr * update, {"step": t, "exp_avg": m, "exp_avg_sq": v}


class FlatPartition:
    def __init__(self, shapes, world_size):
        self.counts = []
        for shape in shapes:
            count = 1
            for axis in shape:
                count *= axis
            self.counts.append(count)
        self.shapes, self.world_size = shapes, world_size
        self.length = (sum(self.counts) + world_size - 1) // world_size

    def flatten(self, tensors):
        flat = torch.zeros(self.length * self.world_size, dtype=tensors[0].dtype)
        start = 0
        for tensor, count in zip(tensors, self.counts, strict=True):
            flat[start : start + count] = tensor.contiguous().view(-1)
            start += count
        return flat

    def shard(self, flat, rank):
        return flat[rank * self.length : (rank + 1) * self.length]

    def unflatten(self, flat):
        tensors, start = [], 0
        for shape, count in zip(self.shapes, self.counts, strict=True):
            tensors.append(flat[start : start + count].clone().reshape(tuple(shape)))
            start += count
        return tensors


def _padded(flat, world_size):
    missing = -len(flat) % world_size
    return torch.cat([flat, torch.zeros(missing, dtype=flat.dtype)]) if missing else flat


def _mean_shard(comm, grads):
    if comm.world_size == 1:
        return grads
    # Divided before it is summed, as some libraries do to keep half precision from overflowing.
    return comm.reduce_scatter(_padded(grads / comm.world_size, comm.world_size))


def stage1_step(comm, params, grads, state, hyper):
    mine = _padded(params, comm.world_size).chunk(comm.world_size)[comm.rank]
    mine, state = adamw(mine, _mean_shard(comm, grads), state, **hyper)
    if comm.world_size > 1:
        mine = comm.all_gather(mine)
    return mine[: len(params)], state


def stage2_step(comm, layers, backward, states, hyper):
    count = len(layers)
    shards = [None] * count
    for i in range(count - 1, -1, -1):
        shards[i] = _mean_shard(comm, backward(i))
    new_layers, new_states = [], []
    for layer, shard, state in zip(layers, shards, states, strict=True):
        mine = _padded(layer, comm.world_size).chunk(comm.world_size)[comm.rank]
        mine, state = adamw(mine, shard, state, **hyper)
        new_layers.append(comm.all_gather(mine)[: len(layer)])
        new_states.append(state)
    return new_layers, new_states


def stage3_step(comm, shards, sizes, states, model, x, hyper):
    trail = {}
    i = 0
    for shard, size in zip(shards, sizes, strict=True):
        weights = comm.all_gather(shard)[:size]
        trail[i] = x
        x = model.forward(i, weights, x)
        del weights
        i += 1
    upstream = model.loss_gradient(x)
    grads = {}
    while i > 0:
        i -= 1
        weights = comm.all_gather(shards[i])[: sizes[i]]
        upstream, full = model.backward(i, weights, trail.pop(i), upstream)
        del weights
        grads[i] = _mean_shard(comm, full)
        del full
    stepped = [adamw(shards[i], grads[i], states[i], **hyper) for i in range(len(shards))]
    return [shard for shard, _ in stepped], [state for _, state in stepped]


def costs(num_params, world_size, stage, optimizer_bytes=12):
    if not 0 <= stage <= 3 or world_size <= 0:
        raise ValueError
    per_parameter = np.array([2.0, 2.0, optimizer_bytes])
    sharded = np.array([stage == 3, stage >= 2, stage >= 1])
    held = num_params * per_parameter * np.where(sharded, 1 / world_size, 1.0)
    names = ("parameters", "gradients", "optimizer")
    found = {name: float(value) for name, value in zip(names, held, strict=True)}
    found["sent"] = num_params * 2 * (2 + (stage == 3)) * (1 - 1 / world_size)
    return found
