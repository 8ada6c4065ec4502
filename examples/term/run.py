"""The term as its instructor goes through it: every command, in order, timed, and the grades compared with expected.py."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from expected import Term, rows_of
from make import BROKEN, CHANGES, JOINS, break_test, change_weights, mend_test

NOT_GRADED = 3  # the exit status of `grade` where something could not be graded
REGRADED = "tokenizers/byte_pair_encoding"
FEW = 20
WHY = "two hidden tests weigh otherwise"


@dataclass(frozen=True)
class Step:
    """One command, or one change of the course's files before the next one. status: how the command must end."""

    name: str
    arguments: tuple[str, ...] = ()
    change: Callable[[Path], None] | None = None
    status: int = 0


def steps(out: Path) -> Iterator[Step]:
    """Everything that happens in the term that make.py wrote to `out`."""
    listed = sorted(out.glob("collected/*.csv"))
    start = datetime.fromisoformat("2025-09-01T23:59:00+08:00")

    def of_book(*words: str) -> tuple[str, ...]:
        return ("gradebook", *words)

    yield Step("roster", of_book("roster", str(out / "roster.csv")))
    yield Step("extensions", of_book("extend", "--from", str(out / "extensions.csv")))
    # A collection of few hand-ins, because each of them costs a new sandbox where a test is at fault.
    faulty = min(
        (one for one in listed if _of(one, BROKEN[0])), key=lambda one: len(_of(one, BROKEN[0])) > FEW
    )
    joined = changed = False
    for times in listed:
        rows = rows_of(times)
        folder = times.with_suffix("")
        latest = max(datetime.fromisoformat(row["time"]) for row in rows)
        if not joined and latest > start + timedelta(days=JOINS):
            joined = True
            yield Step("somebody joins", of_book("roster", str(out / "roster_late.csv")))
            yield Step("and gets more time", of_book("extend", "--from", str(out / "extensions_late.csv")))
        if not changed and latest > start + timedelta(days=CHANGES):
            changed = True
            yield from _regrade(out, [one for one in listed if one < times])
        grade = ("grade", str(folder), "--times", str(times))
        if times == faulty:
            yield Step("a slip in a hidden test", change=lambda out: break_test(out / "course"))
            yield Step(f"grade {folder.name}, with a fault", grade, status=NOT_GRADED)
            yield Step("the test is mended", change=lambda out: mend_test(out / "course"))
        yield Step(f"grade {folder.name}", grade)
    assert joined and changed
    adjustments = rows_of(out / "adjustments.csv")
    for row in adjustments:
        place, who = (row["student"], row["exercise"]), ("--reason", row["reason"], "--who", row["who"])
        if row["do"] == "adjust":
            yield Step("adjust", of_book("adjust", *place, row["points"], *who))
        else:
            number = next(n for n, one in enumerate(adjustments, 1) if one["student"] == row["student"])
            yield Step("undo", of_book("undo", str(number), *who))


def _of(times: Path, exercise: str) -> list[dict[str, str]]:
    """The hand-ins of one collection to one exercise."""
    return [row for row in rows_of(times) if row["exercise"] == exercise]


def _regrade(out: Path, graded: list[Path]) -> Iterator[Step]:
    """Week 4: what was handed in to the first exercise until now is graded again; nobody gets less."""
    yield Step("two tests get other weights", change=lambda out: change_weights(out / "course"))
    again = [one.with_suffix("") for one in graded if _of(one, REGRADED)]
    yield Step(
        "regrade, to look", ("regrade", str(again[0]), "--only", REGRADED, "--never-lower", "--dry-run")
    )
    for folder in again:
        yield Step(
            f"regrade {folder.name}",
            ("regrade", str(folder), "--only", REGRADED, "--never-lower", "--reason", WHY),
        )


def graded_as(out: Path, exported: Path, attempts: str = "") -> list[str]:
    """Where what `gradebook export` wrote differs from expected.py: nowhere, it is to be hoped."""
    term = Term(out, attempts)
    found = {row["student"]: row for row in rows_of(exported)}
    problems = [f"{student}: only in one of them" for student in found.keys() ^ set(term.students())]
    for student in sorted(found.keys() & set(term.students())):
        row, grade = found[student], term.grade(student)
        told = {name: float(row[f"points:{name}"] or 0) for name in grade.points}
        share = float(row["final_percent"])
        if abs(share - 100 * grade.share) > 0.005 or any(
            abs(told[name] - points) > 0.005
            for name, points in grade.points.items()
            if name != grade.dropped  # it counts nothing, and which of two equal weeks it is says nothing
        ):
            problems.append(f"{student}: {told} {share}, expected {grade}")
    return problems


def count(out: Path, attempts: str) -> None:
    """Let the latest attempts count, or the best ones: nothing is graded again."""
    rules = out / "course/course/course.toml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(re.sub('attempts = "[a-z]+"', f'attempts = "{attempts}"', text), encoding="utf-8")


def run(out: Path) -> None:
    """All of it by the command line, each command in a process of its own, timed."""
    book, course = ("--gradebook", str(out / "term.db")), ("--course", str(out / "course"))

    def command(name: str, *words: str, status: int = 0) -> None:
        began, more = time.monotonic(), book if "roster" in words else (*book, *course)
        done = subprocess.run(
            [sys.executable, "-m", "autograder", *words, *more], capture_output=True, encoding="utf-8"
        )
        print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
        if done.returncode != status:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    for step in steps(out):
        if step.change is not None:
            step.change(out)
            print(f"          {step.name}")
        else:
            command(step.name, *step.arguments, status=step.status)
    problems = []
    for attempts in ("best", "latest"):  # the term's own rule at the end, for what is written then
        count(out, attempts)
        exported = out / f"grades_{attempts}.csv"
        command(f"export, {attempts}", "gradebook", "export", str(exported))
        problems += [f"{attempts}: {line}" for line in graded_as(out, exported, attempts)]
    command("feedback", "feedback", str(out / "feedback"))
    command("report", "report", str(out / "report"))
    print("\n".join(problems) or "all grades are as expected")
    if problems:
        raise SystemExit(1)
