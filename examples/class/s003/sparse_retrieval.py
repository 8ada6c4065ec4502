import heapq
import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise


def analyze(text: str) -> list[str]:
    terms: list[str] = []
    for han, word in re.findall(r"([\u4e00-\u9fff]+)|([^\W_\u4e00-\u9fff]+)", text.lower()):
        if len(han) > 1:
            terms += [a + b for a, b in pairwise(han)]
        else:
            terms.append(han or word)
    return terms


Postings = dict[str, dict[str, int]]


def build_index(documents: dict[str, list[str]]) -> tuple[Postings, dict[str, int]]:
    postings: Postings = {}
    for doc, terms in documents.items():
        for term, tf in Counter(terms).items():
            postings.setdefault(term, {})[doc] = tf
    return postings, {doc: len(terms) for doc, terms in documents.items()}


def bm25(
    postings: Postings, lengths: dict[str, int], query: list[str], k1: float = 1.2, b: float = 0.75
) -> dict[str, float]:
    average_length = sum(lengths.values()) / max(len(lengths), 1)
    scores: dict[str, float] = {}
    for term in set(query):
        found_in = postings.get(term, {})
        idf = math.log(1 + (len(lengths) - len(found_in) + 0.5) / (len(found_in) + 0.5))
        for doc, tf in found_in.items():
            norm = k1 * (1 - b + b * lengths[doc] / average_length)
            scores[doc] = scores.get(doc, 0.0) + idf * tf / (tf + norm)
    return scores


def top_k(
    query: list[str],
    k: int,
    bounds: dict[str, float],
    read: Callable[[str], dict[str, float]],
    look_up: Callable[[str, str], float],
) -> list[tuple[str, float]]:
    weight_of = Counter({term for term in query if term in bounds})
    terms = sorted(weight_of, key=lambda term: weight_of[term] * bounds[term], reverse=True)
    scores: dict[str, float] = {}
    for i, term in enumerate(terms):
        still_possible = sum(weight_of[word] * bounds[word] for word in terms[i:])
        top = heapq.nlargest(k, scores.values())
        if len(top) == k and still_possible < top[-1]:
            added = {doc: look_up(term, doc) for doc in scores}
        else:
            added = read(term)
        for doc, w in added.items():
            scores[doc] = scores.get(doc, 0.0) + weight_of[term] * w
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]
