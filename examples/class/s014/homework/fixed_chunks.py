import re


ALWAYS_ENDS = "。！？…"
MAY_END = ".!?"
CLOSERS = "”’」』）》〉】\"')]}"
SEPARATORS = ("\n\n", "\n", "。", "！", "？", "；", ". ", "，", " ")


def check_window(size, overlap):
    if size < 1 or overlap < 0 or overlap >= size:
        raise ValueError("need size >= 1 and 0 <= overlap < size")


def character_chunks(text, size, overlap=0):
    check_window(size, overlap)
    if not text:
        return []
    out = [(0, min(size, len(text)), text[:size])]
    while out[-1][1] < len(text):
        i = out[-1][1] - overlap
        out.append((i, min(i + size, len(text)), text[i : i + size]))
    return out


def token_chunks(text, tokenize, size, overlap=0):
    raise NotImplementedError("token_chunks")


def sentence_spans(text):
    marks = re.escape(ALWAYS_ENDS + MAY_END)
    spans, start, pos = [], 0, 0
    tail = re.compile("[" + marks + "]+[" + marks + re.escape(CLOSERS) + "]*")
    while True:
        m = tail.search(text, pos)
        if m is None:
            break
        pos = m.end()
        rest = text[pos:]
        if set(m.group()) & set(ALWAYS_ENDS) or rest == "" or rest[0].isspace():
            pos += len(rest) - len(rest.lstrip())
            spans.append((start, pos))
            start = pos
    if start != len(text):
        spans.append((start, len(text)))
    return spans


def pack_spans(text, spans, size, overlap=0):
    raise NotImplementedError("pack_spans")


def sentence_chunks(text, size, overlap=0):
    return pack_spans(text, sentence_spans(text), size, overlap)


def recursive_chunks(text, size, overlap=0, separators=SEPARATORS):
    raise NotImplementedError("recursive_chunks")
