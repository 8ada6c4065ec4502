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


def encode_word(word, ranks):
    ids = [ord(c) for c in word]
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
    back = {}
    for name in special_tokens or {}:
        back[special_tokens[name]] = name
    data = bytearray()
    todo = list(ids)[::-1]
    while todo:
        i = todo.pop()
        if i in back:
            data += back[i].encode("utf-8")
        elif 0 <= i <= 255:
            data.append(i)
        elif 256 <= i < 256 + len(merges):
            todo += reversed(merges[i - 256])
        else:
            raise ValueError("id %r" % i)
    return data.decode("utf-8", "replace")
