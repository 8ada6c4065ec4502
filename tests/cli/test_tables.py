"""What is printed on narrow terminals, for long and wide names, and of long lists: nothing that counts is cut."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from autograder.audit import Ended, ExerciseAudit, Point
from autograder.audit.report import TITLES
from autograder.cli.common import Lang, Speaker
from autograder.cli.grade_table import grade_table
from autograder.cli.tables import (
    FOUND_SHOWN,
    SHOWN,
    Tally,
    audit_table,
    diagnosis_table,
    doctor_table,
    student_table,
    unreadable_lines,
)
from autograder.gradebook import Gradebook, GradingScheme, Version
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility
from autograder.text import Text

EN, ZH = Speaker(Lang.EN), Speaker(Lang.ZH)
LONG, CHINESE = "a-name-of-fifty-characters-" + "x" * 23, "欧阳娜娜司马相如诸葛孔明"
NAMES = ["s001", LONG, CHINESE]
EXERCISES = [f"unit/topic_{n}" for n in range(1, 8)]
SCHEME = GradingScheme({name: Version("", 20.0) for name in EXERCISES})
HINT = (
    "你把注意力的分数除以了整个模型的宽度而不是每个头的宽度所以分数太小注意力太平均请想一想点积里到底有几项"
)


def result(student: str, exercise: str = "unit/topic_1", **more: Any) -> ExerciseResult:
    values: dict[str, Any] = {
        "status": Status.GRADED, "score": 11.25, "max_score": 20.0, "isolation": Isolation.FULL, **more
    }  # fmt: skip
    return ExerciseResult(student=student, exercise=exercise, **values)


def diagnosed(name: str) -> TestResult:
    return TestResult(
        name="test_the_scale_of_each_head", visibility=Visibility.HIDDEN, outcome=Outcome.FAILED,
        score=0.0, max_score=1.0, message=Text("A hint.", HINT), diagnosis=name,
    )  # fmt: skip


def printed(what: Any, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(what)
    return out.getvalue()


def plain(text: str) -> str:
    """Without frames and blanks: what was folded is whole again where its column is the only one."""
    return re.sub(r"[^\w.:*!/-]", "", text)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Gradebook]:
    with Gradebook(str(tmp_path / "book.db")) as opened:
        yield opened


@pytest.mark.parametrize("width", [32, 60, 80, 120, 200])
def test_no_number_is_cut(book: Gradebook, width: int) -> None:
    for row, student in enumerate(NAMES):
        for column, exercise in enumerate(EXERCISES, 1):
            book.record(result(student, exercise, score=11.21 + row + column / 100))
    shown = printed(grade_table(book, SCHEME, NAMES, EN), width)
    assert "…" not in shown
    assert all(cell_len(line) <= width for line in shown.splitlines())
    numbers = re.findall(r"\d\d\.\d\d", shown)
    for row in range(len(NAMES)):
        for column in range(1, len(EXERCISES) + 1):
            assert f"{11.21 + row + column / 100:.2f}" in numbers
    for whole in ("78.75", "85.75", "92.75"):  # the totals, each of them once
        assert numbers.count(whole) == 1
    tables = shown.count(" student ")
    assert tables == 1 if width >= 80 else tables > 1
    assert shown.count("s001") == tables  # every table says whose numbers these are
    assert shown.count("/20 ") == len(EXERCISES)
    if width == 200:
        assert LONG in shown and CHINESE in shown
    else:
        folded = [line.split("│")[0].strip() for line in shown.splitlines() if "│" in line]
        assert "".join(folded).count(LONG) == "".join(folded).count(CHINESE) == tables


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("say", [EN, ZH])
def test_a_mark_stays_with_its_meaning(book: Gradebook, width: int, say: Speaker) -> None:
    shown = printed(grade_table(book, GradingScheme(), [], say), width)
    meanings = {
        EN: ("* adjusted by hand", "? not graded yet", "U unsafe"),
        ZH: ("* 有人工调整", "? 尚未评分", "U 不安全模式"),
    }
    assert all(meaning in shown for meaning in meanings[say])


def test_the_maximum_of_what_nobody_handed_in(
    cli: Callable[..., Any], toy: Path, book: Gradebook, tmp_path: Path
) -> None:
    book.record(result("s001", "extras/vowels", max_score=4.0))
    show = ("gradebook", "show", "--course", toy, "--gradebook", tmp_path / "book.db")
    assert re.search(r"/12 +┃ +/4 +┃ +/16", cli(*show).out)


def test_a_chinese_hint_is_whole(book: Gradebook) -> None:
    book.record(result("s001", tests=(diagnosed("scale_of_the_whole_model"),)))
    shown = printed(student_table(book, SCHEME, "s001", ZH), 80)
    assert "…" not in shown
    told = [line.split("│")[4] for line in shown.splitlines() if line.startswith("│")]
    assert HINT in "".join(told).replace(" ", "")


def test_doctor_s_table_is_whole() -> None:
    check = SimpleNamespace(layer="network", works=True, attempted=HINT, seen=HINT, remedy="")
    report: Any = SimpleNamespace(level=None, layers=(), checks=(check,))
    shown = printed(doctor_table(report, ZH), 80)
    assert "…" not in shown
    assert shown.count("项") == 2


def audited(name: str, **point: Any) -> ExerciseAudit:
    points = [Point(number=n, title=title, summary=f"Shown {n}.") for n, title in TITLES.items()]
    points[7] = msgspec.structs.replace(points[7], **point)
    green = all(p.green for p in points)
    return ExerciseAudit(
        exercise=name, green=green, seconds=3.25, tests=7, misconceptions=9, points=tuple(points)
    )


END = Ended(10.0, 4.0, 2.5)


def test_audit_s_table_is_whole() -> None:
    shown = printed(audit_table([audited("unit/topic", problems=(HINT,))], END, ZH), 80)
    assert "…" not in shown and "项" in shown


def test_audits_are_one_table_and_then_what_is_red() -> None:
    reports = [
        audited("attention/scaled_dot_product", warnings=("Too many.", "Too few.")),
        audited("unit/red", problems=("One problem.", "Another.")),
        ExerciseAudit(exercise="unit/dead", green=False, problem="It ended."),
    ]
    shown = printed(audit_table(reports, END, EN), 80)
    row = next(line for line in shown.splitlines() if "attention/scaled_dot_product" in line)
    assert row.split() == ["attention/scaled_dot_product", *"✓✓✓✓✓✓✓✓", "7", "9", "2", "3.2"]
    assert next(line for line in shown.splitlines() if "unit/red" in line).split()[8] == "✗"
    assert "median 3.2 s, at most 3.2 s; besides, 4.0 s to start, 2.5 s to import" in " ".join(shown.split())
    told = shown[shown.index("\nunit/red\n") :]
    assert told.splitlines()[1:] == [
        "unit/red", "8 form and cost", "  One problem.", "  Another.", "unit/dead", "  It ended.",
    ]  # fmt: skip
    assert "Too many." not in shown  # counted; in full for a single exercise
    alone = printed(audit_table(reports[:1], END, EN), 80)
    assert "8 form and cost\n  Shown 8.\n  Too many.\n  Too few.\n" in alone


def test_what_could_not_be_read_has_no_empty_table(book: Gradebook) -> None:
    message = Text("Two files answer this exercise.", "有两个文件对应这道题。")
    book.record(result("s001", status=Status.INVALID, score=0.0, message=message))
    shown = printed(student_table(book, SCHEME, "s001", EN), 80)
    assert shown == "unit/topic_1  0/20  invalid  (full)\nTwo files answer this exercise.\n"


def test_long_lists_are_short() -> None:
    tally = Tally()
    for n in range(FOUND_SHOWN + 3):
        if n < SHOWN + 3:
            unread = result(f"s{n:03}", status=Status.INVALID, message=Text(f"Why {n}.\nMore."))
            tally.add(unread, cached=False)
        for _ in range(2 if n == FOUND_SHOWN + 2 else 1):
            tally.add(result(f"s{n:03}", tests=(diagnosed(f"mistake_{n}"),)), cached=False)
    lines = unreadable_lines(tally, EN)
    assert lines[0] == "  s000  unit/topic_1: Why 0."
    assert (len(lines), lines[-1]) == (SHOWN + 1, "  and 3 more")
    shown = printed(diagnosis_table(tally, EN), 120)
    assert re.findall(r"mistake_\d+", shown) == [
        f"mistake_{FOUND_SHOWN + 2}",
        *(f"mistake_{n}" for n in range(FOUND_SHOWN - 1)),
    ]
    assert "and 3 more: autograder gradebook export FILE --per test" in shown
    assert diagnosis_table(Tally(), EN) is None
