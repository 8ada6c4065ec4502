"""Without a loop: a matrix of discounts for the returns, absorbing arrays, an inverse, and a rank for the error."""

import torch


def discounted_returns(rewards, ends, discount):
    step = torch.arange(len(rewards))
    episode = ends.cumsum(0) - ends.int()
    apart = step[None, :] - step[:, None]
    counts = (apart >= 0) & (episode[None, :] == episode[:, None])
    return torch.where(counts, torch.tensor(discount) ** apart.clamp(min=0), 0.0).to(rewards.dtype) @ rewards


def absorbing(transitions, rewards, terminal):
    """The same game with terminal states that stay where they are and pay nothing."""
    stay = torch.eye(len(terminal), dtype=transitions.dtype)[:, None, :].expand_as(transitions)
    over = terminal[:, None, None]
    return torch.where(over, stay, transitions), torch.where(over, torch.zeros_like(rewards), rewards)


def evaluate_policy(transitions, rewards, terminal, policy, discount):
    transitions, rewards = absorbing(transitions, rewards, terminal)
    chain = torch.einsum("sa,sat->st", policy, transitions)
    mean_reward = torch.einsum("sa,sat,sat->s", policy, transitions, rewards)
    among = chain[~terminal][:, ~terminal]
    system = torch.eye(len(among), dtype=chain.dtype) - discount * among
    if discount == 1 and torch.linalg.matrix_rank(system) < len(system):
        raise ValueError("no unique solution: the policy doesn't always come to an end")
    values = torch.zeros_like(mean_reward)
    values[~terminal] = torch.linalg.inv(system) @ mean_reward[~terminal]
    return chain, values, torch.einsum("sat,sat->sa", transitions, rewards + discount * values)


def bellman_operator(values, transitions, rewards, terminal, discount, policy=None):
    transitions, rewards = absorbing(transitions, rewards, terminal)
    values = torch.where(terminal, torch.zeros_like(values), values)
    action_values = torch.einsum("sat,sat->sa", transitions, rewards + discount * values)
    if policy is None:
        new, _ = action_values.max(dim=1)
    else:
        new = torch.einsum("sa,sa->s", policy, action_values)
    return new, torch.dist(new, values, p=float("inf")) * discount / (1 - discount)
