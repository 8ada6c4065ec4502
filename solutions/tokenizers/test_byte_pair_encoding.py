"""Hidden tests of tokenizers/byte_pair_encoding."""

import numbers
import random
from collections import Counter
from itertools import pairwise

import pytest

from autograder.testing import own_or_reference

# Scripts of one to four bytes a character, combining marks, spaces of several kinds, a special token's name.
TEXTS = [
    "It's the newest; they'll widen it by 12.5%,\n\n  won't they?  ",
    "人工智能是研究、开发用于模拟人的智能的技术科学。人工智能！",
    "naïve café — Ærøskøbing, Ελλάδα, Москва, नमस्ते",
    "👩‍👩‍👧‍👦 🇨🇳 𠮷野家\u3000x² ½\tÅ A\u030a \u200b\x00\x1f",
    "a b  c   d    \n\r\n _under_score_ <|end|> aaaaaaaaaaaaa",
]


def words_of(text):
    """Weighted words whose frequencies all differ from one another, by cutting at single spaces."""
    return {tuple(word.encode()): 2 + index for index, word in enumerate(dict.fromkeys(text.split(" ")))}


def random_words(rng, alphabet, number, longest):
    words = {}
    for _ in range(number):
        words[tuple(rng.choices(alphabet, k=rng.randint(0, longest)))] = rng.randint(1, 9)
    return words


def plain(counts):
    """A mapping as a dict, be it a dict or a Counter."""
    return {pair: counts[pair] for pair in counts}


def occurrences(ids):
    return Counter(pairwise(ids))


def replaced(ids, pair, new_id):
    merged = []
    for each in ids:
        if merged and (merged[-1], each) == pair:
            merged[-1] = new_id
        else:
            merged.append(each)
    return merged


def assert_greedy(words, merges, num_merges, min_count):
    """Each merge is of a most frequent pair, and there are as many as there can be. Everything is counted afresh."""
    pieces = [(list(word), frequency) for word, frequency in words.items()]
    for rank in range(num_merges):
        counts = Counter()
        for ids, frequency in pieces:
            for pair in pairwise(ids):
                counts[pair] += frequency
        highest = max(counts.values(), default=0)
        if rank == len(merges):
            assert highest < min_count, f"a pair occurs {highest} times, and min_count is {min_count}"
            return
        pair = tuple(merges[rank])
        assert counts[pair] == highest >= min_count, f"merge {rank}, {pair}, occurs {counts[pair]} times"
        pieces = [(replaced(ids, pair, 256 + rank), frequency) for ids, frequency in pieces]
    assert len(merges) == num_merges


@pytest.mark.points(1)
def test_pair_counts(student, reference, unchanged):
    """Every position of a pair counts, as often as its word occurs, and no pair spans two words.

    zh: 一对相邻编号的每个位置都要计数，并乘以词的频次；跨词的不算。
    """
    rng = random.Random(1)
    for number, longest in [(1, 2), (3, 7), (40, 13)]:
        words = random_words(rng, [97, 98, 300], number, longest) | {(): 4, (98,): 7, (98, 97, 98, 97): 3}
        expected = reference.count_pairs(words)
        counts = plain(student.count_pairs(dict(words)))
        assert counts == expected and all(isinstance(count, numbers.Integral) for count in counts.values())
        assert unchanged(student.count_pairs, words), "the words are as they were"
    for length in (2, 3, 6):
        assert plain(student.count_pairs({(5,) * length: 11, (9,): 2})) == {(5, 5): 11 * (length - 1)}
    assert plain(student.count_pairs({(1, 2): 3, (3, 4): 5})) == {(1, 2): 3, (3, 4): 5}


@pytest.mark.points(1)
def test_overlapping_merge(student, unchanged):
    """A pair is replaced everywhere, from left to right, and no id is used twice: a a a becomes X a.

    zh: 从左到右替换每一处，同一个编号不能用两次：a a a 合并成 X a。
    """
    for length in range(1, 10):
        merged, _ = student.merge_word((7,) * length, (7, 7), 300)
        assert list(merged) == [300] * (length // 2) + [7] * (length % 2)
    rng = random.Random(2)
    for length in (2, 5, 11, 23):
        ids = rng.choices([7, 8, 260], k=length)
        for pair in [(7, 8), (8, 7), (8, 8), (260, 7)]:
            merged, _ = student.merge_word(list(ids), pair, 300)
            assert list(merged) == replaced(ids, pair, 300)
    assert unchanged(student.merge_word, [7, 8, 7, 8, 9], (7, 8), 300), "the ids given are as they were"


@pytest.mark.points(1)
def test_merge_changes(student):
    """The changes are the pair counts after the merge minus those before, for the pairs that changed alone.

    zh: 变化量等于合并后的相邻对计数减去合并前的，只列出确实变了的对。
    """
    _, changes = student.merge_word([1, 5, 5, 5, 2], (5, 5), 400)
    assert plain(changes) == {(1, 5): -1, (5, 5): -2, (1, 400): 1, (400, 5): 1}
    rng = random.Random(3)
    for length in (2, 3, 8, 19):
        for pair in [(7, 8), (8, 7), (8, 8)]:
            ids = [7, 7, 8, 8, 9, *rng.choices([7, 8, 9], k=length)]
            after, before = occurrences(replaced(ids, pair, 300)), occurrences(ids)
            expected = {
                each: after[each] - before[each] for each in after | before if after[each] != before[each]
            }
            _, changes = student.merge_word(ids, pair, 300)
            assert plain(changes) == expected
            _, changes = student.merge_word(ids, (8, 301), 300)
            assert plain(changes) == {}


def visits(words, merges):
    """How many calls of `merge_word` training needs, and how many it may make: words that hold a pair, or once did."""
    pieces = [list(word) for word in words]
    held = [set(pairwise(ids)) for ids in pieces]
    needed = allowed = 0
    for rank, pair in enumerate(merges):
        needed += sum(pair in pairwise(ids) for ids in pieces)
        allowed += sum(pair in pairs for pairs in held)
        pieces = [replaced(ids, pair, 256 + rank) for ids in pieces]
        held = [pairs.union(pairwise(ids)) for pairs, ids in zip(held, pieces, strict=True)]
    return needed, allowed


@pytest.mark.points(1)
@own_or_reference("count_pairs")
def test_train_cost(student, reference):
    """Training learns the right merges by calling `merge_word` on the words that contain a pair, or once did, alone.

    zh: 训练时只对含有（或曾经含有）这一对的词调用 merge_word，学到的合并照样正确。
    """
    rng = random.Random(6)
    words = {tuple(rng.choices(b"abcdefghijklmnop", k=9)): rng.randint(1, 9) for _ in range(40)}
    everywhere = 20 * len(words)
    merge, calls = reference.merge_word, []

    def merge_word(ids, pair, new_id):
        calls.append(pair)
        if len(calls) > everywhere:
            raise AssertionError("more calls than 20 merges have words to visit")
        return merge(list(ids), tuple(pair), new_id)

    own = student.merge_word
    student.merge_word = merge_word
    try:
        merges = student.train_merges(dict(words), 20)
    finally:
        student.merge_word = own
    assert_greedy(words, merges, 20, 2)
    needed, allowed = visits(words, [tuple(pair) for pair in merges])
    assert needed < allowed < everywhere / 5, "visiting every word is far from what is allowed"
    assert len(calls) <= allowed, "more words were visited than ever held the pairs"
    assert len(calls) >= needed, "every word that contains a pair is merged by calling merge_word"


@pytest.mark.points(1)
@own_or_reference("count_pairs", "merge_word")
def test_train_ties(student, reference):
    """Among pairs with the same count the smallest wins, whatever the order in which the words come.

    zh: 计数相同的对里取最小的一个，与词的先后次序无关。
    """
    # The first seen, the smallest, the largest, and the smallest as text are four pairs.
    four = dict.fromkeys([(50, 1), (200, 1), (9, 1), (10, 1)], 3)
    assert [tuple(pair) for pair in student.train_merges(four, 1)] == [(9, 1)]
    rng = random.Random(4)
    for size in (3, 6, 12):
        alphabet = rng.sample(range(256), k=size)
        words = [tuple(rng.choices(alphabet, k=4)) for _ in range(20 * size)]
        # While a pair occurs 4 times or more, no min_count of up to 3 plays a part.
        expected = reference.train_merges(dict.fromkeys(words, 1), 2 * size, 4)
        assert len(expected) >= 4
        for _ in range(3):
            rng.shuffle(words)
            merges = student.train_merges(dict.fromkeys(words, 1), len(expected))
            assert [tuple(pair) for pair in merges] == expected


@pytest.mark.points(1)
@own_or_reference("count_pairs", "merge_word")
def test_train_merges(student, reference, unchanged):
    """Every step merges the pair that is most frequent by then, weighted by the words' frequencies.

    zh: 每一步合并的都是当时加权计数最高的那一对。
    """
    rng = random.Random(5)
    # The second merge tells whether the first one was made, and whether its changes were weighted.
    telling = {(97, 98, 99): 5, (98, 99): 1, (99, 100): 5}
    corpora = [
        telling,
        *(random_words(rng, alphabet, number, 9) for alphabet in (b"ab", b"abcdefg") for number in (5, 31)),
    ]
    for words in [*corpora, *(words_of(text) for text in TEXTS)]:
        for num_merges, min_count in [(1, 1), (7, 2), (40, 1)]:
            merges = student.train_merges(dict(words), num_merges, min_count)
            assert_greedy(words, merges, num_merges, min_count)
    words = {(1, 2, 1, 2): 3, (2,): 2, (): 1}
    assert unchanged(student.train_merges, words, 7), "the words and their frequencies are as they were"


@pytest.mark.points(1)
@own_or_reference("count_pairs", "merge_word")
def test_train_stops(student, reference):
    """Training stops when the best count is below min_count or no pair is left, and not before.

    zh: 最高计数低于 min_count、或者没有相邻对了才停，不早也不晚。
    """
    words = {(1, 2, 3): 4, (1, 2): 1, (9, 8): 3, (10, 11): 2, (6, 7): 1, (4,): 50, (): 2}
    learned = [(1, 2), (256, 3), (9, 8), (10, 11), (6, 7)]  # from 5 places down to 1, no two alike
    # First those where stopping at 3, or never, still learns something: whoever learns nothing does neither.
    for min_count in (3, 2, 1, 4, 5, 6):
        merges = student.train_merges(dict(words), 20, min_count)
        assert [tuple(pair) for pair in merges] == learned[: 6 - min_count]
    by_default = student.train_merges(dict(words), 20)
    assert [tuple(pair) for pair in by_default] == learned[:4], "min_count is 2 by default"
    assert [tuple(pair) for pair in student.train_merges(dict(words), 2, 1)] == learned[:2]
    # Merging the first pair leaves the second with no place, and makes a new one.
    once = {(97, 98, 99): 1, (97, 98): 1}
    assert [tuple(pair) for pair in student.train_merges(once, 5, 1)] == [(97, 98), (256, 99)]
    # Merging the first pair leaves one place to the second.
    rare = {(1, 2, 9): 5, (1, 2): 3, (2, 9): 1}
    assert [tuple(pair) for pair in student.train_merges(rare, 5, 1)] == [(1, 2), (256, 9), (2, 9)]
    for nothing in [{}, {(): 9, (97,): 9}]:
        assert list(student.train_merges(nothing, 3, 1)) == []
    assert list(student.train_merges(words, 0)) == []


def random_merges(rng, alphabet, number):
    """Well-formed merges at random: no trainer would learn them in this order."""
    ids, merges = list(alphabet), []
    while len(merges) < number:
        pair = (rng.choice(ids), rng.choice(ids))
        if pair not in merges:
            merges.append(pair)
            ids.append(255 + len(merges))
    return merges


def merged_in_order(word, merges):
    """A word's ids, by making one pass over it for every merge there is."""
    ids = list(word.encode())
    for rank, pair in enumerate(merges):
        ids = replaced(ids, pair, 256 + rank)
    return ids


def merged_in_words(reference, text, merges):
    return [each for word in reference.split_words(text) for each in merged_in_order(word, merges)]


@pytest.mark.points(1)
@own_or_reference("merge_word")
def test_encode_by_rank(student, reference):
    """Of a word's pairs that `merges` holds, the one of lowest rank is merged first, wherever it stands and whatever it spells.

    zh: 词内的各对里，先合并 `merges` 中次序最靠前的那一对，与它的位置无关，也与它拼出的字节无关。
    """
    # A pair is known by its ids, not by its bytes: bc + d is no b + cd. From the left, or the latest first, others win.
    merges = [(98, 99), (99, 100), (98, 257), (97, 98), (100, 101)]
    assert list(student.encode("abcde", merges)) == [97, 256, 260]
    assert list(student.encode("abc", [(97, 98), (98, 99), (97, 257), (256, 99)])) == [259]
    chain = [(97, 98), *((254 + length, 97 + length) for length in range(2, 16))]
    assert list(student.encode("abcdefghijklmnop", chain)) == [270], "as many merges as it takes"
    merges = [(98, 99), (97, 98), (257, 256), (257, 257)]
    for text, expected in [("abc", [97, 256]), ("abab", [259]), ("ababc", [257, 97, 256]), ("abbc", [258])]:
        assert list(student.encode(text, merges)) == expected
    rng = random.Random(7)
    for number in (3, 10, 30):
        words = ["".join(rng.choices("abc", k=length)) for length in (1, 2, 13, 60)]
        for _ in range(2):  # the same words with as many merges, but others
            merges = random_merges(rng, b"abc", number)
            for word in words:
                assert list(student.encode(word, merges)) == merged_in_order(word, merges)


@pytest.mark.points(1)
@own_or_reference("merge_word")
def test_encode_word_by_word(student, reference):
    """No merge reaches across the border of two words, even where `merges` knows the pair.

    zh: 即使 merges 里有这一对，也不能跨越两个词的边界去合并。
    """
    rng = random.Random(8)
    for text in TEXTS:
        raw = text.encode()
        merges = list(dict.fromkeys(pairwise(raw)))
        rng.shuffle(merges)
        expected = merged_in_words(reference, text, merges)
        assert expected != merged_in_order(text, merges)
        assert list(student.encode(text, merges)) == expected


@pytest.mark.points(1)
@own_or_reference("merge_word")
def test_encode_round_trip(student, reference):
    """What was encoded decodes to the same text whatever the script, and takes fewer ids than bytes.

    zh: 任何文字编码后再解码，逐字还原；编号数少于字节数。
    """
    for number, text in enumerate(TEXTS):
        merges = reference.train_merges(reference.count_words(text + text), 20 + number)
        ids = list(student.encode(text, merges))
        assert all(isinstance(each, numbers.Integral) for each in ids)
        assert reference.decode(ids, merges) == text
        assert len(ids) < len(text.encode())
        unseen = TEXTS[number - 1]
        assert reference.decode(student.encode(unseen, merges), merges) == unseen
    assert list(student.encode("", merges)) == []


def scanned(text, special_tokens, allowed):
    """Bytes and special ids by trying, at every place, every allowed name, the longest first."""
    ids = []
    while text:
        found = [name for name in sorted(allowed, key=len, reverse=True) if text.startswith(name)]
        if found:
            ids.append(special_tokens[found[0]])
            text = text[len(found[0]) :]
        else:
            ids.extend(text[0].encode())
            text = text[1:]
    return ids


SPECIAL = {"<|e|>": 303, "<|e|>x": 301, "<|e": 310, "[.]": 305, "\\w+": 309, "〈终〉": 300}


@pytest.mark.points(1)
def test_special_longest(student):
    """The earliest special token wins, among those at one place the longest, and each is one id, never cut.

    zh: 特殊词元先到先得，同一位置取最长；每个只占一个编号，不会被拆开。
    """
    rng = random.Random(9)
    for _ in range(20):
        names = rng.sample(list(SPECIAL), k=len(SPECIAL))
        special_tokens = {name: SPECIAL[name] for name in names}
        pieces = rng.choices([*names, "<|", "e", "|>", "x", "a.b", "<|E|>", " 好"], k=15)
        text = "".join(pieces) + "<|e|>x<|e|><|e[.]"
        expected = scanned(text, special_tokens, names)
        assert list(student.encode(text, [], special_tokens, names)) == expected
        assert list(student.encode(text, [], special_tokens, set(names))) == expected
    # The earliest wins even where a longer one begins inside it.
    overlapping = {"ab": 300, "bcd": 301}
    assert list(student.encode("abcd", [], overlapping, ["ab", "bcd"])) == [300, 99, 100]
    assert list(student.encode("bcdab", [], overlapping, ["bcd", "ab"])) == [301, 300]


@pytest.mark.points(1)
@own_or_reference("merge_word")
def test_special_allowed(student, reference, unchanged):
    """Only allowed names are special, by default none; the texts between them are encoded each on its own.

    zh: 只有获准的名字才是特殊词元，默认一个也没有；它们之间的文本各自独立编码。
    """
    text = "ab <|e|>x ab<|e|> [.]ab 〈终〉"
    merges = reference.train_merges(reference.count_words(text * 3), 12)
    assert list(student.encode(text, merges, dict(SPECIAL))) == merged_in_words(reference, text, merges)
    for allowed in (["<|e|>"], ["<|e", "[.]"], ["〈终〉", "<|e|>x"], list(SPECIAL)):
        expected, rest = [], text
        while rest:
            starts = [(rest.find(name), -len(name), name) for name in allowed if name in rest]
            start, _, name = min(starts, default=(len(rest), 0, ""))
            expected += merged_in_words(reference, rest[:start], merges) + ([SPECIAL[name]] if name else [])
            rest = rest[start + len(name) :]
        assert list(student.encode(text, merges, dict(SPECIAL), allowed)) == expected
    unknown = ["<|e|>", "<|unheard-of|>"]
    with pytest.raises(ValueError):
        student.encode(text, merges, dict(SPECIAL), unknown)
    with pytest.raises(ValueError):
        student.encode(text, merges, None, {"<|e|>"})
    assert unchanged(student.encode, text, merges, dict(SPECIAL), ["<|e|>"]), (
        "merges and names are as they were"
    )


@pytest.mark.points(1)
def test_decode_any_bytes(student):
    """Bytes are joined before they are decoded, and what is not UTF-8 becomes U+FFFD.

    zh: 先把所有字节拼好再解码；不是 UTF-8 的部分变成 U+FFFD。
    """
    rng = random.Random(10)
    broken = [b"\x80", b"\xe4\xb8", b"a\xff\xfe\xfdb", b"\xc0\xaf", b"\xed\xa0\x80", "中".encode()[1:] + b"z"]
    broken.append("\ufeffa".encode())  # a byte order mark is a character like any other
    for raw in [*broken, *(text.encode() for text in TEXTS), *(rng.randbytes(40) for _ in range(20))]:
        assert student.decode(list(raw), [(0, 0)]) == raw.decode("utf-8", errors="replace")
    merges = [(0xB8, 0xAD), (0xE4, 256), (0xE6, 0x96), (257, 258), (259, 0x87), (0xAD, 0xE6)]
    for ids in ([260], [257, 258, 0x87], [0xE4, 0xB8, 261, 0x96, 0x87], [0xE4, 256, 0xE6, 0x96, 0x87]):
        assert student.decode(ids, merges) == "中文"
    for ids, text in [
        ([258], "\ufffd"),
        ([259, 97], "中\ufffda"),
        ([0xE4, 300, 256], "\ufffd〈终〉\ufffd\ufffd"),
    ]:
        assert student.decode(ids, merges, dict(SPECIAL)) == text


@pytest.mark.points(1)
def test_decode_unknown(student, unchanged):
    """Special tokens decode to their names; an id that stands for nothing, even a negative one, is an error.

    zh: 特殊词元解码成它的名字；没有含义的编号（包括负数）要抛出 ValueError。
    """
    merges = [(104, 105), (256, 33)]
    for ids, text in [([257, 303, 256], "hi!<|e|>hi"), ([300, 310, 97, 301], "〈终〉<|ea<|e|>x"), ([], "")]:
        assert student.decode(ids, merges, dict(SPECIAL)) == text
    for unknown in (-1, -7, -256, 258, 302, 304, 10**9):
        with pytest.raises(ValueError):
            student.decode([104, unknown], merges, dict(SPECIAL))
    with pytest.raises(ValueError):
        student.decode([303], merges)
    assert unchanged(student.decode, [257, 303], merges, dict(SPECIAL)), (
        "ids, merges and names are as they were"
    )
