"""The reference against PyTorch's quantised tensors, torchao, and an integer product; short last groups against loops."""

import pytest
import torch

from autograder.testing import assert_close, load_reference

SHAPES = [(5, 5), (1, 8), (16, 1), (3, 24), (32, 48)]


@pytest.fixture(scope="module")
def ref():
    return load_reference("compression/quantization")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def weights(*shape):
    """Rows of different sizes, one of zeros, one without negative values, one of a single value."""
    weight = torch.randn(shape) * torch.logspace(-3, 2, shape[0])[:, None]
    if shape[0] > 4:
        weight[0], weight[1], weight[2] = 0.0, weight[1].abs(), -7.5e5
    return weight


def same_codes(found, expected, ratios):
    """Libraries multiply by 1 / scale: codes may differ where a ratio is a half up to rounding."""
    near_half = ((ratios % 1) - 0.5).abs() < 1e-4
    assert (found.int() == expected.int())[~near_half].all()
    assert (found.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_those_of_torch(ref, shape):
    weight = weights(*shape)
    codes, scales = ref.quantize_symmetric(weight)
    library = torch.quantize_per_channel(
        weight, scales[:, 0].double(), torch.zeros(shape[0], dtype=torch.long), 0, torch.qint8
    )
    same_codes(codes, library.int_repr(), weight / scales)
    assert_close(ref.dequantize(codes, scales), library.dequantize(), rtol=1e-2)


@pytest.mark.parametrize("shape", SHAPES)
def test_affine_rows_are_those_of_torch(ref, shape):
    weight = weights(*shape)
    codes, scales, zero_points = ref.quantize_affine(weight)
    for row, found, scale, zero_point in zip(weight, codes, scales[:, 0], zero_points[:, 0], strict=True):
        library = torch.quantize_per_tensor(row, scale.item(), int(zero_point), torch.qint8)
        same_codes(found, library.int_repr(), row / scale)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(
    "shape, group_size", [((3, 24), 4), ((3, 24), 24), ((32, 48), 16), ((5, 6), 2), ((1, 8), 2)]
)
def test_groups_are_those_of_torchao(ref, shape, group_size, bits):
    from torchao.quantization.quant_primitives import MappingType, choose_qparams_affine, quantize_affine

    weight, top = weights(*shape), 2 ** (bits - 1) - 1
    block = (1, group_size)
    scales, zero_points = choose_qparams_affine(
        weight, MappingType.SYMMETRIC, block, torch.int8, -top, top, eps=1e-12
    )
    expected = quantize_affine(weight, block, scales, zero_points, torch.int8, -top, top)
    codes, found = ref.quantize_symmetric(weight, bits, group_size)
    scales = scales.reshape(found.shape)
    used = scales > 1e-11  # torchao gives a group of zeros the scale eps
    assert_close(torch.where(used, found, 1.0), torch.where(used, scales, 1.0))
    same_codes(codes, expected, weight / found.repeat_interleave(group_size, dim=1))


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[1] > 1])  # torchao wants blocks of two
def test_affine_is_that_of_torchao(ref, shape, bits):
    from torchao.quantization.quant_primitives import MappingType, choose_qparams_affine, quantize_affine

    weight, block = weights(*shape), (1, shape[1])
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    scales, zero_points = choose_qparams_affine(
        weight, MappingType.ASYMMETRIC, block, torch.int8, low, high, eps=1e-12
    )
    expected = quantize_affine(weight, block, scales, zero_points, torch.int8, low, high)
    codes, found, found_zero_points = ref.quantize_affine(weight, bits)
    scales, zero_points = scales.reshape(-1, 1), zero_points.reshape(-1, 1)
    used = scales > 1e-11
    assert_close(torch.where(used, found, 1.0), torch.where(used, scales, 1.0))
    assert (found_zero_points.int() == zero_points.int()).all()
    same_codes(codes, expected, weight / found)


@pytest.mark.parametrize("shape, group_size", [((3, 11), 4), ((5, 7), 5), ((2, 5), 9)])
def test_short_last_group(ref, shape, group_size):
    """torchao refuses a short last group: each group by itself, as a matrix of its own."""
    weight = weights(*shape)
    codes, scales = ref.quantize_symmetric(weight, 4, group_size)
    parts = [ref.quantize_symmetric(part, 4) for part in weight.split(group_size, dim=1)]
    assert_close(codes, torch.cat([part[0] for part in parts], dim=1))
    assert_close(scales, torch.cat([part[1] for part in parts], dim=1))
    restored = ref.dequantize(codes, scales, group_size=group_size)
    step = torch.cat([part[1].expand_as(part[0]) for part in parts], dim=1)
    assert ((restored - weight).abs() <= 0.5001 * step).all()


@pytest.mark.parametrize("M, N, K", [(3, 5, 7), (1, 1, 1), (32, 16, 64), (4, 8, 4000)])
def test_product_is_that_of_torch(ref, M, N, K):
    x, w = (
        torch.randint(-127, 128, (M, K), dtype=torch.int8),
        torch.randint(-127, 128, (N, K), dtype=torch.int8),
    )
    x_scales, w_scales = torch.rand(M, 1), torch.rand(N, 1)
    expected = torch._int_mm(x, w.T.contiguous()).double() * x_scales.double() * w_scales.double().T
    assert_close(ref.int8_matmul(x, x_scales, w, w_scales), expected.float())


@pytest.mark.parametrize("rows, columns, group_size", [(3, 5, 2), (4, 8, 4), (1, 1, None), (5, 7, 9)])
def test_bytes_of_packed_tensors(ref, rows, columns, group_size):
    """Codes packed for real, two in a byte, and the tensors that go with them."""
    codes, scales = ref.quantize_symmetric(torch.randn(rows, columns), 4, group_size)
    halves = torch.nn.functional.pad(codes.flatten() & 15, (0, codes.numel() % 2)).to(torch.uint8)
    packed = halves[0::2] << 4 | halves[1::2]
    assert ref.stored_bytes(rows, columns, 4, group_size) == packed.nbytes + scales.nbytes
    assert ref.stored_bytes(rows, columns, 8, group_size) == codes.nbytes + scales.nbytes
    zero_points = torch.zeros_like(scales, dtype=torch.int8)
    expected = packed.nbytes + scales.half().nbytes + zero_points.nbytes
    assert ref.stored_bytes(rows, columns, 4, group_size, True, 2) == expected


def test_bytes_as_published(ref):
    """A block of llama.cpp's Q8_0 is 32 codes of a byte and a scale of two: 34 bytes, 8.5 bits a weight."""
    assert ref.stored_bytes(1, 32, 8, 32, False, 2) == 34
