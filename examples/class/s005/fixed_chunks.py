ALWAYS_ENDS = "。！？…"
MAY_END = ".!?"
CLOSERS = "”’」』）》〉】\"')]}"
SEPARATORS = ("\n\n", "\n", "。", "！", "？", "；", ". ", "，", " ")


def check_window(size, overlap):
    if size < 1 or overlap < 0 or overlap >= size:
        raise ValueError("need size >= 1 and 0 <= overlap < size")


def character_chunks(text, size, overlap=0):
    check_window(size, overlap)
    starts = range(0, len(text), size - overlap)
    return [(i, min(i + size, len(text)), text[i : i + size]) for i in starts]


def token_chunks(text, tokenize, size, overlap=0):
    check_window(size, overlap)
    toks = list(tokenize(text))
    if len(toks) == 0:
        return []
    # the piece of text that each token owns
    own = []
    for k in range(len(toks)):
        left = 0 if k == 0 else toks[k][0]
        right = len(text) if k == len(toks) - 1 else toks[k + 1][0]
        own.append((left, right))
    out = []
    k = 0
    while True:
        window = own[k : k + size]
        i, j = window[0][0], window[-1][1]
        if j > i and (not out or j > out[-1][1]):
            out.append((i, j, text[i:j]))
        if k + size >= len(own):
            return out
        k += size - overlap


def sentence_spans(text):
    n = len(text)
    out, begin, j = [], 0, 0
    while j < n:
        if text[j] not in ALWAYS_ENDS and text[j] not in MAY_END:
            j += 1
            continue
        sure = False
        while j < n and text[j] in ALWAYS_ENDS + MAY_END + CLOSERS:
            sure = sure or text[j] in ALWAYS_ENDS
            j += 1
        if sure or j == n or text[j].isspace():
            while j < n and text[j].isspace():
                j += 1
            out.append((begin, j))
            begin = j
    if begin < n:
        out.append((begin, n))
    return out


def pack_spans(text, spans, size, overlap=0):
    check_window(size, overlap)
    out = []
    first = 0  # index of the first piece of the chunk being filled
    for k, (i, j) in enumerate(spans):
        if j - i > size:
            if first < k:
                out.append((spans[first][0], i, text[spans[first][0] : i]))
            for a, b, part in character_chunks(text[i:j], size, overlap):
                out.append((i + a, i + b, part))
            first = k + 1
        elif first < k and j - spans[first][0] > size:
            out.append((spans[first][0], i, text[spans[first][0] : i]))
            while first < k and (i - spans[first][0] > overlap or j - spans[first][0] > size):
                first += 1
    if first < len(spans):
        i, j = spans[first][0], spans[-1][1]
        out.append((i, j, text[i:j]))
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
