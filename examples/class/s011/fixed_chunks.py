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
    raise NotImplementedError("pack_spans")


def sentence_chunks(text, size, overlap=0):
    return pack_spans(text, sentence_spans(text), size, overlap)


def recursive_chunks(text, size, overlap=0, separators=SEPARATORS):
    raise NotImplementedError("recursive_chunks")
