"""Public tests of attention/multi_head: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(1)
def test_split_by_hand(student):
    """Two positions of four channels, two heads: head 0 gets the first two channels of both positions.

    zh: 两个位置、四个通道、两个头：第 0 个头得到两个位置的前两个通道。
    """
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]])
    expected = torch.tensor([[[[1.0, 2.0], [5.0, 6.0]], [[3.0, 4.0], [7.0, 8.0]]]])
    assert_close(student.split_heads(x, 2), expected)


@pytest.mark.points(1)
def test_split_bad_width(student):
    """Six channels make two or three heads, but not four or twelve: a ValueError.

    zh: 六个通道可以切成两个或三个头，切不成四个，也切不成十二个：抛出 ValueError。
    """
    x = torch.arange(6.0).view(1, 1, 6)
    assert_close(student.split_heads(x, 3), torch.tensor([[[[0.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]]]))
    for num_heads in (4, 12):
        with pytest.raises(ValueError):
            student.split_heads(x, num_heads)


@pytest.mark.points(1)
def test_merge_by_hand(student):
    """Two heads of two channels become four channels at each of two positions.

    zh: 两个头、各两个通道，合并成每个位置四个通道。
    """
    heads = torch.tensor([[[[1.0, 2.0], [5.0, 6.0]], [[3.0, 4.0], [7.0, 8.0]]]])
    assert_close(student.merge_heads(heads), torch.tensor([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]))


@pytest.mark.points(1)
def test_attention_mask_by_hand(student):
    """One padding position at the end: it is hidden from all, and with `causal` the future is hidden, too.

    zh: 末尾有一个填充位置：它对谁都不可见；`causal` 时未来的位置也不可见。
    """
    is_token = torch.tensor([[True, True, False]])
    assert_close(student.attention_mask(is_token), torch.tensor([[[[True, True, False]]]]))
    expected = torch.tensor([[[[True, False, False], [True, True, False], [True, True, False]]]])
    assert_close(student.attention_mask(is_token, causal=True), expected)


@pytest.mark.points(1)
def test_parameters_and_shapes(student):
    """The module takes weights by the names in the statement; weights are returned for every head.

    zh: 模块按题目给定的名字加载权重，并返回每个头各自的权重。
    """
    B, T, S, C, H = 2, 3, 5, 6, 2
    parameters = {}
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        parameters |= {f"{name}.weight": torch.randn(C, C), f"{name}.bias": torch.randn(C)}

    def check():
        module = student.MultiHeadAttention(C, H)
        module.load_state_dict(parameters)
        output, weights = module(torch.randn(B, T, C), torch.randn(B, S, C))
        assert output.shape == (B, T, C), f"the output has shape {tuple(output.shape)}"
        assert weights.shape == (B, H, T, S), f"the weights have shape {tuple(weights.shape)}"
        assert_close(
            weights.sum(-1), torch.ones(B, H, T), message="a query's weights sum to one in each head"
        )

    # Only shapes count here. Where your own split or merge gives others, the module is tested with these.
    own_or_given(
        check,
        student,
        split_heads=lambda x, num_heads: torch.zeros(B, H, x.shape[1], C // H),
        merge_heads=lambda x: torch.zeros(B, x.shape[2], C),
    )


@pytest.mark.points(1)
def test_module_by_hand(student):
    """Two heads of one channel: head 0 averages the keys evenly, head 1 prefers the second, unless a mask hides it.

    zh: 两个头各一个通道：第 0 个头对两个键平均分配，第 1 个头偏向第二个键；掩码遮住第二个键时都只看第一个。
    """
    parameters = {f"{name}.weight": torch.eye(2) for name in ("q_proj", "k_proj", "v_proj")}
    parameters["out_proj.weight"] = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    query = torch.tensor([[[0.0, 1.0]]])
    context = torch.tensor([[[6.0, 0.0], [0.0, math.log(4)]]])  # scores: head 0 has 0, 0; head 1 has 0, log 4

    def check():
        module = student.MultiHeadAttention(2, 2, bias=False)
        module.load_state_dict(parameters)
        output, weights = module(query, context)
        assert_close(weights, torch.tensor([[[[0.5, 0.5]], [[0.2, 0.8]]]]))
        heads = [0.5 * 6.0, 0.8 * math.log(4)]
        assert_close(output, torch.tensor([[[2 * heads[0], heads[0] + heads[1]]]]))
        output, weights = module(query, context, torch.tensor([[True, False]]))
        assert_close(
            weights, torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]]]]), message="the second key is hidden"
        )
        assert_close(output, torch.tensor([[[12.0, 6.0]]]))

    # What splitting and merging give here. Where your own lead elsewhere, the module is tested with these.
    split = {
        1: torch.tensor([[[[0.0]], [[1.0]]]]),
        2: torch.tensor([[[[6.0], [0.0]], [[0.0], [math.log(4)]]]]),
    }
    own_or_given(
        check,
        student,
        split_heads=lambda x, num_heads: split[x.shape[1]],
        merge_heads=lambda x: x.view(1, 1, 2),
    )
