import re
from collections import Counter


PATTERN = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def split_words(text):
    return PATTERN.findall(text)


def count_words(text):
    return dict(Counter(tuple(word.encode("utf-8")) for word in split_words(text)))


def count_pairs(words):
    result = {}
    for w in words:
        i = 0
        while i + 1 < len(w):
            p = (w[i], w[i + 1])
            if p in result:
                result[p] += words[w]
            else:
                result[p] = words[w]
            i += 1
    return result


def merge_word(ids, pair, new_id):
    out = []
    for i in ids:
        if out and out[-1] == pair[0] and i == pair[1]:
            out[-1] = new_id  # new_id is never pair[0], so nothing is used twice
        else:
            out.append(i)
    diff = Counter(zip(out, out[1:]))
    diff.subtract(Counter(zip(ids, ids[1:])))
    return out, {p: d for p, d in diff.items() if d}


def train_merges(words, num_merges, min_count=2):
    corpus = dict(words)
    merges = []
    while len(merges) < num_merges:
        counts = count_pairs(corpus)
        counts = {p: c for p, c in counts.items() if c >= min_count}
        if not counts:
            break
        best = min(counts, key=lambda p: (-counts[p], p))
        new_corpus = Counter()
        for word, n in corpus.items():
            new_corpus[tuple(merge_word(word, best, 256 + len(merges))[0])] += n
        corpus = new_corpus
        merges.append(best)
    return merges


def encode(text, merges, special_tokens=None, allowed_special=()):
    specials = dict(special_tokens or {})
    missing = set(allowed_special) - set(specials)
    if missing:
        raise ValueError(sorted(missing))
    # look for the first special token, then do what is left and right of it
    best = None
    for name in allowed_special:
        at = text.find(name)
        if at >= 0 and (best is None or (at, -len(name)) < (best[0], -len(best[1]))):
            best = (at, name)
    if best is not None:
        at, name = best
        left = encode(text[:at], merges)
        right = encode(text[at + len(name) :], merges, specials, allowed_special)
        return left + [specials[name]] + right
    out = []
    for word in split_words(text):
        ids = [b for b in word.encode()]
        for n, pair in enumerate(merges):  # in the order of learning
            if len(ids) > 1:
                ids, _ = merge_word(ids, pair, 256 + n)
        out.extend(ids)
    return out


def decode(ids, merges, special_tokens=None):
    vocab = {i: bytes([i]) for i in range(256)}
    for i, (a, b) in enumerate(merges):
        vocab[256 + i] = vocab[a] + vocab[b]
    vocab.update((i, name.encode()) for name, i in (special_tokens or {}).items())
    unknown = [i for i in ids if i not in vocab]
    if unknown:
        raise ValueError(f"no such id: {unknown[0]}")
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")
