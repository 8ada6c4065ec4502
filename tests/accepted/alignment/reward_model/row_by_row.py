"""One row, one pair and one prompt at a time."""

import itertools
import math

import torch


def sequence_rewards(hidden, head, ids, attention_mask, pad_id):
    rewards = []
    for states, row in zip(hidden, attention_mask.tolist(), strict=True):
        if 1 not in row:
            raise ValueError("nothing but padding")
        last = len(row) - 1 - row[::-1].index(1)
        rewards.append((states[last] * head).sum())
    return torch.stack(rewards)


def pairwise_loss(chosen, rejected):
    losses, right = [], 0
    for winner, loser in zip(chosen, rejected, strict=True):
        losses.append(negative_log_probability(winner, loser))
        right += int(winner.item() > loser.item())
    accuracy = torch.tensor(right / len(losses), dtype=chosen.dtype)
    return sum(losses) / len(losses), accuracy


def negative_log_probability(winner, loser):
    return torch.nn.functional.softplus(loser - winner)


def ranking_loss(rewards, counts):
    queue = list(rewards)
    total = 0.0
    for count in counts:
        answers, queue = queue[:count], queue[count:]
        losses = [negative_log_probability(a, b) for a, b in itertools.combinations(answers, 2)]
        total = total + sum(losses) / math.comb(count, 2)
    return total / len(counts)
