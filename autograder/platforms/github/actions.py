"""The public tests' points for GitHub: Classroom's report, Classroom 50's result.json, a summary for people.

Advice, not a grade: whoever owns the repository owns the tests and the workflow that run there.
"""

from __future__ import annotations

import base64
import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import msgspec

from autograder.feedback.report import FAILED_SYMBOL, SYMBOLS, Report
from autograder.platforms.github.public_run import not_begun
from autograder.results import Outcome, by_function, total
from autograder.text import Text, defused, marked, number

LARGEST_SCALE = 1000
SHOWN = 20_000  # characters of the log about one exercise
CLASSROOM50 = "classroom50/result/v1"
NOT_BEGUN = Text("not begun", "尚未开始")
ADVICE = Text(
    "Public tests only. This is advice; the grade of record comes from the instructor's own run, hidden tests included.",
    "这里只有公开测试，仅供参考；正式成绩以教师的评分（含隐藏测试）为准。",
)
SCALED = Text(
    "Classroom 50 takes whole numbers: all points in result.json are multiplied by {scale}.",
    "Classroom 50 只接受整数：result.json 中的分数都乘以 {scale}。",
)
TITLE, POINTS = Text("Public tests", "公开测试"), Text("points", "得分")


@dataclass(frozen=True)
class TestFunction:
    """One test function of one exercise, its parameter sets together."""

    exercise: str
    name: str
    score: float
    max_score: float
    outcome: Outcome
    message: str

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


def functions_of(report: Report) -> list[TestFunction]:
    """A report's test functions."""
    rows = []
    for name, tests in by_function(report.tests).items():
        worst = next((test for test in tests if test.outcome is not Outcome.PASSED), tests[0])
        points = (total(test.score for test in tests), total(test.max_score for test in tests))
        rows.append(
            TestFunction(report.exercise, name, *points, worst.outcome, worst.message.pick(report.lang))
        )
    return rows


def complete(found: Iterable[Report]) -> bool:
    """Whether every test passed."""
    return all(report.complete for report in found)


def points(found: Sequence[Report]) -> tuple[float, float]:
    """What was reached, and what can be."""
    return total(report.score for report in found), total(report.max_score for report in found)


def _plain(value: float) -> float | int:
    """A number as people write it: 2, 0.5, 1.33."""
    return int(value) if value == int(value) else round(value, 2)


def classroom_result(found: Sequence[Report]) -> dict[str, Any]:
    """GitHub Classroom's report, version 1."""
    rows = [row for report in found for row in functions_of(report)]
    _, maximum = points(found)
    broken = any(row.outcome not in (Outcome.PASSED, Outcome.FAILED, Outcome.NOT_IMPLEMENTED) for row in rows)
    return {
        "version": 1,
        "status": "pass" if complete(found) else ("error" if broken else "fail"),
        "max_score": _plain(maximum),
        "tests": [
            {
                "name": f"{row.exercise}: {row.name}",
                "status": "pass" if row.passed else "fail",
                "score": _plain(row.score),
                "message": row.message,
                "test_code": "",
                "filename": f"exercises/{row.exercise.rpartition('/')[0]}/test_{row.exercise.rpartition('/')[2]}.py",
                "line_no": 0,
                "duration": 0,
            }
            for row in rows
        ],
    }


def encoded(result: Mapping[str, Any]) -> str:
    """The step output `result`: base64 has no newline that could begin another output."""
    return base64.b64encode(msgspec.json.encode(result)).decode()


def notice(found: Sequence[Report]) -> str:
    """The line from which GitHub Classroom reads the points."""
    score, maximum = points(found)
    told = json.dumps({"totalPoints": _plain(score), "maxPoints": _plain(maximum)}, separators=(",", ":"))
    return f"::notice title=Autograding report::{told}"


def scale_of(rows: Iterable[TestFunction]) -> int:
    """The smallest factor that makes every number of points whole; the largest allowed one where none does."""
    shares = [
        Fraction(value).limit_denominator(LARGEST_SCALE)
        for row in rows
        for value in (row.score, row.max_score)
    ]
    return min(math.lcm(*(share.denominator for share in shares)), LARGEST_SCALE)


def classroom50_result(found: Sequence[Report], environment: Mapping[str, str]) -> dict[str, Any]:
    """Classroom 50's result.json. Its runner names classroom, assignment and submission in the environment."""
    rows = [row for report in found for row in functions_of(report)]
    scale = scale_of(rows)
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    repository = environment.get("GITHUB_REPOSITORY", "local/local")
    sha = environment.get("GITHUB_SHA", "0" * 40)
    commit = environment.get("COMMIT_URL") or f"{server}/{repository}/commit/{sha}"
    submission = environment.get("SUBMISSION_TAG") or sha
    tests: list[dict[str, Any]] = [
        {
            "test-name": f"{row.exercise}: {row.name}",
            "passed": row.passed,
            "score": int(row.score * scale + 1e-6),  # never more than was reached
            "max-score": round(row.max_score * scale),
        }
        for row in rows
    ]
    return {
        "schema": CLASSROOM50,
        "classroom": environment.get("CLASSROOM") or repository.partition("/")[0],
        "assignment": environment.get("ASSIGNMENT") or repository.rpartition("/")[2],
        "submission": submission,
        "commit": commit,
        "release": environment.get("RELEASE_URL") or f"{server}/{repository}/releases/tag/{submission}",
        "review": environment.get("REVIEW_URL") or commit,
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def is_classroom50_result(head: bytes) -> bool:
    """Whether a file that begins so is an earlier `classroom50_result`."""
    return f'"schema": "{CLASSROOM50}"'.encode() in head


def log(found: Sequence[Report], lang: str) -> str:
    """What people read in the log, between marks that tell the runner to take no commands from it.

    Each line also begins with a mark of ours: a command has to begin its line.
    """
    token = secrets.token_hex(16)
    lines = [*(line for report in found for line in _lines(report, lang)), ADVICE.pick(lang)]
    shown = [marked(line, SHOWN) for line in lines]
    return "\n".join([f"::stop-commands::{token}", *shown, f"::{token}::"])


def _lines(report: Report, lang: str) -> list[str]:
    if not_begun(report.tests):
        return [f"{report.exercise}  {report.points}  {NOT_BEGUN.pick(lang)}"]
    return [str(report)]


def summary(found: Sequence[Report], lang: str, scale: int | None = None) -> str:
    """The step's summary, in Markdown in which nothing of the learner's is Markdown."""
    score, maximum = points(found)
    lines = [
        f"## {TITLE.pick(lang)}: {number(score)} / {number(maximum)}",
        "",
        ADVICE.pick(lang),
        *([SCALED.pick(lang).format(scale=scale)] if scale not in (None, 1) else []),
        "",
        f"| | | {POINTS.pick(lang)} | |",
        "|---|---|---:|---|",
    ]
    for report in found:
        said = NOT_BEGUN.pick(lang) if not_begun(report.tests) else ""
        lines.append(
            f"| | **{report.exercise}** | {number(report.score)} / {number(report.max_score)} | {said} |"
        )
        for outcome, name, message in report.lines() if not said else ():
            mark = SYMBOLS.get(outcome, FAILED_SYMBOL)
            lines.append(f"| {mark} | {_literal(name)} | | {_literal(message)} |")
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    """The text itself in a cell of a Markdown table, whatever it holds."""
    flat = " ".join(defused(line) for line in text.splitlines())
    return re.sub(r"[^\w \u0080-\uffff]|_", lambda match: f"&#{ord(match[0])};", flat)
