"""The reference of agents/prompting against enumeration, Decimal and statistics.mode."""

from __future__ import annotations

import random
import statistics
from decimal import Decimal
from itertools import product

import pytest

from autograder.testing import load_reference, scripted_model


@pytest.mark.parametrize("seed", range(20))
def test_few_shot_against_enumeration(seed: int) -> None:
    exercise, draw = load_reference("agents/prompting"), random.Random(seed)
    examples = [(f"q{n}" * draw.randint(1, 9), f"a{n} " * draw.randint(1, 30)) for n in range(5)]

    def count(text: str) -> int:
        return -(-len(text.encode()) // 3)

    # All subsets in all orders would do; those that the statement allows are the six beginnings of the ranking.
    allowed = []
    for n in range(6):
        shots = "".join(f"Q: {asked}\nA: {answer}\n\n" for asked, answer in examples[:n][::-1])
        allowed.append(f"Be brief.\n\n{shots}Q: Why?\nA:")
    for budget in range(count(allowed[0]) - 2, count(allowed[-1]) + 2):
        fitting = [prompt for prompt in allowed if count(prompt) <= budget]
        if fitting:
            assert exercise.few_shot("Be brief.", examples, "Why?", count, budget) == max(fitting, key=len)
        else:
            with pytest.raises(ValueError, match="budget"):
                exercise.few_shot("Be brief.", examples, "Why?", count, budget)


@pytest.mark.parametrize("seed", range(20))
def test_numbers_against_decimal(seed: int) -> None:
    exercise, draw = load_reference("agents/prompting"), random.Random(seed)
    for _ in range(50):
        value = Decimal(draw.randint(-(10 ** draw.randint(1, 20)), 10 ** draw.randint(1, 20))).scaleb(
            -draw.randint(0, 6)
        )
        spelled = f"{value:,f}" if draw.random() < 0.5 else f"{value:f}"
        if "." in spelled:
            spelled += "0" * draw.randint(0, 3)
        ending = draw.choice(["", ".", ",", "!", " cats", ".\nQ: 3?"])
        answer = exercise.final_answer(f"First 7, the answer is 8; no, the Answer is {spelled}{ending}")
        assert Decimal(answer) == value
        assert answer == (f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}")
        assert answer == exercise.final_answer(f"From 12 to {spelled}")


@pytest.mark.parametrize("seed", range(20))
def test_vote_against_statistics(seed: int) -> None:
    exercise, draw = load_reference("agents/prompting"), random.Random(seed)
    drawn = [draw.choice([None, 3, 4, 5]) for _ in range(draw.randint(1, 15))]
    model = scripted_model([f"The answer is {number or 'unknown to'}" for number in drawn])
    replies = [model("How many?") for _ in drawn]
    voters = [str(number) if number else "unknown to" for number in drawn]
    # statistics.mode gives the first of equals, too.
    assert exercise.self_consistency(replies) == (statistics.mode(voters), max(map(voters.count, voters)))
    silent = ["The answer is" if number is None else f"The answer is {number}" for number in drawn]
    numbers = [str(number) for number in drawn if number]
    expected = (statistics.mode(numbers), max(map(numbers.count, numbers))) if numbers else (None, 0)
    assert exercise.self_consistency(silent) == expected


@pytest.mark.parametrize("seed", range(10))
def test_tree_against_enumeration(seed: int) -> None:
    exercise, draw = load_reference("agents/prompting"), random.Random(seed)
    scores = {"".join(path): draw.random() for n in range(1, 5) for path in product("abc", repeat=n)}

    def propose(state: str) -> list[str]:
        return [state + letter for letter in "abc"]

    # As wide as the tree: the best of all 81 paths, and all of them in order.
    paths = sorted((state for state in scores if len(state) == 4), key=lambda state: -scores[state])
    assert exercise.tree_of_thoughts("", propose, scores.__getitem__, 81, 4) == paths
    # The beam by hand: of all states whose parents were kept, those with fewer than `width` better ones.
    for width in (1, 2, 3, 7):
        kept = {""}
        for depth in range(1, 5):
            born = [state for state in scores if len(state) == depth and state[:-1] in kept]
            kept = {state for state in born if sum(scores[other] > scores[state] for other in born) < width}
        found = exercise.tree_of_thoughts("", propose, scores.__getitem__, width, 4)
        assert found == sorted(kept, key=lambda state: -scores[state])
