import torch
from torch import Tensor, nn


def log_probs_of(logits: Tensor, tokens: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1).gather(-1, tokens[..., None]).squeeze(-1)


def token_rewards(
    log_probs: Tensor, reference_log_probs: Tensor, scores: Tensor, mask: Tensor, beta: float
) -> Tensor:
    last = mask & (mask.cumsum(dim=-1) == mask.sum(dim=-1, keepdim=True))
    return -beta * (log_probs - reference_log_probs) + last * scores[:, None]


def masked_whiten(x: Tensor, mask: Tensor) -> Tensor:
    real = x[mask]
    return torch.where(mask, (x - real.mean()) / (real.var() + 1e-8).sqrt(), 0.0)


def policy_losses(log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    ratio = torch.exp(log_probs - old_log_probs)
    return -torch.min(ratio * advantages, ratio.clamp(1 - clip_range, 1 + clip_range) * advantages)


def value_losses(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.max((values - returns).square(), (clipped - returns).square())


def response_outputs(outputs: Tensor, prompt_length: int) -> Tensor:
    return outputs[:, prompt_length:]


def response_advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    values = torch.where(mask, values, 0.0)
    following_value = following_advantage = torch.zeros_like(values[:, 0])
    advantages = []
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        following_advantage = torch.where(mask[:, t], delta + gamma * lam * following_advantage, 0.0)
        following_value = values[:, t]
        advantages.append(following_advantage)
    return torch.stack(advantages[::-1], dim=1)


def collect(
    actor: nn.Module,
    critic: nn.Module,
    reward_model: nn.Module,
    reference: nn.Module,
    ids: Tensor,
    mask: Tensor,
    prompt_length: int,
    temperature: float,
    beta: float,
    gamma: float,
    lam: float,
) -> dict[str, Tensor]:
    tokens = ids[:, prompt_length:]
    for model in (actor, critic, reward_model, reference):
        model.eval()
    with torch.no_grad():
        log_probs = log_probs_of(response_outputs(actor(ids), prompt_length) / temperature, tokens)
        reference_logits = response_outputs(reference(ids), prompt_length)
        reference_log_probs = log_probs_of(reference_logits / temperature, tokens)
        values = response_outputs(critic(ids), prompt_length).squeeze(-1)
        last = prompt_length - 1 + mask.sum(dim=1)
        scores = reward_model(ids).squeeze(-1)[torch.arange(len(ids)), last]
        rewards = token_rewards(log_probs, reference_log_probs, scores, mask, beta)
        advantages = response_advantages(rewards, values, mask, gamma, lam)
    return {
        "log_probs": log_probs,
        "values": values,
        "returns": advantages + values,
        "advantages": masked_whiten(advantages, mask),
    }


def ppo_step(
    actor: nn.Module,
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    ids: Tensor,
    mask: Tensor,
    prompt_length: int,
    temperature: float,
    experience: dict[str, Tensor],
    clip_range: float,
    value_coef: float,
    epochs: int,
) -> list[float]:
    actor.eval()
    critic.eval()
    epoch_losses = []
    for _ in range(epochs):
        logits = response_outputs(actor(ids), prompt_length) / temperature
        log_probs = log_probs_of(logits, ids[:, prompt_length:])
        values = response_outputs(critic(ids), prompt_length).squeeze(-1)
        policy = policy_losses(log_probs, experience["log_probs"], experience["advantages"], clip_range)
        value = value_losses(values, experience["values"], experience["returns"], clip_range)
        loss = policy[mask].mean() + value_coef * value[mask].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_losses.append(loss.item())
    return epoch_losses
    # END SOLUTION
