import torch


def adamw(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    """Given."""
    if state is None:
        state = {"step": 0, "exp_avg": torch.zeros_like(params), "exp_avg_sq": torch.zeros_like(params)}
    step = state["step"] + 1
    exp_avg = betas[0] * state["exp_avg"] + (1 - betas[0]) * grads
    exp_avg_sq = betas[1] * state["exp_avg_sq"] + (1 - betas[1]) * grads * grads
    root = (exp_avg_sq / (1 - betas[1] ** step)).sqrt() + eps
    decayed = params * (1 - lr * weight_decay)
    updated = decayed - lr * (exp_avg / (1 - betas[0] ** step)) / root
    return updated, {"step": step, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}


class FlatPartition:
    def __init__(self, shapes, world_size):
        self.shapes = [torch.Size(shape) for shape in shapes]
        self.world_size = world_size

    def flatten(self, tensors):
        numbers = torch.cat([t.flatten() for t in tensors])
        missing = -len(numbers) % self.world_size
        return torch.cat([numbers, numbers.new_zeros(missing)])

    def shard(self, flat, rank):
        return flat.chunk(self.world_size)[rank]

    def unflatten(self, flat):
        tensors, at = [], 0
        for shape in self.shapes:
            tensors.append(flat[at : at + shape.numel()].reshape(shape))
            at += shape.numel()
        return tensors


def stage1_step(comm, params, grads, state, hyper):
    raise NotImplementedError("stage1_step")


def stage2_step(comm, layers, backward, states, hyper):
    raise NotImplementedError("stage2_step")


def stage3_step(comm, shards, sizes, states, model, x, hyper):
    raise NotImplementedError("stage3_step")


def costs(num_params, world_size, stage, optimizer_bytes=12):
    if stage not in range(4) or world_size < 1:
        raise ValueError("no such stage, or no ranks")
    share = [1 / world_size if stage >= s else 1 for s in (3, 2, 1)]
    names = ("parameters", "gradients", "optimizer")
    result = {n: s * b * num_params for n, s, b in zip(names, share, (2, 2, optimizer_bytes))}
    passes = 2 + (stage == 3)
    result["sent"] = passes * 2 * num_params * (world_size - 1) / world_size
    return result
