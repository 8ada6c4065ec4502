"""Accepted: everything is a window over a list of borders; sentences by a scan; packing by bisection."""

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise

ALWAYS_ENDS = "。！？…"
MAY_END = ".!?"
CLOSERS = "”’」』）》〉】\"')]}"
SEPARATORS = ("\n\n", "\n", "。", "！", "？", "；", ". ", "，", " ")


def check(size, overlap):
    if not isinstance(size, int) or size <= 0:
        raise ValueError("size")
    if overlap < 0 or overlap > size - 1:
        raise ValueError("overlap")


def windows(text, borders, size, overlap):
    """Windows of `size` units, where unit k lies between borders k and k + 1."""
    check(size, overlap)
    units = len(borders) - 1
    result = []
    for first in range(0, max(units - overlap, min(units, 1)), size - overlap):
        begin, end = borders[first], borders[min(units, first + size)]
        if begin < end and not (result and result[-1][1] >= end):
            result.append((begin, end, text[begin:end]))
    return result


def character_chunks(text, size, overlap=0):
    return windows(text, range(len(text) + 1), size, overlap)


def token_chunks(text, tokenize, size, overlap=0):
    check(size, overlap)
    spans = list(tokenize(text))
    return windows(text, [0, *[start for start, _ in spans[1:]], len(text)], size, overlap) if spans else []


def sentence_spans(text):
    borders, place = [0], 0
    while place < len(text):
        if text[place] not in ALWAYS_ENDS + MAY_END:
            place += 1
            continue
        tail = ""
        while place < len(text) and text[place] in ALWAYS_ENDS + MAY_END + CLOSERS:
            tail += text[place]
            place += 1
        rest = text[place:]
        if set(tail) & set(ALWAYS_ENDS) or not rest or rest[0].isspace():
            place += len(rest) - len(rest.lstrip())
            borders.append(place)
    if borders[-1] != len(text):
        borders.append(len(text))
    return list(pairwise(borders))


def pack_fitting(text, borders, size, overlap):
    """Packing where every piece fits: both ends of each chunk by bisection."""
    first, result = 0, []
    while first < len(borders) - 1:
        last = bisect_right(borders, borders[first] + size) - 1
        result.append((borders[first], borders[last], text[borders[first] : borders[last]]))
        if last == len(borders) - 1:
            break
        earliest = max(borders[last] - overlap, borders[last + 1] - size)
        first = bisect_left(borders, earliest)
    return result


def pack_spans(text, spans, size, overlap=0):
    check(size, overlap)
    result, borders = [], []
    for begin, end in spans:
        if end - begin > size:
            result += pack_fitting(text, borders, size, overlap)
            borders = []
            result += [
                (begin + a, begin + b, part)
                for a, b, part in character_chunks(text[begin:end], size, overlap)
            ]
        else:
            borders = [*(borders or [begin]), end]
    return result + pack_fitting(text, borders, size, overlap)


def sentence_chunks(text, size, overlap=0):
    return pack_spans(text, sentence_spans(text), size, overlap)


def recursive_chunks(text, size, overlap=0, separators=SEPARATORS):
    check(size, overlap)

    def level(begin, end, candidates):
        here = text[begin:end]
        while candidates and candidates[0] not in here:
            candidates = candidates[1:]
        if not candidates:
            return [(begin + a, begin + b, part) for a, b, part in character_chunks(here, size, overlap)]
        separator, *finer = candidates
        *pieces, rest = here.split(separator)
        lengths = [len(piece) + len(separator) for piece in pieces] + [len(rest)] * bool(rest)
        borders = list(accumulate(lengths, initial=begin))
        result, run = [], []
        for start, stop in pairwise(borders):
            if stop - start > size:
                result += pack_spans(text, run, size, overlap) + level(start, stop, finer)
                run = []
            else:
                run.append((start, stop))
        return result + pack_spans(text, run, size, overlap)

    return level(0, len(text), list(separators))
