"""Hidden tests of rag/sparse_retrieval."""

import math
import random
from collections import Counter

import pytest

from autograder.testing import assert_close


def check_terms(student, examples):
    for text, terms in examples.items():
        assert_close(list(student.analyze(text)), terms, message=repr(text))


@pytest.mark.points(1)
def test_letters_and_digits(student):
    """A run of letters and digits of any script is one term in small letters; everything else separates.

    zh: 连续的字母和数字，不管哪种文字，合成一个小写的词项；其余字符都是分隔。
    """
    check_terms(student, {
        "Über naïve ÉTÉ": ["über", "naïve", "été"],
        "Don't panic: 42 TOWELS, 3.5 kg!": ["don", "t", "panic", "42", "towels", "3", "5", "kg"],
        "Привет, Мир-2024": ["привет", "мир", "2024"],
        "count_words(x_1)\n\tGPT4o": ["count", "words", "x", "1", "gpt4o"],
        "the The tHE": ["the", "the", "the"],
        " .,_! \n": [],
        "": [],
    })  # fmt: skip


@pytest.mark.points(1)
def test_chinese_runs(student):
    """A Chinese run gives overlapping pairs, a lone character itself; no pair reaches over what stands between.

    zh: 一段连续的汉字给出前后重叠的两字组合，单独一个汉字就是它自己；中间隔着别的字符时不组合。
    """
    check_terms(student, {
        "老窑，砖。": ["老窑", "砖"],
        "买iPhone15手机壳": ["买", "iphone15", "手机", "机壳"],
        "哈哈哈哈": ["哈哈", "哈哈", "哈哈"],
        "第3章 索 引": ["第", "3", "章", "索", "引"],
        "\u4e00二\u9fff": ["一二", "二\u9fff"],
        "我在 A 市": ["我在", "a", "市"],
    })  # fmt: skip
    rng = random.Random(1)
    for _ in range(5):
        runs = ["".join(rng.choices("云山江海", k=rng.randint(1, 5))) for _ in range(6)]
        expected = [
            run[i : i + 2] for run in runs for i in range(max(len(run) - 1, 1))
        ]  # a run of one gives one slice
        check_terms(student, {rng.choice(["，", " ", "！\n"]).join(runs): expected})


def collection(seed, size=17):
    """Documents of very uneven lengths, among them an empty one; common and rare terms; ids in no order."""
    rng = random.Random(seed)
    ids = [f"d{number}" for number in rng.sample(range(100), size)]
    terms, odds = ["of", "kiln", "oak", "tide", "qat"], [30, 8, 4, 2, 1]
    documents = {name: ["of", *rng.choices(terms, odds, k=rng.choice([0, 2, 5, 19]))] for name in ids}
    documents[ids[0]] += ["qat", "qat", "qat"]
    documents[ids[4]] = []
    return documents


def postings_of(documents):
    """The index of question 2, term by term."""
    every = sorted({term for terms in documents.values() for term in terms})
    postings = {
        term: {name: terms.count(term) for name, terms in documents.items() if term in terms}
        for term in every
    }
    return postings, {name: len(terms) for name, terms in documents.items()}


@pytest.mark.points(1)
def test_index_counts(student):
    """Postings count each term within each document, and lengths count all terms of all documents, empty ones included.

    zh: 倒排列表记下每个词项在每篇文档里出现几次；长度数的是全部词项，空文档也在其中。
    """
    for seed in range(3):
        documents = collection(seed)
        postings, lengths = postings_of(documents)
        assert any(times > 2 for times in postings["qat"].values()) and 0 in lengths.values()
        actual = student.build_index(documents)
        assert_close({term: dict(found) for term, found in dict(actual[0]).items()}, postings)
        assert_close(dict(actual[1]), lengths)
    assert_close(list(map(dict, student.build_index({}))), [{}, {}])


@pytest.mark.points(1)
@pytest.mark.parametrize("k1", [0.4, 1.2, 3.0])
def test_rarity_and_saturation(student, k1):
    """Where length plays no part, a term adds ln(1 + (N - n + 0.5) / (n + 0.5)) times f / (f + k1), n counting documents.

    zh: 长度不起作用时（b 为 0），一个词项加 ln(1 + (N - n + 0.5) / (n + 0.5)) 乘以 f / (f + k1)，n 数的是文档篇数。
    """
    for seed in range(3):
        documents = collection(seed)
        postings, lengths = postings_of(documents)
        assert len(postings["of"]) == len(documents) - 1, "a very common term is among them"
        for term, found in postings.items():
            n = sum(term in terms for terms in documents.values())
            rarity = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
            expected = {name: rarity * times / (times + k1) for name, times in found.items()}
            assert_close(student.bm25(postings, lengths, [term], k1, 0.0), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize("b", [0.3, 0.75, 1.0])
def test_length_against_the_mean(student, b):
    """A document's length counts relative to the mean of all documents, to the degree b.

    zh: 文档长度按它与全部文档平均长度之比起作用，程度由 b 决定。
    """
    for documents in (*map(collection, range(3)), {"alone": ["of", "qat", "of"]}):
        postings, lengths = postings_of(documents)
        mean = sum(lengths.values()) / len(lengths)
        for term, found in postings.items():
            # What length does to the student's own score without it.
            without = student.bm25(postings, lengths, [term], 1.7, 0.0)
            assert min(without.values()) > 0
            expected = {
                name: without[name] * (times + 1.7) / (times + 1.7 * (1 - b + b * lengths[name] / mean))
                for name, times in found.items()
            }
            assert_close(student.bm25(postings, lengths, [term], 1.7, b), expected)
    assert_close(student.bm25(postings, lengths, ["of"]), student.bm25(postings, lengths, ["of"], 1.2, 0.75))


@pytest.mark.points(1)
def test_repeated_and_unknown_query_terms(student):
    """Each occurrence in the query adds once more; unknown terms, an empty query and an empty collection add nothing.

    zh: 查询里每出现一次就再加一次；未知的词项、空查询、空的文档集都不加分。
    """
    postings, lengths = postings_of(collection(5))
    kiln, oak = (student.bm25(postings, lengths, [term]) for term in ("kiln", "oak"))
    assert kiln.keys() == postings["kiln"].keys() and oak.keys() == postings["oak"].keys()
    assert min([*kiln.values(), *oak.values()]) > 0 and kiln.keys() & oak.keys() and kiln.keys() - oak.keys()
    expected = {name: 3 * kiln.get(name, 0.0) + oak.get(name, 0.0) for name in kiln | oak}
    query = ["kiln", "zebra", "oak", "kiln", "kiln"]
    assert_close(student.bm25(postings, lengths, query), expected)
    for nothing in (
        (postings, lengths, ["zebra"]),
        (postings, lengths, []),
        ({}, {}, query),
        ({}, {"a": 0}, query),
    ):
        assert_close(student.bm25(*nothing), {})


STEEP = [8.0, 6.0, 5.0, 3.5, 2.0, 0.5, 0.25, 0.0625]
FLAT = [3.0, 2.75, 2.5, 2.25, 2.0, 1.75, 1.5, 1.25]


class Shelf:
    """Lists of weights that count what is read of them. All numbers are multiples of 1/64: sums are exact in any order."""

    def __init__(self, seed, documents=40, steps=(8, 16, 24, 32, 48), bounds=STEEP):
        rng = random.Random(seed)
        names = [f"doc-{number}" for number in rng.sample(range(1000), documents)]
        shares = [0.01, 0.02, 0.03, 0.06, 0.15, 0.4, 0.8, 1.0]
        self.bounds = {f"term{place}": bound for place, bound in enumerate(bounds)}
        self.lists = {
            term: {
                name: self.bounds[term] * rng.choice(steps) / 64
                for name in rng.sample(names, math.ceil(documents * share))
            }
            for term, share in zip(self.bounds, shares, strict=True)
        }
        self.cost = 0

    def read(self, term):
        self.cost += len(self.lists.get(term, {}))
        return dict(self.lists.get(term, {}))

    def look_up(self, term, name):
        self.cost += 1
        return self.lists.get(term, {}).get(name, 0.0)

    def ask(self, top_k, query, k):
        """The answer, and what it cost."""
        before = self.cost
        found = top_k(list(query), k, dict(self.bounds), self.read, self.look_up)
        return [(name, score) for name, score in found], self.cost - before

    def everything(self, query):
        """All documents with their scores, the best first."""
        scores = Counter()
        for term in query:
            for name, weight in self.lists.get(term, {}).items():
                scores[name] += weight
        return sorted(scores.items(), key=lambda found: (-found[1], found[0]))


QUERIES = [
    [f"term{place}" for place in (7, 5, 3, 0, 6, 4)],
    ["term6", "term2", "unknown", "term7", "term1", "term7", "term5"],
    ["term3", "term6", "term5", "term7", *5 * ["term4"]],
    ["term4", "term7", *6 * ["term5"], "term6", "term2"],
    ["unknown"],
    [],
]


@pytest.mark.points(1)
@pytest.mark.parametrize("k", [3, 1, 7, 60])
def test_same_as_reading_everything(student, k):
    """The result is that of reading everything; equal scores stand by rising id, at the k-th place, too.

    zh: 结果与全部读完相同；得分相同的按 id 从小到大，第 k 名处也一样。
    """
    shelf = Shelf(0)
    shelf.bounds = {"once": 2.0, "first": 4.0, "twice": 1.5}
    shelf.lists = {"once": {"z": 1.75}, "first": {"x": 3.75, "y": 3.25}, "twice": {"z": 1.25}}
    ranked = [("z", 4.25), ("x", 3.75), ("y", 3.25)]  # after x, the rest may add up to 5
    assert_close(shelf.ask(student.top_k, ["twice", "once", "twice", "first"], k)[0], ranked[:k])
    ties = 0
    for seed in range(8):
        shelf = Shelf(seed, steps=(32,) if seed % 2 else (8, 24, 60), bounds=FLAT if seed % 4 < 2 else STEEP)
        for query in QUERIES:
            ranked = shelf.everything(query)
            ties += len(ranked) > k and ranked[k - 1][1] == ranked[k][1]
            assert_close(shelf.ask(student.top_k, query, k)[0], ranked[:k])
    assert k == 60 or ties > 1


@pytest.mark.points(1)
@pytest.mark.parametrize("k", [2, 5])
def test_postings_touched(student, reference, k):
    """No more is read and looked up than by the rule: by falling bound, and no new list once no unknown document can win.

    zh: 读和查的总量不超过规则：按上界从大到小；没见过的文档一旦不可能胜出，就不再读新的列表。
    """
    saved = 0
    for seed in range(4):
        shelf = Shelf(seed, documents=300)
        for query in QUERIES[:4]:
            _, allowed = shelf.ask(reference.top_k, query, k)
            found, cost = shelf.ask(student.top_k, query, k)
            # Which of two equal documents comes first is another test's matter.
            assert_close([score for _, score in found], [score for _, score in shelf.everything(query)[:k]])
            assert cost <= allowed, f"{cost} postings, where {allowed} are enough"
            saved += allowed < sum(len(shelf.lists.get(term, {})) for term in set(query))
    assert saved > 9
