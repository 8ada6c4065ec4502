"""The gradebook for Canvas, Moodle and machines."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.gradebook import Gradebook
from autograder.gradebook.roster import Person
from autograder.platforms.lms.moodle import MOODLE
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility
from autograder.text import Text

NASTY = 'a"b<&>\x00\x1b[31m\ud7ff￿\n::set-env name=x::y'


def test_result(name: str, outcome: Outcome, **more: Any) -> TestResult:
    passed = outcome is Outcome.PASSED
    return TestResult(
        name=name,
        visibility=Visibility.HIDDEN,
        outcome=outcome,
        score=2.0 if passed else 0.0,
        max_score=2.0,
        **more,
    )


test_result.__test__ = False  # type: ignore[attr-defined]


def result(
    student: str, exercise: str, score: float | None, *tests: TestResult, **more: Any
) -> ExerciseResult:
    maximum = {"basics/affine": 12.0, "extras/vowels": 4.0}[exercise]
    more.setdefault("status", Status.GRADED if score is not None else Status.UNGRADED)
    return ExerciseResult(
        student=student, exercise=exercise, score=score, max_score=maximum, isolation=Isolation.FULL,
        key="old-1" if (student, exercise) == STALE else "", tests=tests, **more,
    )  # fmt: skip


STALE = ("s001", "basics/affine")  # graded with another version of the exercise than the course has
RESULTS = [
    result(
        "s001",
        "basics/affine",
        8.5,
        test_result("test_a[1]", Outcome.PASSED),
        test_result("test_b", Outcome.FAILED, message=Text(NASTY, NASTY), diagnosis="unscaled"),
        test_result("test_c", Outcome.NOT_IMPLEMENTED, message=Text("not yet", "尚未")),
        test_result("test_d", Outcome.TIMEOUT, message=Text("too long", "太久")),
    ),
    result("s001", "extras/vowels", 4.0),
    result("s002", "extras/vowels", 1.0),
    result("s003", "extras/vowels", None),
    result("=s004", "extras/vowels", 0.0, status=Status.INVALID, message=Text("can't be read", "无法读取")),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A small gradebook, in SQLite."""
    path = tmp_path / "book.db"
    with Gradebook(str(path)) as book:
        for entry in RESULTS:
            book.record(entry)
        book.import_roster(
            [Person(student="s002", name="=HYPERLINK(1)", sis_id="u2", email="+two@example.org")]
        )
    return path


@pytest.fixture
def export(cli: Callable[..., Any], toy: Path, place: Path, tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """`export("--format", "canvas")`: what was written, and what was said."""

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        out = tmp_path / "out"
        said = cli("gradebook", "export", out, "--gradebook", place, "--course", toy, *arguments)
        assert said.code == code, said.err
        return (out.read_bytes().decode() if code == 0 else ""), said.err

    return run


Export = Callable[..., tuple[str, str]]


def rows(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


# ------------------------------------------------------------------------------------------ Canvas


def test_canvas_without_a_template(export: Export) -> None:
    text, _ = export("--format", "canvas")
    assert rows(text) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "First week"],
        ["    Points Possible", "", "", "", "", "16"],
        ["'=s004", "", "", "'=s004", "", "0"],
        ["s001", "", "", "s001", "", "12.5"],
        ["'=HYPERLINK(1)", "", "u2", "s002", "", "1"],
        ["s003", "", "", "s003", "", ""],  # nobody's points are zero because we could not grade
    ]


TEMPLATE = """\
Student,ID,SIS User ID,SIS Login ID,Section,Essay (11),First week (12),Current Score
,,,,,,Manual Posting,
    Points Possible,,,,,5,16,(read only)
"Doe, Jane",501,u1,S001,A,3,,88
"=cmd|' /C calc'!A0",502,u2,zs,B,4,2,
Three,503,,s003,A,1,7,
"Student, Test",504,,9f,A,,,
"""


def test_canvas_template(export: Export, tmp_path: Path) -> None:
    """Canvas's own columns, ids and order; our points; a cell of which we know nothing stays."""
    template = tmp_path / "canvas.csv"
    template.write_text(TEMPLATE, encoding="utf-8")
    text, said = export("--format", "canvas", "--template", template)
    before, after = rows(TEMPLATE), rows(text)
    assert after[:3] == before[:3]
    assert after[3] == ["Doe, Jane", "501", "u1", "S001", "A", "3", "12.5", "88"]
    assert after[4] == ["'=cmd|' /C calc'!A0", "502", "u2", "zs", "B", "4", "1", ""]
    assert after[5] == before[5]
    assert after[6] == before[6]
    assert len(after) == len(before)
    assert re.search(r"Not in the template.*: =s004", said)
    assert re.search(r"unknown to the gradebook.*: 504", said)
    assert "added" not in said and "other points" not in said


def test_canvas_columns(export: Export, tmp_path: Path) -> None:
    template = tmp_path / "canvas.csv"
    template.write_text(TEMPLATE, encoding="utf-8")
    text, said = export(
        "--format", "canvas", "--template", template, "--only", "week1", "--only", "extras/vowels"
    )
    assert rows(text)[0][6:] == ["First week (12)", "Current Score", "Vowels"]
    assert rows(text)[2][6:] == ["16", "(read only)", "4"]
    assert rows(text)[4][6:] == ["1", "", "1"]
    assert "added as new columns: Vowels" in said
    (tmp_path / "out").unlink()
    template.write_text(TEMPLATE.replace("5,16,", "5,100,"), encoding="utf-8")
    _, said = export("--format", "canvas", "--template", template)
    assert "other points" in said and "week1: 100 / 16" in said


def test_a_row_that_two_students_could_be(export: Export, tmp_path: Path) -> None:
    template = tmp_path / "canvas.csv"
    template.write_text(TEMPLATE.replace("u1,S001", "u2,S001"), encoding="utf-8")
    text, said = export("--format", "canvas", "--template", template)
    assert rows(text)[3] == rows(TEMPLATE.replace("u1,S001", "u2,S001"))[3]
    assert "unknown to the gradebook" in said and "501" in said


# ------------------------------------------------------------------------------------------ Moodle


def test_moodle_template(export: Export, tmp_path: Path) -> None:
    template = tmp_path / "moodle.csv"
    head = "First name;Surname;ID number;Email address;Assignment: First week (Real);Assignment: First week (Percentage)"
    template.write_bytes(
        f"\ufeff{head}\r\nJane;Doe;s001;jane@example.org;-;- %\r\nLi;@SUM(1);;+two@example.org;-;x\r\n".encode()
    )
    text, said = export("--format", "moodle", "--template", template)
    assert rows(text, ";") == [
        head.split(";"),
        ["Jane", "Doe", "s001", "jane@example.org", "12.5", "'- %"],
        [
            "Li",
            "'@SUM(1)",
            "",
            "+two@example.org",
            "1",
            "x",
        ],  # found by the roster's e-mail, which stays an e-mail
    ]
    assert "=s004" in said


def test_moodle_without_a_template(export: Export) -> None:
    text, _ = export("--format", "moodle", "--only", "extras")
    assert rows(text)[0] == ["Full name", "ID number", "Email address", "Extras"]
    assert ["'=HYPERLINK(1)", "u2", "+two@example.org", "1"] in rows(text)


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("Assignment: Week 1 (Real)", "Week 1"),
        ("Week 1", "Week 1"),
        ("Quiz: Week 1 (bonus) (Real)", "Week 1 (bonus)"),
        ("作业：第一周 (Real)", "作业：第一周"),
        ("Assignment: Week 1 (Percentage)", None),
        ("Email address", None),
    ],
)
def test_moodle_s_heads(head: str, title: str | None) -> None:
    titles = MOODLE.titles(head)
    assert (title in titles) if title else not titles


def test_options_that_do_not_go_together(export: Export, tmp_path: Path) -> None:
    _, said = export("--template", tmp_path / "x.csv", code=2)
    assert "--format canvas or moodle" in said
    _, said = export("--format", "canvas", "--template", tmp_path / "x.csv", code=2)
    assert "can't be read" in said


# ------------------------------------------------------------------------------------------ machines

# What Jenkins' JUnit schema allows: element -> (required attributes, allowed attributes, allowed children).
JUNIT = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "classname"},
        {"name", "classname", "time", "status", "assertions"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"message"}, set()),
}


def test_junit(export: Export) -> None:
    text, said = export("--format", "junit")
    assert "not for students" in said
    root = ET.fromstring(text)
    for element in root.iter():
        required, allowed, children = JUNIT[element.tag]
        assert required <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= children
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == [
        "=s004 basics/affine",
        "=s004 extras/vowels",
        "s001 basics/affine",
        "s001 extras/vowels",
        "s002 basics/affine",
        "s002 extras/vowels",
        "s003 basics/affine",
        "s003 extras/vowels",
    ]
    assert [name for name in suites if suites[name].find("properties/property") is not None] == [
        " ".join(STALE)
    ]
    nothing = suites["s002 basics/affine"]
    assert nothing.get("skipped") == "1" and nothing.get("timestamp") is None
    assert nothing.find("testcase/skipped[@message='Nothing was handed in.']") is not None
    suite = suites["s001 basics/affine"]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp") or "")
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.text is not None
    assert failure.get("type") == "unscaled"
    assert 'a"b<&>' in failure.text and "::set-env" in failure.text
    assert "\x1b" not in text and "\x00" not in text and "\uffff" not in text
    invalid = suites["=s004 extras/vowels"].find("testcase/error")
    assert invalid is not None and invalid.get("message") == "can't be read"
    unknown = suites["s003 extras/vowels"].find("testcase/error")
    assert unknown is not None and unknown.get("type") == "ungraded"


CTRF = {
    "type": "object",
    "required": ["results", "reportFormat", "specVersion"],
    "properties": {
        "reportFormat": {"const": "CTRF"},
        "specVersion": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"},
        "results": {
            "type": "object",
            "required": ["tool", "summary", "tests"],
            "properties": {
                "tool": {"type": "object", "required": ["name"]},
                "summary": {
                    "type": "object",
                    "required": ["tests", "passed", "failed", "skipped", "pending", "other", "start", "stop"],
                    "additionalProperties": {"type": "integer"},
                },
                "tests": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "status", "duration"],
                        "properties": {
                            "name": {"type": "string", "minLength": 1},
                            "status": {"enum": ["passed", "failed", "skipped", "pending", "other"]},
                            "duration": {"type": "integer", "minimum": 0},
                            "suite": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "minLength": 1},
                            },
                            "message": {"type": "string"},
                            "extra": {"type": "object"},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


def test_ctrf(export: Export) -> None:
    import jsonschema

    text, said = export("--format", "ctrf", "--lang", "zh")
    assert "不要交给学生" in said
    document = json.loads(text)
    jsonschema.validate(document, CTRF)
    summary = document["results"]["summary"]
    assert {k: v for k, v in summary.items() if k not in ("start", "stop")} == {
        "tests": 11, "passed": 1, "failed": 5, "pending": 0, "skipped": 4, "other": 1,
    }  # fmt: skip
    assert summary["stop"] >= summary["start"] > 1_700_000_000_000
    first = next(test for test in document["results"]["tests"] if test["name"] == "test_c")
    assert first["message"] == "尚未"
    assert first["extra"]["stale"] is True
    assert [t["suite"][0] for t in document["results"]["tests"] if t.get("message") == "没有提交。"] == [
        "=s004", "s002", "s003",
    ]  # fmt: skip
    assert first["suite"] == ["s001", "basics/affine"]
