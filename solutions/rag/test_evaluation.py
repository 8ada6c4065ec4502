"""Hidden tests of rag/evaluation."""

from collections import Counter

import pytest
import torch

from autograder.testing import assert_close

K = (5, 1, 3, 11)


def judged_ranking(seed, size=9):
    """Seven distinct ids, best first, and grades of other ids, too: 0 to 3, not all of them retrieved."""
    generator = torch.Generator().manual_seed(seed)
    names = [f"d{n}" for n in torch.randperm(2 * size, generator=generator).tolist()]
    ranking = names[:7]
    judged = names[1:6:2] + names[7:12] + names[2:3]
    grades = dict(zip(judged, [2, 1, 3, 3, 1, 2, 0, 2, 1], strict=True))
    found = [grades.get(name, 0) for name in ranking]
    assert 0 < sum(grade > 0 for grade in found) < sum(grade > 0 for grade in grades.values())
    return ranking, grades


def measure(student, key, *arguments):
    return student.rank_metrics(*arguments)[key]


@pytest.mark.points(1)
@pytest.mark.parametrize("k", K)
def test_ndcg_of_all_judged(student, reference, k):
    """The ideal ranking holds the best k of all judged documents, found or not, and gains are grades.

    zh: 理想排序取所有评过级的文档中最好的 k 篇，不管找没找到；增益就是评级。
    """
    for seed in range(4):
        ranking, grades = judged_ranking(seed)
        expected = reference.rank_metrics(ranking, grades, k)["ndcg"]
        assert k == 1 or 0 < expected < 1
        assert_close(float(measure(student, "ndcg", ranking, grades, k)), expected)
    best = sorted(grades, key=lambda name: -grades[name])
    assert_close(float(measure(student, "ndcg", best, grades, k)), 1.0)


@pytest.mark.points(2)
@pytest.mark.parametrize("key", ["precision", "recall", "reciprocal_rank", "average_precision"])
def test_denominators(student, reference, key):
    """Precision divides by k, recall and average precision by all relevant documents; a rank counts from 1.

    zh: 精确率除以 k，召回率和平均精确率除以全部相关文档数；名次从 1 数起。
    """
    for k in K:
        for seed in range(4):
            ranking, grades = judged_ranking(seed)
            for returned in (ranking, ranking[1:4], []):
                expected = reference.rank_metrics(returned, grades, k)[key]
                assert_close(float(measure(student, key, returned, grades, k)), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize("key", ["precision", "recall", "average_precision", "ndcg"])
def test_repeated_ids(student, reference, unchanged, key):
    """An id that comes again takes up a place and is worth nothing there: recall is never above 1.

    zh: 再次出现的 id 占一个位置，但不再算分：召回率不会超过 1。
    """
    for ranking in (["a", "b", "a", "c", "x", "b"], ["x", "c", "c", "c"], ["b", "x", "x", "a"]):
        grades = {"a": 2, "c": 3, "b": 1, "x": 0}
        for k in (3, 4, 6):
            expected = reference.rank_metrics(ranking, grades, k)[key]
            assert expected <= 1
            assert_close(float(measure(student, key, ranking, grades, k)), expected)
            assert unchanged(student.rank_metrics, list(ranking), dict(grades), k)


@pytest.mark.points(1)
@pytest.mark.parametrize("grades", [{}, {"a": 0, "z": 0}])
def test_nothing_relevant(student, grades):
    """Where no document is relevant every measure is 0; where the only relevant one comes first, none is.

    zh: 没有相关文档时，各个指标都是 0；唯一的相关文档排在第一时，没有一个是 0。
    """
    assert {float(value) for value in student.rank_metrics(["a"], {"a": 1}, 1).values()} == {1.0}
    assert {float(value) for value in student.rank_metrics(["a", "b"], grades, 3).values()} == {0.0}
    assert {float(value) for value in student.rank_metrics([], grades, 1).values()} == {0.0}


def judged_answer(student, key, **changes):
    """One of the four measures; every other part of the example is harmless."""
    given = {
        "question": "q",
        "contexts": ["one two"],
        "answer": "one",
        "reference": "two",
        "split": lambda text: [part for part in text.split("; ") if part],
        "supports": lambda statement, contexts: set(statement.split()) <= set(" ".join(contexts).split()),
        "useful": lambda question, context: True,
        "ask": lambda answer: ["q"],
        "embed": lambda texts: torch.ones(len(texts), 2),
    }
    assert set(changes) <= set(given)
    return float(student.answer_metrics(*{**given, **changes}.values())[key])


# Each statement is a run of words; it is supported where all its words stand in the contexts.
CONTEXTS = ["one two three", "four five", "one six"]
STATEMENTS = ["one five", "two seven", "six", "four three one", "eight", "two four"]
REPEATED = ["two six", "nine", "two six"]


@pytest.mark.points(2)
@pytest.mark.parametrize(("key", "text"), [("faithfulness", "answer"), ("context_recall", "reference")])
def test_supported_statements(student, key, text):
    """Each statement is judged once, against all contexts together: faithfulness the answer's, context recall the reference's.

    zh: 每条陈述评判一次，对照全部上下文：忠实度评回答里的陈述，上下文召回率评参考答案里的陈述。
    """
    asked = []

    def supports(statement, contexts):
        asked.append((statement, tuple(contexts)))
        return set(statement.split()) <= set(" ".join(contexts).split())

    other = {"answer": "reference", "reference": "answer"}[text]
    changes = {"contexts": CONTEXTS, text: "; ".join(STATEMENTS), other: "ten", "supports": supports}
    assert_close(judged_answer(student, key, **changes), 4 / 6)
    assert Counter(asked) == Counter((statement, tuple(CONTEXTS)) for statement in [*STATEMENTS, "ten"])
    assert_close(judged_answer(student, key, **{**changes, text: "; ".join(REPEATED)}), 2 / 3)
    assert judged_answer(student, key, **{**changes, text: ""}) == 0
    assert judged_answer(student, key, **{**changes, "contexts": []}) == 0


@pytest.mark.points(1)
@pytest.mark.parametrize("marks", ["+-++-", "-+", "--+-+-+", "+", "--", ""])
def test_useful_contexts_first(student, marks):
    """Context precision averages the precision at the ranks of the useful contexts, so their order counts.

    zh: 上下文精确率在有用的上下文的名次上，对精确率取平均，所以先后次序有影响。
    """
    contexts = [f"{n}{mark}" for n, mark in enumerate(marks)]
    at = [n for n, mark in enumerate(marks, 1) if mark == "+"]
    expected = sum(marks[:n].count("+") / n for n in at) / len(at) if at else 0.0

    def useful(question, context):
        return question == "why" and context.endswith("+")

    changes = {"question": "why", "useful": useful}
    assert_close(judged_answer(student, "context_precision", contexts=contexts, **changes), expected)
    assert_close(judged_answer(student, "context_precision", contexts=["no", "+", "+"], **changes), 7 / 12)


@pytest.mark.points(1)
def test_questions_asked_back(student):
    """The question is compared by cosine with each question that the answer would answer, and the mean is taken.

    zh: 原问题与由回答反推出的每个问题算余弦相似度，再取平均。
    """
    vectors = {
        "who": [3.0, 0.0, 4.0],
        "reply": [3.0, 0.1, 4.0],
        "near": [0.6, 0.0, 0.3],
        "far": [-1.0, 7.0, -2.0],
        "other": [9.0, 9.0, 1.0],
        "empty": [0.0, 0.0, 0.0],
    }
    table = {text: torch.tensor(vector, dtype=torch.float64) for text, vector in vectors.items()}

    def embed(texts):
        return torch.stack([table[text] for text in texts])

    for question, asked in [
        ("who", ["near", "far", "other"]),
        ("who", ["far"]),
        ("other", ["near", "near", "empty"]),
        ("empty", ["near"]),
        ("who", []),
    ]:
        replies = {"reply": asked}
        cosines = [torch.cosine_similarity(table[question], table[text], dim=0).item() for text in asked]
        value = judged_answer(
            student, "answer_relevance", question=question, answer="reply", ask=replies.get, embed=embed
        )
        assert_close(value, sum(cosines) / max(1, len(cosines)), atol=1e-6)


@pytest.mark.points(2)
@pytest.mark.parametrize("level", [0.95, 0.8, 0.5])
def test_drawn_queries(student, reference, unchanged, level):
    """The mean is over the judged queries; the interval cuts the same share off both ends of the drawn means.

    zh: 平均值取自有评级的查询；区间从抽样平均值的两端各截去同样的比例。
    """
    judgements = {name: {"a": n % 3, "b": n * n % 4, "c": 1} for n, name in enumerate("ktbxmaq")}
    judgements["x"] = {}
    rankings = {name: ["b", "a", "c", "d"][n % 3 :] for n, name in enumerate("zaqmktb")}

    def gained(ranking, grades):
        return 0.25 + sum(grades.get(name, 0) / place for place, name in enumerate(ranking, 1))

    draws = torch.randint(0, 7, (43, 7), generator=torch.Generator().manual_seed(5))
    expected = reference.bootstrap_interval(rankings, judgements, gained, draws, level)
    assert expected[1] < expected[0] < expected[2]
    found = student.bootstrap_interval(rankings, judgements, gained, draws, level)
    assert_close(tuple(map(float, found)), expected)
    if level == 0.95:
        assert_close(student.bootstrap_interval(rankings, judgements, gained, draws), expected)
        assert unchanged(student.bootstrap_interval, dict(rankings), dict(judgements), gained, draws)
