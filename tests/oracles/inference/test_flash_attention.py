"""The reference against PyTorch's attention, its gradients and the lse of its flash kernel for CPUs."""

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference

# B, H, T, S, D, block_q, block_k; causal only where T equals S.
SIZES = [
    (2, 3, 17, 17, 8, 5, 4),
    (1, 2, 1, 1, 1, 1, 1),
    (2, 1, 64, 64, 16, 16, 16),
    (1, 3, 33, 33, 5, 40, 7),
    (2, 2, 9, 31, 4, 4, 8),
    (1, 1, 40, 6, 32, 7, 5),
]
CASES = [
    (*sizes, causal) for sizes in SIZES for causal in (False, True) if sizes[2] == sizes[3] or not causal
]


@pytest.fixture(scope="module")
def ref():
    return load_reference("inference/flash_attention")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("B, H, T, S, D, block_q, block_k, causal", CASES)
def test_attention_of_the_library(ref, B, H, T, S, D, block_q, block_k, causal, dtype):
    q, k, v = (torch.randn(B, H, n, D, dtype=dtype, requires_grad=True) for n in (T, S, S))
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    with torch.no_grad():
        output, lse = ref.flash_forward(q, k, v, causal, block_q, block_k)
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal)
    assert_close(output, expected.detach())
    assert_close(output, kernel[0])
    assert_close(lse, kernel[1].to(dtype))
    upstream = torch.randn_like(output)
    found = ref.flash_backward(
        q.detach(), k.detach(), v.detach(), output, lse, upstream, causal, block_q, block_k
    )
    for actual, right in zip(found, torch.autograd.grad(expected, (q, k, v), upstream), strict=True):
        assert_close(actual, right)


@pytest.mark.parametrize("height", [0.0, 5_000.0, -5_000.0])
@pytest.mark.parametrize("cuts", [(3, 4), (1, 9), (5, 5), (2, 1, 6)])
def test_blocks_and_merge(ref, cuts, height):
    scores = torch.randn(2, 3, 5, sum(cuts), dtype=torch.float64) + height
    scores[0, 0, 1] = scores[:, :, 2, : cuts[0]] = -torch.inf
    values = torch.randn(2, 3, sum(cuts), 4, dtype=torch.float64)
    blocks = zip(scores.split(cuts, -1), values.split(cuts, -2), strict=True)
    output, lse = ref.attend_block(*next(blocks))
    for block in blocks:
        output, lse = ref.merge(output, lse, *ref.attend_block(*block))
    assert_close(output, torch.softmax(scores, -1).nan_to_num(0.0) @ values)
    assert_close(lse, torch.logsumexp(scores, -1))


class Counted:
    """A matrix in HBM that counts the elements read and written."""

    moved = 0

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns

    def touch(self, first=0, last=None):
        rows = range(self.rows)[first:last]
        Counted.moved += sum(1 for _ in rows for _ in range(self.columns))


@pytest.mark.parametrize(
    "N, D, block_q, block_k", [(7, 3, 2, 3), (12, 1, 4, 5), (1, 5, 1, 1), (10, 4, 16, 3)]
)
def test_traffic_is_what_loops_count(ref, N, D, block_q, block_k):
    q, k, v, output = (Counted(N, D) for _ in range(4))
    scores, weights, lse = Counted(N, N), Counted(N, N), Counted(N, 1)
    Counted.moved = 0
    for matrices in ((q, k, scores), (scores, weights), (weights, v, output)):
        for matrix in matrices:
            matrix.touch()
    plain, Counted.moved = Counted.moved, 0
    for i in range(0, N, block_q):
        q.touch(i, i + block_q)
        for j in range(0, N, block_k):
            k.touch(j, j + block_k)
            v.touch(j, j + block_k)
        output.touch(i, i + block_q)
        lse.touch(i, i + block_q)
    assert ref.hbm_traffic(N, D, block_q) == (plain, Counted.moved)
