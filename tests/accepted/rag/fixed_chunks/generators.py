"""Accepted: generators and an explicit stack instead of recursion; sentences by re.split; deques."""

import re
from collections import deque

ALWAYS_ENDS = "。！？…"
MAY_END = ".!?"
CLOSERS = "”’」』）》〉】\"')]}"
SEPARATORS = ("\n\n", "\n", "。", "！", "？", "；", ". ", "，", " ")

MARKS = re.escape(ALWAYS_ENDS + MAY_END)
CERTAIN = rf"[{MARKS}{re.escape(CLOSERS)}]*"


def require(condition, message):
    if not condition:
        raise ValueError(message)


def validated(chunker):
    """The same check before every chunker; size and overlap are the last but for separators."""

    def checked(text, *args, **kwargs):
        position = 1 if chunker.__name__ in ("_tokens", "_pack") else 0
        values = dict(zip(("size", "overlap"), args[position:], strict=False)) | kwargs
        size, overlap = values["size"], values.get("overlap", 0)
        require(size >= 1, "a chunk holds at least one")
        require(0 <= overlap < size, "windows must move on")
        return list(chunker(text, *args, **kwargs))

    return checked


def _characters(text, size, overlap=0):
    for start in range(0, len(text), size - overlap):
        if start and start + overlap >= len(text):
            return
        yield start, min(len(text), start + size), text[start : start + size]


character_chunks = validated(_characters)


def _tokens(text, tokenize, size, overlap=0):
    starts = [start for start, _ in tokenize(text)]
    reached = 0
    for first in range(0, len(starts), size - overlap):
        begin = 0 if first == 0 else starts[first]
        following = first + size
        end = starts[following] if following < len(starts) else len(text)
        if end > reached:
            yield begin, end, text[begin:end]
            reached = end
        if following >= len(starts):
            return


token_chunks = validated(_tokens)


def sentence_spans(text):
    spans, begin, place = [], 0, 0
    while match := re.compile(rf"[{MARKS}]{CERTAIN}").search(text, place):
        place = match.end()
        if re.search(f"[{ALWAYS_ENDS}]", match[0]) or not text[place : place + 1].strip():
            while text[place : place + 1].isspace():
                place += 1
            spans.append((begin, place))
            begin = place
    return spans + [(begin, len(text))] * (begin < len(text))


def _pack(text, spans, size, overlap=0):
    pieces = deque()

    def chunk():
        return pieces[0][0], pieces[-1][1], text[pieces[0][0] : pieces[-1][1]]

    for begin, end in spans:
        if pieces and end - pieces[0][0] > size:
            yield chunk()
            closed = pieces[-1][1]
            while pieces and (closed - pieces[0][0] > overlap or end - pieces[0][0] > size):
                pieces.popleft()
        if end - begin > size:
            for first, last, part in character_chunks(text[begin:end], size, overlap):
                yield begin + first, begin + last, part
            pieces.clear()
        else:
            pieces.append((begin, end))
    if pieces:
        yield chunk()


pack_spans = validated(_pack)


def sentence_chunks(text, size, overlap=0):
    return pack_spans(text, sentence_spans(text), size, overlap)


def after_each(text, separator, begin, end):
    """Spans of text[begin:end], each up to and with the next separator."""
    while begin < end:
        found = text.find(separator, begin, end)
        stop = end if found == -1 else found + len(separator)
        yield begin, stop
        begin = stop


def _recursive(text, size, overlap=0, separators=SEPARATORS):
    """A stack of work: ("cut", span, separators left) and ("pack", pieces)."""
    stack = [("cut", (0, len(text)), tuple(separators))]
    while stack:
        kind, what, left = stack.pop()
        if kind == "pack":
            yield from pack_spans(text, what, size, overlap)
            continue
        begin, end = what
        left = left[next((k for k, each in enumerate(left) if text.find(each, begin, end) >= 0), len(left)) :]
        if not left:
            whole = character_chunks(text[begin:end], size, overlap)
            yield from [(begin + first, begin + last, part) for first, last, part in whole]
            continue
        work = []
        for span in after_each(text, left[0], begin, end):
            if span[1] - span[0] > size:
                work.append(("cut", span, left[1:]))
            elif work and work[-1][0] == "pack":
                work[-1][1].append(span)
            else:
                work.append(("pack", [span], ()))
        stack.extend(reversed(work))


recursive_chunks = validated(_recursive)
