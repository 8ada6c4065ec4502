"""Hidden tests of compression/quantization."""

import pytest
import torch

from autograder.testing import PROMISES, assert_close, check_promise, first_seed

SHAPES = [(5, 5), (1, 7), (7, 1), (3, 11)]


def by_loops(row, bits):
    """Symmetric codes of a list of floats that share a scale, the scale, and the unrounded codes."""
    scale = max(map(abs, row)) / (2 ** (bits - 1) - 1) or 1.0
    ratios = [value / scale for value in row]
    return [round(ratio) for ratio in ratios], scale, ratios


def affine_by_loops(row, bits):
    """Codes, scale and zero point of a list of floats, and all that was rounded on the way."""
    low, high = min(0.0, *row), max(0.0, *row)
    scale = (high - low) / (2**bits - 1) or 1.0
    lowest = -(2 ** (bits - 1))
    zero_point = lowest - round(low / scale)
    codes = [min(round(value / scale) + zero_point, lowest + 2**bits - 1) for value in row]
    return codes, scale, zero_point, [value / scale for value in (low, *row)]


def grouped_by_loops(weight, bits, group_size=None):
    """The same for each group of each row: codes [out, in], scales [out, G], the unrounded codes [out, in]."""
    codes, scales, ratios = [], [], []
    for row in weight.tolist():
        cuts = range(0, len(row), group_size or len(row))
        parts = [by_loops(row[i : i + (group_size or len(row))], bits) for i in cuts]
        codes.append([code for part in parts for code in part[0]])
        scales.append([part[1] for part in parts])
        ratios.append([ratio for part in parts for ratio in part[2]])
    return (
        torch.tensor(codes, dtype=torch.int8),
        torch.tensor(scales, dtype=weight.dtype),
        torch.tensor(ratios),
    )


def clear(ratios):
    """No number that is rounded lies near a half: other orders of the same operations round alike."""
    return bool(((ratios.double() % 1) - 0.5).abs().min() > 1e-3)


def weights(rows, columns, bits, group_size=None, dtype=torch.float32):
    """Rows of very different sizes; in some group the largest magnitude is negative."""

    def make(generator):
        sizes = torch.tensor([3.0, 0.2, 40.0, 1.0, 0.01, 8.0, 0.5])[:rows, None]
        return (torch.randn(rows, columns, generator=generator) * sizes).to(dtype)

    def telling(made):
        groups = made.split(group_size or columns, dim=1)
        negative = any(bool((part.amax(1) != part.abs().amax(1)).any()) for part in groups)
        return negative and clear(grouped_by_loops(made, bits, group_size)[2])

    return first_seed(make, telling)


@pytest.mark.points(2.5)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits, power", [(8, 0), (8, -40), (4, 0), (4, 30), (3, 0), (2, 0)])
def test_rows_by_largest_magnitude(student, shape, bits, power):
    """Each row, of tiny or of huge weights, has its own scale: its largest magnitude over the largest code.

    zh: 每一行有自己的缩放系数，等于该行最大绝对值除以最大的编码，权重极小或极大都一样。
    """
    weight = weights(*shape, bits)
    codes, scales, _ = grouped_by_loops(weight, bits)
    found_codes, found_scales = student.quantize_symmetric(weight * 2.0**power, bits)
    assert_close(found_codes, codes)
    assert_close(found_scales * 2.0**-power, scales)
    if bits == 8:
        assert_close(student.quantize_symmetric(weight), (codes, scales))


@pytest.mark.points(0.5)
def test_halves_go_to_even(student):
    """A number halfway between two codes goes to the even one.

    zh: 恰好在两个编码正中间的数，取偶数的那个。
    """
    row = [127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5]
    codes, scales = student.quantize_symmetric(torch.tensor([row, [0.25 * value for value in row]]))
    assert_close(codes, torch.tensor([[127, 0, 2, 2, 0, -2, -2, 126]] * 2, dtype=torch.int8))
    assert_close(scales, torch.tensor([[1.0], [0.25]]))
    codes, _ = student.quantize_symmetric(torch.tensor([[-3.5, 7.0, 4.5, 5.5]]), 4)
    assert_close(codes, torch.tensor([[-4, 7, 4, 6]], dtype=torch.int8))


@pytest.mark.points(0.5)
def test_groups_of_zeros(student):
    """A row or a group of zeros has scale 1 and codes of zero; its neighbours are as ever.

    zh: 全零的行或组，缩放系数为 1，编码为零；相邻的组不受影响。
    """
    codes, scales = student.quantize_symmetric(torch.tensor([[0.0, 0.0], [1.27, -0.3]]))
    assert_close(scales, torch.tensor([[1.0], [0.01]]))
    assert_close(codes, torch.tensor([[0, 0], [127, -30]], dtype=torch.int8))
    codes, scales = student.quantize_symmetric(torch.tensor([[0.0, 0.0, 1.4, -0.6, 0.0]]), 4, 2)
    assert_close(scales, torch.tensor([[1.0, 0.2, 1.0]]))
    assert_close(codes, torch.tensor([[0, 0, 7, -3, 0]], dtype=torch.int8))


@pytest.mark.points(2)
@pytest.mark.parametrize(
    "shape, group_size", [((3, 11), 4), ((4, 12), 3), ((5, 7), 5), ((2, 9), 1), ((3, 5), 8), ((1, 6), 6)]
)
@pytest.mark.parametrize("bits", [4, 8])
def test_groups_in_each_row(student, shape, group_size, bits):
    """Neighbouring columns of one row share a scale; the last group takes what is left of the row.

    zh: 同一行里相邻的若干列共用一个缩放系数；最后一组是这一行剩下的列。
    """
    weight = weights(*shape, bits, group_size)
    codes, scales, _ = grouped_by_loops(weight, bits, group_size)
    assert_close(student.quantize_symmetric(weight, bits, group_size), (codes, scales))


def mixed(rows, columns, bits):
    """Rows with values on both sides of zero, unevenly, and an exact zero in each."""

    def make(generator):
        sizes = torch.tensor([3.0, 0.2, 40.0, 1.0, 0.01])[:rows, None]
        made = (torch.randn(rows, columns, generator=generator) + 0.6) * sizes
        made[:, 1] = 0.0
        return made

    def telling(made):
        parts = [affine_by_loops(row, bits) for row in made.tolist()]
        shifted = [
            code for row, part in zip(made.tolist(), parts, strict=True) for code in moved(row, part, bits)
        ]
        asked = [code for part in parts for code in part[0]]
        sides = bool((made.amin(1) < 0).all() and (made.amax(1) > 0).all())
        return sides and shifted != asked and clear(torch.tensor([r for part in parts for r in part[3]]))

    return first_seed(make, telling)


def moved(row, part, bits):
    """The codes of a row whose smallest value is moved to the lowest code, without an integer zero point."""
    return [round((value - min(row)) / part[1]) - 2 ** (bits - 1) for value in row]


@pytest.mark.points(2)
@pytest.mark.parametrize("shape", [(5, 5), (1, 8), (3, 11)])
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_affine_codes(student, shape, bits):
    """The range of a row is spread over all codes, and the code of zero is the zero point.

    zh: 一行的取值范围铺满全部编码，0 的编码就是零点。
    """
    weight = mixed(*shape, bits)
    parts = [affine_by_loops(row, bits) for row in weight.tolist()]
    codes = torch.tensor([part[0] for part in parts], dtype=torch.int8)
    scales = torch.tensor([[part[1]] for part in parts])
    zero_points = torch.tensor([[part[2]] for part in parts], dtype=torch.int8)
    assert_close(student.quantize_affine(weight, bits), (codes, scales, zero_points))
    if bits == 8:
        assert_close(student.quantize_affine(weight), (codes, scales, zero_points))
    assert_close(codes[:, 1:2], zero_points)


ONE_SIDE = {
    "positive": [5.0, 6.0, 7.3],
    "negative": [-5.0, -6.0, -5.5],
    "constant": [3.0, 3.0, 3.0],
    "a large constant": [1e6, 1e6, 1e6],
    "a large negative constant": [-1e6, -1e6, -1e6],
    "a small constant": [-3e-5, -3e-5, -3e-5],
    "zeros": [0.0, 0.0, 0.0],
}


@pytest.mark.points(1)
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("kind", list(ONE_SIDE))
def test_affine_on_one_side_of_zero(student, kind, bits):
    """Values of one sign, and rows of one value, are kept to half a step of a range that holds zero.

    zh: 数值全在零的一侧，或整行是同一个数，误差也不超过半个步长；取值范围里含有零。
    """
    weight = torch.tensor([ONE_SIDE[kind], [-1.0, 4.0, 3.0]])
    codes, scales, zero_points = student.quantize_affine(weight, bits)
    steps = torch.tensor([[weight[0].abs().max().item() / (2**bits - 1) or 1.0], [5 / (2**bits - 1)]])
    assert_close(scales / steps, torch.ones(2, 1))
    for integers in (codes, zero_points):
        assert integers.dtype == torch.int8
        assert -(2 ** (bits - 1)) <= int(integers.min()) <= int(integers.max()) < 2 ** (bits - 1)
    assert zero_points.shape == (2, 1)
    assert_close(codes.double() - zero_points.double(), (weight / steps).double(), rtol=0, atol=0.501)


@pytest.mark.points(0.5)
@pytest.mark.parametrize("size", [1.0, 0.25])
def test_affine_codes_stay_in_range(student, size):
    """Where both ends of the range are rounded up, the largest value still has the highest code.

    zh: 取值范围的两端舍入时都变大，最大的数仍然得到最高的编码，不会越界。
    """
    found = student.quantize_affine(torch.tensor([[-1.5, 10.25, 253.5]]) * size)
    expected = [[-128, -116, 127]], [[size]], [[-126]]
    dtypes = torch.int8, torch.float32, torch.int8
    assert_close(found, tuple(torch.tensor(e, dtype=d) for e, d in zip(expected, dtypes, strict=True)))
    codes, _, zero_points = student.quantize_affine(torch.tensor([[-1.5, 13.5, 4.0]]) * size, 4)
    assert_close(codes, torch.tensor([[-8, 7, -2]], dtype=torch.int8))
    assert_close(zero_points, torch.tensor([[-6]], dtype=torch.int8))


def large_sums():
    """Sums that no int16 holds and no float32 represents, scales of one."""
    x, w = torch.randint(110, 128, (3, 9000)), torch.randint(110, 128, (4, 9000))
    expected = (x @ w.T).double()
    assert (expected.float().double() != expected).sum() > 6
    return x, torch.ones(3, 1).double(), w, torch.ones(4, 1).double(), expected


def cancelling_sums():
    """Large products of both signs that leave a small sum."""
    x, w = torch.randint(90, 128, (3, 1500)), torch.randint(90, 128, (4, 1500))
    rest_x, rest_w = torch.tensor([[1, 2], [-3, 4], [5, 7]]), torch.tensor([[1, 1], [2, 3], [-1, 6], [4, -5]])
    order = torch.randperm(3002)
    x, w = torch.cat([x, x, rest_x], dim=1)[:, order], torch.cat([w, -w, rest_w], dim=1)[:, order]
    x_scales, w_scales = torch.tensor([[0.1], [0.07], [0.3]]), torch.tensor([[0.3], [0.6], [0.7], [0.9]])
    return x, x_scales, w, w_scales, (rest_x @ rest_w.T) * (x_scales @ w_scales.T)


@pytest.mark.points(1)
@pytest.mark.parametrize("make", [large_sums, cancelling_sums])
def test_sums_of_codes_are_exact(student, make):
    """Sums of codes are exact: the long and large ones, and those that nearly cancel.

    zh: 编码之和是精确的：又长又大的和是这样，几乎抵消的和也是这样。
    """
    x, x_scales, w, w_scales, expected = make()
    found = student.int8_matmul(x.to(torch.int8), x_scales, w.to(torch.int8), w_scales)
    assert_close(found, expected, rtol=1e-9 if expected.dtype == torch.float64 else None)


@pytest.mark.points(1)
@pytest.mark.parametrize("M, N, K", [(4, 4, 6), (3, 5, 7), (1, 6, 1)])
def test_scales_of_both_sides(student, M, N, K):
    """Entry (m, n) is multiplied by the scale of input row m and by that of weight row n.

    zh: 第 m 行第 n 列的结果，乘以输入第 m 行和权重第 n 行的缩放系数。
    """
    x, w = torch.randint(-3, 4, (M, K)), torch.randint(1, 4, (N, K))  # no sum leaves int8
    x_scales, w_scales = torch.rand(M, 1) + 0.1, torch.rand(N, 1) * 9 + 1
    found = student.int8_matmul(x.to(torch.int8), x_scales, w.to(torch.int8), w_scales)
    expected = [
        [float((x[m] * w[n]).sum()) * x_scales[m].item() * w_scales[n].item() for n in range(N)]
        for m in range(M)
    ]
    assert_close(found, torch.tensor(expected))


@pytest.mark.points(1)
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("affine", [False, True])
def test_bytes_of_all_parts(student, bits, affine):
    """Codes, scales and zero points are counted; two 4-bit codes share a byte, across rows, too.

    zh: 编码、缩放系数、零点都算在内；四比特的编码两个合用一个字节，换行也不断开。
    """
    for rows, columns, group_size, scale_bytes in [
        (3, 5, None, 4),
        (3, 5, 2, 2),
        (5, 7, 3, 4),
        (4, 6, 3, 1),
        (1, 1, 1, 2),
        (7, 3, 128, 2),
        (4096, 4096, 128, 2),
    ]:
        found = student.stored_bytes(rows, columns, bits, group_size, affine, scale_bytes)
        assert type(found) is int
        last = [
            min(columns, start + (group_size or columns))
            for start in range(0, columns, group_size or columns)
        ]
        each = scale_bytes + (1 if affine else 0)
        assert found == (rows * columns * bits + 7) // 8 + rows * len(last) * each
    if not affine:
        assert student.stored_bytes(3, 5, bits) == (8 if bits == 4 else 15) + 3 * 4


@pytest.mark.points(0.5)
@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("name", ["quantize_symmetric", "quantize_affine", "int8_matmul"])
def test_promises(student, reference, unchanged, name, promise):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """

    def make(dtype):
        if name == "int8_matmul":
            codes = (torch.arange(35).reshape(5, 7) - 11).to(torch.int8)
            return (
                codes[:2],
                torch.tensor([[0.5], [2.0]], dtype=dtype),
                codes[2:],
                torch.ones(3, 1, dtype=dtype) / 3,
            )
        return (weights(3, 11, 8, dtype=dtype),)

    target = getattr(student, name)
    assert_close(target(*make(torch.float32)), getattr(reference, name)(*make(torch.float32)))
    check_promise(promise, target, make, unchanged)
