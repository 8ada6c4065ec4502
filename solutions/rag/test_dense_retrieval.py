"""Hidden tests of rag/dense_retrieval."""

from fractions import Fraction
from itertools import pairwise

import pytest
import torch

from autograder.testing import assert_close


def vectors(seed, *shape, dtype=torch.float32):
    """Random vectors of very different lengths."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.logspace(-1, 1.5, shape[0])[torch.randperm(shape[0], generator=generator)]
    values = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return (values * lengths.reshape(-1, *[1] * (len(shape) - 1))).to(dtype)


@pytest.mark.points(1)
@pytest.mark.parametrize(("q", "n", "d", "k"), [(3, 11, 5, 4), (1, 7, 2, 7), (5, 23, 13, 1)])
def test_cosine_of_random_vectors(student, q, n, d, k):
    """A score is the cosine between query and document, whatever the lengths of both, in their dtype; the best come first.

    zh: 得分是查询与文档之间的余弦，与两边的长度无关，dtype 不变；最好的排在前面。
    """
    for dtype in (torch.float64, torch.float32):
        queries, documents = vectors(q, q, d, dtype=dtype), vectors(n, n, d, dtype=dtype)
        table = [
            [float(a @ b) / (float(a @ a) * float(b @ b)) ** 0.5 for b in documents.double()]
            for a in queries.double()
        ]
        order = [sorted(range(n), key=row.__getitem__, reverse=True) for row in table]
        assert all(
            row[i] - row[j] > 1e-4 for row, o in zip(table, order, strict=True) for i, j in pairwise(o)
        )
        scores, indices = student.cosine_top_k(queries, documents, k)
        assert_close(indices, torch.tensor(order)[:, :k])
        assert_close(scores, torch.tensor(table, dtype=dtype).gather(1, torch.tensor(order))[:, :k])


@pytest.mark.points(1)
def test_zero_vectors(student):
    """A zero vector has the score 0, as a document and as a query.

    zh: 零向量不论作为文档还是查询，得分都是 0。
    """
    queries, documents = (
        torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
        torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]),
    )
    scores, indices = student.cosine_top_k(queries, documents, 3)
    # Which document a score stands for, not how equal ones are ordered.
    assert_close(scores.gather(1, indices.argsort(1)), torch.tensor([[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))


@pytest.mark.points(1)
@pytest.mark.parametrize("k", [5, 1, 40, 64, 500])
def test_equal_scores_by_index(student, k):
    """Equal scores stand by rising index, and fewer documents than k, or none, give shorter results.

    zh: 同分的按下标从小到大；文档不足 k 篇或一篇也没有时，结果相应变短。
    """
    # Entries of +1/4 and -1/4 in 16 dimensions: lengths are 1, and all products are exact.
    generator = torch.Generator().manual_seed(3)
    units = torch.randint(0, 2, (64, 16), generator=generator).float() / 2 - 0.25
    queries, exact = units[:3], units[:3] @ units.T
    order = [sorted(range(64), key=lambda place, row=row: (-row[place], place)) for row in exact.tolist()]
    assert all(len(set(row)) < 20 for row in exact.tolist())
    scores, indices = student.cosine_top_k(queries, units, k)
    assert_close(indices, torch.tensor(order)[:, :k])
    assert_close(scores, exact.gather(1, torch.tensor(order))[:, :k])
    nothing = student.cosine_top_k(queries, units[:0], k)
    assert [tuple(part.shape) for part in nothing] == [(3, 0), (3, 0)]


def relevance_and_similarity(seed, n):
    """Cosines of random vectors in few dimensions, so that some are near each other."""
    generator = torch.Generator().manual_seed(seed)
    units = torch.nn.functional.normalize(
        torch.randn(n + 1, 3, generator=generator, dtype=torch.float64), dim=-1
    )
    return units[1:] @ units[0], units[1:] @ units[1:].T


@pytest.mark.points(1)
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
def test_first_pick(student, lam):
    """The most relevant document is picked first, for every lambda; of equal ones that with the lowest index.

    zh: 不管 lambda 是多少，第一篇总是最相关的；相等时取下标最小的。
    """
    for seed in range(5):
        relevance, similarity = relevance_and_similarity(seed, 7)
        relevance[0] = -0.5  # never the best
        first = int(relevance.argmax())
        assert student.mmr(relevance, similarity, 1, lam) == [first]
        assert student.mmr(relevance, similarity, 3, lam)[0] == first
        other = 1 + (first + 2) % 6
        relevance[other] = relevance[first]
        assert student.mmr(relevance, similarity, 2, lam)[0] == min(first, other)


@pytest.mark.points(1)
@pytest.mark.parametrize("lam", [0.5, 0.0, 0.3, 0.8, 1.0])
def test_penalty_by_the_nearest(student, unchanged, lam):
    """Each further pick weighs relevance against the similarity to the nearest of all earlier picks.

    zh: 以后每一篇，都用相关度去权衡它与所有已选文档中最近那篇的相似度。
    """
    for seed in range(6):
        relevance, similarity = relevance_and_similarity(seed, 13)
        for k in (2, 6, 13, 20):
            picked = student.mmr(relevance, similarity, k, lam)
            assert len(picked) == min(k, 13) == len(set(picked))
            for place in range(1, len(picked)):
                before = picked[:place]
                value = lam * relevance - (1 - lam) * similarity[:, before].max(dim=1).values
                left = [index for index in range(13) if index not in before]
                assert float(value[picked[place]]) >= max(float(value[index]) for index in left) - 1e-9
    assert unchanged(student.mmr, relevance, similarity, 5, lam), "relevance and similarity are as they were"
    # All alike: the index decides.
    assert student.mmr(torch.full((5,), 0.5), torch.full((5, 5), 0.25), 4, lam) == [0, 1, 2, 3]


@pytest.mark.points(1)
@pytest.mark.parametrize("constant", [60, 7, 0])
def test_reciprocal_ranks(student, constant):
    """Each list adds 1 / (constant + rank) to the documents it holds, from rank 1 on, and nothing to any other.

    zh: 每份列表给其中的文档加 1 / (constant + rank)，rank 从 1 数起；不在列表里的不加分。
    """
    long = [f"doc{place}" for place in (4, 0, 8, 2, 5, 7, 1)]
    rankings = [long, ["doc7", "new", "doc0"], [], ["doc2"], ["doc0", "doc4", "doc2", "doc7"]]
    exact = {
        name: sum(Fraction(1, constant + ranking.index(name) + 1) for ranking in rankings if name in ranking)
        for name in [*long, "new"]
    }
    expected = [(name, float(exact[name])) for name in sorted(exact, key=exact.__getitem__, reverse=True)]
    assert all(first[1] - second[1] > 1e-6 for first, second in pairwise(expected))
    assert_close(student.fuse_rankings(rankings, constant), expected)
    assert_close(student.fuse_rankings([[], ["a"]], constant), [("a", 1 / (constant + 1))])


def tokens(seed, t, n, s, d, dtype=torch.float64):
    """Token vectors of a query and of documents, and the mask of documents of different lengths, one of them full."""
    generator = torch.Generator().manual_seed(seed)
    query, documents = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) + 0.3 for shape in ((t, d), (n, s, d))
    )
    lengths = 1 + torch.randperm(n, generator=generator) % s
    lengths[n // 2] = s
    return query.to(dtype), documents.to(dtype), torch.arange(s) < lengths[:, None]


def by_loops(query, documents, mask):
    return torch.stack(
        [
            sum(max(token @ other for other in document[row]) for token in query)
            for document, row in zip(documents, mask, strict=True)
        ]
    )


@pytest.mark.points(1)
@pytest.mark.parametrize(("t", "n", "s", "d"), [(3, 5, 7, 4), (1, 1, 1, 3), (7, 3, 2, 5)])
def test_padded_document_tokens(student, t, n, s, d):
    """A score sums, over query tokens, the best product with a real document token, even if all are negative.

    zh: 对查询的每个词元取它与真实文档词元的最大点积，再求和，全为负数时也一样。
    """
    everything = torch.ones(t, dtype=torch.bool)
    for dtype in (torch.float64, torch.float32):
        query, documents, mask = tokens(t + n, t, n, s, d, dtype)
        assert_close(student.maxsim(query, documents, everything, mask), by_loops(query, documents, mask))
        opposite = -query.abs(), documents.abs()
        assert_close(student.maxsim(*opposite, everything, mask), by_loops(*opposite, mask))
        if n > 1:
            mask[0] = False
            scores = student.maxsim(query, documents, everything, mask)
            assert float(scores[0]) == -torch.inf
            assert_close(scores[1:], by_loops(query, documents[1:], mask[1:]))
            everything[0] = t == 1  # padding on both sides
            assert float(student.maxsim(query, documents, everything, mask)[0]) == -torch.inf
            everything[0] = True


@pytest.mark.points(1)
@pytest.mark.parametrize("shape", [(6, 4, 5, 3), (2, 3, 1, 4)])
def test_padded_query_tokens(student, shape):
    """Padding of the query adds nothing: the scores are those of the query without it.

    zh: 查询里的填充不加分：得分与去掉填充的查询相同。
    """
    query, documents, mask = tokens(11, *shape)
    mask = torch.ones_like(mask)
    for query_mask in (torch.arange(shape[0]) < shape[0] - 1, torch.arange(shape[0]) == shape[0] // 2):
        real = query[query_mask]
        expected = student.maxsim(real, documents, torch.ones(len(real), dtype=torch.bool), mask)
        assert len(set(expected.tolist())) == len(documents)
        assert_close(student.maxsim(query, documents, query_mask, mask), expected)
        assert_close(
            student.maxsim(1e3 * query * ~query_mask[:, None] + query, documents, query_mask, mask), expected
        )
