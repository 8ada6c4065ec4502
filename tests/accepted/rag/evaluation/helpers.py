"""One helper for each measure, in plain Python; sorted means and linear interpolation by hand."""

import math
from statistics import fmean


def _gains(ranking, grades, k):
    """The grade of each of the first k places; a repeated id has none."""
    return [0 if name in ranking[:place] else grades.get(name, 0) for place, name in enumerate(ranking[:k])]


def _dcg(gains):
    return math.fsum(gain / math.log(place + 2, 2) for place, gain in enumerate(gains))


def _precision_at_hits(hits):
    return [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]


def rank_metrics(ranking, grades, k):
    gains = _gains(ranking, grades, k)
    hits = [gain > 0 for gain in gains]
    relevant = len([1 for grade in grades.values() if grade > 0])
    ideal = _dcg(sorted(grades.values())[::-1][:k])
    return {
        "ndcg": _dcg(gains) / ideal if relevant else 0.0,
        "average_precision": sum(_precision_at_hits(hits)) / relevant if relevant else 0.0,
        "reciprocal_rank": 1 / (hits.index(True) + 1) if any(hits) else 0.0,
        "recall": sum(hits) / relevant if relevant else 0.0,
        "precision": sum(hits) / k,
    }


def _mean(values):
    return fmean(values) if values else 0.0


def _cosine(a, b):
    norms = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def answer_metrics(question, contexts, answer, reference, split, supports, useful, ask, embed):
    verdicts = [bool(useful(question, context)) for context in contexts]
    similar = []
    for other in ask(answer):
        pair = embed([question]).tolist()[0], embed([other]).tolist()[0]
        similar.append(_cosine(*pair))
    return {
        "faithfulness": _mean([bool(supports(s, contexts)) for s in split(answer)]),
        "context_recall": _mean([bool(supports(s, contexts)) for s in split(reference)]),
        "context_precision": _mean(_precision_at_hits(verdicts)),
        "answer_relevance": _mean(similar),
    }


def _quantile(ordered, share):
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def bootstrap_interval(rankings, judgements, metric, draws, level=0.95):
    if level <= 0 or level >= 1:
        raise ValueError("level is a share")
    values = []
    for query in judgements:
        ranking = rankings.get(query, [])
        values.append(float(metric(ranking, judgements[query])))
    means = sorted(fmean(values[n] for n in row) for row in draws.tolist())
    return fmean(values), _quantile(means, 0.5 - level / 2), _quantile(means, 0.5 + level / 2)
