"""State by state, in loops; the non-terminal states are solved for alone, by numpy."""

import numpy as np
import torch


def discounted_returns(rewards, ends, discount):
    returns = torch.zeros_like(rewards)
    for t in range(len(rewards) - 1, -1, -1):
        returns[t] = rewards[t]
        if t + 1 < len(rewards) and not ends[t]:
            returns[t] += discount * returns[t + 1]
    return returns


def evaluate_policy(transitions, rewards, terminal, policy, discount):
    p, r, pi, over = (array.numpy() for array in (transitions, rewards, policy, terminal))
    count, actions = pi.shape
    chain, earned = np.zeros_like(p[:, 0]), np.zeros_like(pi[:, 0])
    for s in range(count):
        if over[s]:
            chain[s, s] = 1
            continue
        for a in range(actions):
            chain[s] += pi[s, a] * p[s, a]
            earned[s] += pi[s, a] * np.dot(p[s, a], r[s, a])

    if discount == 1:
        # Walk backwards from the ends.
        known, front = set(np.flatnonzero(over)), list(np.flatnonzero(over))
        while front:
            there = front.pop()
            for s in np.flatnonzero(chain[:, there] > 0):
                if s not in known:
                    known.add(s)
                    front.append(s)
        if len(known) < count:
            raise ValueError("some game never ends")

    inside = np.flatnonzero(~over)
    values = np.zeros_like(earned)
    among = chain[np.ix_(inside, inside)]
    values[inside] = np.linalg.solve(np.eye(len(inside), dtype=p.dtype) - discount * among, earned[inside])
    action_values = np.zeros_like(pi)
    for s in inside:
        for a in range(actions):
            action_values[s, a] = np.dot(p[s, a], r[s, a] + discount * values)
    return torch.from_numpy(chain), torch.from_numpy(values), torch.from_numpy(action_values)


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
