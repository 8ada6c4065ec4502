"""Accepted: ids are characters of private strings, so that str.replace merges; encoding replays all merges.

`str.replace` goes from left to right and never overlaps, which is the rule of the exercise.
"""

import re
from collections import Counter, OrderedDict

SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+"


def as_string(ids):
    """One character per id; the surrogates' code points are fine inside Python."""
    return "".join(map(chr, ids))


def as_ids(string):
    return [ord(character) for character in string]


def tally(string):
    return Counter(string[i : i + 2] for i in range(len(string) - 1))


def count_pairs(words):
    total = Counter()
    for word, frequency in words.items():
        for pair, number in tally(as_string(word)).items():
            total[tuple(as_ids(pair))] += number * frequency
    return OrderedDict(total.most_common())


def merge_word(ids, pair, new_id):
    old = as_string(ids)
    new = old.replace(as_string(pair), chr(new_id))
    before, after = tally(old), tally(new)
    differing = {each for each in before.keys() | after.keys() if before[each] != after[each]}
    return as_ids(new), {tuple(as_ids(each)): after[each] - before[each] for each in differing}


def train_merges(words, num_merges, min_count=2):
    current = {word: word for word in words}
    total = Counter(count_pairs(words))
    holders = {pair: {word for word in words if as_string(pair) in as_string(word)} for pair in total}
    merges = []
    while len(merges) < num_merges and total:
        best = min(total, key=lambda pair: (-total[pair], pair))
        if total[best] < min_count:
            break
        for word in list(holders[best]):
            current[word], changes = merge_word(current[word], best, 256 + len(merges))
            total.update({pair: change * words[word] for pair, change in changes.items()})
            for pair in changes:
                present = as_string(pair) in as_string(current[word])
                (set.add if present else set.discard)(holders.setdefault(pair, set()), word)
        merges.append(best)
        total = +total  # without the zeros
    return merges


def encode(text, merges, special_tokens=None, allowed_special=()):
    unknown = [name for name in allowed_special if name not in (special_tokens or {})]
    if unknown:
        raise ValueError(f"not special tokens: {unknown}")
    if allowed_special:
        found = [(text.find(name), -len(name), name) for name in allowed_special if name in text]
        if found:
            start, _, name = min(found)
            head = encode(text[:start], merges)
            tail = encode(text[start + len(name) :], merges, special_tokens, allowed_special)
            return [*head, special_tokens[name], *tail]
    ids = []
    for word in re.findall(SPLIT, text):
        string = as_string(word.encode("utf-8"))
        for rank, pair in enumerate(merges):
            string = string.replace(as_string(pair), chr(256 + rank))
        ids += as_ids(string)
    return ids


def decode(ids, merges, special_tokens=None):
    table = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    numbered = dict(enumerate(table))
    numbered.update({number: name.encode() for name, number in (special_tokens or {}).items()})
    try:
        return b"".join([numbered[each] for each in ids]).decode("utf-8", "replace")
    except KeyError as missing:
        raise ValueError(f"unknown id {missing}") from None
