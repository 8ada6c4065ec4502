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
    new = []
    i = 0
    while i < len(ids):
        if i < len(ids) - 1 and (ids[i], ids[i + 1]) == tuple(pair):
            new.append(new_id)
            i = i + 2
        else:
            new.append(ids[i])
            i = i + 1
    before = count_pairs({tuple(ids): 1})
    after = count_pairs({tuple(new): 1})
    change = {}
    for p in set(before) | set(after):
        d = after.get(p, 0) - before.get(p, 0)
        if d != 0:
            change[p] = d
    return new, change


def train_merges(words, num_merges, min_count=2):
    toks = [list(w) for w in words]
    freq = [words[w] for w in words]
    counts = count_pairs(words)
    where = {}
    for n, t in enumerate(toks):
        for p in zip(t, t[1:]):
            where.setdefault(p, set()).add(n)
    merges = []
    while len(merges) < num_merges:
        if not counts:
            break
        most = max(counts.values())
        if most < min_count:
            break
        ties = [p for p in counts if counts[p] == most]
        ties.sort()
        best = ties[0]
        merges.append(best)
        for n in where.pop(best):
            toks[n], change = merge_word(toks[n], best, 255 + len(merges))
            for p, d in change.items():
                counts[p] = counts.get(p, 0) + d * freq[n]
                if d > 0:
                    where.setdefault(p, set()).add(n)
                if counts[p] == 0:
                    counts.pop(p)
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
    text = ""
    for i in ids:
        if i not in vocab:
            raise ValueError(f"no such id: {i}")
        text += vocab[i].decode("utf-8", errors="replace")
    return text
