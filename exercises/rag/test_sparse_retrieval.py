"""Public tests of rag/sparse_retrieval: examples small enough to do by hand."""

import math

import pytest

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_terms_by_hand(student):
    """Words in small letters, pairs of Chinese characters, and a character that stands alone.

    zh: 小写的单词、汉字的两字组合，以及单独一个汉字。
    """
    assert_close(list(student.analyze("用BM25检索文档")), ["用", "bm25", "检索", "索文", "文档"])
    assert_close(list(student.analyze("The café, open 24h")), ["the", "café", "open", "24h"])


@pytest.mark.points(1)
def test_index_by_hand(student):
    """Document a holds oak twice and kiln once, b holds oak once, and c is empty.

    zh: 文档 a 里 oak 两次、kiln 一次，b 里 oak 一次，c 是空的。
    """
    postings, lengths = student.build_index({"b": ["oak"], "a": ["oak", "kiln", "oak"], "c": []})
    assert_close(
        {term: dict(found) for term, found in postings.items()},
        {"oak": {"a": 2, "b": 1}, "kiln": {"a": 1}},
    )
    assert_close(dict(lengths), {"a": 3, "b": 1, "c": 0})


@pytest.mark.points(1)
def test_scores_by_hand(student):
    """With k1 = 1 and b = 0.5, oak, in both documents, has idf ln 1.2 > 0; kiln, in one of two, ln 2.

    zh: k1 = 1、b = 0.5 时，两篇都有的 oak，idf 是 ln 1.2，仍大于 0；两篇里只有一篇有的 kiln，idf 是 ln 2。
    """
    # Lengths 3 and 1, mean 2: k1 (1 - b + b len / mean) is 1.25 for a and 0.75 for b.
    postings, lengths = {"oak": {"a": 2, "b": 1}, "kiln": {"a": 1}}, {"a": 3, "b": 1}
    a = math.log(1.2) * 2 / 3.25 + math.log(2) / 2.25
    assert_close(
        student.bm25(postings, lengths, ["kiln", "oak"], 1.0, 0.5), {"a": a, "b": math.log(1.2) / 1.75}
    )
    twice = student.bm25(postings, lengths, ["oak", "oak"], 1.0, 0.5)
    assert_close(twice, {"a": 2 * math.log(1.2) * 2 / 3.25, "b": 2 * math.log(1.2) / 1.75})


@pytest.mark.points(1)
def test_early_stop_by_hand(student):
    """With k = 1, b has 2 after the rare term and the common one adds less than 1: one look-up is enough.

    zh: k = 1 时，读完罕见词项，b 已有 2 分，而常见词项加不到 1 分，所以再查一次就够了。
    """
    lists = {"rare": {"b": 2.0}, "common": {"d": 0.75, "c": 0.75, "b": 0.25, "a": 0.5}}
    spent = []

    def read(term):
        spent.extend(lists[term])
        return lists[term]

    def look_up(term, name):
        spent.append(name)
        return lists[term].get(name, 0.0)

    def ask(k):
        spent.clear()
        return student.top_k(["common", "rare"], k, {"common": 1.0, "rare": 4.0}, read, look_up)

    assert_close(ask(1), [("b", 2.25)])
    assert len(spent) <= 2, f"{len(spent)} postings were touched, where 2 are enough"
    assert_close(ask(3), [("b", 2.25), ("c", 0.75), ("d", 0.75)])
