"""The reference against exact enumeration, loops over single responses, and closed forms."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from autograder.testing import load_reference, masked_responses


def policies(vocab: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Next-token log-probabilities that depend on the token before: [2, V + 1, V], the last row is the start's."""
    generator = torch.Generator().manual_seed(vocab + length)
    logits = torch.randn(2, vocab + 1, vocab, generator=generator, dtype=torch.float64)
    policy, reference = logits.log_softmax(dim=-1)
    return policy, reference


def enumerated(vocab: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities [V ** T, T] of the tokens of every response under policy and reference."""
    responses = torch.tensor(list(itertools.product(range(vocab), repeat=length)))
    before = torch.cat([torch.full((len(responses), 1), vocab), responses[:, :-1]], dim=1)
    policy, reference = policies(vocab, length)
    return policy[before, responses], reference[before, responses]


@pytest.mark.parametrize(("vocab", "length"), [(3, 4), (2, 7), (5, 1)])
def test_the_return_is_score_minus_beta_kl(vocab: int, length: int) -> None:
    """Ziegler et al. 2019, equation 2: the expected sum of rewards is the expected score minus beta times the KL."""
    reference = load_reference("alignment/rlhf_rewards")
    logps, ref_logps = enumerated(vocab, length)
    scores = torch.randn(len(logps), dtype=torch.float64)
    rewards = reference.token_rewards(scores, logps, ref_logps, torch.ones_like(logps).long(), 0.3)
    weights = logps.sum(dim=1).exp()
    assert weights.sum().item() == pytest.approx(1.0)
    exact = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=logps.sum(dim=1)),
        torch.distributions.Categorical(logits=ref_logps.sum(dim=1)),
    )
    torch.testing.assert_close((weights * rewards.sum(dim=1)).sum(), (weights * scores).sum() - 0.3 * exact)
    k1, _, _ = reference.kl_estimates(logps, ref_logps)
    torch.testing.assert_close((weights * k1.sum(dim=1)).sum(), exact)


@pytest.mark.parametrize("vocab", [2, 7, 50])
def test_estimates_by_enumeration(vocab: int) -> None:
    reference = load_reference("alignment/rlhf_rewards")
    logps, ref_logps = policies(vocab, 1)
    k1, k2, k3 = reference.kl_estimates(logps, ref_logps)
    exact = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=logps), torch.distributions.Categorical(logits=ref_logps)
    )
    torch.testing.assert_close((logps.exp() * k1).sum(dim=1), exact)
    torch.testing.assert_close((logps.exp() * k3).sum(dim=1), exact)
    assert (k3 >= 0).all() and (k2 >= 0).all()
    # k2's mean agrees to second order: a tenth of the distance leaves about a thousandth of the difference.
    near = (0.9 * logps + 0.1 * ref_logps).log_softmax(dim=-1)
    closer = (0.99 * logps + 0.01 * ref_logps).log_softmax(dim=-1)
    gaps = []
    for other in (near, closer):
        _, estimate, third = reference.kl_estimates(logps, other)
        gaps.append((logps.exp() * (estimate - third)).sum(dim=1).abs().mean())
    assert gaps[1] < gaps[0] / 300


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_rewards_by_loops(side: str) -> None:
    reference = load_reference("alignment/rlhf_rewards")
    mask = masked_responses((2, 5, 1), (3, 1, 6), side).response_mask
    logps, ref_logps = torch.randn(2, *mask.shape)
    scores = torch.randn(3)
    expected = torch.zeros(mask.shape)
    for row in range(3):
        columns = [column for column in range(mask.shape[1]) if mask[row, column]]
        for column in columns:
            expected[row, column] = -0.2 * (logps[row, column] - ref_logps[row, column])
        expected[row, columns[-1]] += scores[row]
    torch.testing.assert_close(reference.token_rewards(scores, logps, ref_logps, mask, 0.2), expected)


@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_whitening_of_the_values_alone(shift: bool, seed: int) -> None:
    reference = load_reference("alignment/rlhf_rewards")
    torch.manual_seed(seed)
    values, mask = 4 * torch.randn(5, 7, dtype=torch.float64) + 2, torch.randint(2, (5, 7))
    counted = values[mask == 1]
    mean = sum(counted) / len(counted)
    variance = sum((x - mean) ** 2 for x in counted) / (len(counted) - 1)
    expected = torch.zeros_like(values)
    expected[mask == 1] = (counted - mean) / (variance + 1e-8).sqrt() + (0 if shift else mean)
    torch.testing.assert_close(reference.masked_whiten(values, mask, shift), expected)


def test_controller_in_closed_form() -> None:
    """With the KL divergence always far above the target, beta grows by the same factor after each batch."""
    reference = load_reference("alignment/rlhf_rewards")
    beta = 0.05
    for _ in range(20):
        beta = reference.next_beta(beta, 50.0, 6.0, 256, 10_000)
    assert beta == pytest.approx(0.05 * (1 + 0.2 * 0.0256) ** 20)
    for kl in (5.1, 6.0, 6.6):
        expected = 0.05 * math.fsum([1, (kl - 6.0) / 6.0 * 0.0256])
        assert reference.next_beta(0.05, kl, 6.0, 256, 10_000) == pytest.approx(expected)
