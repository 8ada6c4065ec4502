"""An instructor's first week with a class of 200, from the release to published feedback: the term of examples/term.

CPU, seconds and MiB are those of each whole command, its start included. Given a folder in which
`examples/term/make.py OUT --run` has graded the whole term, its feedback and report are measured as well: seven
exercises, 1,400 hand-ins.

python benchmarks/week.py [OUT]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from classes import ROOT
from measure import cost_of
from part import Table

sys.path.insert(0, str(ROOT / "examples/term"))

from make import change_weights, make

LAST = 3  # collections until week 1 is due
PROGRAM = (sys.executable, "-m", "autograder")


def week(out: Path) -> Iterator[tuple[str, list[str]]]:
    """What is called, and the command."""
    make(out)
    book, course = ["--gradebook", str(out / "week.db")], ["--course", str(out / "course")]
    both = [*book, *course]
    yield (
        "release week1",
        ["release", str(out / "release"), "--to", "plain", "--assignment", "week1", *course],
    )
    yield "gradebook roster", ["gradebook", "roster", str(out / "roster.csv"), *book]
    for number in range(1, LAST + 1):
        folder = out / f"collected/{number:02}"
        yield f"grade, collection {number}", ["grade", str(folder), "--times", f"{folder}.csv", *both]
    yield "gradebook show", ["gradebook", "show", *both]
    yield "gradebook explain s004", ["gradebook", "explain", "s004", *both]
    change_weights(out / "course")
    again = ["regrade", str(folder), *both]
    yield "regrade --dry-run, two weights changed", [*again, "--dry-run"]
    yield "regrade, applied", [*again, "--reason", "two hidden tests weigh otherwise"]
    yield "feedback", ["feedback", str(out / "feedback"), "--assignment", "week1", *both]
    yield "report", ["report", str(out / "report"), "--assignment", "week1", *both]
    yield "gradebook export", ["gradebook", "export", str(out / "grades.csv"), *both]


def whole(out: Path, to: Path) -> Iterator[tuple[str, list[str]]]:
    """Feedback and report of a graded term, to another folder."""
    both = ["--gradebook", str(out / "term.db"), "--course", str(out / "course")]
    yield "feedback, the whole term", ["feedback", str(to / "feedback"), *both]
    yield "report, the whole term", ["report", str(to / "report"), *both]


def main() -> None:
    table = Table("200 students", "CPU s", "wall s", "peak MiB")
    with tempfile.TemporaryDirectory() as place:
        terms = [whole(Path(out).resolve(), Path(place)) for out in sys.argv[1:]]
        for name, command in chain(week(Path(place, "term")), *terms):
            cost = cost_of(name, [*PROGRAM, *command])
            table.add(name, f"{cost.cpu:.1f}", f"{cost.wall:.1f}", f"{cost.mebibytes:.0f}")
    print(table)


if __name__ == "__main__":
    main()
