"""Accepted: training with a heap of counts, stale ones included; encoding by the best of all candidate places."""

import heapq
import re
from collections import defaultdict
from itertools import pairwise

PATTERN = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def split_words(text):
    return [match.group() for match in PATTERN.finditer(text)]


def count_pairs(words):
    counts = defaultdict(int)
    for word, frequency in words.items():
        for i in range(len(word) - 1):
            counts[word[i], word[i + 1]] += frequency
    return dict(counts)


def merge_word(ids, pair, new_id):
    """One pass that notes each pair that goes and each that comes."""
    changes = defaultdict(int)
    merged = list(ids)
    i = 0
    while i < len(merged) - 1:
        if merged[i] != pair[0] or merged[i + 1] != pair[1]:
            i += 1
            continue
        for j in range(max(i - 1, 0), min(i + 2, len(merged) - 1)):
            changes[merged[j], merged[j + 1]] -= 1
        merged[i : i + 2] = [new_id]
        for j in range(max(i - 1, 0), min(i + 1, len(merged) - 1)):
            changes[merged[j], merged[j + 1]] += 1
        i += 1
    return merged, {each: change for each, change in changes.items() if change}


def train_merges(words, num_merges, min_count=2):
    """An entry of the heap is stale once its count has changed; a fresh one was pushed at that moment."""
    pieces = [(list(word), frequency) for word, frequency in words.items()]
    counts, places = count_pairs(words), defaultdict(set)
    for number, (ids, _) in enumerate(pieces):
        for pair in pairwise(ids):
            places[pair].add(number)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    merges = []
    while heap and len(merges) < num_merges:
        count, best = heapq.heappop(heap)
        if counts[best] != -count:
            continue
        if -count < min_count:
            break
        touched = set()
        for number in sorted(places.pop(best)):
            ids, frequency = pieces[number]
            ids, changes = merge_word(ids, best, 256 + len(merges))
            pieces[number] = ids, frequency
            for pair, change in changes.items():
                counts[pair] = counts.get(pair, 0) + change * frequency
                if change > 0:
                    places[pair].add(number)
            touched |= changes.keys()
        for pair in touched - {best}:
            if counts[pair]:
                heapq.heappush(heap, (-counts[pair], pair))
        merges.append(best)
    return merges


def encode_word(word, ranks):
    """Each step takes the best (rank, place) from the pairs as they are now."""
    ids = list(word.encode())
    while True:
        candidates = [(ranks[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in ranks]
        if not candidates:
            return ids
        rank, i = min(candidates)
        ids[i : i + 2] = [256 + rank]


def encode(text, merges, special_tokens=None, allowed_special=()):
    names = set(allowed_special)
    if not names <= set(special_tokens or {}):
        raise ValueError(names)
    ranks = dict(zip(merges, range(len(merges)), strict=True))
    ids, begin, place = [], 0, 0

    def ordinary(end):
        for word in split_words(text[begin:end]):
            ids.extend(encode_word(word, ranks))

    while place < len(text):
        name = max((name for name in names if text.startswith(name, place)), key=len, default=None)
        if name is None:
            place += 1
            continue
        ordinary(place)
        ids.append(special_tokens[name])
        begin = place = place + len(name)
    ordinary(len(text))
    return ids


def decode(ids, merges, special_tokens=None):
    names = {number: name for name, number in (special_tokens or {}).items()}

    def spell(number):
        if number in names:
            return names[number].encode()
        if 0 <= number < 256:
            return bytes((number,))
        if not 256 <= number < 256 + len(merges):
            raise ValueError(number)
        left, right = merges[number - 256]
        return spell(left) + spell(right)

    return b"".join(map(spell, ids)).decode(errors="replace")
