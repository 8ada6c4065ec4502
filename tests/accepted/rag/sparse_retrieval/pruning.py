"""Expressions and comprehensions; in question 4 documents that can't win any more are dropped before they are looked up."""

import re
from collections import Counter
from math import log1p


def analyze(text):
    pieces = re.findall(r"[一-\u9fff]+|[^\W_一-\u9fff]+", text.lower())
    return [
        term
        for piece in pieces
        for term in (re.findall(r"(?=(..))", piece) if re.fullmatch(r"[一-\u9fff]{2,}", piece) else [piece])
    ]


def build_index(documents):
    counted = {name: Counter(terms) for name, terms in documents.items()}
    vocabulary = set().union(*counted.values())
    postings = {term: {name: c[term] for name, c in counted.items() if term in c} for term in vocabulary}
    return postings, {name: c.total() for name, c in counted.items()}


def bm25(postings, lengths, query, k1=1.2, b=0.75):
    n, words = len(lengths), sum(lengths.values())

    def weight(term, name):
        df, tf = len(postings[term]), postings[term][name]
        return log1p((n - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * lengths[name] * n / words))

    wanted = Counter(query)
    names = {name for term in wanted for name in postings.get(term, ())}
    return {
        name: sum(
            times * weight(term, name) for term, times in wanted.items() if name in postings.get(term, ())
        )
        for name in names
    }


def top_k(query, k, bounds, read, look_up):
    wanted = Counter(query)
    order = sorted(wanted.keys() & bounds.keys(), key=lambda term: wanted[term] * bounds[term])
    scores, reading = Counter(), True
    while order:
        rest = sum(wanted[term] * bounds[term] for term in order)
        leaders = sorted(scores.values(), reverse=True)[:k]
        kth = leaders[-1] if len(leaders) == k else None
        term = order.pop()
        if kth is not None and rest < kth:
            reading = False
        if reading:
            for name, weight in read(term).items():
                scores[name] += wanted[term] * weight
            continue
        for name in [name for name, score in scores.items() if score + rest < kth]:
            del scores[name]
        for name in scores:
            scores[name] += wanted[term] * look_up(term, name)
    return [(name, scores[name]) for name in sorted(scores, key=lambda name: (-scores[name], name))][:k]
