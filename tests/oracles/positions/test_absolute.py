"""The reference of positions/absolute against DistilBERT's table, torch.nn.RNN, and loops."""

import pytest
import torch

from autograder.testing import assert_close, load_reference


@pytest.mark.parametrize("size", [(1, 2), (5, 6), (64, 32), (7, 5), (3, 1)])
def test_distilbert_table(size: tuple[int, int]) -> None:
    from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings

    reference = load_reference("positions/absolute")
    expected = torch.zeros(size)
    create_sinusoidal_embeddings(*size, expected)
    assert_close(reference.sinusoidal_table(*size), expected, atol=1e-5)


@pytest.mark.parametrize("offset", [0, 1, -4, 23])
@pytest.mark.parametrize("width", [2, 6, 16])
def test_shift_of_distilbert_table(offset: int, width: int) -> None:
    from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings

    table = torch.zeros(60, width)
    create_sinusoidal_embeddings(60, width, table)
    matrix = load_reference("positions/absolute").shift_matrix(offset, width)
    first = max(0, -offset)
    expected = table[first + offset : 30 + offset]
    assert_close(table[first:30] @ matrix.T, expected, atol=1e-5)
    assert_close(matrix @ matrix.T, torch.eye(width), atol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("size", [(1, 3), (4, 2), (7, 5)])
def test_extension_by_loops(alpha: float, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    n, width = size
    table = torch.randn(n, width, dtype=torch.float64)
    expected = torch.empty(n * n, width, dtype=torch.float64)
    for i in range(n):
        for j in range(n):
            for c in range(width):
                u_i = (table[i, c] - alpha * table[0, c]) / (1 - alpha)
                u_j = (table[j, c] - alpha * table[0, c]) / (1 - alpha)
                expected[i * n + j, c] = alpha * u_i + (1 - alpha) * u_j
    assert_close(load_reference("positions/absolute").extend_table(table, alpha), expected)


@pytest.mark.parametrize("size", [(1, 3), (2, 1), (12, 5)])
def test_torch_rnn(size: tuple[int, int]) -> None:
    """An RNN on zero input; its initial state is p_0, its outputs are the rows behind."""
    torch.manual_seed(0)
    length, width = size
    rnn = torch.nn.RNN(1, width, nonlinearity="tanh")
    p0 = torch.randn(width)
    outputs, _ = rnn(torch.zeros(length, 1), p0[None])
    actual = load_reference("positions/absolute").recurrent_positions(
        p0, rnn.weight_hh_l0, rnn.bias_hh_l0 + rnn.bias_ih_l0, length + 1
    )
    assert_close(actual[0], p0)
    assert_close(actual[1:], outputs)
