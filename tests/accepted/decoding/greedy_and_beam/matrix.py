"""Tensors throughout: beams live in one matrix with a parent index, the whole ranking is sorted, groups keep no loop of tokens."""

import torch


@torch.no_grad()
def greedy(model, prompt, eos, max_new_tokens):
    ids = torch.tensor(prompt)[None]
    for _ in range(max_new_tokens):
        following = model(ids)[:, -1, :].topk(1).indices
        ids = torch.cat([ids, following], dim=1)
        if following.item() == eos:
            break
    return ids[0, len(prompt) :].tolist()


@torch.no_grad()
def beam_search(model, prompt, eos, num_beams, max_new_tokens, length_penalty=1.0):
    ids = torch.tensor([prompt])
    totals = torch.zeros(1, dtype=torch.float64)
    done = []
    for n in range(1, max_new_tokens + 1):
        logits = model(ids)[:, -1].double()
        grid = totals[:, None] + logits - logits.logsumexp(1, keepdim=True)
        order = grid.reshape(-1).argsort(descending=True)
        parents, tokens = order // grid.shape[1], order % grid.shape[1]
        sequences = torch.cat([ids[parents], tokens[:, None]], dim=1)
        values = grid.reshape(-1)[order]
        rank = torch.arange(len(order))
        ends = (rank < num_beams) & ((tokens == eos) | (n == max_new_tokens))
        for row, value in zip(sequences[ends], values[ends], strict=True):
            done.append((row[len(prompt) :].tolist(), value.item() * n**-length_penalty))
        if len(done) >= num_beams:
            break
        alive = (tokens != eos).nonzero()[:num_beams, 0]
        ids, totals = sequences[alive], values[alive]
    done.sort(key=lambda item: -item[1])
    return done[:num_beams]


def diverse_step(totals, logps, penalty):
    groups, width, vocab = logps.shape
    plain = (totals.unsqueeze(-1) + logps).reshape(groups, width * vocab)
    picks = torch.empty(groups, width, dtype=torch.long)
    for group in range(groups):
        earlier = torch.nn.functional.one_hot(picks[:group].reshape(-1) % vocab, vocab).sum(0)
        steered = plain[group] - penalty * earlier.repeat(width)
        picks[group] = steered.argsort(descending=True)[:width]
    return picks.div(vocab, rounding_mode="floor"), picks.remainder(vocab), plain.gather(1, picks)
