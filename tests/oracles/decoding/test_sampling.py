"""The sampling reference against transformers' processors and warpers, and against torch.searchsorted."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.testing import given_draws, load_reference

SHAPES = [(1, 2), (4, 7), (3, 50), (2, 1009)]


def inputs(batch: int, vocab: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Logits without ties [B, V], and ids with repeats [B, T]."""
    torch.manual_seed(vocab)
    ids = torch.randint(vocab, (batch, 9))
    return 3 * torch.randn(batch, vocab, dtype=dtype), torch.cat([ids, ids[:, :4]], dim=1)


def same_kept(actual: Tensor, expected: Tensor) -> None:
    assert torch.equal(actual == -math.inf, expected == -math.inf)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize(("batch", "vocab"), SHAPES)
@pytest.mark.parametrize("penalty", [1.0, 1.3, 0.7])
def test_repetition_penalty(batch: int, vocab: int, penalty: float) -> None:
    from transformers import RepetitionPenaltyLogitsProcessor

    sampling = load_reference("decoding/sampling")
    logits, ids = inputs(batch, vocab)
    logits[0, 0] = 0.0
    expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, logits)
    torch.testing.assert_close(sampling.apply_repetition_penalty(logits, ids, penalty), expected)


@pytest.mark.parametrize(("batch", "vocab"), SHAPES)
def test_top_k(batch: int, vocab: int) -> None:
    """With ties as well: the warper keeps them, too."""
    from transformers import TopKLogitsWarper

    sampling = load_reference("decoding/sampling")
    logits, ids = inputs(batch, vocab)
    for values in (logits, logits.round()):
        for k in (1, 2, vocab // 2 + 1, vocab, vocab + 7):
            same_kept(sampling.filter_logits(values, top_k=k), TopKLogitsWarper(k)(ids, values))


@pytest.mark.parametrize(("batch", "vocab"), SHAPES)
@pytest.mark.parametrize("p", [1e-9, 0.13, 0.5, 0.9, 0.999])
def test_top_p(batch: int, vocab: int, p: float) -> None:
    from transformers import TopPLogitsWarper

    sampling = load_reference("decoding/sampling")
    logits, ids = inputs(batch, vocab)
    same_kept(sampling.filter_logits(logits, top_p=p), TopPLogitsWarper(p)(ids, logits))


@pytest.mark.parametrize(("batch", "vocab"), SHAPES)
@pytest.mark.parametrize("p", [0.0, 0.02, 0.3, 1.0])
def test_min_p(batch: int, vocab: int, p: float) -> None:
    from transformers import MinPLogitsWarper

    sampling = load_reference("decoding/sampling")
    logits, ids = inputs(batch, vocab)
    same_kept(sampling.filter_logits(logits, min_p=p), MinPLogitsWarper(p)(ids, logits))


@functools.cache
def tiny_gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=4, n_head=1, vocab_size=7, n_positions=16))


CHAINS: list[dict[str, Any]] = [
    {"temperature": 0.7},
    {"temperature": 1.8, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.4},
    {"temperature": 0.6, "top_p": 0.8, "repetition_penalty": 0.8},
    {"top_k": 3, "min_p": 0.3},
]


@pytest.mark.parametrize(("batch", "vocab"), SHAPES)
@pytest.mark.parametrize("options", CHAINS)
@pytest.mark.filterwarnings(
    "ignore:Passing `repetition_penalty`:UserWarning"
)  # the ids are given with the logits
def test_chain(batch: int, vocab: int, options: dict[str, Any]) -> None:
    """The list that `generate` builds for these options, in its own order."""
    from transformers import GenerationConfig

    sampling = load_reference("decoding/sampling")
    logits, ids = inputs(batch, vocab)
    config = GenerationConfig(do_sample=True, **{"top_k": 0, **options})
    processors = tiny_gpt2()._get_logits_processor(config)
    assert len(processors) == len(options)
    expected = processors(ids, logits).softmax(dim=-1)
    actual = sampling.next_token_probabilities(logits, ids, **options)
    assert torch.equal(actual > 0, expected > 0)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize(("batch", "vocab"), SHAPES)
def test_temperature_zero(batch: int, vocab: int) -> None:
    sampling = load_reference("decoding/sampling")
    logits, ids = inputs(batch, vocab)
    ties = logits.round()
    actual = sampling.next_token_probabilities(ties, ids, 0.0)
    for row, chances in zip(ties.tolist(), actual.tolist(), strict=True):
        assert chances == [float(token == row.index(max(row))) for token in range(vocab)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("vocab", [2, 7, 501])
def test_inverse_cdf(vocab: int, dtype: torch.dtype) -> None:
    sampling = load_reference("decoding/sampling")
    logits, _ = inputs(200, vocab, dtype)
    logits[torch.rand(200, vocab) < 0.3] = -math.inf
    logits[:, 1] = 0.0
    probabilities, draws = logits.softmax(dim=-1), given_draws(200).to(dtype)
    cdf = probabilities.cumsum(dim=-1)
    away_from_borders = (cdf - draws[:, None]).abs().amin(dim=-1) > 1e-6
    expected = torch.searchsorted(cdf, draws[:, None], right=True).squeeze(1)
    actual = sampling.sample(probabilities, draws)
    assert torch.equal(actual[away_from_borders], expected[away_from_borders])
    assert away_from_borders.sum() > 190
    assert (probabilities.gather(1, actual[:, None]) > 0).all()


def test_intervals() -> None:
    """Every draw of a fine grid, against a list of the pieces."""
    sampling = load_reference("decoding/sampling")
    pieces = [0, 5, 1, 0, 7, 3, 0]
    owners = [token for token, size in enumerate(pieces) for _ in range(size)]
    probabilities = torch.tensor(pieces, dtype=torch.float64).expand(64, -1) / 16
    actual = sampling.sample(probabilities, torch.arange(64, dtype=torch.float64) / 64)
    assert actual.tolist() == [owner for owner in owners for _ in range(4)]
