"""Hidden tests of alignment/dpo."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close, check_any, with_answers

IGNORED = -100


def batch_of_sequences(
    batch: int, length: int, vocab: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Logits [B, T, V] and labels [B, T]: prompts of different lengths, and a gap where there is room."""
    logits = 2 * torch.randn(batch, length, vocab, dtype=dtype)
    labels = torch.randint(vocab, (batch, length))
    for row in range(batch):
        labels[row, : 1 + row % (length - 1)] = IGNORED
        if row % 2 and length > 4:
            labels[row, -2] = IGNORED
    counts = (labels[:, 1:] != IGNORED).sum(dim=1)
    assert counts.min() >= 1
    assert min(batch, length - 1) < 2 or counts.unique().numel() > 1, "rows must differ in length"
    return logits, labels


def batch_of_pairs(batch: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-probabilities (policy chosen, policy rejected, reference chosen, reference rejected), each [B]."""
    reference_chosen = -20 - 10 * torch.rand(batch, dtype=dtype)
    reference_rejected = -35 - 10 * torch.rand(batch, dtype=dtype)
    # Every other pair is ranked the wrong way round, and the policy alone would rank them differently.
    sign = 1 - 2 * (torch.arange(batch) % 2).to(dtype)
    policy_chosen = reference_chosen + sign * (1 + 2 * torch.rand(batch, dtype=dtype))
    policy_rejected = reference_rejected - sign * (1 + torch.rand(batch, dtype=dtype))
    gap = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)
    assert batch < 2 or (gap.min() < 0 < gap.max())
    assert (policy_chosen > policy_rejected).all()
    return policy_chosen, policy_rejected, reference_chosen, reference_rejected


def half_precision_pairs(batch: int) -> list[Tensor]:
    """Up to four pairs in float16, of whole numbers: with beta 0.5 their margins -4, 1, 0, 6.5 are exact."""
    rows = [(-23, -26, -15, -34), (-30, -15, -27, -33), (-20, -31, -17, -40), (-35, -18, -29, -26)]
    return [torch.tensor(row[:batch], dtype=torch.float16) for row in rows]


def copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.clone() for tensor in tensors]


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("batch", "length", "vocab", "dtype"),
    [
        (1, 2, 2, torch.float32),
        (3, 7, 5, torch.float16),
        (5, 13, 31, torch.float64),
        (2, 41, 3, torch.float32),
    ],
)
def test_sum_not_mean(student, reference, batch, length, vocab, dtype):
    """A log-probability is the sum over the tokens, in the dtype of the logits: two halves add up to the whole.

    zh: 回答的对数概率是各词元之和，dtype 与 logits 相同：前后两半加起来等于整体。
    """
    logits, labels = batch_of_sequences(batch, length, vocab, dtype)
    assert logits.dtype == dtype
    expected = reference.sequence_logps(logits.clone(), labels.clone())
    assert_close(student.sequence_logps(logits.clone(), labels.clone()), expected)

    first, second = labels.clone(), labels.clone()
    first[:, length // 2 + 1 :] = IGNORED
    second[:, : length // 2 + 1] = IGNORED
    halves = student.sequence_logps(logits.clone(), first) + student.sequence_logps(logits.clone(), second)
    assert_close(halves, expected)


@pytest.mark.points(1)
def test_shift_by_one(student, reference, gradients):
    """Logits are scored against the next token, the last ones never; labels of another shape are a ValueError.

    zh: 每个位置的 logits 对应下一个位置的词元，最后一个位置的用不到；标签形状不符时抛出 ValueError。
    """
    logits, labels = batch_of_sequences(4, 7, 11)
    labels[1, 0], labels[2, 0] = 3, 0  # nothing predicts the first token, labelled or not
    upstream = torch.tensor([1.0, -2.0, 0.5, 3.0])
    expected = gradients(reference.sequence_logps, logits.clone(), labels.clone(), upstream=upstream)
    actual = gradients(student.sequence_logps, logits.clone(), labels.clone(), upstream=upstream)
    assert_close(actual.output, expected.output)
    assert actual.arguments[0] is not None, "no gradient reaches the logits"
    used = actual.arguments[0].abs().sum(dim=-1) > 0
    assert used[:, :-1].equal(labels[:, 1:] != IGNORED)
    assert not used[:, -1].any()
    assert_close(actual.arguments[0], expected.arguments[0])
    for wrong in (labels[:, 1:], labels[1:]):  # shifted already; fewer sequences
        with pytest.raises(ValueError):
            student.sequence_logps(logits.clone(), wrong.clone())


@pytest.mark.points(1)
def test_prompt_is_masked(student, reference, unchanged):
    """Only tokens whose own label isn't -100 count: a prompt, a gap and padding change nothing; arguments stay as they are.

    zh: 只计入自身标签不是 -100 的词元：提示词、中间的空缺和填充都不影响结果；传入的参数保持原样。
    """
    logits, labels = batch_of_sequences(5, 9, 6)
    labels[0, -3:] = IGNORED
    expected = reference.sequence_logps(logits.clone(), labels.clone())
    assert_close(student.sequence_logps(logits.clone(), labels.clone()), expected)

    # Other logits wherever the next token doesn't count.
    unused = torch.ones(5, 9, dtype=torch.bool)
    unused[:, :-1] = labels[:, 1:] == IGNORED
    logits[unused] = 5 * torch.randn(int(unused.sum()), 6)
    assert_close(student.sequence_logps(logits.clone(), labels.clone()), expected)
    labels[1, 0] = 2  # a token that nothing predicts has a label to lose, too
    assert unchanged(student.sequence_logps, logits.clone(), labels.clone()), "an argument is changed"


@pytest.mark.points(1)
def test_token_zero_counts(student, reference):
    """A token with id 0 counts like any other.

    zh: 编号为 0 的词元与其他词元一样计入。
    """
    logits = torch.randn(3, 6, 4)
    labels = torch.tensor([[-100, 0, 0, 2, 0, 1], [-100, -100, 3, 0, 0, -100], [-100, 1, 1, 2, 3, 3]])
    expected = reference.sequence_logps(logits.clone(), labels.clone())
    assert_close(student.sequence_logps(logits.clone(), labels.clone()), expected)


@pytest.mark.points(1)
def test_nothing_counts(student, reference, gradients):
    """A row where no token counts gives 0 and a gradient of 0, and leaves the other rows alone.

    zh: 一个词元都不计入的行，结果为 0，梯度也为 0，并且不影响其他行。
    """
    logits, labels = batch_of_sequences(3, 5, 7)
    labels[1] = IGNORED
    expected = gradients(reference.sequence_logps, logits.clone(), labels.clone())
    actual = gradients(student.sequence_logps, logits.clone(), labels.clone())
    assert expected.output[1] == 0
    assert expected.output[0] < 0
    assert_close(actual.output, expected.output)
    assert_close(actual.arguments[0], expected.arguments[0])
    # A single token: nothing predicts it.
    assert_close(student.sequence_logps(torch.randn(2, 1, 3), torch.tensor([[1], [2]])), torch.zeros(2))


@pytest.mark.points(1)
def test_large_logits(student, reference):
    """Logits of 10,000 give finite results, and a number added to all logits of a position changes nothing.

    zh: logits 达到一万时结果依然有限；给同一位置的所有 logits 加上同一个数，结果不变。
    """
    logits, labels = batch_of_sequences(3, 7, 5)
    logits = torch.randint(-9, 10, logits.shape).float() * 1000
    expected = reference.sequence_logps(logits.clone(), labels.clone())
    assert expected.isfinite().all()
    assert expected.min() < -1000
    assert_close(student.sequence_logps(logits.clone(), labels.clone()), expected)

    moved = logits + torch.randint(-9, 10, (3, 7, 1)) * 1000
    assert_close(student.sequence_logps(moved, labels.clone()), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "beta"), [(1, 0.1), (4, 0.3), (7, 2.5)])
def test_implicit_rewards(student, reference, batch, beta):
    """A reward is beta times the log-ratio of policy to reference, a margin chosen minus rejected; all keep the dtype.

    zh: 奖励等于 beta 乘以策略与参考模型的对数比；间隔是 chosen 减 rejected；dtype 不变。
    """
    pairs = batch_of_pairs(batch)
    expected = reference.implicit_rewards(*copies(pairs), beta)
    actual = student.implicit_rewards(*copies(pairs), beta)
    assert_close(actual, expected)

    # A prompt that is unlikely for both models alike earns no reward; chosen and rejected trade places.
    policy_chosen, policy_rejected, reference_chosen, reference_rejected = pairs
    moved = student.implicit_rewards(
        policy_rejected - 8, policy_chosen - 4, reference_rejected - 8, reference_chosen - 4, beta
    )
    assert_close(moved, (expected[1], expected[0], -expected[2]), rtol=1e-4)

    halves = half_precision_pairs(batch)
    assert_close(
        student.implicit_rewards(*copies(halves), 0.5), reference.implicit_rewards(*copies(halves), 0.5)
    )


@pytest.mark.points(1)
@pytest.mark.parametrize("function", ["implicit_rewards", "dpo_loss", "ipo_loss"])
def test_reference_without_gradient(student, gradients, function):
    """Gradients reach the policy's log-probabilities, from every result, and stop at the reference's.

    zh: 每个返回值的梯度都能流到策略模型的对数概率，参考模型的对数概率得不到梯度。
    """

    def reached(name, output):
        found = gradients(getattr(student, name), *copies(batch_of_pairs(5)), 0.7, output=output)
        return [gradient is not None and bool(gradient.any()) for gradient in found.arguments[:4]]

    # The margins, the chosen rewards, the rejected rewards; a loss is a single result.
    if function == "implicit_rewards":
        assert reached(function, 2) == [True, True, False, False]
        assert reached(function, 0) == [True, False, False, False]
        assert reached(function, 1) == [False, True, False, False]
    else:
        found = reached(function, None)
        assert found[:2] == [True, True], "no gradient reaches the policy"
        # A loss that hands on what question 2 lets through is no second mistake.
        own = function == "dpo_loss" and any(found[2:]) and reached("implicit_rewards", 2)
        assert not any(found[2:]) or own == found, "a gradient reaches the reference"


def own_answers(student, reference):
    """The reference on the student's own margins, unless these say nothing about the pairs."""
    assert student.implicit_rewards(*batch_of_pairs(3), 0.7)[2].unique().numel() == 3
    return with_answers(reference, student, "implicit_rewards")


def check_loss(student, reference, pairs, beta, smoothing=0.0, **tolerance):
    """The loss of these pairs is right, or right for the margins of the student's own question 2."""
    options = {"label_smoothing": smoothing} if smoothing else {}
    actual = student.dpo_loss(*copies(pairs), beta, **options)
    check_any(
        lambda right: assert_close(actual, right.dpo_loss(*copies(pairs), beta, smoothing), **tolerance),
        lambda: reference,
        lambda: own_answers(student, reference),
    )


def check_slopes(student, reference, gradients, pairs, beta, smoothing=0.0, **tolerance):
    """So is its gradient: the slope in the margins times that of the margins in the policy's log-probabilities."""
    actual = gradients(student.dpo_loss, *copies(pairs), beta, smoothing)
    assert all(slope is not None for slope in actual.arguments[:2]), "no gradient reaches the policy"

    def check(right):
        margins = gradients(right.implicit_rewards, *copies(pairs), beta, output=2)
        m = margins.output[2].detach()
        weight = (1 - smoothing) * torch.sigmoid(-m) - smoothing * torch.sigmoid(m)
        expected = [-weight / len(m) * slope for slope in margins.arguments[:2]]
        assert_close(actual.arguments[:2], expected, **tolerance)

    check_any(check, lambda: reference, lambda: own_answers(student, reference))


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("batch", "beta", "dtype"),
    [(2, 0.1, torch.float64), (1, 0.5, torch.float32), (7, 1.7, torch.float32)],
)
def test_dpo_loss(student, reference, batch, beta, dtype):
    """The loss is the mean of -log sigmoid(margin), in its dtype.

    zh: 损失是 -log sigmoid(间隔) 的平均，dtype 不变。
    """
    pairs = batch_of_pairs(batch, dtype)
    check_loss(student, reference, pairs, beta)
    policy_chosen, policy_rejected, reference_chosen, reference_rejected = pairs
    swapped = (policy_rejected, policy_chosen, reference_rejected, reference_chosen)
    check_loss(student, reference, swapped, beta)
    check_loss(student, reference, half_precision_pairs(batch), 0.5)


@pytest.mark.points(0.5)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_slope_at_the_start(student, reference, gradients, dtype):
    """Where training starts, policy and reference are equal: the margin is 0, and the loss has a slope there.

    zh: 训练的起点上，策略与参考模型相同：间隔为 0，损失在那里有斜率。
    """
    _, _, reference_chosen, reference_rejected = batch_of_pairs(3, dtype)
    start = (reference_chosen, reference_rejected, reference_chosen, reference_rejected)
    check_loss(student, reference, start, 0.3)
    check_slopes(student, reference, gradients, start, 0.3)


@pytest.mark.points(1)
@pytest.mark.parametrize("margin", [-10_000.0, -200.0, -30.0, 120.0, 300.0, 10_000.0])
def test_large_margins(student, reference, gradients, margin):
    """The loss and its gradient are finite and right at margins far from zero, on both sides.

    zh: 间隔离零很远时（无论正负），损失和梯度都有限而且正确。
    """
    # Whole numbers, so that the margin is exact in float32: 0.5 * ((-300 + 300) - (-2 * margin)).
    pair = tuple(torch.tensor([value]) for value in (-300.0, -30_000 - 2 * margin, -300.0, -30_000.0))
    # Beside a pair with margin 0, so that a loss stuck at zero is seen as well.
    both = tuple(torch.cat([tensor, torch.tensor([-40.0])]) for tensor in pair)
    check_loss(student, reference, both, 0.5, rtol=1e-4)
    check_slopes(student, reference, gradients, both, 0.5, rtol=1e-4, atol=1e-6)


@pytest.mark.points(0.75)
@pytest.mark.parametrize("smoothing", [0.1, 0.37])
def test_label_smoothing(student, reference, gradients, smoothing):
    """The pair as labelled weighs 1 - epsilon, the flipped pair epsilon; nothing else is divided out.

    zh: 标签平滑：原标注的权重是 1 - epsilon，翻转后的权重是 epsilon，不再除以别的东西。
    """
    # One pair alone: its loss is its mean. The share of the flipped pair is what the smoothing changes.
    for pair in zip(*batch_of_pairs(4), strict=True):
        check_loss(student, reference, [value[None] for value in pair], 0.4, smoothing)
    # The slope is 0 where sigmoid(margin) = 1 - epsilon: neither more nor less certain than the labels.
    _, _, reference_chosen, reference_rejected = batch_of_pairs(1)
    best = math.log((1 - smoothing) / smoothing) / 0.4
    at_best = (reference_chosen + best, reference_rejected, reference_chosen, reference_rejected)
    check_slopes(student, reference, gradients, at_best, 0.4, smoothing, rtol=1e-3, atol=1e-5)


@pytest.mark.points(0.75)
@pytest.mark.parametrize("smoothing", [-0.01, 0.5, 1.0])
def test_label_smoothing_range(student, smoothing):
    """A smoothing outside [0, 0.5) is a ValueError; inside it isn't.

    zh: 平滑系数不在 [0, 0.5) 内要抛出 ValueError，在范围内则不能抛。
    """
    pairs = batch_of_pairs(3)
    plain = student.dpo_loss(*copies(pairs), 0.1)
    assert_close(student.dpo_loss(*copies(pairs), 0.1, 0.0), plain)
    assert not torch.equal(student.dpo_loss(*copies(pairs), 0.1, 0.49), plain)
    with pytest.raises(ValueError):
        student.dpo_loss(*copies(pairs), 0.1, smoothing)


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "tau"), [(1, 0.5), (4, 0.05), (7, 1.3)])
def test_ipo_loss(student, reference, gradients, batch, tau):
    """IPO is the mean squared distance of the log-ratio gap from 1 / (2 tau), least there; it keeps the dtype.

    zh: IPO 是对数比之差与 1 / (2 tau) 的均方距离，恰在该处取得最小；dtype 不变。
    """
    pairs = batch_of_pairs(batch)
    assert_close(student.ipo_loss(*copies(pairs), tau), reference.ipo_loss(*copies(pairs), tau))

    # Every gap at 1 / (2 tau), reached in different ways, gives loss and slope 0; going past it costs.
    _, policy_rejected, reference_chosen, reference_rejected = pairs
    at_target = policy_rejected + reference_chosen - reference_rejected + 1 / (2 * tau)
    found = gradients(student.ipo_loss, at_target, policy_rejected, reference_chosen, reference_rejected, tau)
    assert_close(found.output, torch.tensor(0.0), atol=1e-6)
    assert_close(found.arguments[0], torch.zeros(batch), atol=1e-4)
    past = student.ipo_loss(at_target + 3, policy_rejected, reference_chosen, reference_rejected, tau)
    assert_close(past, torch.tensor(9.0), rtol=1e-4)
    far = student.ipo_loss(at_target - 4096, policy_rejected, reference_chosen, reference_rejected, tau)
    assert_close(far, torch.tensor(4096.0**2), rtol=1e-4)

    halves = half_precision_pairs(batch)
    assert_close(student.ipo_loss(*copies(halves), 0.25), reference.ipo_loss(*copies(halves), 0.25))


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "beta", "smoothing"), [(7, 1.7, 0.2), (4, 0.1, 0.0), (1, 0.5, 0.0)])
def test_gradient(student, reference, batch, beta, smoothing):
    """The gradient is the slope of the mean loss, opposite for the two: large where the ranking is wrong, yet finite.

    zh: 梯度是平均损失的斜率：对两条回答大小相等、方向相反；排错的偏好对权重更大，但总是有限的。
    """
    # Margins of -10,000, -200, 0 and 200, exact in float32, side by side in one batch; and half precision.
    margins = torch.tensor([-10_000.0, -200.0, 0.0, 200.0])
    same = torch.full_like(margins, -300.0)
    far = (same, -30_000 - 2 * margins, same, torch.full_like(margins, -30_000.0))
    for pairs, beta_ in (
        (batch_of_pairs(batch, torch.float64), beta),
        (far, 0.5),
        (half_precision_pairs(batch), 0.5),
    ):
        actual = student.dpo_gradient(*copies(pairs), beta_, smoothing)

        def check(right, actual=actual, pairs=pairs, beta_=beta_):
            assert_close(actual, right.dpo_gradient(*copies(pairs), beta_, smoothing))

        check_any(check, lambda: reference, lambda: own_answers(student, reference))
