"""Public tests of peft/lora: shapes, names, and examples small enough to check by hand."""

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_delta_by_hand(student):
    """A = [[1, 2]], B = [[1], [3]], alpha 4, rank 1: four times the outer product.

    zh: A = [[1, 2]]，B = [[1], [3]]，alpha 为 4，秩为 1：外积的四倍。
    """
    delta = student.lora_delta(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [3.0]]), 4)
    assert_close(delta, torch.tensor([[4.0, 8.0], [12.0, 24.0]]))


@pytest.mark.points(1)
def test_ranks_that_disagree(student):
    """Matrices of different rank are a ValueError; with rank 2 and alpha 5 the scale is 2.5.

    zh: 两个矩阵的秩不一致要抛出 ValueError；秩为 2、alpha 为 5 时缩放系数是 2.5。
    """
    delta = student.lora_delta(torch.ones(2, 3), torch.ones(1, 2), 5)
    assert_close(delta, torch.full((1, 3), 5.0))
    with pytest.raises(ValueError):
        student.lora_delta(torch.ones(2, 3), torch.ones(4, 1), 5)


@pytest.mark.points(1)
def test_layer_holds_the_right_tensors(student, build):
    """A layer from 4 to 3 of rank 2 holds lora_A [2, 4], lora_B [3, 2] and its base; the first two train.

    zh: 从 4 到 3、秩为 2 的层包含 lora_A [2, 4]、lora_B [3, 2] 和 base，只有前两个可训练。
    """
    layer = student.LoRALinear(build("torch.nn.Linear", 4, 3), 2, 6.0)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert shapes == {"base.weight": (3, 4), "base.bias": (3,), "lora_A": (2, 4), "lora_B": (3, 2)}
    training = {name for name, value in layer.named_parameters() if value.requires_grad}
    assert training == {"lora_A", "lora_B"}, f"these require a gradient: {sorted(training)}"


@pytest.mark.points(0.5)
def test_starts_as_its_base(student, build):
    """A new layer gives exactly what its base gives: nothing was learned yet.

    zh: 新建的层与 base 的输出完全相同：它还什么都没学到。
    """
    base = build("torch.nn.Linear", 4, 3)
    layer = student.LoRALinear(base, 2, 6.0)
    x = torch.tensor([[1.0, -2.0, 3.0, 0.5]])
    assert_close(layer(x), base(x))


def small_layer(student, build, r, alpha, lora_A, lora_B):
    """One input, one output: 2 x + 1, and an adapter with these numbers beside it."""
    layer = student.LoRALinear(build("torch.nn.Linear", 1, 1), r, alpha)
    layer.load_state_dict(
        {
            "base.weight": torch.tensor([[2.0]]),
            "base.bias": torch.tensor([1.0]),
            "lora_A": torch.tensor(lora_A),
            "lora_B": torch.tensor(lora_B),
        },
        strict=False,
    )
    return layer


@pytest.mark.points(1)
def test_forward_by_hand(student, build):
    """One input, one output, rank 2, alpha 10: 2 x + 1 + 10 / 2 * (3 * 0.5 - 1 * 1) x.

    zh: 一个输入、一个输出、秩为 2、alpha 为 10：2 x + 1 + 10 / 2 * (3 * 0.5 - 1 * 1) x。
    """
    layer = small_layer(student, build, 2, 10.0, [[0.5], [1.0]], [[3.0, -1.0]])
    assert_close(layer(torch.tensor([[1.0], [-2.0]])), torch.tensor([[5.5], [-8.0]]))


@pytest.mark.points(0.5)
def test_merge_by_hand(student, build):
    """Rank 1 and alpha 1: merging puts 2 + 3 * 0.5 in place of 2, and unmerging puts 2 back.

    zh: 秩和 alpha 都为 1：合并后权重由 2 变为 2 + 3 * 0.5，取消合并后变回 2。
    """
    layer = small_layer(student, build, 1, 1.0, [[0.5]], [[3.0]])
    x = torch.tensor([[1.0], [-2.0]])
    before = layer(x).detach()
    layer.merge()
    assert_close(layer.state_dict()["base.weight"], torch.tensor([[3.5]]), message="the merged weight")
    assert_close(layer(x), before, message="the outputs after merging")
    layer.unmerge()
    assert_close(layer.state_dict()["base.weight"], torch.tensor([[2.0]]), message="the unmerged weight")


@pytest.mark.points(1)
def test_inject_into_a_sequence(student, build):
    """Of twelve layers called 0 to 11, the target "1" means the second only.

    zh: 十二个层依次叫 0 到 11，目标名 "1" 只指第二个。
    """
    layers = [build("torch.nn.Linear", 3, 3) for _ in range(12)]
    model = build("torch.nn.Sequential", *layers)
    assert student.inject_lora(model, ["1"], 2, 6.0) == ["1"]
    adapters = sorted(name for name in model.state_dict() if "lora_" in name)
    assert adapters == ["1.lora_A", "1.lora_B"], f"adapters found: {adapters}"


@pytest.mark.points(1)
def test_count_by_hand(student, build):
    """A trainable layer of 2 * 3 + 3 numbers and a frozen one of 3 * 1: (9, 12).

    zh: 一层可训练，共 2 * 3 + 3 个数；一层冻结，共 3 * 1 个数：(9, 12)。
    """
    frozen = build("torch.nn.Linear", 3, 1, bias=False)
    frozen.requires_grad_(False)
    model = build("torch.nn.Sequential", build("torch.nn.Linear", 2, 3), frozen)
    assert student.count_parameters(model) == (9, 12)
