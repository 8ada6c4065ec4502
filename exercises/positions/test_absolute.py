"""Public tests of positions/absolute: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(2)
def test_sinusoidal_table_by_hand(student):
    """Width 4 has the frequencies 1 and 1/100: each gives a sine, and beside it a cosine.

    zh: 宽度为 4 时有 1 和 1/100 两个频率，每个频率给出一个正弦，旁边紧跟一个余弦。
    """
    expected = [[math.sin(p), math.cos(p), math.sin(p / 100), math.cos(p / 100)] for p in range(3)]
    assert_close(student.sinusoidal_table(3, 4), torch.tensor(expected))


@pytest.mark.points(1.5)
def test_shift_by_hand(student):
    """With one pair, (0, 1) at position 0 becomes (sin 2, cos 2) at position 2; an odd width is a ValueError.

    zh: 只有一对时，位置 0 的 (0, 1) 变成位置 2 的 (sin 2, cos 2)；宽度为奇数则抛出 ValueError。
    """
    matrix = student.shift_matrix(2, 2)
    assert_close(matrix @ torch.tensor([0.0, 1.0]), torch.tensor([math.sin(2), math.cos(2)]))
    with pytest.raises(ValueError):
        student.shift_matrix(2, 3)


@pytest.mark.points(1.5)
def test_extension_by_hand(student):
    """Two trained rows become four with alpha = 1/4, and the first two stay.

    zh: alpha = 1/4 时，两行训练好的编码变成四行，前两行不变。
    """
    table = torch.tensor([[3.0, 0.0], [0.0, 3.0]])  # u_0 = (3, 0), u_1 = (-1, 4)
    expected = torch.tensor([[3.0, 0.0], [0.0, 3.0], [2.0, 1.0], [-1.0, 4.0]])
    assert_close(student.extend_table(table, 0.25), expected)


@pytest.mark.points(1.5)
def test_recurrence_by_hand(student):
    """Row 0 is p_0 = (1, 0). W exchanges and weighs, b takes it back to (0, 0), and the next row is tanh(b).

    zh: 第 0 行是 p_0 = (1, 0)。W 对调并加权，b 把它拉回 (0, 0)，再下一行就是 tanh(b)。
    """
    weight, bias = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([0.0, -2.0])
    expected = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, math.tanh(-2)]])
    assert_close(student.recurrent_positions(torch.tensor([1.0, 0.0]), weight, bias, 3), expected)
