"""The QLoRA reference against the paper's table and bits, loops over nearest levels, PyTorch's fake quantisation, LoRA."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autograder.testing import assert_close, load_reference

# Dettmers et al. 2023, appendix E.
APPENDIX_E = [
    *[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635],
    *[-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725],
    *[0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941],
    *[0.7229568362236023, 1.0],
]


def test_the_papers_levels() -> None:
    levels = load_reference("peft/qlora").normal_float_levels(4)
    torch.testing.assert_close(levels, torch.tensor(APPENDIX_E), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
def test_levels_by_another_inverse(bits: int) -> None:
    normal, half = torch.distributions.Normal(0.0, 1.0), 2 ** (bits - 1)
    offset = sum(1 - 1 / (2 * count) for count in (2**bits, 2**bits - 1)) / 2
    positive = normal.icdf(torch.linspace(offset, 0.5, half + 1))[:-1]
    negative = -normal.icdf(torch.linspace(offset, 0.5, half))[:-1]
    expected = torch.cat([negative, torch.zeros(1), positive]).sort().values / positive.max()
    torch.testing.assert_close(load_reference("peft/qlora").normal_float_levels(bits), expected)


@pytest.mark.parametrize("shape", [(1,), (64,), (5, 39), (2, 3, 129)])
def test_codes_by_loops(shape: tuple[int, ...]) -> None:
    reference = load_reference("peft/qlora")
    levels = reference.normal_float_levels()
    values = 0.02 * torch.randn(shape)
    if values.numel() > 128:
        values.view(-1)[64:128] = 0
    codes, scales = [], []
    for block in values.flatten().split(64):
        scales.append(max(abs(value) for value in block.tolist()))
        for value in block:
            distances = (value / (scales[-1] or 1.0) - levels).abs()
            codes.append(int(distances.argmin()))
    packed, actual = reference.BlockCodec(levels).encode(values)
    assert_close(actual, torch.tensor(scales))
    read = [half for byte in packed.tolist() for half in divmod(byte, 16)]
    assert read[: len(codes)] == codes
    expected = [float(levels[code]) * scales[i // 64] for i, code in enumerate(codes)]
    decoded = reference.BlockCodec(levels).decode(packed, actual, shape)
    torch.testing.assert_close(decoded, torch.tensor(expected).view(shape))


@pytest.mark.parametrize("blocks", [1, 3])
def test_scales_by_fake_quantisation(blocks: int) -> None:
    reference = load_reference("peft/qlora")
    scales = 0.05 + 0.02 * torch.rand(blocks * 256) * torch.arange(1, blocks * 256 + 1).sqrt()
    codes, steps, mean = reference.ScaleCodec().encode(scales)
    centred = (scales - scales.mean()).view(blocks, 256)
    torch.testing.assert_close(steps * 127, centred.abs().amax(dim=1))
    expected = torch.fake_quantize_per_channel_affine(
        centred, steps, torch.zeros(blocks, dtype=torch.int32), 0, -127, 127
    )
    decoded = reference.ScaleCodec().decode(codes, steps, mean)
    torch.testing.assert_close(decoded, expected.flatten() + scales.mean())


def test_layer_is_lora_on_the_decoded_weight() -> None:
    qlora, lora = load_reference("peft/qlora"), load_reference("peft/lora")
    base = nn.Linear(96, 40)
    ours = qlora.QLoRALinear(base, 3, 7.0)
    packed, scales = qlora.BlockCodec(qlora.normal_float_levels()).encode(base.weight)
    scales = qlora.ScaleCodec().decode(*qlora.ScaleCodec().encode(scales))
    decoded = nn.Linear(96, 40)
    weight = qlora.BlockCodec(qlora.normal_float_levels()).decode(packed, scales, (40, 96))
    decoded.load_state_dict({"weight": weight, "bias": base.bias.detach()})
    theirs = lora.LoRALinear(decoded, 3, 7.0)
    for name in ("lora_A", "lora_B"):
        nn.init.normal_(getattr(ours, name))
        getattr(theirs, name).data.copy_(getattr(ours, name).data)
    x = torch.randn(5, 96, requires_grad=True)
    results = []
    for layer in (ours, theirs):
        (layer(x) ** 2).sum().backward()
        results.append((layer(x).detach(), layer.lora_A.grad, layer.lora_B.grad, x.grad))
        x.grad = None
    torch.testing.assert_close(results[0], results[1])


def test_the_papers_bits() -> None:
    """4 + 8/64 + 32/(64 * 256); the mean of all scales, which the paper leaves out, is the difference."""
    layer = load_reference("peft/qlora").QLoRALinear(nn.Linear(1024, 512), 1, 1.0)
    paper = 4 + 8 / 64 + 32 / (64 * 256)
    assert layer.bits_per_weight() == pytest.approx(paper + 32 / (1024 * 512), abs=1e-12)
    assert round(layer.bits_per_weight(), 3) == round(paper, 3) == 4.127
