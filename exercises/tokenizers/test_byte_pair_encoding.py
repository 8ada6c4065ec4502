"""Public tests of tokenizers/byte_pair_encoding."""

import pytest

from autograder.testing import own_or_given


# Functions and no constants: every call of yours gets its own, whatever you do with it.
def four_words():
    """The words of Sennrich et al. 2016, algorithm 1."""
    return {tuple(b"low"): 5, tuple(b"lower"): 2, tuple(b"newest"): 6, tuple(b"widest"): 3}


def seven_merges():
    """What these words teach: es, est, lo, low, ew, new, newest."""
    return [(101, 115), (256, 116), (108, 111), (258, 119), (101, 119), (110, 260), (261, 257)]


def merge_word_knowing(steps):
    """A `merge_word` for one example: a later question is tested with it where your own leads elsewhere."""

    def merge_word(ids, pair, new_id):
        return steps[tuple(ids), tuple(pair), new_id]

    return merge_word


@pytest.mark.points(1)
def test_count_pairs(student):
    """Pairs are counted at every position of a word, times the word's frequency.

    zh: 统计词内每个位置上的相邻对，并乘以词的频次。
    """
    counts = student.count_pairs({(97, 97, 97): 5, (97, 98): 2, (98,): 9})
    assert {pair: counts[pair] for pair in counts} == {(97, 97): 10, (97, 98): 2}
    counts = student.count_pairs(four_words())
    assert counts[(101, 115)] == 9, "'es' is in newest (6 times) and in widest (3 times)"
    assert (116, 108) not in counts, "'t' ends one word and 'l' begins another: no pair"


@pytest.mark.points(1)
def test_merge_word(student):
    """A merge gives the new ids and the change of the pair counts.

    zh: 合并给出新的编号序列，以及相邻对计数的变化量。
    """
    ids, changes = student.merge_word([1, 2, 1, 2, 3, 1, 2], (1, 2), 256)
    assert list(ids) == [256, 256, 3, 256]
    assert changes[(1, 2)] == -3, "the pair itself is gone, three times"
    assert changes[(256, 3)] == 1, "a neighbour of the new token makes a new pair"
    assert len(changes) == 7, (
        "(1, 2), (2, 1), (2, 3), (3, 1), (256, 256), (256, 3) and (3, 256), nothing else"
    )
    ids, changes = student.merge_word([4, 5], (5, 4), 300)
    assert list(ids) == [4, 5] and len(changes) == 0, "where the pair is absent, nothing changes"


@pytest.mark.points(1)
def test_train(student):
    """The words abc (5 times), bc (once) and cd (5 times) teach bc, abc and cd, as can be found by hand.

    zh: abc（5 次）、bc（1 次）、cd（5 次）这三个词依次学到 bc、abc、cd，与手算一致。
    """
    bc, abc, cd = (98, 99), (97, 256), (99, 100)

    def check():
        words = {tuple(b"abc"): 5, tuple(b"bc"): 1, tuple(b"cd"): 5}
        assert [tuple(pair) for pair in student.train_merges(dict(words), 2)] == [bc, abc], (
            "'bc' occurs 6 times; then 'a' + 'bc' and 'c' + 'd' occur 5 times each, and (97, 256) is the smaller pair"
        )
        assert [tuple(pair) for pair in student.train_merges(dict(words), 9)] == [bc, abc, cd], (
            "after three merges no pair is left"
        )
        assert [tuple(pair) for pair in student.train_merges(dict(words), 9, 6)] == [bc], (
            "with min_count = 6 training stops before a pair that occurs 5 times"
        )

    steps = {
        ((97, 98, 99), bc, 256): ([97, 256], {(97, 98): -1, bc: -1, abc: 1}),
        ((98, 99), bc, 256): ([256], {bc: -1}),
        ((97, 256), abc, 257): ([257], {abc: -1}),
        ((99, 100), cd, 258): ([258], {cd: -1}),
    }
    counts = {(97, 98): 5, bc: 6, cd: 5}
    own_or_given(check, student, count_pairs=lambda words: dict(counts), merge_word=merge_word_knowing(steps))


@pytest.mark.points(1)
def test_encode(student):
    """Text is cut into words, and a word's pairs are merged in the order of learning, not from left to right.

    zh: 文本先切成词，词内按学习的先后合并，而不是从左到右。
    """
    merges = [(98, 99), (97, 98), (256, 32)]  # bc, ab, and bc with a space behind it

    def check():
        assert list(student.encode("abc", merges)) == [97, 256], "'bc' was learned before 'ab'"
        assert list(student.encode("abc abc", merges)) == [97, 256, 32, 97, 256], (
            "the space belongs to the second word, and no merge reaches across"
        )
        assert list(student.encode("好", merges)) == [229, 165, 189], "no merge knows these three bytes"

    steps = {
        ((97, 98, 99), (98, 99), 256): ([97, 256], {}),
        ((32, 97, 98, 99), (98, 99), 256): ([32, 97, 256], {}),
    }
    own_or_given(check, student, merge_word=merge_word_knowing(steps))


@pytest.mark.points(1)
def test_encode_special(student):
    """An allowed special token is one id; one that is not allowed is plain text; an unknown name is an error.

    zh: 获准的特殊词元是一个编号；未获准的就是普通文本；没有定义的名字要报错。
    """
    special_tokens = {"<|end|>": 263}
    assert list(student.encode("a<|end|>b", [], special_tokens, {"<|end|>"})) == [97, 263, 98]
    assert list(student.encode("a<|end|>b", [], special_tokens)) == list(b"a<|end|>b")
    with pytest.raises(ValueError):
        student.encode("a", [], special_tokens, {"<|start|>"})


@pytest.mark.points(1)
def test_decode(student):
    """Ids become text again; half a character becomes U+FFFD; an id that stands for nothing is an error.

    zh: 编号还原成文本；半个汉字变成 U+FFFD；没有含义的编号要报错。
    """
    assert student.decode([259, 263, 262], seven_merges(), {"<|end|>": 263}) == "low<|end|>newest"
    assert student.decode([229, 165, 189, 229, 165], seven_merges()) == "好\ufffd"
    with pytest.raises(ValueError):
        student.decode([259, 263], seven_merges())
