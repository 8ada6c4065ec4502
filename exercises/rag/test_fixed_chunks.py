"""Public tests of rag/fixed_chunks."""

import pytest


def chunks_of(result):
    return [tuple(chunk) for chunk in result]


@pytest.mark.points(1)
def test_characters(student):
    """Windows of four characters that share one, with offsets into the text.

    zh: 每块四个字符、相邻共享一个字符的窗口，带原文偏移。
    """
    chunks = chunks_of(student.character_chunks("床前明月光疑是地霜", 4, 1))
    assert chunks == [(0, 4, "床前明月"), (3, 7, "月光疑是"), (6, 9, "是地霜")]
    assert chunks_of(student.character_chunks("abc", 5)) == [(0, 3, "abc")]


@pytest.mark.points(1)
def test_tokens(student):
    """Windows of two tokens; the space after a token, which the tokeniser skips, belongs to it.

    zh: 每块两个词元；分词器跳过的空格归它前面的词元。
    """

    def tokenize(text):
        return [(0, 3), (4, 7), (8, 11)]

    chunks = chunks_of(student.token_chunks("the cat sat", tokenize, 2, 1))
    assert chunks == [(0, 8, "the cat "), (4, 11, "cat sat")]


@pytest.mark.points(1)
def test_sentences(student):
    """Sentences end at Chinese and western marks, with the quotes and the space after them.

    zh: 句子在中西文句末标点处结束，带上后面的引号和空白。
    """
    text = "她问：“去吗？”没人回答……Pi is 3.14. OK"
    pieces = [text[start:end] for start, end in student.sentence_spans(text)]
    assert pieces == ["她问：“去吗？”", "没人回答……", "Pi is 3.14. ", "OK"]


@pytest.mark.points(1)
def test_sentence_windows(student):
    """Chunks are filled with whole sentences, and begin with the last one before where the overlap allows.

    zh: 用完整的句子装块；重叠允许时，新块从前一块的最后一句开始。
    """
    chunks = chunks_of(student.pack_spans("aaaa.bb.ccc.dd.", [(0, 5), (5, 8), (8, 12), (12, 15)], 8, 4))
    assert chunks == [(0, 8, "aaaa.bb."), (5, 12, "bb.ccc."), (8, 15, "ccc.dd.")]
    chunks = chunks_of(student.pack_spans("一二三。四五。六七八九。", [(0, 4), (4, 7), (7, 12)], 7, 3))
    assert chunks == [(0, 7, "一二三。四五。"), (7, 12, "六七八九。")], (
        "'四五。' fits the overlap of 3, but not beside the next sentence: 3 + 5 is over 7"
    )


@pytest.mark.points(1)
def test_recursive(student):
    """A text falls apart at blank lines first, and only a long paragraph at its spaces.

    zh: 先在空行处断开，只有太长的段落才在空格处断开。
    """
    text = "a b\n\nccc ddd eee\n\nf"
    chunks = chunks_of(student.recursive_chunks(text, 9, 0, ["\n\n", " "]))
    assert chunks == [(0, 5, "a b\n\n"), (5, 13, "ccc ddd "), (13, 18, "eee\n\n"), (18, 19, "f")]


@pytest.mark.points(1)
def test_impossible_windows(student):
    """An overlap as large as the size is an error: the windows would never move on.

    zh: 重叠与 size 一样大要报错：窗口永远不会前进。
    """
    with pytest.raises(ValueError):
        student.character_chunks("abc", 2, 2)
    assert chunks_of(student.character_chunks("abc", 2, 1)) == [(0, 2, "ab"), (1, 3, "bc")]
