"""numpy throughout: cumulative sums over gains, a discount vector, take and quantile."""

import numpy as np
import torch


def rank_metrics(ranking, grades, k):
    gains = np.zeros(k)
    first = {}
    for place, name in enumerate(ranking[:k]):
        first.setdefault(name, place)
    for name, place in first.items():
        gains[place] = grades.get(name, 0)
    hit = gains > 0
    discount = 1 / np.log2(np.arange(2, k + 2))
    judged = np.array(sorted(grades.values(), reverse=True), dtype=float)
    relevant = int((judged > 0).sum())
    if relevant == 0:
        return dict.fromkeys(["precision", "recall", "reciprocal_rank", "average_precision", "ndcg"], 0.0)
    ideal = judged[:k] @ discount[: len(judged)]
    at = hit.cumsum() / np.arange(1, k + 1)
    return {
        "precision": float(at[-1]),
        "recall": float(hit.sum() / relevant),
        "reciprocal_rank": float((hit / np.arange(1, k + 1)).max()),
        "average_precision": float(at[hit].sum() / relevant),
        "ndcg": float(gains @ discount / ideal),
    }


def answer_metrics(question, contexts, answer, reference, split, supports, useful, ask, embed):
    def share(text):
        verdicts = [1.0 if supports(statement, contexts) else 0.0 for statement in split(text)]
        return float(np.mean(verdicts)) if verdicts else 0.0

    flags = np.array([1.0 if useful(question, c) else 0.0 for c in contexts])
    precision = 0.0
    if flags.any():
        precision = float((flags * flags.cumsum() / np.arange(1, len(flags) + 1)).sum() / flags.sum())
    asked = ask(answer)
    relevance = 0.0
    if asked:
        mine, others = embed([question]), embed(asked)
        relevance = torch.cosine_similarity(mine, others, dim=1).mean().item()
    return {
        "context_precision": precision,
        "context_recall": share(reference),
        "faithfulness": share(answer),
        "answer_relevance": relevance,
    }


def bootstrap_interval(rankings, judgements, metric, draws, level=0.95):
    if not (level > 0 and level < 1):
        raise ValueError(level)
    values = np.array([metric(rankings.get(name, []), judged) for name, judged in judgements.items()], float)
    drawn = np.take(values, draws.numpy()).mean(-1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(values.mean()), float(low), float(high)
