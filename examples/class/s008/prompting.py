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
    shots = [f"Q: {q}\nA: {answer}" for q, answer in examples]
    for n in range(len(shots), -1, -1):
        prompt = "\n\n".join([instructions, *reversed(shots[:n]), f"Q: {question}\nA:"])
        if count(prompt) <= budget:
            return prompt
    raise ValueError("instructions and question don't fit into the budget")


def final_answer(reply: str, marker: str = "answer is") -> str | None:
    pattern = r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
    *earlier, after = re.split(re.escape(marker), reply, flags=re.IGNORECASE)
    rest = after.split("\n")[0]
    hits = re.findall(pattern, rest)[:1] if earlier else re.findall(pattern, reply)[-1:]
    if hits:
        text = f"{Decimal(hits[0].replace(',', '')):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return re.sub(r"^\W+|\W+$", "", rest).lower() or None if earlier else None


def self_consistency(replies: list[str], marker: str = "answer is") -> tuple[str | None, int]:
    answers = [final_answer(reply, marker) for reply in replies]
    tally = Counter(answer for answer in answers)
    return max(tally.items(), key=lambda pair: pair[1], default=(None, 0))


def tree_of_thoughts(
    root: str,
    propose: Callable[[str], list[str]],
    score: Callable[[str], float],
    width: int,
    depth: int,
) -> list[str]:
    frontier = [root]
    for _round in range(depth):
        born = dict.fromkeys(next_thought for thought in frontier for next_thought in propose(thought))
        if not born:
            break
        frontier = sorted(born, key=score, reverse=True)[:width]
    return frontier
