"""Decisions for all drafted tokens at once; numpy for the draws; the closed form for the mean."""

import numpy as np
import torch


def draw_token(probabilities, draw):
    weights = probabilities.double().numpy()
    (possible,) = np.nonzero(weights)
    place = np.searchsorted(np.cumsum(weights[possible]), draw, side="right")
    return int(possible[min(place, possible.size - 1)])


def verify(drafted, draft, target, draws, last_draw):
    gamma = len(drafted)
    if target.shape[0] != gamma + 1:
        raise ValueError("one row too few or too many")
    index = torch.tensor(drafted)[:, None]
    proposed, wanted = draft.gather(1, index)[:, 0], target[:gamma].gather(1, index)[:, 0]
    passed = torch.tensor(draws, dtype=proposed.dtype) * proposed < wanted
    count = int(passed.long().cumprod(0).sum())
    # Behind the last drafted token the draft has nothing to subtract.
    row = target[count] - (draft[count] if count < gamma else 0)
    row = torch.relu(row)
    return [*drafted[:count], draw_token(row / row.sum(), last_draw)]


def speculative_round(target_model, draft_model, prefix, draft_draws, draws, last_draw):
    gamma, text = len(draft_draws), prefix[:]
    guesses = []
    for guess in range(gamma):
        distribution = draft_model(text)[len(text) - 1]
        guesses.append(distribution)
        text.append(draw_token(distribution, draft_draws[guess]))
    return verify(text[-gamma:], torch.vstack(guesses), target_model(text)[-(gamma + 1) :], draws, last_draw)


def expected_tokens(target, draft, gamma):
    alpha = float(target.double().minimum(draft.double()).sum())
    if abs(1 - alpha) < 1e-9:
        return float(gamma + 1)
    return (1 - alpha ** (gamma + 1)) / (1 - alpha)
