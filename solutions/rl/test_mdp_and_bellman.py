"""Hidden tests of rl/mdp_and_bellman."""

import pytest
import torch

from autograder.testing import PROMISES, assert_close, check_promise

SIZES = [(5, 3), (7, 2), (4, 1)]


def game(states=5, actions=3, dtype=torch.float64):
    """(transitions, rewards, terminal, policy): two terminal states that are not the last, with rows full of nonsense."""
    generator = torch.Generator().manual_seed(states)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    transitions = (2 * draw(states, actions, states)).softmax(-1)
    transitions[-1, :, 0] = 0  # some steps never happen; their rewards mean nothing
    transitions = transitions / transitions.sum(-1, keepdim=True)
    rewards = 3 * draw(states, actions, states) + 1
    rewards[-1, :, 0] = 50.0
    terminal = torch.zeros(states, dtype=torch.bool)
    terminal[[1, -2]] = True
    policy = draw(states, actions).softmax(-1)
    assert (transitions[terminal] > 0).all() and rewards[terminal].abs().min() > 0
    chain = torch.einsum("sa,sat->st", policy, transitions)
    assert (chain - chain.T).abs().max() > 0.1
    return transitions.to(dtype), rewards.to(dtype), terminal, policy.to(dtype)


def guess(states=5, dtype=torch.float64):
    """[S] values of both signs, with nonsense at the terminal states."""
    values = 15 * torch.randn(states, generator=torch.Generator().manual_seed(states))
    values[[1, -2]] = torch.tensor([30.0, -20.0])
    return values.to(dtype)


# ---------------------------------------------------------------- returns


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("lengths", "discount"),
    [([3, 1, 4, 2], 0.9), ([5], 0.7), ([2, 5, 1, 3], 1.0), ([150, 1, 170], 0.2)],
)
@pytest.mark.parametrize("finished", [True, False])
def test_return_of_each_step(student, lengths, discount, finished):
    """A return sums the rewards from its own step to the end of its episode, discounted by the steps between.

    zh: 回报是从本步到本回合结束的奖励之和，按相隔的步数打折。
    """
    length = sum(lengths)
    rewards = torch.randn(length, generator=torch.Generator().manual_seed(length)) + 0.5
    last = torch.tensor(lengths).cumsum(0) - 1
    ends = torch.zeros(length, dtype=torch.bool)
    ends[last if finished else last[:-1]] = True
    expected = [
        sum(discount ** (k - t) * float(rewards[k]) for k in range(t, int(last[last >= t][0]) + 1))
        for t in range(length)
    ]
    assert_close(student.discounted_returns(rewards, ends, discount), torch.tensor(expected))
    assert_close(student.discounted_returns(rewards, ends, 0.0), rewards)


# ---------------------------------------------------------------- chain and values


@pytest.mark.points(1)
@pytest.mark.parametrize(("states", "actions"), SIZES)
def test_chain_of_the_policy(student, states, actions):
    """Row s of the chain holds the probabilities of the next state, which sum to one; a terminal state stays.

    zh: 链的第 s 行是下一个状态的概率，和为 1；终止状态停在原处。
    """
    transitions, rewards, terminal, policy = game(states, actions)
    chain, _, _ = student.evaluate_policy(transitions, rewards, terminal, policy, 0.8)
    expected = torch.zeros(states, states, dtype=torch.float64)
    for s in range(states):
        for a in range(actions):
            expected[s] += policy[s, a] * transitions[s, a]
        if terminal[s]:
            expected[s] = torch.eye(states, dtype=torch.float64)[s]
    assert_close(chain, expected)
    assert_close(chain.sum(-1), torch.ones(states, dtype=torch.float64))


@pytest.mark.points(2)
@pytest.mark.parametrize("discount", [0.9, 1.0, 0.9999, 0.0])
@pytest.mark.parametrize(("states", "actions"), SIZES)
def test_values_solve_the_equations(student, reference, states, actions, discount):
    """The values solve Bellman's equation exactly, at discount 1 too; a terminal state is worth 0 and pays on entering.

    zh: 价值精确满足贝尔曼方程，折扣为 1 时也一样；终止状态的价值是 0，进入时给奖励。
    """
    transitions, rewards, terminal, policy = game(states, actions)
    # With two terminal states and, below discount 1, with none.
    for over in (terminal, torch.zeros_like(terminal))[: 2 if discount < 1 else 1]:
        arguments = (transitions, rewards, over, policy, discount)
        _, values, _ = student.evaluate_policy(*arguments)
        assert_close(values, reference.evaluate_policy(*arguments)[1])


@pytest.mark.points(1)
@pytest.mark.parametrize("p", [0.5, 0.001])
def test_game_of_random_length(student, p):
    """A game that ends with probability p at each step lasts 1 / p steps on average.

    zh: 每一步以概率 p 结束的游戏，平均走 1 / p 步。
    """
    # State 1 is the end; state 2 goes to 0 for sure. Every step pays 1.
    transitions = torch.tensor([[[1 - p, p, 0.0]], [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]], dtype=torch.float64)
    terminal = torch.tensor([False, True, False])
    ones = torch.ones(3, 1, 3, dtype=torch.float64)
    _, values, _ = student.evaluate_policy(transitions, ones, terminal, ones[:, :, 0], 1.0)
    assert_close(values, torch.tensor([1 / p, 0.0, 1 / p + 1], dtype=torch.float64))


@pytest.mark.points(1)
@pytest.mark.parametrize("discount", [0.9, 1.0])
@pytest.mark.parametrize(("states", "actions"), SIZES)
def test_values_of_actions(student, unchanged, states, actions, discount):
    """An action is worth its rewards, weighed by the transitions, plus the discounted values of where it leads; the arrays stay as they were.

    zh: 动作的价值等于按转移概率加权的奖励，加上所到之处打过折的价值；传入的数组保持原样。
    """
    transitions, rewards, terminal, policy = game(states, actions)
    _, values, action_values = student.evaluate_policy(transitions, rewards, terminal, policy, discount)
    # From the student's own values.
    expected = torch.zeros(states, actions, dtype=torch.float64)
    for s in (~terminal).nonzero().flatten().tolist():
        for a in range(actions):
            ahead = rewards[s, a] + discount * values.masked_fill(terminal, 0)
            expected[s, a] = transitions[s, a] @ ahead
    assert_close(action_values, expected)
    arguments = (transitions, rewards, terminal, policy, discount)
    assert unchanged(student.evaluate_policy, *arguments), "the arrays stay as they were"


@pytest.mark.points(1)
@pytest.mark.parametrize("states", [5, 6])
def test_game_that_never_ends(student, reference, states):
    """At discount 1 a ValueError where the policy can't reach a terminal state from everywhere; below 1, none.

    zh: 折扣为 1 时，若策略不能从每个状态走到终止状态，抛出 ValueError；小于 1 时不抛。
    """
    transitions, rewards, terminal, policy = game(states, 2)

    def valid(discount):
        arguments = (transitions, rewards, terminal, policy, discount)
        assert_close(student.evaluate_policy(*arguments)[1], reference.evaluate_policy(*arguments)[1])

    def endless():
        with pytest.raises(ValueError):
            student.evaluate_policy(transitions, rewards, terminal, policy, 1.0)

    valid(1.0)
    # The first and the last state lead into each other for ever, the others into them or to an end.
    transitions[[0, -1]] = 0
    transitions[0, :, 0], transitions[0, :, -1] = 1 / 3, 2 / 3
    transitions[-1, :, 0], transitions[-1, :, -1] = 0.7, 0.3
    valid(0.99)
    endless()
    # An action out of the loop that this policy never takes doesn't help; taken now and then, it does.
    transitions[0, 1] = torch.eye(states, dtype=torch.float64)[1]
    policy[0] = torch.tensor([1.0, 0.0])
    endless()
    policy[0] = torch.tensor([0.9, 0.1])
    valid(1.0)


# ---------------------------------------------------------------- operators


@pytest.mark.points(2)
@pytest.mark.parametrize("best", [True, False])
@pytest.mark.parametrize("promise", PROMISES)
def test_one_step_of_an_operator(student, reference, unchanged, promise, best):
    """One step averages over the policy's actions, or takes the best; it ignores the guess at terminal states.

    zh: 一步计算按策略对动作取平均，或者取最好的动作；终止状态处的猜测不起作用。
    """
    for states, actions in SIZES:
        *mdp, policy = game(states, actions)
        transitions, rewards, terminal = mdp
        paid = (transitions * rewards).sum(-1)[~terminal]
        worth = paid + 0.9 * (transitions @ guess(states).masked_fill(terminal, 0))[~terminal]
        assert actions < 3 or not paid.argmax(-1).equal(worth.argmax(-1))
        for discount in (0.9, 0.0):
            arguments = (guess(states), *mdp, discount, None if best else policy)
            new, _ = student.bellman_operator(*arguments)
            assert_close(new, reference.bellman_operator(*arguments)[0])

    def make(dtype):
        *mdp, policy = game(dtype=dtype)
        return guess(dtype=dtype), *mdp, 0.9, None if best else policy

    check_promise(promise, student.bellman_operator, make, unchanged)


@pytest.mark.points(1)
@pytest.mark.parametrize("best", [True, False])
@pytest.mark.parametrize("discount", [0.9, 0.3, 0.99])
def test_distance_bound(student, discount, best):
    """The bound is the largest absolute change of a state, times discount / (1 - discount).

    zh: 界等于各状态变化的最大绝对值，乘以 discount / (1 - discount)。
    """
    signs = set()
    for states, actions in SIZES:
        *mdp, policy = game(states, actions)
        terminal = mdp[2]
        for values in (guess(states), guess(states) + 60, guess(states) - 60):
            new, bound = student.bellman_operator(values, *mdp, discount, None if best else policy)
            change = (new - values).masked_fill(terminal, 0)  # of the student's own step
            assert change.unique().numel() > 1
            signs.add(bool(change.max() > -change.min()))
            assert_close(bound, discount / (1 - discount) * change.abs().max())
    assert len(signs) == 2, "the largest change has both signs"
