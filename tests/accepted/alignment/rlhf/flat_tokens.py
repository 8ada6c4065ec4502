"""Padding is dropped early: what is trained on are the real tokens of the batch in one row."""

import torch
from torch.nn import functional


def response_outputs(outputs, prompt_length):
    return torch.stack(outputs.unbind(1)[prompt_length - 1 : -1], dim=1)


def response_advantages(rewards, values, mask, gamma, lam):
    real = mask.to(rewards.dtype)
    goes_on = functional.pad(real[:, 1:], (0, 1))
    values = functional.pad(values * real, (0, 1))
    errors = (rewards + gamma * values[:, 1:] - values[:, :-1]) * real
    advantages = errors.clone()
    for t in range(rewards.shape[1] - 2, -1, -1):
        advantages[:, t] = errors[:, t] + gamma * lam * goes_on[:, t] * advantages[:, t + 1].clone()
    return advantages


def tokens_said(model, ids, mask, prompt_length, temperature):
    """The log-probability of each real token, in one row."""
    logits = response_outputs(model(ids), prompt_length)[mask] / temperature
    return -functional.cross_entropy(logits, ids[:, prompt_length:][mask], reduction="none")


@torch.no_grad()
def collect(actor, critic, reward_model, reference, ids, mask, prompt_length, temperature, beta, gamma, lam):
    [model.eval() for model in (actor, critic, reward_model, reference)]
    log_probs, penalty = torch.zeros(2, *mask.shape, dtype=critic(ids).dtype)
    log_probs[mask] = tokens_said(actor, ids, mask, prompt_length, temperature)
    penalty[mask] = beta * (log_probs[mask] - tokens_said(reference, ids, mask, prompt_length, temperature))
    rewards = -penalty
    for row, length in enumerate(mask.sum(dim=1)):
        rewards[row, length - 1] += reward_model(ids[row : row + 1])[0, prompt_length + length - 1, 0]
    values = response_outputs(critic(ids), prompt_length).sum(-1)
    advantages = response_advantages(rewards, values, mask, gamma, lam)
    spread, mean = torch.var_mean(advantages[mask])
    whitened = torch.full_like(advantages, float("nan"))
    whitened[mask] = (advantages[mask] - mean) / (spread + 1e-8) ** 0.5
    advantages, returns = whitened, values + advantages
    return {"log_probs": log_probs, "values": values, "advantages": advantages, "returns": returns}


def ppo_step(
    actor,
    critic,
    optimizer,
    ids,
    mask,
    prompt_length,
    temperature,
    experience,
    clip_range,
    value_coef,
    epochs,
):
    for model in (actor, critic):
        model.eval()
    old, old_values, advantages, returns = (
        experience[name][mask] for name in ("log_probs", "values", "advantages", "returns")
    )
    up = advantages > 0
    losses = []
    for _ in range(epochs):
        ratio = (tokens_said(actor, ids, mask, prompt_length, temperature) - old).exp()
        ratio = torch.where(up, ratio.clamp(max=1 + clip_range), ratio.clamp(min=1 - clip_range))
        values = response_outputs(critic(ids), prompt_length)[mask].squeeze(1)
        held = old_values + (values - old_values).clamp(-clip_range, clip_range)
        worse = torch.stack([values, held]).sub(returns).square().amax(dim=0)
        loss = (value_coef * worse / 2 - ratio * advantages).mean()
        actor.zero_grad()
        critic.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
