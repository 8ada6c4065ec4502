"""How large an exercise is: the numbers that the audit asks for and that `autograder new` writes into its files."""

from __future__ import annotations

from msgspec import Struct

from autograder.course.spec import Tier
from autograder.text import Text

Range = tuple[int, int]  # at least, at most


class Size(Struct, frozen=True):
    """How large an exercise of one tier is."""

    minutes: Range  # for the student
    reference: Range  # lines of code between the markers
    questions: Range
    statement: Range  # English words, docstrings included
    public: Range  # test functions
    hidden: Range
    misconceptions: Range
    lesson: Range  # words in each language


SIZES: dict[Tier, Size] = {
    "core": Size((45, 90), (25, 60), (1, 4), (0, 700), (4, 5), (9, 11), (12, 14), (1000, 1500)),
    "standard": Size((30, 50), (20, 45), (1, 3), (0, 480), (3, 4), (7, 8), (8, 10), (600, 900)),
    "short": Size((15, 25), (10, 25), (1, 2), (0, 250), (2, 3), (5, 6), (6, 8), (350, 500)),
}

ACCEPTED = 2  # solutions beside the reference, at least
PUBLIC_SHARE = (0.2, 0.45)  # of the points; about a third
HINT_WORDS, HINT_CHARACTERS = 60, 100  # at most, of a misconception's hint in English and in Chinese
QUIZ_QUESTIONS: Range = (8, 12)
QUIZ_OPTIONS: Range = (3, 5)
TIERS = {"core": Text("core", "核心"), "standard": Text("standard", "标准"), "short": Text("short", "短")}
