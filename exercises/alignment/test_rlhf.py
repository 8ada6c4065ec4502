"""Public tests of alignment/rlhf: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(1.5)
def test_states_before_the_response(student):
    """Prompt of three tokens, response of two: what belongs to the response was said at positions 2 and 3.

    zh: 提示词三个词元，回答两个词元：与回答对应的输出在位置 2 和 3。
    """
    outputs = torch.tensor([[[0.0], [1.0], [2.0], [3.0], [4.0]]])
    assert_close(student.response_outputs(outputs, 3), torch.tensor([[[2.0], [3.0]]]))


@pytest.mark.points(2.5)
def test_advantages_by_hand(student):
    """Two responses, of two tokens and of one: the second ends with its only token, whatever stands behind it.

    zh: 两条回答，一条两个词元，一条一个词元：后一条到这个词元就结束，不管后面写着什么。
    """
    rewards = torch.tensor([[0.0, 1.0], [2.0, 9.0]])
    values = torch.tensor([[0.5, 0.25], [1.5, 7.0]])
    mask = torch.tensor([[True, True], [True, False]])
    # Last tokens: 1 - 0.25 and 2 - 1.5. First token: 0 + 0.25 - 0.5, and half of what follows.
    expected = torch.tensor([[-0.25 + 0.5 * 0.75, 0.75], [0.5, 0.0]])
    assert_close(student.response_advantages(rewards, values, mask, 1.0, 0.5), expected)


def table(build, rows):
    """A model that knows only a position's own token: a row of outputs for each token."""
    model = build("torch.nn.Embedding", len(rows), len(rows[0]))
    model.load_state_dict({"weight": torch.tensor(rows)})
    return model


@pytest.mark.points(3.5)
def test_collect_by_hand(student, build):
    """Actor and reference agree, so only the score is paid: both returns of the first response are 3, that of the second is 4.

    zh: Actor 与参考模型一致，所以只有得分一项：第一条回答的两个回报都是 3，第二条的是 4。
    """
    same = [[0.0, 0.0, 0.0]] * 3
    ids = torch.tensor([[2, 1, 0, 2], [0, 2, 1, 0]])
    mask = torch.tensor([[True, True], [True, False]])
    critic, reward_model = table(build, [[1.0], [2.0], [1.0]]), table(build, [[7.0], [4.0], [3.0]])

    def check():
        models = (table(build, same), critic, reward_model, table(build, same))
        found = student.collect(*models, ids, mask, 2, 0.5, 0.1, 1.0, 1.0)
        # The states before the tokens end with 1 and 0 in the first row, with 2 in the second.
        expected = {
            "log_probs": [-math.log(3)] * 3,
            "values": [2.0, 1.0, 1.0],
            "returns": [3.0, 3.0, 4.0],
            "advantages": [-1.0, 0.0, 1.0],  # 3 - 2, 3 - 1 and 4 - 1, whitened
        }
        assert_close(
            {name: found[name][mask] for name in expected}, {k: torch.tensor(v) for k, v in expected.items()}
        )

    # Where your own earlier functions fail, these stand in for them.
    own_or_given(
        check,
        student,
        response_outputs=lambda outputs, _: outputs[:, [1, 2]],
        response_advantages=lambda *_: torch.tensor([[1.0, 2.0], [3.0, 0.0]]),
    )


@pytest.mark.points(2.5)
def test_ppo_step_by_hand(student, build):
    """Three real tokens, one of padding, one epoch at ratio 1: loss and new weights follow from the three.

    zh: 三个真实词元，一个填充，只走一轮，概率比都是 1：损失和新的权重只由这三个词元决定。
    """
    ids = torch.tensor([[0, 1, 0], [1, 0, 0]])
    mask = torch.tensor([[True, True], [True, False]])
    experience = {
        "log_probs": torch.full((2, 2), 0.5).log(),
        "values": torch.zeros(2, 2),
        "advantages": torch.tensor([[1.0, 2.0], [-1.0, 9.0]]),
        "returns": torch.tensor([[3.0, 0.0], [6.0, 9.0]]),
    }

    def check():
        actor, critic = table(build, [[0.0, 0.0]] * 2), table(build, [[0.0]] * 2)
        groups = [{"params": actor.parameters()}, {"params": critic.parameters()}]
        optimizer = build("torch.optim.SGD", groups, lr=1.2)
        losses = student.ppo_step(actor, critic, optimizer, ids, mask, 1, 2.0, experience, 0.2, 0.5, 1)
        # Advantages 1, 2, -1 have mean 2/3; the squared errors are 9, 0 and 36.
        assert_close(losses, [-2 / 3 + 0.5 * 7.5])
        # In the state that ends with token 1, token 0 was chosen twice, with advantages 2 and -1.
        assert_close(actor.state_dict()["weight"], torch.tensor([[-0.1, 0.1], [0.1, -0.1]]))
        assert_close(critic.state_dict()["weight"], torch.tensor([[0.6], [1.2]]))

    own_or_given(check, student, response_outputs=lambda outputs, _: outputs[:, [0, 1]])
