"""What an endless loop costs: one in each question of an exercise, beside the same with every test run to its limit.

    python benchmarks/endless_loop.py [EXERCISE]

CPU seconds of one submission, the confined processes included. The goal: the time-outs take no more than 12 s of them.
"""

from __future__ import annotations

import argparse
import ast
import sys
from unittest.mock import patch

from overhead import cpu_of
from rich.console import Console
from rich.progress import track
from rich.table import Table

from autograder.course import Course, find_course
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Outcome
from autograder.runner import timeouts

MOST = 12.0


def with_loop(source: str, question: str) -> str:
    """The source with a loop at the beginning of a function, or of every method of a class."""
    tree = ast.parse(source)
    (found,) = (node for node in tree.body if getattr(node, "name", None) == question)
    for node in ast.walk(found):
        if isinstance(node, ast.FunctionDef):
            node.body.insert(0, ast.parse("while True: pass").body[0])
    return ast.unparse(tree)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("exercise", nargs="?", default="attention/scaled_dot_product")
    exercise = Course.load(find_course(), authoring=True).exercise(parser.parse_args().exercise)
    bundle, main_file = bundle_of(exercise), f"{exercise.topic}.py"
    table = Table(
        title=f"{exercise.id}: CPU seconds of a submission with an endless loop", title_justify="left"
    )
    for head in ("loop in", "time-outs", "tests not run", "s", "s, every test run", "ratio"):
        table.add_column(head, justify="left" if head == "loop in" else "right")
    worker = Worker(Mode(hide=(exercise.root,)))
    results: list[ExerciseResult] = []

    def grade(source: str) -> None:
        files = {main_file: source.encode()}
        results.append(worker.grade(bundle, Submission("s001", exercise.id, main_file, main_file, files)))

    reference = bundle.solution.decode()
    most = 0.0
    try:
        grade(with_loop(reference, bundle.questions[0]))  # what diagnoses compare with is run once
        for question in track(bundle.questions, "questions", transient=True):
            source = with_loop(reference, question)
            ours = cpu_of(lambda source=source: grade(source))
            outcomes = [test.outcome for test in results[-1].tests]
            ended, left_out = outcomes.count(Outcome.TIMEOUT), outcomes.count(Outcome.NOT_RUN)
            with (
                patch.object(timeouts, "TIMEOUTS", sys.maxsize),
                patch.object(timeouts, "SECONDS", float("inf")),
            ):
                whole = cpu_of(lambda source=source: grade(source))
            table.add_row(
                question, str(ended), str(left_out), f"{ours:.1f}", f"{whole:.1f}", f"{whole / ours:.1f}"
            )
            most = max(most, ended * bundle.spec.limits.seconds)
    finally:
        worker.close()
    Console().print(table)
    sys.exit(0 if most <= MOST else 1)


if __name__ == "__main__":
    main()
