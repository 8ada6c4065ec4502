"""Public tests of peft/qlora: numbers small enough to check by hand."""

import pytest
import torch

from autograder.testing import assert_close

# NF4 to three digits.
LEVELS = torch.tensor(
    [-1, -0.696, -0.525, -0.395, -0.284, -0.185, -0.091, 0, 0.08, 0.161, 0.246, 0.338, 0.441, 0.563, 0.723, 1]
)


@pytest.mark.points(1)
def test_two_bit_levels(student):
    """Two bits give -1, 0, 0.4358 and 1: quantiles, with an exact zero and one positive level more than negative ones.

    zh: 两比特得到 -1、0、0.4358、1：它们是分位数，其中有精确的零，正的比负的多一个。
    """
    levels = student.normal_float_levels(2)
    assert_close(levels, torch.tensor([-1.0, 0.0, 0.4358, 1.0]), rtol=0, atol=1e-4)
    assert levels[1] == 0


@pytest.mark.points(1)
def test_four_values_by_hand(student):
    """[0, 2, -2, 5] in blocks of 3: scales 2 and 5, codes 7, 15, 0 and 15, and back.

    zh: [0, 2, -2, 5]，每块 3 个：缩放系数为 2 和 5，编码为 7、15、0、15，解码后复原。
    """
    codec = student.BlockCodec(LEVELS, 3)
    values = torch.tensor([[0.0, 2.0], [-2.0, 5.0]])
    packed, scales = codec.encode(values)
    assert_close(scales, torch.tensor([2.0, 5.0]))
    assert_close(packed, torch.tensor([0x7F, 0x0F], dtype=torch.uint8))
    assert_close(codec.decode(packed, scales, (2, 2)), values)


@pytest.mark.points(1)
def test_scales_by_hand(student):
    """The scales 1, 2, 3 and 6 have the mean 3 and the step 3 / 127: codes -85, -42, 0 and 127, and back.

    zh: 缩放系数 1、2、3、6 的平均值为 3，步长为 3 / 127：编码为 -85、-42、0、127，再解码回来。
    """
    codec = student.ScaleCodec()
    codes, steps, mean = codec.encode(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert_close(codes, torch.tensor([-85, -42, 0, 127], dtype=torch.int8))
    assert_close(steps, torch.tensor([3 / 127]))
    assert_close(mean, torch.tensor(3.0))
    assert_close(codec.decode(codes, steps, mean), torch.tensor([0.99213, 2.00787, 3.0, 6.0]))


@pytest.mark.points(1)
def test_layer_by_hand(student, build):
    """The weight [[2, -2], [2, 2]] needs the levels -1 and 1 only, so the output is exact: [-1, 5] - 3 * [0.5, 1].

    zh: 权重 [[2, -2], [2, 2]] 只用到 -1 和 1 两个量化值，所以输出没有误差：[-1, 5] - 3 * [0.5, 1]。
    """
    base = build("torch.nn.Linear", 2, 2)
    base.load_state_dict(
        {"weight": torch.tensor([[2.0, -2.0], [2.0, 2.0]]), "bias": torch.tensor([1.0, -1.0])}
    )
    layer = student.QLoRALinear(base, 1, 3.0)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert shapes == {
        "packed": (2,),
        "scale_codes": (1,),
        "scale_steps": (1,),
        "scale_mean": (),
        "bias": (2,),
        "lora_A": (1, 2),
        "lora_B": (2, 1),
    }
    x = torch.tensor([[1.0, 2.0]])
    assert_close(layer(x), torch.tensor([[-1.0, 5.0]]), message="B is zero at first")
    adapter = {"lora_A": torch.tensor([[1.0, -1.0]]), "lora_B": torch.tensor([[0.5], [1.0]])}
    layer.load_state_dict(adapter, strict=False)
    assert_close(layer(x), torch.tensor([[-2.5, 2.0]]))


@pytest.mark.points(0.5)
def test_bits_by_hand(student, build):
    """4 x 16 weights: 32 bytes of codes, and 1 + 4 + 4 bytes for their one scale, are 5.125 bits per weight.

    zh: 4 x 16 个权重：编码 32 字节，唯一的缩放系数 1 + 4 + 4 字节，合每个权重 5.125 比特。
    """
    layer = student.QLoRALinear(build("torch.nn.Linear", 16, 4), 3, 6.0)
    assert_close(layer.bits_per_weight(), 5.125)
