"""Hidden tests of rl/actor_critic."""

import pytest
import torch

from autograder.testing import PROMISES, assert_close, check_promise

# How which steps of ten end an episode; the last one is unfinished, or not.
CUT = {3: "truncated", 5: "truncated"}
ENDED = {0: "terminated", 4: "terminated"}
MIXED = {2: "terminated", 3: "truncated", 6: "both", 9: "truncated"}


def rollout(ends, dtype=torch.float64):
    """(rewards, values, next_values, terminated, truncated) of ten steps, [10] each."""
    generator = torch.Generator().manual_seed(10)
    rewards, values, next_values = 2 * torch.randn(3, 10, generator=generator, dtype=torch.float64) + 0.5
    terminated = torch.tensor([ends.get(t) in ("terminated", "both") for t in range(10)])
    truncated = torch.tensor([ends.get(t) in ("truncated", "both") for t in range(10)])
    done = terminated | truncated
    next_values[:-1] = torch.where(done[:-1], next_values[:-1], values[1:])
    # Where an episode ends, the next value is neither 0 nor that of the step which follows in the data.
    assert ((next_values[:-1] - values[1:]).abs() > 0.1).equal(done[:-1])
    assert (next_values.abs() > 0.05).all()
    return rewards.to(dtype), values.to(dtype), next_values.to(dtype), terminated, truncated


# ---------------------------------------------------------------- n steps


@pytest.mark.points(1.5)
@pytest.mark.parametrize("discount", [0.8, 1.0])
@pytest.mark.parametrize("n", [4, 1, 7, 30])
def test_window_of_n_steps(student, n, discount):
    """A window has n rewards, or as many as are left, and closes with the value after the last of them.

    zh: 窗口含 n 个奖励，剩下的不够就有几个算几个，最后加上其中最后一步之后的价值。
    """
    data = rollout({})
    rewards, values, next_values, _, _ = data
    expected = []
    for start in range(10):
        stop = min(start + n, 10)
        total = sum(discount**k * rewards[start + k] for k in range(stop - start))
        expected.append(total + discount ** (stop - start) * next_values[stop - 1] - values[start])
    assert_close(student.n_step_advantages(*data, discount, n), torch.stack(expected))


@pytest.mark.points(1.5)
@pytest.mark.parametrize("ends", [CUT, ENDED, MIXED])
@pytest.mark.parametrize("n", [3, 1, 20])
def test_window_at_the_end_of_an_episode(student, reference, n, ends):
    """A window stops with its episode: then nothing is expected if the game ended, the next value if it was cut off.

    zh: 窗口到本回合为止：游戏结束了，就不再指望什么；只是被截断，就加上下一个价值。
    """
    data = rollout(ends)
    assert_close(student.n_step_advantages(*data, 0.8, n), reference.n_step_advantages(*data, 0.8, n))


# ---------------------------------------------------------------- GAE


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("discount", "decay"), [(0.9, 0.7), (0.8, 0.0), (0.8, 1.0), (1.0, 0.95)])
def test_sum_of_errors(student, discount, decay):
    """An advantage is the sum of the errors that follow, each counting gamma lambda as much as the one before.

    zh: 优势是之后各步误差之和，每晚一步就多乘一个 gamma lambda。
    """
    data = rollout({})
    rewards, values, next_values, _, _ = data
    errors = rewards + discount * next_values - values
    expected = [sum((discount * decay) ** (t - s) * errors[t] for t in range(s, 10)) for s in range(10)]
    advantages, _ = student.gae(*data, discount, decay)
    assert_close(advantages, torch.stack(expected))
    if decay == 1:  # the whole return, minus the value
        whole = sum(discount**t * rewards[t] for t in range(10)) + discount**10 * next_values[-1]
        assert_close(advantages[0], whole - values[0])


@pytest.mark.points(1)
@pytest.mark.parametrize("ends", [CUT, ENDED, MIXED])
def test_error_at_the_end_of_an_episode(student, ends):
    """The error of a last step has no next value if the game ended there, and has it if the episode was cut off.

    zh: 最后一步的误差：游戏结束了就没有下一个价值，只是被截断则有。
    """
    data = rollout(ends)
    rewards, values, next_values, terminated, _ = data
    advantages, _ = student.gae(*data, 0.9, 0.0)
    expected = [rewards[t] - values[t] + (0 if terminated[t] else 0.9 * next_values[t]) for t in range(10)]
    assert_close(advantages, torch.stack(expected))


@pytest.mark.points(2)
@pytest.mark.parametrize("ends", [CUT, ENDED, MIXED])
@pytest.mark.parametrize("decay", [0.6, 1.0])
def test_reach_of_a_reward(student, ends, decay):
    """A reward reaches the advantages of its own step and of the steps before it in its episode, and no others.

    zh: 一个奖励只影响本步、以及同一回合里它之前各步的优势，别的一概不影响。
    """
    rewards, *others = rollout(ends)
    before, _ = student.gae(rewards, *others, 0.9, decay)
    episode = torch.tensor([sum(end < t for end in ends) for t in range(10)])
    for t in range(10):
        after, _ = student.gae(rewards + 4 * (torch.arange(10) == t), *others, 0.9, decay)
        share = torch.tensor([(0.9 * decay) ** max(t - s, 0) for s in range(10)], dtype=torch.float64)
        reached = (episode == episode[t]) & (torch.arange(10) <= t)
        assert_close(after - before, 4 * share * reached)


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
def test_targets_of_the_critic(student, unchanged, promise):
    """A value target is the advantage plus the value.

    zh: 价值目标等于优势加上价值。
    """
    data = rollout(MIXED)
    advantages, targets = student.gae(*data, 0.9, 0.6)
    assert advantages.unique().numel() == 10
    assert_close(targets, advantages + data[1])  # of the student's own advantages
    check_promise(promise, student.gae, lambda dtype: (*rollout(MIXED, dtype), 0.9, 0.6), unchanged)


# ---------------------------------------------------------------- loss


def steps(length=7, choices=5):
    """(logits, actions, values, advantages, targets); in one row the logits are far apart."""
    generator = torch.Generator().manual_seed(length)
    logits = 2 * torch.randn(length, choices, generator=generator, dtype=torch.float64)
    logits[1] = 1000 * torch.arange(choices).roll(2)
    actions = torch.randint(choices, (length,), generator=generator)
    actions[1] = logits[1].argmin()
    values, advantages, targets = torch.randn(3, length, generator=generator, dtype=torch.float64)
    entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()
    taken = logits.log_softmax(-1).gather(-1, actions[:, None]).mean()
    assert (entropy + taken).abs() > 0.1
    return logits, actions, values, advantages, targets


@pytest.mark.points(2)
@pytest.mark.parametrize("coefficients", [(0.0, 0.0), (0.7, 0.0), (0.0, 0.3), (0.25, 0.1)])
@pytest.mark.parametrize(("length", "choices"), [(7, 5), (3, 2)])
def test_terms_of_the_loss(student, length, choices, coefficients):
    """Policy, squared error of the values and entropy over all actions, each a mean over the steps, with its sign and factor.

    zh: 策略项、价值的平方误差、对所有动作的熵：各自对步取平均，带上各自的符号和系数。
    """
    logits, actions, values, advantages, targets = steps(length, choices)
    value_coefficient, entropy_coefficient = coefficients
    logps = logits - logits.logsumexp(-1, keepdim=True)
    expected = torch.zeros((), dtype=torch.float64)
    for t in range(length):
        entropy = -sum(float(logp.exp()) * float(logp) for logp in logps[t])
        expected += (
            -logps[t, actions[t]] * advantages[t]
            + value_coefficient * (values[t] - targets[t]) ** 2
            - entropy_coefficient * entropy
        ) / length
    assert_close(student.actor_critic_loss(*steps(length, choices), *coefficients), expected, atol=1e-9)


@pytest.mark.points(1.5)
def test_who_learns(student, reference, gradients):
    """The gradient reaches logits and values, and stops at advantages and targets.

    zh: 梯度流到 logits 和价值，到优势和价值目标为止。
    """
    arguments = (*steps(), 0.7, 0.3)
    expected = gradients(reference.actor_critic_loss, *arguments)
    actual = gradients(student.actor_critic_loss, *arguments)
    for place in (3, 4):
        reached = actual.arguments[place]
        assert reached is None or not reached.any(), "a gradient reaches what is constant"
    for place in (0, 2):
        assert actual.arguments[place] is not None, "no gradient reaches what is trained"
        assert_close(actual.arguments[place], expected.arguments[place])
