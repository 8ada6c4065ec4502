"""How far a learner has come with each exercise, from the files and the journal: no test is run."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from autograder.course import Course, CourseError, Exercise
from autograder.course.digests import file_digest
from autograder.course.order import learning_order
from autograder.learn.attempts import attempt_in
from autograder.learn.journal import Journal, read_journal
from autograder.text import Text

NONE_YET = Text(
    "no exercise was worked on yet; name one: {first}",
    "还没有做过任何练习；请写出一道：{first}",
)


class State(StrEnum):
    """How far an exercise is."""

    NOT_BEGUN = "not_begun"
    BEGUN = "begun"  # changed, with public points missing, or not tested yet
    PUBLIC = "public"  # all public tests pass
    COMPLETE = "complete"  # the hidden ones, too


class ExerciseState(Struct, frozen=True):
    """One exercise. `score` of `max_score` are those of the last test run: None where there was none."""

    exercise: str
    state: State
    score: float | None
    max_score: float | None
    changed: bool  # since then


def state_of(exercise: Exercise, journal: Journal) -> ExerciseState:
    """The state of one exercise."""
    entry = journal.entry(exercise)
    untouched = not entry.in_notebook and is_untouched(exercise)
    if untouched or not entry.attempt:
        return ExerciseState(exercise.id, State.NOT_BEGUN if untouched else State.BEGUN, None, None, False)
    changed = not entry.in_notebook and attempt_in(exercise.skeleton) != entry.attempt
    reached = State.COMPLETE if entry.complete else State.PUBLIC
    state = reached if entry.passes and not changed else State.BEGUN
    told = entry.hidden or entry
    return ExerciseState(exercise.id, state, told.score, told.max_score, changed)


def is_untouched(exercise: Exercise) -> bool:
    """Whether the file is still as it was given out, or is not there."""
    try:
        text = exercise.skeleton.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return not exercise.skeleton.is_file()
    return file_digest(text) == exercise.public.pristine.file


def last_worked_on(course: Course) -> Exercise | None:
    """The exercise that was tested last, or whose file was changed after that; None where nothing was begun."""
    journal = read_journal(course.root)
    newest = sorted(((_saved(exercise), exercise) for exercise in course), key=lambda pair: -pair[0])
    for saved, exercise in newest:
        if saved <= journal.when:
            break
        if not is_untouched(exercise):
            return exercise
    return course.exercises.get(journal.last)


def require_last(course: Course) -> Exercise:
    """As `last_worked_on`. CourseError where there is none."""
    exercise = last_worked_on(course)
    if exercise is None:
        raise CourseError.of(NONE_YET, first=learning_order(course)[0].id)
    return exercise


def where_to_begin(course: Course) -> Exercise:
    """What `autograder learn` opens: the last worked on, or the first that is not complete if that one is."""
    journal = read_journal(course.root)
    last = last_worked_on(course)
    if last is not None and state_of(last, journal).state is not finished(course):
        return last
    order = learning_order(course)
    return next((e for e in order if state_of(e, journal).state is not finished(course)), order[0])


def finished(course: Course) -> State:
    """The state beyond which nothing can be reached here."""
    return State.COMPLETE if course.has_solutions else State.PUBLIC


def states_of(course: Course, exercises: Iterable[Exercise]) -> list[ExerciseState]:
    """The states of these exercises."""
    journal = read_journal(course.root)
    return [state_of(exercise, journal) for exercise in exercises]


def _saved(exercise: Exercise) -> float:
    try:
        return exercise.skeleton.stat().st_mtime
    except OSError:
        return 0.0
