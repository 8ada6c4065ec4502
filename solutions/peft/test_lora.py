"""Hidden tests of peft/lora."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close


def adapted(student, build, features, r, alpha, *, dropout=0.0, bias=True, dtype=torch.float32):
    """A LoRALinear whose four tensors are random, its base, and copies of the tensors."""
    inputs, outputs = features
    assert alpha != r, "a scale of 1 would hide a missing one"
    state = {
        "base.weight": torch.randn(outputs, inputs, dtype=dtype),
        "lora_A": torch.randn(r, inputs, dtype=dtype),
        "lora_B": torch.randn(outputs, r, dtype=dtype),
    }
    if bias:
        state["base.bias"] = torch.randn(outputs, dtype=dtype)
    base = build("torch.nn.Linear", inputs, outputs, bias=bias, dtype=dtype)
    layer = student.LoRALinear(base, r, alpha, dropout)
    layer.load_state_dict({name: value.clone() for name, value in state.items()})
    return layer, base, state


def snapshot(module):
    """The values of a module's parameters and buffers, which later changes of the module don't reach."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def trainable(module):
    """Parameter name -> whether it requires a gradient."""
    return {name: value.requires_grad for name, value in module.named_parameters()}


def expected_output(x, state, scale, prefix=""):
    """The layer's output from its tensors."""
    base = F.linear(x, state[f"{prefix}base.weight"], state.get(f"{prefix}base.bias"))
    return base + scale * (x @ state[f"{prefix}lora_A"].T) @ state[f"{prefix}lora_B"].T


@pytest.mark.points(1)
@pytest.mark.parametrize(("r", "inputs", "outputs", "alpha"), [(1, 3, 1, 2.5), (3, 7, 11, 16), (5, 2, 13, 1)])
def test_delta(student, reference, r, inputs, outputs, alpha):
    """The change is alpha / r times B A: of the weight's shape and the matrices' dtype, in proportion to alpha.

    zh: 改动量是 (alpha / r) B A：形状与权重相同，dtype 与两个矩阵相同，大小与 alpha 成正比。
    """
    lora_A, lora_B = torch.randn(r, inputs), torch.randn(outputs, r)
    delta = student.lora_delta(lora_A, lora_B, alpha)
    assert_close(delta, reference.lora_delta(lora_A, lora_B, alpha))
    assert torch.linalg.matrix_rank(delta) == min(r, inputs, outputs)
    assert_close(student.lora_delta(lora_A, lora_B, 3 * alpha), 3 * delta)
    # Twice the rank with the same matrices stacked: the sum doubles and the scale halves.
    doubled = student.lora_delta(torch.cat([lora_A, lora_A]), torch.cat([lora_B, lora_B], dim=1), alpha)
    assert_close(doubled, delta)
    for dtype in (torch.float64, torch.float16):
        A, B = lora_A.to(dtype), lora_B.to(dtype)
        assert_close(student.lora_delta(A, B, alpha), reference.lora_delta(A, B, alpha))
    with pytest.raises(ValueError):
        student.lora_delta(lora_A, torch.randn(outputs, r + 1), alpha)


@pytest.mark.points(1)
def test_initialisation(student, build):
    """Each layer draws its own A, uniform within 1 / sqrt(in) of 0; B is 0; the dtype is the base's; r is at least 1.

    zh: 每一层各自抽取 A，在零附近 1 / sqrt(in) 的范围内均匀分布；B 为零；dtype 与 base 一致；秩至少为 1。
    """
    for inputs, outputs, r in [(251, 7, 16), (64, 3, 48)]:
        base = build("torch.nn.Linear", inputs, outputs, dtype=torch.float64)
        layer = student.LoRALinear(base, r, 4.0)
        state = snapshot(layer)
        assert sorted(state) == ["base.bias", "base.weight", "lora_A", "lora_B"]
        assert_close(state["lora_B"], torch.zeros(outputs, r, dtype=torch.float64))
        lora_A, bound = state["lora_A"], 1 / math.sqrt(inputs)
        assert lora_A.shape == (r, inputs)
        assert lora_A.dtype == torch.float64
        assert 0.98 * bound < lora_A.abs().max() <= bound * (1 + 1e-6)
        assert lora_A.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert lora_A.mean().abs() < 0.1 * bound
        assert torch.linalg.matrix_rank(lora_A) == min(r, inputs), "the rows are drawn apart from one another"
        again = snapshot(student.LoRALinear(base, r, 4.0))["lora_A"]
        assert not torch.equal(again, lora_A), "the next layer starts from numbers of its own"
        # The layer that was initialised like this computes with what it holds.
        state["lora_B"] = torch.randn(outputs, r, dtype=torch.float64)
        layer.load_state_dict(state)
        x = torch.randn(3, inputs, dtype=torch.float64)
        assert_close(layer(x), expected_output(x, state, 4.0 / r))
    with pytest.raises(ValueError):
        student.LoRALinear(build("torch.nn.Linear", 5, 7), 0, 4.0)


@pytest.mark.points(1)
def test_identity_at_initialisation(student, build):
    """A new layer gives its base's outputs, in training mode as well; it stops doing so once B moves.

    zh: 新建的层与 base 的输出相同，训练模式下也是；B 一旦变化就不再相同。
    """
    base = build("torch.nn.Linear", 6, 5)
    layer = student.LoRALinear(base, 3, 12.0, 0.5)
    x = torch.randn(2, 4, 6)
    before = base(x)
    for mode in (True, False):
        layer.train(mode)
        assert_close(layer(x.clone()), before)
    state = snapshot(layer)
    state["lora_B"] = torch.randn(5, 3)
    layer.load_state_dict(state)
    assert_close(layer(x), expected_output(x, state, 4.0))


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("features", "r", "alpha", "shape", "bias", "dtype"),
    [
        ((7, 5), 3, 16.0, (4,), True, torch.float32),
        ((5, 11), 2, 1.0, (2, 3, 1), False, torch.float64),
        ((3, 2), 5, 2.5, (), True, torch.float32),
    ],
)
def test_forward(student, build, features, r, alpha, shape, bias, dtype):
    """The output is the base's plus alpha / r times the adapter's, for any leading axes, bias or no bias.

    zh: 输出等于 base 的输出加上 alpha / r 倍的适配器输出；前面的轴数任意，有无偏置都可以。
    """
    layer, _, state = adapted(student, build, features, r, alpha, bias=bias, dtype=dtype)
    x = torch.randn(*shape, features[0], dtype=dtype)
    assert_close(layer(x), expected_output(x, state, alpha / r))


@pytest.mark.points(1)
@pytest.mark.parametrize("bias", [True, False])
def test_base_gets_no_gradient(student, build, gradients, bias):
    """Only lora_A and lora_B train: the base gets no gradient, and the input's passes through both paths.

    zh: 只有 lora_A 和 lora_B 参与训练：base 得不到梯度，而输入的梯度来自两条路。
    """
    layer, _, state = adapted(student, build, (7, 5), 3, 12.0, bias=bias)
    x, upstream = torch.randn(4, 7), torch.randn(4, 5)
    found = gradients(layer, x, upstream=upstream)
    assert_close(found.output, expected_output(x, state, 4.0))
    lora_A, lora_B = state["lora_A"], state["lora_B"]
    assert_close(found.parameters["lora_A"], 4.0 * (upstream @ lora_B).T @ x)
    assert_close(found.parameters["lora_B"], 4.0 * upstream.T @ (x @ lora_A.T))
    assert_close(found.arguments[0], upstream @ (state["base.weight"] + 4.0 * lora_B @ lora_A))
    assert all(found.parameters[name] is None for name in state if name.startswith("base."))
    assert trainable(layer) == {name: name.startswith("lora_") for name in state}


@pytest.mark.points(1)
def test_dropout_only_on_the_adapter_path(student, build):
    """Where the adapter adds nothing, training mode gives the base's output; in evaluation mode nothing is dropped.

    zh: 适配器的贡献为零时，训练模式下的输出就是 base 的输出；评估模式下什么都不丢。
    """
    layer, base, state = adapted(student, build, (7, 5), 3, 12.0, dropout=0.5)
    x = torch.randn(9, 7)
    layer.eval()
    assert_close(layer(x), expected_output(x, state, 4.0))
    layer.load_state_dict(state | {"lora_B": torch.zeros(5, 3)})
    layer.train()
    assert_close(layer(x.clone()), F.linear(x, state["base.weight"], state["base.bias"]))
    assert_close(base(x), F.linear(x, state["base.weight"], state["base.bias"]))


@pytest.mark.points(1)
def test_dropout_acts_on_the_input(student, build, unchanged):
    """At each call each input is dropped by itself, with all it contributes; a kept one is scaled by 1 / (1 - p).

    zh: 每次调用时，每个输入都独立地决定是否丢弃，丢弃时它的全部贡献随之消失；保留下来的乘以 1 / (1 - p)。
    """
    # One input feature: a row's adapter output is dropped whole or kept whole, whatever the rank.
    layer, _, state = adapted(student, build, (1, 5), 3, 12.0, dropout=0.75)
    layer.train()
    x = 1 + torch.rand(200, 1)
    base = F.linear(x, state["base.weight"], state["base.bias"])
    full = expected_output(x, state, 4.0) - base
    output = layer(x)
    kept = (output - base).norm(dim=1) > 1e-3 * full.norm(dim=1)
    assert 20 < kept.sum() < 80, "about a quarter of the rows is kept"
    x_kept = torch.where(kept[:, None], x / 0.25, 0.0)
    assert_close(output, base + 4.0 * x_kept @ state["lora_A"].T @ state["lora_B"].T)
    # Two features that stay apart: output i of the adapter is input i, dropped or kept.
    layer, _, state = adapted(student, build, (2, 2), 2, 3.0, dropout=0.5)
    state["lora_A"] = state["lora_B"] = torch.eye(2)
    layer.load_state_dict(state)
    layer.train()
    x = 1 + torch.rand(200, 2)
    base = F.linear(x, state["base.weight"], state["base.bias"])
    output = layer(x)
    kept = output - base > 1.0
    assert_close(output, base + 1.5 * torch.where(kept, x / 0.5, 0.0))
    for pattern in ([False, False], [False, True], [True, False], [True, True]):
        count = (kept == torch.tensor(pattern)).all(dim=1).sum()
        assert 20 < count < 90, "about a quarter of the rows shows each pattern"
    assert not torch.equal(layer(x), output), "the next call decides afresh"
    assert unchanged(layer, x), "the input itself is not what is dropped: other layers read it, too"


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("features", "r", "alpha", "bias"), [((7, 5), 3, 12.0, True), ((2, 13), 4, 1.0, False)]
)
def test_merge_is_exact(student, build, features, r, alpha, bias):
    """A merged layer gives the same outputs from the base's weight alone; other layers are as they were.

    zh: 合并后的层只用 base 的权重就给出相同的输出；别的层保持原样。
    """
    layer, base, state = adapted(
        student, build, features, r, alpha, dropout=0.5, bias=bias, dtype=torch.float64
    )
    other, _, other_state = adapted(student, build, features, r + 1, 3 * alpha + 0.5, dtype=torch.float64)
    x = torch.randn(3, features[0], dtype=torch.float64)
    expected = expected_output(x, state, alpha / r)
    layer.eval()
    assert_close(layer(x), expected)
    layer.train()
    assert layer.merged is False
    layer.merge()
    assert layer.merged is True
    for mode in (True, False):  # in training mode there is no dropout left either
        layer.train(mode)
        assert_close(layer(x), expected)
    assert_close(base(x), expected)
    merged = dict(state)
    merged["base.weight"] = state["base.weight"] + alpha / r * state["lora_B"] @ state["lora_A"]
    assert_close(snapshot(layer), merged)
    assert trainable(layer) == {name: name.startswith("lora_") for name in state}
    assert other.merged is False
    assert_close(other(x), expected_output(x, other_state, (3 * alpha + 0.5) / (r + 1)))


@pytest.mark.points(0.5)
def test_merge_in_place(student, build):
    """Merging and unmerging change the base's own weight by the adapter as it is now, and no requires_grad.

    zh: 合并与取消合并改动的是 base 原有的那个权重，加减的是适配器当前的值；requires_grad 不变。
    """
    base = build("torch.nn.Linear", 7, 5)
    held = build(
        "torch.nn.ParameterList", base.parameters()
    )  # as an optimiser or a tied layer would hold them
    layer = student.LoRALinear(base, 3, 12.0)
    assert trainable(layer) == {name: name.startswith("lora_") for name in snapshot(layer)}
    for train in (True, False):  # each time with another adapter
        state = {name: torch.randn_like(value) for name, value in snapshot(layer).items()}
        layer.load_state_dict({name: value.clone() for name, value in state.items()})
        layer.requires_grad_(train)
        merged = state["base.weight"] + 4.0 * state["lora_B"] @ state["lora_A"]
        for change, weight in [(layer.merge, merged), (layer.unmerge, state["base.weight"])]:
            change()
            assert_close(base.state_dict()["weight"], weight)
            assert_close(held.state_dict(), {"0": weight, "1": state["base.bias"]})
        assert set(trainable(layer).values()) == {train}


@pytest.mark.points(0.5)
def test_unmerge_restores(student, build, gradients):
    """Unmerging restores the old weight and outputs, also after many rounds, and the adapter trains on.

    zh: 取消合并后恢复原来的权重和输出，往复多次也一样；适配器可以继续训练。
    """
    layer, base, state = adapted(student, build, (7, 5), 3, 12.0)
    x = torch.randn(4, 7)
    for _ in range(3):
        layer.merge()
        assert_close(
            base.state_dict()["weight"], state["base.weight"] + 4.0 * state["lora_B"] @ state["lora_A"]
        )
        layer.unmerge()
    assert layer.merged is False
    assert_close(snapshot(layer), state)
    found = gradients(layer, x)
    assert_close(found.output, expected_output(x, state, 4.0))
    assert_close(found.parameters["lora_B"], 4.0 * torch.ones(5, 4) @ (x @ state["lora_A"].T))
    assert found.parameters["base.weight"] is None


@pytest.mark.points(1)
def test_double_merge(student, build):
    """Merging twice is merging once; unmerging a layer that isn't merged does nothing.

    zh: 合并两次等于合并一次；对未合并的层取消合并不起作用。
    """
    layer, _, state = adapted(student, build, (5, 7), 2, 5.0)
    x = torch.randn(3, 5)
    layer.unmerge()
    assert_close(snapshot(layer), state)
    layer.merge()
    layer.merge()
    assert_close(layer(x), expected_output(x, state, 2.5))
    layer.unmerge()
    assert_close(snapshot(layer), state)
    layer.unmerge()
    assert_close(snapshot(layer), state)
    assert_close(layer(x), expected_output(x, state, 2.5))


def named_model(build):
    """x [*, 6] -> [*, 6]: two blocks and layers whose names only look like the ones that are asked for."""
    blocks = []
    for _ in range(2):
        block = build("torch.nn.Sequential")
        block.add_module("q_proj", build("torch.nn.Linear", 6, 5))
        block.add_module("act", build("torch.nn.Tanh"))
        block.add_module("o_proj", build("torch.nn.Linear", 5, 6, bias=False))
        blocks.append(block)
    model = build("torch.nn.Sequential")
    model.add_module("xq_proj", build("torch.nn.Linear", 6, 6))
    model.add_module("layers", build("torch.nn.Sequential", *blocks))
    model.add_module("layers_0_o_proj", build("torch.nn.Linear", 6, 6))
    model.add_module("q_proj_gate", build("torch.nn.Linear", 6, 6))
    model.add_module("norm", build("torch.nn.LayerNorm", 6))
    return model


def named_model_output(x, state, scale, adapted_names):
    """What `named_model` computes once the layers called `adapted_names` have adapters."""

    def linear(x, name):
        if name in adapted_names:
            return expected_output(x, state, scale, f"{name}.")
        return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    x = linear(x, "xq_proj")
    for block in ("layers.0", "layers.1"):
        x = linear(torch.tanh(linear(x, f"{block}.q_proj")), f"{block}.o_proj")
    x = linear(x, "layers_0_o_proj")
    return F.layer_norm(linear(x, "q_proj_gate"), (6,), state["norm.weight"], state["norm.bias"])


def randomised(module, names):
    """Fill the adapters of the modules `names` with random values; returns the model's state."""
    state = snapshot(module)
    for name in names:
        for matrix in ("lora_A", "lora_B"):
            state[f"{name}.{matrix}"] = torch.randn_like(state[f"{name}.{matrix}"])
    module.load_state_dict(state)
    return state


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["o_proj", "q_proj"], [f"layers.{block}.{name}_proj" for block in (0, 1) for name in "qo"]),
        (["1.o_proj", "q_proj", "0.q_proj"], ["layers.0.q_proj", "layers.1.q_proj", "layers.1.o_proj"]),
        (["xq_proj", "layers.0.o_proj"], ["xq_proj", "layers.0.o_proj"]),
    ],
)
def test_inject_by_name(student, build, targets, names):
    """Targets fit whole names or whole ends of names, at any depth; a layer is replaced once, weights kept.

    zh: 目标名要与全名或全名的完整结尾匹配，深浅不限；每层只替换一次，并保留原来的权重。
    """
    model = named_model(build)
    x = torch.randn(3, 6)
    before, output = snapshot(model), model(x).detach()
    assert student.inject_lora(model, targets, 3, 6.0, 0.75) == names
    after = snapshot(model)
    kept = {name.replace(".base.", "."): value for name, value in after.items() if "lora_" not in name}
    assert_close(kept, before)
    assert sorted({name.rpartition(".")[0] for name in after if "lora_" in name}) == sorted(names)
    state = randomised(model, names)
    full = named_model_output(x, state, 2.0, names)
    idle = {name: torch.zeros_like(value) if "lora_B" in name else value for name, value in state.items()}
    model.load_state_dict(idle)
    model.train()
    assert_close(model(x.clone()), output)
    model.load_state_dict(state)
    assert not torch.allclose(model(x.clone()), full), "the dropout asked for reaches the adapters"
    model.eval()
    assert_close(model(x), full)


@pytest.mark.points(1)
def test_inject_trains_only_adapters(student, build, gradients):
    """After injection the adapters train and nothing else does, neither wrapped layers nor untouched ones.

    zh: 注入之后只有适配器可训练；被包住的层和没动过的层都不训练。
    """
    model = named_model(build)
    names = student.inject_lora(model, ["0.o_proj", "1.o_proj"], 2, 5.0)
    state = randomised(model, names)
    x = torch.randn(4, 6)
    # Not ones: the sum of a layer norm's outputs hardly depends on what goes in.
    found = gradients(model, x, upstream=torch.randn(4, 6))
    assert_close(found.output, named_model_output(x, state, 2.5, ["layers.0.o_proj", "layers.1.o_proj"]))
    flags = trainable(model)
    assert sum(flags.values()) == 4
    assert flags == {name: "lora_" in name for name in flags}
    for name, gradient in found.parameters.items():
        if flags[name]:
            assert gradient is not None and gradient.any(), "an adapter gets no gradient"
        else:
            assert gradient is None, "something besides the adapters gets a gradient"


@pytest.mark.points(1)
def test_inject_unknown_name(student, build):
    """A target that no linear layer fits is a ValueError, and the model stays as it was.

    zh: 有目标名匹配不到任何线性层时抛出 ValueError，模型保持原样。
    """
    model = named_model(build)
    before, flags = sorted(model.state_dict()), trainable(model)
    for missing in ("k_proj", "norm"):
        with pytest.raises(ValueError):
            student.inject_lora(model, ["q_proj", missing], 3, 6.0)
    assert sorted(model.state_dict()) == before
    assert trainable(model) == flags
    assert student.inject_lora(model, ["q_proj"], 3, 6.0) == ["layers.0.q_proj", "layers.1.q_proj"]
    added = [f"layers.{block}.q_proj.lora_{matrix}" for block in (0, 1) for matrix in "AB"]
    assert sorted(name for name in model.state_dict() if "lora_" in name) == added


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
