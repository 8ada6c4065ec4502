"""One class does every stage: a `Unit` owns a rank's shard of a flat tensor; it can gather and step."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

import torch


def adamw(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    """In place, on copies, in the order of PyTorch's own optimiser."""
    state = state or {"step": 0, "exp_avg": torch.zeros_like(params), "exp_avg_sq": torch.zeros_like(params)}
    step = state["step"] + 1
    exp_avg = state["exp_avg"].clone().lerp_(grads, 1 - betas[0])
    exp_avg_sq = state["exp_avg_sq"].clone().mul_(betas[1]).addcmul_(grads, grads, value=1 - betas[1])
    root = exp_avg_sq.sqrt().div_((1 - betas[1] ** step) ** 0.5).add_(eps)
    params = params.clone().mul_(1 - lr * weight_decay)
    params.addcdiv_(exp_avg, root, value=-lr / (1 - betas[0] ** step))
    return params, {"step": step, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}


class FlatPartition:
    def __init__(self, shapes, world_size):
        self.shapes = [tuple(shape) for shape in shapes]
        self.numel = sum(map(prod, self.shapes))
        self.shape = (world_size, ceil(self.numel / world_size))

    def flatten(self, tensors):
        table = tensors[0].new_zeros(self.shape)
        torch.cat(list(map(torch.flatten, tensors)), out=table.view(-1)[: self.numel])
        return table.flatten()

    def shard(self, flat, rank):
        return flat.reshape(self.shape).select(0, rank).clone()

    def unflatten(self, flat):
        tensors = []
        for shape in self.shapes:
            head, flat = flat.tensor_split([prod(shape)])
            tensors.append(head.reshape(shape))
        return tensors


@dataclass
class Unit:
    """A rank's shard of a tensor of `size` numbers."""

    comm: object
    size: int
    shard: torch.Tensor
    state: dict | None

    @classmethod
    def of(cls, comm, flat, state):
        shard = cls.partition(comm, flat.numel()).shard(cls.pad(comm, flat), comm.rank)
        return cls(comm, flat.numel(), shard, state)

    @staticmethod
    def partition(comm, size):
        return FlatPartition([[size]], comm.world_size)

    @classmethod
    def pad(cls, comm, flat):
        return cls.partition(comm, flat.numel()).flatten([flat])

    def gather(self):
        return self.comm.all_gather(self.shard).narrow(0, 0, self.size)

    def step(self, grads, hyper):
        mean = self.comm.reduce_scatter(self.pad(self.comm, grads)).div_(self.comm.world_size)
        self.shard, self.state = adamw(self.shard, mean, self.state, **hyper)
        return self


def stage1_step(comm, params, grads, state, hyper):
    unit = Unit.of(comm, params, state).step(grads, hyper)
    return unit.gather(), unit.state


def stage2_step(comm, layers, backward, states, hyper):
    units = [Unit.of(comm, layer, state) for layer, state in zip(layers, states, strict=True)]
    for i, unit in reversed(list(enumerate(units))):
        unit.step(backward(i), hyper)
    return [unit.gather() for unit in units], [unit.state for unit in units]


def stage3_step(comm, shards, sizes, states, model, x, hyper):
    units = [Unit(comm, *rest) for rest in zip(sizes, shards, states, strict=True)]

    def descend(i, x):
        """Run layer i and all above it; gives the gradient at its input. The stack keeps the inputs."""
        if i == len(units):
            return model.loss_gradient(x)
        output = model.forward(i, units[i].gather(), x)
        upstream = descend(i + 1, output)
        upstream, grads = model.backward(i, units[i].gather(), x, upstream)
        units[i].step(grads, hyper)
        return upstream

    descend(0, x)
    return [unit.shard for unit in units], [unit.state for unit in units]


def costs(num_params, world_size, stage, optimizer_bytes=12):
    if stage not in range(4) or world_size < 1:
        raise ValueError(stage, world_size)
    share = Fraction(1, world_size)
    parts = {"parameters": (2, 3), "gradients": (2, 2), "optimizer": (optimizer_bytes, 1)}
    found = {
        name: float(num_params * size * (share if stage >= first else 1))
        for name, (size, first) in parts.items()
    }
    reduce_scatters, all_gathers = 1, 2 if stage == 3 else 1
    found["sent"] = float((reduce_scatters + all_gathers) * 2 * num_params * (1 - share))
    return found
