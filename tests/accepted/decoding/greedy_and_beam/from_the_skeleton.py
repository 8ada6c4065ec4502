"""As solved from the skeleton alone."""

from collections.abc import Callable

import torch
from torch import Tensor


def greedy(model: Callable[[Tensor], Tensor], prompt: list[int], eos: int, max_new_tokens: int) -> list[int]:
    ids = list(prompt)
    while len(ids) - len(prompt) < max_new_tokens:
        logits = model(torch.tensor([ids], dtype=torch.int64))
        token = int(logits[0, -1].argmax())
        ids.append(token)
        if token == eos:
            break
    return ids[len(prompt) :]


def beam_search(
    model: Callable[[Tensor], Tensor],
    prompt: list[int],
    eos: int,
    num_beams: int,
    max_new_tokens: int,
    length_penalty: float = 1.0,
) -> list[tuple[list[int], float]]:
    live: list[tuple[list[int], float]] = [([], 0.0)]
    finished: list[tuple[list[int], float]] = []

    def finish(tokens: list[int], total: float) -> None:
        finished.append((tokens, total / len(tokens) ** length_penalty))

    for step in range(1, max_new_tokens + 1):
        batch = torch.tensor([list(prompt) + tokens for tokens, _ in live], dtype=torch.int64)
        logits = model(batch)[:, -1].detach()
        logps = logits.double().log_softmax(-1).tolist()
        candidates = [
            ([*tokens, v], total + logp)
            for (tokens, total), row in zip(live, logps, strict=False)
            for v, logp in enumerate(row)
        ]
        candidates.sort(key=lambda c: c[1], reverse=True)
        last = step == max_new_tokens
        for tokens, total in candidates[:num_beams]:
            if last or tokens[-1] == eos:
                finish(tokens, total)
        live = [c for c in candidates if c[0][-1] != eos][:num_beams]
        if len(finished) >= num_beams or not live:
            break
    finished.sort(key=lambda c: c[1], reverse=True)
    return finished[:num_beams]


def diverse_step(totals: Tensor, logps: Tensor, penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    groups, k = totals.shape
    vocab = logps.shape[-1]
    extended = totals[..., None] + logps  # [G, k, V]
    used = torch.zeros(vocab, dtype=torch.int64, device=logps.device)
    all_picks = []
    for g in range(groups):
        exact = totals[g].detach().double()[:, None] + logps[g].detach().double()
        cost = torch.where(used > 0, penalty * used.double(), 0.0)
        pick = (exact - cost).reshape(-1).topk(k).indices
        used = used + torch.bincount(pick % vocab, minlength=vocab)
        all_picks.append(pick)
    picks = torch.stack(all_picks)
    new_totals = extended.reshape(groups, -1).gather(1, picks)
    return picks // vocab, picks % vocab, new_totals
