"""Results for machines: our own JSON, JUnit XML and CTRF JSON, the latter with a suite for each student and exercise.

For instructors: all of them name hidden tests and say which misconception was found.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec

from autograder import __version__
from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.grade_json import standing_json
from autograder.gradebook.scores import Counted, Scores
from autograder.results import ExerciseResult, Outcome, Status, TestResult, Visibility
from autograder.text import machine_number

# What XML 1.0 can't hold, not even escaped.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NO_SECONDS = "0"  # how long a test took is not recorded: it says nothing that could be graded
CTRF_VERSION = "0.0.0"


def result_json(results: Sequence[ExerciseResult]) -> dict[str, Any]:
    """The document that `grade --json` prints: what was just found."""
    return {"results": [_result_json(result) for result in results], "summary": _summary(results)}


def recorded_json(
    results: Sequence[ExerciseResult],
    scores: Scores,
    adjustments: Mapping[tuple[str, str], Sequence[Adjustment]],
) -> dict[str, Any]:
    """The document that `gradebook show --json` prints: the same, with what people added and what it comes to.

    `lateness` tells when the attempt that counts was handed in, and what that takes. `standing` is the score that counts, `standing_max_score` and `standing_bundle` what it was graded on; `stale`: the
    exercise has changed since.
    """
    rows = []
    for result in results:
        place = result.student, result.exercise
        score = scores.get(place)
        standing = {
            "standing": score.score if score else None,
            "standing_max_score": score.max_score if score else result.max_score,
            "standing_bundle": score.result.bundle if score and score.result else "",
            "stale": score is not None and score.outdated,
            "lateness": standing_json(score),
        }
        given = [adjustment_json(adjustment) for adjustment in adjustments.get(place, ())]
        rows.append({**_result_json(result), **standing, "adjustments": given})
    return {"results": rows, "summary": _summary(results)}


def adjustment_json(adjustment: Adjustment) -> dict[str, Any]:
    """An adjustment, without whose points on what it changes."""
    return {
        "number": adjustment.number,
        "points": adjustment.points,
        "who": adjustment.who,
        "when": adjustment.recorded_at.replace(tzinfo=UTC),
        "reason": adjustment.reason,
        "undoes": adjustment.undoes,
        "undone_by": adjustment.undone_by,
    }


def _result_json(result: ExerciseResult) -> dict[str, Any]:
    return {
        "student": result.student,
        "exercise": result.exercise,
        "status": result.status.value,
        "score": result.score,
        "max_score": result.max_score,
        "isolation": result.isolation.value,
        "file": result.path,
        "bundle": result.bundle,
        "message": result.message,
        "detail": result.detail,
        "tests": [
            {
                "name": test.name,
                "visibility": test.visibility.value,
                "outcome": test.outcome.value,
                "score": test.score,
                "max_score": test.max_score,
                "diagnosis": test.diagnosis,
                "message": test.message,
            }
            for test in result.tests
        ],
    }


def _summary(results: Sequence[ExerciseResult]) -> dict[str, int]:
    return {
        "students": len({result.student for result in results}),
        "results": len(results),
        **{status.value: sum(result.status is status for result in results) for status in Status},
    }


def junit(results: Sequence[Counted], lang: str = "en") -> bytes:
    """JUnit XML as Jenkins, GitLab and others read it.

    failure: the test says no. error: the student's program broke, or a fault of ours left the test ungraded.
    skipped: a question that is not begun, or an exercise that was not handed in. The property `stale` of a suite: the
    exercise has changed since it was graded.
    """
    root = ET.Element("testsuites", name="autograder")
    for result, when, stale in results:
        cases = _cases(result)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_xml(f"{result.student} {result.exercise}"),
            tests=str(len(cases)),
            failures=str(sum(_kind(case) == "failure" for case in cases)),
            errors=str(sum(_kind(case) == "error" for case in cases)),
            skipped=str(sum(_kind(case) == "skipped" for case in cases)),
            time=NO_SECONDS,
        )
        if when:
            suite.set("timestamp", when.replace(microsecond=0, tzinfo=None).isoformat())
        if stale:
            ET.SubElement(ET.SubElement(suite, "properties"), "property", name="stale", value="true")
        place = f"{result.student}.{result.exercise.replace('/', '.')}"
        for case in cases:
            entry = ET.SubElement(
                suite, "testcase", name=_xml(case.name), classname=_xml(place), time=NO_SECONDS
            )
            kind = _kind(case)
            if kind:
                said = _xml(case.message.pick(lang))
                about = ET.SubElement(entry, kind, message=said.partition("\n")[0])
                if kind != "skipped":
                    about.set("type", _xml(case.diagnosis or case.outcome.value))
                    about.text = f"{said}\n{machine_number(case.score)} / {machine_number(case.max_score)}"
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def is_junit(head: bytes) -> bool:
    """Whether a file that begins so is an earlier `junit`."""
    return b'<testsuites name="autograder">' in head


def is_ctrf(head: bytes) -> bool:
    """Whether a file that begins so is an earlier `ctrf`."""
    return b'"reportFormat": "CTRF"' in head and b'"name": "autograder"' in head


def ctrf(results: Sequence[Counted], lang: str = "en") -> bytes:
    """Common Test Report Format (ctrf.io)."""
    tests: list[dict[str, Any]] = []
    for result, _, stale in results:
        for case in _cases(result):
            tests.append(
                {
                    "name": case.name,
                    "status": _status(case),
                    "duration": 0,
                    "suite": [result.student, result.exercise],
                    **({"message": case.message.pick(lang)} if case.message.en else {}),
                    "extra": {
                        "student": result.student,
                        "exercise": result.exercise,
                        "visibility": case.visibility.value,
                        "outcome": case.outcome.value,
                        "score": case.score,
                        "max_score": case.max_score,
                        "diagnosis": case.diagnosis,
                        "isolation": result.isolation.value,
                        "stale": stale,
                    },
                }
            )
    times = [int(when.replace(tzinfo=UTC).timestamp() * 1000) for _, when, _ in results if when] or [0]
    counts = {
        name: sum(test["status"] == name for test in tests)
        for name in ("passed", "failed", "pending", "skipped", "other")
    }
    document = {
        "reportFormat": "CTRF",
        "specVersion": CTRF_VERSION,
        "results": {
            "tool": {"name": "autograder", "version": __version__},
            "summary": {"tests": len(tests), **counts, "start": min(times), "stop": max(times)},
            "tests": tests,
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _cases(result: ExerciseResult) -> Sequence[TestResult]:
    """The tests; where none was run, one entry that says why."""
    if result.tests:
        return result.tests
    outcomes = {Status.UNGRADED: Outcome.UNGRADED, Status.MISSING: Outcome.NOT_IMPLEMENTED}
    return [
        TestResult(
            name=result.exercise,
            visibility=Visibility.PUBLIC,
            outcome=outcomes.get(result.status, Outcome.ERROR),
            score=0.0,
            max_score=result.max_score,
            message=result.message,
        )
    ]


def _kind(case: TestResult) -> str:
    """JUnit's element for a test that did not pass; "" for one that did."""
    kinds = {Outcome.PASSED: "", Outcome.FAILED: "failure", Outcome.NOT_IMPLEMENTED: "skipped"}
    return kinds.get(case.outcome, "error")


def _status(case: TestResult) -> str:
    statuses = {Outcome.PASSED: "passed", Outcome.NOT_IMPLEMENTED: "skipped", Outcome.UNGRADED: "other"}
    return statuses.get(case.outcome, "failed")


def _xml(text: str) -> str:
    return NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
