"""Plain lists, recursion and a ratio: no tensor arithmetic but the models' own."""

from itertools import accumulate


def draw_token(probabilities, draw):
    numbers = list(probabilities)
    last = 0
    for token, end in enumerate(accumulate(float(number) for number in numbers)):
        if float(numbers[token]) > 0:
            last = token
            if draw < end:
                break
    return last


def residual(wanted, guessed):
    left = [max(0.0, p - q) for p, q in zip(wanted, guessed, strict=True)]
    return [share / sum(left) for share in left]


def verify(drafted, draft, target, draws, last_draw):
    if len(drafted) + 1 != target.size(0):
        raise ValueError((len(drafted), target.size(0)))
    return judge(list(drafted), draft.tolist(), target.tolist(), list(draws), last_draw)


def judge(drafted, draft, target, draws, last_draw):
    if not drafted:
        return [draw_token(target[0], last_draw)]
    token, wanted, guessed = drafted[0], target[0], draft[0]
    if draws[0] >= min(1.0, wanted[token] / guessed[token]):
        return [draw_token(residual(wanted, guessed), last_draw)]
    return [token, *judge(drafted[1:], draft[1:], target[1:], draws[1:], last_draw)]


def speculative_round(target_model, draft_model, prefix, draft_draws, draws, last_draw):
    import torch

    drafted, rows = [], []
    for draw in draft_draws:
        rows += [draft_model([*prefix, *drafted])[-1]]
        drafted += [draw_token(rows[-1].tolist(), draw)]
    answers = target_model([*prefix, *drafted])
    return verify(drafted, torch.stack(rows), answers[len(prefix) - 1 :], draws, last_draw)


def expected_tokens(target, draft, gamma):
    alpha = sum(map(min, zip(target.tolist(), draft.tolist(), strict=True)))
    mean = 1.0
    for _ in range(gamma):
        mean = 1 + alpha * mean  # Horner
    return mean
