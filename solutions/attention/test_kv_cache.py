"""Hidden tests of attention/kv_cache."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, own_or_given

# B, H, D, and how many tokens come at a time: also one sequence, one head, heads of width one.
APPENDS = [(2, 3, 5, (3, 1, 4, 2)), (1, 2, 7, (1, 1, 1, 5)), (3, 1, 1, (6,))]


def tokens(B, H, T, D, count=3, dtype=torch.float32):
    """Queries, keys and values, the heads' axis moved there as a layer does it: not contiguous."""
    made = [torch.randn(B, T, H, D, dtype=dtype).transpose(1, 2) for _ in range(count)]
    assert len({float(each.sum()) for each in made}) == count
    return made


def even_tokens(B, H, T, D):
    """Every token of a head has the same value: attention gives that value, whichever tokens are seen."""
    q, k, v = tokens(B, H, T, D)
    return q, k, v[:, :, :1].repeat(1, 1, T, 1)


def full_attention(q, k, v):
    """Everything computed anew: queries, keys and values of all tokens, and a causal mask."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def stale_cache(student, B, H, capacity, D, dtype=torch.float32):
    """The student's cache, empty again after it was full of NaN, and the sizes of what is appended from now on."""
    cache, sizes = student.KVCache(B, H, capacity, D, dtype), []
    nan = torch.full((B, H, capacity, D), math.nan, dtype=dtype)
    cache.append(nan, nan)
    cache.length = 0
    append = cache.append

    def counted(k, v):
        sizes.append(k.shape[2])
        return append(k, v)

    cache.append = counted
    return cache, sizes


def lent_cache(build, reference, B, H, capacity, D, dtype=torch.float32):
    """The same with the reference's cache behind it."""
    inner, sizes = reference.KVCache(B, H, capacity, D, dtype), []
    inner.keys.fill_(math.nan)
    inner.values.fill_(math.nan)
    cache = build("torch.nn.Module")

    def show():
        cache.keys, cache.values, cache.length = inner.keys, inner.values, inner.length

    def append(k, v):
        sizes.append(k.shape[2])
        inner.length = cache.length
        filled = inner.append(k, v)
        show()
        return filled

    show()
    cache.append = append
    return cache, sizes


def with_cache(check, student, reference, build, *sizes):
    """Questions 2 and 3 are right if they are with the student's own cache or with a right one."""

    def lent():
        return lent_cache(build, reference, *sizes)

    makers = iter([lambda: stale_cache(student, *sizes), lent])
    try:
        own_or_given(lambda: check(*next(makers)()), student)
    except NotImplementedError:  # perhaps of KVCache alone
        check(*lent())


@pytest.mark.points(1)
@pytest.mark.parametrize("B, H, D, cuts", APPENDS)
def test_append(student, B, H, D, cuts):
    """New tokens go behind the old ones; append returns all so far, and length counts them.

    zh: 新词元排在旧词元之后；append 返回目前全部的键和值，length 是它们的个数。
    """
    total = sum(cuts)
    k, v = tokens(B, H, total, D, count=2)
    cache, end = student.KVCache(B, H, total + 2, D), 0
    other = student.KVCache(B, H, total + 2, D)  # that of another layer
    for size in cuts:
        start, end = end, end + size
        keys, values = cache.append(k[:, :, start:end], v[:, :, start:end])
        assert_close(keys, k[:, :, :end])
        assert_close(values, v[:, :, :end])
        assert isinstance(cache.length, int)
        assert cache.length == end
        other.append(v[:, :, start:end], k[:, :, start:end])
    assert cache.keys.shape == cache.values.shape == (B, H, total + 2, D)
    assert_close(cache.keys[:, :, :total], k)
    assert_close(cache.values[:, :, :total], v)


@pytest.mark.points(1)
@pytest.mark.parametrize("filled", [0, 2, 5])
def test_capacity(student, filled):
    """The cache takes as many tokens as it has slots; one more is a ValueError that leaves it as it was.

    zh: 有多少槽位就能放多少词元；再多一个就抛出 ValueError，缓存保持原样。
    """
    k, v = tokens(2, 3, 6, 4, count=2)
    cache = student.KVCache(2, 3, 5, 4)
    if filled:
        cache.append(k[:, :, :filled], v[:, :, :filled])
    with pytest.raises(ValueError):
        cache.append(k[:, :, filled:], v[:, :, filled:])
    assert cache.length == filled
    assert_close(cache.keys[:, :, :filled], k[:, :, :filled])
    if filled < 5:
        keys, values = cache.append(k[:, :, filled:5], v[:, :, filled:5])
        assert_close(keys, k[:, :, :5])
        assert_close(values, v[:, :, :5])
    assert_close(student.KVCache(2, 3, 6, 4).append(k, v)[1], v)


@pytest.mark.points(1)
def test_free_slots(student):
    """After length is set back, new tokens take the slots of the forgotten ones, of which nothing is returned.

    zh: length 往回调之后，新词元占用作废词元的槽位；作废的内容一点也不会返回。
    """
    nan = torch.full((2, 3, 9, 4), math.nan)
    k, v = tokens(2, 3, 6, 4, count=2)
    cache = student.KVCache(2, 3, 9, 4)
    cache.append(nan, nan)
    cache.length = 0
    for kept, start, end in [(0, 0, 4), (2, 2, 3), (3, 3, 6)]:
        cache.length = kept
        keys, values = cache.append(k[:, :, start:end], v[:, :, start:end])
        assert_close(keys, k[:, :, :end])
        assert_close(values, v[:, :, :end])
    assert cache.length == 6


@pytest.mark.points(1)
@pytest.mark.limits(memory_mb=80)
def test_storage_is_made_once(student):
    """Appending a few tokens takes no memory that grows with the capacity: the storage is written in place.

    zh: 追加几个词元不会占用随容量增长的内存：直接写进原有的存储。
    """
    cache = student.KVCache(1, 2, 1 << 19, 8)  # 32 MiB of keys, 32 MiB of values
    k, v = tokens(1, 2, 5, 8, count=2)
    for start, end in [(0, 3), (3, 4), (4, 5)]:
        keys, values = cache.append(k[:, :, start:end], v[:, :, start:end])
    assert_close(keys, k)
    assert_close(values, v)


@pytest.mark.points(1)
@pytest.mark.parametrize("dtype", [None, torch.float64, torch.bfloat16])
def test_dtype(student, unchanged, dtype):
    """Keys and values are stored in the dtype that was asked for, float32 otherwise; what is appended isn't changed.

    zh: 键和值按指定的 dtype 存储，不指定则是 float32；传入的张量不被改动。
    """
    asked = {} if dtype is None else {"dtype": dtype}
    cache = student.KVCache(2, 3, 8, 4, **asked)
    k, v = tokens(2, 3, 4, 4, count=2, dtype=dtype or torch.float32)
    keys, values = cache.append(k, v)
    assert_close(keys, k)
    assert_close(values, v)
    assert cache.keys.dtype == cache.values.dtype == k.dtype
    assert unchanged(cache.append, k, v)


@pytest.mark.points(2)
@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("B, H, D, dtype", [(2, 3, 5, torch.float32), (1, 2, 1, torch.float64)])
def test_decode_equals_full(student, reference, build, past, B, H, D, dtype):
    """Step by step, each token gets what computing everything anew would give it.

    zh: 逐个词元解码，每个词元的结果都与全部重算时相同。
    """
    T = 7
    q, k, v = tokens(B, H, T, D, dtype=dtype)
    expected = full_attention(q, k, v)

    def check(cache, sizes):
        if past:
            cache.append(k[:, :, :past], v[:, :, :past])
        for t in range(past, T):
            new = slice(t, t + 1)
            output = student.decode_step(q[:, :, new], k[:, :, new], v[:, :, new], cache)
            assert_close(output, expected[:, :, new])
            assert cache.length == t + 1

    with_cache(check, student, reference, build, B, H, T + 3, D, dtype)


@pytest.mark.points(1)
def test_decode_takes_one_token(student, reference, build):
    """A decode step with several tokens is a ValueError, and none of them is stored.

    zh: 解码步收到多个词元时抛出 ValueError，一个也不存。
    """
    q, k, v = even_tokens(2, 3, 6, 4)

    def check(cache, sizes):
        cache.append(k[:, :, :3], v[:, :, :3])
        for end in (5, 6):
            with pytest.raises(ValueError):
                student.decode_step(q[:, :, 3:end], k[:, :, 3:end], v[:, :, 3:end], cache)
            assert cache.length == 3
        output = student.decode_step(q[:, :, 3:4], k[:, :, 3:4], v[:, :, 3:4], cache)
        assert_close(output, v[:, :, :1])
        assert cache.length == 4

    with_cache(check, student, reference, build, 2, 3, 9, 4)


@pytest.mark.points(1)
@pytest.mark.parametrize(
    "dtype, chunk_size", [(torch.float32, 3), (torch.float64, 1), (torch.float32, 7), (torch.float64, 20)]
)
def test_prefill_any_chunk_size(student, reference, build, unchanged, dtype, chunk_size):
    """Whatever the size of the chunks, each token gets what computing everything at once gives it.

    zh: 不管块有多大，每个词元的结果都与一次算完时相同。
    """
    q, k, v = tokens(2, 3, 7, 5, dtype=dtype)

    def check(cache, sizes):
        assert_close(student.prefill(q, k, v, cache, chunk_size), full_attention(q, k, v))
        assert cache.length == 7
        cache.length = 0
        assert unchanged(student.prefill, q, k, v, cache, chunk_size), (
            "an argument other than the cache is changed"
        )

    with_cache(check, student, reference, build, 2, 3, 11, 5, dtype)


@pytest.mark.points(2)
@pytest.mark.parametrize("B, H, D", [(2, 3, 4)])
@pytest.mark.parametrize("chunk_size", [3, 4, 9])
def test_prefill_second_turn(student, reference, build, chunk_size, B, H, D):
    """New tokens also see those that were in the cache before, and are counted on from there.

    zh: 新词元也看得到缓存里原有的词元，位置接着它们往下数。
    """
    q, k, v = tokens(B, H, 19, D)
    expected = full_attention(q, k, v)

    def check(cache, sizes):
        cache.append(k[:, :, :2], v[:, :, :2])
        for start, end in [(2, 9), (10, 14), (14, 19)]:
            if start == 10:
                cache.append(k[:, :, 9:10], v[:, :, 9:10])
            new = slice(start, end)
            output = student.prefill(q[:, :, new], k[:, :, new], v[:, :, new], cache, chunk_size)
            assert_close(output, expected[:, :, new])
        assert cache.length == 19

    with_cache(check, student, reference, build, B, H, 23, D)


@pytest.mark.points(1)
@pytest.mark.parametrize("T, chunk_size, chunks", [(9, 4, [4, 4, 1]), (6, 2, [2, 2, 2]), (5, 8, [5])])
def test_prefill_in_chunks(student, reference, build, T, chunk_size, chunks):
    """The cache gets one chunk at a time, each of `chunk_size` tokens but the last.

    zh: 每次只往缓存里追加一块，除最后一块外，每块都是 `chunk_size` 个词元。
    """
    q, k, v = even_tokens(2, 3, T, 4)

    def check(cache, sizes):
        output = student.prefill(q, k, v, cache, chunk_size)
        assert sizes == chunks
        assert_close(output, v)

    with_cache(check, student, reference, build, 2, 3, 9, 4)


@pytest.mark.points(1)
def test_bytes(student):
    """Keys and values of every layer, head, slot and sequence are counted, in bytes of their dtype.

    zh: 每一层、每个头、每个槽位、每条序列的键和值都算在内，按 dtype 的字节数计。
    """
    for dtype, size in [
        (torch.bfloat16, 2),
        (torch.float8_e4m3fn, 1),
        (torch.float32, 4),
        (torch.float16, 2),
        (torch.float64, 8),
    ]:
        for L, H, D, capacity, B in [(3, 5, 7, 11, 13), (1, 2, 1, 3, 1), (28, 4, 128, 32768, 6)]:
            found = student.kv_cache_bytes(L, H, D, capacity, B, dtype)
            assert type(found) is int
            assert found == sum(2 * H * D * capacity * size for layer in range(L) for sequence in range(B))
    assert student.kv_cache_bytes(3, 5, 7, 11) == 2 * 3 * 5 * 7 * 11 * 2
