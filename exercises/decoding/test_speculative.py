"""Public tests of decoding/speculative: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, own_or_given

DRAFT = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
TARGET = torch.tensor([[0.25, 0.5, 0.25], [0.125, 0.25, 0.625], [0.0, 0.5, 0.5]])


@pytest.mark.points(2)
def test_verify_by_hand(student):
    """Token 0 passes if its draw is below 0.25 / 0.5; else token 1 replaces it, of which alone the target has more than the draft.

    zh: 词元 0 的随机数小于 0.25 / 0.5 就通过；否则换成词元 1，因为只有它在目标里比在草稿里多。
    """
    assert_close(list(student.verify([0, 1], DRAFT, TARGET, [0.3, 0.9], 0.7)), [0, 1, 2])
    assert_close(list(student.verify([0, 1], DRAFT, TARGET, [0.6, 0.9], 0.1)), [1])
    # Of token 0 in the second place the target has a quarter of the draft's; the residual is token 2.
    assert_close(list(student.verify([0, 0], DRAFT, TARGET, [0.3, 0.2], 0.1)), [0, 0, 1])
    assert_close(list(student.verify([0, 0], DRAFT, TARGET, [0.3, 0.3], 0.1)), [0, 2])


@pytest.mark.points(0.5)
def test_rows_of_the_target(student):
    """Two drafted tokens need three rows of the target; two rows, or four, are a ValueError.

    zh: 两个草稿词元要有目标的三行；给两行或四行就抛出 ValueError。
    """
    assert len(student.verify([1, 1], DRAFT, TARGET, [0.1, 0.1], 0.2)) == 3
    for rows in (TARGET[:2], torch.cat([TARGET[:2], TARGET[:2]])):
        with pytest.raises(ValueError):
            student.verify([1, 1], DRAFT, rows, [0.1, 0.1], 0.2)


@pytest.mark.points(1.5)
def test_round_by_hand(student):
    """The draft model always counts up, 0 1 2 3; the target does so, too, until 2, after which it says 0.

    zh: 草稿模型总是往上数：0 1 2 3；目标模型也一样，但数到 2 之后就说 0。
    """
    asked = []

    def target_model(ids):
        asked.append(list(ids))
        return torch.eye(5)[[0 if token == 2 else token + 1 for token in ids]]

    def draft_model(ids):
        return torch.eye(5)[[min(token + 1, 4) for token in ids]]

    def check():
        asked.clear()
        found = student.speculative_round(
            target_model, draft_model, [0], [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], 0.7
        )
        assert_close(list(found), [1, 2, 0])
        assert_close(asked, [[0, 1, 2, 3]])

    def verify(drafted, draft, target, draws, last_draw):
        chosen = target.argmax(-1).tolist()
        same = next((i for i in range(len(drafted)) if drafted[i] != chosen[i]), len(drafted))
        return [*drafted[:same], chosen[same]]  # enough where both are sure of every token

    own_or_given(check, student, verify=verify)


@pytest.mark.points(1)
def test_expected_tokens_by_hand(student):
    """The distributions share 0.25 + 0.25 + 0.25: a round of two drafts has 1 + 0.75 + 0.75 x 0.75 tokens.

    zh: 两个分布共有 0.25 + 0.25 + 0.25：草稿两个词元，一轮平均得 1 + 0.75 + 0.75 x 0.75 个。
    """
    assert_close(student.expected_tokens(TARGET[0], DRAFT[0], 2), 2.3125)
    assert_close(student.expected_tokens(DRAFT[0], DRAFT[0], 2), 3.0)
