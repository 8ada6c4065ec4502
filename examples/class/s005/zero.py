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

    def numbers(self):
        return sum(s.numel() for s in self.shapes)

    def per_rank(self):
        return (self.numbers() + self.world_size - 1) // self.world_size

    def flatten(self, tensors):
        flat = torch.zeros(self.per_rank() * self.world_size, dtype=tensors[0].dtype)
        i = 0
        for t in tensors:
            flat[i : i + t.numel()] = t.reshape(-1)
            i += t.numel()
        return flat

    def shard(self, flat, rank):
        n = self.per_rank()
        return flat[rank * n : rank * n + n]

    def unflatten(self, flat):
        pieces = torch.split(flat[: self.numbers()], [s.numel() for s in self.shapes])
        return [p.reshape(s) for p, s in zip(pieces, self.shapes)]


def stage1_step(comm, params, grads, state, hyper):
    p = FlatPartition([params.shape], comm.world_size)
    mine = p.shard(p.flatten([params]), comm.rank)
    g = comm.reduce_scatter(p.flatten([grads]))
    mine, state = adamw(mine, g, state, **hyper)
    return p.unflatten(comm.all_gather(mine))[0], state


def stage2_step(comm, layers, backward, states, hyper):
    layers, states = list(layers), list(states)
    for i in range(len(layers)):
        p = FlatPartition([layers[i].shape], comm.world_size)
        g = comm.reduce_scatter(p.flatten([backward(i)])) / comm.world_size
        mine, states[i] = adamw(p.shard(p.flatten([layers[i]]), comm.rank), g, states[i], **hyper)
        layers[i] = p.unflatten(comm.all_gather(mine))[0]
    return layers, states


def stage3_step(comm, shards, sizes, states, model, x, hyper):
    shards, states = list(shards), list(states)
    last = len(sizes) - 1
    xs = [x]
    for i, n in enumerate(sizes):
        xs.append(model.forward(i, comm.all_gather(shards[i])[:n], xs[i]))
    d = model.loss_gradient(xs.pop())
    for i in range(last, -1, -1):
        d, g = model.backward(i, comm.all_gather(shards[i])[: sizes[i]], xs[i], d)
        g = comm.reduce_scatter(FlatPartition([g.shape], comm.world_size).flatten([g]))
        shards[i], states[i] = adamw(shards[i], g, states[i], **hyper)
    return shards, states


def costs(num_params, world_size, stage, optimizer_bytes=12):
    if stage not in range(4) or world_size < 1:
        raise ValueError("no such stage, or no ranks")
    share = [1 / world_size if stage >= s else 1 for s in (3, 2, 1)]
    names = ("parameters", "gradients", "optimizer")
    result = {n: s * b * num_params for n, s, b in zip(names, share, (2, 2, optimizer_bytes))}
    passes = 2 + (stage == 3)
    result["sent"] = passes * 2 * num_params * (world_size - 1) / world_size
    return result
