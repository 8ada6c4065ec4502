from collections.abc import Callable

import torch
from torch import Tensor


def greedy(model: Callable[[Tensor], Tensor], prompt: list[int], eos: int, max_new_tokens: int) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < max_new_tokens and eos not in tokens:
        logits = model(torch.tensor([prompt + tokens]))[0, -1]
        tokens.append(int(logits.argmax()))
    return tokens


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
    for length in range(1, max_new_tokens + 1):
        logps = model(torch.tensor([prompt + tokens for tokens, _ in live]))[:, -1].log_softmax(dim=-1)
        totals = logps + torch.tensor([total for _, total in live])[:, None]  # [live beams, V]
        # At most one candidate of each live beam ends in eos: twice num_beams leaves enough of the others.
        best = totals.flatten().topk(min(2 * num_beams, totals.numel()))
        candidates = []
        for total, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            beam, token = divmod(index, totals.shape[1])
            candidates.append(([*live[beam][0], token], total))

        for tokens, total in candidates[:num_beams]:
            if tokens[-1] == eos or length == max_new_tokens:
                finished.append((tokens, total / length**length_penalty))
        if finished:
            break
        live = [(tokens, total) for tokens, total in candidates if tokens[-1] != eos][:num_beams]
    return sorted(finished, key=lambda text: text[1], reverse=True)[:num_beams]


def diverse_step(totals: Tensor, logps: Tensor, penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    _, width, vocab = logps.shape
    times_chosen = torch.zeros(vocab, dtype=torch.int64)
    chosen = []
    for group_totals, group_logps in zip(totals, logps, strict=True):
        candidates = group_totals[:, None] + group_logps  # [k, V]
        best = (candidates - penalty * times_chosen).flatten().topk(width).indices
        tokens = best % vocab
        chosen.append((best // vocab, tokens, candidates.flatten()[best]))
        times_chosen += tokens.bincount(minlength=vocab)
    beams, tokens, new_totals = zip(*chosen, strict=True)
    return torch.stack(beams), torch.stack(tokens), torch.stack(new_totals)
    # END SOLUTION
