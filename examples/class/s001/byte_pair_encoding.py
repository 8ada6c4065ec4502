import re
from collections import Counter


PATTERN = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def split_words(text):
    return PATTERN.findall(text)


def count_words(text):
    return dict(Counter(tuple(word.encode("utf-8")) for word in split_words(text)))


def count_pairs(words):
    counts = Counter()
    for word, n in words.items():
        for a, b in zip(word, word[1:]):
            counts[a, b] += n
    return dict(counts)


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


def encode_word(word, ranks):
    ids = list(word.encode("utf8"))
    while any(p in ranks for p in zip(ids, ids[1:])):
        rank, p = min((ranks[p], p) for p in zip(ids, ids[1:]) if p in ranks)
        ids, _ = merge_word(ids, p, 256 + rank)
    return ids


def encode(text, merges, special_tokens=None, allowed_special=()):
    special_tokens = special_tokens or {}
    if any(name not in special_tokens for name in allowed_special):
        raise ValueError("unknown special token")
    ranks = {tuple(p): i for i, p in enumerate(merges)}
    names = sorted(allowed_special, key=len, reverse=True)
    ids, plain, i = [], "", 0
    while i < len(text):
        hit = next((name for name in names if text.startswith(name, i)), None)
        if hit is None:
            plain += text[i]
            i += 1
            continue
        for word in split_words(plain):
            ids += encode_word(word, ranks)
        ids.append(special_tokens[hit])
        plain = ""
        i += len(hit)
    for word in split_words(plain):
        ids += encode_word(word, ranks)
    return ids


def decode(ids, merges, special_tokens=None):
    vocab = {i: bytes([i]) for i in range(256)}
    for i, (a, b) in enumerate(merges):
        vocab[256 + i] = vocab[a] + vocab[b]
    vocab.update((i, name.encode()) for name, i in (special_tokens or {}).items())
    unknown = [i for i in ids if i not in vocab]
    if unknown:
        raise ValueError(f"no such id: {unknown[0]}")
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")
