"""As solved from the skeleton alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

SYMBOLS = "0123456789+="  # a token is the place of its symbol
SIZES = {
    "vocab_size": 12,
    "block_size": 6,
    "num_layers": 1,
    "num_heads": 2,
    "d_model": 32,
}  # of the trained GPT


def encode(text: str) -> list[int]:
    return [SYMBOLS.index(symbol) for symbol in text]


def decode(ids: Tensor) -> str:
    return "".join(SYMBOLS[token] for token in ids.tolist())


def success(model: nn.Module, prompts: Tensor, truths: Sequence[str]) -> float:
    right = torch.tensor([encode(truth.zfill(2)) for truth in truths])
    first = model(prompts)[:, -1].softmax(-1).gather(1, right[:, :1])
    second = model(torch.cat([prompts, right[:, :1]], dim=1))[:, -1].softmax(-1).gather(1, right[:, 1:])
    return (first * second).mean().item()


def roll_out(parts: Any, model: nn.Module, prompts: Tensor, draws: Tensor) -> Tensor:
    ids = prompts.repeat_interleave(draws.shape[1], dim=0)
    with torch.no_grad():
        for column in draws.flatten(0, 1).unbind(1):
            logits = model(ids)[:, -1]
            probabilities = parts.sampling.next_token_probabilities(logits, ids)
            token = parts.sampling.sample(probabilities, column)
            ids = torch.cat([ids, token[:, None]], dim=1)
    return ids


def score(parts: Any, ids: Tensor, prompt_length: int, truths: Sequence[str]) -> tuple[Tensor, Tensor]:
    group = ids.shape[0] // len(truths)
    rewards = torch.zeros(len(truths), group)
    for i, row in enumerate(ids):
        answer = decode(row[prompt_length:])
        truth = truths[i // group]
        right = answer.isdigit() and parts.verifiable_rewards.same_answer(answer, truth)
        rewards[i // group, i % group] = float(right)
    return rewards, parts.grpo.group_advantages(rewards).reshape(-1, 1)


def learn(
    parts: Any,
    model: nn.Module,
    optimizer: Any,
    ids: Tensor,
    prompt_length: int,
    advantages: Tensor,
    num_updates: int,
) -> list[float]:
    targets = ids[:, prompt_length:]

    def response_log_probs() -> Tensor:
        logits = model(ids)[:, prompt_length - 1 : -1]
        return logits.log_softmax(-1).gather(2, targets[:, :, None])[:, :, 0]

    mask = torch.ones_like(targets, dtype=torch.bool)
    with torch.no_grad():
        old = response_log_probs()
    losses = []
    for _ in range(num_updates):
        optimizer.zero_grad()
        per_token = parts.grpo.token_losses(response_log_probs(), old, old, advantages, beta=0.0)
        loss = parts.grpo.response_mean(per_token, mask)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def reinforce(
    parts: Any,
    model: nn.Module,
    optimizer: Any,
    prompts: Tensor,
    truths: Sequence[str],
    picks: Tensor,
    draws: Tensor,
    num_updates: int,
) -> list[float]:
    shares = []
    for chosen, step_draws in zip(picks, draws, strict=False):
        ids = roll_out(parts, model, prompts[chosen], step_draws)
        rewards, advantages = score(parts, ids, prompts.shape[1], [truths[i] for i in chosen.tolist()])
        shares.append(rewards.mean().item())
        learn(parts, model, optimizer, ids, prompts.shape[1], advantages, num_updates)
    return shares
