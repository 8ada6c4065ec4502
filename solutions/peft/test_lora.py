"""Hidden tests of peft/lora.

But for the tests of the scale and of the forward pass, a layer is compared with itself: before merging, in the other
mode, without its adapter. A wrong scale then costs the test of the scale and no other.
"""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close


def adapted(student, build, features, r, alpha, *, dropout=0.0, bias=True, dtype=torch.float32, state=None):
    """A LoRALinear with random tensors or those of `state`, its base, and copies of the tensors."""
    inputs, outputs = features
    # A scale of 1 would hide a missing one, and a change added twice must not look like another scale.
    scales = [alpha / r, alpha, 1, 2 * alpha / r, alpha / math.sqrt(r)]
    assert r == 1 or len({round(scale, 3) for scale in scales}) == len(scales)
    if state is None:
        state = {
            "base.weight": torch.randn(outputs, inputs, dtype=dtype),
            "lora_A": torch.randn(r, inputs, dtype=dtype),
            "lora_B": torch.randn(outputs, r, dtype=dtype),
        }
        if bias:
            state["base.bias"] = torch.randn(outputs, dtype=dtype)
    base = build("torch.nn.Linear", inputs, outputs, bias="base.bias" in state, dtype=dtype)
    layer = student.LoRALinear(base, r, alpha, dropout)
    load(layer, state)
    return layer, base, state


def load(module, state):
    """Give a module these values. Whether it holds others is the matter of the public tests and of initialisation."""
    module.load_state_dict({name: value.clone() for name, value in state.items()}, strict=False)


def snapshot(module):
    """The values of a module's parameters and buffers, which later changes of the module don't reach."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def trainable(module):
    """Parameter name -> whether it requires a gradient."""
    return {name: value.requires_grad for name, value in module.named_parameters()}


def without_adapter(state):
    return state | {"lora_B": torch.zeros_like(state["lora_B"])}


def ratio(actual, plain):
    """The number s for which `actual` is s times `plain`; a failure where there is none, or where it is 0."""
    scale = ((actual * plain).sum() / plain.square().sum()).item()
    assert abs(scale) > 1e-6, "the adapter adds nothing"
    # A difference of two outputs has the rounding errors of both.
    assert_close(actual, scale * plain, atol=1e-4 * actual.abs().max().item())
    return scale


def own_scale(student, build, features, r, alpha, dtype=torch.float32):
    """By what the student's forward pass multiplies B A x."""
    layer, _, state = adapted(student, build, features, r, alpha, dtype=dtype)
    x = torch.randn(5, features[0], dtype=dtype)
    return ratio(added_by(layer, state, x), x @ state["lora_A"].T @ state["lora_B"].T)


def added_by(layer, state, x):
    """What the adapter of this state adds to the layer's output."""
    load(layer, state)
    output = layer(x).detach()
    load(layer, without_adapter(state))
    return output - layer(x).detach()


# ------------------------------------------------------------------------------------------------ questions 1 and 2


@pytest.mark.points(1.5)
@pytest.mark.parametrize("where", ["lora_delta", "LoRALinear"])
def test_scale(student, build, where):
    """The scale is alpha / r: in proportion to alpha, and the smaller the larger the rank.

    zh: 缩放系数是 alpha / r：与 alpha 成正比，秩越大它越小。
    """
    inputs, outputs, r, alpha = 11, 13, 3, 7.0
    if where == "LoRALinear":
        assert own_scale(student, build, (inputs, outputs), r, alpha) == pytest.approx(alpha / r, rel=1e-4)
        return
    lora_A, lora_B = torch.randn(r, inputs), torch.randn(outputs, r)
    delta = student.lora_delta(lora_A, lora_B, alpha)
    assert_close(delta, alpha / r * lora_B @ lora_A)
    assert_close(student.lora_delta(lora_A, lora_B, 3 * alpha), 3 * delta)
    # Twice the rank with the same matrices stacked: the sum doubles and the scale halves.
    doubled = student.lora_delta(torch.cat([lora_A, lora_A]), torch.cat([lora_B, lora_B], dim=1), alpha)
    assert_close(doubled, delta)


@pytest.mark.points(0.75)
@pytest.mark.parametrize(("r", "inputs", "outputs", "alpha"), [(3, 7, 11, 16), (5, 2, 13, 7)])
def test_delta(student, r, inputs, outputs, alpha):
    """The change is B A but for the scale, in the matrices' dtype; matrices of different rank are a ValueError.

    zh: 不计缩放系数，改动量就是 B A，dtype 与两个矩阵相同；两个矩阵的秩不一致时抛出 ValueError。
    """
    lora_A = torch.randn(r, inputs, dtype=torch.float64)
    lora_B = torch.randn(outputs, r, dtype=torch.float64)
    ratio(student.lora_delta(lora_A, lora_B, alpha), lora_B @ lora_A)
    for dtype in (torch.float32, torch.float16):
        delta = student.lora_delta(lora_A.to(dtype), lora_B.to(dtype), alpha)
        assert (delta.dtype, delta.shape) == (dtype, (outputs, inputs))
    with pytest.raises(ValueError):
        student.lora_delta(lora_A, torch.randn(outputs, r + 1, dtype=torch.float64), alpha)


@pytest.mark.points(1)
def test_initialisation(student, build):
    """Each layer draws its own A, uniform within 1 / sqrt(in) of 0; the dtype is the base's; r is at least 1.

    zh: 每一层各自抽取 A，在零附近 1 / sqrt(in) 的范围内均匀分布；dtype 与 base 一致；秩至少为 1。
    """
    for inputs, outputs, r in [(251, 7, 16), (64, 3, 48)]:
        base = build("torch.nn.Linear", inputs, outputs, dtype=torch.float64)
        layer = student.LoRALinear(base, r, 100.0)
        state = snapshot(layer)
        assert sorted(state) == ["base.bias", "base.weight", "lora_A", "lora_B"]
        lora_A, bound = state["lora_A"], 1 / math.sqrt(inputs)
        assert lora_A.shape == (r, inputs)
        assert lora_A.dtype == state["lora_B"].dtype == torch.float64
        assert 0.98 * bound < lora_A.abs().max() <= bound * (1 + 1e-6)
        assert lora_A.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert lora_A.mean().abs() < 0.1 * bound
        assert torch.linalg.matrix_rank(lora_A) == min(r, inputs), "the rows are drawn apart from one another"
        again = snapshot(student.LoRALinear(base, r, 100.0))["lora_A"]
        assert not torch.equal(again, lora_A), "the next layer starts from numbers of its own"
        # The layer that was initialised like this computes with what it holds.
        state["lora_B"] = torch.randn(outputs, r, dtype=torch.float64)
        x = torch.randn(3, inputs, dtype=torch.float64)
        ratio(added_by(layer, state, x), x @ lora_A.T @ state["lora_B"].T)
    with pytest.raises(ValueError):
        student.LoRALinear(build("torch.nn.Linear", 5, 7), 0, 5.0)


@pytest.mark.points(0.5)
def test_identity_at_initialisation(student, build):
    """A new layer gives its base's outputs, in training mode as well; it stops doing so once B moves.

    zh: 新建的层与 base 的输出相同，训练模式下也是；B 一旦变化就不再相同。
    """
    base = build("torch.nn.Linear", 6, 5)
    layer = student.LoRALinear(base, 3, 12.0, 0.5)
    x = torch.randn(2, 4, 6)
    before = base(x)
    for mode in (False, True):
        layer.train(mode)
        assert_close(layer(x.clone()), before)
    load(layer, snapshot(layer) | {"lora_A": torch.randn(3, 6), "lora_B": torch.randn(5, 3)})
    assert not torch.allclose(layer(x), before)


@pytest.mark.points(0.5)
@pytest.mark.parametrize(
    ("features", "r", "alpha", "shape", "bias", "dtype"),
    [
        ((7, 5), 3, 16.0, (4,), True, torch.float32),
        ((5, 11), 3, 8.0, (2, 3, 1), False, torch.float64),
        ((3, 2), 5, 12.5, (), True, torch.float32),
    ],
)
def test_forward(student, build, features, r, alpha, shape, bias, dtype):
    """The output is the base's, bias included, plus the adapter's, for any leading axes.

    zh: 输出等于 base 的输出（连同偏置）加上适配器的输出；前面的轴数任意。
    """
    layer, _, state = adapted(student, build, features, r, alpha, bias=bias, dtype=dtype)
    scale = own_scale(student, build, features, r, alpha, dtype)
    x = torch.randn(*shape, features[0], dtype=dtype)
    base = F.linear(x, state["base.weight"], state.get("base.bias"))
    assert_close(layer(x), base + scale * x @ state["lora_A"].T @ state["lora_B"].T)


@pytest.mark.points(1)
def test_base_gets_no_gradient(student, build, gradients):
    """Only lora_A and lora_B train: the base gets no gradient, and the input's passes through both paths.

    zh: 只有 lora_A 和 lora_B 参与训练：base 得不到梯度，而输入的梯度来自两条路。
    """
    layer, _, state = adapted(student, build, (7, 5), 3, 12.0)
    scale = own_scale(student, build, (7, 5), 3, 12.0)
    x, upstream = torch.randn(4, 7), torch.randn(4, 5)
    found = gradients(layer, x, upstream=upstream)
    lora_A, lora_B = state["lora_A"], state["lora_B"]
    assert_close(found.parameters["lora_A"], scale * (upstream @ lora_B).T @ x)
    assert_close(found.parameters["lora_B"], scale * upstream.T @ (x @ lora_A.T))
    assert_close(found.arguments[0], upstream @ (state["base.weight"] + scale * lora_B @ lora_A))
    assert all(found.parameters[name] is None for name in state if name.startswith("base."))
    assert trainable(layer) == {name: name.startswith("lora_") for name in trainable(layer)}


@pytest.mark.points(0.75)
def test_dropout_only_on_the_adapter_path(student, build):
    """Where the adapter adds nothing, dropout changes nothing; in evaluation mode it changes nothing at all.

    zh: 适配器的贡献为零时，dropout 不改变输出；在评估模式下，它从不改变输出。
    """
    layer, base, state = adapted(student, build, (7, 5), 3, 12.0, dropout=0.5)
    plain, _, _ = adapted(student, build, (7, 5), 3, 12.0, state=state)
    x = torch.randn(9, 7)
    layer.eval()
    expected = plain(x)
    assert_close(layer(x), expected)
    for each in (layer, plain):
        load(each, without_adapter(state))
    assert not torch.allclose(plain(x), expected), "the adapter added something"
    layer.train()
    assert_close(layer(x.clone()), plain(x))
    assert_close(base(x), F.linear(x, state["base.weight"], state["base.bias"]))


@pytest.mark.points(0.75)
def test_dropout_acts_on_the_input(student, build, unchanged):
    """At each call each input is dropped by itself, with all it contributes; a kept one is scaled by 1 / (1 - p).

    zh: 每次调用时，每个输入都独立地决定是否丢弃，丢弃时它的全部贡献随之消失；保留下来的乘以 1 / (1 - p)。
    """

    def paths(features, p, x, state=None):
        """A layer in training mode, what the base gives for x, and what the adapter gives without dropout."""
        layer, _, state = adapted(student, build, features, 3, 12.0, dropout=p, state=state)
        plain, _, _ = adapted(student, build, features, 3, 12.0, state=state)
        full = plain(x).detach()
        load(plain, without_adapter(state))
        base = plain(x).detach()
        layer.train()
        return layer, base, full - base

    # One input feature: a row's adapter output is dropped whole or kept whole, whatever the rank.
    x = 1 + torch.rand(200, 1)
    layer, base, full = paths((1, 5), 0.75, x)
    added = layer(x) - base
    kept = added.norm(dim=1) > 1e-3 * full.norm(dim=1)
    assert 20 < kept.sum() < 80, "about a quarter of the rows is kept"
    assert_close(added, torch.where(kept[:, None], full / 0.25, 0.0), atol=1e-4)
    # Two features that stay apart: output i of the adapter is input i, dropped or kept.
    x = 1 + torch.rand(200, 2)
    apart = {"base.weight": torch.randn(2, 2), "lora_A": torch.eye(3)[:, :2], "lora_B": torch.eye(3)[:2]}
    layer, base, full = paths((2, 2), 0.5, x, apart)
    output = layer(x)
    kept = (output - base).abs() > 1e-3 * full.abs()
    assert_close(output - base, torch.where(kept, full / 0.5, 0.0), atol=1e-4)
    for pattern in ([False, False], [False, True], [True, False], [True, True]):
        count = (kept == torch.tensor(pattern)).all(dim=1).sum()
        assert 20 < count < 90, "about a quarter of the rows shows each pattern"
    assert not torch.equal(layer(x), output), "the next call decides afresh"
    assert unchanged(layer, x), "the input itself is not what is dropped: other layers read it, too"


@pytest.mark.points(0.75)
def test_merge_is_exact(student, build):
    """A merged layer gives the same outputs from the base's weight alone; other layers are as they were.

    zh: 合并后的层只用 base 的权重就给出相同的输出；别的层保持原样。
    """
    features, r, alpha = (7, 5), 3, 16.0
    layer, base, state = adapted(student, build, features, r, alpha, dropout=0.5)
    other, _, _ = adapted(student, build, features, r + 2, 3 * alpha + 0.5)
    x = torch.randn(3, features[0])
    others, flags = other(x).detach(), trainable(layer)
    layer.merge()
    assert layer.merged is True
    merged = snapshot(layer)
    # The scale may be the right one, or what the student's forward pass or question 1 says: those have tests of their own.
    scale = ratio(merged["base.weight"] - state["base.weight"], state["lora_B"] @ state["lora_A"])
    if not math.isclose(scale, alpha / r, rel_tol=1e-3):
        delta = student.lora_delta(state["lora_A"], state["lora_B"], alpha)
        own = [ratio(delta, state["lora_B"] @ state["lora_A"]), own_scale(student, build, features, r, alpha)]
        assert any(math.isclose(scale, each, rel_tol=1e-3) for each in own), (
            "the merged change is another one"
        )
    # Nothing of the adapter is left beside the weight, in training mode no dropout either.
    alone = without_adapter(state | {"base.weight": merged["base.weight"]})
    plain, _, _ = adapted(student, build, features, r, alpha, state=alone)
    assert_close(layer(x), plain(x))
    assert_close(base(x), F.linear(x, merged["base.weight"], state["base.bias"]))
    for name in state.keys() - {"base.weight"}:
        assert_close(merged[name], state[name])
    assert trainable(layer) == flags
    assert other.merged is False
    assert_close(other(x), others)


@pytest.mark.points(0.5)
def test_merge_in_place(student, build):
    """Merging and unmerging change the base's own weight by the adapter as it is now, and no requires_grad.

    zh: 合并与取消合并改动的是 base 原有的那个权重，加减的是适配器当前的值；requires_grad 不变。
    """
    scales = []
    for train in (True, False):
        base = build("torch.nn.Linear", 7, 5)
        # As an optimiser or a tied layer would hold them.
        held = build("torch.nn.ParameterList", base.parameters())
        layer = student.LoRALinear(base, 3, 12.0)
        for _ in range(2):  # the second time with another adapter
            state = {name: torch.randn_like(value) for name, value in snapshot(layer).items()}
            load(layer, state)
        layer.requires_grad_(train)
        layer.merge()
        merged = base.state_dict()["weight"].clone()
        scales.append(ratio(merged - state["base.weight"], state["lora_B"] @ state["lora_A"]))
        assert_close(held.state_dict(), {"0": merged, "1": state["base.bias"]})
        layer.unmerge()
        assert_close(held.state_dict(), {"0": base.state_dict()["weight"], "1": state["base.bias"]})
        assert set(trainable(layer).values()) == {train}
    assert scales[0] == pytest.approx(scales[1], rel=1e-3)


@pytest.mark.points(0.5)
def test_unmerge_restores(student, build, gradients):
    """Unmerging restores the old weight and outputs, also after many rounds, and the adapter trains on.

    zh: 取消合并后恢复原来的权重和输出，往复多次也一样；适配器可以继续训练。
    """
    layer, base, state = adapted(student, build, (7, 5), 3, 12.0)
    x = torch.randn(4, 7)
    before = gradients(layer, x)
    for _ in range(3):
        layer.merge()
        assert not torch.allclose(base.state_dict()["weight"], state["base.weight"]), "merging adds something"
        layer.unmerge()
    assert layer.merged is False
    after = snapshot(layer)
    assert_close({name: after[name] for name in state}, state)
    found = gradients(layer, x)
    assert_close(found.output, before.output)
    assert found.parameters["lora_B"] is not None, "the adapter doesn't train any more"
    for name in state:
        gradient, expected = found.parameters[name], before.parameters[name]
        assert (gradient is None) == (expected is None)
        assert gradient is None or torch.allclose(gradient, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.points(0.5)
def test_double_merge(student, build):
    """Merging twice is merging once; unmerging a layer that isn't merged does nothing.

    zh: 合并两次等于合并一次；对未合并的层取消合并不起作用。
    """
    layer, base, state = adapted(student, build, (5, 7), 3, 7.0)

    def weight():
        return base.state_dict()["weight"].clone()

    layer.unmerge()
    assert_close(weight(), state["base.weight"])
    layer.merge()
    once = weight()
    ratio(once - state["base.weight"], state["lora_B"] @ state["lora_A"])
    layer.merge()
    assert_close(weight(), once)
    layer.unmerge()
    assert_close(weight(), state["base.weight"])


@pytest.mark.points(0.5)
def test_modes_do_not_merge(student, build):
    """train() and eval() neither merge nor unmerge: `merged` and the weight stay as they were.

    zh: train() 和 eval() 既不合并也不取消合并：`merged` 和权重都保持原样。
    """
    layer, base, state = adapted(student, build, (7, 5), 3, 12.0, dropout=0.5)
    for merged in (False, True):
        if merged:
            layer.merge()
            change = base.state_dict()["weight"] - state["base.weight"]
            ratio(change, state["lora_B"] @ state["lora_A"])
        weight = base.state_dict()["weight"].clone()
        assert torch.allclose(weight, state["base.weight"], atol=1e-4) is not merged
        for mode in (False, True, False):
            layer.train(mode)
            assert layer.merged is merged
            assert_close(base.state_dict()["weight"], weight)


# ------------------------------------------------------------------------------------------------ question 3


def named_model(build, wrap=lambda name, layer: layer):
    """x [*, 6] -> [*, 6]: two blocks and layers whose names only look like the ones that are asked for.

    wrap(name, linear): what stands in the place of a linear layer.
    """

    def linear(name, *sizes, **options):
        return wrap(name, build("torch.nn.Linear", *sizes, **options))

    blocks = []
    for place in range(2):
        block = build("torch.nn.Sequential")
        block.add_module("q_proj", linear(f"layers.{place}.q_proj", 6, 5))
        block.add_module("act", build("torch.nn.Tanh"))
        block.add_module("o_proj", linear(f"layers.{place}.o_proj", 5, 6, bias=False))
        blocks.append(block)
    model = build("torch.nn.Sequential")
    model.add_module("xq_proj", linear("xq_proj", 6, 6))
    model.add_module("layers", build("torch.nn.Sequential", *blocks))
    model.add_module("layers_0_o_proj", linear("layers_0_o_proj", 6, 6))
    model.add_module("norm", build("torch.nn.LayerNorm", 6))
    model.add_module("q_proj_gate", linear("q_proj_gate", 6, 6))
    return model


def randomised(module, names):
    """Fill the adapters of the modules `names` with random values; returns the model's state."""
    state = snapshot(module)
    for name in names:
        for matrix in ("lora_A", "lora_B"):
            state[f"{name}.{matrix}"] = torch.randn_like(state[f"{name}.{matrix}"])
    load(module, state)
    return state


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["o_proj", "q_proj"], [f"layers.{block}.{name}_proj" for block in (0, 1) for name in "qo"]),
        (["1.o_proj", "q_proj", "0.q_proj"], ["layers.0.q_proj", "layers.1.q_proj", "layers.1.o_proj"]),
        (["q_proj_gate", "xq_proj", "layers.0.o_proj"], ["xq_proj", "layers.0.o_proj", "q_proj_gate"]),
    ],
)
def test_inject_by_name(student, build, targets, names):
    """Targets fit whole names or whole ends of names, at any depth; a layer is replaced once, as it would be by hand.

    zh: 目标名要与全名或全名的完整结尾匹配，深浅不限；每层只替换一次，结果与手工替换相同。
    """
    model = named_model(build)
    x = torch.randn(40, 6)
    before = snapshot(model)
    assert student.inject_lora(model, targets, 3, 7.0, 0.75) == names
    after = snapshot(model)
    for name, value in before.items():
        module, _, tensor = name.rpartition(".")
        assert_close(after[f"{module}.base.{tensor}" if module in names else name], value)
    assert sorted({name.rpartition(".")[0] for name in after if "lora_" in name}) == sorted(names)
    by_hand = named_model(
        build, lambda name, layer: student.LoRALinear(layer, 3, 7.0, 0.75) if name in names else layer
    )
    state = randomised(model, names)
    load(by_hand, state)
    for each in (model, by_hand):
        each.train()
    dropped = [not torch.equal(each(x.clone()), each(x.clone())) for each in (model, by_hand)]
    assert dropped[0] == dropped[1], "the dropout asked for reaches the adapters"
    for each in (model, by_hand):
        each.eval()
    # Where the student's own layers behave in evaluation mode.
    if torch.equal(by_hand(x), by_hand(x)):
        assert_close(model(x), by_hand(x))


@pytest.mark.points(0.5)
def test_inject_trains_only_adapters(student, build, gradients):
    """After injection the adapters train and nothing else does, neither wrapped layers nor untouched ones.

    zh: 注入之后只有适配器可训练；被包住的层和没动过的层都不训练。
    """
    model = named_model(build)
    student.inject_lora(model, ["xq_proj"], 3, 7.0)
    randomised(model, ["xq_proj"])
    # Not ones: the sum of a layer norm's outputs hardly depends on what goes in.
    found = gradients(model, torch.randn(4, 6), upstream=torch.randn(4, 6))
    flags = trainable(model)
    assert sorted(name for name, flag in flags.items() if flag) == ["xq_proj.lora_A", "xq_proj.lora_B"]
    for name, gradient in found.parameters.items():
        if flags[name]:
            assert gradient is not None and gradient.any(), "an adapter gets no gradient"
        else:
            assert gradient is None, "something besides the adapters gets a gradient"


@pytest.mark.points(0.5)
def test_inject_keeps_modes(student, build):
    """A new layer is in the mode, training or evaluation, of the one it replaces; no other module's mode changes.

    zh: 新的层与被替换的层处于同一模式（训练或评估）；其他模块的模式不变。
    """
    for training in (set(), {"xq_proj"}):
        model = named_model(build)
        model.eval()
        for name in training:
            model.get_submodule(name).train()
        student.inject_lora(model, ["xq_proj"], 3, 7.0, 0.75)
        found = [name for name, module in model.named_modules() if module.training]
        assert training <= set(found)
        assert all(any(f"{name}.".startswith(f"{each}.") for each in training) for name in found)
    # The layer that is put in computes.
    model = named_model(build)
    student.inject_lora(model, ["xq_proj"], 3, 7.0)
    x = torch.randn(4, 6)
    state = snapshot(model) | {"xq_proj.lora_A": torch.randn(3, 6), "xq_proj.lora_B": torch.zeros(6, 3)}
    load(model, state)
    idle = model(x.clone())
    assert torch.equal(model(x.clone()), idle)
    load(model, state | {"xq_proj.lora_B": torch.randn(6, 3)})
    assert not torch.allclose(model(x.clone()), idle)


@pytest.mark.points(0.5)
def test_inject_unknown_name(student, build):
    """A target that no linear layer fits is a ValueError, and the model stays as it was.

    zh: 有目标名匹配不到任何线性层时抛出 ValueError，模型保持原样。
    """
    model = named_model(build)
    before, flags = sorted(model.state_dict()), trainable(model)
    for missing in ("k_proj", "norm"):
        with pytest.raises(ValueError):
            student.inject_lora(model, [missing, "xq_proj"], 3, 6.0)
    assert sorted(model.state_dict()) == before
    assert trainable(model) == flags
    assert student.inject_lora(model, ["xq_proj"], 3, 6.0) == ["xq_proj"]


# ------------------------------------------------------------------------------------------------ question 4


@pytest.mark.points(1)
def test_count_parameters(student, build):
    """Numbers are counted, not tensors, whichever module holds them; a shared parameter counts once, a buffer never.

    zh: 数的是参数里的数，不是张量个数，不管参数放在哪一级模块里；共享的参数只算一次，缓冲区不算。
    """
    frozen = build("torch.nn.Linear", 5, 3)
    frozen.requires_grad_(False)
    shared = build("torch.nn.Linear", 3, 3)
    model = build(
        "torch.nn.Sequential",
        frozen,
        build("torch.nn.BatchNorm1d", 3),
        shared,
        build("torch.nn.Sequential", build("torch.nn.ReLU"), shared),
        build("torch.nn.Linear", 3, 7, bias=False),
    )
    assert_close(student.count_parameters(model), (6 + 12 + 21, 18 + 6 + 12 + 21))
    model.requires_grad_(False)
    assert_close(student.count_parameters(model), (0, 57))
    shared.requires_grad_(True)
    assert_close(student.count_parameters(model), (12, 57))
    # A module that has submodules and parameters of its own.
    assert_close(student.count_parameters(build("torch.nn.MultiheadAttention", 8, 2)), (288, 288))
    # Two different modules that hold the same parameters.
    base = build("torch.nn.Linear", 5, 3)
    tied = build("torch.nn.Sequential", build("torch.nn.ParameterList", base.parameters()), base)
    assert_close(student.count_parameters(tied), (18, 18))
