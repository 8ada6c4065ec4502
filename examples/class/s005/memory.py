def parameters(config: dict[str, int]) -> dict[str, int]:
    L, C, F = config["num_layers"], config["d_model"], config["d_ff"]
    q_dim = config["num_heads"] * config["head_dim"]
    kv_dim = config["num_kv_heads"] * config["head_dim"]
    ups = 2 if config["gated"] else 1

    attn = (q_dim + 2 * kv_dim) * C + C * q_dim
    mlp = (ups + 1) * C * F
    if config["qkv_bias"]:
        attn += q_dim + 2 * kv_dim
    if config["linear_bias"]:
        attn += C
        mlp += ups * F + C
    per_norm = 2 * C if config["norm_bias"] else C
    vocab_table = config["vocab_size"] * C
    return {
        "embedding": vocab_table + config["max_positions"] * C,
        "attention": L * attn,
        "feed_forward": L * mlp,
        "norm": (2 * L + 1) * per_norm,
        "head": 0 if config["tied"] else vocab_table,
    }


def training_states(
    num_parameters: int, num_trainable: int, precision: str, optimizer: str
) -> dict[str, int]:
    size = 4 if precision == "float32" else 2
    copy = 4 if precision == "mixed" else 0
    state = 2 if precision == "bfloat16" else 4
    states = {"adam": 2 * state, "adam8bit": 2, "momentum": state, "sgd": 0}[optimizer]
    return {
        "weights": size * num_parameters,
        "gradients": size * num_trainable,
        "optimizer": (copy + states) * num_trainable,
    }


def activations(config: dict[str, int], tokens: int, batch: int, recompute: str = "none") -> int:
    if recompute not in ("none", "selective", "full"):
        raise ValueError(f"recompute is {recompute!r}, not none, selective or full")
    C, H, D = config["d_model"], config["num_heads"], config["head_dim"]
    per_token = 2 * C
    if recompute != "full":
        mlp_part = (4 if config["gated"] else 2) * config["d_ff"]
        # second norm, projections' input, feed-forward input; q and the output projection's input; k and v
        per_token += 2 * (3 * C + 2 * H * D + 2 * config["num_kv_heads"] * D + mlp_part)
        if config["dropout"]:
            per_token += 2 * C
    if recompute == "none":
        per_token += H * tokens * (5 if config["dropout"] else 2)
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
    one_token = 2 * config["num_layers"] * config["num_heads"] * config["head_dim"] * item_bytes
    available = memory * (2**30 if unit == "GiB" else 10**9)
    fits = (available - weights - reserve) // (one_token * tokens)
    return {"kv_per_token": one_token, "batch": max(fits, 0)}
