"""From scores to a grade for each assignment, and for the course, each with the lines that lead to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from autograder.gradebook.grade_lines import exercise_lines, final_lines, sum_line
from autograder.gradebook.grades import AssignmentGrade, FinalGrade
from autograder.gradebook.policy import GradingScheme, Score, ScoredAssignment
from autograder.gradebook.scores import Scores
from autograder.gradebook.student_scores import points_on
from autograder.gradebook.weighing import Weighed, best_choice

__all__ = ["AssignmentGrade", "FinalGrade", "assignment_grade", "final_grade", "final_grades"]


def final_grades(scores: Scores, scheme: GradingScheme, students: Sequence[str]) -> dict[str, FinalGrade]:
    """Student -> final grade, for all of these, under the scheme's assignments and policy.

    An assignment on which nobody in the class has anything does not count yet: it is nobody's missing work.
    """
    own: dict[str, dict[str, Score]] = {student: {} for student in students}
    for (student, name), score in scores.items():
        if student in own:
            own[student][name] = score
    return {student: final_grade(student, own[student], scheme) for student in students}


def final_grade(student: str, scores: Mapping[str, Score], scheme: GradingScheme) -> FinalGrade:
    """One student's, from their score on each exercise."""
    grades = [assignment_grade(one, scores, scheme) for one in scheme.assignments]
    places = [place for place, grade in enumerate(grades) if grade.counted]
    weighed = [
        Weighed(grades[place].weight, (grades[place].share or 0.0,), grades[place].extra_credit)
        for place in places
    ]
    choice = best_choice(weighed, drop=scheme.policy.drop_lowest)
    if choice is not None:
        for place in choice.dropped:
            grades[places[place]] = replace(grades[places[place]], counted=False, dropped=True)
    known = all(grade.score is not None for grade in grades if grade.counted)
    share = choice.share if choice is not None and known else None
    lines = final_lines(grades, scheme.assignments, share, scheme)
    return FinalGrade(student, share, tuple(grades), tuple(lines))


def assignment_grade(
    assignment: ScoredAssignment, scores: Mapping[str, Score], scheme: GradingScheme
) -> AssignmentGrade:
    """One student's points on one assignment, from their score on each exercise."""
    points = points_on(assignment, scheme, scores)
    lines = [
        line
        for name in assignment.exercises
        for line in exercise_lines(name, scores.get(name), name in assignment.bonus, scheme.policy)
    ]
    late = [score.lateness for name in assignment.exercises if (score := scores.get(name))]
    return AssignmentGrade(
        assignment.id,
        assignment.title,
        points.score,
        points.best,
        assignment.weight,
        counted=assignment.begun and bool(assignment.weight and points.best),
        lines=(*lines, sum_line(points.score, points.best)),
        extra_credit=assignment.extra_credit,
        late_days=max((one.late_days for one in late if one is not None), default=0),
    )
