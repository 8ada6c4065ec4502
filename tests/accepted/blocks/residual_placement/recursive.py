"""One branch, then the rest of the stack; each placement is a function of its own."""

import math

import torch


def _post(x, f, norms, alpha):
    return norms[0](x + f(x))


def _pre(x, f, norms, alpha):
    return x + f(norms[0](x))


def _sandwich(x, f, norms, alpha):
    before, after = norms
    return x + after(f(before(x)))


def _deepnorm(x, f, norms, alpha):
    return norms[0](torch.add(f(x), x, alpha=alpha))


# The step, how many norms it takes, and how many follow the last branch.
STEPS = {
    "post": (_post, 1, 0),
    "pre": (_pre, 1, 1),
    "sandwich": (_sandwich, 2, 1),
    "deepnorm": (_deepnorm, 1, 0),
}


def residual_stack(x, branches, norms, placement, alpha=1.0, keep=None, drop_prob=0.0):
    try:
        step, each, last = STEPS[placement]
    except KeyError:
        raise ValueError(placement) from None
    if len(norms) != each * len(branches) + last:
        raise ValueError("wrong number of norms")
    if not branches:
        return norms[0](x) if last else x

    def branch(h):
        out = branches[0](h)
        return out if keep is None else out * keep[0].to(out.dtype) / (1.0 - drop_prob)

    x = step(x, branch, norms[:each], alpha)
    rest = None if keep is None else keep[1:]
    return residual_stack(x, branches[1:], norms[each:], placement, alpha, rest, drop_prob)


def deepnorm_constants(num_layers):
    beta = 1 / math.sqrt(math.sqrt(8 * num_layers))
    names = ["q_proj", "k_proj", "v_proj", "out_proj", "up_proj", "down_proj"]
    return math.sqrt(math.sqrt(2 * num_layers)), {n: 1.0 if n in names[:2] else beta for n in names}


def residual_std(placement, num_branches):
    return (
        {"post": 1.0, "deepnorm": 1.0}.get(placement)
        or {
            "pre": math.hypot(1, math.sqrt(num_branches)),
            "sandwich": math.hypot(1, math.sqrt(num_branches)),
        }.get(placement)
        or _unknown(placement)
    )


def _unknown(placement):
    raise ValueError(placement)
