"""Public tests of attention/grouped_query: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, own_or_given


def heads(*numbers):
    """One sequence, one token, heads of width 1: [1, H, 1, 1]."""
    return torch.tensor(numbers).view(1, -1, 1, 1)


@pytest.mark.points(1)
def test_repeat_by_hand(student):
    """Two KV heads, groups of three: the query heads 0, 1, 2 read the first KV head, 3, 4, 5 the second.

    zh: 两个 KV 头，每组三个查询头：第 0、1、2 个查询头读第一个 KV 头，第 3、4、5 个读第二个。
    """
    assert_close(student.repeat_kv(heads(1.0, 2.0), 3), heads(1.0, 1.0, 1.0, 2.0, 2.0, 2.0))


@pytest.mark.points(1.5)
def test_means_by_hand(student):
    """A query of zero likes all keys equally: the heads 0 and 1 give the mean of KV head 0, the heads 2 and 3 that of KV head 1.

    zh: 查询为 0 时对所有键一视同仁：第 0、1 个头给出 KV 头 0 的平均，第 2、3 个头给出 KV 头 1 的平均。
    """
    first, second = torch.tensor([[[2.0, 10.0, 5.0, 7.0]]]), torch.tensor([[[4.0, 30.0, 1.0, 0.0]]])

    def check():
        module = student.GroupedQueryAttention(4, 4, 2)
        module.load_state_dict(
            {
                "q_proj.weight": torch.zeros(4, 4),
                "k_proj.weight": torch.ones(2, 4),
                "v_proj.weight": torch.eye(2, 4),  # the values are the first two channels
                "out_proj.weight": torch.eye(4),
            }
        )
        both = torch.tensor([[[3.0, 3.0, 20.0, 20.0]]])
        assert_close(module(torch.cat([first, second], dim=1)), both.expand(1, 2, 4).contiguous())
        cache = student.GrowingCache()
        assert_close(module(first, None, cache), torch.tensor([[[2.0, 2.0, 10.0, 10.0]]]))
        assert_close(module(second, None, cache), both)
        assert_close(cache.values, torch.tensor([[2.0, 4.0], [10.0, 30.0]]).view(1, 2, 2, 1))

    own_or_given(check, student, repeat_kv=lambda x, group_size: x[:, [0, 0, 1, 1]])


@pytest.mark.points(0.5)
def test_head_counts(student):
    """A width that the query heads can't share, or query heads that the KV heads can't, are a ValueError.

    zh: 宽度不能被查询头平分，或者查询头不能被 KV 头平分，都抛出 ValueError。
    """
    for valid in [(12, 6, 2), (12, 6, 6), (12, 6, 1)]:
        student.GroupedQueryAttention(*valid)
    for bad in [(12, 6, 4), (12, 5, 1), (12, 2, 4)]:
        with pytest.raises(ValueError):
            student.GroupedQueryAttention(*bad)


@pytest.mark.points(1.5)
def test_pool_by_hand(student):
    """Four heads of width 1 become two: the mean of heads 0 and 1, and that of heads 2 and 3; half of the cache is left.

    zh: 四个宽度为 1 的头变成两个：第 0、1 个的平均，第 2、3 个的平均；缓存剩下一半。
    """
    weights = {f"{name}_proj.weight": torch.eye(4) for name in ("q", "k", "v", "out")}
    weights["k_proj.weight"] = torch.diag(torch.tensor([2.0, 4.0, 6.0, 8.0]))
    converted, share = student.mha_to_gqa(weights, 4, 2)
    assert_close(converted["k_proj.weight"], torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 4.0]]))
    assert_close(converted["v_proj.weight"], torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]))
    assert_close(converted["q_proj.weight"], torch.eye(4))
    assert_close(share, 0.5)
