"""The reference of rag/evaluation against ir_measures, scikit-learn and numpy, and against loops."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from autograder.testing import load_reference

IDS = [f"d{n}" for n in range(14)]


def drawn_query(rng: random.Random) -> tuple[list[str], dict[str, int]]:
    """A ranking of some ids without repetition, and grades of some ids, at least one of them relevant."""
    ranking = rng.sample(IDS, rng.randint(0, 10))
    grades = {name: rng.randint(0, 3) for name in rng.sample(IDS, rng.randint(1, 12))}
    grades[rng.choice(IDS)] = 2
    return ranking, grades


@pytest.mark.parametrize("k", [1, 2, 5, 10, 20])
def test_rank_metrics_against_ir_measures(k: int) -> None:
    import ir_measures
    from ir_measures import AP, RR, P, R, nDCG

    exercise, rng = load_reference("rag/evaluation"), random.Random(k)
    names = {
        P @ k: "precision",
        R @ k: "recall",
        RR @ k: "reciprocal_rank",
        AP @ k: "average_precision",
        nDCG @ k: "ndcg",
    }
    compared = 0
    for _ in range(25):
        ranking, grades = drawn_query(rng)
        if not ranking:
            continue
        run = {"q": {name: float(-place) for place, name in enumerate(ranking)}}
        mine = exercise.rank_metrics(ranking, grades, k)
        for found in ir_measures.iter_calc(list(names), {"q": grades}, run):
            assert mine[names[found.measure]] == pytest.approx(found.value, abs=1e-6), (
                found,
                ranking,
                grades,
            )
            compared += 1
    assert compared >= 80


@pytest.mark.parametrize("k", [1, 3, 8, 14])
def test_ndcg_against_sklearn(k: int) -> None:
    from sklearn.metrics import ndcg_score

    exercise, rng = load_reference("rag/evaluation"), random.Random(100 + k)
    for _ in range(25):
        ranking, grades = drawn_query(rng)
        # Documents that were not retrieved come last and have no grade there to gain.
        ideal = sorted(grades.values(), reverse=True)[:k]
        truth = [grades.get(name, 0) for name in ranking]
        missed = sorted(grade for name, grade in grades.items() if name not in ranking)
        padding = [0] * k
        y_true = [*truth, *padding, *missed]
        scores = [float(-place) for place in range(len(y_true))]
        expected = ndcg_score([y_true], [scores], k=k, ignore_ties=True)
        assert sum(ideal) > 0
        assert exercise.rank_metrics(ranking, grades, k)["ndcg"] == pytest.approx(expected, abs=1e-9)


def test_repeats_and_nothing_relevant() -> None:
    """A repeated id is as good as an unjudged one in its place."""
    exercise, rng = load_reference("rag/evaluation"), random.Random(3)
    for _ in range(50):
        ranking, grades = drawn_query(rng)
        repeated = [rng.choice(ranking) for _ in ranking] if ranking else []
        neutral = [f"none{n}" if name in repeated[:n] else name for n, name in enumerate(repeated)]
        assert exercise.rank_metrics(repeated, grades, 5) == exercise.rank_metrics(neutral, grades, 5)
    assert set(exercise.rank_metrics(["d1"], {"d1": 0}, 3).values()) == {0.0}


def test_answer_metrics_against_loops() -> None:
    exercise, rng = load_reference("rag/evaluation"), random.Random(7)
    for _ in range(50):
        contexts = [str(rng.randint(0, 9)) for _ in range(rng.randint(0, 5))]
        answer, reference = (" ".join(str(rng.randint(0, 9)) for _ in range(rng.randint(0, 5))) for _ in "ab")
        asked = [str(rng.randint(0, 9)) for _ in range(rng.randint(0, 3))]
        table = torch.randn(10, 4, generator=torch.Generator().manual_seed(len(answer)), dtype=torch.float64)
        table[0] = 0
        found = exercise.answer_metrics(
            "3",
            contexts,
            answer,
            reference,
            str.split,
            lambda statement, given: statement in given,
            lambda question, context: int(context) % 2 == 1,
            lambda text, asked=asked: asked,
            lambda texts, table=table: table[[int(text) for text in texts]],
        )
        for key, text in (("faithfulness", answer), ("context_recall", reference)):
            total, supported = 0, 0
            for statement in text.split():
                total += 1
                supported += statement in contexts
            assert found[key] == pytest.approx(supported / total if total else 0.0)
        precisions, useful = [], 0
        for place, context in enumerate(contexts):
            if int(context) % 2 == 1:
                useful += 1
                precisions.append(useful / (place + 1))
        assert found["context_precision"] == pytest.approx(np.mean(precisions) if precisions else 0.0)
        cosines = []
        for other in asked:
            a, b = table[3].numpy(), table[int(other)].numpy()
            norm = np.linalg.norm(a) * np.linalg.norm(b)
            cosines.append(a @ b / norm if norm else 0.0)
        assert found["answer_relevance"] == pytest.approx(np.mean(cosines) if cosines else 0.0)


@pytest.mark.parametrize(
    ("rows", "queries", "level"), [(1, 1, 0.5), (10, 3, 0.9), (301, 17, 0.95), (64, 5, 0.333)]
)
def test_interval_against_numpy(rows: int, queries: int, level: float) -> None:
    exercise = load_reference("rag/evaluation")
    generator = np.random.default_rng(rows)
    values = generator.random(queries)
    draws = generator.integers(0, queries, (rows, queries))
    judgements = {str(n): {"a": n} for n in range(queries)}
    found = exercise.bootstrap_interval(
        {}, judgements, lambda ranking, grades: float(values[grades["a"]]), torch.from_numpy(draws), level
    )
    means = [values[row].mean() for row in draws]
    expected = [values.mean(), *np.quantile(means, [(1 - level) / 2, (1 + level) / 2], method="linear")]
    assert found == pytest.approx(tuple(expected), abs=1e-12)
