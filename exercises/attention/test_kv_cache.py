"""Public tests of attention/kv_cache: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, own_or_given


def column(*numbers):
    """One sequence, one head of width 1: [1, 1, T, 1]."""
    return torch.tensor(numbers).view(1, 1, -1, 1)


def with_cache(check, student, build, capacity):
    """Run the check with your own KVCache; where it fails, once more with this right one."""

    def given():
        cache, zeros = build("torch.nn.Module"), torch.zeros(1, 1, capacity, 1)
        stored = {"keys": zeros, "values": zeros}

        def append(k, v):
            start, end = cache.length, cache.length + k.shape[2]
            for name, new in (("keys", k), ("values", v)):
                stored[name] = torch.cat([stored[name][:, :, :start], new, zeros[:, :, end:]], dim=2)
            cache.keys, cache.values, cache.length = stored["keys"], stored["values"], end
            return stored["keys"][:, :, :end], stored["values"][:, :, :end]

        cache.keys, cache.values, cache.length, cache.append = zeros, zeros, 0, append
        return cache

    makers = iter([lambda: student.KVCache(1, 1, capacity, 1), given])
    try:
        own_or_given(lambda: check(next(makers)()), student)
    except NotImplementedError:  # perhaps of KVCache alone
        check(given())


@pytest.mark.points(1)
def test_append_by_hand(student):
    """Two tokens, then one more: the third goes into slot 2, and all three come back.

    zh: 先放两个词元，再放一个：第三个进第 2 号槽位，三个都返回。
    """
    cache = student.KVCache(1, 1, 4, 1)
    cache.append(column(1.0, 2.0), column(10.0, 20.0))
    keys, values = cache.append(column(3.0), column(30.0))
    assert_close(keys, column(1.0, 2.0, 3.0))
    assert_close(values, column(10.0, 20.0, 30.0))
    assert cache.length == 3
    assert cache.keys.shape == (1, 1, 4, 1), "the storage keeps its four slots"


@pytest.mark.points(1)
def test_full_cache(student):
    """Three tokens fit into three slots; a fourth is a ValueError.

    zh: 三个槽位放得下三个词元；第四个抛出 ValueError。
    """
    cache = student.KVCache(1, 1, 3, 1)
    cache.append(column(1.0, 2.0), column(1.0, 2.0))
    assert_close(cache.append(column(3.0), column(5.0))[1], column(1.0, 2.0, 5.0))
    with pytest.raises(ValueError):
        cache.append(column(4.0), column(4.0))


@pytest.mark.points(1)
def test_decode_running_mean(student, build):
    """A query of zero likes all keys equally: each token's output is the mean of the values so far.

    zh: 查询为 0 时对所有键一视同仁：每个词元的输出就是目前所有值的平均。
    """

    def check(cache):
        for value, mean in [(1.0, 1.0), (3.0, 2.0), (8.0, 4.0)]:
            output = student.decode_step(column(0.0), column(5.0), column(value), cache)
            assert_close(output, column(mean), message="the mean of all values so far, this token's included")

    with_cache(check, student, build, 5)


@pytest.mark.points(1)
def test_prefill_running_mean(student, build):
    """One token is there, five come in chunks of two: each still gets the mean of the values up to its own.

    zh: 缓存里已有一个词元，再来五个，每块两个：每个词元得到的仍是到它为止所有值的平均。
    """
    zeros = column(0.0, 0.0, 0.0, 0.0, 0.0)

    def check(cache):
        cache.append(column(0.0), column(1.0))
        output = student.prefill(zeros, zeros, column(3.0, 5.0, 7.0, 9.0, 11.0), cache, 2)
        assert_close(output, column(2.0, 3.0, 4.0, 5.0, 6.0))

    with_cache(check, student, build, 7)


@pytest.mark.points(1)
def test_bytes_of_llama(student):
    """Llama 3.1 8B (32 layers, 8 KV heads of width 128, bfloat16): 128 KiB for a token, 1 GiB for 8,192.

    zh: Llama 3.1 8B（32 层，8 个宽 128 的 KV 头，bfloat16）：每个词元 128 KiB，8,192 个词元 1 GiB。
    """
    assert student.kv_cache_bytes(32, 8, 128, 1) == 128 * 1024
    assert student.kv_cache_bytes(32, 8, 128, 8192) == 1024**3
