"""As solved from the skeleton alone."""


def parameters(config: dict[str, int]) -> dict[str, int]:
    width, inner, layers = config["d_model"], config["d_ff"], config["num_layers"]
    q_width = config["num_heads"] * config["head_dim"]
    kv_width = config["num_kv_heads"] * config["head_dim"]

    def linear(rows: int, columns: int, bias: bool) -> int:
        return rows * columns + (rows if bias else 0)

    attention = (
        linear(q_width, width, config["qkv_bias"])
        + 2 * linear(kv_width, width, config["qkv_bias"])
        + linear(width, q_width, config["linear_bias"])
    )
    into = 2 if config["gated"] else 1  # up, and perhaps gate
    feed_forward = into * linear(inner, width, config["linear_bias"]) + linear(
        width, inner, config["linear_bias"]
    )
    norm = 2 * width if config["norm_bias"] else width
    return {
        "embedding": (config["vocab_size"] + config["max_positions"]) * width,
        "attention": layers * attention,
        "feed_forward": layers * feed_forward,
        "norm": (2 * layers + 1) * norm,
        "head": 0 if config["tied"] else config["vocab_size"] * width,
    }


def training_states(
    num_parameters: int, num_trainable: int, precision: str, optimizer: str
) -> dict[str, int]:
    weight, gradient, master, moment = {
        "float32": (4, 4, 0, 4),
        "mixed": (2, 2, 4, 4),
        "bfloat16": (2, 2, 0, 2),
    }[precision]
    moments = {"adam": 2 * moment, "adam8bit": 2, "momentum": moment, "sgd": 0}[optimizer]
    return {
        "weights": weight * num_parameters,
        "gradients": gradient * num_trainable,
        "optimizer": (master + moments) * num_trainable,
    }


def activations(config: dict[str, int], tokens: int, batch: int, recompute: str = "none") -> int:
    if recompute not in ("none", "selective", "full"):
        raise ValueError(f"recompute must be 'none', 'selective' or 'full', not {recompute!r}")
    width, inner, heads = config["d_model"], config["d_ff"], config["num_heads"]
    q_width = heads * config["head_dim"]
    kv_width = config["num_kv_heads"] * config["head_dim"]
    dropout = bool(config["dropout"])

    if recompute == "full":
        per_token = 2 * width
    else:
        numbers = 2 * width  # inputs of both norms
        numbers += width + q_width + 2 * kv_width + q_width  # attention without its core
        numbers += width + (4 if config["gated"] else 2) * inner  # feed-forward network
        masks = 2 * width if dropout else 0
        if recompute == "none":
            numbers += heads * tokens * (2 if dropout else 1)
            masks += heads * tokens if dropout else 0
        per_token = 2 * numbers + masks
    return config["num_layers"] * batch * tokens * per_token


def serving(
    config: dict[str, int],
    memory: int,
    unit: str,
    weights: int,
    reserve: int,
    tokens: int,
    item_bytes: int = 2,
) -> dict[str, int]:
    total = memory * {"GB": 10**9, "GiB": 2**30}[unit]
    kv_per_token = 2 * config["num_layers"] * config["num_kv_heads"] * config["head_dim"] * item_bytes
    free = total - weights - reserve
    return {"kv_per_token": kv_per_token, "batch": max(0, free // (kv_per_token * tokens))}
