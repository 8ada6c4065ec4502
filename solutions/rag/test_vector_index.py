"""Hidden tests of rag/vector_index."""

import pytest
import torch

from autograder.testing import assert_close


def generator(seed):
    return torch.Generator().manual_seed(seed)


def squared(a, b):
    """[N, K] squared distances, of a [N, D] and b [K, D]."""
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def scattered(seed, N, K, D, dtype=torch.float32):
    """Vectors, and centres of very different lengths: the largest inner product is seldom the smallest distance."""
    vectors = torch.randn(N, D, generator=generator(seed), dtype=torch.float64)
    centres = torch.randn(K, D, generator=generator(seed + 1), dtype=torch.float64)
    centres = centres * torch.linspace(0.3, 2.0, K, dtype=torch.float64)[:, None]
    return vectors.to(dtype), centres.to(dtype)


@pytest.mark.points(1)
@pytest.mark.parametrize(("N", "K", "D"), [(23, 4, 3), (50, 7, 2), (17, 3, 5)])
def test_rounds_of_means(student, unchanged, N, K, D):
    """In each round a vector goes to the nearest centre, by distance, and each centre to the mean of its vectors.

    zh: 每一轮，向量按距离归到最近的中心，每个中心移到名下向量的均值。
    """
    for dtype, rounds in [(torch.float32, 1), (torch.float64, 4), (torch.float32, 0)]:
        vectors, begin = scattered(N, N, K, D, dtype)
        expected = begin.clone()
        for _ in range(rounds):
            cells = squared(vectors, expected).argmin(1)
            assert not torch.equal(cells, (vectors @ expected.T).argmax(1))
            for cell in cells.unique().tolist():
                expected[cell] = vectors[cells == cell].mean(0)
        assert_close(student.kmeans(vectors, begin, rounds)[0], expected)
        assert_close(student.kmeans(vectors.T.contiguous().T, begin, rounds)[0], expected)
        assert unchanged(student.kmeans, vectors, begin.clone(), rounds)


@pytest.mark.points(1)
@pytest.mark.parametrize("rounds", [1, 3])
def test_centres_without_vectors(student, rounds):
    """A centre without vectors stays where it is, and others move all the same.

    zh: 没有向量的中心留在原处，其余的照样移动。
    """
    vectors = torch.randn(19, 3, generator=generator(4)) + 2
    away = torch.tensor([[30.0, 1.0, 5.0], [2.0, 2.0, 2.0], [-40.0, 8.0, 2.0]])
    expected = torch.stack([away[0], vectors.mean(0), away[2]])
    assert_close(student.kmeans(vectors, away, rounds)[0], expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("N", "K"), [(31, 5), (47, 12), (5, 1)])
def test_cells_of_returned_centres(student, N, K):
    """Each vector's cell is that of the nearest returned centre, of equals the one with the lower number.

    zh: 每个向量所属的单元，取返回的中心里离它最近的那个；距离相等时取编号小的。
    """
    vectors, begin = scattered(N + K, N, K, 4)
    centres, cells = student.kmeans(vectors, begin, 1)
    assert_close(cells, squared(vectors, centres).argmin(1))
    before = squared(vectors, begin).argmin(1)
    assert K == 1 or not torch.equal(cells, before), "the last means moved no vector"
    # The first vector is as far from one centre as from the other.
    middle = torch.tensor([[2.0, 1.0], [5.0, 1.0], [-2.0, 1.0]])
    equal = torch.tensor([[9.0, 9.0], [4.0, 1.0], [0.0, 1.0], [4.0, 1.0]])
    assert_close(student.kmeans(middle, equal, 0)[1], torch.tensor([1, 1, 2]))


class Store:
    """Cells of an inverted file, with ids that are no places; `read` remembers which cells were asked for."""

    def __init__(self, vectors, centres, ids):
        cells = squared(vectors, centres).argmin(1)
        self.cells = [(ids[cells == cell], vectors[cells == cell]) for cell in range(len(centres))]
        self.asked = []

    def read(self, cell):
        self.asked.append(int(cell))
        return self.cells[cell]


def nearest(query, vectors, ids, k):
    """Distances and ids of the k nearest, with the lower id first among equals."""
    distances = squared(query[None], vectors)[0].tolist()
    order = sorted(range(len(ids)), key=lambda n: (distances[n], int(ids[n])))[:k]
    return torch.tensor([distances[n] for n in order], dtype=vectors.dtype), ids[order]


def shuffled_ids(seed, N):
    return 3 * torch.randperm(N, generator=generator(seed)) + 100


@pytest.mark.points(2)
@pytest.mark.parametrize("nprobe", [2, 1, 4])
def test_only_the_nearest_cells(student, nprobe):
    """The nprobe cells with the nearest centres are read, each once and no other, and all their vectors compete.

    zh: 读中心最近的 nprobe 个单元，每个一次，其余不读；读到的向量全部参与比较。
    """
    differ = 0
    for seed in range(4):
        vectors, centres = scattered(10 + seed, 61, 9, 6, torch.float64)
        ids = shuffled_ids(seed, 61)
        store = Store(vectors, centres, ids)
        query = torch.randn(6, generator=generator(50 + seed), dtype=torch.float64)
        probed = squared(query[None], centres)[0].argsort()[:nprobe].tolist()
        read_ids, read_vectors = zip(*map(store.read, probed), strict=True)
        expected = nearest(query, torch.cat(read_vectors), torch.cat(read_ids), 5)
        differ += not torch.equal(expected[1], nearest(query, vectors, ids, 5)[1])
        store.asked.clear()
        assert_close(student.search_cells(query, centres, store.read, 5, nprobe), expected)
        assert sorted(store.asked) == sorted(probed)
    assert nprobe == 4 or differ, "these cells hold everything that is near"
    corners = torch.tensor([[3.0, 0.0], [0.0, 2.0], [2.0, 0.0], [-2.0, 0.0], [0.0, -2.0]])
    store = Store(corners, corners, torch.arange(5))
    student.search_cells(torch.zeros(2), corners, store.read, 1, nprobe)
    assert sorted(store.asked) == [1, 2, 3, 4][:nprobe]


@pytest.mark.points(1)
@pytest.mark.parametrize("k", [3, 1, 40])
def test_every_cell_is_exact(student, k):
    """Where every cell is probed the search is exact, with empty cells, equal distances and fewer vectors than k.

    zh: 单元全部探查时，结果就是精确的，哪怕有空单元、有相等的距离、向量不足 k 个。
    """
    vectors = torch.randint(-2, 3, (27, 2), generator=generator(k)).float()
    centres = torch.tensor([[-1.0, 0.0], [50.0, 50.0], [1.0, 1.0], [0.0, -40.0], [1.0, -2.0]])
    ids = shuffled_ids(k, 27)
    store = Store(vectors, centres, ids)
    assert sum(len(own) == 0 for own, _ in store.cells) == 2
    for query in torch.tensor([[0.0, 0.0], [1.0, -1.0], [45.0, 45.0]]):
        expected = nearest(query, vectors, ids, k)
        assert_close(student.search_cells(query, centres, store.read, k, 5), expected)
    # An index that holds nothing at all.
    empty = Store(vectors[:0], centres, ids[:0])
    found = student.search_cells(torch.tensor([1.0, 2.0]), centres, empty.read, k, 5)
    assert_close(found, (torch.zeros(0), torch.zeros(0, dtype=torch.int64)))


def codebooks_and_vectors(M, K, W, N=29, dtype=torch.float32):
    books = torch.randn(M, K, W, generator=generator(M * K + W), dtype=torch.float64)
    books = books * torch.linspace(1.0, 3.0, M, dtype=torch.float64)[:, None, None]
    vectors = 2 * torch.randn(N, M * W, generator=generator(N + W), dtype=torch.float64)
    return books.to(dtype), vectors.to(dtype)


SIZES = [(3, 5, 2), (2, 256, 3), (5, 7, 1), (1, 3, 4)]


@pytest.mark.points(1)
@pytest.mark.parametrize(("M", "K", "W"), SIZES)
def test_code_of_each_run(student, M, K, W):
    """A code is the number of the nearest centre in the run's own codebook; a run is of neighbouring numbers.

    zh: 编码是这一段自己的码本里最近的中心的编号；一段由相邻的数组成。
    """
    books, vectors = codebooks_and_vectors(M, K, W)
    runs = vectors.split(W, dim=1)
    expected = torch.stack([squared(runs[m], books[m]).argmin(1) for m in range(M)], dim=1)
    quantizer = student.ProductQuantizer(books)
    assert_close(quantizer.encode(vectors), expected.to(torch.uint8))
    if 2 * K <= 256:  # each centre twice: of equals the lower number
        again = student.ProductQuantizer(torch.cat([books, books], dim=1)).encode(vectors)
        assert_close(again, expected.to(torch.uint8))
    for wrong in (torch.zeros(2, M * W + 1), torch.zeros(2, 2 * M * W)):
        with pytest.raises(ValueError):
            quantizer.encode(wrong)


@pytest.mark.points(2)
@pytest.mark.parametrize(("M", "K", "W"), SIZES)
def test_exact_query_decoded_vectors(student, unchanged, M, K, W):
    """A distance is that from the query as it is to the decoded vector, and among equals the lower id comes first.

    zh: 距离是未编码的查询到解码后的向量的距离；相等时 id 小的在前。
    """
    for dtype in (torch.float32, torch.float64):
        # Whole numbers: equal distances are equal in whichever order they are added up.
        books, vectors = (drawn.round() for drawn in codebooks_and_vectors(M, K, W, dtype=dtype))
        codes = torch.randint(0, K, (14, M), generator=generator(W)).to(torch.uint8)
        codes = torch.cat([codes, codes[:5]])  # equal codes, equal distances
        decoded = torch.cat([books[m][codes[:, m].long()] for m in range(M)], dim=1)
        quantizer = student.ProductQuantizer(books)
        for k in (7, 1, 30):
            expected = nearest(vectors[0], decoded, torch.arange(19), k)
            assert_close(quantizer.search(vectors[0], codes, k), expected)
        assert unchanged(quantizer.search, vectors[0], codes, 7)


@pytest.mark.points(1)
@pytest.mark.limits(memory_mb=96)
def test_lookups_fit_into_memory(student):
    """A search over 200,000 codes fits into 96 MiB, where the decoded vectors would not, and is right.

    zh: 在 96 MiB 内存里搜索二十万个编码（放不下解码后的向量），而且结果正确。
    """
    M, K, W, N = 8, 16, 128, 200_000
    assert N * W * 4 > 96 << 20
    books = torch.randn(M, K, W, generator=generator(1))
    query = torch.randn(M * W, generator=generator(2))
    codes = torch.randint(0, K, (N, M), generator=generator(3), dtype=torch.uint8)
    totals = torch.zeros(N)
    for m, part in enumerate(query.split(W)):
        totals += squared(part[None], books[m])[0][codes[:, m].long()]
    best = totals.topk(3, largest=False)
    assert best.values.diff().min() > 0.1
    assert_close(student.ProductQuantizer(books).search(query, codes, 3), (best.values, best.indices))
