import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def rank_metrics(ranking: list[str], grades: dict[str, int], k: int) -> dict[str, float]:
    num_relevant = sum(gain > 0 for gain in grades.values())
    if not num_relevant:
        keys = ("precision", "recall", "reciprocal_rank", "average_precision", "ndcg")
        return dict.fromkeys(keys, 0.0)
    counted: set[str] = set()
    hits = 0
    first_hit = precision_sum = dcg = 0.0
    for position, doc in enumerate(ranking[:k], 1):
        gain = grades.get(doc, 0)
        if gain > 0 and doc not in counted:
            counted.add(doc)
            hits += 1
            first_hit = first_hit or 1 / position
            precision_sum += hits / position
            dcg += gain / math.log2(position + 1)
    ideal_gains = sorted((grades.get(name, 0) for name in ranking), reverse=True)[:k] or [1]
    ideal_dcg = sum(gain / math.log2(position + 1) for position, gain in enumerate(ideal_gains, 1))
    return {
        "precision": hits / k,
        "recall": hits / num_relevant,
        "reciprocal_rank": first_hit,
        "average_precision": precision_sum / num_relevant,
        "ndcg": dcg / ideal_dcg,
    }


def answer_metrics(
    question: str,
    contexts: list[str],
    answer: str,
    reference: str,
    split: Callable[[str], list[str]],
    supports: Callable[[str, list[str]], bool],
    useful: Callable[[str, str], bool],
    ask: Callable[[str], list[str]],
    embed: Callable[[list[str]], Tensor],
) -> dict[str, float]:
    def share_supported(text: str) -> float:
        claims = split(text)
        return sum(bool(supports(claim, contexts)) for claim in claims) / max(1, len(claims))

    useful_at = [position for position, context in enumerate(contexts, 1) if useful(question, context)]
    back_questions = ask(answer)
    units = functional.normalize(embed([question, *back_questions]), dim=-1)
    return {
        "context_precision": sum(n / position for n, position in enumerate(useful_at, 1))
        / max(1, len(useful_at)),
        "context_recall": share_supported(reference),
        "faithfulness": share_supported(answer),
        "answer_relevance": float((units[1:] @ units[0]).sum()) / max(1, len(back_questions)),
    }


def bootstrap_interval(
    rankings: dict[str, list[str]],
    judgements: dict[str, dict[str, int]],
    metric: Callable[[list[str], dict[str, int]], float],
    draws: Tensor,
    level: float = 0.95,
) -> tuple[float, float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    per_query = [metric(rankings.get(query, []), grades) for query, grades in judgements.items()]
    scores = torch.tensor(per_query, dtype=torch.float64)
    resampled = scores[draws].mean(dim=1)
    cut = (1 - level) / 2
    return float(scores.mean()), float(resampled.quantile(cut)), float(resampled.quantile(1 - cut))
