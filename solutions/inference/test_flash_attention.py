"""Hidden tests of inference/flash_attention."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, own_or_reference

# B, H, T, S, D, causal, block_q, block_k: tiles that divide and tiles that don't, larger than all, of one, uneven.
TILES = [
    (2, 3, 11, 11, 5, True, 4, 3),
    (1, 2, 13, 13, 8, True, 2, 5),
    (2, 1, 7, 12, 3, False, 3, 5),
    (1, 1, 12, 5, 16, False, 5, 2),
    (3, 2, 9, 9, 1, True, 3, 3),
    (1, 2, 6, 6, 4, True, 1, 20),
    (1, 2, 6, 6, 4, True, 20, 1),
    (2, 2, 1, 10, 4, False, 7, 4),
]

LONG = 4160  # tokens whose scores don't fit into 64 MiB


def tokens(B, H, T, S, D, dtype=torch.float64):
    """Queries, keys and values, the heads' axis moved there as a layer does it: not contiguous."""
    made = [torch.randn(B, length, H, D, dtype=dtype).transpose(1, 2) for length in (T, S, S)]
    assert len({float(each.sum()) for each in made}) == 3
    return made


def all_at_once(q, k, v, causal):
    """Output and lse from the whole matrix of scores, in float64 on the way."""
    scores = q.double() @ k.double().mT / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
    output, lse = torch.softmax(scores, -1) @ v.double(), torch.logsumexp(scores, -1)
    return output.to(q.dtype), lse.to(q.dtype)


@pytest.mark.points(1)
@pytest.mark.parametrize("offset, spread", [(900.0, 3), (-900.0, 3), (9_990.0, 3), (0.0, 200)])
def test_block_at_any_height(student, unchanged, offset, spread):
    """Output and lse of a block are right, however large or small its scores, or their differences, are; float32 and float64 are kept.

    zh: 无论分数有多大多小、彼此差多少，一块的输出和 lse 都正确；float32 和 float64 保持不变。
    """
    for shape, D in [((2, 3, 5, 7), 4), ((1, 1), 1), ((3, 2, 1), 6)]:
        for dtype in (torch.float64, torch.float32):
            scores = spread * torch.randn(shape, dtype=dtype) + offset
            scores[..., ::2, :] -= 2 * offset  # neighbours are far apart
            values = torch.randn(*shape[:-2], shape[-1], D, dtype=dtype)
            output, lse = student.attend_block(scores, values)
            exact = torch.softmax(scores.double(), -1) @ values.double()
            assert_close(output, exact.to(dtype))
            assert_close(lse, torch.logsumexp(scores.double(), -1).to(dtype))
            assert unchanged(student.attend_block, scores, values)


@pytest.mark.points(1)
def test_block_with_hidden_rows(student):
    """A hidden key has no part in the result; a row that is hidden whole gives 0 and minus infinity, never NaN.

    zh: 被遮住的键不参与结果；整行被遮住时，输出为 0，lse 为负无穷，不会是 NaN。
    """
    scores, values = torch.randn(2, 4, 5), torch.randn(2, 5, 3)
    scores[0, 1] = scores[1, 3] = scores[0, 0, 1:4] = scores[1, 2, 4] = -math.inf
    output, lse = student.attend_block(scores, values)
    weights = torch.softmax(scores, -1).nan_to_num(0.0)
    assert (weights.sum(-1) == 0).sum() == 2
    assert_close(output, weights @ values)
    assert_close(lse, torch.logsumexp(scores, -1))


@pytest.mark.points(1.5)
@pytest.mark.parametrize("height", [0.0, -200.0, 800.0])
def test_merge_in_any_order(student, unchanged, height):
    """Four partial results give the same as all keys at once, in any order and grouping, and at any height of the lses.

    zh: 四份部分结果，无论按什么顺序、怎样分组来合并，也无论 lse 高低，都与一次看完所有键相同。
    """
    B, T, D = 2, 3, 4
    for dtype in (torch.float32, torch.float64):
        scores = (5 * torch.randn(B, T, 11) + height).to(dtype)
        values = torch.randn(B, 11, D, dtype=dtype)
        parts = []
        for some, theirs in zip(scores.split([1, 5, 3, 2], -1), values.split([1, 5, 3, 2], 1), strict=True):
            parts.append((torch.softmax(some, -1) @ theirs, torch.logsumexp(some, -1)))
        output, lse = (
            torch.softmax(scores.double(), -1) @ values.double(),
            torch.logsumexp(scores.double(), -1),
        )
        for a, b, c, d in itertools.islice(itertools.permutations(parts), 0, 24, 9):
            chain = student.merge(*student.merge(*student.merge(*a, *b), *c), *d)
            tree = student.merge(*student.merge(*a, *b), *student.merge(*c, *d))
            for found in (chain, tree):
                assert_close(found[0], output.to(dtype), rtol=1e-3, atol=1e-4)
                assert_close(found[1], lse.to(dtype), rtol=1e-5, atol=1e-4)
        assert unchanged(student.merge, *parts[0], *parts[1])


@pytest.mark.points(1)
def test_merge_with_nothing(student):
    """A part that saw no key changes nothing, on either side; two such parts give 0 and minus infinity, never NaN.

    zh: 什么键都没看到的一份，放在哪一边都不改变结果；两份都如此时，输出为 0，lse 为负无穷，不会是 NaN。
    """
    output, lse = torch.randn(2, 5, 3), torch.tensor([[0.3, -300.0, 700.0, -math.inf, 2.0]] * 2)
    output[:, 3] = 0.0
    nothing, hidden = torch.zeros(2, 5, 3), torch.full((2, 5), -math.inf)
    for found in (student.merge(nothing, hidden, output, lse), student.merge(output, lse, nothing, hidden)):
        assert_close(found[0], output)
        assert_close(found[1], lse)


@pytest.mark.points(2)
@pytest.mark.parametrize("B, H, T, S, D, causal, block_q, block_k", TILES)
@own_or_reference("attend_block", "merge")
def test_tiles_of_any_size(student, reference, unchanged, B, H, T, S, D, causal, block_q, block_k):
    """Whatever the sizes of the tiles, output and lse are those of one softmax over all scaled scores that a query sees.

    zh: 无论块有多大，输出和 lse 都与对一个查询看得到的全部缩放分数做一次 softmax 相同。
    """
    for dtype in (torch.float64, torch.float32):
        q, k, v = tokens(B, H, T, S, D, dtype)
        output, lse = student.flash_forward(q, k, v, causal, block_q, block_k)
        right = all_at_once(q, k, v, causal)
        assert_close(output, right[0])
        assert_close(lse, right[1])
        assert unchanged(student.flash_forward, q, k, v, causal, block_q, block_k)


@pytest.mark.points(1.5)
@pytest.mark.parametrize("step", [0.9, -0.9, 60.0])
@pytest.mark.parametrize("causal", [False, True])
@own_or_reference("attend_block", "merge")
def test_scores_that_rise(student, reference, step, causal):
    """The output is right where scores rise, or fall, from tile to tile: what was summed before is rescaled.

    zh: 分数逐块升高或降低时，输出都正确：先前累加的部分随之缩放。
    """
    T, D = 14, 4
    q, k, v = tokens(2, 1, T, T, D)
    q[..., 0], k[..., 0] = 2.0, step * (torch.arange(T, dtype=torch.float64) - 30)
    q[:, :, 1::3, 0], q[:, :, 2::3, 0] = -2.0, 0.0  # neighbours are far apart; some rise where others fall
    tops = [each.amax(-1) * q[..., 0] for each in (q @ k.mT / 2).split(3, -1)]
    assert all((b - a).mean() * step > 0 for a, b in itertools.pairwise(tops[:-1]))
    assert_close(student.flash_forward(q, k, v, causal, 4, 3)[0], all_at_once(q, k, v, causal)[0])


@pytest.mark.points(1)
@pytest.mark.parametrize("block_q, block_k", [(4, 6), (6, 4), (4, 4), (12, 3)])
@own_or_reference("attend_block", "merge")
def test_above_the_diagonal(student, reference, block_q, block_k):
    """Tiles wholly above the diagonal aren't touched: NaN in their keys and values does no harm.

    zh: 整个在对角线上方的块碰都不碰：那里的键和值是 NaN 也没有影响。
    """
    q, k, v = tokens(1, 2, 17, 17, 5)
    right = all_at_once(q, k, v, True)
    k[:, :, 12:] = v[:, :, 12:] = math.nan
    output, lse = student.flash_forward(q, k, v, True, block_q, block_k)
    assert_close(output[:, :, :12], right[0][:, :, :12])
    assert_close(lse[:, :, :12], right[1][:, :, :12])


@pytest.mark.points(1.5)
@pytest.mark.limits(memory_mb=64)
@own_or_reference("attend_block", "merge")
def test_forward_memory(student, reference):
    """A long sequence fits into 64 MiB where its scores would not, even if all queries are in one tile, and the result is right.

    zh: 很长的序列在 64 MiB 内存里算得完（全部分数放不下），哪怕所有查询都在同一块里；而且结果正确。
    """
    assert LONG * LONG * 4 > 64 << 20
    q, k, v = tokens(1, 1, LONG, LONG, 3, torch.float32)
    output, lse = student.flash_forward(q, k, v, False, LONG, 16)
    for i in (0, 1, 511, LONG // 2, LONG - 1):
        right = all_at_once(q[:, :, i : i + 1], k, v, False)
        assert_close(output[:, :, i : i + 1], right[0])
        assert_close(lse[:, :, i : i + 1], right[1])


@pytest.mark.points(1)
@pytest.mark.parametrize("N, D, block_q", [(11, 5, 4), (12, 3, 4), (1, 7, 1), (5, 2, 9), (1024, 64, 100)])
def test_traffic(student, N, D, block_q):
    """Plain and tiled attention move as many elements as their loops read and write, the last tile's included.

    zh: 普通注意力和分块注意力搬运的元素，与循环中读写的个数一致，最后一个不满的块也算在内。
    """
    plain, tiled = student.hbm_traffic(N, D, block_q)
    q = k = v = output = N * D
    table = N * N
    assert plain == (q + k + table) + (table + table) + (table + v + output)
    moved = 0
    for start in range(0, N, block_q):
        rows = min(block_q, N - start)
        moved += rows * D + sum(D + D for _ in range(N)) + rows * D + rows
    assert tiled == moved


def gradients_at_once(q, k, v, causal, grad_output):
    """What autograd finds for the library's attention, in float64."""
    tracked = [each.detach().double().requires_grad_() for each in (q, k, v)]
    output = F.scaled_dot_product_attention(*tracked, is_causal=causal)
    return [each.to(q.dtype) for each in torch.autograd.grad(output, tracked, grad_output.double())]


@pytest.mark.points(2)
@pytest.mark.parametrize("B, H, T, S, D, causal, block_q, block_k", TILES)
def test_gradients_of_tiles(student, unchanged, B, H, T, S, D, causal, block_q, block_k):
    """Whatever the sizes of the tiles, the gradients of queries, keys and values are those of plain attention.

    zh: 无论块有多大，查询、键、值的梯度都与普通注意力的相同。
    """
    for dtype in (torch.float64, torch.float32):
        q, k, v = tokens(B, H, T, S, D, dtype)
        k, grad_output = 3 * k, torch.randn(B, H, T, D, dtype=dtype)
        if causal:
            k[..., -1, :] *= 60  # hidden scores whose exponentials overflow
        arguments = (q, k, v, *all_at_once(q, k, v, causal), grad_output, causal, block_q, block_k)
        found = student.flash_backward(*arguments)
        expected = gradients_at_once(q, k, v, causal, grad_output)
        for name, actual, right in zip("qkv", found, expected, strict=True):
            assert_close(actual, right, message=f"the gradient of {name}")
        assert unchanged(student.flash_backward, *arguments)


@pytest.mark.points(1.5)
@pytest.mark.limits(memory_mb=64)
def test_backward_memory(student, reference):
    """The gradients of a long sequence fit into 64 MiB where its weights would not, and they are right.

    zh: 很长的序列在 64 MiB 内存里也算得出梯度（全部权重放不下），而且结果正确。
    """
    T, D = LONG, 3
    q, k, v = tokens(1, 1, T, T, D, torch.float32)
    grad_output = torch.randn(1, 1, T, D)
    output, lse = reference.flash_forward(q, k, v, True, 192, 192)
    arguments = (q, k, v, output, lse, grad_output)
    dq, dk, dv = (each[0, 0] for each in student.flash_backward(*arguments, True, 64, LONG))
    q, k, v, output, lse, grad_output = (each[0, 0].double() for each in arguments)
    delta = (grad_output * output).sum(-1)
    for i in (0, 300, T - 1):
        weights = torch.exp(k @ q[i] / math.sqrt(D) - lse[i])  # of query i
        weights[i + 1 :] = 0
        slopes = weights * (v @ grad_output[i] - delta[i]) / math.sqrt(D)
        assert_close(dq[i], (slopes @ k).float(), atol=1e-5)
        weights = torch.exp(q @ k[i] / math.sqrt(D) - lse)  # of key i
        weights[:i] = 0
        slopes = weights * (grad_output @ v[i] - delta) / math.sqrt(D)
        assert_close(dk[i], (slopes @ q).float(), atol=1e-5)
        assert_close(dv[i], (weights @ grad_output).float(), atol=1e-5)
