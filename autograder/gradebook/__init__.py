"""The gradebook: an append-only record of attempts and adjustments, and the scores that follow from it."""

from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.attempts import Attempt
from autograder.gradebook.database import GradebookError
from autograder.gradebook.policy import GradingScheme, Score, Version, score_of
from autograder.gradebook.store import Gradebook

__all__ = [
    "Adjustment",
    "Attempt",
    "Gradebook",
    "GradebookError",
    "GradingScheme",
    "Score",
    "Version",
    "score_of",
]
