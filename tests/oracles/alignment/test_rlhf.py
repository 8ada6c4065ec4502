"""The RLHF reference against loops over single responses without padding, and against exact gradients by enumeration."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autograder.testing import four_models, load_reference

TEMPERATURE = 0.6


def one_by_one(model: nn.Module, tokens: list[int], prompt_length: int) -> list[Tensor]:
    """What a model says at its last position, of each prefix that ends before a response token."""
    return [model(torch.tensor([tokens[:place]]))[0, -1] for place in range(prompt_length, len(tokens))]


def log_probs(model: nn.Module, tokens: list[int], prompt_length: int, temperature: float) -> list[Tensor]:
    said = one_by_one(model, tokens, prompt_length)
    return [
        torch.log(torch.exp(logits[token] / temperature) / torch.exp(logits / temperature).sum())
        for logits, token in zip(said, tokens[prompt_length:], strict=True)
    ]


def padded(responses: list[list[int]], prompt_length: int) -> tuple[Tensor, Tensor]:
    """Ids and mask; the padding is token 1, which is a token like any other."""
    width = max(map(len, responses))
    ids = torch.tensor([tokens + [1] * (width - len(tokens)) for tokens in responses])
    lengths = torch.tensor([len(tokens) - prompt_length for tokens in responses])
    return ids, torch.arange(width - prompt_length) < lengths[:, None]


def random_responses(prompt_length: int, lengths: list[int], vocab: int) -> list[list[int]]:
    return [torch.randint(vocab, (prompt_length + length,)).tolist() for length in lengths]


@pytest.mark.parametrize(
    ("prompt_length", "lengths", "gamma", "lam", "beta"),
    [(1, [2], 1.0, 1.0, 0.1), (3, [1, 4, 2], 0.9, 0.6, 0.5), (2, [6, 1, 1, 3], 1.0, 0.95, 0.0)],
)
def test_collect_against_loops(
    prompt_length: int, lengths: list[int], gamma: float, lam: float, beta: float
) -> None:
    rlhf = load_reference("alignment/rlhf")
    torch.manual_seed(len(lengths))
    models = four_models(vocab_size=5, dropout=0.4, seed=3)
    responses = random_responses(prompt_length, lengths, 5)
    found = rlhf.collect(
        *models, *padded(responses, prompt_length), prompt_length, TEMPERATURE, beta, gamma, lam
    )
    assert not any(column.requires_grad for column in found.values())
    raw = []
    for row, tokens in enumerate(responses):
        policy, anchor = (
            np.array([each.item() for each in log_probs(model, tokens, prompt_length, TEMPERATURE)])
            for model in (models.actor, models.reference)
        )
        values = np.array([value.item() for value in one_by_one(models.critic, tokens, prompt_length)])
        rewards = -beta * (policy - anchor)
        rewards[-1] += models.reward_model(torch.tensor([tokens]))[0, -1, 0].item()
        errors = rewards + gamma * np.append(values[1:], 0.0) - values
        advantages = [
            sum((gamma * lam) ** k * error for k, error in enumerate(errors[t:])) for t in range(len(errors))
        ]
        raw += advantages
        for name, column in (("log_probs", policy), ("values", values), ("returns", advantages + values)):
            np.testing.assert_allclose(found[name][row, : lengths[row]], column, rtol=1e-10, atol=1e-12)
    white = (np.array(raw) - np.mean(raw)) / np.sqrt(np.var(raw, ddof=1) + 1e-8)
    _, mask = padded(responses, prompt_length)
    np.testing.assert_allclose(found["advantages"][mask], white, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("value_coef", "clip_range"), [(0.1, 0.2), (0.7, 0.05)])
def test_step_against_loops(value_coef: float, clip_range: float) -> None:
    rlhf = load_reference("alignment/rlhf")
    torch.manual_seed(0)
    prompt_length, lengths = 2, [3, 1, 4]
    responses = random_responses(prompt_length, lengths, 5)
    ids, mask = padded(responses, prompt_length)
    models = four_models(vocab_size=5, dropout=0.4)
    experience = rlhf.collect(*models, ids, mask, prompt_length, TEMPERATURE, 0.2, 1.0, 0.9)
    frozen = [copy.deepcopy(model.state_dict()) for model in (models.reward_model, models.reference)]
    twin = four_models(vocab_size=5)
    mine = torch.optim.Adam([*twin.actor.parameters(), *twin.critic.parameters()], lr=0.1)
    expected = []
    for _ in range(2):
        total = torch.tensor(0.0, dtype=torch.float64)
        for row, tokens in enumerate(responses):
            said = zip(
                log_probs(twin.actor, tokens, prompt_length, TEMPERATURE),
                one_by_one(twin.critic, tokens, prompt_length),
                strict=True,
            )
            for t, (log_prob, value) in enumerate(said):
                old, old_value, advantage, target = (
                    experience[name][row, t].item()
                    for name in ("log_probs", "values", "advantages", "returns")
                )
                ratio = torch.exp(log_prob - old)
                gain = min(ratio * advantage, ratio.clamp(1 - clip_range, 1 + clip_range) * advantage)
                held = value.clamp(old_value - clip_range, old_value + clip_range)
                error = max((value[0] - target) ** 2, (held[0] - target) ** 2)
                total = total + (value_coef * error / 2 - gain) / sum(lengths)
        mine.zero_grad()
        total.backward()
        mine.step()
        expected.append(total.item())
    optimizer = torch.optim.Adam([*models.actor.parameters(), *models.critic.parameters()], lr=0.1)
    found = rlhf.ppo_step(
        models.actor,
        models.critic,
        optimizer,
        ids,
        mask,
        prompt_length,
        TEMPERATURE,
        experience,
        clip_range,
        value_coef,
        2,
    )
    assert found == pytest.approx(expected)
    for theirs, ours in ((models.actor, twin.actor), (models.critic, twin.critic)):
        torch.testing.assert_close(theirs.state_dict(), ours.state_dict())
    for model, before in zip((models.reward_model, models.reference), frozen, strict=True):
        torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
        assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_exact_gradient_by_enumeration(beta: float) -> None:
    """Two tokens, of which 0 ends a response: over all of them, unwhitened advantages give the gradient of the objective.

    The objective is Ouyang et al. 2022, equation 2, without the pre-training term; the critic is any function of the state.
    """
    rlhf = load_reference("alignment/rlhf")
    prompt = [1, 0]
    responses = [prompt + rest for rest in ([0], [1, 0], [1, 1, 0], [1, 1, 1])]
    ids, mask = padded(responses, 2)
    models = four_models(vocab_size=2, seed=2)
    parameters = list(models.actor.parameters())

    said = [torch.stack(log_probs(models.actor, tokens, 2, 1.0)).sum() for tokens in responses]
    anchor = [torch.stack(log_probs(models.reference, tokens, 2, 1.0)).sum().item() for tokens in responses]
    score = [models.reward_model(torch.tensor([tokens]))[0, -1, 0].item() for tokens in responses]
    assert sum(each.exp().item() for each in said) == pytest.approx(1)
    objective = sum(log.exp() * (s - beta * (log - a)) for log, a, s in zip(said, anchor, score, strict=True))
    exact = torch.autograd.grad(objective, parameters)

    experience = rlhf.collect(*models, ids, mask, 2, 1.0, beta, 1.0, 1.0)
    advantages = experience["returns"] - experience["values"]
    logits = rlhf.response_outputs(models.actor(ids), 2)
    losses = rlhf.policy_losses(
        rlhf.log_probs_of(logits, ids[:, 2:]), experience["log_probs"], advantages, 0.2
    )
    share = torch.stack(said).exp().detach()
    found = torch.autograd.grad(-(share * (losses * mask).sum(dim=1)).sum(), parameters)
    for ours, theirs in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, theirs)
