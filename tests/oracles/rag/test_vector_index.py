"""The reference of rag/vector_index against scipy, faiss and brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autograder.testing import load_reference


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.filterwarnings("ignore:One of the clusters is empty")
@pytest.mark.parametrize(
    ("N", "K", "D", "rounds"), [(40, 5, 3, 1), (100, 9, 2, 6), (30, 4, 7, 20), (12, 3, 1, 2)]
)
@pytest.mark.parametrize("away", [False, True])
def test_kmeans_against_scipy(N: int, K: int, D: int, rounds: int, away: bool) -> None:
    from scipy.cluster.vq import kmeans2

    vectors, begin = draw(N, N, D).double(), draw(K, K, D).double()
    if away:
        begin[1] += 100
    centres, cells = load_reference("rag/vector_index").kmeans(vectors, begin, rounds)
    expected, _ = kmeans2(vectors.numpy(), begin.numpy(), iter=rounds, minit="matrix", missing="warn")
    np.testing.assert_allclose(centres.numpy(), expected, atol=1e-12)
    brute = ((vectors.numpy()[:, None] - expected) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(cells.numpy(), brute)


@pytest.mark.parametrize(("N", "K", "D"), [(200, 8, 4), (30, 12, 3), (9, 4, 2)])
@pytest.mark.parametrize("nprobe", [1, 3, 4])
def test_search_cells_against_faiss(N: int, K: int, D: int, nprobe: int) -> None:
    import faiss

    vectors, centres, queries = draw(N, N, D), 1.5 * draw(K, K, D), draw(7, 6, D)
    ids = 5 * torch.randperm(N, generator=torch.Generator().manual_seed(N)) + 3
    quantizer: Any = faiss.IndexFlatL2(D)
    quantizer.add(centres.numpy())
    index: Any = faiss.IndexIVFFlat(quantizer, D, K)
    index.is_trained = True
    index.add_with_ids(vectors.numpy(), ids.numpy())
    index.nprobe = nprobe
    nearest = torch.cdist(vectors, centres).argmin(1)
    cells = [(ids[nearest == cell], vectors[nearest == cell]) for cell in range(K)]
    for query in queries:
        distances, found = load_reference("rag/vector_index").search_cells(
            query, centres, cells.__getitem__, 5, nprobe
        )
        expected_distances, expected = index.search(query[None].numpy(), 5)
        filled = expected[0] >= 0  # faiss pads with -1
        np.testing.assert_array_equal(found.numpy(), expected[0][filled])
        np.testing.assert_allclose(distances.numpy(), expected_distances[0][filled], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("M", "bits", "W"), [(4, 4, 2), (2, 8, 3), (3, 2, 5)])
def test_product_quantizer_against_faiss(M: int, bits: int, W: int) -> None:
    import faiss

    K, D = 2**bits, M * W
    books, vectors, queries = draw(bits, M, K, W), draw(W, 120, D), draw(M, 5, D)
    theirs: Any = faiss.ProductQuantizer(D, M, bits)
    faiss.copy_array_to_vector(books.numpy().ravel(), theirs.centroids)
    mine = load_reference("rag/vector_index").ProductQuantizer(books)
    codes = mine.encode(vectors)
    assert codes.dtype == torch.uint8
    decoded = torch.cat([books[m][codes[:, m].long()] for m in range(M)], dim=1)
    np.testing.assert_allclose(
        theirs.decode(theirs.compute_codes(vectors.numpy())), decoded.numpy(), atol=1e-6
    )

    index: Any = faiss.IndexPQ(D, M, bits)
    index.pq = theirs
    index.is_trained = True
    index.add(vectors.numpy())
    for query in queries:
        distances, ids = mine.search(query, codes, 6)
        expected, _ = index.search(query[None].numpy(), 6)
        np.testing.assert_allclose(distances.numpy(), expected[0], rtol=1e-4, atol=1e-4)
        brute = ((decoded - query) ** 2).sum(1)
        np.testing.assert_allclose(distances.numpy(), brute[ids].numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(distances.numpy(), brute.sort().values[:6].numpy(), rtol=1e-4, atol=1e-5)
