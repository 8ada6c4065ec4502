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
    seps = list(separators)
    while seps and seps[0] not in text:
        seps.pop(0)
    if not seps:
        return character_chunks(text, size, overlap)
    sep = seps.pop(0)
    pieces, i = [], 0
    while i < len(text):
        at = text.find(sep, i)
        if at == -1:
            pieces.append((i, len(text)))
            break
        pieces.append((i, at))
        i = at + len(sep)
    out, run = [], []
    for i, j in pieces:
        if j - i <= size:
            run.append((i, j))
        else:
            out += pack_spans(text, run, size, overlap)
            run = []
            out += [(i + a, i + b, t) for a, b, t in recursive_chunks(text[i:j], size, overlap, seps)]
    return out + pack_spans(text, run, size, overlap)
