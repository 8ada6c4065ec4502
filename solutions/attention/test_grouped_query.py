"""Hidden tests of attention/grouped_query."""

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, compare_gradients, load_by_name, own_or_reference

# d_model, num_heads, num_kv_heads: groups of three, MQA, MHA, heads of width one, and heads as wide as there are groups.
SIZES = [(24, 6, 2), (15, 5, 1), (20, 4, 4), (6, 6, 3), (16, 8, 2), (32, 4, 2)]


def shapes(d_model, num_heads, num_kv_heads, bias):
    """The parameters by the names of the statement."""
    width = d_model // num_heads * num_kv_heads
    sizes = {"q_proj": d_model, "k_proj": width, "v_proj": width, "out_proj": d_model}
    named = {f"{name}.weight": (rows, d_model) for name, rows in sizes.items()}
    return named | {f"{name}.bias": (rows,) for name, rows in sizes.items() if bias}


def modules(student, reference, *sizes, bias=False):
    """The student's module and the reference's, with the same weights; and those."""
    pair = [
        student.GroupedQueryAttention(*sizes, bias=bias),
        reference.GroupedQueryAttention(*sizes, bias=bias),
    ]
    weights = [load_by_name(module, shapes(*sizes, bias), scale=0.4) for module in pair]
    return *pair, weights[0]


def causal(queries, keys):
    """[T, S]: the last query sees the last key."""
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)


@pytest.mark.points(1)
def test_each_kv_head_repeated_in_place(student):
    """Query heads of one group read the same KV head, and the groups are neighbours.

    zh: 同一组的查询头读同一个 KV 头，而且一组之内的查询头是相邻的。
    """
    for B, H_kv, S, D, g in [
        (2, 2, 5, 4, 3),
        (1, 3, 3, 2, 2),
        (2, 5, 1, 3, 1),
        (3, 1, 4, 2, 7),
        (3, 3, 3, 3, 3),
    ]:
        for dtype in (torch.float32, torch.float64):
            x = torch.randn(B, S, H_kv, D, dtype=dtype).transpose(1, 2)
            assert_close(student.repeat_kv(x, g), torch.stack([x[:, h // g] for h in range(H_kv * g)], dim=1))


@pytest.mark.points(1.5)
@pytest.mark.parametrize("sizes", SIZES)
@own_or_reference("repeat_kv")
def test_grouped_outputs(student, reference, sizes):
    """Every query head reads the keys and values of its group, with scores scaled by the width of one head.

    zh: 每个查询头读本组的键和值，分数按单个头的宽度缩放。
    """
    for B, T, bias in [(2, 5, False), (1, 7, True), (3, 1, True)]:
        module, expected, _ = modules(student, reference, *sizes, bias=bias)
        x = torch.randn(B, sizes[0], T).transpose(1, 2)
        assert_close(module(x), expected(x).detach())
        assert_close(module(x, causal(T, T)), expected(x, causal(T, T)).detach())
    module.double()
    assert_close(module(x.double()), expected.double()(x.double()).detach())


@pytest.mark.points(1)
@pytest.mark.parametrize("shape", ["shared", "sequence", "head"])
@own_or_reference("repeat_kv")
def test_mask_of_query_heads(student, reference, unchanged, shape):
    """A mask may differ between sequences and between query heads, also within a group; True means "may attend".

    zh: 各条序列、各个查询头（同一组之内也一样）的掩码可以不同；True 表示“可以看”。
    """
    B, T, H = 3, 5, 6
    module, expected, _ = modules(student, reference, 24, H, 2)
    x = torch.randn(B, T, 24)
    mask = {
        "shared": torch.rand(T, T) < 0.5,
        "sequence": torch.rand(B, 1, 1, T) < 0.5,
        "head": torch.rand(B, H, T, T) < 0.5,
    }[shape]
    mask[..., 2] |= ~mask.any(-1)
    assert mask.any(-1).all() and not mask.all() and (mask.dim() == 2 or not torch.equal(mask[0], mask[1]))
    assert_close(module(x, mask), expected(x, mask).detach())
    assert unchanged(module, x, mask)


@pytest.mark.points(1.5)
@pytest.mark.parametrize("sizes", [(24, 6, 2), (12, 4, 1), (10, 5, 5)])
@own_or_reference("repeat_kv")
def test_cached_equals_full(student, reference, sizes):
    """Token after token, or several at once, with a cache: the outputs are those of the whole text at once.

    zh: 有缓存时，无论逐个词元还是一次几个，输出都与整段文本一次算完相同。
    """
    module, expected, _ = modules(student, reference, *sizes, bias=True)
    x = torch.randn(2, 8, sizes[0])
    full = expected(x, causal(8, 8)).detach()
    filled, cache = reference.GrowingCache(), student.GrowingCache()
    expected(x[:, :3], None, filled)
    cache.append(filled.keys.detach(), filled.values.detach())
    assert_close(module(x[:, 3:4], None, cache), full[:, 3:4])
    for cuts in [(4, 1, 3), (1, 1, 6), (8,)]:
        cache, end = student.GrowingCache(), 0
        for size in cuts:
            start, end = end, end + size
            output = module(x[:, start:end], causal(size, end) if size > 1 else None, cache)
            assert_close(output, full[:, start:end])
    assert_close(module(x, causal(8, 8)), full, message="without a cache nothing is remembered")


@pytest.mark.points(1)
@own_or_reference("repeat_kv")
def test_cache_holds_shared_heads(student, reference):
    """The cache gets keys and values as they come from their projections, with H_kv heads.

    zh: 放进缓存的，是投影直接得到的键和值，只有 H_kv 个头。
    """
    for C, H, H_kv in [(24, 6, 2), (15, 5, 1), (18, 6, 6)]:
        module, _, weights = modules(student, reference, C, H, H_kv, bias=True)
        x, cache = torch.randn(2, 5, C), student.GrowingCache()
        wanted = {
            name: F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
            .unflatten(2, (H_kv, C // H))
            .transpose(1, 2)
            .contiguous()
            for name in ("k_proj", "v_proj")
        }
        # Queries of zero like all keys equally: the output is made of means, whatever the scores.
        module.load_state_dict({n: 0 * w if n[0] == "q" else w for n, w in weights.items()})
        for start, end in [(0, 3), (3, 4), (4, 5)]:
            output = module(x[:, start:end], None, cache)
            means = wanted["v_proj"][:, :, :end].mean(2).repeat_interleave(H // H_kv, dim=1).flatten(1)
            read = F.linear(means, weights["out_proj.weight"], weights["out_proj.bias"])
            assert_close(output, read[:, None].expand_as(output).contiguous())
        assert_close(cache.keys, wanted["k_proj"])
        assert_close(cache.values, wanted["v_proj"])


@pytest.mark.points(1)
@pytest.mark.parametrize("sizes", SIZES[:3])
@own_or_reference("repeat_kv")
def test_gradients_of_a_group(student, reference, gradients, sizes):
    """Gradients reach the tokens and all parameters; a KV head collects those of its whole group.

    zh: 梯度传到词元和所有参数；一个 KV 头汇集整组查询头传来的梯度。
    """
    module, expected, weights = modules(student, reference, *sizes, bias=True)
    x, upstream = 0.5 * torch.randn(2, 4, sizes[0]), torch.randn(2, 4, sizes[0])
    names = [
        name for name in weights if name != "k_proj.bias"
    ]  # it shifts a row of scores: its gradient is 0
    compare_gradients(gradients, module, expected, x, causal(4, 4), upstream=upstream, parameters=names)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("dtype", "bias"), [(torch.float32, True), (torch.float64, False)])
def test_pooled_rows(student, unchanged, dtype, bias):
    """A new KV head is the mean of its group's neighbouring heads, biases as well; queries and output stay.

    zh: 新的 KV 头是本组相邻各头的平均，偏置也一样；查询和输出的投影不变。
    """
    for C, H, H_kv in SIZES:
        D, g = C // H, H // H_kv
        weights = {name: torch.randn(*shape, dtype=dtype) for name, shape in shapes(C, H, H, bias).items()}
        weights["v_proj.weight"] = weights["v_proj.weight"].T
        # The same with heads that are equal within each group: these lose nothing.
        equal = dict(weights)
        for name, tensor in weights.items():
            if name[0] in "kv":
                equal[name] = torch.cat([tensor[h // g * g * D :][:D] for h in range(H)])
        for given in (weights, equal):
            expected = {}
            for name, tensor in given.items():
                heads = [tensor[h * D : (h + 1) * D] for h in range(H)]
                if name[0] in "kv":
                    heads = [sum(heads[j * g : (j + 1) * g]) / g for j in range(H_kv)]
                expected[name] = torch.cat(heads)
            assert_close(student.mha_to_gqa(given, H, H_kv)[0], expected)
        assert unchanged(student.mha_to_gqa, weights, H, H_kv)


@pytest.mark.points(0.5)
def test_share_of_the_cache(student):
    """The cache shrinks with the number of KV heads, and with nothing else.

    zh: 缓存的大小只随 KV 头数缩小，与别的无关。
    """
    for C, H, H_kv in [*SIZES, (16, 16, 4)]:
        weights = {name: torch.randn(*shape) for name, shape in shapes(C, H, H, False).items()}
        assert_close(student.mha_to_gqa(weights, H, H_kv)[1], H_kv / H)
