"""What a student gets back, gathered from the gradebook. `autograder.feedback.student_pages` shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC
from functools import cached_property

from msgspec.structs import replace

from autograder.course import Course, Exercise
from autograder.errors import UserError
from autograder.feedback.student import (
    AssignmentFeedback,
    ExerciseFeedback,
    Given,
    StudentFeedback,
    Unplaced,
    clean,
    exercise_feedback,
)
from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.final_grade import AssignmentGrade, final_grades
from autograder.gradebook.policy import GradingScheme, Score, ScoredAssignment, Version, unit_of
from autograder.gradebook.roster import Person
from autograder.gradebook.scores import current_scores, missing_result
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult
from autograder.runner.outline import Outline, read_outline
from autograder.text import Text, shortened

OTHERS = "other-exercises"  # no assignment can be called so: its name holds a dash
OTHER_EXERCISES = Text("Other exercises", "其他练习")

Links = Callable[[Exercise], tuple[str, str]]  # the addresses of an exercise's lesson and of its statement


def nowhere(exercise: Exercise) -> tuple[str, str]:
    """No links."""
    return "", ""


class FeedbackSource:
    """One gradebook, seen as what its students get back. Each student's is read when it is asked for.

    Args:
        course: with its derived exercises; None where it is not at hand: then no sentences and no titles are told.
        scheme: the grading scheme of that course, not narrowed.
        links: where a page leads to.
    """

    def __init__(
        self, book: Gradebook, scheme: GradingScheme, course: Course | None = None, links: Links = nowhere
    ) -> None:
        self._book, self._scheme, self._course, self._links = book, scheme, course, links
        self._outlines: dict[str, Outline] = {}

    @cached_property
    def _begun(self) -> set[str]:
        """The exercises on which anybody in the class has something."""
        return self._book.exercises()

    @cached_property
    def _people(self) -> Mapping[str, Person]:
        return self._book.roster()

    @cached_property
    def _listed(self) -> GradingScheme:
        """The scheme with the course's assignments; where it has none, each unit is one."""
        units = dict.fromkeys(map(unit_of, self._scheme.versions))
        made = tuple(
            ScoredAssignment(
                unit,
                self._scheme.titles.get(unit, Text(unit, unit)),
                tuple(self._scheme.of_unit(unit).versions),
            )
            for unit in units
        )
        return replace(self._scheme, assignments=self._scheme.assignments or made)

    @cached_property
    def _others(self) -> GradingScheme:
        """What no assignment holds, as one that counts nothing."""
        held = {name for one in self._listed.assignments for name in one.exercises}
        names = tuple(name for name in self._scheme.versions if name in self._begun - held)
        others = ScoredAssignment(OTHERS, OTHER_EXERCISES, names, weight=0.0)
        return replace(self._scheme, assignments=(others,))

    @property
    def assignments(self) -> list[ScoredAssignment]:
        """The pages that there are: those on which anybody has something, in the course's order."""
        both = (*self._listed.assignments, *self._others.assignments)
        return [one for one in both if self._begun.intersection(one.exercises)]

    def check(self, assignments: Collection[str]) -> None:
        """UserError where one of these is no assignment on which anybody has something."""
        known = [one.id for one in self.assignments]
        for name in assignments:
            if name not in known:
                raise UserError(
                    f"--assignment {name!r}: {self._book.name} has results of {', '.join(known) or 'none'}",
                    f"--assignment {name!r}：{self._book.name} 中有结果的作业：{'、'.join(known) or '无'}",
                )

    def of(self, student: str, assignments: Collection[str] = ()) -> StudentFeedback:
        """What one student gets back: of these assignments, or of all."""
        scores = current_scores(self._book, self._scheme, student)
        counted = {name: score.attempt for (_, name), score in scores.items() if score.attempt is not None}
        full = dict(zip(counted, self._book.in_full(counted.values()), strict=True))
        given = {name: _given(rows) for (_, name), rows in self._book.adjustments(student).items()}
        course_grade = final_grades(scores, self._listed, [student])[student]
        others = final_grades(scores, self._others, [student])[student]
        grades = {one.id: one for one in (*course_grade.assignments, *others.assignments)}
        unplaced = self._unplaced(student)
        pages = []
        for one in self.assignments:
            if not assignments or one.id in assignments:
                exercises = tuple(
                    self._exercise(
                        student, name, scores.get((student, name)), full.get(name), given.get(name, ())
                    )
                    for name in one.exercises
                )
                near = tuple(file for file in unplaced if set(file.looks_like).intersection(one.exercises))
                pages.append(_assignment(one, grades[one.id], exercises, near))
        person = self._people.get(student)
        return StudentFeedback(
            student=clean(student),
            name=clean(person.name) if person else "",
            course=self._course.title.text if self._course else Text(),
            assignments=tuple(pages),
            lines=course_grade.lines if self._scheme.assignments and not assignments else (),
            unplaced=unplaced,
        )

    def _exercise(
        self,
        student: str,
        name: str,
        score: Score | None,
        result: ExerciseResult | None,
        given: Sequence[Given],
    ) -> ExerciseFeedback:
        version = self._scheme.versions.get(name, Version("", 0.0))
        exercise = self._course.exercises.get(name) if self._course else None
        return exercise_feedback(
            result or missing_result(student, name, version),
            exercise.public if exercise else None,
            self._outline(exercise) if exercise else Outline(),
            score=score.score if score else 0.0,
            max_score=score.max_score if score else version.max_score,
            given=given,
            links=self._links(exercise) if exercise else ("", ""),
        )

    def _outline(self, exercise: Exercise) -> Outline:
        if exercise.id not in self._outlines:
            self._outlines[exercise.id] = read_outline(exercise)
        return self._outlines[exercise.id]

    def _unplaced(self, student: str) -> tuple[Unplaced, ...]:
        """Files of theirs that nobody could place, as each folder was graded last."""
        noted = self._book.unrecognised(student).get(student, ())
        return tuple(
            Unplaced(clean(shortened(file.path)), file.looks_like) for one in noted for file in one.files
        )


def _assignment(
    one: ScoredAssignment,
    grade: AssignmentGrade,
    exercises: tuple[ExerciseFeedback, ...],
    unplaced: tuple[Unplaced, ...],
) -> AssignmentFeedback:
    return AssignmentFeedback(
        id=one.id,
        title=one.title,
        score=grade.score,
        max_score=grade.max_score,
        due=one.due,
        lines=grade.lines,
        exercises=exercises,
        unplaced=unplaced,
    )


def _given(rows: Sequence[Adjustment]) -> list[Given]:
    """The adjustments that count: neither what was taken back nor what took it back."""
    return [
        Given(one.points, clean(one.reason), one.recorded_at.replace(tzinfo=UTC).astimezone().date())
        for one in rows
        if one.undone_by is None and one.undoes is None
    ]
