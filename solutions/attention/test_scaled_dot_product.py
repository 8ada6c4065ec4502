"""Hidden tests of attention/scaled_dot_product."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_reference

# B, H, T, S, d_k, d_v: odd, prime and unit sizes; d_v never equals d_k, and T equals S once.
SIZES = [(2, 3, 5, 7, 16, 6), (1, 1, 1, 11, 3, 2), (3, 2, 13, 2, 64, 1), (2, 5, 7, 7, 2, 9)]


def random_qkv(sizes):
    B, H, T, S, d_k, d_v = sizes
    assert d_k != d_v, "the width of the values must not pass for the width of the keys"
    return torch.randn(B, H, T, d_k), torch.randn(B, H, S, d_k), torch.randn(B, H, S, d_v)


def random_mask(*shape):
    """Every query may attend to some keys, but not to all, and no two neighbouring rows agree."""
    mask = torch.rand(shape) < 0.6
    rows, keys = torch.arange(shape[-2]), shape[-1]
    mask[..., rows, rows % keys] = True
    mask[..., rows, (rows + 1) % keys] = False
    assert mask.any(dim=-1).all() and not mask.all(dim=-1).any()
    assert (mask[..., 1:, :] != mask[..., :-1, :]).any(dim=-1).all()
    return mask


def eighths(*shape):
    """Random multiples of 1/8: sums and products of a few are exact in float32, in any order."""
    return torch.randint(-16, 17, shape) / 8


@pytest.mark.points(1)
def test_softmax_axes(student, reference, unchanged):
    """Softmax runs along the axis it is told, and each slice along that axis sums to one by itself, in any dtype.

    zh: softmax 沿指定的轴计算，该轴上的每一条切片各自和为 1，各种浮点 dtype 都一样。
    """
    half, single, double = torch.float16, torch.float32, torch.float64
    for shape, dtype in [((5,), single), ((3, 7), half), ((2, 1, 5), double), ((2, 3, 4, 11), single)]:
        x = 2 * torch.randn(shape, dtype=dtype)
        assert_close(student.softmax(x), reference.softmax(x, dim=-1))
        for dim in range(-len(shape), len(shape)):
            weights = student.softmax(x, dim)
            assert_close(weights, reference.softmax(x, dim))
            assert_close(weights.sum(dim), torch.ones_like(x.sum(dim)))
    assert unchanged(student.softmax, torch.randn(2, 3)), "the logits are as they were"


@pytest.mark.points(1)
def test_softmax_large(student, reference):
    """Adding one large number to all logits of a slice changes nothing; nothing overflows or vanishes.

    zh: 给一条切片的所有 logits 加上同一个很大的数，结果不变；既不上溢，也不全部下溢成 0。
    """
    x = eighths(4, 5, 7)
    shift = torch.tensor([-4096.0, 0.0, 90.0, 2048.0, 4096.0])[:, None]
    assert x.std() > 0.5 and torch.equal((x + shift) - shift, x), "the shift itself must not round"
    assert_close(student.softmax(x + 4096.0), reference.softmax(x))
    assert_close(student.softmax(x + shift), reference.softmax(x))
    assert_close(student.softmax((x + shift).mT.contiguous(), 1), reference.softmax(x).mT.contiguous())
    # Far apart: neither the mean nor the first nor the smallest entry is a number that makes the slice harmless.
    wide = torch.tensor([[0.0, -3000.0, 2.0, 1.5], [-500.0, 500.0, 499.5, 0.0], [7.0, 120.0, -150.0, 119.0]])
    assert_close(student.softmax(wide), reference.softmax(wide.double()).float())
    assert_close(
        student.softmax(wide.mT.contiguous(), 0), reference.softmax(wide.double()).float().mT.contiguous()
    )
    huge = torch.tensor(
        [[-1e30, -1e30, -math.inf], [1e30, 1e30, 0.0], [-2e38, 2e38, -math.inf], [-1e10, -math.inf, -2e10]]
    )
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert_close(student.softmax(huge), expected)


@pytest.mark.points(1)
def test_softmax_minus_infinity(student, reference):
    """A logit of -inf gets weight 0; a slice of nothing but -inf gives zeros, not NaN, in float16 as in float32.

    zh: -inf 的 logit 权重为 0；整条切片都是 -inf 时结果全为 0，而不是 NaN，float16 和 float32 都一样。
    """
    for dtype in (torch.float32, torch.float16, torch.float64):
        x = torch.randn(3, 5, 4).to(dtype)
        x[0, :, 1] = -math.inf
        x[1, 2] = -math.inf
        x[2, 1:, 3] = -math.inf
        weights = student.softmax(x, -1)
        assert (weights[x == -math.inf] == 0).all()
        assert (weights[x > -math.inf] > 0).all()
        assert_close(weights, reference.softmax(x, -1))
        x[:, :, 2] = -math.inf
        assert_close(student.softmax(x, 1), reference.softmax(x, 1))


@pytest.mark.points(1)
def test_softmax_precision(student, reference):
    """Weights of float64 logits are as accurate as float64 allows: no step on the way is less precise.

    zh: float64 的 logits 得到 float64 应有的精度：中间没有哪一步精度更低。
    """
    for shape in [(5, 7), (3, 2, 11)]:
        x = torch.randn(shape, dtype=torch.float64)
        weights = student.softmax(x, -1)
        assert_close(weights, reference.softmax(x, -1), rtol=1e-13)
        assert_close(weights.sum(-1), torch.ones_like(x.sum(-1)), rtol=1e-13)
    far = torch.tensor([[100.0, 101.0, -math.inf], [-30.0, 0.0, 1.0]], dtype=torch.float64)
    assert_close(student.softmax(far, 1), reference.softmax(far, 1), rtol=1e-12)


@pytest.mark.points(1)
def test_softmax_gradient(student, reference, gradients):
    """The gradient of softmax is right, along whatever axis, and finite where logits are -inf.

    zh: 无论沿哪个轴，softmax 的梯度都正确；logits 为 -inf 的地方梯度也是有限值。
    """
    x, upstream = torch.randn(5, 7), torch.randn(5, 7)
    x[1, 3:] = -math.inf
    x[2] = -math.inf
    weights = reference.softmax(x)
    expected = weights * (upstream - (weights * upstream).sum(-1, keepdim=True))
    actual = gradients(student.softmax, x, upstream=upstream)
    assert expected[0].abs().max() > 0.05
    assert_close(actual.arguments[0], expected)
    actual = gradients(student.softmax, x.mT.contiguous(), 0, upstream=upstream.mT.contiguous())
    assert_close(actual.arguments[0], expected.mT.contiguous())


@pytest.mark.points(1)
def test_causal_mask(student, reference):
    """A query sees its own position and all earlier ones, and none later, wherever the first query stands.

    zh: 无论第一个查询在什么位置，每个查询都能看到自己和更早的位置，看不到更晚的位置。
    """
    sizes = [(5, 5, 0), (3, 7, 0), (7, 3, 0), (3, 7, 2), (2, 11, 9), (1, 6, 5), (1, 1, 0), (4, 2, 3)]
    for T, S, offset in sizes:
        mask = student.causal_mask(T, S, offset)
        assert mask.shape == (T, S) and mask.dtype == torch.bool
        for i in range(T):
            assert mask[i].tolist() == [j <= i + offset for j in range(S)]
    assert_close(student.causal_mask(13, 13), reference.causal_mask(13, 13, 0))


@pytest.mark.points(1)
def test_padding_mask(student, unchanged):
    """Exactly the first `length` keys of each sequence may be seen, by every head and query, whatever integers they are.

    zh: 每条序列恰好前 length 个键可见，对所有头、所有查询都一样；长度可以是任何整数 dtype。
    """
    for lengths, S, dtype in [
        ([3, 7, 1, 5], 7, torch.int64),
        ([2, 0, 4], 9, torch.int32),
        ([2], 5, torch.int16),
        ([1, 3], 3, torch.uint8),
    ]:
        mask = student.padding_mask(torch.tensor(lengths, dtype=dtype), S)
        assert mask.shape == (len(lengths), 1, 1, S) and mask.dtype == torch.bool
        for row, length in zip(mask, lengths, strict=True):
            assert row.flatten().tolist() == [True] * length + [False] * (S - length)
    assert unchanged(student.padding_mask, torch.tensor([2, 0]), 3), "the lengths are as they were"


@pytest.mark.points(1)
@pytest.mark.parametrize("d_k, d_v", [(1, 3), (64, 8), (512, 32)])
@own_or_reference("softmax")
def test_scale(student, reference, d_k, d_v):
    """Scores are divided by the square root of the key dimension.

    zh: 分数要除以键维度的平方根。
    """
    q, k, v = random_qkv((2, 3, 5, 7, d_k, d_v))
    output, weights = student.scaled_dot_product_attention(q, k, v)
    expected_output, expected_weights = reference.scaled_dot_product_attention(q, k, v)
    assert_close(weights, expected_weights)
    assert_close(output, expected_output)
    # Four times the width, filled up with zeros, halves the scores; twice the query doubles them again.
    wide_q, wide_k = torch.cat([2 * q, *3 * [0 * q]], -1), torch.cat([k, *3 * [0 * k]], -1)
    assert_close(student.scaled_dot_product_attention(wide_q, wide_k, v)[1], expected_weights)


@pytest.mark.points(1)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64], ids=str)
@own_or_reference("softmax")
def test_dtypes(student, reference, dtype):
    """Output and weights have the dtype of the inputs, and the accuracy that it allows.

    zh: 输出和权重的 dtype 与输入相同，并达到该 dtype 应有的精度。
    """
    q, k, v = (each.to(dtype) for each in random_qkv((2, 3, 5, 7, 16, 6)))
    output, weights = student.scaled_dot_product_attention(q, k, v)
    expected_output, expected_weights = reference.scaled_dot_product_attention(q, k, v)
    exact = {"rtol": 1e-12, "atol": 1e-12} if dtype == torch.float64 else {}
    assert_close(weights, expected_weights, **exact)
    assert_close(output, expected_output, **exact)


@pytest.mark.points(1)
@pytest.mark.parametrize("sizes", SIZES)
@own_or_reference("softmax")
def test_softmax_over_keys(student, reference, sizes):
    """Each query's weights sum to one over the keys, and the order of the keys does not matter.

    zh: 每个查询的权重在键上和为 1，而且与键的排列顺序无关。
    """
    q, k, v = random_qkv(sizes)
    output, weights = student.scaled_dot_product_attention(q, k, v)
    assert_close(weights.sum(-1), torch.ones(q.shape[:-1]))
    assert torch.equal(weights.argmax(-1), (q @ k.mT).argmax(-1)), "the best match has the largest weight"
    assert_close(output, weights @ v)
    order = torch.arange(sizes[3]).roll(1)
    again, moved = student.scaled_dot_product_attention(q, k[..., order, :], v[..., order, :])
    assert_close(moved, weights[..., order])
    assert_close(again, output)


@pytest.mark.points(1)
@pytest.mark.parametrize("sizes", [sizes for sizes in SIZES if sizes[3] > 1])
@own_or_reference("softmax")
def test_mask_before_softmax(student, reference, sizes):
    """Hidden keys take no share: the visible weights alone sum to one, and what is hidden may change freely.

    zh: 被遮住的键不占任何份额：可见的权重自己就和为 1，遮住的内容怎么变都不影响结果。
    """
    q, k, v = random_qkv(sizes)
    mask = random_mask(*q.shape[:-1], k.shape[-2])
    output, weights = student.scaled_dot_product_attention(q, k, v, mask)
    assert (weights[~mask] == 0).all()
    assert_close(weights.sum(-1), torch.ones(q.shape[:-1]))
    # Whatever the scores are: what all keys shared, the visible ones share in the same proportions.
    shares = student.scaled_dot_product_attention(q, k, v)[1] * mask
    assert_close(weights, shares / shares.sum(-1, keepdim=True))
    assert_close(output, weights @ v)
    mask[..., -1] = False
    mask[..., 0] = True
    visible = student.scaled_dot_product_attention(q, k[..., :-1, :], v[..., :-1, :], mask[..., :-1])
    k[..., -1, :], v[..., -1, :] = 50 * q.mean(-2), 1000.0
    assert_close(student.scaled_dot_product_attention(q, k, v, mask)[0], visible[0])


@pytest.mark.points(1)
@own_or_reference("softmax")
def test_fully_masked_row(student, reference, unchanged):
    """A query that may attend to nothing gets zero weights and a zero output; its neighbours are untouched.

    zh: 什么都不能看的查询，权重和输出全为 0；旁边的查询不受影响。
    """
    q, k, v = random_qkv((3, 2, 5, 7, 4, 6))
    mask = random_mask(3, 2, 5, 7)
    mask[0, 1, 2] = False
    mask[2] = False
    hidden = ~mask.any(-1)
    assert hidden.any() and not hidden.all()
    output, weights = student.scaled_dot_product_attention(q, k, v, mask)
    assert (output[hidden] == 0).all() and (weights[hidden] == 0).all()
    opened = student.scaled_dot_product_attention(q, k, v, mask | hidden[..., None])
    assert (weights[~hidden].sum(-1) > 0).all()
    assert_close(weights[~hidden], opened[1][~hidden])
    assert_close(output[~hidden], opened[0][~hidden])
    assert unchanged(student.scaled_dot_product_attention, q, k, v, mask), (
        "queries, keys, values, mask are as before"
    )


@pytest.mark.points(1)
@own_or_reference("softmax")
def test_large_logits(student, reference):
    """Scores in the thousands neither overflow nor vanish; only their differences count.

    zh: 分数成千上万时既不上溢也不下溢，起作用的只有它们之间的差。
    """
    d_k = 16  # its root is 4: every step is exact in float32, whatever the order of the operations
    q, k, v = eighths(2, 3, 5, d_k), eighths(2, 3, 7, d_k), torch.randn(2, 3, 7, 6)
    k[..., 0] = 1.0  # the first channel of a query now moves all of its scores together
    mask = random_mask(5, 7)
    q[..., 0] = 0.0
    small = student.scaled_dot_product_attention(q, k, v, mask)
    assert (small[1] > 0.1).sum(-1).float().mean() > 1.2, "several keys must share the weight"
    assert small[1][:, :, mask].std() > 0.05, "and not evenly"
    # In the first row every visible score lies about -25,000, below what many take for "minus infinity".
    q[..., 0] = torch.tensor([-98304.0, 8192.0, 0.0, -4096.0, 4096.0])
    output, weights = student.scaled_dot_product_attention(q, k, v, mask)
    assert_close(weights, small[1])
    assert_close(output, small[0])


@pytest.mark.points(1)
@pytest.mark.parametrize(
    "q_axes, kv_axes, mask_shape",
    [
        ((), (), (5, 7)),
        ((2, 3), (2, 1), (2, 1, 1, 7)),
        ((2, 3), (3,), (3, 1, 7)),
        ((3,), (2, 3), (5, 7)),
        ((2, 1, 3), (2, 2, 1), (7,)),
    ],
)
@own_or_reference("softmax")
def test_broadcast(student, reference, q_axes, kv_axes, mask_shape):
    """Leading axes of queries, keys and mask broadcast: no axes, shared keys, one mask for all.

    zh: 查询、键、掩码的前导轴可以广播：没有前导轴、多个头共用键、所有样本共用一个掩码。
    """
    T, S, d_k, d_v = 5, 7, 4, 6
    q, k, v = torch.randn(*q_axes, T, d_k), torch.randn(*kv_axes, S, d_k), torch.randn(*kv_axes, S, d_v)
    mask = torch.rand(mask_shape) < 0.5
    mask[..., 0], mask[..., -1] = True, False
    axes = torch.broadcast_shapes(q_axes, kv_axes)
    full_q, full_k, full_v = q.expand(*axes, T, d_k), k.expand(*axes, S, d_k), v.expand(*axes, S, d_v)
    for m in (None, mask):
        full_m = None if m is None else m.expand(*axes, T, S)
        output, weights = student.scaled_dot_product_attention(q, k, v, m)
        repeated = student.scaled_dot_product_attention(full_q, full_k, full_v, full_m)
        assert_close(weights.sum(-1), torch.ones(*axes, T))
        assert_close(weights, repeated[1])
        assert_close(output, repeated[0])


@pytest.mark.points(1)
@own_or_reference("softmax")
def test_mask_type(student, reference):
    """A mask that is not boolean is a TypeError; a boolean one is accepted.

    zh: 掩码不是布尔类型时抛出 TypeError；布尔掩码则正常工作。
    """
    q, k, v = random_qkv((2, 3, 5, 7, 4, 6))
    mask = random_mask(5, 7)
    output, weights = student.scaled_dot_product_attention(q, k, v, mask)
    assert_close(weights.sum(-1), torch.ones(q.shape[:-1]))
    assert_close(output, weights @ v)
    additive = torch.zeros(5, 7).masked_fill(~mask, -math.inf)
    numbers = [mask.to(dtype) for dtype in (torch.int64, torch.uint8, torch.float32, torch.float64)]
    for wrong in (*numbers, torch.ones(5, 7), additive):
        with pytest.raises(TypeError):
            student.scaled_dot_product_attention(q, k, v, wrong)


@pytest.mark.points(1)
@pytest.mark.parametrize("which", ["output", "weights"])
@own_or_reference("softmax")
def test_gradients(student, reference, gradients, which):
    """Gradients reach queries, keys and values, and stay finite when a query may attend to nothing.

    zh: 梯度能传到查询、键和值；有查询什么都看不到时梯度仍是有限值。
    """
    q, k, v = random_qkv((2, 3, 5, 7, 4, 6))
    mask = random_mask(2, 1, 5, 7)
    mask[0, 0, 2] = False
    mask[1, 0, :, 3] = False
    upstream = torch.randn(2, 3, 5, 6 if which == "output" else 7)
    options = {"upstream": upstream, "output": 0 if which == "output" else 1}
    actual = gradients(student.scaled_dot_product_attention, q, k, v, mask, **options)
    expected = gradients(reference.scaled_dot_product_attention, q, k, v, mask, **options)
    for gradient, wanted in zip(actual.arguments[:3], expected.arguments[:3], strict=True):
        assert_close(gradient, wanted)
    assert expected.arguments[1].abs().max() > 0.05
    assert (actual.arguments[0][0, :, 2] == 0).all()
    assert (actual.arguments[1][1, :, 3] == 0).all()
