"""The `grades.csv` that GitHub Classroom used to give: one row for each clone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from autograder.course import Course, Exercise
from autograder.gradebook import Gradebook
from autograder.gradebook.scores import current_scores
from autograder.grading.scheme import scheme_of
from autograder.platforms.columns import Column, bonus_of, full_points
from autograder.platforms.github.clones import Clone
from autograder.text import Text, escape_formula, machine_number

COLUMNS = (
    "assignment_name", "assignment_url", "starter_code_url", "github_username", "roster_identifier",
    "student_repository_name", "student_repository_url", "submission_timestamp", "points_awarded", "points_available",
)  # fmt: skip


def is_grades_csv(head: bytes) -> bool:
    """Whether a file that begins so is an earlier `grades.csv`."""
    return head.startswith(",".join(COLUMNS).encode())


def grades_csv(
    course: Course, clones: Sequence[Clone], exercises: Sequence[Exercise], book: Gradebook, lang: str
) -> str:
    """The CSV text. The assignment's and the starter code's address are not in a clone: they stay empty."""
    scheme, roster = scheme_of(book, course, exercises), book.roster()
    scores = current_scores(book, scheme, exercises=list(scheme.versions))
    assignments = {a.id.replace("_", "-"): a for a in course.assignments}
    out = io.StringIO(newline="")
    sheet = csv.writer(out)
    sheet.writerow(COLUMNS)
    for clone in clones:
        chosen = assignments.get(clone.assignment.replace("_", "-"))
        wanted = set(course.select(chosen.exercises)) if chosen else set(course)
        bonus = bonus_of(course, chosen.id) if chosen else frozenset()
        item = Column("", Text(), full_points(e for e in exercises if e in wanted), bonus)
        handed_in = any((clone.student, name) in scores for name in item.points)
        points = item.score(clone.student, scores) if handed_in else 0.0
        person = roster.get(clone.student)
        row = (
            chosen.title.text.pick(lang) if chosen else clone.assignment,
            "",
            "",
            clone.login,
            (person.sis_id if person else "") or clone.student,
            clone.folder.name,
            clone.url,
            clone.committed.strftime("%Y-%m-%dT%H:%M:%SZ") if clone.committed else "",
            "" if points is None else machine_number(points),
            machine_number(item.out_of(clone.student, scores)),
        )
        sheet.writerow(map(escape_formula, row))
    return out.getvalue()
