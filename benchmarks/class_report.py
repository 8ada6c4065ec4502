"""The report on a class whose results are made up: 200 students and 7 exercises, 1,000 and 39 (or `STUDENTS EXERCISES`).

Results have the names of this course's tests and misconceptions, one case for each test function; each student has an
ability, and hands in up to three times. Seconds and MiB are those of the whole command.

python benchmarks/class_report.py [STUDENTS EXERCISES] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from classes import ROOT
from measure import cost_of

from autograder.course import Course, Exercise
from autograder.gradebook import Gradebook
from autograder.grading.bundle import bundle_of
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility, total
from autograder.text import Text

SIZES = ((200, 7), (1000, 39))
TESTS = re.compile(r"^def (test_\w+)", re.MULTILINE)


def tests_of(exercise: Exercise) -> list[tuple[str, Visibility]]:
    files = {Visibility.PUBLIC: exercise.public_tests, Visibility.HIDDEN: exercise.hidden_tests}
    return [
        (name, kind)
        for kind, path in files.items()
        for name in TESTS.findall(path.read_text(encoding="utf-8"))
    ]


def fill(place: Path, exercises: Sequence[Exercise], students: int) -> int:
    """Record the class; how many attempts there are."""
    random, attempts = np.random.default_rng(1), 0
    with Gradebook(str(place)) as book:
        book.add_students([f"s{number + 1:04}" for number in range(students)])
        abilities = random.normal(size=students)
        for exercise in exercises:
            bundle = bundle_of(exercise).fingerprint
            tests = tests_of(exercise)
            hard = random.normal(-0.8, 0.8, len(tests))
            mistakes = exercise.spec.misconception
            for number, ability in enumerate(abilities):
                if random.random() < 0.05:
                    continue
                for attempt in range(3):
                    passed = ability + attempt / 2 + random.normal(size=len(tests)) > hard
                    rows = []
                    for (name, kind), right in zip(tests, passed, strict=True):
                        caught = [m for m in mistakes if m.caught == name and random.random() < 0.7]
                        mistake = caught[0] if caught and not right else None
                        rows.append(
                            TestResult(
                                name=name,
                                visibility=kind,
                                outcome=Outcome.PASSED if right else Outcome.FAILED,
                                score=float(right),
                                max_score=1.0,
                                diagnosis=mistake.name if mistake else None,
                                message=mistake.hint.text
                                if mistake
                                else Text(*([name] * 2 if not right else [])),
                            )
                        )
                    book.record(
                        ExerciseResult(
                            student=f"s{number + 1:04}",
                            exercise=exercise.id,
                            status=Status.GRADED,
                            score=total(row.score for row in rows),
                            max_score=float(len(rows)),
                            isolation=Isolation.FULL,
                            key=f"{bundle}-{number}.{attempt}",
                            tests=tuple(rows),
                        )
                    )
                    attempts += 1
                    if passed.all() or random.random() < 0.3:
                        break
    return attempts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="*", type=int, metavar="N")
    parser.add_argument("--keep", type=Path, help="keep the gradebooks and the reports in this folder")
    given = parser.parse_args()
    course = Course.load(ROOT)
    for students, exercises in [tuple(given.size)] if given.size else SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = given.keep or Path(scratch)
            folder.mkdir(exist_ok=True)
            book, out = folder / f"{students}.db", folder / f"report{students}"
            chosen = list(course)[:exercises]
            attempts = fill(book, chosen, students) if not book.exists() else 0
            command = [sys.executable, "-m", "autograder", "report", str(out), "--gradebook", str(book)]
            cost = cost_of("report", command, cwd=ROOT)
            written = sum(path.stat().st_size for path in out.iterdir()) / 1e6
            print(
                f"{students} students, {len(chosen)} exercises, {attempts} attempts: {cost.wall:.1f} s, "
                f"{cost.cpu:.1f} s of CPU, {cost.mebibytes:.0f} MiB, {written:.1f} MB written"
            )


if __name__ == "__main__":
    main()
