"""As solved from the skeleton alone."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def rank_metrics(ranking: list[str], grades: dict[str, int], k: int) -> dict[str, float]:
    names = ("precision", "recall", "reciprocal_rank", "average_precision", "ndcg")
    relevant = sum(grade > 0 for grade in grades.values())
    if relevant == 0:
        return dict.fromkeys(names, 0.0)
    seen: set[str] = set()
    found = 0
    first = precisions = dcg = 0.0
    for rank, document in enumerate(ranking[:k], 1):
        grade = 0 if document in seen else grades.get(document, 0)
        seen.add(document)
        if grade > 0:
            found += 1
            first = first or 1 / rank
            precisions += found / rank
            dcg += grade / math.log2(rank + 1)
    best = sorted(grades.values(), reverse=True)[:k]
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))
    values = (found / k, found / relevant, first, precisions / relevant, dcg / ideal)
    return dict(zip(names, values, strict=True))


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

    def mean(numbers: list[float]) -> float:
        return sum(numbers) / len(numbers) if numbers else 0.0

    def supported(text: str) -> float:
        return mean([float(bool(supports(statement, contexts))) for statement in split(text)])

    precisions: list[float] = []
    for rank, context in enumerate(contexts, 1):
        if useful(question, context):
            precisions.append((len(precisions) + 1) / rank)

    cosines: list[float] = []
    questions = ask(answer)
    if questions:
        first, *others = embed([question, *questions]).double()
        for other in others:
            lengths = float(first.norm() * other.norm())
            cosines.append(float(first @ other) / lengths if lengths > 0 else 0.0)

    return {
        "context_precision": mean(precisions),
        "context_recall": supported(reference),
        "faithfulness": supported(answer),
        "answer_relevance": mean(cosines),
    }


def bootstrap_interval(
    rankings: dict[str, list[str]],
    judgements: dict[str, dict[str, int]],
    metric: Callable[[list[str], dict[str, int]], float],
    draws: Tensor,
    level: float = 0.95,
) -> tuple[float, float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level is a share between 0 and 1, not {level}")
    values = torch.tensor(
        [float(metric(rankings.get(query, []), grades)) for query, grades in judgements.items()],
        dtype=torch.float64,
    )
    means = values[draws].mean(1)
    tail = (1 - level) / 2
    low, high = torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return values.mean().item(), low, high
