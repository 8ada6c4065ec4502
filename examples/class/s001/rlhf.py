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
    ratio = (log_probs - old_log_probs).exp()
    return -torch.min(ratio * advantages, ratio.clamp(1 - clip_range, 1 + clip_range) * advantages)


def value_losses(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.max((values - returns).square(), (clipped - returns).square())


def response_outputs(outputs: Tensor, prompt_length: int) -> Tensor:
    response_length = outputs.shape[1] - prompt_length
    return outputs.narrow(1, prompt_length - 1, response_length)


def response_advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    # Nothing at padding may leak in, not even a NaN.
    rewards = rewards.masked_fill(~mask, 0.0)
    values = values.masked_fill(~mask, 0.0)
    columns: list[Tensor] = []
    next_value = next_advantage = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        next_advantage = (delta + gamma * lam * next_advantage).masked_fill(~mask[:, t], 0.0)
        next_value = values[:, t]
        columns.append(next_advantage)
    return torch.stack(columns[::-1], dim=1)


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
    for model in (actor, critic, reward_model, reference):
        model.eval()
    # Models are causal, so a harmless token at padding changes nothing that is used.
    response = ids[:, prompt_length:].masked_fill(~mask, 0)
    ids = torch.cat([ids[:, :prompt_length], response], dim=1)
    with torch.no_grad():
        logps = []
        for model in (actor, reference):
            logits = response_outputs(model(ids), prompt_length)
            logps.append(log_probs_of(logits / temperature, response).masked_fill(~mask, 0.0))
        log_probs, reference_log_probs = logps
        values = response_outputs(critic(ids), prompt_length).squeeze(-1).masked_fill(~mask, 0.0)
        last = prompt_length + mask.sum(dim=-1) - 1
        scores = reward_model(ids).squeeze(-1).gather(1, last[:, None]).squeeze(1)
        rewards = token_rewards(log_probs, reference_log_probs, scores, mask, beta)
        advantages = response_advantages(rewards, values, mask, gamma, lam)
        returns = advantages + values
        whitened = masked_whiten(advantages, mask)
    return {"log_probs": log_probs, "values": values, "advantages": whitened, "returns": returns}


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
    response = ids[:, prompt_length:].masked_fill(~mask, 0)
    ids = torch.cat([ids[:, :prompt_length], response], dim=1)
    tokens = response[mask]
    # From here on everything is a flat list of the real tokens of the batch.
    old = {name: tensor[mask].detach() for name, tensor in experience.items()}
    losses: list[float] = []
    for _ in range(epochs):
        optimizer.zero_grad()
        logits = response_outputs(actor(ids), prompt_length)[mask]
        log_probs = log_probs_of(logits / temperature, tokens)
        values = response_outputs(critic(ids), prompt_length)[mask].squeeze(-1)
        policy_loss = policy_losses(log_probs, old["log_probs"], old["advantages"], clip_range).mean()
        value_loss = value_losses(values, old["values"], old["returns"], clip_range).mean()
        loss = policy_loss + value_coef * value_loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
