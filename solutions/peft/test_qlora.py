"""Hidden tests of peft/qlora.

The codecs get the right levels from the test. The layer is compared with what the student's own codecs make of its
buffers, where these differ from the right ones: a mistake in a codec costs the codec's tests and no other.
"""

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close, check_any, check_promise

# Dettmers et al. 2023, appendix E, with the digits that matter here.
PUBLISHED = [
    *[-1.0, -0.6961928, -0.5250730, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0, 0.0795803],
    *[0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0],
]


def uneven_levels(zero: int = 4) -> Tensor:
    """16 other levels, their zero at this index: what is made for NF4 alone goes wrong with them."""
    below = -(torch.linspace(1, 0.1, zero) ** 2)
    above = torch.linspace(0.07, 1, 15 - zero) ** 1.5
    levels = torch.cat([below, torch.zeros(1), above])
    assert levels.numel() == 16 and (levels.diff() > 0).all() and zero != 7
    return levels


def halves(packed: Tensor) -> Tensor:
    """[bytes, 2]: the high and the low half of each byte."""
    return torch.stack([packed >> 4, packed & 15], dim=1).long()


# ---------------------------------------------------------------------------------------------------------- question 1


@pytest.mark.points(1.5)
@pytest.mark.parametrize("bits", [4, 3, 5])
def test_normal_quantiles(student, reference, bits):
    """Whatever the number of bits, the levels are the stated quantiles in float32, and zero is exactly among them.

    zh: 无论比特数是多少，量化值都是题中所说的分位数，dtype 为 float32，其中恰好有零。
    """
    actual, expected = student.normal_float_levels(bits), reference.normal_float_levels(bits)
    if bits == 4:
        expected = torch.tensor(PUBLISHED)
    assert_close(actual, expected, rtol=0, atol=1e-5)
    assert actual[2 ** (bits - 1) - 1] == 0, "one level is exactly zero"


# ---------------------------------------------------------------------------------------------------------- question 2


@pytest.mark.points(1)
@pytest.mark.parametrize("table", ["published", "uneven"])
def test_code_of_the_nearest_level(student, table):
    """The code is that of the nearest level, above or below, on both sides of zero.

    zh: 编码取最近的那个量化值，不论在上面还是下面，零的两边都一样。
    """
    levels = torch.tensor(PUBLISHED) if table == "published" else uneven_levels()
    scale = 3.0 if table == "published" else 2e-4  # trained weights are small
    near = torch.arange(16).repeat(2)
    gaps = torch.cat([levels.diff(), torch.zeros(1)])
    offsets = torch.cat([0.4 * gaps[:16], -0.4 * gaps.roll(1)])  # above each level, and below it
    values = scale * (levels[near] + offsets)
    assert values.abs().max() == torch.tensor(scale) and (values < 0).sum() > 8
    packed, _ = student.BlockCodec(levels, 32).encode(values.clone())
    assert (packed.dtype, packed.shape) == (torch.uint8, (16,))
    # Which half of a byte comes first is another test's matter.
    assert_close(halves(packed).sort(dim=1).values, near.view(-1, 2).sort(dim=1).values)


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("shape", "block", "dtype"),
    [((5, 13), 8, torch.float32), ((3, 3, 25), 64, torch.bfloat16), ((2, 3), 64, torch.float64)],
)
def test_scale_of_each_block(student, shape, block, dtype):
    """Each block of the flattened tensor has its largest absolute value as its scale, in float32; the last may be short.

    zh: 展平之后每一块的缩放系数是块内绝对值的最大值，dtype 为 float32；最后一块可以不满。
    """
    values = torch.randn(shape, dtype=torch.float64)
    values.view(-1)[1::block] = -4 - torch.arange(len(values.view(-1)[1::block]), dtype=torch.float64)
    values = values.to(dtype)
    blocks = values.flatten().float().split(block)
    expected = torch.stack([each.abs().max() for each in blocks])
    assert (
        len(blocks[-1]) < block and shape[-1] % block and (torch.stack([b.max() for b in blocks]) < 4).all()
    )
    packed, scales = student.BlockCodec(torch.tensor(PUBLISHED), block).encode(values)
    assert_close(scales, expected)
    assert packed.shape == ((values.numel() + 1) // 2,)


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", ["high_half_first", "arguments_unchanged", "not_contiguous"])
def test_bytes_and_back(student, unchanged, promise):
    """The first of two codes is in the high half of its byte; decoding gives level times scale, in the shape asked for.

    zh: 两个编码中的前一个在字节的高四位；解码得到量化值乘以缩放系数，形状是所要求的。
    """
    levels, block, shape = uneven_levels(), 6, (3, 7)
    codes = torch.randint(16, (22,))
    codes[::block] = 15
    scales = torch.tensor([0.5, 3.0, 0.125, 20.0])
    packed = (codes[::2] * 16 + codes[1::2]).to(torch.uint8)
    assert packed.max() > 127 and not codes.view(-1, 2).sort(dim=1).values.equal(codes.view(-1, 2))
    expected = torch.stack([levels[codes[i]] * scales[i // block] for i in range(21)]).view(shape)
    codec = student.BlockCodec(levels, block)
    decoded = codec.decode(packed.clone(), scales.clone(), shape)
    assert_close(decoded, expected)
    again, _ = codec.encode(expected.clone())
    assert_close(again[:-1], packed[:-1])
    assert again[-1] >> 4 == codes[20], "a lone last code is in the high half"
    if promise != "high_half_first":
        make = lambda dtype: (expected.to(dtype),)  # noqa: E731
        check_promise(promise, codec.encode, make, unchanged, dtypes=[torch.float32])


@pytest.mark.points(0.75)
def test_block_of_zeros(student):
    """A block of zeros has scale 0 and codes whose level is zero, so that it stays zero whatever becomes of its scale.

    zh: 全零的块缩放系数为 0，编码所指的量化值是零；这样不管缩放系数后来变成多少，它仍是零。
    """
    for zero in (4, 9):
        values = torch.randn(4, 8)
        values[1:3] = 0.0
        codec = student.BlockCodec(uneven_levels(zero), 8)
        packed, scales = codec.encode(values.clone())
        assert_close(scales, values.abs().amax(dim=1))
        assert_close(halves(packed[4:12]), torch.full((8, 2), zero))
        assert len(halves(packed[[0, 1, 2, 3]]).unique()) > 2, "other blocks have other codes"
        decoded = codec.decode(packed, torch.tensor([1.0, 0.5, -0.25, 2.0]), (4, 8))
        assert_close(decoded[1:3], torch.zeros(2, 8))
        assert decoded[0].any() and decoded[3].any()


# ---------------------------------------------------------------------------------------------------------- question 3


@pytest.mark.points(1)
@pytest.mark.parametrize(("count", "block"), [(21, 8), (600, 256), (5, 256)])
def test_scales_around_their_mean(student, count, block):
    """The mean of all scales is subtracted; each block has its own step, and codes are rounded to the nearest.

    zh: 先减去全部缩放系数的平均值；每块各有自己的步长，编码取最接近的整数。
    """
    # Blocks of different spread: halves of an odd number of steps around a mean are avoided.
    spread = 0.2 + torch.arange(count) // block
    scales = 5 + spread * torch.rand(count)
    mean = scales.mean()
    steps = torch.stack([each.abs().max() / 127 for each in (scales - mean).split(block)])
    exact = (scales - mean) / steps.repeat_interleave(block)[:count]
    sure = (exact - exact.floor() - 0.5).abs() > 1e-2
    assert sure.sum() > 0.9 * count and exact.min() < -30 and exact.max() > 30
    codes, actual_steps, actual_mean = student.ScaleCodec(block).encode(scales.clone())
    assert_close(actual_mean, mean)
    assert_close(actual_steps, steps)
    assert (codes.dtype, codes.shape) == (torch.int8, (count,))
    assert_close(codes[sure].long(), exact[sure].round().long())


@pytest.mark.points(1)
def test_scales_come_back(student):
    """Decoding multiplies codes by their block's step and adds the mean; equal scales come back exactly.

    zh: 解码时编码乘以所在块的步长，再加上平均值；全都相等的缩放系数原样复原。
    """
    codes = torch.tensor([127, -3, 0, 55, -127, 12, 1], dtype=torch.int8)
    steps, mean = torch.tensor([0.01, 0.5, 0.03]), torch.tensor(2.5)
    expected = torch.tensor([3.77, 2.47, 2.5, 30.0, -61.0, 8.5, 2.53])
    codec = student.ScaleCodec(3)
    assert_close(codec.decode(codes.clone(), steps.clone(), mean.clone()), expected)
    for same in (torch.full((7,), 1.5), torch.full((1,), 0.75)):
        assert_close(codec.decode(*codec.encode(same.clone())), same)


# ---------------------------------------------------------------------------------------------------------- question 4


BLOCK, SCALE_BLOCK = 16, 4
STORED = ("packed", "scale_codes", "scale_steps", "scale_mean")


def stored(codecs, weight: Tensor) -> dict[str, Tensor]:
    """The buffers of a weight by these codecs, the reference's or the student's."""
    packed, scales = codecs.BlockCodec(codecs.normal_float_levels(4), BLOCK).encode(weight.detach())
    return dict(zip(STORED, (packed, *codecs.ScaleCodec(SCALE_BLOCK).encode(scales)), strict=True))


def decoded(codecs, state: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    scales = codecs.ScaleCodec(SCALE_BLOCK).decode(*[state[name] for name in STORED[1:]])
    return codecs.BlockCodec(codecs.normal_float_levels(4), BLOCK).decode(state["packed"], scales, shape)


def quantised_layer(student, reference, build, features, r, alpha, *, bias=True, dtype=torch.float32):
    """A layer made from one weight and then given the buffers of another, with a random adapter; and its state."""
    assert alpha / r not in (1, alpha) and features[0] != features[1]
    inputs, outputs = features
    base = build("torch.nn.Linear", inputs, outputs, bias=bias, dtype=dtype)
    layer = student.QLoRALinear(base, r, alpha, BLOCK, SCALE_BLOCK)
    weight = torch.randn(outputs, inputs)
    state = stored(reference, weight)
    if any(layer.state_dict()[name].shape != value.shape for name, value in state.items()):
        state = stored(student, weight)  # the codecs have tests of their own
    state |= {
        "lora_A": torch.randn(r, inputs, dtype=dtype),
        "lora_B": torch.randn(outputs, r, dtype=dtype),
    }
    if bias:
        state["bias"] = torch.randn(outputs, dtype=dtype)
    layer.load_state_dict({name: value.clone() for name, value in state.items()})
    return layer, state


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("features", "r", "alpha", "shape", "bias", "dtype"),
    [
        ((11, 7), 3, 16.0, (4,), True, torch.float32),
        ((5, 23), 2, 3.0, (2, 3, 1), False, torch.float64),
        ((13, 6), 5, 12.0, (), True, torch.bfloat16),
    ],
)
def test_layer_decodes_its_buffers(student, reference, build, features, r, alpha, shape, bias, dtype):
    """The output comes from the weight that the buffers hold now, the bias and the scaled adapter, in the dtype of x.

    zh: 输出来自各个 buffer 当前所存的权重、偏置，以及乘了系数的适配器；dtype 与 x 相同。
    """
    layer, state = quantised_layer(student, reference, build, features, r, alpha, bias=bias, dtype=dtype)
    x = torch.randn(*shape, features[0], dtype=dtype)
    output = layer(x)
    adapter = alpha / r * (x @ state["lora_A"].T @ state["lora_B"].T)

    def check(codecs):
        weight = decoded(codecs, state, features[::-1]).to(dtype)
        assert_close(output, x @ weight.T + state.get("bias", 0.0) + adapter)

    check_any(check, lambda: reference, lambda: student)


@pytest.mark.points(1)
@pytest.mark.parametrize("bias", [True, False])
def test_layer_starts_as_its_quantised_base(student, reference, build, bias):
    """A new layer holds the named tensors and no others; it starts as its base with the weight encoded and decoded.

    zh: 新建的层里只有列出的那些张量；它一开始就等于把权重编码再解码之后的 base。
    """
    base = build("torch.nn.Linear", 19, 9, bias=bias)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    layer = student.QLoRALinear(base, 4, 6.0, BLOCK, SCALE_BLOCK)
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    assert set(state) == {*STORED, "lora_A", "lora_B"} | ({"bias"} if bias else set())
    assert 0 < state["lora_A"].abs().max() <= 19**-0.5 and not state["lora_B"].any()
    assert state["lora_A"].unique().numel() > 70 and state["lora_A"].std() > 0.45 * 19**-0.5
    base.load_state_dict({name: torch.zeros_like(value) for name, value in before.items()})
    x = torch.randn(6, 19)
    output = layer(x)  # of its own tensors, whatever becomes of the base
    full = x @ before["weight"].T + before.get("bias", 0.0)

    def check(codecs):
        weight = decoded(codecs, stored(codecs, before["weight"]), (9, 19))
        assert_close(output, x @ weight.T + before.get("bias", 0.0))

    check_any(check, lambda: reference, lambda: student)
    assert output.any() and (output - full).abs().max() > 1e-3, "four bits don't hold the weight exactly"


@pytest.mark.points(1)
def test_gradient_through_a_frozen_code(student, reference, build, gradients):
    """The input's gradient comes through both paths; of the parameters only lora_A and lora_B have one.

    zh: 输入的梯度来自两条路；参数之中只有 lora_A 和 lora_B 有梯度。
    """
    layer, state = quantised_layer(student, reference, build, (11, 7), 3, 16.0)
    x, upstream = torch.randn(4, 11), torch.randn(4, 7)
    found = gradients(layer, x, upstream=upstream)
    gradients(layer, x, upstream=upstream)  # training goes on: nothing hangs on the first step's graph
    lora_A, lora_B, scale = state["lora_A"], state["lora_B"], 16.0 / 3

    def check(codecs):
        whole = decoded(codecs, state, (7, 11)) + scale * lora_B @ lora_A
        assert found.arguments[0] is not None, "no gradient reaches the input"
        assert_close(found.arguments[0], upstream @ whole)

    check_any(check, lambda: reference, lambda: student)
    assert_close(found.parameters["lora_A"], scale * (upstream @ lora_B).T @ x)
    assert_close(found.parameters["lora_B"], scale * upstream.T @ (x @ lora_A.T))
    others = [name for name, value in found.parameters.items() if value is not None]
    assert sorted(others) == ["lora_A", "lora_B"]
    training = [name for name, value in layer.named_parameters() if value.requires_grad]
    assert sorted(training) == ["lora_A", "lora_B"]


@pytest.mark.points(0.75)
def test_bits_of_the_frozen_weight(student, build):
    """Codes, scale codes, steps and mean count, all in bits per weight; adapter and bias don't.

    zh: 权重的编码、缩放系数的编码、步长和平均值都计入，单位是每个权重的比特数；适配器和偏置不计。
    """
    for inputs, outputs, r in [(256, 192, 3), (33, 7, 5)]:
        weights = inputs * outputs
        scales = -(-weights // 64)
        expected = 8 * (-(-weights // 2) + scales + 4 * -(-scales // 256) + 4) / weights
        layer = student.QLoRALinear(build("torch.nn.Linear", inputs, outputs), r, 8.0)
        assert_close(layer.bits_per_weight(), expected)
