"""State by state, in loops; the non-terminal states are solved for alone."""

import torch


def discounted_returns(rewards, ends, discount):
    returns = torch.zeros_like(rewards)
    for t in range(len(rewards) - 1, -1, -1):
        returns[t] = rewards[t]
        if t + 1 < len(rewards) and not ends[t]:
            returns[t] += discount * returns[t + 1]
    return returns


def evaluate_policy(transitions, rewards, terminal, policy, discount):
    count, actions = policy.shape
    chain, earned = torch.zeros_like(transitions[:, 0]), torch.zeros_like(policy[:, 0])
    for s in range(count):
        if terminal[s]:
            chain[s, s] = 1
            continue
        for a in range(actions):
            chain[s] += policy[s, a] * transitions[s, a]
            earned[s] += policy[s, a] * torch.dot(transitions[s, a], rewards[s, a])

    if discount == 1:
        # Walk backwards from the ends.
        front = terminal.nonzero().flatten().tolist()
        known = set(front)
        while front:
            there = front.pop()
            for s in (chain[:, there] > 0).nonzero().flatten().tolist():
                if s not in known:
                    known.add(s)
                    front.append(s)
        if len(known) < count:
            raise ValueError("some game never ends")

    inside = (~terminal).nonzero().flatten().tolist()
    values = torch.zeros_like(earned)
    among = chain[inside][:, inside]
    system = torch.eye(len(inside), dtype=chain.dtype) - discount * among
    values[inside] = torch.linalg.solve(system, earned[inside])
    action_values = torch.zeros_like(policy)
    for s in inside:
        for a in range(actions):
            action_values[s, a] = torch.dot(transitions[s, a], rewards[s, a] + discount * values)
    return chain, values, action_values


def bellman_operator(values, transitions, rewards, terminal, discount, policy=None):
    new, furthest = torch.zeros_like(values), torch.zeros_like(values[0])
    for s in range(len(values)):
        if terminal[s]:
            continue
        worth = []
        for a in range(transitions.shape[1]):
            total = 0
            for s2 in range(len(values)):
                ahead = 0 if terminal[s2] else discount * values[s2]
                total = total + transitions[s, a, s2] * (rewards[s, a, s2] + ahead)
            worth.append(total)
        worth = torch.stack(worth)
        new[s] = worth.max() if policy is None else worth @ policy[s]
        furthest = torch.maximum(furthest, (new[s] - values[s]).abs())
    return new, furthest * discount / (1 - discount)
