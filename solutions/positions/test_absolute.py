"""Hidden tests of positions/absolute."""

import pytest
import torch

from autograder.testing import PROMISES, assert_close, check_promise, check_refusal, compare_gradients


def drawn(seed, *shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def recurrence(C):
    """p_0, W and b of a recurrence that neither dies out nor saturates; W isn't symmetric."""
    p0, weight, bias = drawn(1, C), 1.2 * drawn(4, C, C) / C**0.5, 0.5 * drawn(3, C)
    assert C == 1 or not torch.allclose(weight, weight.T, atol=0.1)
    return p0, weight, bias


@pytest.mark.points(2.5)
@pytest.mark.parametrize("size", [(37, 10), (5, 6), (1, 4), (3, 2), (90, 64)])
def test_sinusoidal_table(student, reference, size):
    """Even columns are sines, odd ones cosines, and both of a pair have the frequency 10000^(-2 (j // 2) / C).

    zh: 偶数列是正弦，奇数列是余弦，一对里两者的频率都是 10000^(-2 (j // 2) / C)。
    """
    assert_close(student.sinusoidal_table(*size), reference.sinusoidal_table(*size), atol=5e-5)


@pytest.mark.points(1)
@pytest.mark.parametrize("size", [(11, 7), (4, 1), (6, 3)])
def test_odd_width(student, reference, size):
    """An odd width ends with a sine, and the exponent still divides by the whole width.

    zh: 宽度为奇数时以正弦结尾，指数仍然除以整个宽度。
    """
    assert_close(student.sinusoidal_table(*size), reference.sinusoidal_table(*size), atol=5e-5)


@pytest.mark.points(3)
@pytest.mark.parametrize("offset", [3, -2, 17, 0])
def test_shift(student, reference, offset):
    """One matrix takes the encoding of every position to that of the position `offset` later.

    zh: 同一个矩阵把每个位置的编码都变成偏移 `offset` 之后那个位置的编码。
    """
    for width in (8, 2, 14):
        matrix = student.shift_matrix(offset, width)
        table = reference.sinusoidal_table(60, width)
        for position in (5, 2, 31):
            assert_close(matrix @ table[position], table[position + offset], atol=5e-5)
        # Only the rotation of each pair does that for all vectors, too.
        assert_close(matrix, reference.shift_matrix(offset, width), atol=5e-5)


@pytest.mark.points(2)
@pytest.mark.parametrize("alpha", [0.4, 0.7, 0.1])
def test_extension(student, reference, alpha):
    """Row i n + j is alpha u_i + (1 - alpha) u_j; the first n of the n * n rows are the trained ones.

    zh: 第 i n + j 行是 alpha u_i + (1 - alpha) u_j；n * n 行里的前 n 行就是训练好的那些行。
    """
    for n, C in ((5, 3), (3, 7), (1, 2), (2, 1)):
        table = drawn(n, n, C)
        extended = student.extend_table(table, alpha)
        assert_close(extended, reference.extend_table(table, alpha))
        assert_close(extended[:n], table)


@pytest.mark.points(1)
def test_alpha_one_half(student, reference):
    """An alpha of 0.5 is a ValueError, since it makes two positions alike; other values, and 0.4 by itself, are accepted.

    zh: alpha 为 0.5 时两个位置会重合，要抛出 ValueError；其他取值都接受，默认是 0.4。
    """
    table = drawn(0, 4, 3)
    assert_close(student.extend_table(table), reference.extend_table(table, 0.4))
    for alpha in (0.49, 0.51):
        check_refusal(student.extend_table, (table, alpha), (table, 0.5), ValueError)


@pytest.mark.points(2)
@pytest.mark.parametrize("size", [(6, 5), (1, 3), (2, 1), (9, 2)])
def test_recurrence(student, reference, size):
    """Row 0 is p_0 itself, and each later row is tanh(W p + b) of the row before.

    zh: 第 0 行就是 p_0，此后每一行是前一行的 tanh(W p + b)。
    """
    T, C = size
    assert_close(
        student.recurrent_positions(*recurrence(C), T), reference.recurrent_positions(*recurrence(C), T)
    )


@pytest.mark.points(1)
def test_recurrence_gradients(student, reference, gradients):
    """The rows are right, and their gradients reach p_0, the weight and the bias through every step.

    zh: 各行数值正确，并且梯度穿过每一步传到 p_0、权重和偏置。
    """
    args = (*recurrence(4), 6)
    compare_gradients(
        gradients, student.recurrent_positions, reference.recurrent_positions, *args, upstream=drawn(7, 6, 4)
    )


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
def test_promises(student, reference, unchanged, promise):
    """A right extension that keeps the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 加长的结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """
    table = drawn(5, 5, 3)
    assert_close(student.extend_table(table, 0.3), reference.extend_table(table, 0.3))
    check_promise(promise, student.extend_table, lambda dtype: (drawn(5, 5, 3, dtype=dtype), 0.3), unchanged)
