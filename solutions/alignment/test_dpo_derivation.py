"""Hidden tests of alignment/dpo_derivation."""

from itertools import combinations, permutations

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close

INF = torch.inf


def prompts(
    batch: int, responses: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities of policy and reference, and rewards: each [B, K], every entry finite."""
    generator = torch.Generator().manual_seed(100 * batch + responses + seed)
    policy, reference, rewards = torch.randn(3, batch, responses, generator=generator, dtype=torch.float64)
    policy, reference = policy.log_softmax(-1), (2 * reference).log_softmax(-1)
    if responses > 1:
        forwards = (policy.exp() * (policy - reference)).sum(-1)
        backwards = (reference.exp() * (reference - policy)).sum(-1)
        assert ((forwards - backwards).abs() > 1e-3).all(), "the divergence must tell its direction"
    return policy.to(dtype), reference.to(dtype), (rewards + 0.7).to(dtype)


def best(reference: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """log pi* and log Z, for tests of what comes after question 2."""
    tilted = reference + rewards / beta
    return tilted.log_softmax(-1), tilted.logsumexp(-1)


SIZES = [
    (3, 5, 0.4, torch.float32),
    (1, 7, 2.5, torch.float64),
    (5, 1, 0.3, torch.float32),
    (2, 3, 0.7, torch.bfloat16),
]


def rounding(dtype: torch.dtype) -> dict[str, float]:
    """In bfloat16 sums of a few numbers are rough; there, the dtype is what is asked for."""
    return {"atol": 0.1} if dtype == torch.bfloat16 else {}


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "responses", "beta", "dtype"), SIZES)
def test_objective_of_any_policy(student, reference, batch, responses, beta, dtype):
    """The objective is the policy's expected reward minus beta times its divergence from the reference.

    zh: 目标值等于策略的期望奖励，减去 beta 乘以策略相对参考模型的散度。
    """
    policy, frozen, rewards = prompts(batch, responses, dtype)
    expected = reference.kl_objective(policy.clone(), frozen.clone(), rewards.clone(), beta)
    assert_close(student.kl_objective(policy, frozen, rewards, beta), expected, **rounding(dtype))


@pytest.mark.points(1)
def test_objective_where_a_response_is_impossible(student):
    """What the policy never gives adds nothing to the objective; what only the policy gives costs infinitely much.

    zh: 策略从不给出的回答对目标值没有贡献；只有策略会给出的回答，代价无穷大。
    """
    policy = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.5, 0.25, 0.25]]).log()
    frozen = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.5, 0.5, 0.0]]).log()
    rewards = torch.tensor([[3.0, 9.0, 8.0], [1.0, 7.0, 4.0], [1.0, 2.0, 3.0]])
    actual = student.kl_objective(policy, frozen, rewards, 2.0)
    nats = torch.tensor([2.0, 2.0]).log() * torch.tensor([1.0, 0.5])
    assert_close(actual[:2], torch.tensor([3.0, 2.5]) - 2 * nats)
    assert actual[2] == -INF, "a response that only the policy gives"


@pytest.mark.points(1)
@pytest.mark.parametrize("beta", [0.2, 1.7])
def test_objective_is_largest_at_the_optimum(student, beta):
    """The best policy's objective is beta * log Z; any other falls short by beta times its divergence from the best.

    zh: 最优策略的目标值是 beta * log Z；其他策略都比它低，差距是 beta 乘以该策略相对最优策略的散度。
    """
    for seed in range(4):
        policy, frozen, rewards = prompts(4, 6, torch.float64, seed)
        optimum, log_partition = best(frozen, rewards, beta)
        assert_close(student.kl_objective(optimum, frozen, rewards, beta), beta * log_partition)
        gap = (policy.exp() * (policy - optimum)).sum(-1)
        assert gap.min() > 0.01
        assert_close(student.kl_objective(policy, frozen, rewards, beta), beta * (log_partition - gap))


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "responses", "beta", "dtype"), SIZES)
def test_optimum_is_the_tilted_reference(student, reference, batch, responses, beta, dtype):
    """The best policy is the reference times exp(reward / beta), divided by the sum of these products, Z.

    zh: 最优策略是参考概率乘以 exp(奖励 / beta)，再除以这些乘积之和 Z。
    """
    _, frozen, rewards = prompts(batch, responses, dtype)
    expected = reference.optimal_policy(frozen.clone(), rewards.clone(), beta)
    actual = student.optimal_policy(frozen, rewards, beta)
    assert_close(actual[0], expected[0], **rounding(dtype))
    assert_close(actual[1], expected[1], **rounding(dtype))


@pytest.mark.points(1)
@pytest.mark.parametrize("size", [1_000.0, 10_000.0])
def test_optimum_of_large_rewards(student, size):
    """Rewards of thousands of beta, of either sign, give finite log-probabilities that are right and normalised.

    zh: 奖励达到 beta 的上万倍时，无论正负，对数概率都有限、正确，并且归一化。
    """
    beta = 0.125
    frozen = torch.tensor([[0.5, 0.25, 0.25]]).log().repeat(3, 1)
    nats = torch.tensor([[0.0, size, -size], [-size, -size, -size + 2], [size, size, size]])
    actual, log_partition = student.optimal_policy(frozen, beta * nats, beta)
    assert_close(actual.exp().sum(-1), torch.ones(3), atol=5e-3)
    tail = 0.25 * (3 + torch.tensor(2.0).exp())
    assert_close(
        log_partition, torch.tensor([size, -size, size]) + torch.stack([frozen[0, 1], tail.log(), 0 * tail])
    )
    assert_close(actual[0, 2], torch.tensor(-2 * size))
    assert_close(actual[2], frozen[2], atol=2e-3)


@pytest.mark.points(1)
def test_optimum_keeps_what_is_impossible(student):
    """A response of probability 0 under the reference keeps probability 0, and the others share what there is.

    zh: 参考模型概率为 0 的回答，最优策略给它的概率仍是 0，其余的回答分享全部概率。
    """
    frozen = torch.tensor([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]]).log()
    rewards = torch.tensor([[1.0, 50.0, 2.0], [3.0, 4.0, -5.0]])
    actual, log_partition = student.optimal_policy(frozen, rewards, 0.5)
    share = torch.sigmoid(torch.tensor(2.0))
    assert_close(actual.exp(), torch.stack([1 - share, 0 * share, share, *torch.eye(3)[2]]).view(2, 3))
    assert_close(log_partition, torch.tensor([(1 + torch.tensor(2.0).exp()).log() + 2 + frozen[0, 0], -10.0]))


@pytest.mark.points(1)
def test_optimum_ignores_a_prompt_constant(student):
    """A number added to all rewards of a prompt leaves its policy alone, and log Z grows by that number over beta.

    zh: 给一个提示词的所有奖励加上同一个数，策略不变，log Z 增加这个数除以 beta。
    """
    _, frozen, rewards = prompts(3, 5, torch.float64)
    constant = torch.tensor([4.0, -1.5, 0.25], dtype=torch.float64)
    plain, log_partition = student.optimal_policy(frozen, rewards, 0.4)
    moved, moved_partition = student.optimal_policy(frozen, rewards + constant[:, None], 0.4)
    assert plain.exp().std(-1).min() > 0.01
    assert_close(moved, plain)
    assert_close(moved_partition - log_partition, constant / 0.4)


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "responses", "beta", "dtype"), [*SIZES, (4, 4, 0.6, torch.float32)])
def test_rewards_up_to_a_prompt_constant(student, batch, responses, beta, dtype):
    """The best policy tells its rewards but for one constant for each prompt, beta * log Z; with log Z it tells all.

    zh: 由最优策略可以推回奖励，只差每个提示词的一个常数 beta * log Z；给出 log Z，就一点不差。
    """
    _, frozen, rewards = prompts(batch, responses, torch.float64)
    policy, log_partition = best(frozen, rewards, beta)
    constant = beta * log_partition[:, None]
    assert constant.abs().min() > 0.01
    policy, frozen, rewards, constant = (x.to(dtype) for x in (policy, frozen, rewards, constant))
    assert_close(student.recover_rewards(policy, frozen, beta), rewards - constant, **rounding(dtype))
    assert_close(
        student.recover_rewards(policy, frozen, beta, log_partition.to(dtype)), rewards, **rounding(dtype)
    )


@pytest.mark.points(1)
@pytest.mark.parametrize(("responses", "places"), [(4, 4), (4, 2), (5, 1)])
def test_ranking_probabilities(student, reference, unchanged, responses, places):
    """Each place is chosen among what is left, so all rankings' probabilities add up to one; arguments stay as they are.

    zh: 每个名次都从剩下的回答里选，所有排序的概率之和为 1；传入的参数保持原样。
    """
    rewards = prompts(3, responses)[2]
    ranking = torch.tensor([[3, 0, 1, 2], [1, 2, 0, 3], [2, 3, 0, 1]])[:, :places]
    assert not ranking.argsort(-1).equal(ranking), "a ranking isn't the list of ranks"
    expected = reference.ranking_loss(rewards.clone(), ranking.clone())
    assert_close(student.ranking_loss(rewards, ranking), expected)
    assert unchanged(student.ranking_loss, rewards.clone(), ranking.clone()), "an argument is changed"

    every = [torch.tensor([order]) for order in permutations(range(responses), places)]
    probabilities = [(-student.ranking_loss(rewards[:1], order)).exp() for order in every]
    assert_close(torch.stack(probabilities).sum(), torch.tensor(1.0))


@pytest.mark.points(1)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_two_responses_are_dpo(student, dtype):
    """With two responses the loss is -log sigmoid of their margin, ranked to the end or not, at margins of 10,000 too.

    zh: 只有两条回答时，损失就是 -log sigmoid(间隔)，第二名列不列出都一样；间隔达到一万也对。
    """
    chosen = torch.tensor([0.3, -1.0, 2.5], dtype=dtype)
    rejected = torch.tensor([-0.4, 1.2, 2.0], dtype=dtype)
    rewards, ranking = torch.stack([rejected, chosen], dim=-1), torch.tensor([[1, 0]] * 3)
    expected = torch.log1p((rejected - chosen).exp()).mean()
    assert_close(student.ranking_loss(rewards, ranking), expected)
    assert_close(student.ranking_loss(rewards, ranking[:, :1]), expected)
    far = torch.tensor([[0.0, 10_000.0], [10_000.0, 0.0]], dtype=dtype)
    assert_close(student.ranking_loss(far, torch.tensor([[0, 1]] * 2)), torch.tensor(5_000.0, dtype=dtype))
    low = torch.tensor([[-10_000.0, -9_999.0]], dtype=torch.float64)  # where float32 rounds to thousandths
    expected = torch.log1p(torch.exp(torch.tensor(-1.0, dtype=torch.float64)))
    assert_close(student.ranking_loss(low, torch.tensor([[1, 0]])), expected)


def votes(kind: str, weights: list[int]) -> tuple[list[list[int]], list[list[int]]]:
    """What a crowd says whose rewards are the logs of these weights, in exact shares.

    Returns: for each vote, the responses that were shown, and the ranking of these, best first, by their place in that list.
    """
    shown, rankings = [], []
    sizes = {"pairs": (2, 2), "winners": (len(weights), 1), "full rankings": (len(weights), len(weights))}
    size, places = sizes[kind]
    for group in combinations(range(len(weights)), size):
        for order in permutations(range(size), places):
            left, share = [weights[index] for index in group], 1.0
            for place in order:
                share *= left[place] / sum(left)
                left[place] = 0
            count = round(60 * share)
            assert abs(count - 60 * share) < 1e-9
            shown += [list(group)] * count
            rankings += [list(order)] * count
    return shown, rankings


@pytest.mark.points(1)
@pytest.mark.parametrize("kind", ["full rankings", "pairs", "winners"])
def test_truth_is_the_minimum(student, gradients, kind):
    """Over people who rank by true rewards, the best policy for these has the least loss and no slope; others have more.

    zh: 人们按真实奖励排序时，这个奖励的最优策略损失最小、梯度为零；其他策略的损失都更大。
    """
    weights = [2, 3, 1]
    shown, rankings = (torch.tensor(rows) for rows in votes(kind, weights))
    frozen = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64).log()
    beta, rewards = 0.4, torch.tensor(weights, dtype=torch.float64).log()
    optimum, _ = best(frozen, rewards, beta)

    def loss(policy):
        implicit = beta * (policy - frozen)
        found = gradients(student.ranking_loss, implicit[shown], rankings)
        assert found.arguments[0] is not None, "no gradient reaches the rewards"
        return found.output, torch.zeros(3, dtype=torch.float64).index_add(
            0, shown.flatten(), found.arguments[0].flatten()
        )

    least, slope = loss(optimum)
    assert_close(slope, torch.zeros(3, dtype=torch.float64), atol=1e-9)
    for logits in ([1.0, 0.0, -1.0], [-0.5, 0.2, 0.0], [0.0, 3.0, 0.0]):
        other, other_slope = loss((optimum + torch.tensor(logits, dtype=torch.float64)).log_softmax(-1))
        assert other > least + 1e-4
        assert other_slope.abs().max() > 1e-4
