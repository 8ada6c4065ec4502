"""Public tests of positions/rope: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal, own_or_given


@pytest.mark.points(1)
def test_frequencies_by_hand(student):
    """Two pairs turn by 1 and 1/100 radian; with theta 8 and six of ten columns, three pairs turn by 1, 1/2 and 1/4.

    zh: 两对的转速是 1 和 1/100 弧度；theta 为 8、十列中转六列时，三对的转速是 1、1/2、1/4。
    """
    assert_close(student.rope_frequencies(4), torch.tensor([1.0, 0.01]))
    assert_close(student.rope_frequencies(10, 6, theta=8.0), torch.tensor([1.0, 0.5, 0.25]))


@pytest.mark.points(1.5)
@pytest.mark.parametrize("question", ["rope_frequencies", "apply_rope", "convert_layout"])
def test_refusals(student, question):
    """Columns that don't pair up, or more than there are, and a layout that doesn't exist: a ValueError.

    zh: 不能两两成对的列数、超过总数的列数、不存在的布局，都抛出 ValueError。
    """
    one = torch.ones(1, 1, 1, 2), torch.tensor([0]), torch.tensor([1.0])
    valid, *bad = {
        "rope_frequencies": [(4, 2), (4, 3), (4, 6), (5,), (4, 0)],
        "apply_rope": [(*one, "half"), (*one, "half-split")],
        "convert_layout": [(torch.ones(2, 3), 1, 2, "half"), (torch.ones(2, 3), 1, 2, "half-split")],
    }[question]
    for arguments in bad:
        check_refusal(getattr(student, question), valid, arguments, ValueError)


@pytest.mark.points(2)
@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_quarter_turns(student, layout):
    """Pair 0 makes a quarter turn at each step, pair 1 half a turn: both the pairs and their speeds follow the layout.

    zh: 每走一步，第 0 对转四分之一圈，第 1 对转半圈：哪两列成对、各用什么转速，都由布局决定。
    """
    x = torch.tensor([[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]])
    expected = {
        "half": [[-3.0, -2.0, 1.0, -4.0], [7.0, -6.0, -5.0, -8.0]],
        "interleaved": [[-2.0, 1.0, -3.0, -4.0], [6.0, -5.0, -7.0, -8.0]],
    }[layout]
    turned = student.apply_rope(x, torch.tensor([1, 3]), torch.tensor([math.pi / 2, math.pi]), layout)
    assert_close(turned, torch.tensor([[expected]]))


@pytest.mark.points(1)
def test_conversion_by_hand(student):
    """Two heads of seven rows, of which six turn: each head is reordered for itself, and its last row stays.

    zh: 两个头各七行，其中六行旋转：每个头各自重新排序，最后一行不动。
    """
    rows = torch.arange(14.0).unsqueeze(1)
    half = torch.tensor([0, 2, 4, 1, 3, 5, 6, 7, 9, 11, 8, 10, 12, 13]).float().unsqueeze(1)
    assert_close(student.convert_layout(rows, 2, 6, "half"), half)
    assert_close(student.convert_layout(half, 2, 6, "interleaved"), rows)


def quarter_turn(x, positions, frequencies, layout):
    """Right for the next test alone: the first two columns make a quarter turn at each step."""
    a, b, rest = x.unbind(-1)
    steps = positions.remainder(4).expand(a.shape) if positions.ndim < 2 else positions.remainder(4)[:, None]
    first, second = torch.stack((a, -b, -a, b), -1), torch.stack((b, a, -b, -a), -1)
    turned = [column.gather(-1, steps.expand(a.shape)[..., None])[..., 0] for column in (first, second)]
    return torch.stack((*turned, rest), -1)


@pytest.mark.points(1)
def test_scores_by_hand(student):
    """A quarter turn forwards lays the query on the key, one backwards opposite to it; the third column adds 6.

    zh: 查询向前转四分之一圈就与键重合，向后转四分之一圈则正好相反；第三列总是贡献 6。
    """
    q, k = torch.tensor([[[1.0, 0.0, 2.0]]]), torch.tensor([[[0.0, 1.0, 3.0]]])

    def check():
        scores = student.relative_scores(
            q, k, torch.tensor([0, 1, -1, 6]), torch.tensor([math.pi / 2]), "half"
        )
        assert_close(scores, torch.tensor([[[6.0, 7.0, 5.0, 6.0]]]))

    own_or_given(check, student, apply_rope=quarter_turn)
