"""What a gradebook elsewhere gets columns for: some exercises of the course, and the points that can be had on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.course import Course, Exercise
from autograder.gradebook.scores import Scores
from autograder.results import total
from autograder.text import Text


@dataclass(frozen=True)
class Column:
    """Some exercises that are one column elsewhere.

    points: exercise -> what can be had. bonus: exercises of these whose points count above the maximum.
    """

    id: str
    title: Text
    points: Mapping[str, float]
    bonus: frozenset[str] = frozenset()

    @property
    def names(self) -> set[str]:
        """What its column may be called, in lower case."""
        return {name.lower() for name in (self.id, self.title.en, self.title.zh) if name}

    @property
    def max_score(self) -> float:
        return total(points for name, points in self.points.items() if name not in self.bonus)

    def score(self, student: str, scores: Scores) -> float | None:
        """The student's points: None where nothing was handed in, or while a fault of ours hides a part of it."""
        known = [scores[student, name] for name in self.points if (student, name) in scores]
        if not known or any(score.score is None for score in known):
            return None
        return total(score.score or 0.0 for score in known)

    def out_of(self, student: str, scores: Scores) -> float:
        """The points that the student could have: on what was graded those of its tests, else those of now."""
        places = {name: scores.get((student, name)) for name in self.points if name not in self.bonus}
        return total(score.max_score if score else self.points[name] for name, score in places.items())


def columns(course: Course, only: Sequence[str]) -> list[Column]:
    """What is named, as one item each; else the course's assignments, else its exercises."""
    titles = {unit.id: unit.title.text for unit in course.units}
    titles |= {assignment.id: assignment.title.text for assignment in course.assignments}
    names = list(only) or [assignment.id for assignment in course.assignments] or list(course.exercises)
    found = []
    for name in names:
        exercises = course.select([name])
        title = titles.get(name.rstrip("/")) or exercises[0].public.title.text
        found.append(Column(name, title, full_points(exercises), bonus_of(course, name)))
    return found


def bonus_of(course: Course, name: str) -> frozenset[str]:
    """The bonus exercises of the assignment that is named; none where something else is."""
    named = [bonus for one in course.assignments if one.id == name for bonus in one.bonus]
    return frozenset(course.exercise(bonus).id for bonus in named)


def full_points(exercises: Iterable[Exercise]) -> dict[str, float]:
    """Exercise -> the points that can be had now."""
    return {exercise.id: exercise.public.max_score for exercise in exercises}
