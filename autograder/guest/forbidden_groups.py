"""Groups of calls that exercises forbid together, by the name that an exercise's toml gives them (`@softmax`).

A group holds every name under which the library offers the same thing, since a call that has another name is another call;
and the operators to which they come, so that a name which is not there is seen, too.
"""

from __future__ import annotations

from collections.abc import Iterable


def _named(modules: str, names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for module in modules.split() for name in names.split())


# A function that was traced, scripted or exported hides which calls it makes.
_TRACED = (
    "torch.jit.trace",
    "torch.jit.script",
    "torch.jit.ScriptFunction.__call__",
    "torch.jit.ScriptModule.__call__",
    "torch.export.export",
    "torch.compile",
    "torch.fx.symbolic_trace",
)

GROUPS: dict[str, tuple[str, ...]] = {
    "@softmax": (
        *_named(
            "torch torch.Tensor torch.special torch.nn.functional torch.masked torch.sparse",
            "softmax log_softmax",
        ),
        *_named("torch torch.Tensor torch.special torch.masked", "logsumexp"),
        *_named("torch torch.Tensor", "logcumsumexp"),
        *_named("torch.nn", "Softmax LogSoftmax Softmin Softmax2d"),
        *_named("torch.nn.functional", "softmin gumbel_softmax cross_entropy"),
        *_named("torch", "_softmax _safe_softmax"),
        *_named(
            "torch.ops.aten",
            "_softmax _log_softmax _safe_softmax _masked_softmax _sparse_softmax _sparse_log_softmax "
            "logsumexp logcumsumexp",
        ),
        "torch.masked.softmin",
        "torch.distributions.Categorical",
        *_TRACED,
    ),
    "@attention": (
        "torch.nn.functional.scaled_dot_product_attention",
        *_named(
            "torch.ops.aten",
            "scaled_dot_product_attention _scaled_dot_product_attention_math "
            "_scaled_dot_product_flash_attention_for_cpu",
        ),
        "@multi_head_attention",
    ),
    "@multi_head_attention": (
        "torch.nn.MultiheadAttention",
        "torch.nn.functional.multi_head_attention_forward",
        "torch._native_multi_head_attention",
        *_named("torch.ops.aten", "_native_multi_head_attention _transformer_encoder_layer_fwd"),
        *_named(
            "torch.nn",
            "TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder TransformerDecoder Transformer",
        ),
    ),
    "@autograd": (
        "torch.autograd.grad",
        "torch.autograd.backward",
        "torch.Tensor.backward",
        "torch.autograd.graph._engine_run_backward",
        *_named("torch.autograd.functional", "jacobian hessian vjp jvp vhp hvp"),
        "torch.autograd.forward_ad.make_dual",
        "torch._VF._make_dual",
        *_named("torch.func functorch", "grad grad_and_value vjp jvp jacrev jacfwd hessian"),
        "torch.func.linearize",
        *_named("torch._functorch.eager_transforms", "grad_impl _vjp_with_argnums"),
    ),
    "@flat_parameters": _named(
        "torch.nn.utils torch.nn.utils.convert_parameters", "parameters_to_vector vector_to_parameters"
    ),
}


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """The dotted names, with each group in place of its name. LookupError for a group that there is not, or no library's name."""
    found: dict[str, None] = {}
    for name in names:
        if not name.startswith("@"):
            if name.partition(".")[0] in ("builtins", name):  # every library calls these
                raise LookupError(f"forbidden call {name!r} is no function of a library: write MODULE.NAME")
            found[name] = None
        elif name in GROUPS:
            found |= dict.fromkeys(expanded(GROUPS[name]))
        else:
            raise LookupError(
                f"there is no group {name!r} of forbidden calls; the groups are {', '.join(GROUPS)}"
            )
    return tuple(found)
