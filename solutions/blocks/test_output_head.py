"""Hidden tests of blocks/output_head."""

import math

import pytest
import torch
import torch._dynamo  # checkpointing imports it at its first call, which a memory limit must not meet

from autograder.testing import (
    PROMISES,
    assert_close,
    check_any,
    check_promise,
    compare_gradients,
    own_or_reference,
)

IGNORE = -100

# T - 1 tokens of each row, of which very different numbers count, one row without any.
COUNTS = (5, 1, 0, 3)


def uneven_targets(V, ignore_index=IGNORE):
    """[4, 6] targets below V of which 5, 1, 0 and 3 count, not all at the start."""
    targets = torch.randint(V, (len(COUNTS), 6))
    targets[targets == ignore_index] = (ignore_index + 1) % V
    for row, count in zip(targets, COUNTS, strict=True):
        row[torch.randperm(6)[count:]] = ignore_index
    assert ((targets != ignore_index).sum(-1) == torch.tensor(COUNTS)).all()
    return targets


@pytest.mark.points(1)
def test_log_softmax(student, reference):
    """Each slice along the last axis is normalised by itself: its exponentials sum to one. The dtype is kept.

    zh: 沿最后一个轴的每条切片各自归一化：取指数之后和为 1；dtype 不变。
    """
    single, double = torch.float32, torch.float64
    for shape, dtype in [((3, 7), single), ((5,), double), ((2, 1, 5), single), ((2, 3, 4, 1), single)]:
        logits = 2 * torch.randn(shape, dtype=dtype)
        logps = student.log_softmax(logits)
        assert_close(logps, reference.log_softmax(logits))
        assert_close(logps.exp().sum(-1), torch.ones(shape[:-1], dtype=dtype))


@pytest.mark.points(1)
def test_far_apart(student, gradients):
    """Log-probabilities and their gradients are finite and right for logits far apart, within a row and between rows.

    zh: 无论行内还是行间，logits 相差悬殊时，对数概率和梯度都有限而且正确。
    """
    rows = [
        [0.0, -200.0, -1.0],
        [10_000.0, 9_999.0, -10_000.0],
        [-9_998.0, -10_000.0, -9_997.0],
        [1.0, 120.0, 2.0],
    ]
    logits, upstream = torch.tensor(rows), torch.randn(4, 3)
    exact = logits.double()
    expected = exact - torch.logsumexp(exact, dim=-1, keepdim=True)
    assert expected.isfinite().all() and (expected.exp().float() == 0).any()
    actual = gradients(student.log_softmax, logits, upstream=upstream)
    assert_close(actual.output, expected.float(), rtol=1e-4, atol=1e-3)
    slopes = upstream - expected.exp().float() * upstream.sum(-1, keepdim=True)
    assert_close(actual.arguments[0], slopes, rtol=1e-3, atol=1e-3)


@pytest.mark.points(1.5)
@pytest.mark.parametrize("ignore_index", [IGNORE, 0, 3, -1, 9])
@own_or_reference("log_softmax")
def test_mean_over_what_counts(student, reference, gradients, ignore_index):
    """The loss is the mean over all targets that aren't ignore_index, whichever integer that is; so is its gradient.

    zh: 损失是所有不等于 ignore_index 的目标的平均，不论 ignore_index 是哪个整数；梯度也是如此。
    """
    V = 7
    targets = uneven_targets(V, ignore_index)
    if ignore_index != 0:
        targets[0, 0] = 0  # a token like any other
    logits = 2 * torch.randn(*targets.shape, V)
    assert len(set((targets != ignore_index).sum(-1).tolist())) > 2, "rows weigh differently"
    compare_gradients(
        gradients, student.cross_entropy, reference.cross_entropy, logits, targets, ignore_index
    )
    flat = student.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index)
    assert_close(flat, reference.cross_entropy(logits, targets, ignore_index))


@pytest.mark.points(1)
@pytest.mark.parametrize(("smoothing", "V"), [(0.1, 5), (0.37, 2), (1.0, 11)])
@own_or_reference("log_softmax")
def test_label_smoothing(student, reference, gradients, smoothing, V):
    """Smoothing spreads epsilon evenly over the V tokens, the target among them, of the targets that count alone.

    zh: 平滑把 epsilon 平均分给全部 V 个词元（目标也在内），而且只对计入的目标这样做。
    """
    targets = uneven_targets(V)
    logits = 2 * torch.randn(*targets.shape, V)
    compare_gradients(
        gradients, student.cross_entropy, reference.cross_entropy, logits, targets, IGNORE, smoothing
    )
    every = targets.clamp(min=0)
    compare_gradients(
        gradients, student.cross_entropy, reference.cross_entropy, logits, every, IGNORE, smoothing
    )


@pytest.mark.points(1)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@own_or_reference("log_softmax")
def test_nothing_counts(student, reference, gradients, smoothing):
    """Where no target counts, loss and gradients are 0, not NaN; one that counts is its own mean.

    zh: 一个计入的目标都没有时，损失和梯度都是 0，而不是 NaN；只有一个时，平均就是它自己。
    """
    logits, targets = torch.randn(2, 3, 5), torch.full((2, 3), IGNORE)
    nothing = gradients(student.cross_entropy, logits, targets, IGNORE, smoothing)
    targets[1, 0] = 2
    one = student.cross_entropy(logits, targets, IGNORE, smoothing)
    assert_close(one, reference.cross_entropy(logits[1, 0], targets[1, 0], IGNORE, smoothing))
    assert_close(nothing.output, torch.tensor(0.0))
    assert_close(nothing.arguments[0], torch.zeros(2, 3, 5))


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
@own_or_reference("log_softmax")
def test_promises(student, reference, unchanged, promise):
    """The loss is right and keeps the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 损失正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """
    logits, targets = torch.randn(4, 6, 5), uneven_targets(5)
    assert_close(student.cross_entropy(logits, targets), reference.cross_entropy(logits, targets))
    check_promise(promise, student.cross_entropy, lambda dtype: (logits.to(dtype), targets), unchanged)


def tied_pair(student, reference, build, V, C):
    """The student's model and the reference's, each around a linear body, with the same weights."""
    shapes = {"embedding.weight": (V, C), "body.weight": (C, C), "body.bias": (C,)}
    weights = {name: torch.randn(shape) for name, shape in shapes.items()}
    own = student.TiedLanguageModel(V, C, build("torch.nn.Linear", C, C))
    right = reference.TiedLanguageModel(V, C, torch.nn.Linear(C, C))
    assert_close(sorted(name for name, _ in own.named_parameters()), sorted(weights))
    for model in (own, right):
        model.load_state_dict(weights, strict=False)  # the one matrix may have a second name
    return own, right


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("V", "C"), [(11, 6), (5, 8), (7, 1)])
def test_one_matrix(student, reference, gradients, build, V, C):
    """Embedding and head are one parameter: it makes the logits, and its gradient is the sum of both.

    zh: 嵌入层和输出头是同一个参数：logits 由它算出，它的梯度是两头之和。
    """
    own, right = tied_pair(student, reference, build, V, C)
    ids = torch.randint(V, (2, 3))
    logits, loss = own(ids)
    assert loss is None, "without labels there is no loss"
    assert_close(logits, right(ids)[0])
    compare_gradients(gradients, own, right, ids, upstream=torch.randn(2, 3, V), output=0)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("B", "T"), [(3, 5), (1, 2), (4, 7)])
@own_or_reference("log_softmax", "cross_entropy")
def test_shift_once(student, reference, build, unchanged, B, T):
    """The logits of position t are compared with the label of position t + 1, where -100 doesn't count; labels aren't changed.

    zh: 位置 t 的 logits 与位置 t + 1 的标签比较，-100 的标签不计入；标签本身不被改动。
    """
    V = 11
    own, _ = tied_pair(student, reference, build, V, 6)
    ids = torch.randint(V, (B, T))
    labels = (ids + 1) % V
    labels[0, T // 2 :: 2] = IGNORE
    labels[:, -1] = ids[:, 0]
    logits, loss = own(ids, labels)
    assert_close(loss, reference.cross_entropy(logits[:, :-1], labels[:, 1:]))
    assert_close(own(ids, ids)[1], reference.cross_entropy(logits[:, :-1], ids[:, 1:]))
    assert unchanged(own, ids, labels), "the labels have been changed"


@pytest.mark.points(0.5)
@own_or_reference("log_softmax", "cross_entropy")
def test_matrix_before_training(student, reference, build):
    """A new matrix is normal with mean 0 and standard deviation 0.02, for a first loss near log V; the body isn't changed.

    zh: 新矩阵服从均值 0、标准差 0.02 的正态分布，所以没训练过的模型损失接近 log V；body 保持原样。
    """
    V, C = 101, 64
    model = student.TiedLanguageModel(V, C, build("torch.nn.Identity"))
    weight = model.state_dict()["embedding.weight"]
    assert weight.shape == (V, C)
    assert abs(weight.mean()) < 0.002 and 0.018 < weight.std() < 0.022
    assert weight.abs().max() > 0.05, "a normal distribution has longer tails"
    body = build("torch.nn.Linear", 5, 5)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    student.TiedLanguageModel(7, 5, body)
    assert_close(dict(body.state_dict()), before, message="the body keeps its weights")
    loss = model(torch.randint(V, (3, 8)), torch.randint(V, (3, 8)))[1]
    assert_close(loss, torch.tensor(math.log(V)), rtol=0.02)


# For each chunk size: chunks with many targets that count, with few, with none, and a remainder.
@pytest.mark.points(2)
@pytest.mark.parametrize("chunk_size", [4, 1, 7, 30])
@own_or_reference("log_softmax", "cross_entropy")
def test_any_chunk_size(student, reference, gradients, chunk_size):
    """Loss and gradients, of hidden states and weight, are those of all logits at once, whatever the chunks hold.

    zh: 无论每块里有什么，损失以及隐藏状态和权重的梯度，都与一次算出全部 logits 时相同。
    """
    N, C, V = 11, 3, 7
    hidden, weight = torch.randn(N, C), torch.randn(V, C)
    for ignore_index in (IGNORE, 2):
        targets = torch.tensor([1, 3, 0, 6, 2, 2, 2, 2, 2, 2, 5])
        targets[targets == 2] = ignore_index

        def at_once(hidden, weight, targets, chunk_size, ignore_index):
            return reference.cross_entropy(hidden @ weight.T, targets, ignore_index)

        arguments = (hidden, weight, targets, chunk_size, ignore_index)
        upstream = torch.tensor(-1.7)  # the loss may be part of a larger one
        compare_gradients(gradients, student.chunked_cross_entropy, at_once, *arguments, upstream=upstream)
        single = torch.full((N,), ignore_index)
        single[6] = 4
        alone = (hidden, weight, single, chunk_size, ignore_index)
        compare_gradients(gradients, student.chunked_cross_entropy, at_once, *alone)
        nothing = torch.full((N,), ignore_index)
        found = gradients(student.chunked_cross_entropy, hidden, weight, nothing, chunk_size, ignore_index)
        assert_close(found.output, torch.tensor(0.0))
        assert_close(found.arguments[0], torch.zeros(N, C))


@pytest.mark.points(1.5)
@pytest.mark.limits(memory_mb=24)
def test_memory(student, reference, gradients):
    """Loss and gradients fit into 24 MiB where all the logits would not, and they are right.

    zh: 损失和梯度在 24 MiB 内存里算得出来（全部 logits 放不下），而且结果正确。
    """
    N, C, V, chunk_size = 480, 5, 16_001, 8
    assert N * V * 4 > 24 << 20
    # Every chunk holds the same, so that the loss of one chunk is that of all.
    hidden, weight = torch.randn(4, C).repeat(N // 4, 1), torch.randn(V, C)
    targets = torch.tensor([3, IGNORE, V - 1, 0]).repeat(N // 4)
    found = gradients(student.chunked_cross_entropy, hidden, weight, targets, chunk_size)

    def check(right):
        """The loss is what these losses of one chunk's logits make of it."""
        first = hidden[:chunk_size]
        one = gradients(right.cross_entropy, first @ weight.T, targets[:chunk_size])
        slopes = one.arguments[0]
        assert_close(found.output, one.output)
        assert_close(found.arguments[1], slopes.T @ first)
        assert_close(found.arguments[0], (slopes @ weight).repeat(N // chunk_size, 1) * chunk_size / N)

    check_any(check, lambda: reference, lambda: student)
