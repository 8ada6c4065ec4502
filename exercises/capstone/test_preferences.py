"""Public tests of capstone/preferences: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(1)
def test_the_reference_is_a_copy(student, parts):
    """All entries of the policy are counted; when they are set to zero, the reference's stay.

    zh: 策略的参数一个不落地数到；把它们全部清零，参考模型的不变。
    """
    config = parts.gpt.GPTConfig(vocab_size=3, block_size=4, num_layers=1, num_heads=1, d_model=2)
    weights = {name: torch.ones_like(p) for name, p in parts.gpt.GPT(config).named_parameters()}
    weights["token_embedding.weight"] = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    policy, reference, _, count = student.set_up(parts, config, weights, 1e-3)
    assert count == sum(weight.numel() for weight in weights.values())
    ids = torch.tensor([[0, 1, 2, 0]])
    before = reference(ids).detach()
    assert_close(policy(ids).detach(), before)
    policy.load_state_dict({name: torch.zeros_like(weight) for name, weight in weights.items()}, strict=False)
    assert_close(policy(ids).detach(), torch.zeros(1, 4, 3))
    assert_close(reference(ids).detach(), before)
    assert before.abs().max() > 0.5


@pytest.mark.points(1)
def test_answers_by_hand(student, parts, build):
    """After 0 comes 0 with probability 3/4; after 1, both are equally likely. Only the answers count.

    zh: 0 之后以 3/4 的概率出现 0；1 之后两者机会相等。只算回答的词元。
    """
    model = build("torch.nn.Embedding", 2, 2)
    model.load_state_dict({"weight": torch.tensor([[3.0, 1.0], [1.0, 1.0]]).log()})
    prompts = torch.tensor([[0, 0], [0, 1], [0, 1]])
    answers = torch.tensor([[1, 0], [0, 0], [1, 1]])
    expected = torch.tensor([1 / 4 * 1 / 2, 1 / 2 * 3 / 4, 1 / 2 * 1 / 2]).log()
    assert_close(student.answer_logps(parts, model, prompts, answers).detach(), expected)


@pytest.mark.points(2)
def test_two_steps_by_hand(student, parts, build):
    """From loss ln 2, one step of plain gradient descent brings a margin of 1; the second is measured from there.

    zh: 损失从 ln 2 起，普通梯度下降一步之后间隔为 1；第二步从这里量起。
    """
    policy, reference = build("torch.nn.Embedding", 2, 2), build("torch.nn.Embedding", 2, 2)
    for model in (policy, reference):
        model.load_state_dict({"weight": torch.zeros(2, 2)})
    optimizer = build("torch.optim.SGD", policy.parameters(), lr=4.0)
    pairs = torch.tensor([[0], [1]]), torch.tensor([[1], [1]]), torch.tensor([[0], [0]])
    losses = student.train(parts, policy, reference, optimizer, pairs, torch.tensor([[0], [0]]), 0.5)
    # The logits after 0 move from (0, 0) to (-1, 1): log-ratios differ by 2, times beta.
    assert_close(losses, [math.log(2), math.log(1 + math.exp(-1))])
    # The second step is smaller: its weight is sigmoid(-1) instead of 1/2. No pair was about what follows 1.
    last = 1 + 2 / (1 + math.e)
    assert_close(policy.state_dict()["weight"], torch.tensor([[-last, last], [0.0, 0.0]]))


@pytest.mark.points(2)
def test_report_by_hand(student, parts, build):
    """The reference tosses a coin; the policy gives 1 with probability 3/4 after 0, and 1 is what is liked.

    zh: 参考模型抛硬币；策略在 0 之后以 3/4 的概率给出 1，而听众喜欢的正是 1。
    """
    policy, reference = build("torch.nn.Embedding", 2, 2), build("torch.nn.Embedding", 2, 2)
    policy.load_state_dict({"weight": torch.tensor([[1.0, 3.0], [1.0, 1.0]]).log()})
    reference.load_state_dict({"weight": torch.zeros(2, 2)})
    pairs = torch.tensor([[0]]), torch.tensor([[1]]), torch.tensor([[0]])
    up, down = math.log(3 / 4 / (1 / 2)), math.log(1 / 4 / (1 / 2))
    expected = {
        "margin": up - down,
        "accuracy": 1.0,
        "chosen_shift": up,
        "kl": 3 / 4 * up + 1 / 4 * down,
    }

    def check():
        found = student.report(parts, policy, reference, pairs, torch.tensor([[0], [1]]))
        assert_close(found, expected)

    def one_token(parts, model, prompts, answers):
        return model(prompts)[:, -1].log_softmax(-1).gather(1, answers).squeeze(1)

    # A mistake of question 2 isn't counted again.
    own_or_given(check, student, answer_logps=one_token)
