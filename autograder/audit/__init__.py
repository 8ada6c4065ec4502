"""`autograder audit`: prove that an exercise is fair. Each point is shown by running it, not by looking at it."""

from autograder.audit.audit import Auditor, ExerciseAudit, Point

__all__ = ["Auditor", "ExerciseAudit", "Point"]
