"""Hidden tests of alignment/grpo."""

import math

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise, own_or_reference


def draw(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal numbers, the same in every dtype but for rounding."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def normalised(values: Tensor, eps: float, unbiased: bool) -> Tensor:
    """Of one group, [N], straight from the formula."""
    distances = values - values.mean()
    variance = distances.square().sum() / (len(values) - (1 if unbiased else 0))
    return distances / (variance.sqrt() + eps)


# ---------------------------------------------------------------- 1


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("prompts", "size", "dtype"),
    [(3, 5, torch.float32), (5, 2, torch.float64), (1, 7, torch.float32), (4, 4, torch.float32)],
)
def test_prompts_of_unequal_difficulty(student, prompts, size, dtype):
    """An advantage depends on the rewards of its own row alone, and easy and hard prompts are measured alike.

    zh: 优势只取决于同一行的奖励；题目是难是易，衡量的办法都一样。
    """
    # Each prompt has its own level of reward, and its own spread.
    spread = 2.0 ** torch.arange(prompts, dtype=dtype)[:, None]
    rewards = spread * (draw(prompts, size, seed=1, dtype=dtype) + 5)
    expected = torch.stack([normalised(row, 0.0, True) for row in rewards])
    assert_close(student.group_advantages(rewards.clone(), 0.0, True), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("eps", "unbiased"), [(0.3, False), (0.3, True), (0.0, False)])
def test_spread_of_a_group(student, eps, unbiased):
    """The standard deviation divides by G or G - 1 as asked, and eps is added to it, not to the variance.

    zh: 标准差按要求除以 G 或 G - 1；eps 加在标准差上，不是加在方差上。
    """
    rewards = draw(2, 3, seed=2)
    expected = torch.stack([normalised(row, eps, unbiased) for row in rewards])
    assert_close(student.group_advantages(rewards.clone(), eps, unbiased), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize("eps", [0.0, 1e-4])
def test_nothing_to_learn_from_agreement(student, eps):
    """A group whose rewards are all the same has advantages 0, and its neighbours keep theirs.

    zh: 奖励全都相同的组，优势为 0；旁边的组不受影响。
    """
    rewards = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    alone = student.group_advantages(rewards[1:2].clone(), eps, True)
    assert bool(alone.any()), "the rewards of one group differ, and so do its advantages"
    nothing = torch.zeros(1, 4)
    assert_close(student.group_advantages(rewards.clone(), eps, True), torch.cat([nothing, alone, nothing]))


# ---------------------------------------------------------------- 2


def solutions(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Rewards and ends of steps of 2 prompts with 3 responses of up to 7 tokens; what lies between the ends is not zero."""
    ends = [[[2, 3, 6], [4], [1, 5]], [[1], [1, 2, 3, 4, 5, 6], [3, 5]]]
    step_ends = torch.zeros(2, 3, 7, dtype=torch.bool)
    for prompt, responses in enumerate(ends):
        for response, places in enumerate(responses):
            step_ends[prompt, response, places] = True
    assert not step_ends[..., 0].any(), "the first token ends no step"
    assert step_ends.sum(-1).unique().numel() > 3, "uneven numbers of steps"
    rewards = 3 * draw(2, 3, 7, seed=3, dtype=dtype) + 2
    rewards[0, 0, 3] = rewards[0, 1, 4] = rewards[1, 1, 2] = 0.0  # of steps like any other
    return rewards, step_ends


def credits(rewards: Tensor, step_ends: Tensor, eps: float, unbiased: bool) -> Tensor:
    """The advantages, step by step."""
    found = torch.zeros_like(rewards)
    for prompt in range(len(rewards)):
        places = step_ends[prompt].nonzero().tolist()
        scores = normalised(torch.stack([rewards[prompt, i, t] for i, t in places]), eps, unbiased)
        for score, (i, t) in zip(scores, places, strict=True):
            found[prompt, i, : t + 1] += score
    return found


@pytest.mark.points(1)
@pytest.mark.parametrize(("eps", "unbiased"), [(0.0, True), (0.2, False)])
@own_or_reference("group_advantages")
def test_one_scale_for_all_steps(student, reference, eps, unbiased):
    """All steps of a prompt's responses share one mean and one deviation: at its start each response has the sum of its steps.

    zh: 一个提示词的所有回答、所有步共用一个均值和一个标准差：在开头，每条回答的优势是它各步之和。
    """
    rewards, step_ends = solutions()
    actual = student.step_advantages(rewards.clone(), step_ends.clone(), eps, unbiased)
    assert actual.shape == rewards.shape
    assert_close(actual[..., 0], credits(rewards, step_ends, eps, unbiased)[..., 0])


@pytest.mark.points(1)
@own_or_reference("group_advantages")
def test_steps_still_to_end(student, reference):
    """A token has the steps that end at it or later: its own step counts at its last token too, an earlier one doesn't.

    zh: 词元得到的是在它这里或之后结束的步：自己这一步的最后一个词元也算在内，已经结束的步不算。
    """
    # Every response has as many rewards of 1 as of -1: nothing is changed by normalising, whatever is taken together.
    step_ends = torch.tensor([[[0, 1, 0, 1, 0, 0], [1, 1, 0, 1, 0, 1]]], dtype=torch.bool)
    rewards = torch.tensor([[[0.0, -1, 0, 1, 0, 0], [1, -1, 0, -1, 0, 1]]])
    expected = torch.tensor([[[0.0, 0, 1, 1, 0, 0], [0, -1, 0, 0, 1, 1]]])
    assert_close(student.step_advantages(rewards.clone(), step_ends.clone(), 0.0, False), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
@own_or_reference("group_advantages")
def test_step_rewards_as_they_came(student, reference, unchanged, promise):
    """Right advantages of rewards that are left as they came: unchanged, in their dtype, in any memory layout.

    zh: 优势正确，传入的奖励保持原样：不被改动，dtype 不变，任何内存布局都行。
    """

    def make(dtype: torch.dtype) -> tuple[Tensor, Tensor, float, bool]:
        return (*solutions(dtype), 0.1, True)

    assert_close(student.step_advantages(*make(torch.float64)), credits(*make(torch.float64)))
    check_promise(promise, student.step_advantages, make, unchanged)


# ---------------------------------------------------------------- 3


def learn(gradients, student, log_probs, old, reference_log_probs, advantages, clip, beta):
    """The losses, and the gradient of their sum by the current policy's log-probabilities."""
    found = gradients(
        student.token_losses, log_probs, old, reference_log_probs, advantages, clip, beta, upstream=None
    )
    assert found.arguments[0] is not None, "no gradient reaches the current policy"
    return found.output, found.arguments[0]


@pytest.mark.points(1.5)
@pytest.mark.parametrize("clip", [0.3, 0.1])
@pytest.mark.parametrize("supervision", ["process", "outcome"])
def test_clip_on_the_bad_side(student, gradients, clip, supervision):
    """Where the ratio has gone too far the advantage's way, loss and slope stop; where it went the other way, they don't.

    zh: 比值顺着优势的方向走过了头，损失和斜率就停住；往反方向走了，则照常。
    """
    old = draw(3, 5, seed=4) - 2
    moves = torch.tensor(
        [[-0.9, 0.0, 0.6, 0.05, -0.5], [0.8, -0.7, 0.02, -0.03, 0.5], [0.7, -0.6, 0.9, -0.8, 0]]
    )
    advantages = torch.tensor(
        [[1.3, 0.4, 2.1, -0.8, 0.5], [-0.7, -1.1, 0.6, -2.0, 1.9], [0.9, 1.7, -0.3, -1.2, 0.2]]
    )
    if supervision == "outcome":
        advantages = advantages[:, :1]
    losses, slopes = torch.zeros(3, 5), torch.zeros(3, 5)
    kinds = set()
    for i in range(3):
        for t in range(5):
            ratio = math.exp(moves[i, t])
            advantage = advantages.expand(3, 5)[i, t].item()
            stopped = ratio > 1 + clip if advantage > 0 else ratio < 1 - clip
            losses[i, t] = -advantage * ((1 + clip if advantage > 0 else 1 - clip) if stopped else ratio)
            slopes[i, t] = 0.0 if stopped else -advantage * ratio
            kinds.add((advantage > 0, stopped, abs(ratio - 1) > clip))
    assert len(kinds) == 6, "both signs; inside, beyond on the good side, beyond on the bad side"
    found = learn(gradients, student, old + moves, old, old + moves, advantages, clip, 0.0)
    assert_close(found, (losses, slopes))


@pytest.mark.points(1)
def test_slope_of_the_first_step(student, gradients):
    """In the first step the ratio is 1: the loss is minus the advantage, and so is its slope.

    zh: 第一步的比值是 1：损失是优势的相反数，斜率也是。
    """
    log_probs = draw(3, 4, seed=6) - 2
    advantages = draw(3, 1, seed=7)
    found = learn(gradients, student, log_probs, None, log_probs.clone(), advantages, 0.2, 0.0)
    assert_close(found, (-advantages.expand(3, 4), -advantages.expand(3, 4)))


@pytest.mark.points(1.5)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_leash_to_the_reference(student, gradients, dtype):
    """The KL term is exact, never negative, and pulls towards the reference; neither ratio nor clip touches it.

    zh: KL 项数值准确、从不为负，把策略往参考模型拉；比值和裁剪都不影响它。
    """
    log_probs = draw(2, 5, seed=8, dtype=dtype) - 3
    log_r = torch.tensor([[1.5, -2.0, 0.3, 0.0, -0.6], [-1.0, 2.0, 0.5, -0.2, 0.9]], dtype=dtype)
    old = log_probs + draw(2, 5, seed=9, dtype=dtype)
    assert (log_probs - old).exp().min() < 0.8 and (log_probs - old).exp().max() > 1.2
    losses = torch.tensor([[math.exp(x) - x - 1 for x in row] for row in log_r.tolist()], dtype=dtype)
    nothing = torch.zeros(2, 1, dtype=dtype)
    found = learn(gradients, student, log_probs, old, log_probs + log_r, nothing, 0.2, 0.7)
    assert_close(found, (0.7 * losses, 0.7 * (1 - log_r.exp())))
    # Where the clip stops the advantage, the KL term goes on.
    stopped = learn(gradients, student, log_probs, log_probs - 1, log_probs + log_r, nothing + 1, 0.2, 0.7)
    assert_close(stopped, (0.7 * losses - 1.2, 0.7 * (1 - log_r.exp())))


@pytest.mark.points(1)
def test_only_the_policy_learns(student, gradients):
    """The loss adds both terms, and its gradient reaches the current policy alone, not what was sampled, judged or frozen.

    zh: 损失是两项之和，梯度只流到当前策略；采样策略、优势和参考模型都得不到。
    """
    log_probs = draw(3, 4, seed=10) - 2
    old = log_probs + 0.1 * draw(3, 4, seed=11)
    arguments = (log_probs, old, log_probs + draw(3, 4, seed=12), draw(3, 4, seed=13))
    found = gradients(student.token_losses, *arguments)
    surrogate = student.token_losses(*arguments, beta=0.0)
    leash = student.token_losses(*arguments[:3], torch.zeros(3, 4))
    assert_close(found.output, surrogate + leash)
    reached = [slope is not None and bool(slope.any()) for slope in found.arguments[:4]]
    assert reached == [True, False, False, False], "a gradient reaches what is constant, or none the policy"


# ---------------------------------------------------------------- 4


@pytest.mark.points(1.5)
@pytest.mark.parametrize(
    ("lengths", "dtype"),
    [([2, 6, 1], torch.float32), ([4, 0, 5], torch.float32), ([3], torch.float64), ([0, 2], torch.float32)],
)
def test_responses_weigh_alike(student, gradients, lengths, dtype):
    """Each response counts once, by the mean over its own tokens, 0 where it has none; nothing else gets a gradient.

    zh: 每条回答只算一次，取它自己词元的平均，没有词元就是 0；其他位置得不到梯度。
    """
    mask = torch.arange(1, 9) <= torch.tensor(lengths)[:, None]
    mask = mask.roll(1, dims=1)  # each begins one place later, ...
    mask[:, 3:] = mask[:, 3:].roll(1, dims=1)  # ... and the long ones have a gap
    assert mask.sum(1).tolist() == lengths
    losses = draw(len(lengths), 8, seed=14, dtype=dtype) + 2
    expected = torch.tensor(0.0, dtype=dtype)
    slopes = torch.zeros_like(losses)
    for i, length in enumerate(lengths):
        if length:
            expected += losses[i][mask[i]].mean() / len(lengths)
            slopes[i][mask[i]] = 1 / (length * len(lengths))
    found = gradients(student.response_mean, losses, mask)
    assert_close(found.output, expected)
    assert found.arguments[0] is not None, "no gradient reaches the losses"
    assert_close(found.arguments[0], slopes)
