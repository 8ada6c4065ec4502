"""A group at a time where it can be; log-probabilities [B, T] with an empty first place, as some libraries have them."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SYMBOLS = "0123456789+="


@torch.inference_mode()
def roll_group(parts: Any, model: Any, prompt: Tensor, draws: Tensor) -> Tensor:
    rows = prompt.expand(len(draws), -1)
    for n in range(draws.shape[1]):
        probabilities = parts.sampling.next_token_probabilities(model(rows)[:, -1, :], rows, temperature=1.0)
        rows = torch.hstack([rows, parts.sampling.sample(probabilities, draws[:, n]).unsqueeze(1)])
    return rows


def roll_out(parts: Any, model: Any, prompts: Tensor, draws: Tensor) -> Tensor:
    groups = [roll_group(parts, model, prompt, draw) for prompt, draw in zip(prompts, draws, strict=True)]
    return torch.cat(groups).clone()


def earns(parts: Any, response: Tensor, truth: str) -> float:
    if (response >= 10).any():
        return 0.0
    text = "".join(str(digit) for digit in response.tolist())
    return parts.verifiable_rewards.answer_reward(f"#### {text}", truth)


def score(parts: Any, ids: Tensor, prompt_length: int, truths: list[str]) -> tuple[Tensor, Tensor]:
    groups = ids[:, prompt_length:].chunk(len(truths))
    rewards = torch.tensor(
        [
            [earns(parts, response, truth) for response in group]
            for group, truth in zip(groups, truths, strict=True)
        ]
    )
    return rewards, parts.grpo.group_advantages(rewards).flatten().unsqueeze(1)


@dataclass
class Rollouts:
    """Rows, with what is the response in them."""

    ids: Tensor
    mask: Tensor

    def log_probs(self, model: Any) -> Tensor:
        losses = F.cross_entropy(model(self.ids[:, :-1]).transpose(1, 2), self.ids[:, 1:], reduction="none")
        return F.pad(-losses, (1, 0))


def learn(
    parts: Any,
    model: Any,
    optimizer: Any,
    ids: Tensor,
    prompt_length: int,
    advantages: Tensor,
    num_updates: int,
) -> list[float]:
    mask = torch.zeros(ids.shape, dtype=torch.bool)
    mask[:, prompt_length:] = True
    rollouts = Rollouts(ids.clone(), mask)
    with torch.no_grad():
        old = rollouts.log_probs(model)
    losses = []
    while len(losses) < num_updates:
        losses_by_token = parts.grpo.token_losses(
            rollouts.log_probs(model), old, old, advantages, clip=0.2, beta=0.0
        )
        loss = parts.grpo.response_mean(losses_by_token, rollouts.mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def reinforce(
    parts: Any,
    model: Any,
    optimizer: Any,
    prompts: Tensor,
    truths: list[str],
    picks: Tensor,
    draws: Tensor,
    num_updates: int,
) -> list[float]:
    def step(chosen: Tensor, draw: Tensor) -> float:
        ids = roll_out(parts, model, prompts[chosen], draw)
        rewards, advantages = score(parts, ids, prompts.shape[1], [truths[i] for i in chosen])
        learn(parts, model, optimizer, ids, prompts.shape[1], advantages, num_updates)
        return rewards.mean().item()

    return [step(chosen, draw) for chosen, draw in zip(picks, draws, strict=True)]
