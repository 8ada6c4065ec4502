"""Hidden tests of pretraining/optimizer_and_schedule."""

import math
from functools import partial
from numbers import Integral

import pytest
import torch

from autograder.testing import assert_close


def numbered(shapes):
    """Tensors of these shapes by name, each filled with a number of its own."""
    return {name: torch.full(shape, i + 1.0) for i, (name, shape) in enumerate(shapes.items())}


def contents(group):
    """Number and shape of each parameter of a group, in any order."""
    return sorted((float(p.detach().flatten()[0]), tuple(p.shape)) for p in group["params"])


@pytest.mark.points(1)
def test_decay_by_axes(student, build):
    """Parameters of two or more axes decay, embeddings too; those of one axis or none don't, whatever their names.

    zh: 两个轴或更多轴的参数衰减，嵌入也一样；一个轴或没有轴的不衰减，与名字无关。
    """
    embedding, norm = build("torch.nn.Embedding", 7, 5), build("torch.nn.LayerNorm", 5)
    shapes = {"weight": (11,), "bias": (3, 1), "norm": (2, 5), "gate": (), "kernel": (4, 3, 2), "table": (9,)}
    values = numbered(shapes)
    model = build("torch.nn.ModuleList", [embedding, norm, build("torch.nn.ParameterDict", values)])
    embedding.load_state_dict({"weight": torch.full((7, 5), 20.0)})
    norm.load_state_dict({"weight": torch.full((5,), 21.0), "bias": torch.full((5,), 22.0)})
    norm.requires_grad_(False)  # frozen, and perhaps thawed later
    groups = student.decay_groups(model, 0.3)
    assert len(groups) == 2
    assert contents(groups[0]) == [(2.0, (3, 1)), (3.0, (2, 5)), (5.0, (4, 3, 2)), (20.0, (7, 5))]
    assert contents(groups[1]) == [(1.0, (11,)), (4.0, ()), (6.0, (9,)), (21.0, (5,)), (22.0, (5,))]
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]


@pytest.mark.points(1)
def test_tied_tensor_once(student, build):
    """A tensor that two modules share stands in one group, once; two equal tensors are two parameters.

    zh: 两个模块共用的张量只在一个组里出现一次；两个数值相同的张量仍是两个参数。
    """
    body = build("torch.nn.ParameterDict", numbered({"table": (6, 3), "scale": (3,)}))
    tied = build("torch.nn.ParameterDict", body)  # the same parameters, in a second module
    equal = build("torch.nn.ParameterDict", numbered({"other": (6, 3), "shift": (3,)}))
    decayed, others = student.decay_groups(build("torch.nn.ModuleList", [body, equal, tied]), 0.2)
    assert contents(decayed) == [(1.0, (6, 3))] * 2
    assert contents(others) == [(2.0, (3,))] * 2


NAMES = ("first", "second")
SIZES = {"first": (3, 5), "second": (2, 5)}  # biases of one shape: two parameters


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def train(optimiser, make, gradients, steps, *, weight_decay=(0.0, 0.0), join=None, scale=1.0, **options):
    """Two linear layers in float64: [{layer: [weight, bias]} before the first step and after each].

    join: makes one group of both layers; each has its own otherwise.
    steps: for each the number of the gradients, the layers that have one, and the factor; the gradients stay as they
    were if there is no number. The gradients of a linear layer don't depend on its weights, so that two runs see the
    same ones.
    """
    layers = {}
    for name, (width, out) in SIZES.items():
        layers[name] = make(width, out).double()
        layers[name].load_state_dict({"weight": draw(out, width, seed=1) + 2, "bias": draw(out, seed=2) - 2})
    owners = [join(list(layers.values()))] if join else list(layers.values())
    groups = [
        {"params": owner.parameters(), "weight_decay": decay}
        for owner, decay in zip(owners, weight_decay, strict=True)
    ]
    groups[-1]["lr"] = 0.03
    optimizer = optimiser(groups, **{"lr": 0.1, **options})
    history = [values(optimizer)]
    for number, names, factor in steps:
        for name, layer in layers.items():
            if number is None:
                continue
            layer.zero_grad()
            if name in names:
                x = scale * draw(6, SIZES[name][0], seed=10 + number) / (1 + 2 * number)
                gradients(layer, x, upstream=draw(6, SIZES[name][1], seed=30 + number))
        optimizer.step(factor) if factor != 1 else optimizer.step()
        history.append(values(optimizer))
    return history


def values(optimizer):
    found = [parameter.detach().clone() for parameter in optimizer.parameters()]
    return {"first": found[:2], "second": found[2:]}


def sides(student, reference, build):
    return (student.AdamW, partial(build, "torch.nn.Linear")), (reference.AdamW, torch.nn.Linear)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("betas", "eps"), [((0.9, 0.95), 1e-8), ((0.6, 0.99), 0.1)])
def test_moments(student, reference, build, gradients, betas, eps):
    """Both moments are running means, corrected before epsilon is added; factor 0 moves nothing, but they go on.

    zh: 两个矩都是滑动平均，先校正从零开始的偏差，再加 epsilon；系数为 0 的一步什么也不移动，但矩照常更新。
    """
    steps = [(0, NAMES, 1.0), (1, NAMES, 1.0), (2, NAMES, 0.0), (3, NAMES, 0.5), (None, NAMES, 2.0)]
    actual, expected = (
        train(side, make, gradients, steps, betas=betas, eps=eps)
        for side, make in sides(student, reference, build)
    )
    assert_close(actual, expected)


@pytest.mark.points(1.5)
def test_decoupled_decay(student, build, gradients):
    """Decay takes rate times factor times weight_decay of the parameter as it was, and leaves the gradient's step alone.

    zh: 衰减从更新前的参数里减去“学习率 × 系数 × weight_decay”那么大的一份，不影响梯度带来的那一步。
    """
    make = partial(build, "torch.nn.Linear")
    decay, factors = (0.5, 0.8), (1.0, 0.25, 2.0)
    steps = [(number, NAMES, factor) for number, factor in enumerate(factors)]
    plain = train(student.AdamW, make, gradients, steps)
    decayed = train(student.AdamW, make, gradients, steps, weight_decay=decay)
    for i, factor in enumerate(factors):
        for name, rate, strength in zip(NAMES, (0.1, 0.03), decay, strict=True):
            for k in range(2):
                moved = plain[i + 1][name][k] - plain[i][name][k]
                assert moved.abs().max() > 1e-3, "the gradient moves every parameter"
                kept = 1 - rate * factor * strength
                assert_close(decayed[i + 1][name][k], decayed[i][name][k] * kept + moved)


@pytest.mark.points(1)
def test_epsilon(student, reference, build, gradients):
    """Epsilon is added to the root, not under it, so that gradients much smaller than it hardly move anything.

    zh: epsilon 加在根号外而不是根号里：比它小得多的梯度几乎不移动参数。
    """
    # With both betas 0 the moments are the last gradient and its square, corrected or not.
    steps = [(0, NAMES, 1.0), (1, NAMES, 1.0)]
    for eps, scale in [(0.1, 0.01), (1e-8, 1e-9)]:
        actual, expected = (
            train(side, make, gradients, steps, betas=(0.0, 0.0), eps=eps, scale=scale)
            for side, make in sides(student, reference, build)
        )
        assert_close(actual, expected)


@pytest.mark.points(1)
def test_without_gradient(student, build, gradients):
    """Without a gradient a parameter neither moves nor decays; its first, however late, is its step 1, and zeros count as one.

    zh: 没有梯度的参数既不移动也不衰减；第一次得到梯度，无论多晚，都算它自己的第 1 步；全零的梯度也是梯度。
    """
    join = partial(build, "torch.nn.ModuleList")  # both layers in one group
    run = partial(
        train, student.AdamW, partial(build, "torch.nn.Linear"), gradients, weight_decay=(0.4,), join=join
    )
    history = run([(0, ("first",), 1.0), (1, NAMES, 1.0), (2, ("second",), 1.0)])
    moved = {"first": [True, True, False], "second": [False, True, True]}
    for name in NAMES:
        for i in range(3):
            for before, after in zip(history[i][name], history[i + 1][name], strict=True):
                assert torch.equal(before, after) != moved[name][i]
    # A step that the first layer sits out leaves its moments and its own count as they were.
    again = run([(0, ("first",), 1.0), (1, NAMES, 1.0), (2, ("second",), 1.0), (3, NAMES, 1.0)])
    straight = run([(0, ("first",), 1.0), (1, NAMES, 1.0), (3, NAMES, 1.0)])
    assert_close(again[-1]["first"], straight[-1]["first"])
    # The second layer's history is the same when nothing happened before.
    late = run([(1, ("second",), 1.0), (2, ("second",), 1.0)])
    assert_close([entry["second"] for entry in history[1:]], [entry["second"] for entry in late])
    # A gradient of zeros, as a weight has whose inputs are all zero, is one: the weight decays.
    before, after = run([(0, NAMES, 1.0)], scale=0.0)
    for name in NAMES:
        assert_close(after[name][0], before[name][0] * (1 - 0.03 * 0.4))


def check_curve(student, reference, curve, sizes, steps, *more):
    schedule, expected = student.Schedule(*sizes), reference.Schedule(*sizes)
    for step in steps:
        assert_close(
            float(getattr(schedule, curve)(step, *more)), getattr(expected, curve)(step, *more), rtol=1e-6
        )


@pytest.mark.points(1)
@pytest.mark.parametrize("curve", ["cosine", "wsd", "multi_step", "warm_up"])
def test_warm_up(student, curve):
    """The warm-up rises from 0 at step 0 to 1 at step `warmup_steps`, whatever the last factor is; it may be left out.

    zh: 预热从第 0 步的 0 升到第 `warmup_steps` 步的 1，与最后的系数无关；也可以没有预热。
    """
    more = (6,) if curve == "wsd" else ()
    for warmup in (5, 1, 0):
        factor = getattr(student.Schedule(warmup, 40, 0.3), curve)
        for step in range(warmup):
            assert_close(float(factor(step, *more)), step / warmup)
        assert_close(float(factor(warmup, *more)), 1.0)
    if curve == "warm_up":
        assert_close(float(student.Schedule(3, 40, 0.3).warm_up(31)), 1.0)


@pytest.mark.points(1)
@pytest.mark.parametrize("sizes", [(5, 23, 0.25), (1, 12, 0.1), (0, 7)])
def test_cosine(student, reference, sizes):
    """The cosine falls from 1 at the end of the warm-up to the last factor at `total_steps`, and stays there.

    zh: 余弦从预热结束时的 1 降到 `total_steps` 处最后的系数，此后不再变化。
    """
    warmup, total = sizes[:2]
    steps = [(warmup + total) // 2, total - 1, *range(warmup, total + 3), 2 * total, 2 * total - warmup]
    check_curve(student, reference, "cosine", sizes, steps)


@pytest.mark.points(1)
@pytest.mark.parametrize(("sizes", "decay_steps"), [((3, 29, 0.1), 7), ((2, 11, 0.3), 1), ((4, 17), 13)])
def test_wsd(student, reference, sizes, decay_steps):
    """WSD stays at 1 until the last `decay_steps`, and falls on a straight line to the last factor at `total_steps`.

    zh: WSD 保持 1，直到最后 `decay_steps` 步沿直线降到 `total_steps` 处最后的系数。
    """
    warmup, total = sizes[:2]
    assert warmup + decay_steps <= total
    steps = [total - 1, total - decay_steps + 1, *range(warmup, total + 3), 3 * total]
    check_curve(student, reference, "wsd", sizes, steps, decay_steps)


@pytest.mark.points(1)
@pytest.mark.parametrize("sizes", [(10, 50, 0.25), (0, 20, 0.0), (7, 70)])
def test_multi_step(student, reference, sizes):
    """The factor drops to the root of a tenth at 80 % of all steps and to a tenth at 90 %, whatever the last factor is.

    zh: 到总步数的 80% 时系数降为十分之一的平方根，到 90% 时降为十分之一，与最后的系数无关。
    """
    warmup, total = sizes[:2]
    drops = [total * 8 // 10, total * 9 // 10]
    for share, drop in zip((0.8, 0.9), drops, strict=True):  # rounding moves neither
        assert math.ceil(share * total) == int(share * total) == drop and drop / total == share
    steps = [drops[0], drops[0] - 1, drops[1] - 1, drops[1], *range(warmup, total + 2, 3), total, 3 * total]
    check_curve(student, reference, "multi_step", sizes, steps)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(
    ("start", "increment", "full", "ramp_samples"),
    [(3, 5, 28, 101), (3, 1, 10, 29), (4, 2, 10, 60), (1, 1, 7, 30), (8, 8, 16, 100), (2, 3, 20, 1)],
)
def test_ramp(student, reference, start, increment, full, ramp_samples):
    """The batch grows with the samples consumed by the steps before, in equal parts of the ramp, and never past the full size.

    zh: 批大小随前面各步用掉的样本数增长，渐增阶段等分成若干段，批大小从不超过 `full`。
    """
    expected = reference.batch_size_ramp(40, start, increment, full, ramp_samples)
    assert expected[0] == start and expected[-1] == full
    for steps in (40, 1):
        actual = student.batch_size_ramp(steps, start, increment, full, ramp_samples)
        assert list(actual) == expected[:steps]
        assert all(isinstance(size, Integral) for size in actual), "a batch has a whole number of samples"
