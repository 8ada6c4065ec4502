"""Small functions: a binary search over the number of examples, one pattern with named parts, a recursion, heapq."""

import heapq
import itertools
import re
from bisect import bisect_right

PATTERN = re.compile(r"(?P<sign>-?)(?:(?P<whole>\d{1,3}(?:,\d{3})+|\d+)|(?=\.\d))(?:\.(?P<part>\d+))?")


def few_shot(instructions, examples, question, count, budget):
    shots = ["Q: {}\nA: {}\n\n".format(*example) for example in examples]
    head, tail = f"{instructions}\n\n", f"Q: {question}\nA:"

    def prompt(n):
        return head + "".join(shots[:n][::-1]) + tail

    fitting = bisect_right(range(len(shots) + 1), budget, key=lambda n: count(prompt(n)))
    if fitting == 0:
        raise ValueError("too long")
    return prompt(fitting - 1)


def one_form(match):
    whole = (match["whole"] or "0").replace(",", "")
    part = (match["part"] or "").rstrip("0")
    return match["sign"] + str(int(whole)) + (part and f".{part}")


def final_answer(reply, marker="answer is"):
    ends = [match.end() for match in re.finditer(re.escape(marker), reply, re.IGNORECASE)]
    scope = re.match(r"[^\n]*", reply[ends[-1] :])[0] if ends else reply
    forms = [one_form(match) for match in PATTERN.finditer(scope)]
    if forms:
        return forms[0 if ends else -1]
    words = re.search(r"\w(?:.*\w)?", scope) if ends else None
    return words and words[0].lower()


def self_consistency(replies, marker="answer is"):
    votes = {}
    for answer in filter(None, (final_answer(reply, marker) for reply in replies)):
        votes[answer] = votes.get(answer, 0) + 1
    ordered = sorted(votes.items(), key=lambda item: -item[1])
    return ordered[0] if ordered else (None, 0)


def tree_of_thoughts(root, propose, score, width, depth):
    def grow(states, rounds):
        if rounds == 0:
            return states
        born = list(dict.fromkeys(itertools.chain.from_iterable(map(propose, states))))
        ranked = heapq.nlargest(width, ((score(child), -place) for place, child in enumerate(born)))
        return grow([born[-place] for _, place in ranked], rounds - 1) if born else states

    return grow([root], depth)
