"""As solved from the skeleton alone."""

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal


def few_shot(
    instructions: str,
    examples: list[tuple[str, str]],
    question: str,
    count: Callable[[str], int],
    budget: int,
) -> str:
    def prompt(number: int) -> str:
        shown = [f"Q: {asked}\nA: {answer}" for asked, answer in reversed(examples[:number])]
        return "\n\n".join([instructions, *shown, f"Q: {question}\nA:"])

    best = prompt(0)
    if count(best) > budget:
        raise ValueError("instructions and question alone don't fit into the budget")
    for number in range(1, len(examples) + 1):
        longer = prompt(number)
        if count(longer) > budget:
            break
        best = longer
    return best


def final_answer(reply: str, marker: str = "answer is") -> str | None:
    number = r"-?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"

    def one_form(text: str) -> str:
        digits = format(Decimal(text.replace(",", "")), "f")  # exact, however long
        if "." in digits:
            digits = digits.rstrip("0").rstrip(".")
        return "0" if digits == "-0" else digits

    # The greedy dot takes as much as it can, so this stops at the last marker.
    found = re.match(".*" + re.escape(marker), reply, re.DOTALL | re.IGNORECASE)
    if found is None:
        numbers = re.findall(number, reply)
        return one_form(numbers[-1]) if numbers else None
    tail = reply[found.end() :].split("\n", 1)[0]
    first = re.search(number, tail)
    if first is not None:
        return one_form(first.group())
    letters = [place for place, character in enumerate(tail) if character.isalpha()]
    if not letters:
        return None
    return tail[letters[0] : letters[-1] + 1].lower()


def self_consistency(replies: list[str], marker: str = "answer is") -> tuple[str | None, int]:
    answers = (final_answer(reply, marker) for reply in replies)
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return None, 0
    return votes.most_common(1)[0]  # a Counter remembers who came first


def tree_of_thoughts(
    root: str,
    propose: Callable[[str], list[str]],
    score: Callable[[str], float],
    width: int,
    depth: int,
) -> list[str]:
    states = [root]
    for _ in range(depth):
        children = dict.fromkeys(child for state in states for child in propose(state))
        if not children:
            break
        states = sorted(children, key=score, reverse=True)[:width]  # stable, even reversed
    return states
