"""Accepted: numpy does the counting and the merging, and what comes back holds numpy's integers."""

import re
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

PATTERN = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def split_words(text):
    return PATTERN.findall(text)


def count_words(text):
    return Counter(tuple(word.encode()) for word in split_words(text))


def count_pairs(words):
    counts = defaultdict(np.int64)
    for word, frequency in words.items():
        for pair, times in Counter(pairwise(word)).items():
            counts[pair] += np.int64(times * frequency)
    return counts


def merged(ids, pair, new_id):
    """Array to array: of places that overlap, every other one is taken, from the left."""
    if len(ids) < 2:
        return ids
    taken, free = [], 0
    for place in np.flatnonzero((ids[:-1] == pair[0]) & (ids[1:] == pair[1])):
        if place >= free:
            taken.append(place)
            free = place + 2
    taken = np.array(taken, dtype=int)
    ids = ids.copy()
    ids[taken] = new_id
    return np.delete(ids, taken + 1)


def merge_word(ids, pair, new_id):
    before = [int(each) for each in ids]
    after = merged(np.array(before, dtype=int), pair, new_id).tolist()
    changes = defaultdict(int)
    for sign, sequence in [(-1, before), (1, after)]:
        for each in pairwise(sequence):
            changes[each] += sign
    return after, {each: np.int64(change) for each, change in changes.items() if change}


def train_merges(words, num_merges, min_count=2):
    sequences, frequencies = [list(word) for word in words], list(words.values())
    counts, where = count_pairs(words), defaultdict(set)
    for number, sequence in enumerate(sequences):
        for pair in pairwise(sequence):
            where[pair].add(number)
    merges = []
    while len(merges) < num_merges:
        pairs = [pair for pair, count in counts.items() if count >= min_count]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-counts[pair], pair))
        for number in where.pop(best):
            sequences[number], changes = merge_word(sequences[number], best, 256 + len(merges))
            for pair, change in changes.items():
                counts[pair] += change * frequencies[number]
                if change > 0:
                    where[pair].add(number)
        merges.append(best)
    return merges


def encode(text, merges, special_tokens=None, allowed_special=()):
    ids = dict(special_tokens or {})
    if not set(allowed_special) <= ids.keys():
        raise ValueError("a name that is allowed is not known")
    names = sorted(allowed_special, key=lambda name: -len(name))
    splitter = "(" + "|".join(map(re.escape, names)) + ")" if names else "(?!)"
    known = {tuple(pair): 256 + rank for rank, pair in enumerate(merges)}
    pieces = [np.zeros(0, dtype=int)]
    for number, part in enumerate(re.split(splitter, text)):
        if names and number % 2:
            pieces.append(np.array([ids[part]]))
            continue
        for word in split_words(part):
            piece = np.frombuffer(word.encode(), dtype=np.uint8).astype(int)
            while found := [known[pair] for pair in pairwise(piece.tolist()) if pair in known]:
                piece = merged(piece, merges[min(found) - 256], min(found))
            pieces.append(piece)
    return list(np.concatenate(pieces))


def decode(ids, merges, special_tokens=None):
    spelling = dict(enumerate(map(bytes, np.arange(256, dtype=np.uint8)[:, None])))
    for rank, (left, right) in enumerate(merges):
        spelling[256 + rank] = spelling[left] + spelling[right]
    spelling |= {number: name.encode() for name, number in (special_tokens or {}).items()}
    if unknown := [each for each in ids if each not in spelling]:
        raise ValueError(f"nothing is spelt by {unknown}")
    return b"".join(spelling[each] for each in ids).decode("utf-8", "replace")
