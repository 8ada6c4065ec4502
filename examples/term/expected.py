"""The gradebook that the term should have, worked out apart from the program: plain loops over what was handed in.

    python examples/term/expected.py OUT          # of a term that make.py wrote, as CSV

The rules are those that docs/policies.md tells in words. Where the program finds the best use of late days by a theorem,
this tries every use there is. Nothing of `autograder` is imported.
"""

from __future__ import annotations

import csv
import itertools
import math
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Place = tuple[str, str]  # student, exercise, in most tables below


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass
class HandIn:
    """One graded hand-in. points: as they were first, or after the regrade where that gave more."""

    at: datetime
    content: str
    status: str
    points: float


@dataclass
class Grade:
    """What one student has: the points of each assignment, and the final grade as a share."""

    points: dict[str, float] = field(default_factory=dict)
    late_days: dict[str, int] = field(default_factory=dict)
    dropped: str = ""
    share: float = 0.0


class Term:
    """A term as make.py wrote it, with the grades that follow."""

    def __init__(self, out: Path, attempts: str = "") -> None:
        course = tomllib.loads((out / "course/course/course.toml").read_text(encoding="utf-8"))
        self.policy: dict[str, Any] = course["policy"]
        self.attempts = attempts or self.policy["attempts"]
        self.assignments: list[dict[str, Any]] = course["assignment"]
        for one in self.assignments:
            one["due"] = course["starts"] + timedelta(days=one["days"])
            one["late"] = {**self.policy["late"], **one.get("late", {})}
        people = rows_of(out / "roster.csv") + rows_of(out / "roster_late.csv")
        self.section = {row["student"]: row["section"] for row in people}
        self.extensions = rows_of(out / "extensions.csv") + rows_of(out / "extensions_late.csv")
        self.worth, self.hand_ins = self._read(out)
        self.adjusted: dict[Place, float] = defaultdict(float)
        for row in rows_of(out / "adjustments.csv"):
            points = float(row["points"])
            self.adjusted[row["student"], row["exercise"]] += -points if row["do"] == "undo" else points

    def _read(self, out: Path) -> tuple[dict[str, float], dict[Place, list[HandIn]]]:
        """What each exercise is worth, and what was graded: of everything collected, what has a name that says enough."""
        told = {(row["exercise"], row["content"]): row for row in rows_of(HERE / "contents.csv")}
        content = {
            (row["student"], row["exercise"], row["time"]): row["content"]
            for row in rows_of(out / "events.csv")
        }
        found: dict[Place, list[HandIn]] = defaultdict(list)
        for listed in sorted(out.glob("collected/*.csv")):
            for row in rows_of(listed):
                exercise = row["exercise"]
                name = content[row["student"], exercise, row["time"]]
                if (exercise, name) not in told:
                    continue  # a file name that says too little
                worth = told[exercise, name]
                points = float(worth["points"])
                found[row["student"], exercise].append(
                    HandIn(
                        datetime.fromisoformat(row["time"]),
                        name,
                        worth["status"],
                        max(points, points + _change(exercise, worth["lost"])),  # no regrade takes anything
                    )
                )
        return {row["exercise"]: float(row["out_of"]) for row in told.values()}, found

    def students(self) -> list[str]:
        return sorted(self.section)

    # -------------------------------------------------------------------------------------- one exercise

    def due(self, student: str, assignment: dict[str, Any]) -> datetime:
        """The latest of the due dates that hold for a student."""
        dues = [assignment["due"]]
        for row in self.extensions:
            if row["assignment"] == assignment["id"] and (
                row["student"] == student or (row["section"] and row["section"] == self.section[student])
            ):
                dues.append(assignment["due"] + timedelta(days=float(row["days"] or 0)))
                if row["until"]:  # in the course's time zone, as the due dates are written
                    until = datetime.fromisoformat(row["until"])
                    dues.append(until.replace(tzinfo=assignment["due"].tzinfo))
        return max(dues)

    def points(self, student: str, exercise: str, assignment: dict[str, Any], late_days: int) -> float:
        """The points on one exercise, with so many late days spent on its assignment."""
        counting: list[HandIn] = []
        graded: set[str] = set()
        for one in sorted(self.hand_ins.get((student, exercise), []), key=lambda one: one.at):
            if len(graded) == self.policy["max_attempts"] and one.content not in graded:
                continue  # one attempt too many
            if one.status == "graded":
                graded.add(one.content)
            first = next((seen for seen in counting if seen.content == one.content), one)
            counting.append(replace(one, at=first.at))  # handed in again, it is as punctual as the first time
        due = self.due(student, assignment)
        left = [
            (self._left(one, due, assignment["late"], late_days), one)
            for one in counting
            if not _too_late(one, due, assignment["late"])
        ]
        if not left:
            points = 0.0
        elif self.attempts == "best":
            points = max(points for points, _ in left)
        else:  # where only an extension moved the hard stop, what came after the old one never counts for less
            before = [
                (p, one) for p, one in left if not _too_late(one, assignment["due"], assignment["late"])
            ]
            after = [(p, one) for p, one in left if _too_late(one, assignment["due"], assignment["late"])]
            points = max(points for points, _ in [*before[-1:], *after])
        return max(0.0, points + self.adjusted[student, exercise])

    def _left(self, one: HandIn, due: datetime, rule: dict[str, Any], late_days: int) -> float:
        """What lateness leaves of the points."""
        late = one.at - due
        grace = timedelta(minutes=rule["grace_minutes"])
        for _ in range(late_days):
            if late > grace:
                late -= DAY
        if late <= grace:
            return one.points
        started = math.ceil(late / (HOUR if rule["per"] == "hour" else DAY))
        return one.points * (1 - min(started * rule["penalty"], rule["cap"]))

    # -------------------------------------------------------------------------------------- all of them

    def grade(self, student: str) -> Grade:
        """The best of all the ways to spend the late days and to drop assignments."""
        ids = [one["id"] for one in self.assignments]
        known = {
            (one["id"], days): sum(self.points(student, name, one, days) for name in one["exercises"])
            for one in self.assignments
            for days in range(self.policy["late_days"] + 1)
        }
        regular = [one["id"] for one in self.assignments if not one.get("extra_credit")]
        best = Grade(share=-1.0)
        for spent in _ways(len(ids), self.policy["late_days"]):
            days = dict(zip(ids, spent, strict=True))
            for dropped in regular:
                points = {name: known[name, days[name]] for name in ids}
                share = self._share(points, dropped)
                if share > best.share + 1e-9:
                    best = Grade(points, days, dropped, share)
        return best

    def _share(self, points: dict[str, float], dropped: str) -> float:
        had = could = 0.0
        for one in self.assignments:
            if one["id"] == dropped:
                continue
            most = sum(self.worth[name] for name in one["exercises"] if name not in one.get("bonus", []))
            weight = one.get("weight", 1)
            had += weight * points[one["id"]] / most
            could += 0 if one.get("extra_credit") else weight
        return had / could

    def table(self) -> list[list[str]]:
        """Heads, and a row for each student: the points of each assignment, and the final grade in percent."""
        ids = [one["id"] for one in self.assignments]
        rows = [["student", *ids, "final_percent"]]
        for student in self.students():
            grade = self.grade(student)
            rows.append([student, *(f"{grade.points[name]:.2f}" for name in ids), f"{100 * grade.share:.2f}"])
        return rows


def _change(exercise: str, lost: str) -> float:
    """How many points more the changed weights give to who lost these tests; less than 0 where they take."""
    weights = dict(pair.split(":") for pair in lost.split())
    change = 0.0
    for row in rows_of(HERE / "changed_weights.csv"):
        if row["exercise"] == exercise and row["test"] in weights:
            change += float(weights[row["test"]]) - float(row["points"])
    return change


def _too_late(one: HandIn, due: datetime, rule: dict[str, Any]) -> bool:
    return one.at - due > timedelta(days=rule["cutoff_days"])


def _ways(assignments: int, days: int) -> Iterator[tuple[int, ...]]:
    """All ways to spend at most so many late days, those with fewest days first, then the earliest assignments first."""
    ways = [way for way in itertools.product(range(days + 1), repeat=assignments) if sum(way) <= days]
    return iter(sorted(ways, key=lambda way: (sum(way), [-spent for spent in way])))


if __name__ == "__main__":
    csv.writer(sys.stdout, lineterminator="\n").writerows(Term(Path(sys.argv[1])).table())
