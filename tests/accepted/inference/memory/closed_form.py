"""Closed formulas: one polynomial for each part, flags as 0 and 1, the paper's per-layer formula extended."""

from collections import namedtuple

Sizes = namedtuple(
    "Sizes",
    "vocab_size max_positions num_layers d_model d_ff num_heads num_kv_heads head_dim gated qkv_bias linear_bias "
    "norm_bias tied dropout",
)


def parameters(config):
    s = Sizes(**{key: int(value) for key, value in config.items()})
    heads = (s.num_heads + 2 * s.num_kv_heads) * s.head_dim
    attention = s.d_model * (heads + s.num_heads * s.head_dim + s.linear_bias) + heads * s.qkv_bias
    feed_forward = (2 + s.gated) * s.d_model * s.d_ff + s.linear_bias * ((1 + s.gated) * s.d_ff + s.d_model)
    return {
        "embedding": (s.vocab_size + s.max_positions) * s.d_model,
        "attention": s.num_layers * attention,
        "feed_forward": s.num_layers * feed_forward,
        "norm": s.d_model * (1 + s.norm_bias) * (1 + 2 * s.num_layers),
        "head": s.vocab_size * s.d_model * (1 - s.tied),
    }


def training_states(num_parameters, num_trainable, precision, optimizer):
    rows = {
        ("float32", "adam"): 8,
        ("float32", "adam8bit"): 2,
        ("float32", "momentum"): 4,
        ("float32", "sgd"): 0,
        ("mixed", "adam"): 12,
        ("mixed", "adam8bit"): 6,
        ("mixed", "momentum"): 8,
        ("mixed", "sgd"): 4,
        ("bfloat16", "adam"): 4,
        ("bfloat16", "adam8bit"): 2,
        ("bfloat16", "momentum"): 2,
        ("bfloat16", "sgd"): 0,
    }
    bits = 32 if precision == "float32" else 16
    weights, gradients = (bits * n // 8 for n in (num_parameters, num_trainable))
    return {
        "weights": weights,
        "gradients": gradients,
        "optimizer": rows[precision, optimizer] * num_trainable,
    }


def activations(config, tokens, batch, recompute="none"):
    s = Sizes(**config)
    channels = (8 + 2 * s.dropout) * s.d_model + 4 * (s.num_heads + s.num_kv_heads) * s.head_dim
    linear = channels + 4 * (1 + s.gated) * s.d_ff
    try:
        per_token = {
            "none": linear + (2 + 3 * s.dropout) * s.num_heads * tokens,
            "selective": linear,
            "full": 2 * s.d_model,
        }[recompute]
    except KeyError:
        raise ValueError(f"no way to recompute: {recompute}") from None
    return s.num_layers * batch * tokens * per_token


def serving(config, memory, unit, weights, reserve, tokens, item_bytes=2):
    s = Sizes(**config)
    kv_per_token = s.num_layers * s.num_kv_heads * s.head_dim * item_bytes << 1
    giga = 1 << 30 if "i" in unit else 1_000_000_000
    left = memory * giga - (weights + reserve)
    return {"kv_per_token": kv_per_token, "batch": left // (tokens * kv_per_token) if left > 0 else 0}
