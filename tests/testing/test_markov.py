"""Markov sources: the entropies are exact, and the stream is the source's."""

from __future__ import annotations

import math

import pytest
import torch

from autograder.testing import markov_source
from autograder.testing.markov import MarkovSource


def test_a_coin_that_remembers() -> None:
    """Two symbols, the last one kept with probability 3/4: half of the time each, H(1/4) nats of news."""
    source = MarkovSource(torch.tensor([[0.75, 0.25], [0.25, 0.75]], dtype=torch.float64))
    assert source.stationary.tolist() == pytest.approx([0.5, 0.5])
    assert source.entropy(0) == pytest.approx(math.log(2))
    assert source.entropy_rate == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


def test_an_order_that_only_the_second_last_symbol_decides() -> None:
    """The symbol before the last is repeated with probability 0.9: one symbol of the past says nothing, two say all."""
    repeat = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    source = MarkovSource(repeat[:, None, :].expand(2, 2, 2))
    assert source.entropy(0) == pytest.approx(math.log(2))
    assert source.entropy(1) == pytest.approx(math.log(2))
    assert source.entropy_rate == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1))


def test_impossible_symbols_count_nothing() -> None:
    source = MarkovSource(torch.tensor([[0.0, 1.0], [0.5, 0.5]], dtype=torch.float64))
    assert source.stationary.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert source.entropy_rate == pytest.approx(2 / 3 * math.log(2))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_stream_has_the_statistics_of_the_source(order: int) -> None:
    source = markov_source(order, seed=3, vocab_size=4)
    assert source.transitions.shape == (4,) * (order + 1)
    stream = source.sample(40_000, seed=1)
    assert stream.dtype == torch.int64
    runs = stream.unfold(0, order + 1, 1)
    places = (runs * 4 ** torch.arange(order, -1, -1)).sum(-1)
    seen = torch.bincount(places, minlength=4 ** (order + 1)).double().reshape(source.transitions.shape)
    assert (seen.sum(-1) / len(runs) - source.stationary).abs().max() < 0.02
    surprise = -source.transitions.log()[tuple(runs.T)].mean()
    assert float(surprise) == pytest.approx(source.entropy_rate, abs=0.03)


def test_less_of_the_past_says_less_and_seeds_decide() -> None:
    source = markov_source(2, seed=0)
    entropies = [source.entropy(seen) for seen in (2, 1, 0)]
    assert entropies == sorted(entropies) and entropies[-1] < math.log(6)
    assert torch.equal(source.transitions, markov_source(2, seed=0).transitions)
    assert not torch.equal(source.transitions, markov_source(2, seed=1).transitions)
    assert torch.equal(source.sample(50, seed=4), source.sample(50, seed=4))
    assert not torch.equal(source.sample(50, seed=4), source.sample(50, seed=5))
    with pytest.raises(ValueError, match="from 0 to the order 2, not 3"):
        source.entropy(3)
