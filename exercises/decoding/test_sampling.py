"""Public tests of decoding/sampling: each function on an example small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal, own_or_given

PROBABILITIES = torch.tensor([[0.1, 0.4, 0.2, 0.3]])


def kept(logits):
    """The ids that a filter kept in the first row; what it kept must be as it was."""
    assert logits.shape == PROBABILITIES.shape, f"[B, V] as it came in, not {list(logits.shape)}"
    stays = logits[0] > -math.inf
    assert_close(logits[0][stays], PROBABILITIES.log()[0][stays])
    return stays.nonzero().flatten().tolist()


@pytest.mark.points(1)
def test_penalty_by_hand(student):
    """Tokens 0 and 1 were used: 2 is divided by 2, -1 is multiplied by it; 3 and -0.5 stay.

    zh: 词元 0 和 1 出现过：2 要除以 2，-1 要乘以 2；3 和 -0.5 不变。
    """
    logits = torch.tensor([[2.0, -1.0, 3.0, -0.5]])
    actual = student.apply_repetition_penalty(logits, torch.tensor([[0, 1]]), 2.0)
    assert_close(actual, torch.tensor([[1.0, -2.0, 3.0, -0.5]]))


@pytest.mark.points(1.5)
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"top_p": 0.6}, [1, 3]),
        ({"top_p": 0.3}, [1]),
        ({"top_p": 0.001}, [1]),
        ({"top_k": 3}, [1, 2, 3]),
        ({"min_p": 0.6}, [1, 3]),
        ({}, [0, 1, 2, 3]),
    ],
)
def test_filters_by_hand(student, filters, expected):
    """Of the probabilities 0.1, 0.4, 0.2, 0.3, top-p 0.6 keeps 0.4 and the 0.3 that crosses; a tiny p keeps one.

    zh: 概率为 0.1、0.4、0.2、0.3：top-p 取 0.6 时保留 0.4 和越过界线的 0.3；p 再小也留一个。
    """
    assert kept(student.filter_logits(PROBABILITIES.log(), **filters)) == expected


@pytest.mark.points(0.5)
@pytest.mark.parametrize(
    "bad",
    [
        {"top_k": 0},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": -0.5},
        {"top_p": 1.5},
        {"top_p": 90.0},
        {"min_p": -0.1},
        {"min_p": 1.5},
    ],
)
def test_filters_out_of_range(student, bad):
    """A filter outside its range is a ValueError, such as a top-p of 90 that was meant as 90 %.

    zh: 过滤器的参数超出范围时抛出 ValueError，例如把 90% 写成 top-p = 90。
    """
    logits = PROBABILITIES.log()
    for valid in ({"top_k": 1}, {"min_p": 1.0}):
        assert kept(student.filter_logits(logits, **valid)) == [1]
    for valid in ({"top_p": 1.0}, {"min_p": 0.0}):
        assert kept(student.filter_logits(logits, **valid)) == [0, 1, 2, 3]
    with pytest.raises(ValueError):
        student.filter_logits(logits, **bad)


@pytest.mark.points(1)
def test_temperature_by_hand(student):
    """Temperature 1/2 squares the probabilities before they are normalised: 1, 16, 4 and 9 thirtieths; -1 is a ValueError.

    zh: 温度 1/2 相当于先把概率平方再归一化：三十分之 1、16、4、9；温度为 -1 时抛出 ValueError。
    """
    ids = torch.tensor([[1]])

    def check():
        actual = student.next_token_probabilities(PROBABILITIES.log(), ids, temperature=0.5)
        assert_close(actual, torch.tensor([[1.0, 16.0, 4.0, 9.0]]) / 30)
        valid, bad = (PROBABILITIES.log(), ids, 1.0), (PROBABILITIES.log(), ids, -1.0)
        check_refusal(student.next_token_probabilities, valid, bad, ValueError)

    # With penalty 1 and no filter, questions 1 and 2 change nothing: a mistake there doesn't count here.
    own_or_given(
        check,
        student,
        apply_repetition_penalty=lambda logits, ids, penalty: logits,
        filter_logits=lambda logits, *args, **kwargs: logits,
    )


@pytest.mark.points(1)
def test_draw_by_hand(student):
    """The pieces are [0, 0.25) for token 1, [0.25, 0.75) for token 3 and [0.75, 1) for token 4.

    zh: 词元 1 占 [0, 0.25)，词元 3 占 [0.25, 0.75)，词元 4 占 [0.75, 1)。
    """
    draws = torch.tensor([0.2, 0.0, 0.25, 0.7, 0.75, 0.99])
    tokens = student.sample(torch.tensor([[0.0, 0.25, 0.0, 0.5, 0.25]]).repeat(6, 1), draws)
    assert tokens.shape == (6,), f"one token for each row: shape [6], not {list(tokens.shape)}"
    assert tokens.dtype == torch.int64, f"token ids are int64, not {tokens.dtype}"
    assert tokens.tolist() == [1, 1, 3, 3, 4, 4]
