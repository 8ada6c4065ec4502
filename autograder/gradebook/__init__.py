"""The gradebook: an append-only record of attempts and adjustments, and the scores that follow from it."""

from autograder.gradebook.database import GradebookError
from autograder.gradebook.policy import Score, score_of
from autograder.gradebook.store import Adjustment, Attempt, Gradebook

__all__ = ["Adjustment", "Attempt", "Gradebook", "GradebookError", "Score", "score_of"]
