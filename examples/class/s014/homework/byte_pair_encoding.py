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
    raise NotImplementedError("train_merges")


def encode(text, merges, special_tokens=None, allowed_special=()):
    raise NotImplementedError("encode")


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
