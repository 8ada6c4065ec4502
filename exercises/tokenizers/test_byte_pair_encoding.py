"""Public tests of tokenizers/byte_pair_encoding."""

import pytest


# Functions and no constants: every call of yours gets its own, whatever you do with it.
def four_words():
    """The words of Sennrich et al. 2016, algorithm 1."""
    return {tuple(b"low"): 5, tuple(b"lower"): 2, tuple(b"newest"): 6, tuple(b"widest"): 3}


def seven_merges():
    """What these words teach: es, est, lo, low, ew, new, newest."""
    return [(101, 115), (256, 116), (108, 111), (258, 119), (101, 119), (110, 260), (261, 257)]


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
    """The words low, lower, newest, widest teach the merges that can be found by hand.

    zh: low、lower、newest、widest 这几个词学到的合并，与手算一致。
    """
    assert [tuple(pair) for pair in student.train_merges(four_words(), 7)] == seven_merges()
    assert [tuple(pair) for pair in student.train_merges(four_words(), 3)] == seven_merges()[:3]
    assert [tuple(pair) for pair in student.train_merges(four_words(), 100, 9)] == seven_merges()[:2], (
        "'lo' occurs only 7 times: with min_count = 9 training stops before it"
    )


@pytest.mark.points(1)
def test_encode(student):
    """Ordinary text is cut into words and merged in the order of learning.

    zh: 普通文本先切词，再按学习的先后合并。
    """
    assert list(student.encode("lowest", seven_merges())) == [259, 257]
    assert list(student.encode("newest low", seven_merges())) == [262, 32, 259], (
        "the space belongs to the second word"
    )
    assert list(student.encode("好", seven_merges())) == [229, 165, 189], "no merge knows these three bytes"


@pytest.mark.points(1)
def test_encode_special(student):
    """An allowed special token is one id; one that is not allowed is plain text; an unknown name is an error.

    zh: 获准的特殊词元是一个编号；未获准的就是普通文本；没有定义的名字要报错。
    """
    special_tokens = {"<|end|>": 263}
    assert list(student.encode("low<|end|>low", seven_merges(), special_tokens, {"<|end|>"})) == [
        259,
        263,
        259,
    ]
    assert list(student.encode("<|end|>", seven_merges(), special_tokens)) == [
        60,
        124,
        101,
        110,
        100,
        124,
        62,
    ]
    with pytest.raises(ValueError):
        student.encode("low", seven_merges(), special_tokens, {"<|start|>"})


@pytest.mark.points(1)
def test_decode(student):
    """Ids become text again; half a character becomes U+FFFD; an id that stands for nothing is an error.

    zh: 编号还原成文本；半个汉字变成 U+FFFD；没有含义的编号要报错。
    """
    assert student.decode([259, 263, 262], seven_merges(), {"<|end|>": 263}) == "low<|end|>newest"
    assert student.decode([229, 165, 189, 229, 165], seven_merges()) == "好\ufffd"
    with pytest.raises(ValueError):
        student.decode([259, 263], seven_merges())
