"""`autograder audit`: prove that an exercise is fair. Each point is shown by running it, not by looking at it."""

from autograder.audit.report import Begun, Ended, Event, ExerciseAudit, Point
from autograder.audit.run import audit, audit_events, processors

__all__ = ["Begun", "Ended", "Event", "ExerciseAudit", "Point", "audit", "audit_events", "processors"]
