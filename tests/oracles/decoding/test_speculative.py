"""The reference against enumeration: every drafted token, and every branch of the draws with its exact size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close, load_reference


@pytest.fixture(scope="module")
def ref() -> Any:
    return load_reference("decoding/speculative")


def pieces(
    outcome: Callable[[float], Any], low: float = 0.0, high: float = 1.0 - 1e-13
) -> Iterator[tuple[Any, float]]:
    """The values of a function that is constant on pieces of [0, 1), each with its piece's length.

    Of one value there is one piece, and their borders are found by bisection.
    """
    first = outcome(low)
    if first == outcome(high):
        yield first, high - low
        return
    inside, outside = low, high
    while outside - inside > 1e-13:
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if outcome(middle) == first else (inside, middle)
    yield first, inside - low
    yield from pieces(outcome, outside, high)


def outcomes(
    ref: Any, drafted: list[int], draft: Tensor, target: Tensor
) -> Iterator[tuple[list[int], float]]:
    """What verify returns for these drafted tokens, each with the share of draws that give it."""

    def accepted(draws: list[float]) -> int:
        """How many of the first drafts pass; the length tells, whatever the last draw gives."""
        full = draws + [0.0] * (len(drafted) - len(draws))
        return min(len(ref.verify(drafted, draft, target, full, 0.5)) - 1, len(draws))

    def branch(draws: list[float], share: float) -> Iterator[tuple[list[int], float]]:
        place = len(draws)
        if place < len(drafted):
            for passed, size in pieces(lambda draw: accepted([*draws, draw]) > place):
                if passed:
                    yield from branch([*draws, 0.0], share * size)
                elif size > 1e-12:
                    yield from ends([*draws, 1 - 1e-13], share * size)
        else:
            yield from ends(draws, share)

    def ends(draws: list[float], share: float) -> Iterator[tuple[list[int], float]]:
        full = draws + [0.0] * (len(drafted) - len(draws))
        for found, size in pieces(lambda draw: tuple(ref.verify(drafted, draft, target, full, draw))):
            yield list(found), share * size

    yield from branch([], 1.0)


def tables(vocab: int, gamma: int, seed: int, zeros: bool) -> tuple[Any, Any]:
    """Distributions of draft and target after every text of up to gamma tokens."""
    generator = torch.Generator().manual_seed(seed)

    def row() -> Tensor:
        weights = torch.rand(vocab, generator=generator, dtype=torch.float64)
        if zeros:
            weights[int(torch.randint(vocab, (), generator=generator))] = 0.0
        return weights / weights.sum()

    texts = [text for length in range(gamma + 1) for text in product(range(vocab), repeat=length)]
    return {text: row() for text in texts}, {text: row() for text in texts}


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("vocab", "gamma"), [(3, 1), (4, 1), (3, 2), (4, 2)])
def test_joint_distribution(ref: Any, vocab: int, gamma: int, seed: int, zeros: bool) -> None:
    drafts, targets = tables(vocab, gamma, seed, zeros)
    joint = torch.zeros([vocab] * (gamma + 1), dtype=torch.float64)
    for drafted in product(range(vocab), repeat=gamma):
        before = [drafted[:place] for place in range(gamma + 1)]
        draft, target = (
            torch.stack([drafts[text] for text in before[:-1]]),
            torch.stack([targets[text] for text in before]),
        )
        share = float(torch.stack([row[token] for row, token in zip(draft, drafted, strict=True)]).prod())
        if share == 0:
            continue  # it is never drafted
        for found, size in outcomes(ref, list(drafted), draft, target):
            # The target goes on by itself to the full length.
            for rest in product(range(vocab), repeat=gamma + 1 - len(found)):
                text, more = list(found), share * size
                for token in rest:
                    more *= float(targets[tuple(text)][token])
                    text.append(token)
                joint[tuple(text)] += more
    expected = torch.zeros_like(joint)
    for text in product(range(vocab), repeat=gamma + 1):
        expected[text] = torch.stack(
            [targets[text[:place]][text[place]] for place in range(gamma + 1)]
        ).prod()
    assert_close(joint, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("vocab", "gamma"), [(3, 1), (4, 1), (3, 2), (4, 2), (2, 3)])
def test_mean_length(ref: Any, vocab: int, gamma: int, seed: int, zeros: bool) -> None:
    """The mean length over the same branches; and equation 1 of Leviathan et al. 2023."""
    drafts, targets = tables(vocab, 0, seed, zeros and vocab > 2)
    draft, target = drafts[()], targets[()]
    mean = 0.0
    for drafted in product(range(vocab), repeat=gamma):
        share = float(draft[list(drafted)].prod())
        if share > 0:
            rows = draft.expand(gamma, vocab), target.expand(gamma + 1, vocab)
            mean += sum(share * size * len(found) for found, size in outcomes(ref, list(drafted), *rows))
    found = ref.expected_tokens(target, draft, gamma)
    assert found == pytest.approx(mean, rel=1e-9)
    alpha = 1 - float((target - draft).abs().sum()) / 2
    assert found == pytest.approx((1 - alpha ** (gamma + 1)) / (1 - alpha), rel=1e-9)


def test_equal_distributions(ref: Any) -> None:
    row = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    assert ref.expected_tokens(row, row, 4) == 5.0
    found = list(outcomes(ref, [0, 2], row.expand(2, 3), row.expand(3, 3)))
    assert [(tokens, round(size, 9)) for tokens, size in found] == [
        ([0, 2, 0], 0.5),
        ([0, 2, 1], 0.25),
        ([0, 2, 2], 0.25),
    ]


@pytest.mark.parametrize("vocab", [2, 5])
def test_round_against_a_loop(ref: Any, vocab: int) -> None:
    """Round after round with random draws: the frequencies of the first two tokens are the target's."""
    generator = torch.Generator().manual_seed(vocab)
    target_rows, draft_rows = torch.rand(2, vocab, vocab, generator=generator, dtype=torch.float64).unbind()
    target_rows, draft_rows = (each / each.sum(-1, keepdim=True) for each in (target_rows, draft_rows))
    counts, rounds = torch.zeros(vocab, vocab, dtype=torch.float64), 6000
    for _ in range(rounds):
        text = [0]
        while len(text) < 3:
            *draws, last = torch.rand(5, generator=generator, dtype=torch.float64).tolist()
            text += ref.speculative_round(
                lambda ids: target_rows[ids], lambda ids: draft_rows[ids], text, draws[:2], draws[2:], last
            )
        counts[text[1], text[2]] += 1
    expected = target_rows[0][:, None] * target_rows
    error = (expected * (1 - expected) / rounds).sqrt()
    assert ((counts / rounds - expected).abs() < 4.5 * error).all()
