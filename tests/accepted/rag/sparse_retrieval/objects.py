"""A character loop, defaultdicts, a class for what is known of a document, the k-th score from a sorted list."""

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise


def kind_of(character):
    if 0x4E00 <= ord(character) <= 0x9FFF:
        return "chinese"
    return "word" if character.isalnum() else None


def analyze(text):
    runs = []
    last = None
    for character in text.lower():
        kind = kind_of(character)
        if kind and kind == last:
            runs[-1][1].append(character)
        elif kind:
            runs.append((kind, [character]))
        last = kind
    terms = []
    for kind, characters in runs:
        if kind == "word" or len(characters) == 1:
            terms.append("".join(characters))
        else:
            terms.extend(map("".join, pairwise(characters)))
    return terms


def build_index(documents):
    postings = defaultdict(lambda: defaultdict(int))
    lengths = {}
    for name in documents:
        lengths[name] = 0
        for term in documents[name]:
            postings[term][name] += 1
            lengths[name] += 1
    return {term: dict(found) for term, found in postings.items()}, lengths


def idf(total, having):
    return math.log((total + 1) / (having + 0.5))


def bm25(postings, lengths, query, k1=1.2, b=0.75):
    if not postings:
        return {}
    total = len(lengths)
    mean = math.fsum(lengths.values()) / total
    scores = defaultdict(float)
    for term in filter(postings.__contains__, query):
        for name, frequency in postings[term].items():
            relative = lengths[name] / mean
            saturation = 1 / (1 + k1 * ((1 - b) + b * relative) / frequency)
            scores[name] += idf(total, len(postings[term])) * saturation
    return dict(scores)


@dataclass
class Known:
    name: str
    score: float = 0.0


def top_k(query, k, bounds, read, look_up):
    left = sorted(
        {term for term in query if term in bounds}, key=lambda term: -bounds[term] * query.count(term)
    )
    known = {}
    threshold = -math.inf
    while left:
        outlook = sum(bounds[term] * query.count(term) for term in left)
        if outlook <= threshold:
            break
        term = left.pop(0)
        for name, weight in read(term).items():
            known.setdefault(name, Known(name)).score += weight * query.count(term)
        if len(known) >= k:
            threshold = sorted((entry.score for entry in known.values()), reverse=True)[k - 1]
    for entry in known.values():
        for term in left:
            entry.score += look_up(term, entry.name) * query.count(term)
    ranked = sorted(known.values(), key=lambda entry: entry.name)
    ranked.sort(key=lambda entry: entry.score, reverse=True)
    return [(entry.name, entry.score) for entry in ranked[:k]]
