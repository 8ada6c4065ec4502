"""Public tests of rag/evaluation: examples small enough to do by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
def test_ranking_by_hand(student):
    """The ideal ranking knows "c", which wasn't found: DCG is 3 + 1/2, the ideal 3 + 2/log2(3) + 1/2.

    zh: 理想排序里有没找到的 "c"：DCG 为 3 + 1/2，理想值为 3 + 2/log2(3) + 1/2。
    """
    measured = student.rank_metrics(["b", "x", "a"], {"a": 1, "b": 3, "c": 2, "x": 0}, 4)
    expected = {
        "precision": 2 / 4,
        "recall": 2 / 3,
        "reciprocal_rank": 1.0,
        "average_precision": (1 / 1 + 2 / 3) / 3,
        "ndcg": 3.5 / (3.5 + 2 / math.log2(3)),
    }
    assert_close(measured, expected)


@pytest.mark.points(1)
def test_judge_by_hand(student):
    """Of the answer's two statements one is supported, by two contexts together; contexts 1 and 3 are useful.

    zh: 回答有两条陈述，其中一条有支持，要把两个上下文合起来看；第 1、3 个上下文有用。
    """
    contexts = ["ferry leaves 18:15", "cats sleep", "harbour 12"]
    vectors = {"when": [3.0, 4.0], "time": [6.0, 8.0], "where": [4.0, -3.0]}
    measured = student.answer_metrics(
        "when",
        contexts,
        "ferry leaves harbour. harbour closes",
        "ferry leaves 18:15",
        lambda text: text.split(". "),
        lambda statement, passages: set(statement.split()) <= set(" ".join(passages).split()),
        lambda question, context: (question, context) != ("when", "cats sleep"),
        lambda answer: ["time", "where"],
        lambda texts: torch.tensor([vectors[text] for text in texts]),
    )
    expected = {
        "context_precision": (1 / 1 + 2 / 3) / 2,
        "context_recall": 1.0,
        "faithfulness": 0.5,
        "answer_relevance": 0.5,
    }
    assert_close(measured, expected)


@pytest.mark.points(1)
def test_interval_by_hand(student):
    """Query "r" has no ranking and counts as 0, so the mean is 3; the middle half of the means 0, 1, 3, 8 is 0.75 to 4.25.

    zh: 查询 "r" 没有排序，按 0 计，平均值为 3；四次抽样的平均值是 0、1、3、8，中间一半从 0.75 到 4.25。
    """
    rankings = {"q": ["b"], "p": ["a"]}
    judgements = {"p": {"a": 1}, "q": {"b": 8}, "r": {"a": 1}}
    draws = torch.tensor([[0, 0, 0], [1, 1, 1], [2, 2, 2], [2, 0, 1]])
    found = student.bootstrap_interval(
        rankings, judgements, lambda ranking, grades: float(sum(grades[i] for i in ranking)), draws, 0.5
    )
    assert_close(found, (3.0, 0.75, 4.25))


@pytest.mark.points(1)
def test_level_in_percent(student):
    """A level of 95 is refused: the level is a share, such as 0.95.

    zh: level 写成 95 会被拒绝：它是比例，例如 0.95。
    """
    draws = torch.zeros(4, 1, dtype=torch.int64)
    given = {"q": ["a"]}, {"q": {"a": 1}}, lambda ranking, grades: 1.0, draws
    check_refusal(student.bootstrap_interval, (*given, 0.95), (*given, 95.0), ValueError)
