"""Hidden tests of alignment/reward_model."""

from itertools import combinations
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.testing import (
    PROMISES,
    assert_close,
    check_promise,
    masked_responses,
    own_or_given,
    own_or_reference,
)

PROMPTS, RESPONSES = (3, 1, 5, 2), (2, 7, 4, 1)
PAD = 13  # no real token has it, unless a test puts it there


def sequences(side: str, dtype: torch.dtype = torch.float32) -> tuple[tuple[Any, ...], list[int]]:
    """The arguments of `sequence_rewards`, and the last real position of each row."""
    batch = masked_responses(PROMPTS, RESPONSES, side, pad_id=PAD)
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(*batch.ids.shape, 3, generator=generator).to(dtype)
    head = torch.tensor([0.5, -2.0, 1.5], dtype=dtype)
    last = [max(row.nonzero().flatten().tolist()) for row in batch.attention_mask]
    width, lengths = batch.ids.shape[1], batch.attention_mask.sum(dim=1).tolist()
    # The last column and the number of tokens both mislead where they can.
    assert (side == "left") == all(place == width - 1 for place in last)
    assert (side == "right") == all(place == length - 1 for place, length in zip(last, lengths, strict=True))
    return (hidden, head, batch.ids, batch.attention_mask, PAD), last


def at(arguments: tuple[Any, ...], last: list[int]) -> Tensor:
    hidden, head = arguments[:2]
    return torch.stack([(hidden[row, place] * head).sum() for row, place in enumerate(last)])


@pytest.mark.points(1.5)
@pytest.mark.parametrize("side", ["both", "right", "left"])
def test_either_side_padded(student, unchanged, side):
    """The reward is read at the last position whose mask is 1, padded left, right or both; the usual promises hold.

    zh: 奖励取自掩码为 1 的最后一个位置，无论填充在左、在右还是两边都有；通常的约定都成立。
    """
    arguments, last = sequences(side)
    assert_close(student.sequence_rewards(*arguments), at(arguments, last))
    for promise in PROMISES:
        check_promise(promise, student.sequence_rewards, lambda dtype: sequences(side, dtype)[0], unchanged)


@pytest.mark.points(1)
@pytest.mark.parametrize("side", ["right", "left", "both"])
def test_real_end_token_that_also_pads(student, side):
    """Where the end token also pads, the reward is still read at the real end token.

    zh: 结束符同时用作填充时，奖励仍然取自真的结束符。
    """
    (hidden, head, ids, mask, _), last = sequences(side)
    # All end with the padding's id; two have it inside the text as well, one at its beginning.
    ids[torch.arange(4), last] = PAD
    ids[1, last[1] - 3] = ids[2, last[2] - 8] = ids[2, last[2] - 1] = PAD
    assert mask[2, last[2] - 8] == 1
    arguments = (hidden, head, ids, mask, PAD)
    assert_close(student.sequence_rewards(*arguments), at(arguments, last))


@pytest.mark.points(1)
@pytest.mark.parametrize("side", ["left", "right"])
def test_gradient_at_one_position_alone(gradients, student, side):
    """The gradient reaches the head, and the hidden state of each row's last real token; padding and earlier tokens get none.

    zh: 梯度只流到 head 和每行最后一个真词元的隐藏状态，填充和更早的词元都得不到。
    """
    arguments, last = sequences(side)
    upstream = torch.tensor([1.0, -2.0, 0.5, 3.0])
    found = gradients(student.sequence_rewards, *arguments, upstream=upstream)
    hidden, head = arguments[:2]
    expected = torch.zeros_like(hidden)
    for row, place in enumerate(last):
        expected[row, place] = upstream[row] * head
    assert_close(found.arguments[0], expected)
    to_head = sum(upstream[row] * hidden[row, place] for row, place in enumerate(last))
    assert_close(found.arguments[1], to_head)


def pairs(number: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Rewards of both signs around 3, some of the chosen ones lower."""
    generator = torch.Generator().manual_seed(number)
    rejected = 3 + 2 * torch.randn(number, generator=generator)
    margins = torch.linspace(-2.7, 4.1, number) if number > 1 else torch.tensor([-1.3])
    return (rejected + margins).to(dtype), rejected.to(dtype)


@pytest.mark.points(1)
@pytest.mark.parametrize("number", [7, 2, 1])
def test_pairs_of_any_number(student, unchanged, number):
    """Loss and accuracy are means over the pairs and depend on the margins alone; the usual promises hold.

    zh: 损失和准确率是对偏好对的平均，只取决于间隔；通常的约定都成立。
    """
    chosen, rejected = pairs(number)
    lost = (1 + (rejected - chosen).exp()).log()
    right = [float(a > b) for a, b in zip(chosen.tolist(), rejected.tolist(), strict=True)]
    expected = (sum(lost) / number, torch.tensor(sum(right) / number))
    assert_close(student.pairwise_loss(chosen, rejected), expected)
    assert_close(student.pairwise_loss(chosen - 40, rejected - 40), expected, rtol=1e-4)
    for promise in PROMISES:
        check_promise(promise, student.pairwise_loss, lambda dtype: pairs(number, dtype), unchanged)


@pytest.mark.points(0.5)
def test_equal_rewards(student):
    """Two equal rewards rank nothing: the pair counts as wrong.

    zh: 两个奖励相等，等于没有排出高低：这一对算错。
    """
    chosen, rejected = torch.tensor([2.0, -1.0, 0.0, 4.0, 1.0]), torch.tensor([2.0, -1.0, 3.0, 1.0, -1.0])
    assert_close(student.pairwise_loss(chosen, rejected)[1], torch.tensor(2 / 5))


@pytest.mark.points(1)
@pytest.mark.parametrize("margin", [-10_000.0, -120.0, 10_000.0])
def test_margins_without_overflow(student, gradients, margin):
    """Loss and gradient of pairs are finite and right, however large the margin.

    zh: 无论间隔多大，成对比较的损失和梯度都有限而且正确。
    """
    # Beside a pair with margin 0, whose slope is -1/2.
    chosen, rejected = torch.tensor([margin - 50, 7.0]), torch.tensor([-50.0, 7.0])
    found = gradients(student.pairwise_loss, chosen, rejected, output=0)
    assert_close(found.output[0], torch.tensor((max(-margin, 0.0) + 0.693147) / 2))
    slopes = -torch.tensor([float(margin < 0), 0.5]) / 2
    assert_close(found.arguments[:2], (slopes, -slopes), atol=1e-6)


def expected_ranking(rewards: Tensor, counts: list[int]) -> Tensor:
    total, start = torch.zeros((), dtype=rewards.dtype), 0
    for count in counts:
        pairs_of_prompt = list(combinations(range(start, start + count), 2))
        lost = [F.softplus(rewards[worse] - rewards[better]) for better, worse in pairs_of_prompt]
        total, start = total + sum(lost) / len(lost), start + count
    return total / len(counts)


def ranked(counts: list[int], dtype: torch.dtype = torch.float32) -> tuple[Tensor, list[int]]:
    """Rewards that mostly fall within a prompt, with some out of order; prompts lie at different heights."""
    generator = torch.Generator().manual_seed(sum(counts))
    rows = [2 * place + torch.randn(k, generator=generator) * 1.5 for place, k in enumerate(counts)]
    rows = [row - 0.4 * torch.arange(len(row)) for row in rows]
    return torch.cat(rows).to(dtype), counts


@pytest.mark.points(1)
@pytest.mark.parametrize("count", [5, 2, 9])
@own_or_reference("pairwise_loss")
def test_all_pairs_of_a_ranking(student, reference, unchanged, count):
    """Each answer is compared with every worse one of its prompt; the usual promises hold.

    zh: 每条回答都要和同一提示词下每条更差的回答比较；通常的约定都成立。
    """
    arguments = ranked([count])
    assert_close(student.ranking_loss(*arguments), expected_ranking(*arguments))
    for promise in PROMISES:
        check_promise(promise, student.ranking_loss, lambda dtype: ranked([count], dtype), unchanged)


@pytest.mark.points(1.5)
@pytest.mark.parametrize("counts", [[4, 2, 9], [2, 3], [7, 2, 2, 5]])
def test_prompts_weigh_the_same(student, reference, gradients, counts):
    """Every prompt weighs the same, whatever its number of answers, and a shift of one prompt's rewards changes nothing.

    zh: 无论有几条回答，每个提示词的分量都相同；把某个提示词的奖励整体平移，结果不变。
    """
    rewards, _ = ranked(counts)
    shift = torch.tensor([20.0, -30.0, 10.0, -5.0])[: len(counts)].repeat_interleave(torch.tensor(counts))
    expected = expected_ranking(rewards, counts)

    def check():
        assert_close(student.ranking_loss(rewards, counts), expected)
        assert_close(student.ranking_loss(rewards + shift, counts), expected, rtol=1e-4)

    own_or_given(check, student, pairwise_loss=reference.pairwise_loss)
    # A function that is lent hands no gradient through two results: this is the student's own.
    slopes = gradients(student.ranking_loss, rewards, counts).arguments[0]
    assert all(part.any() for part in slopes.split(counts)), "a prompt gets no gradient"
