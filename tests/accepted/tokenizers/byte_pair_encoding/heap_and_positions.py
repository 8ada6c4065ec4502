"""Accepted: training over one array of linked symbols with a heap; encoding by a heap of candidate places."""

import heapq
import re
from collections import defaultdict
from itertools import pairwise

PATTERN = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")
END = -1  # lies between words; in no pair


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


class Symbols:
    """All words as one doubly linked list in arrays, with the places and the weighted count of every pair."""

    def __init__(self, words):
        self.symbol, self.weight = [END], [0]
        for word, frequency in words.items():
            self.symbol += [*word, END]
            self.weight += [frequency] * (len(word) + 1)
        self.after = list(range(1, len(self.symbol) + 1))
        self.before = list(range(-1, len(self.symbol) - 1))
        self.count = defaultdict(int)
        self.places = defaultdict(set)
        for place in range(len(self.symbol) - 1):
            self.add(place, 1)
        self.heap = [(-count, pair) for pair, count in self.count.items()]
        heapq.heapify(self.heap)

    def add(self, place, sign):
        """Count (or discount) the pair that begins at this place; say which it is."""
        pair = self.symbol[place], self.symbol[self.after[place]]
        if END in pair:
            return None
        self.count[pair] += sign * self.weight[place]
        (self.places[pair].add if sign > 0 else self.places[pair].discard)(place)
        return pair

    def best(self):
        while self.heap:
            count, pair = self.heap[0]
            if self.count[pair] == -count and count:
                return pair, -count
            heapq.heappop(self.heap)
        return None, 0

    def merge(self, pair, new_id):
        touched = set()
        for place in sorted(self.places[pair]):
            if self.symbol[place] != pair[0] or self.symbol[self.after[place]] != pair[1]:
                continue  # an overlapping occurrence was merged before it
            left, right = self.before[place], self.after[place]
            touched |= {self.add(each, -1) for each in (left, place, right)}
            self.symbol[place], self.symbol[right] = new_id, END - 1
            self.after[place] = self.after[right]
            self.before[self.after[right]] = place
            touched |= {self.add(each, 1) for each in (left, place)}
        for each in touched - {None}:
            heapq.heappush(self.heap, (-self.count[each], each))


def train_merges(words, num_merges, min_count=2):
    symbols = Symbols(words)
    merges = []
    while len(merges) < num_merges:
        pair, count = symbols.best()
        if pair is None or count < min_count:
            break
        symbols.merge(pair, 256 + len(merges))
        merges.append(pair)
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
