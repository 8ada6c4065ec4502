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
    length = rewards.shape[0]
    done = (terminated | truncated).tolist()
    # torch.where, not a product: a value after the end may be anything.
    after = torch.where(terminated, 0.0, next_values)
    out = []
    for t in range(length):
        total = -values[t]
        factor = 1.0
        for k in range(t, min(t + n, length)):
            total = total + factor * rewards[k]
            factor *= discount
            if done[k]:
                break
        out.append(total + factor * after[k])
    return torch.stack(out) if out else rewards.clone()


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    trace_decay: float,
) -> tuple[Tensor, Tensor]:
    after = torch.where(terminated, 0.0, next_values)
    deltas = rewards + discount * after - values
    done = (terminated | truncated).tolist()
    advantages = []
    running = torch.zeros_like(deltas[:1]).sum()
    for t in reversed(range(len(done))):
        running = deltas[t] if done[t] else deltas[t] + discount * trace_decay * running
        advantages.append(running)
    result = torch.stack(advantages[::-1]) if advantages else deltas
    return result, result + values


def actor_critic_loss(
    logits: Tensor,
    actions: Tensor,
    values: Tensor,
    advantages: Tensor,
    targets: Tensor,
    value_coefficient: float,
    entropy_coefficient: float,
) -> Tensor:
    logps = torch.log_softmax(logits, dim=-1)
    chosen = logps.gather(-1, actions[:, None]).squeeze(-1)
    entropy = -(logps.exp() * logps).sum(dim=-1)
    policy_term = -(chosen * advantages.detach()).mean()
    value_term = ((values - targets.detach()) ** 2).mean()
    return policy_term + value_coefficient * value_term - entropy_coefficient * entropy.mean()
