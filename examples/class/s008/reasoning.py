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
        for draw in draws.flatten(0, 1).unbind(1):
            probabilities = parts.sampling.next_token_probabilities(model(ids)[:, -1], ids)
            ids = torch.cat([ids, parts.sampling.sample(probabilities, draw)[:, None]], dim=1)
    return ids


def score(parts: Any, ids: Tensor, prompt_length: int, truths: Sequence[str]) -> tuple[Tensor, Tensor]:
    group_size = len(ids) // len(truths)
    earned = []
    for row, response in enumerate(ids[:, prompt_length:]):
        text, truth = decode(response), truths[row // group_size]
        earned.append(float(text.isdigit() and text == truth))
    rewards = torch.tensor(earned).reshape(len(truths), group_size)
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
    targets = ids[:, 1:]
    is_response = torch.arange(1, ids.shape[1]).expand_as(targets) >= prompt_length
    sampled_with = None
    before_update = []
    for _ in range(num_updates):
        logits = model(ids)[:, :-1]  # those at place t are for the token at t + 1
        log_probs = logits.log_softmax(-1).gather(2, targets[..., None]).squeeze(2)
        if sampled_with is None:
            sampled_with = log_probs.detach()
        by_token = parts.grpo.token_losses(log_probs, sampled_with, log_probs, advantages, beta=0.0)
        loss = parts.grpo.response_mean(by_token, is_response)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        before_update.append(loss.item())
    return before_update


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
    length = prompts.shape[1]
    shares = []
    for chosen, draw in zip(picks, draws, strict=True):
        ids = roll_out(parts, model, prompts[chosen], draw)
        rewards, advantages = score(parts, ids, length, [truths[problem] for problem in chosen.tolist()])
        learn(parts, model, optimizer, ids, length, advantages, num_updates)
        shares.append(rewards.mean().item())
    return shares
    # END SOLUTION
