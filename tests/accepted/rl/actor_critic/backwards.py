"""Into preallocated tensors: the n-step return by n backward shifts, GAE by the recursion of lambda returns."""

import torch


def n_step_advantages(rewards, values, next_values, terminated, truncated, discount, n):
    over = terminated | truncated
    after = torch.where(terminated, torch.zeros_like(next_values), next_values)
    # Returns of windows of one step, then of two, and so on; where an episode or the data ends, one step is all.
    returns = rewards + discount * after
    one_step = returns.clone()
    for _ in range(min(n, len(rewards)) - 1):
        longer = one_step.clone()
        goes_on = ~over[:-1]
        longer[:-1][goes_on] = rewards[:-1][goes_on] + discount * returns[1:][goes_on]
        returns = longer
    return returns - values


def gae(rewards, values, next_values, terminated, truncated, discount, trace_decay):
    targets = torch.zeros_like(values)
    for t in reversed(range(len(rewards))):
        ahead = next_values[t]
        if t + 1 < len(rewards) and not terminated[t] and not truncated[t]:
            ahead = (1 - trace_decay) * next_values[t] + trace_decay * targets[t + 1]
        targets[t] = rewards[t] if terminated[t] else rewards[t] + discount * ahead
    return targets - values, targets


def actor_critic_loss(logits, actions, values, advantages, targets, value_coefficient, entropy_coefficient):
    log_policy = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    rows = torch.arange(len(actions))
    terms = -log_policy[rows, actions] * advantages.detach()
    terms = terms + value_coefficient * (values - targets.detach()) ** 2
    terms = terms + entropy_coefficient * (log_policy.exp() * log_policy).sum(1)
    return terms.mean()
