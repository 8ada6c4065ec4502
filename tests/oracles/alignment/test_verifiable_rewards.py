"""The reference of alignment/verifiable_rewards against fractions.Fraction, sympy.Rational and trl's format reward."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
import sympy
from trl.rewards import think_format_reward

from autograder.testing import load_reference


def written(value: Fraction, draw: random.Random) -> list[str]:
    """Ways to write a fraction whose decimals end."""
    above, below = value.numerator, value.denominator
    factor = draw.choice((1, 2, 3, 7))
    a, b = abs(above) * factor, below * factor
    sign = "-" if value < 0 else ""
    decimal = f"{float(value):.6f}".rstrip("0").rstrip(".")
    percent = f"{float(value * 100):.6f}".rstrip("0").rstrip(".")
    ways = [
        f"{sign}{a}/{b}",
        rf"{sign}\frac{{{a}}}{{{b}}}",
        rf"$\dfrac{{{sign}{a}}}{{{b}}}$",
        rf"{percent}\%",
    ]
    ways += [decimal, f" {float(value):,.6f} ", rf"\${decimal}", rf"\frac{{{a:,}}}{{{sign}{b}}}"]
    return ways


def test_against_exact_fractions() -> None:
    """All ways to write one fraction are equal, and those of two fractions only if sympy says so."""
    reference = load_reference("alignment/verifiable_rewards")
    draw = random.Random(0)
    values = [Fraction(draw.randint(-4000, 4000), draw.choice((1, 2, 4, 5, 8, 20))) for _ in range(30)]
    values += [Fraction(0), Fraction(1, 2), Fraction(-1, 2), Fraction(1234567), Fraction(50)]
    texts = [(value, text) for value in values for text in written(value, draw)]
    for value, text in texts:
        assert reference.same_answer(text, f"{value.numerator}/{value.denominator}"), text
    for (left, first), (right, second) in itertools.combinations(draw.sample(texts, 60), 2):
        expected = sympy.Rational(left.numerator, left.denominator) == sympy.Rational(
            right.numerator, right.denominator
        )
        assert reference.same_answer(first, second) == bool(expected), (first, second)


def test_decimals_as_sympy_reads_them() -> None:
    """sympy.Rational reads integers, decimals and a/b of texts itself."""
    reference = load_reference("alignment/verifiable_rewards")
    texts = ["12", "-0.5", ".5", "3/4", "-6/8", "0.75", "0.333", "1/3", "12.50", "25/2", "-1/2", "0"]
    for first, second in itertools.product(texts, repeat=2):
        assert reference.same_answer(first, second) == (sympy.Rational(first) == sympy.Rational(second))


TABLE = [
    (r"The answer is \boxed{\frac{1}{2}}.", "0.5", 1.0),
    (r"\boxed{12}, no, \boxed{50\%}", "1/2", 1.0),
    ("18 - 9 = 9\n#### 9", "9", 1.0),
    (r"\boxed{\text{even}}", r"\text{even}", 1.0),
    ("#### 1,450\n", "1450", 1.0),
    ("The answer is 9.", "9", 0.0),
    (r"<think>\boxed{9}</think>", "9", 0.0),
    (r"\boxed{8}, or \boxed{9}, or \boxed{10}", "9", 0.0),
    (r"\boxed{8, 9, 10}", "9", 0.0),
    (r"\boxed{3*3}", "9", 0.0),
    (r"\boxed{1/0}", "9", 0.0),
    (r"\boxed{9", "9", 0.0),
]


@pytest.mark.parametrize(("completion", "truth", "expected"), TABLE)
def test_labelled_answers(completion: str, truth: str, expected: float) -> None:
    """A table of completions labelled by hand."""
    assert load_reference("alignment/verifiable_rewards").answer_reward(completion, truth) == expected


def test_format_as_in_trl() -> None:
    """Equal to trl, except for an empty answer and a second </think>, which trl lets pass."""
    reference = load_reference("alignment/verifiable_rewards")
    pieces = ["<think>", "</think>", "a\n", ""]
    differ = set()
    for parts in itertools.product(pieces, repeat=5):
        text = "".join(parts)
        ours, theirs = (
            reference.format_reward(text),
            think_format_reward([[{"role": "assistant", "content": text}]])[0],
        )
        if ours != theirs:
            differ.add(text)
    assert "<think></think>" in differ
    for text in differ:
        assert reference.format_reward(text) == 0.0
        assert text.count("</think>") > 1 or text.endswith("</think>")
