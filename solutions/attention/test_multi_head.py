"""Hidden tests of attention/multi_head."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, own_or_reference

NAMES = ("q_proj", "k_proj", "v_proj", "out_proj")

# B, T, d_model, num_heads: also one sequence, one position, one head, heads of width one.
SIZES = [(2, 5, 12, 3), (1, 7, 10, 5), (3, 1, 8, 2), (2, 4, 6, 1), (2, 3, 7, 7)]


def random_weights(d_model, bias=True):
    """Weights that no transposition leaves unchanged, strong enough for attention far from uniform."""
    weights = {f"{name}.weight": 1.5 * torch.randn(d_model, d_model) / math.sqrt(d_model) for name in NAMES}
    assert all(not torch.allclose(weight, weight.T, atol=0.1) for weight in weights.values())
    if bias:
        weights |= {f"{name}.bias": torch.randn(d_model) for name in NAMES}
    return weights


def modules(student, reference, d_model, num_heads):
    """The student's module and the reference's, with the same weights; and those weights."""
    weights = random_weights(d_model)
    pair = [side.MultiHeadAttention(d_model, num_heads) for side in (student, reference)]
    for module in pair:
        module.load_state_dict(weights)
    return *pair, weights


def assert_same(actual, expected):
    """Output and weights agree."""
    output, weights = actual
    assert_close(weights, expected[1].detach())
    assert_close(output, expected[0].detach())


def assert_combined(output, weights, source, parameters):
    """The output is what these weights make of the source's values: one head for each group of channels."""
    H = weights.shape[1]
    values = F.linear(source, parameters["v_proj.weight"], parameters.get("v_proj.bias"))
    heads = weights @ values.unflatten(2, (H, -1)).transpose(1, 2)
    merged = heads.transpose(1, 2).flatten(2)
    assert_close(output, F.linear(merged, parameters["out_proj.weight"], parameters.get("out_proj.bias")))


def left_and_right_padded():
    """Three sequences of six positions: padding at the start, at the end, and in the middle."""
    return torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 0, 1]], dtype=torch.bool)


@pytest.mark.points(1)
def test_split_order(student):
    """Head h gets the neighbouring channels h * D to (h + 1) * D - 1 of every position.

    zh: 第 h 个头得到每个位置上相邻的第 h * D 到第 (h + 1) * D - 1 个通道。
    """
    for B, T, H, D in [(2, 5, 3, 4), (1, 7, 5, 2), (3, 3, 3, 3), (2, 1, 4, 3), (2, 6, 1, 5), (1, 4, 6, 1)]:
        for dtype in (torch.float32, torch.float64):
            x = torch.randn(B, T, H * D, dtype=dtype)
            heads = student.split_heads(x, H)
            assert_close(heads, torch.stack([x[:, :, h * D : (h + 1) * D] for h in range(H)], dim=1))


@pytest.mark.points(1)
def test_merge_order(student):
    """The heads' channels stand side by side at each position, head 0 first.

    zh: 每个位置上各头的通道依次并排，第 0 个头在最前。
    """
    for B, H, T, D in [(2, 3, 5, 4), (1, 5, 7, 2), (3, 3, 3, 3), (2, 4, 1, 3), (2, 1, 6, 5), (1, 6, 4, 1)]:
        for dtype in (torch.float32, torch.float64):
            heads = torch.randn(B, H, T, D, dtype=dtype)
            assert_close(student.merge_heads(heads), torch.cat([heads[:, h] for h in range(H)], dim=-1))


@pytest.mark.points(1)
@pytest.mark.parametrize("question", ["split_heads", "merge_heads"])
def test_non_contiguous(student, reference, question):
    """Transposed and strided views give the same results as contiguous copies; merging undoes splitting.

    zh: 转置、跨步得到的非连续视图，结果与其连续副本相同；切分之后再合并，得到原来的张量。
    """
    x = torch.randn(5, 12, 2).permute(2, 0, 1)
    heads = torch.randn(5, 4, 3, 4).permute(3, 2, 0, 1)[::2]
    assert not x.is_contiguous() and not heads.is_contiguous()
    if question == "split_heads":
        assert_close(getattr(student, question)(x, 3), reference.split_heads(x.contiguous(), 3))
    else:
        assert_close(getattr(student, question)(heads), reference.merge_heads(heads.contiguous()))
        assert_close(getattr(student, question)(reference.split_heads(x, 3)), x.contiguous())


@pytest.mark.points(1)
@pytest.mark.parametrize("causal", [False, True])
def test_attention_mask(student, unchanged, causal):
    """A key is visible if it is a real token and, where causal, not later than the query.

    zh: 一个键可见，当且仅当它是真实词元，并且（因果时）不晚于查询。
    """
    empty = torch.tensor([[False, False, False], [True, False, True]])  # the first is padding throughout
    short = [torch.tensor([[True, False]]), torch.tensor([[True], [False]])]
    for is_token in (left_and_right_padded(), torch.rand(4, 11) < 0.6, *short, empty):
        assert is_token.any() and not is_token.all()
        B, S = is_token.shape
        mask = student.attention_mask(is_token, causal)
        assert mask.dtype == torch.bool and mask.shape == (B, 1, S if causal else 1, S)
        for b in range(B):
            for i in range(mask.shape[2]):
                seen = [bool(is_token[b, j]) and (not causal or j <= i) for j in range(S)]
                assert mask[b, 0, i].tolist() == seen
    assert unchanged(student.attention_mask, empty, causal), "is_token is as it was"


@pytest.mark.points(1)
@pytest.mark.parametrize("B, T, d_model, num_heads", SIZES)
@own_or_reference("split_heads", "merge_heads")
def test_self_attention(student, reference, B, T, d_model, num_heads):
    """Without a context the sequence attends to itself, each head through its own slice of the projections.

    zh: 不给 context 时序列对自己做注意力，每个头用投影中属于自己的那一段。
    """
    module, expected, _ = modules(student, reference, d_model, num_heads)
    x = torch.randn(B, T, d_model)
    assert_same(module(x), expected(x))
    assert_same(module(x, x), expected(x))


@pytest.mark.points(1)
@pytest.mark.parametrize("d_model, num_heads", [(12, 3), (64, 16), (40, 2)])
@own_or_reference("split_heads", "merge_heads")
def test_per_head_scale(student, reference, d_model, num_heads):
    """Scores are scaled by the width of one head, not by that of the model.

    zh: 分数按单个头的宽度缩放，而不是按整个模型的宽度。
    """
    assert num_heads > 1 and d_model != num_heads
    module, expected, _ = modules(student, reference, d_model, num_heads)
    x = torch.randn(2, 5, d_model)
    expected_weights = expected(x)[1].detach()
    assert expected_weights.std() > 0.05, "nearly uniform weights would hide a wrong scale"
    assert_close(module(x)[1], expected_weights)


@pytest.mark.points(1)
@own_or_reference("split_heads", "merge_heads")
def test_heads_are_independent(student, reference):
    """Heads do not see each other: exchanging two heads' parameters exchanges their weights and nothing else.

    zh: 各头互不相见：交换两个头的参数，只会交换它们的权重，输出不变。
    """
    d_model, num_heads = 15, 3
    module, _, parameters = modules(student, reference, d_model, num_heads)
    x, context = torch.randn(2, 4, d_model), torch.randn(2, 7, d_model)
    output, weights = module(x, context)
    assert_close(weights.sum(-1), torch.ones(2, num_heads, 4))
    assert (weights[:, 1:] - weights[:, :-1]).abs().amax() > 0.05, "heads look at different things"
    order = torch.tensor([2, 0, 1])
    channels = torch.arange(d_model).view(num_heads, -1)[order].flatten()
    for name in NAMES[:3]:
        parameters[f"{name}.weight"] = parameters[f"{name}.weight"][channels]
        parameters[f"{name}.bias"] = parameters[f"{name}.bias"][channels]
    parameters["out_proj.weight"] = parameters["out_proj.weight"][:, channels]
    module.load_state_dict(parameters)
    assert_same(module(x, context), (output, weights[:, order]))


@pytest.mark.points(1)
@pytest.mark.parametrize("T, S", [(3, 7), (5, 2), (4, 4)])
@own_or_reference("split_heads", "merge_heads")
def test_cross_attention(student, reference, gradients, unchanged, T, S):
    """Queries come from the first sequence, keys and values from this call's context, whatever their lengths.

    zh: 查询来自第一条序列，键和值来自这一次调用的 context，两者长度可以不同。
    """
    module, _, parameters = modules(student, reference, 12, 3)
    x, context = torch.randn(2, T, 12), torch.randn(2, 2 * S, 12)[:, ::2]
    output, weights = module(x, context)
    assert weights.shape == (2, 3, T, S)
    assert_combined(output, weights, context, parameters)
    order = torch.arange(S).roll(1)
    assert_same(module(x, context[:, order]), (output, weights[..., order]))
    order = torch.arange(T).roll(1)
    assert_same(module(x[:, order], context), (output[:, order], weights[:, :, order]))
    assert_same(module(x), module(x, x))  # nothing is left of the context before
    modules(student, reference, 12, 4)
    assert_same(module(x, context), (output, weights))  # nor does another module change this one
    found = gradients(module, x, context, upstream=torch.randn(2, 3, T, S), output=1)
    for gradient in found.arguments[:2]:
        assert gradient.isfinite().all() and gradient.abs().max() > 1e-3, (
            "the weights depend on both sequences"
        )
    mask = torch.rand(2, 1, 1, S) < 0.5
    mask[0] = False
    assert unchanged(module, x, context, mask), "the sequences and the mask are as they were"


@pytest.mark.points(1)
@pytest.mark.parametrize("shape", ["sequence", "causal", "head", "both", "shared", "cross"])
@own_or_reference("split_heads", "merge_heads")
def test_masks(student, reference, shape):
    """Each sequence and each head obeys its own mask, or the one they share; what is hidden has no influence.

    zh: 每条序列、每个头都遵守自己的掩码，或者共用的那一张；被遮住的内容没有任何影响。
    """
    # "head": as many heads as sequences, so that a mask of three axes could be read as one for each sequence.
    B, T, H, d_model = {"shared": 6, "head": 2}.get(shape, 3), 6, 2, 8
    module, _, parameters = modules(student, reference, d_model, H)
    x = torch.randn(B, T, d_model)
    context = torch.randn(B, T, d_model) if shape == "cross" else None
    is_token = left_and_right_padded()
    mask = is_token[:, None, None, :]
    if shape == "causal":
        mask = mask & torch.ones(T, T, dtype=torch.bool).tril()
    elif shape == "head":
        mask = (torch.rand(H, T, T) < 0.5) | torch.eye(T, dtype=torch.bool)
    elif shape == "both":
        mask = (torch.rand(B, H, T, T) < 0.5) | torch.eye(T, dtype=torch.bool)
    elif shape == "shared":  # one mask for all, with as many sequences as queries: only the numbers tell
        mask = (torch.rand(T, T) < 0.5) | torch.eye(T, dtype=torch.bool)
        assert not torch.equal(mask, mask.T) and not mask.all()
    full = mask.expand(B, H, T, T)
    assert mask.dim() == 2 or not torch.equal(full[0], full[1]) or not torch.equal(full[:, 0], full[:, 1])
    output, weights = module(x, context, mask.clone())
    # Whatever the scores are: what all keys shared, the visible ones share in the same proportions.
    shares = module(x, context)[1] * full
    assert shares.max() > 0.1
    assert_close(weights, (shares / shares.sum(-1, keepdim=True)).nan_to_num())  # a row may be empty
    assert_combined(output, weights, x if context is None else context, parameters)
    if shape == "causal":
        changed = x.clone()
        changed[:, 4:] += 3.0
        assert_close(module(changed, None, mask)[0][:, :4], output[:, :4])


@pytest.mark.points(1)
@own_or_reference("split_heads", "merge_heads")
def test_query_that_sees_nothing(student, reference):
    """A query with no visible key has zero weights and a bias for output; its neighbours are untouched.

    zh: 一个键都看不到的查询，权重全为 0，输出就是最后那个投影的偏置；旁边的查询不受影响。
    """
    module, _, parameters = modules(student, reference, 12, 3)
    x = torch.randn(3, 6, 12)
    mask = left_and_right_padded()[:, None, None, :] & torch.ones(6, 6, dtype=torch.bool).tril()
    blind = ~mask.any(-1)[:, 0]
    assert blind.any() and not blind.all()
    output, weights = module(x, None, mask.clone())
    assert (weights.transpose(1, 2)[blind] == 0).all()
    assert_close(output[blind], parameters["out_proj.bias"].expand(int(blind.sum()), 12))
    opened = module(x, None, mask | blind[:, None, :, None])
    assert (weights.transpose(1, 2)[~blind].sum(-1) > 0).all()
    assert_close(weights.transpose(1, 2)[~blind], opened[1].transpose(1, 2)[~blind])
    assert_close(output[~blind], opened[0][~blind])


@pytest.mark.points(1)
@pytest.mark.parametrize("kind", ["self", "cross", "weights"])
@own_or_reference("split_heads", "merge_heads")
def test_gradients(student, reference, gradients, kind):
    """Gradients of output and weights reach the inputs and the projections, and stay finite under a mask.

    zh: 输出和权重的梯度都能传到输入和各个投影；有掩码时梯度仍是有限值。
    """
    module, expected, _ = modules(student, reference, 12, 3)
    x, context = torch.randn(3, 6, 12), torch.randn(3, 6, 12)
    mask = left_and_right_padded()[:, None, None, :] & torch.ones(6, 6, dtype=torch.bool).tril()
    inputs = (x, context if kind == "cross" else None, mask)
    output = 1 if kind == "weights" else 0
    upstream = torch.randn(3, 3, 6, 6) if kind == "weights" else torch.randn(3, 6, 12)
    wanted = gradients(expected, *inputs, upstream=upstream, output=output)
    actual = gradients(module, *inputs, upstream=upstream, output=output)
    # The keys' bias shifts a row of scores: its gradient is 0.
    names = ["q_proj.weight", "q_proj.bias", "k_proj.weight"]
    if kind != "weights":
        names += ["v_proj.weight", "v_proj.bias", "out_proj.weight", "out_proj.bias"]
    for name in names:
        assert_close(actual.parameters[name], wanted.parameters[name])
    assert wanted.parameters["k_proj.weight"].abs().max() > 0.1
    assert_close(actual.arguments[:2], wanted.arguments[:2])


@pytest.mark.points(1)
@own_or_reference("split_heads", "merge_heads")
def test_constructor(student, reference):
    """Without bias there are four weight matrices alone, of any dtype; a width heads can't share is a ValueError.

    zh: 没有偏置时只有四个权重矩阵，dtype 可以转换；宽度不能被头数整除时抛出 ValueError。
    """
    parameters = random_weights(10, bias=False)
    module, with_bias = student.MultiHeadAttention(10, 5, bias=False), student.MultiHeadAttention(10, 5)
    module.load_state_dict(parameters)
    with_bias.load_state_dict(parameters | {f"{name}.bias": torch.zeros(10) for name in NAMES})
    x, context = torch.randn(2, 3, 10), torch.randn(2, 4, 10)
    output, weights = module(x, context)
    assert_close(weights.sum(-1), torch.ones(2, 5, 3))
    assert_combined(output, weights, context, parameters)
    assert_same(with_bias(x, context), (output, weights))
    module.double()
    in_double = module(x.double(), context.double())
    assert_same([each.float() for each in in_double], (output, weights))
    assert [each.dtype for each in in_double] == [torch.float64] * 2
    for d_model, num_heads in [(10, 3), (4, 8)]:
        with pytest.raises(ValueError):
            student.MultiHeadAttention(d_model, num_heads)
