"""Public tests of capstone/reasoning: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given

SYMBOLS = "0123456789+="


def tokens(*texts):
    return torch.tensor([[SYMBOLS.index(symbol) for symbol in text] for text in texts])


@pytest.mark.points(1)
def test_rolling_out_by_hand(student, parts, build):
    """A model that repeats a token with probability 3/4 is tried three times with each of two prompts.

    zh: 一个以 3/4 的概率重复上一个词元的模型，对两个提示词各试三次。
    """
    model = build("torch.nn.Embedding", 2, 2)
    model.load_state_dict({"weight": torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log()})
    # After 0, a draw below 3/4 gives 0; after 1, a draw below 1/4 does.
    draws = torch.tensor([[[0.5, 0.9], [0.8, 0.5], [0.1, 0.1]], [[0.5, 0.1], [0.2, 0.7], [0.2, 0.8]]])
    expected = torch.tensor(
        [[1, 0, 0, 1], [1, 0, 1, 1], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]]
    )
    assert_close(student.roll_out(parts, model, torch.tensor([[1, 0], [0, 1]]), draws), expected)


@pytest.mark.points(2)
def test_scores_by_hand(student, parts):
    """Two of three responses to the first problem are right, none of those to the second; each group has its own mean.

    zh: 第一题的三条回答对了两条，第二题一条也没对；每一组用自己的均值。
    """
    ids = tokens("3+4=07", "3+4=70", "3+4=07", "7+5=15", "7+5=21", "7+5=00")
    rewards, advantages = student.score(parts, ids, 4, ["7", "12"])
    assert_close(rewards, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    # Mean 2/3; the squares 1/9, 4/9, 1/9 over 2 give the variance 1/3.
    third = 1 / 3 / (math.sqrt(1 / 3) + 1e-4)
    assert_close(advantages, torch.tensor([[third], [-2 * third], [third], [0.0], [0.0], [0.0]]))


@pytest.mark.points(2)
def test_an_update_by_hand(student, parts, build):
    """Two responses of one token after the prompt 0 1: the good one becomes likelier, the bad one less likely.

    zh: 提示词 0 1 之后有两条回答，各一个词元：好的变得更可能，差的变得更不可能。
    """
    model = build("torch.nn.Embedding", 3, 3)
    model.load_state_dict({"weight": torch.zeros(3, 3)})
    optimizer = build("torch.optim.SGD", model.parameters(), lr=1.0)
    ids, advantages = torch.tensor([[0, 1, 2], [0, 1, 0]]), torch.tensor([[2.0], [-1.0]])
    losses = student.learn(parts, model, optimizer, ids, 2, advantages, 1)
    assert_close(losses, [-0.5])
    # Half the slopes 2 (0 - p, 0 - p, 1 - p) and -1 (1 - p, 0 - p, 0 - p) with p = 1/3, for the logits after 1 alone.
    expected = torch.tensor([[0.0, 0.0, 0.0], [-2 / 3, -1 / 6, 5 / 6], [0.0, 0.0, 0.0]])
    assert_close(model.state_dict()["weight"], expected)


@pytest.mark.points(1)
def test_a_run_by_hand(student, parts, build):
    """The model writes 02 or 03 after 1+1=, one as likely as the other; the first step changes what the second one draws.

    zh: 模型在 1+1= 之后写 02 或 03，可能性相同；第一步的更新改变了第二步抽到的结果。
    """
    prompts, truths = tokens("1+1=", "9+9="), ["2", "18"]
    picks, draws = (
        torch.tensor([[0], [0]]),
        torch.tensor([[[[0.5, 0.1], [0.5, 0.9]]], [[[0.5, 0.6], [0.5, 0.7]]]]),
    )
    table = torch.full((12, 12), -40.0)
    table[11, 0] = table[0, 2] = table[0, 3] = 0.0

    def run():
        model = build("torch.nn.Embedding", 12, 12)
        model.load_state_dict({"weight": table})
        optimizer = build("torch.optim.SGD", model.parameters(), lr=4.0)
        # Both advantages are 0.707, of either sign: the step makes 02 four times as likely as 03.
        assert_close(student.reinforce(parts, model, optimizer, prompts, truths, picks, draws, 1), [0.5, 1.0])

    def roll_out(parts, model, prompts, draws):
        two, three = model.state_dict()["weight"][0, 2:4].exp().tolist()
        return tokens(
            *("1+1=02" if draw * (two + three) < two else "1+1=03" for draw in draws[0, :, 1].tolist())
        )

    def score(parts, ids, prompt_length, truths):
        rewards = (ids[:, 5] == int(truths[0])).float()
        return rewards[None], (math.sqrt(2) * (rewards - rewards.mean()))[:, None]

    def learn(parts, model, optimizer, ids, prompt_length, advantages, num_updates):
        changed = table.clone()
        changed[0, 2:4] = torch.tensor([0.707, -0.707])
        model.load_state_dict({"weight": changed})
        return [0.0]

    own_or_given(run, student, roll_out=roll_out, score=score, learn=learn)
