"""Public tests of blocks/gated_ffn: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_plain_by_hand(student):
    """Three hidden units read (1, -2): two stay positive, the third is cut off by ReLU.

    zh: 三个隐藏单元读到 (1, -2)：两个为正，第三个被 ReLU 截为 0。
    """
    module = student.FeedForward(2, 3)
    weights = {
        "w1.weight": torch.tensor([[1.0, 0.0], [0.0, -1.0], [1.0, 1.0]]),
        "w1.bias": torch.tensor([0.0, 0.0, 0.5]),  # before ReLU: 1, 2, -0.5
        "w2.weight": torch.tensor([[1.0, 1.0, 7.0], [-3.0, 0.0, 7.0]]),
        "w2.bias": torch.tensor([10.0, 0.0]),
    }
    module.load_state_dict(weights)
    assert_close(module(torch.tensor([[1.0, -2.0]])), torch.tensor([[13.0, -3.0]]))


@pytest.mark.points(2)
@pytest.mark.parametrize("kind", ["swiglu", "reglu"])
def test_gated_by_hand(student, kind):
    """The first gate is open, the second nearly or wholly shut: what w3 carries passes the first alone.

    zh: 第一扇门开着，第二扇几乎或完全关上：`w3` 送来的内容只能从第一扇门通过。
    """
    module = student.GatedFeedForward(2, 2, kind)
    weights = {
        "w1.weight": torch.tensor([[math.log(3), 0.0], [0.0, math.log(3)]]),  # log 3 and -log 3
        "w3.weight": torch.tensor([[-4.0, 0.0], [2.0, 0.0]]),  # -4 and 2
        "w2.weight": torch.tensor([[1.0, 0.0], [1.0, 10.0]]),
    }
    module.load_state_dict(weights)
    # SiLU(log 3) is 3/4 log 3, SiLU(-log 3) is -1/4 log 3.
    first, second = (-3.0, -0.5) if kind == "swiglu" else (-4.0, 0.0)
    expected = torch.tensor([[first, first + 10 * second]]) * math.log(3)
    assert_close(module(torch.tensor([[1.0, -1.0]])), expected)


@pytest.mark.points(1)
def test_hidden_size_by_hand(student):
    """LLaMA's width of 4096 gives 11008; a width of 96 gives 256, a multiple of 256 already.

    zh: LLaMA 的宽度 4096 得到 11008；宽度 96 得到 256，它本来就是 256 的倍数。
    """
    assert_close(student.gated_hidden_size(4096, 256), 11008)
    assert_close(student.gated_hidden_size(96, 256), 256)


@pytest.mark.points(1)
def test_shapes_and_parameters(student):
    """Both modules keep the shape; of width 12 and 8 they hold the same number of weights, biases apart.

    zh: 两个模块都保持形状不变；宽度分别取 12 和 8 时，除偏置以外权重个数相同。
    """
    x = torch.randn(2, 5, 3)
    counts = []
    for module in (student.FeedForward(3, 12, "gelu"), student.GatedFeedForward(3, 8, "geglu")):
        assert tuple(module(x).shape) == (2, 5, 3)
        shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
        counts.append(sum(math.prod(shape) for shape in shapes.values() if len(shape) == 2))
        assert ("w1.bias" in shapes) == ("w3.weight" not in shapes)
    assert counts == [72, 72]
