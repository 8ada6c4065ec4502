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
    n = len(text)
    out = []
    for i in range(0, n, size - overlap):
        j = min(n, i + size)
        out.append((i, j, text[i:j]))
        if j == n:
            break
    return out


def token_chunks(text, tokenize, size, overlap=0):
    check_window(size, overlap)
    spans = tokenize(text)
    out, done = [], 0
    for k in range(0, len(spans), size - overlap):
        window = spans[k : k + size]
        i, j = window[0][0], window[-1][1]
        if j > done:
            out.append((i, j, text[i:j]))
            done = j
        if k + size >= len(spans):
            break
    return out


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
    check_window(size, overlap)
    out = []
    cur = []

    def flush():
        if cur:
            out.append((cur[0][0], cur[-1][1], text[cur[0][0] : cur[-1][1]]))

    for i, j in spans:
        if j - i > size:
            flush()
            cur = []
            out += [(i + a, i + b, t) for a, b, t in character_chunks(text[i:j], size, overlap)]
            continue
        if cur and j - cur[0][0] > size:
            flush()
            while cur and (i - cur[0][0] > overlap or j - cur[0][0] > size):
                del cur[0]
        cur.append((i, j))
    flush()
    return out


def sentence_chunks(text, size, overlap=0):
    return pack_spans(text, sentence_spans(text), size, overlap)


def recursive_chunks(text, size, overlap=0, separators=SEPARATORS):
    check_window(size, overlap)
    for n, sep in enumerate(separators):
        if sep in text:
            break
    else:
        return character_chunks(text, size, overlap)
    parts = [p + sep for p in text.split(sep)]
    parts[-1] = parts[-1][: -len(sep)]
    chunks, group, at = [], [], 0
    for p in parts:
        if not p:
            continue
        if len(p) > size:
            chunks.extend(pack_spans(text, group, size, overlap))
            group = []
            for a, b, t in recursive_chunks(p, size, overlap, separators[n + 1 :]):
                chunks.append((at + a, at + b, t))
        else:
            group.append((at, at + len(p)))
        at += len(p)
    chunks.extend(pack_spans(text, group, size, overlap))
    return chunks
