"""Public tests of capstone/pretrain: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
def test_set_up_by_hand(student, parts):
    """A new model's loss is within 0.1 of ln V, it reads four tokens and no more, and its rates are these.

    zh: 新模型的损失与 ln V 相差不到 0.1，最多读四个词元；各步的学习率如下。
    """
    recipe = student.Recipe(
        context_length=4, num_steps=6, warmup_steps=2, peak_rate=0.4, min_factor=0.5, d_model=8
    )
    model, _, rates = student.set_up(parts, 6, recipe)
    ids = torch.tensor([[0, 1, 2, 3], [4, 5, 0, 2]])
    loss = F.cross_entropy(model(ids)[:, :-1].detach().flatten(0, 1), ids[:, 1:].flatten())
    assert_close(loss, torch.tensor(math.log(6)), atol=0.1)
    check_refusal(model, (ids,), (torch.zeros(1, 5, dtype=torch.int64),), ValueError)
    # Factors 0 and 1/2 of the warm-up, then (1 + cos x) / 2 scaled to [1/2, 1], at x = 0, 45, 90 and 135 degrees.
    half = math.sqrt(0.5)
    assert_close(rates, [0.0, 0.2, 0.4, 0.3 + 0.1 * half, 0.3, 0.3 - 0.1 * half])


@pytest.mark.points(2)
def test_split_by_hand(student):
    """Six of ten tokens are held out: four are for training, five are predicted, each once, in rows of two.

    zh: 十个词元留出六个：训练用四个；要预测五个，每个恰好一次，每行两个。
    """
    train, batches = student.split(torch.arange(10, 20), 6, 2)
    assert_close(train, torch.tensor([10, 11, 12, 13]))
    rows = [
        (row.tolist(), right.tolist())
        for inputs, targets in batches
        for row, right in zip(inputs, targets, strict=True)
    ]
    assert rows == [([14, 15], [15, 16]), ([16, 17], [17, 18]), ([18], [19])]


@pytest.mark.points(2)
def test_training_by_hand(student, parts, build):
    """A table of logits learns in one step that 0 and 1 take turns; the record tells losses before and after.

    zh: 一张 logits 表，走一步就学会 0 和 1 交替出现；记录里有更新之前和之后的损失。
    """
    model = build("torch.nn.Embedding", 2, 2)
    model.load_state_dict({"weight": torch.zeros(2, 2)})
    optimizer = build("torch.optim.SGD", model.parameters(), lr=1.0)
    turns = torch.tensor([0, 1, 0, 1, 0])
    recipe = student.Recipe(context_length=2, num_steps=3, eval_every=2, max_norm=10.0)
    held_out = [(turns[None, :2], turns[None, 1:3])]
    starts = torch.tensor([[0], [1], [2]])
    losses, record = student.pretrain(
        parts, model, optimizer, [4.0, 0.0, 0.0], turns, held_out, starts, recipe
    )
    # The first gradient is (1/4, -1/4) for the logits after 0 and the reverse after 1: a step of 4 brings (-1, 1).
    before, after = math.log(2), math.log(1 + math.exp(-2))
    assert_close(losses, [before, after, after])
    assert_close(record, {0: before, 2: after, 3: after})


@pytest.mark.points(1)
def test_writing_by_hand(student, parts, build):
    """A model that repeats a token with probability 3/4 writes what the draws say; the prompt comes first.

    zh: 一个以 3/4 的概率重复上一个词元的模型，写出随机数指定的内容；提示词在最前面。
    """
    model = build("torch.nn.Embedding", 2, 2)
    model.load_state_dict({"weight": torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log()})
    prompt = torch.tensor([[1, 0], [0, 1]])
    # After 0, a draw below 3/4 gives 0; after 1, a draw below 1/4 does.
    draws = torch.tensor([[0.5, 0.9, 0.5], [0.5, 0.1, 0.7]])
    expected = torch.tensor([[1, 0, 0, 1, 1], [0, 1, 1, 0, 0]])
    assert_close(student.write(parts, model, prompt, draws, 3), expected)
