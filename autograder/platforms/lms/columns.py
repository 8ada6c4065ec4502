"""What a gradebook elsewhere gets columns for: some exercises of the course, and the points that can be had on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autograder.course import Course, Exercise
from autograder.course.outline import outline_of
from autograder.gradebook.policy import Score
from autograder.platforms.lms.items import Item
from autograder.results import total


def columns(course: Course, only: Sequence[str], scores: Mapping[tuple[str, str], Score]) -> list[Item]:
    """What is named, as one item each; else the course's assignments, else its exercises."""
    titles = {unit.id: unit.title.text for unit in course.units}
    titles |= {assignment.id: assignment.title.text for assignment in course.assignments}
    names = list(only) or [assignment.id for assignment in course.assignments] or list(course.exercises)
    found = []
    for name in names:
        exercises = course.select([name])
        title = titles.get(name.rstrip("/")) or exercises[0].public.title.text
        found.append(Item(name, title, full_points(exercises, scores)))
    return found


def full_points(exercises: Iterable[Exercise], scores: Mapping[tuple[str, str], Score]) -> dict[str, float]:
    """Exercise -> the points that can be had: as recorded, else as its tests say."""
    recorded: dict[str, float] = {}
    for (_, name), score in scores.items():
        recorded[name] = max(recorded.get(name, 0.0), score.max_score)
    return {
        exercise.id: recorded[exercise.id]
        if exercise.id in recorded
        else total(outline_of(exercise).points.values())
        for exercise in exercises
    }
