"""Every exercise of the course is proven: its audit is green. (What turns an audit red is tested in tests/audit/.)"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.audit import ExerciseAudit, audit_events
from autograder.course import Course

ROOT = Path(__file__).resolve().parent.parent
COURSE = Course.load(ROOT)


@pytest.fixture(scope="module")
def report() -> Iterator[Callable[[str], ExerciseAudit]]:
    """`report(name)`: an exercise's audit. One run audits all, on every processor, while the tests wait for each."""
    events = audit_events(COURSE, list(COURSE))
    known: dict[str, ExerciseAudit] = {}

    def awaited(name: str) -> ExerciseAudit:
        while name not in known:
            event = next(events)
            if isinstance(event, ExerciseAudit):
                known[event.exercise] = event
        return known[name]

    yield awaited
    events.close()


@pytest.mark.parametrize("name", list(COURSE.exercises))
def test_audit(report: Callable[[str], ExerciseAudit], name: str) -> None:
    audited = report(name)
    assert audited.problem == ""
    assert [f"{point.number}: {problem}" for point in audited.points for problem in point.problems] == []
    assert audited.green


def test_pytest_solutions() -> None:
    """Under plain pytest the hidden tests see the reference, in process, and it passes them all."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "solutions"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "failed" not in done.stdout.splitlines()[-1]
