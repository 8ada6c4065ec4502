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


@pytest.mark.points(1)
def test_forward_and_merge_by_hand(student, build):
    """One input, one output, rank 1: 2 x + 1 + 10 * (3 * 0.5) x, and merging puts 17 in place of 2.

    zh: 一个输入、一个输出、秩为 1：2 x + 1 + 10 * (3 * 0.5) x；合并后权重由 2 变为 17。
    """
    layer = student.LoRALinear(build("torch.nn.Linear", 1, 1), 1, 10.0)
    layer.load_state_dict(
        {
            "base.weight": torch.tensor([[2.0]]),
            "base.bias": torch.tensor([1.0]),
            "lora_A": torch.tensor([[0.5]]),
            "lora_B": torch.tensor([[3.0]]),
        }
    )
    x = torch.tensor([[1.0], [-2.0]])
    assert_close(layer(x), torch.tensor([[18.0], [-33.0]]), message="before merging")
    layer.merge()
    assert_close(layer.state_dict()["base.weight"], torch.tensor([[17.0]]), message="the merged weight")
    assert_close(layer(x), torch.tensor([[18.0], [-33.0]]), message="after merging")
    layer.unmerge()
    assert_close(layer.state_dict()["base.weight"], torch.tensor([[2.0]]), message="the unmerged weight")


@pytest.mark.points(1)
def test_inject_into_a_sequence(student, build):
    """Of twelve layers called 0 to 11, the target "1" means the second only.

    zh: 十二个层依次叫 0 到 11，目标名 "1" 只指第二个。
    """
    layers = [build("torch.nn.Linear", 3, 3) for _ in range(12)]
    model = build("torch.nn.Sequential", *layers)
    x = torch.randn(2, 3)
    before = model(x).detach()
    assert student.inject_lora(model, ["1"], 2, 6.0) == ["1"]
    adapters = sorted(name for name in model.state_dict() if "lora_" in name)
    assert adapters == ["1.lora_A", "1.lora_B"], f"adapters found: {adapters}"
    assert_close(model(x), before, message="new adapters change nothing")


@pytest.mark.points(1)
def test_count_by_hand(student, build):
    """A trainable layer of 2 * 3 + 3 numbers and a frozen one of 3 * 1: (9, 12).

    zh: 一层可训练，共 2 * 3 + 3 个数；一层冻结，共 3 * 1 个数：(9, 12)。
    """
    frozen = build("torch.nn.Linear", 3, 1, bias=False)
    frozen.requires_grad_(False)
    model = build("torch.nn.Sequential", build("torch.nn.Linear", 2, 3), frozen)
    assert student.count_parameters(model) == (9, 12)
