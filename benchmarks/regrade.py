"""Grading again: a class of 1,000 and four small exercises of ten tests, when nothing, one submission, or one test changed.

CPU and seconds are those of the whole command, its start included; the ratio is how much less than the first grading it is.
After a changed test that exercise alone is graded again, so its ratio can't be above four.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from classes import TEN_TESTS, attempts, edit, grading, write_class, write_course
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
            build(Course.load(course.root, authoring=True))

        first, before = None, 0
        for what, change in (
            ("first grading", None),
            ("nothing changed", None),
            ("one submission changed", one_submission),
            ("one test of one exercise changed", one_test),
        ):
            if change:
                change()
            cost = cost_of(
                what,
                grading(work, book, course.root, "--workers", "2"),
                done=lambda before=before: f"{attempts(book) - before} recorded",
            )
            first = first or cost
            after = attempts(book)
            table.add(
                what, after - before, f"{cost.cpu:.1f}", f"{cost.wall:.1f}",
                f"{first.cpu / cost.cpu:.1f}", f"{first.wall / cost.wall:.1f}",
            )  # fmt: skip
            before = after
    return [table]


if __name__ == "__main__":
    main(__doc__, tables)
