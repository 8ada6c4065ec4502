"""Plain Python: a Beam class, heapq, one model call for each beam, log-sum-exp by hand, Counter for the groups."""

import heapq
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field

import torch


def log_probabilities(model, prefix):
    scores = model(torch.tensor([list(prefix)]))[0][-1].tolist()
    top = max(scores)
    normaliser = top + math.log(math.fsum(math.exp(score - top) for score in scores))
    return [score - normaliser for score in scores]


def greedy(model, prompt, eos, max_new_tokens):
    written = []
    for _ in range(max_new_tokens):
        row = log_probabilities(model, [*prompt, *written])
        written.append(max(range(len(row)), key=row.__getitem__))
        if written[-1] == eos:
            return written
    return written


@dataclass(order=True)
class Beam:
    total: float
    tokens: list = field(compare=False, default_factory=list)

    def score(self, length_penalty):
        return self.total / len(self.tokens) ** length_penalty


def beam_search(model, prompt, eos, num_beams, max_new_tokens, length_penalty=1.0):
    live, finished = [Beam(0.0)], []
    for step in itertools.count(1):
        extended = [
            Beam(beam.total + logp, [*beam.tokens, token])
            for beam in live
            for token, logp in enumerate(log_probabilities(model, prompt + beam.tokens))
        ]
        best = heapq.nlargest(num_beams, extended)
        if step == max_new_tokens:
            finished.extend(best)
            break
        finished.extend(beam for beam in best if beam.tokens[-1] == eos)
        if len(finished) >= num_beams:
            break
        live = heapq.nlargest(num_beams, (beam for beam in extended if beam.tokens[-1] != eos))
    finished.sort(key=lambda beam: beam.score(length_penalty), reverse=True)
    return [(beam.tokens, beam.score(length_penalty)) for beam in finished[:num_beams]]


def diverse_step(totals, logps, penalty):
    counts = Counter()
    rows = []
    for group in range(totals.shape[0]):
        pairs = list(itertools.product(range(logps.shape[1]), range(logps.shape[2])))
        plain = {(b, v): totals[group, b] + logps[group, b, v] for b, v in pairs}
        pairs.sort(key=lambda pair: float(plain[pair]) - penalty * counts[pair[1]], reverse=True)
        kept = pairs[: totals.shape[1]]
        counts.update(token for _, token in kept)
        rows.append((*zip(*kept, strict=True), torch.stack([plain[pair] for pair in kept])))
    beams, tokens, values = zip(*rows, strict=True)
    return torch.tensor(beams), torch.tensor(tokens), torch.stack(values)
