"""Grading again: a class of 1,000 and four small exercises of ten tests, when nothing, one submission, or one test changed.

CPU and seconds are those of the whole command, its start included; the ratio is how much less than the first grading it is.
After a changed test (it also weighs otherwise, so every score on it moves) `autograder regrade` runs that exercise alone, so
its ratio can't be above four. To apply it runs nothing: that row is what it takes to read the class, compare all scores and
show the table. Goal: under 5 s. The last row takes all of it back.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from classes import TEN_TESTS, edit, grading, regrading, results, undoing, write_class, write_course
from measure import cost_of
from part import Size, Table, main

from autograder.authoring.build import build
from autograder.course import Course

STUDENTS, EXERCISES = 1000, 4


def tables(size: Size) -> list[Table]:
    students = size.of(STUDENTS, least=3)
    table = Table(
        f"{students} students, {EXERCISES} exercises",
        "graded",
        "CPU s",
        "wall s",
        "first : this, CPU",
        "wall",
    )
    with tempfile.TemporaryDirectory() as place:
        here, work, book = Path(place), Path(place, "class"), Path(place, "g.db")
        course = write_course(here / "course", EXERCISES, units=EXERCISES, widths=TEN_TESTS)
        for exercise in course:
            write_class(exercise, work, students)
        changed = next(iter(course))

        def one_submission() -> None:
            with (work / "s0001" / changed.unit / f"{changed.topic}.py").open("a", encoding="utf-8") as file:
                file.write("# handed in again\n")

        def one_test() -> None:
            edit(changed.hidden_tests, "torch.randn(6, 5) * 3 + 2", "torch.randn(6, 5) * 2 + 3")
            edit(changed.hidden_tests, "points(4)\ndef test_normalise", "points(6)\ndef test_normalise")
            build(Course.load(course.root, authoring=True))

        first, before = None, 0
        grade = grading(work, book, course.root, "--workers", "2")
        regrade = regrading(work, book, course.root, "--workers", "2")
        for what, change, command in (
            ("first grading", None, grade),
            ("nothing changed", None, grade),
            ("one submission changed", one_submission, grade),
            ("one test of one exercise changed: regrade", one_test, [*regrade, "--dry-run"]),
            ("applied", None, [*regrade, "--reason", "a measurement"]),
            ("undone", None, undoing("R1", book, course.root)),
        ):
            if change:
                change()
            cost = cost_of(
                what,
                command,
                done=lambda before=before: f"{results(book) - before} recorded",
            )
            first = first or cost
            after = results(book)
            table.add(
                what, after - before, f"{cost.cpu:.1f}", f"{cost.wall:.1f}",
                f"{first.cpu / cost.cpu:.1f}", f"{first.wall / cost.wall:.1f}",
            )  # fmt: skip
            before = after
    return [table]


if __name__ == "__main__":
    main(__doc__, tables)
