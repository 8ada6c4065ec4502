import torch
from torch import Tensor


def n_step_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    n: int,
) -> Tensor:
    bootstrap = next_values.masked_fill(terminated | truncated, 0.0)
    done = terminated | truncated
    advantages = []
    for start in range(len(rewards)):
        total, weight = -values[start], 1.0
        for t in range(start, min(start + n, len(rewards))):
            total = total + weight * rewards[t]
            weight *= discount
            if done[t]:
                break
        advantages.append(total + weight * bootstrap[t])
    return torch.stack(advantages)


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    trace_decay: float,
) -> tuple[Tensor, Tensor]:
    errors = rewards + discount * next_values.masked_fill(terminated | truncated, 0.0) - values
    done = terminated | truncated
    advantages, following = torch.zeros_like(errors), 0.0
    for t in reversed(range(len(errors))):
        following = errors[t] if done[t] else errors[t] + discount * trace_decay * following
        advantages[t] = following
    return advantages, advantages + values


def actor_critic_loss(
    logits: Tensor,
    actions: Tensor,
    values: Tensor,
    advantages: Tensor,
    targets: Tensor,
    value_coefficient: float,
    entropy_coefficient: float,
) -> Tensor:
    logps = logits.log_softmax(dim=-1)
    taken = logps.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    entropy = -(logps.exp() * logps).sum(dim=-1)
    policy_loss = -(taken * advantages.detach()).mean()
    value_loss = (values - targets.detach()).square().mean()
    return policy_loss + value_coefficient * value_loss - entropy_coefficient * entropy.mean()
    # END SOLUTION
