"""Hidden tests of rag/fixed_chunks."""

import random
import re

import pytest

from autograder.testing import check_any, with_answers

ALWAYS_ENDS, MAY_END, CLOSERS = "。！？…", ".!?", "”’」』）》〉】\"')]}"
# Code points of one to four bytes, and sequences that look like one character but are several.
MIXED = "aß中😀𠮷e\u0301👩‍👧 \u3000。…”.!?\n,;)"


def mixed_text(rng, length):
    return "".join(rng.choices(MIXED, k=length))


def chunks_of(result):
    return [tuple(chunk) for chunk in result]


def cut(text, spans):
    return [(start, end, text[start:end]) for start, end in spans]


def check_chunks(text, chunks, size=None, overlap=0):
    """What holds for every chunker: offsets slice, ends grow, nothing is lost, nothing is over the limit."""
    previous_start, previous_end = 0, 0
    for start, end, part in chunks:
        assert part == text[start:end] and start < end
        assert end > previous_end and previous_start <= start <= previous_end
        assert previous_end - start <= overlap
        assert size is None or end - start <= size
        previous_start, previous_end = start, end
    assert previous_end == len(text)
    if overlap == 0:
        assert "".join(part for _, _, part in chunks) == text


GRID = [(1, 0), (2, 0), (2, 1), (5, 0), (5, 2), (5, 4), (7, 3), (13, 5)]


@pytest.mark.points(1)
def test_character_windows(student):
    """Each window begins size - overlap after the one before and has size characters.

    zh: 每个窗口长 size，起点比前一个靠后 size - overlap。
    """
    rng = random.Random(1)
    for size, overlap in GRID:
        for length in (1, size, size + 1, 2 * size + 1, 31, 53):
            text = mixed_text(rng, length)
            chunks = chunks_of(student.character_chunks(text, size, overlap))
            starts = [
                start for start in range(0, length, size - overlap) if start == 0 or start + overlap < length
            ]
            assert chunks == cut(text, [(start, min(start + size, length)) for start in starts])


@pytest.mark.points(1)
def test_last_chunk(student):
    """The last chunk may be short, is never lost, and never lies inside the one before it.

    zh: 最后一块可以短，但不能丢，也不能完全落在前一块里面。
    """
    text = "0123456789"
    for size, overlap, ends in [
        (4, 0, [4, 8, 10]), (4, 2, [4, 6, 8, 10]), (5, 3, [5, 7, 9, 10]), (6, 2, [6, 10]),
        (9, 8, [9, 10]), (10, 7, [10]), (11, 9, [10]), (5, 0, [5, 10]),
    ]:  # fmt: skip
        chunks = chunks_of(student.character_chunks(text, size, overlap))
        assert [end for _, end, _ in chunks] == ends
        check_chunks(text, chunks, size, overlap)
    assert chunks_of(student.character_chunks("x", 3, 2)) == [(0, 1, "x")]
    assert chunks_of(student.character_chunks("", 3, 2)) == []


@pytest.mark.points(1)
def test_code_points(student):
    """Sizes and offsets count code points, as len does: not bytes, not UTF-16 units.

    zh: 长度和偏移按码位计（与 len 一致），不是字节，也不是 UTF-16 单元。
    """
    text = (
        "a😀b中𠮷\u0301👩‍👧é。x"  # sizes that divide its length, and no overlap: other tests are about those
    )
    assert len(text) == 12 and len(text.encode()) > 30
    for size in (2, 3, 4):
        spans = [(start, start + size) for start in range(0, 12, size)]
        assert chunks_of(student.character_chunks(text, size)) == cut(text, spans)
    assert chunks_of(student.character_chunks("汉字" * 6, 6)) == cut("汉字" * 6, [(0, 6), (6, 12)])
    # A line end of two characters counts two, and stays.
    assert chunks_of(student.character_chunks("a\r\nb\r\n", 3)) == [(0, 3, "a\r\n"), (3, 6, "b\r\n")]


def own_answers(student, reference, *questions):
    """The reference on the student's own answers to these questions, unless they cut nothing."""
    pieces = [(place, place + 1) for place in range(9)]
    assert (
        len(student.character_chunks("abcdefghi", 3)) > 1
        and len(student.pack_spans("abcdefghi", pieces, 3)) > 1
    )
    return with_answers(reference, student, *questions)


def check_packing(student, reference, text, spans, size, overlap):
    """The chunks are right, or right for the windows that the student's own question 1 gives."""
    chunks = chunks_of(student.pack_spans(text, spans, size, overlap))

    def check(answers):
        assert chunks == chunks_of(answers.pack_spans(text, spans, size, overlap))

    check_any(check, lambda: reference, lambda: own_answers(student, reference, "character_chunks"))


def check_recursive(student, reference, text, *arguments):
    """The chunks are right, or right for what the student's own questions 1 and 4 give."""
    chunks = chunks_of(student.recursive_chunks(text, *arguments))

    def check(answers):
        assert chunks == chunks_of(answers.recursive_chunks(text, *arguments))

    own = ("character_chunks", "pack_spans")
    check_any(check, lambda: reference, lambda: own_answers(student, reference, *own))


def characters(text):
    return [(place, place + 1) for place in range(len(text))]


CALLS = {
    "character_chunks": lambda student, text, *windows: student.character_chunks(text, *windows),
    "token_chunks": lambda student, text, *windows: student.token_chunks(text, characters, *windows),
    "pack_spans": lambda student, text, *windows: student.pack_spans(text, characters(text), *windows),
    "recursive_chunks": lambda student, text, *windows: student.recursive_chunks(text, *windows, [" "]),
}


def refuses(call, *arguments):
    try:
        call(*arguments)
    except ValueError:
        return True
    return False


@pytest.mark.points(1)
@pytest.mark.parametrize("function", list(CALLS))
def test_size_and_overlap(student, function):
    """An overlap of the whole size or more, a negative overlap or a size below one is an error.

    zh: 重叠不小于 size、重叠为负、size 小于 1，都要报错。
    """
    for text, size in [("abcdef", 3), ("东南西北", 2)]:
        assert "".join(part for _, _, part in CALLS[function](student, text, size, 0)) == text
    for size, overlap in [(3, 3), (3, 4), (0, 0), (3, -1)]:
        refused = refuses(CALLS[function], student, "abcdefg", size, overlap)
        # Where nothing separates, question 5 leaves the text to question 1.
        if not refused and function == "recursive_chunks":
            refused = not refuses(student.character_chunks, "abcdefg", size, overlap)
        assert refused, f"size {size} and overlap {overlap} are accepted"


def words_and_spaces(text):
    """A tokeniser without gaps: runs of word characters, and single other characters."""
    return [match.span() for match in re.finditer(r"\w+|\W", text)]


def words_only(text):
    """A tokeniser that drops everything but words."""
    return [match.span() for match in re.finditer(r"[a-z]+|[一-龥]", text)]


def bytes_of_characters(text):
    """A byte-level tokeniser: one token for each byte, with the span of its whole character."""
    return [(place, place + 1) for place, character in enumerate(text) for _ in character.encode()]


def characters_and_nothing(text):
    """As `bytes_of_characters`, but only a character's first byte has its span: those of the others are empty."""
    starts = [(place, k) for place, character in enumerate(text) for k, _ in enumerate(character.encode())]
    return [(place + 1, place + 1) if k else (place, place + 1) for place, k in starts]


def owned(text, tokenize):
    """The text that each token owns, found character by character."""
    starts = [start for start, _ in tokenize(text)]
    owners = [
        max((k for k, start in enumerate(starts) if start <= place), default=0) for place in range(len(text))
    ]
    return [[place for place, owner in enumerate(owners) if owner == k] for k in range(len(starts))]


def token_windows(text, tokenize, size, overlap):
    """Windows of tokens, from what each one owns."""
    tokens, spans, first = owned(text, tokenize), [], 0
    while tokens:
        places = [place for token in tokens[first : first + size] for place in token]
        if places and (not spans or places[-1] + 1 > spans[-1][1]):
            spans.append((places[0], places[-1] + 1))
        if first + size >= len(tokens):
            break
        first += size - overlap
    return cut(text, spans)


def counted(tokenize):
    """The tokeniser, and a list of the texts that it is called with."""
    calls = []

    def count(source):
        calls.append(source)
        return tokenize(source)

    return count, calls


@pytest.mark.points(1)
def test_token_windows(student):
    """Windows count tokens, and the tokeniser is called once, on the whole text.

    zh: 窗口按词元计数；分词器只对整段文本调用一次。
    """
    rng = random.Random(2)
    for size, overlap in GRID:
        text = "".join(rng.choices(["low", "lowest", " ", ", ", "人工", "。"], k=rng.randint(3, 25)))
        tokenize, calls = counted(words_and_spaces)
        chunks = chunks_of(student.token_chunks(text, tokenize, size, overlap))
        assert chunks == token_windows(text, words_and_spaces, size, overlap)
        assert calls == [text]
    assert chunks_of(student.token_chunks("", words_and_spaces, 3, 1)) == []
    # Without an overlap given there is none.
    assert chunks_of(student.token_chunks("a b", words_and_spaces, 2)) == [(0, 2, "a "), (2, 3, "b")]


@pytest.mark.points(1)
def test_token_gaps(student):
    """Text around the tokens isn't lost: it belongs to the token before it, or else to the first.

    zh: 词元之间、之前、之后的文本都不能丢：归前一个词元，开头的归第一个。
    """
    rng = random.Random(3)
    for size, overlap in GRID:
        body = "".join(rng.choices(["low", "wide", "人", "工", "  ", "\n", "-- "], k=20))
        for text in (f"\n> {body}low.", f"  人{body}", f"{body}a \n "):
            chunks = chunks_of(student.token_chunks(text, words_only, size, overlap))
            assert chunks == token_windows(text, words_only, size, overlap)
            assert chunks[0][0] == 0 and chunks[-1][1] == len(text)
    assert chunks_of(student.token_chunks(" -- ", words_only, 3, 1)) == []


@pytest.mark.points(1)
def test_token_shared_spans(student):
    """Where several tokens make one character, no chunk holds half of it, none is empty or repeated.

    zh: 几个词元合成一个字时，不会切出半个字，也不会有空的或重复的块。
    """
    rng = random.Random(4)
    for size, overlap in GRID:
        for length in (1, 4, 11):
            text = "".join(rng.choices("aß中😀", k=length)) + "𠮷"
            for tokenize in (bytes_of_characters, characters_and_nothing):
                chunks = chunks_of(student.token_chunks(text, tokenize, size, overlap))
                assert chunks == token_windows(text, tokenize, size, overlap)
                assert all(part == text[start:end] != "" for start, end, part in chunks)


def parts(text, spans):
    return [text[start:end] for start, end in spans]


@pytest.mark.points(1)
def test_chinese_sentences(student):
    """Chinese sentences end with 。！？… and take their closing quotes and brackets along.

    zh: 中文句子在 。！？… 处结束，并带上后面的引号和括号。
    """
    for sentences in [
        ["well…", "then. ", "好.。", "a."],
        ["他说：“走吧！”", "然后就走了。", "真的吗？！", "真的……", "算了"],
        ["（见图一。）", "「好。」", "『好！』」。", "《题目？》", "嗯……？”", "后来呢"],
        ["版本3.14很好。", "网址是a.b/c?d=e！", "小数1.5；不断句，不断句：不断句。"],
        ["第一句。  ", "第二句！\u3000\n", "“第三句？”\n\n", "尾巴"],
        # Opening marks begin the next sentence, and a tail may be a whole one; other marks end nothing.
        ["他走了。", "“好。”", "（完。）", "《甲》。 ", "。", "a"],
        ["…\n", "！ ", "？", "一；\u3000二：\u3000三，\u3000四．\u3000五。"],
        *([f"一{mark}{closer}", "“二"] for mark in ALWAYS_ENDS for closer in CLOSERS),
    ]:
        text = "".join(sentences)
        assert parts(text, student.sentence_spans(text)) == sentences


@pytest.mark.points(1)
def test_ascii_sentences(student):
    """A full stop ends a sentence only before whitespace or at the end, with its closing marks between.

    zh: 英文句点之类只有在空白之前或文末才算句子结束，中间可以隔着右引号、右括号。
    """
    for sentences in [
        ["Pi is 3.14. ", "See a.b for more! ", "(Or not?) ", 'He said "no." ', "Then?"],
        ["One...\n\n", "Two?! ", "Three.)\t", "e.g. ", "four.five"],
        ["  Leading space. ", "x=1.0.2 y"],
        [".hidden ...\u3000", "!"],
        ["Wait...what?!x; y, z then?! ", "... ", "! ", "a"],
        *([f"one{mark}{closer} ", "two"] for mark in MAY_END for closer in CLOSERS),
        ["'Well.'] ", '"Who?"} ', "me,"],
        # A no-break space, a line end of two characters, a wide space and a tab; a middle dot is no whitespace.
        ["Pi is 3.\u00a0", "One.\r\n", "Two.\u2003\v", "Ten.\u00b7a"],
    ]:
        text = "".join(sentences)
        assert parts(text, student.sentence_spans(text)) == sentences


@pytest.mark.points(1)
def test_sentences_cover(student, reference):
    """Sentences follow one another without gaps or overlap, from the first character to the last.

    zh: 句子首尾相接，从第一个字符到最后一个，不重不漏。
    """
    rng = random.Random(5)
    for length in (1, 2, 3, 7, 20, 61, 200):
        text = mixed_text(rng, length)
        spans = [tuple(span) for span in student.sentence_spans(text)]
        check_chunks(text, cut(text, spans))
        assert spans == reference.sentence_spans(text)
    assert list(student.sentence_spans("")) == []
    # An accent that is a character of its own counts as one.
    spans = [tuple(span) for span in student.sentence_spans("cafe\u0301。e\u0301. a")]
    assert spans == [(0, 6), (6, 10), (10, 11)]


def random_spans(rng, longest, number, begin):
    spans = []
    for _ in range(number):
        end = begin + rng.randint(1, longest)
        spans.append((begin, end))
        begin = end
    return spans


def packed(spans, size, overlap):
    """Packing pieces that all fit: how far a chunk reaches, then the earliest beginning of the next."""
    borders = [start for start, _ in spans] + [spans[-1][1]]
    chunks, first, last = [], 0, 0
    while last < len(spans):
        last = max(k for k in range(first + 1, len(borders)) if borders[k] - borders[first] <= size)
        chunks.append((borders[first], borders[last]))
        if last < len(spans):
            closed, following = borders[last], borders[last + 1]
            first = min(
                k
                for k in range(first, last + 1)
                if closed - borders[k] <= overlap and following - borders[k] <= size
            )
    return chunks


@pytest.mark.points(1)
def test_pack(student):
    """Chunks are filled with whole pieces up to the limit and begin with what the overlap allows.

    zh: 用完整的片段把块装到上限；新块从重叠允许的片段开始。
    """
    chunks = chunks_of(student.pack_spans("abcde", [(0, 3), (3, 4), (4, 5)], 4, 2))
    assert chunks == [(0, 4, "abcd"), (3, 5, "de")]
    rng = random.Random(6)
    for size, overlap in [(4, 3), *GRID, (10, 8), (20, 11)]:
        for number in (1, 2, 9, 30):
            for begin in (0, 3):
                spans = random_spans(rng, min(size, 6), number, begin)
                text = mixed_text(rng, spans[-1][1] + 2)
                chunks = chunks_of(student.pack_spans(text, spans, size, overlap))
                assert chunks == cut(text, packed(spans, size, overlap))
    assert chunks_of(student.pack_spans("abc", [], 3, 1)) == []
    # Without an overlap given there is none.
    assert chunks_of(student.pack_spans("abc", [(0, 1), (1, 2), (2, 3)], 2)) == [(0, 2, "ab"), (2, 3, "c")]


@pytest.mark.points(1)
def test_pack_long_pieces(student, reference):
    """A piece over the limit is cut by characters, by itself, and nothing overlaps across its borders.

    zh: 超长的片段单独按字符切开，它的两个边界处没有重叠。
    """
    rng = random.Random(7)
    for size, overlap in GRID:
        spans = []
        for _ in range(6):
            begin = spans[-1][1] if spans else 0
            spans += random_spans(rng, max(1, size // 2), rng.randint(0, 5), begin)
            begin = spans[-1][1] if spans else 0
            spans.append((begin, begin + size + rng.randint(1, 2 * size)))
        text = mixed_text(rng, spans[-1][1])
        check_packing(student, reference, text, spans, size, overlap)


@pytest.mark.points(1)
def test_recursive_order(student, reference):
    """The coarsest separator in the text is used first, finer ones only inside pieces that are too long.

    zh: 先用文本中最粗的分隔符，只有太长的片段才继续用更细的。
    """
    text = "aa bb\n\ncc dd ee ff\ngg hh\n\nii\n\njjjjjjjjjj kk"
    for size, overlap in [(9, 0), (13, 0), (9, 3), (25, 8), (99, 8)]:
        check_recursive(student, reference, text, size, overlap, ["\n\n", "\n", " "])


@pytest.mark.points(1)
def test_recursive_random(student, reference):
    """Over many texts, sizes and separators, and with the defaults, the chunks are those that the rules give.

    zh: 对各种文本、大小和分隔符，以及使用默认参数时，得到的块都与规则一致。
    """
    rng = random.Random(8)
    marks = [" ", " ", "\n", "\r\n", "\n\n", "\n\n\n", ". ", "。", "，"]
    pieces = [*marks, "low", "lowest", "人工智能", "😀", "—" * 9]
    for size, overlap in [*GRID, (20, 6), (40, 39)]:
        for number in (60, 8, 1):
            text = "".join(rng.choices(pieces, k=number))
            check_recursive(student, reference, text, size, overlap)
            separators = rng.sample(["\n\n", "\n", " ", "，", "。", "lo", "ow"], k=rng.randint(0, 4))
            check_recursive(student, reference, text, size, overlap, separators)
    assert chunks_of(student.recursive_chunks("", 5, 1)) == []
    # Neither an overlap nor separators given: none, and those of the statement in their order.
    check_recursive(student, reference, "abcdef", 4)
    text = "a\n\nb\nc。d！e？f；g. h，i j"
    for size in (3, 4):
        for first in range(len(text)):
            check_recursive(student, reference, text[first:], size)
