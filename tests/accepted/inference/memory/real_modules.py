"""Real modules on the meta device are counted; what is kept is a list of shapes; the batch grows until it is full."""

import math

import torch
from torch import nn


def count(modules):
    return sum(weight.numel() for module in modules for weight in module.parameters())


def parameters(config):
    get = config.__getitem__
    C, F, D = get("d_model"), get("d_ff"), get("head_dim")
    q, kv = get("num_heads") * D, get("num_kv_heads") * D
    with torch.device("meta"):
        tables = [nn.Embedding(get("vocab_size"), C)]
        if get("max_positions") > 0:
            tables.append(nn.Embedding(get("max_positions"), C))
        attention, feed_forward = [], []
        norms = [nn.LayerNorm(C, bias=bool(get("norm_bias")))]
        for _ in range(get("num_layers")):
            attention += [nn.Linear(C, width, bias=bool(get("qkv_bias"))) for width in (q, kv, kv)]
            attention.append(nn.Linear(q, C, bias=bool(get("linear_bias"))))
            shapes = [(C, F), (C, F), (F, C)] if get("gated") else [(C, F), (F, C)]
            feed_forward += [nn.Linear(*shape, bias=bool(get("linear_bias"))) for shape in shapes]
            norms += [nn.LayerNorm(C, bias=bool(get("norm_bias"))) for _ in range(2)]
        head = [] if get("tied") else [nn.Linear(C, get("vocab_size"), bias=False)]
    parts = zip(
        ("embedding", "attention", "feed_forward", "norm", "head"),
        (tables, attention, feed_forward, norms, head),
        strict=True,
    )
    return {name: count(modules) for name, modules in parts}


TABLE = {  # weight, gradient, master copy, moment
    "float32": (torch.float32, torch.float32, 0, torch.float32),
    "mixed": (torch.bfloat16, torch.bfloat16, torch.float32.itemsize, torch.float32),
    "bfloat16": (torch.bfloat16, torch.bfloat16, 0, torch.bfloat16),
}


def training_states(num_parameters, num_trainable, precision, optimizer):
    weight, gradient, state, moment = TABLE[precision]
    if optimizer == "adam8bit":
        state += 2 * torch.uint8.itemsize
    elif optimizer == "adam":
        state += 2 * moment.itemsize
    elif optimizer == "momentum":
        state += moment.itemsize
    return {
        "weights": num_parameters * weight.itemsize,
        "gradients": num_trainable * gradient.itemsize,
        "optimizer": num_trainable * state,
    }


def activations(config, tokens, batch, recompute="none"):
    B, T, C, F = batch, tokens, config["d_model"], config["d_ff"]
    H, G, D = config["num_heads"], config["num_kv_heads"], config["head_dim"]
    layer_input = [(2, B, T, C)]
    core = [(2, B, H, T, T)]
    rest = [(2, B, T, C), (2, B, T, C), (2, B, T, H, D), (4, B, T, G, D), (2, B, T, H * D), (2, B, T, C)]
    rest += [(2, B, T, F)] * (2 + 2 * bool(config["gated"]))
    if config["dropout"]:
        core += [(1, B, H, T, T), (2, B, H, T, T)]
        rest += [(1, B, T, C)] * 2
    match recompute:
        case "none":
            kept = layer_input + rest + core
        case "selective":
            kept = layer_input + rest
        case "full":
            kept = layer_input
        case _:
            raise ValueError(recompute)
    return sum(math.prod(shape) for shape in kept) * config["num_layers"]


def serving(config, memory, unit, weights, reserve, tokens, item_bytes=2):
    one = math.prod((2, config["num_layers"], config["num_kv_heads"], config["head_dim"], item_bytes))
    free = memory * {"GB": 1000**3, "GiB": 1024**3}[unit] - weights - reserve
    batch = 0
    while (batch + 1) * one * tokens <= free:
        batch += 1
    return {"kv_per_token": one, "batch": batch}
