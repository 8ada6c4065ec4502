"""Hidden tests of decoding/sampling."""

import math

import pytest
import torch
from torch import Tensor

from autograder.testing import (
    PROMISES,
    assert_close,
    check_promise,
    first_seed,
    given_draws,
    own_or_reference,
)

INF = math.inf


def logits_of(batch: int, vocab: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """[B, V], no two equal in a row, of both signs, not sorted."""
    spread = torch.linspace(-4.0, 5.3, vocab, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    rows = [
        (spread * (0.5 + torch.rand((), generator=generator)))[torch.randperm(vocab, generator=generator)]
        for _ in range(batch)
    ]
    return torch.stack(rows).to(dtype)


def in_chain(reference, logits: Tensor, ids: Tensor, order: str, options: dict) -> Tensor:
    """The probabilities after these steps: r(epetition), t(emperature), k, p, m(in-p)."""
    for step in order:
        match step:
            case "r":
                logits = reference.apply_repetition_penalty(logits, ids, options["repetition_penalty"])
            case "t":
                logits = logits / options["temperature"]
            case "k":
                logits = reference.filter_logits(logits, top_k=options["top_k"])
            case "p":
                logits = reference.filter_logits(logits, top_p=options["top_p"])
            case "m":
                logits = reference.filter_logits(logits, min_p=options["min_p"])
    return logits.softmax(dim=-1)


@pytest.mark.points(0.75)
@pytest.mark.parametrize(("batch", "vocab", "length"), [(3, 11, 4), (1, 5, 1), (2, 7, 6)])
@pytest.mark.parametrize("penalty", [1.7, 0.8])
def test_penalty_of_either_sign(student, reference, batch, vocab, length, penalty):
    """A positive logit is divided by the penalty and a negative one multiplied; a token that didn't occur is left alone.

    zh: 正的 logit 除以惩罚系数，负的乘以它；没有出现过的词元不变。
    """
    logits = logits_of(batch, vocab)
    ids = torch.stack([torch.randperm(vocab)[:length] for _ in range(batch)])
    if logits[0, ids[0]].min() > 0:
        ids[0, 0] = logits[0].argmin()
    assert logits.gather(1, ids).min() < 0 < logits.max()
    assert all(row.unique().numel() == length for row in ids)
    expected = reference.apply_repetition_penalty(logits, ids, penalty)
    assert_close(student.apply_repetition_penalty(logits.clone(), ids.clone(), penalty), expected)
    logits[:, 0] = -INF  # dropped before, and it stays so
    expected = reference.apply_repetition_penalty(logits, ids, penalty)
    assert_close(student.apply_repetition_penalty(logits.clone(), ids.clone(), penalty), expected)


@pytest.mark.points(0.75)
def test_penalised_once(student, reference):
    """A token is penalised once, however often it occurs, and only in the rows where it occurs.

    zh: 一个词元无论出现几次都只惩罚一次，而且只在它出现过的那些行里惩罚。
    """
    logits = logits_of(3, 6)
    ids = torch.tensor([[0, 3, 0, 0, 3], [5, 5, 5, 5, 5], [1, 2, 4, 1, 2]])
    expected = reference.apply_repetition_penalty(logits, ids, 1.5)
    assert_close(student.apply_repetition_penalty(logits.clone(), ids.clone(), 1.5), expected)
    for row in range(3):
        once = ids[row : row + 1].unique()[None]
        assert_close(student.apply_repetition_penalty(logits[row : row + 1], once, 1.5), expected[row, None])


@pytest.mark.points(1)
def test_top_k(student, reference):
    """Top-k keeps the k largest logits, all that tie with the k-th, and everything where k is beyond the vocabulary.

    zh: top-k 保留最大的 k 个 logits，以及与第 k 名并列的全部词元；k 大于词表时全部保留。
    """
    tied = torch.tensor([[2.0, -1.0, 3.0, 2.0, -5.0, 2.0, 0.0], [-3.0, 1.0, -3.0, -4.0, 0.5, -3.0, -7.0]])
    assert [(row > -INF).sum() for row in reference.filter_logits(tied, top_k=3)] == [4, 5]
    assert_close(student.filter_logits(tied.clone(), top_k=3), reference.filter_logits(tied, top_k=3))
    dropped = torch.tensor([[2.0, -INF, 3.0, -INF, 1.0]])  # some are gone already
    for k, expected in [(4, dropped), (2, torch.tensor([[2.0, -INF, 3.0, -INF, -INF]]))]:
        assert_close(student.filter_logits(dropped.clone(), top_k=k), expected)
    for batch, vocab in [(3, 13), (1, 5)]:
        logits = logits_of(batch, vocab)
        for k in (1, 2, 4, vocab, vocab + 3):
            expected = reference.filter_logits(logits, top_k=k)
            assert (expected > -INF).sum() == batch * min(k, vocab)
            assert_close(student.filter_logits(logits.clone(), top_k=k), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("batch", "vocab"), [(4, 11), (1, 2), (3, 37)])
def test_top_p(student, reference, batch, vocab):
    """Top-p keeps the fewest most probable tokens that reach p, each under its own id, and never fewer than one.

    zh: top-p 保留达到 p 所需的最少几个最可能的词元，并且放回各自的编号上；至少留一个。
    """
    for p in (0.93, 0.6, 0.2, 1e-6):

        def distant(logits, p=p):
            sums = logits.double().softmax(-1).sort(descending=True).values.cumsum(-1)
            return bool((sums - p).abs().min() > 1e-3) or p < 1e-3

        logits = first_seed(lambda g: logits_of(batch, vocab, seed=g.initial_seed()) / 3, distant)
        expected = reference.filter_logits(logits, top_p=p)
        # What the statement says, checked by itself: enough with the least likely token, too little without it.
        stays = expected > -INF
        kept = logits.softmax(-1) * stays
        assert (kept.sum(-1) >= p).all()
        assert (kept.sum(-1) - kept.masked_fill(~stays, 2.0).amin(-1) < p).all()
        assert_close(student.filter_logits(logits.clone(), top_p=p), expected)
        # Adding a number to all logits of a row changes no probability.
        assert_close(student.filter_logits(logits + 200, top_p=p), torch.where(stays, logits + 200, -INF))
    # A quarter each: two quarters reach one half, whichever they are.
    halves = student.filter_logits(torch.zeros(2, 4, dtype=torch.float64), top_p=0.5)
    assert (halves == 0).sum(-1).tolist() == [2, 2]
    assert (halves == -INF).sum(-1).tolist() == [2, 2]


@pytest.mark.points(0.75)
def test_min_p(student, reference):
    """Min-p compares each probability with p times the largest of its own row.

    zh: min-p 拿每个概率与“p 乘以本行最大概率”比较。
    """
    probabilities = torch.tensor(
        [[0.04, 0.09, 0.06, 0.81, 0.0], [0.3, 0.2, 0.12, 0.24, 0.14], [0.12, 0.1, 0.38, 0.37, 0.03]]
    )
    logits = probabilities.log()
    expected = reference.filter_logits(logits, min_p=0.1)
    assert (expected > -INF).sum(-1).tolist() == [2, 5, 4]
    assert_close(student.filter_logits(logits.clone(), min_p=0.1), expected)
    # Adding a number to all logits of a row changes no probability.
    for shift in (-9, 200):
        assert_close(student.filter_logits(logits + shift, min_p=0.1), expected + shift)
    tied = torch.tensor([[1.0, -2.0, 1.0], [-3.0, -1.0, -2.0]])
    expected = torch.tensor([[1.0, -INF, 1.0], [-INF, -1.0, -INF]])
    assert_close(student.filter_logits(tied.clone(), min_p=1.0), expected)


@pytest.mark.points(1)
def test_filters_in_turn(student, reference):
    """Top-k, then top-p, then min-p: each counts only what the one before has left, renormalised.

    zh: 先 top-k，再 top-p，再 min-p：后一个只看前一个留下的词元，概率重新归一化。
    """
    probabilities = torch.tensor([[0.05, 0.3, 0.04, 0.26, 0.2, 0.15], [0.02, 0.1, 0.02, 0.08, 0.5, 0.28]])
    logits, filters = probabilities.log(), {"top_k": 4, "top_p": 0.8, "min_p": 0.5}
    expected = reference.filter_logits(logits, **filters)
    # Top-k leaves 0.3, 0.26, 0.2, 0.15 of 0.91: three reach 0.8 of it. Of the whole, it takes all four.
    assert (expected > -INF).int().tolist() == [[0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1]]
    assert (reference.filter_logits(logits, top_p=0.8)[0] > -INF).sum() == 4
    assert_close(student.filter_logits(logits.clone(), **filters), expected)
    # Min-p first would take mass away, and top-p would keep three instead of four.
    logits = torch.tensor([[0.1, 0.4, 0.05, 0.2, 0.06, 0.15, 0.04]]).log()
    early = reference.filter_logits(reference.filter_logits(logits, min_p=0.2), top_p=0.8)
    expected = reference.filter_logits(logits, top_p=0.8, min_p=0.2)
    assert [(row > -INF).sum() for row in (early, expected)] == [3, 4]
    assert_close(student.filter_logits(logits.clone(), top_p=0.8, min_p=0.2), expected)
    for top_k, top_p, min_p in [(5, 0.78, 0.3), (3, 0.9, 0.8), (2, 1.0, 0.0), (4, None, 0.2)]:
        expected = reference.filter_logits(logits, top_k, top_p, min_p)
        assert_close(student.filter_logits(logits.clone(), top_k, top_p, min_p), expected)


@pytest.mark.points(0.5)
@pytest.mark.parametrize("function", ["apply_repetition_penalty", "filter_logits"])
@pytest.mark.parametrize("promise", PROMISES)
def test_promises(student, reference, unchanged, function, promise):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """

    def make(dtype):
        logits = logits_of(3, 7, dtype=dtype)
        return (
            (logits, torch.tensor([[1, 6], [2, 4], [5, 0]]), 1.4)
            if "penalty" in function
            else (logits, 5, 0.9, 0.15)
        )

    target = getattr(student, function)
    expected = getattr(reference, function)(*make(torch.float64))
    assert not torch.equal(expected, make(torch.float64)[0])
    assert_close(target(*make(torch.float64)), expected)
    check_promise(promise, target, make, unchanged)


# Options, and the orders that they tell from the right one, r t k p m: llama.cpp's, vLLM's, and others in which one
# step comes too early or too late; last, a seed of logits for which they do.
CHAINS = [
    (
        {"temperature": 1.6, "top_k": 6, "top_p": 0.85, "min_p": 0.3, "repetition_penalty": 1.8},
        ("rkpmt", "rtmkp", "tkpmr", "rtpkm", "rtkmp"),
        1,
    ),
    (
        {"temperature": 0.8, "top_k": 2, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 2.5},
        ("tkrpm", "tkpmr", "rkpmt"),
        320,
    ),
]


@pytest.mark.points(1.25)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("options", "wrong_orders", "seed"), CHAINS)
@own_or_reference("apply_repetition_penalty", "filter_logits")
def test_order_of_the_chain(student, reference, unchanged, options, wrong_orders, seed, dtype):
    """Penalty, temperature, top-k, top-p, min-p, in this order, then a softmax; what is left out changes nothing.

    zh: 依次是惩罚、温度、top-k、top-p、min-p，最后做 softmax；没有启用的步骤不起作用。
    """
    ids = torch.tensor([[4, 9, 4], [0, 7, 3], [8, 8, 1], [2, 5, 10]])
    logits = logits_of(4, 11, seed, dtype) / 2
    expected = in_chain(reference, logits, ids, "rtkpm", options)
    for order in wrong_orders:
        assert ((in_chain(reference, logits, ids, order, options) > 0) != (expected > 0)).any()
    actual = student.next_token_probabilities(logits.clone(), ids.clone(), **options)
    assert_close(actual, expected)
    assert ((actual > 0) == (expected > 0)).all()
    for name, value in options.items():
        expected = reference.next_token_probabilities(logits, ids, **{name: value})
        assert_close(student.next_token_probabilities(logits.clone(), ids.clone(), **{name: value}), expected)
    # Cold, and with logits whose exponentials are too large for a float32.
    cold = logits / 4 + 8
    expected = reference.next_token_probabilities(cold, ids, 0.05)
    assert ((expected > 0.01) & (expected < 0.9)).any()
    assert_close(student.next_token_probabilities(cold.clone(), ids.clone(), 0.05), expected)
    half = student.next_token_probabilities(logits.bfloat16(), ids.clone())
    assert half.dtype == torch.bfloat16, "the result has the dtype of the logits"
    unpenalised = {**options, "repetition_penalty": 1.0}
    assert unchanged(student.next_token_probabilities, logits.clone(), ids.clone(), **unpenalised), (
        "an argument is changed"
    )


@pytest.mark.points(1)
@own_or_reference("apply_repetition_penalty", "filter_logits")
def test_temperature_zero(student, reference):
    """Temperature 0 gives probability 1 to the largest logit after the penalty, the lowest id on a tie, with any filter.

    zh: 温度为 0 时，施加惩罚之后 logit 最大的词元概率为 1，并列时取编号最小的，与过滤器无关。
    """
    logits = torch.tensor(
        [[1.0, 7.0, 4.0, 7.0, 4.0], [-3.0, -9.0, -2.5, -2.0, -8.0], [90.0, 0.0, 3.0, 1.0, 2.0]]
    )
    ids = torch.tensor([[1, 3], [3, 3], [0, 4]])
    greedy = torch.eye(5)[[1, 3, 0]]
    assert_close(student.next_token_probabilities(logits.clone(), ids.clone(), 0.0), greedy)
    penalised = torch.eye(5)[[2, 2, 0]]
    for filters in ({}, {"top_k": 2, "top_p": 0.5, "min_p": 0.9}):
        actual = student.next_token_probabilities(
            logits.clone(), ids.clone(), 0, repetition_penalty=2.0, **filters
        )
        assert_close(actual, penalised)
    for dtype in (torch.float64, torch.bfloat16):
        actual = student.next_token_probabilities(logits.to(dtype), ids.clone(), 0.0)
        assert_close(actual, greedy.to(dtype), message="the result has the dtype of the logits")


@pytest.mark.points(1)
def test_pieces_in_id_order(student, reference, unchanged):
    """A draw takes the first id, in id order, whose cumulative probability exceeds it; every row has its own.

    zh: 随机数取到的是按编号顺序、累积概率首次超过它的那个词元；每一行各用各的随机数。
    """
    # Sixteenths, so that a draw can stand exactly on a border: every draw of a grid against the list of pieces.
    sixteenths = [3, 0, 1, 7, 0, 5]
    owner = [token for token, pieces in enumerate(sixteenths) for _ in range(pieces)]
    assert sum(sixteenths) == 16
    for dtype in (torch.float64, torch.float32):
        rows = torch.tensor(sixteenths, dtype=dtype).expand(32, 6) / 16
        tokens = student.sample(rows.clone(), torch.arange(32, dtype=dtype) / 32)
        assert_close(tokens, torch.tensor(owner).repeat_interleave(2))
    probabilities = logits_of(41, 23).softmax(-1)
    draws = given_draws(41, seed=1)
    borders = probabilities.double().cumsum(-1)[:, :-1]
    assert (borders - draws[:, None]).abs()[2:].min() > 1e-6
    tokens = student.sample(probabilities.clone(), draws.clone())
    expected = (borders <= draws[:, None]).sum(-1)
    assert expected.unique().numel() > 8
    assert_close(tokens, expected)
    assert unchanged(student.sample, probabilities.clone(), draws.clone()), "an argument is changed"


@pytest.mark.points(1)
def test_ends_of_the_line(student):
    """Draws at both ends take a token of positive probability, even where rounding leaves the sum below the draw.

    zh: 随机数在两端时，抽到的也是概率大于 0 的词元，哪怕由于舍入总和还不到这个随机数。
    """
    lowest, highest = given_draws(2).tolist()
    assert (lowest, highest) == (0.0, 1 - 2.0**-24)
    third = 0.333333
    rows = torch.tensor([[0.0, 0.0, third, 0.0, third, third, 0.0], [0.0, 0.9999, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert (rows.cumsum(-1)[:, -1] < highest).all()
    for draw, expected in ((highest, [5, 1]), (lowest, [2, 1]), (0.5, [4, 1])):
        assert_close(student.sample(rows.clone(), torch.full((2,), draw)), torch.tensor(expected))
    # One token of one; and a row that ends at exactly 1.
    assert_close(student.sample(torch.ones(2, 1), torch.tensor([0.0, highest])), torch.tensor([0, 0]))
    whole = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.75, 0.25]])
    assert_close(student.sample(whole, torch.tensor([highest, highest])), torch.tensor([1, 2]))

    # Many tokens: added one by one, they may end below the sum that `sum` finds. The last two ids are dropped.
    def ends_low(row):
        total = row.sum()
        return bool((row / total).cumsum(0)[-1] < 1 and row.cumsum(0)[-1] / total < 1)

    def many(generator):
        logits = torch.randn(2000, generator=generator)
        logits[-3:] = torch.tensor([6.0, -INF, -INF])
        return logits.softmax(-1)

    row = first_seed(many, ends_low)
    assert row[-3] > 0.05
    assert_close(student.sample(row[None], torch.tensor([highest])), torch.tensor([1997]))
