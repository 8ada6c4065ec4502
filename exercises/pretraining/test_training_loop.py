"""Public tests of pretraining/training_loop: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close


def bigram(build, table):
    """The smallest language model: row i of a [V, V] table holds the logits of the token after token i."""
    model = build("torch.nn.Embedding", len(table), len(table), dtype=torch.float64)
    model.load_state_dict({"weight": torch.tensor(table, dtype=torch.float64)})
    return model


def weights(model):
    """A copy, which later steps don't reach."""
    return model.state_dict()["weight"].clone()


@pytest.mark.points(1)
def test_batch_by_hand(student):
    """Six tokens, T = 3: targets are the inputs one later; 2 is the last start, and 3 is a ValueError.

    zh: 六个词元，T = 3：目标就是往后错一位的输入；2 是最后一个起点，3 要抛出 ValueError。
    """
    tokens = torch.tensor([4, 1, 7, 3, 9, 2])
    inputs, targets = student.get_batch(tokens, torch.tensor([2, 0]), 3)
    assert_close(inputs, torch.tensor([[7, 3, 9], [4, 1, 7]]))
    assert_close(targets, torch.tensor([[3, 9, 2], [1, 7, 3]]))
    with pytest.raises(ValueError):
        student.get_batch(tokens, torch.tensor([0, 3]), 3)


@pytest.mark.points(1)
def test_blocks_by_hand(student):
    """Documents of five, two and three tokens, eos 0, T = 3: the first ends in a short row, and no row holds two.

    zh: 三篇文档分别有五个、两个、三个词元，eos 为 0，T = 3：第一篇的末行不满，没有一行横跨两篇。
    """
    tokens = torch.tensor([5, 6, 7, 8, 0, 9, 0, 4, 3, 0])
    inputs, targets = student.document_blocks(tokens, 0, 3)
    assert_close(inputs, torch.tensor([[5, 6, 7], [8, 0, 0], [9, 0, 0], [4, 3, 0]]))
    assert_close(targets, torch.tensor([[6, 7, 8], [0, -100, -100], [0, -100, -100], [3, 0, -100]]))


@pytest.mark.points(2)
def test_step_by_hand(student, build):
    """Micro-batches of three tokens and of one: each of the four tokens weighs a quarter, whichever batch holds it.

    zh: 一个微批次三个词元，另一个只有一个：四个词元各占四分之一，与在哪个批次里无关。
    """
    # Token 0 predicts 0 with probability 1/2, so each of its tokens pushes that row by 1/2; token 1 is sure (3/4) of 0.
    model = bigram(build, [[0.0, 0.0], [math.log(3), 0.0]])
    optimizer = build("torch.optim.SGD", model.parameters(), lr=9.0)
    three = (torch.tensor([[0, 0, 0]]), torch.tensor([[1, 1, 1]]))
    one = (torch.tensor([[1, 0]]), torch.tensor([[1, -100]]))
    loss, norm = student.train_step(model, optimizer, [three, one], 2.0, math.inf)
    assert_close(loss, (3 * math.log(2) + math.log(4)) / 4)
    gradient = torch.tensor([[3 / 8, -3 / 8], [3 / 16, -3 / 16]], dtype=torch.float64)
    assert_close(norm, math.sqrt(2 * (3 / 8) ** 2 + 2 * (3 / 16) ** 2))
    before = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]], dtype=torch.float64)
    assert_close(weights(model), before - 2.0 * gradient, message="the weights after a step of rate 2")


@pytest.mark.points(1.5)
def test_clip_by_hand(student, build):
    """Four gradient entries of 1/4 in two micro-batches: their norm, 1/2, is returned, and the step has norm 0.1.

    zh: 两个微批次，共四个大小为 1/4 的梯度分量：返回它们的范数 1/2，而真正走的一步范数是 0.1。
    """
    model = bigram(build, [[0.0, 0.0], [0.0, 0.0]])
    optimizer = build("torch.optim.SGD", model.parameters(), lr=1.0)
    first, second = torch.tensor([[0]]), torch.tensor([[1]])
    _, norm = student.train_step(model, optimizer, [(first, second), (second, first)], 1.0, 0.1)
    after = weights(model)
    assert_close(norm, 0.5)
    expected = torch.tensor([[-0.05, 0.05], [0.05, -0.05]], dtype=torch.float64)
    assert_close(after, expected, rtol=1e-4)


@pytest.mark.points(1.5)
def test_evaluation_by_hand(student, build):
    """Three tokens of probability 1/2, then one of 1/8: the loss is (3 ln 2 + ln 8) / 4, and the mode is put back.

    zh: 三个概率 1/2 的词元，再加一个概率 1/8 的：损失是 (3 ln 2 + ln 8) / 4；之后模式恢复原样。
    """
    model = bigram(build, [[0.0, 0.0], [math.log(7), 0.0]])
    batches = [
        (torch.tensor([[0, 0, 0]]), torch.tensor([[1, 0, 1]])),
        (torch.tensor([[1, 0]]), torch.tensor([[1, -100]])),
    ]
    assert_close(student.evaluate(model, batches), (3 * math.log(2) + math.log(8)) / 4)
    assert model.training is True, "the model was in training mode; it is so again"
