"""Target `nbgrader` with the real nbgrader: released, fetched, handed in, graded by us, and nbgrader goes on with it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course, CourseError
from autograder.gradebook import Gradebook, GradingScheme
from autograder.gradebook.scores import current_scores
from autograder.platforms.publish import release
from autograder.platforms.selection import select
from autograder.results import ExerciseResult, Isolation, Status, TimeSource

ROOT = Path(__file__).resolve().parents[2]
Autograder = Callable[..., tuple[int, str]]
Nbgrader = Callable[..., str]

SECRETS = (
    # names of hidden tests, telling lines of solutions, and edits of misconceptions, of the toy course
    "test_affine", "test_normalise", "test_vowels", "centred = x - x.mean(dim=-1, keepdim=True)",
    "spread = centred", 'letter in "aeiou"', "shift_first", "shift_taken", "not_centred", "lower_only", "(x + shift) * scale",
)  # fmt: skip
GRADES = """
    SELECT student_id, name, auto_score, manual_score, extra_credit, needs_manual_grade FROM grade
    JOIN base_cell ON base_cell.id = grade.cell_id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id ORDER BY 1, 2
"""
COMMENTS = GRADES.replace("FROM grade", "FROM comment").replace("= grade.", "= comment.").replace(
    "auto_score, manual_score, extra_credit, needs_manual_grade", "auto_comment, manual_comment"
)  # fmt: skip


def rows(course: Path, query: str) -> list[Any]:
    with sqlite3.connect(course / "gradebook.db") as connection:
        return connection.execute(query).fetchall()


def grades(course: Path, student: str) -> dict[str, tuple[Any, ...]]:
    """Cell -> automatic score, manual score, extra credit, whether it needs review."""
    return {cell: values for name, cell, *values in rows(course, GRADES) if name == student}


def change(course: Path, statement: str, *values: object) -> None:
    """What a person does in the formgrader, done to the database."""
    with sqlite3.connect(course / "gradebook.db") as connection:
        assert connection.execute(statement, values).rowcount != 0


def by_hand(course: Path, student: str, cell: str, **values: object) -> None:
    """A grade as the formgrader saves it: a score of a person's needs no review."""
    table, kind = ("comment", "SolutionCell") if "manual_comment" in values else ("grade", "GradeCell")
    if table == "grade":
        values = {"needs_manual_grade": 0, **values}
    change(
        course,
        f"""UPDATE {table} SET {", ".join(f"{name} = ?" for name in values)} WHERE cell_id = (
            SELECT id FROM base_cell WHERE name = ? AND type = ?) AND notebook_id IN (
            SELECT submitted_notebook.id FROM submitted_notebook JOIN submitted_assignment
            ON submitted_assignment.id = submitted_notebook.assignment_id WHERE student_id = ?)""",
        *values.values(), cell, kind, student,
    )  # fmt: skip


def scores(made: Any) -> dict[tuple[str, str], float | None]:
    with Gradebook(str(made.book)) as book:
        return {place: score.score for place, score in current_scores(book, GradingScheme()).items()}


def notebook(made: Any, student: str, name: str) -> dict[str, Any]:
    path = made.nbgrader / "autograded" / student / "week1" / f"{name}.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))


def cell(book: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(c for c in book["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def secrets_in(*folders: Path) -> list[str]:
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix in (".ipynb", ".html", ".py", ".toml", ".md", ".txt"):
                text = path.read_text(encoding="utf-8").replace('\\"', '"')
                found += [
                    f"{path}: {secret}"
                    for secret in SECRETS
                    if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)
                ]
    return found


# ------------------------------------------------------------------------------------------- release


def test_released(handed_in: Any) -> None:
    """What nbgrader makes of the sources: signatures and docstrings stay, points are ours, nothing leaks."""
    folder = handed_in.nbgrader / "release" / "week1"
    affine = json.loads((folder / "affine.ipynb").read_text(encoding="utf-8"))
    source = "".join(cell(affine, "affine")["source"])
    assert source.startswith("def affine(x: Tensor, scale: float, shift: float) -> Tensor:\n")
    assert "shift: what is added." in source
    assert source.endswith('    # YOUR CODE HERE\n    raise NotImplementedError("affine")')
    locked = cell(affine, "affine-points")
    assert "".join(locked["source"]) == 'check("basics/affine")'
    assert not locked["metadata"]["editable"]
    found = rows(
        handed_in.nbgrader,
        "SELECT name, max_score FROM grade_cells JOIN base_cell USING (id) ORDER BY name",
    )
    assert found == [("affine-points", 6.0), ("normalise-points", 6.0), ("vowels-points", 4.0)]
    homes = handed_in.root / "homes"
    untouched = [homes / "s003" / "week1" / "affine.ipynb", homes / "s003" / "week1" / "exercises"]
    assert untouched[0].is_file()
    course = handed_in.nbgrader
    assert (
        secrets_in(course / "source", course / "release", handed_in.root / "exchange" / "toys" / "outbound")
        == []
    )
    assert not list((homes / "s003").rglob("solutions"))


def test_an_instructors_own_configuration_leaks_nothing(
    toy_course: Course, nbgrader: Nbgrader, tmp_path: Path
) -> None:
    """Without ours, nbgrader puts its own stub into the cells; the signature stays all the same."""
    out = tmp_path / "out"
    release(select(toy_course, "week1", "zh"), "nbgrader", out)
    (out / "nbgrader_config.py").unlink()
    nbgrader((out, "generate_assignment week1 --course=mine"))
    book = json.loads((out / "release/week1/affine.ipynb").read_text(encoding="utf-8"))
    source = "".join(cell(book, "affine")["source"])
    assert source.startswith("def affine(") and "# YOUR CODE HERE" in source
    assert "每个网络里都有的两个映射" in json.dumps(book, ensure_ascii=False)
    assert "".join(cell(book, "affine-points")["source"]) == 'check("basics/affine", lang="zh")'
    assert secrets_in(out) == []


def test_check_works_where_it_was_fetched(handed_in: Any, environment: dict[str, str]) -> None:
    home = handed_in.root / "homes" / "s002" / "week1"
    book = json.loads((home / "affine.ipynb").read_text(encoding="utf-8"))
    source = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code")
    done = subprocess.run(
        [sys.executable, "-"], input=source, cwd=home, env=environment, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "✗ test_affine_by_hand" in done.stdout


def test_assignments(toy_course: Course, toy: Path, edited: Any, tmp_path: Path) -> None:
    """The course's assignments; without any, its units; or the one that is asked for."""

    def sources(assignment: str | None, name: str) -> list[str]:
        out = tmp_path / name
        release(select(Course.load(toy), assignment, "en"), "nbgrader", out)
        return sorted(str(path.relative_to(out / "source")) for path in out.rglob("*.ipynb"))

    assert sources(None, "all") == ["week1/affine.ipynb", "week1/vowels.ipynb"]
    assert sources("extras", "one") == ["extras/vowels.ipynb"]
    text = (toy / "course/course.toml").read_text(encoding="utf-8")
    (toy / "course/course.toml").write_text(text[: text.index("[[assignment]]")], encoding="utf-8")
    assert sources(None, "units") == ["basics/affine.ipynb", "extras/vowels.ipynb"]


def test_two_exercises_of_one_name(toy: Path, edited: Any, tmp_path: Path) -> None:
    """nbgrader tells notebooks of an assignment apart by their names alone."""
    for tree in ("exercises", "solutions", "course"):
        for path in sorted((toy / tree / "basics").glob("*affine*")):
            shutil.copy(path, toy / tree / "extras" / path.name)
    edited(toy / "course/extras/unit.toml", 'exercises = ["vowels"]', 'exercises = ["vowels", "affine"]')
    with pytest.raises(CourseError, match="'week1' has 2 exercises called 'affine'"):
        release(select(Course.load(toy, authoring=True), "week1", "en"), "nbgrader", tmp_path / "out")


def test_autograde_is_stopped(handed_in: Any, nbgrader: Nbgrader, tmp_path: Path) -> None:
    """It would run submissions with the instructor's rights, and give everybody full marks."""
    made = handed_in.copied(tmp_path / "class")
    said = nbgrader((made.nbgrader, "autograde week1 --student=s001"), fails=True)
    assert "autograder grade --nbgrader" in said
    assert not (made.nbgrader / "autograded").exists() or not list(
        (made.nbgrader / "autograded").rglob("*.ipynb")
    )


# ------------------------------------------------------------------------------------------- grading


def test_scores(graded: Any) -> None:
    full = {"affine-points": [6.0], "normalise-points": [6.0], "vowels-points": [4.0]}
    none = {name: [0.0] for name in full}
    for student, expected in (
        ("s001", full), ("s002", none), ("s003", none), ("s004", full), ("o'brien", full),
    ):  # fmt: skip
        found = grades(graded.nbgrader, student)
        assert {name: values[:1] for name, values in found.items()} == expected, student
        assert all(list(values[1:]) == [None, None, 0] for values in found.values()), student
    assert scores(graded)["s001", "basics/affine"] == 12
    with Gradebook(str(graded.book)) as book:
        assert book.attempts()["o'brien", "basics/affine"][0].result.path == "o'brien/week1/affine.ipynb"


def test_sync_reads_an_assignment_s_results_at_once(
    graded: Any, autograder: Autograder, statements: Callable[..., Any]
) -> None:
    with statements() as seen:
        code, said = autograder("gradebook", "sync", *graded.options)
    assert code == 0, said
    assert len([one for one in seen if "FROM tests" in one]) == 1
    of_attempts = [one for one in seen if "FROM attempts" in one]
    assert of_attempts and all("exercise IN" in one for one in of_attempts)


def test_comments(graded: Any) -> None:
    found = {(student, name): said for student, name, said, _ in rows(graded.nbgrader, COMMENTS)}
    assert found["s001", "affine"] is None
    assert (
        found["s002", "affine"]
        == "* test_affine_by_hand: The hint of unshifted.\n* hidden test 1: the same as test_affine_by_hand"
    )
    assert found["s002", "normalise"] == "* normalise: normalise is not implemented yet."
    assert "not JSON" in found["s002", "vowels"]
    assert found["s003", "vowels"] == "Not handed in."


def test_every_submission_has_all_rows(graded: Any, nbgrader: Nbgrader) -> None:
    """Five submissions of two notebooks with three grade and three solution cells, or totals silently shrink."""
    for table, count in (
        ("submitted_assignment", 5),
        ("submitted_notebook", 10),
        ("grade", 15),
        ("comment", 15),
    ):
        assert rows(graded.nbgrader, f"SELECT count(*) FROM {table}") == [(count,)]


def test_autograded_notebook(graded: Any) -> None:
    """The student's cells in nbgrader's clothes: what was taken out is back, what was put in is harmless."""
    from nbformat import reads
    from nbgrader.nbgraderformat import MetadataValidator

    book = notebook(graded, "s004", "affine")
    MetadataValidator().validate_nb(reads(json.dumps(book), 4))
    assert "return x * scale + shift" in cell(book, "affine")["source"]
    doubled = cell(book, "affine-points")
    assert "".join(doubled["source"]) == 'check("basics/affine")'
    assert "full marks for me" not in json.dumps(book)
    (output,) = doubled["outputs"]
    assert "6 of 6 points" in output["data"]["text/html"] and "hidden test 1" in output["data"]["text/html"]
    own = next(c for c in book["cells"] if "6 * 7" in c["source"])
    assert [o.get("text") or list(o["data"]) for o in own["outputs"]] == ["my own print", ["image/png"]]
    assert "evil()" not in json.dumps(book)
    assert cell(book, "normalise-points")["outputs"]
    assert "was not in the notebook" in json.dumps(book)


def test_unreadable_and_missing_notebooks(graded: Any) -> None:
    for student, said in (("s002", "could not be shown"), ("s003", "was not handed in")):
        book = notebook(graded, student, "vowels")
        assert said in book["cells"][0]["source"]
        assert "# YOUR CODE HERE" in "".join(cell(book, "vowels")["source"])
        assert cell(book, "vowels-points")["outputs"]


def test_timestamps(graded: Any) -> None:
    for student, stored in rows(graded.nbgrader, "SELECT student_id, timestamp FROM submitted_assignment"):
        for step in ("submitted", "autograded"):
            stamp = (graded.nbgrader / step / student / "week1" / "timestamp.txt").read_text(encoding="utf-8")
            assert stamp == f"{stored} UTC"
        with Gradebook(str(graded.book)) as book:
            for attempts in book.attempts(student).values():
                said = attempts[0].result.submitted
                assert said is not None and said.source is TimeSource.NBGRADER
                assert said.at.replace(tzinfo=None) == datetime.fromisoformat(stored)


def test_grading_twice_changes_nothing(graded: Any, autograder: Autograder) -> None:
    def state() -> Any:
        files = graded.nbgrader / "autograded"
        with sqlite3.connect(graded.nbgrader / "gradebook.db") as connection:
            return list(connection.iterdump()), {p: p.stat().st_mtime_ns for p in files.rglob("*.ipynb")}

    before = state()
    for command in (("grade",), ("gradebook", "sync")):
        code, said = autograder(*command, *graded.options)
        assert code == 0
        assert "0 rows written, 0 changed, 0 notebooks in autograded/; 0 adjustments" in said
    assert state() == before


def test_feedback_and_export(graded: Any, nbgrader: Nbgrader) -> None:
    """nbgrader's own commands on what we wrote; nothing hidden in any file that they make."""
    course = graded.nbgrader
    nbgrader((course, "generate_feedback week1"), (course, "release_feedback week1"), (course, "export"))
    table = {
        line["student_id"]: line for line in csv.DictReader((course / "grades.csv").open(encoding="utf-8"))
    }
    assert {name: float(line["score"]) for name, line in table.items()} == {
        "s001": 16, "s002": 0, "s003": 0, "s004": 16, "o'brien": 16,
    }  # fmt: skip
    assert {float(line["max_score"]) for line in table.values()} == {16}
    page = (course / "feedback/s002/week1/affine.html").read_text(encoding="utf-8")
    assert "The hint of unshifted." in page and "hidden test 1" in page
    released = graded.root / "exchange" / "toys" / "feedback"
    assert len(list(course.joinpath("feedback").rglob("*.html"))) == 10
    assert secrets_in(course / "feedback", course / "autograded", released) == []


# ------------------------------------------------------------------------------------------- both ways


def test_decisions_come_back(graded: Any, autograder: Autograder) -> None:
    """A manual score, extra credit and comments become adjustments; revised, they add up to what stands there now."""
    course = graded.nbgrader
    by_hand(course, "s002", "affine-points", manual_score=3.5)
    by_hand(course, "s002", "affine", manual_comment="Shown in class.")
    by_hand(course, "s001", "normalise-points", extra_credit=2)
    by_hand(course, "s003", "vowels-points", manual_score=4)
    by_hand(course, "s004", "vowels", manual_comment="Neat.")

    def sync() -> list[tuple[float, str]]:
        code, said = autograder("gradebook", "sync", *graded.options)
        assert code == 0, said
        with Gradebook(str(graded.book)) as book:
            found = [a for place in book.adjustments().values() for a in place]
        assert {a.who for a in found} == {"nbgrader"}
        return sorted((a.points, a.reason) for a in found)

    first = [
        (0.0, "vowels: Neat."),
        (2.0, "normalise: extra credit +2"),
        (3.5, "affine: 3.5 points by hand in place of 0; Shown in class."),
        (4.0, "vowels: 4 points by hand in place of 0"),
    ]
    assert sync() == first
    assert sync() == first
    known = scores(graded)
    assert known["s002", "basics/affine"] == 3.5
    assert known["s001", "basics/affine"] == 14
    assert known["s003", "extras/vowels"] == 4  # a notebook that was never handed in
    by_hand(course, "s002", "affine-points", manual_score=None)
    by_hand(course, "s002", "affine", manual_comment="")
    by_hand(course, "s001", "normalise-points", extra_credit=1)
    assert sync() == sorted([*first, (-3.5, "affine: taken back"), (-1.0, "normalise: extra credit +1")])
    assert scores(graded)["s002", "basics/affine"] == 0
    assert len(sync()) == 6


def test_a_manual_score_survives_regrading(graded: Any, autograder: Autograder) -> None:
    """A new hand-in changes the automatic score below it, marks it for review, and moves no points."""
    course = graded.nbgrader
    by_hand(course, "s002", "affine-points", manual_score=5)
    by_hand(course, "s002", "affine", manual_comment="Spoken about.")
    autograder("gradebook", "sync", *graded.options)
    folder = course / "submitted/s002/week1"
    text = (folder / "affine.ipynb").read_text(encoding="utf-8")
    (folder / "affine.ipynb").write_text(
        text.replace("return x * scale", "return x * scale + shift"), encoding="utf-8"
    )
    (folder / "timestamp.txt").write_text("2031-05-04 03:02:01.000000 UTC", encoding="utf-8")

    code, said = autograder("gradebook", "sync", *graded.options)  # not graded yet: left as it was
    assert code == 0 and "1 submissions are not graded yet" in said
    assert grades(course, "s002")["affine-points"] == [0.0, 5.0, None, 0]

    code, said = autograder("grade", *graded.options)
    assert code == 0, said
    assert grades(course, "s002")["affine-points"] == [6.0, 5.0, None, 1]
    assert grades(course, "s002")["normalise-points"] == [0.0, None, None, 0]
    assert scores(graded)["s002", "basics/affine"] == 5
    stored = rows(course, "SELECT timestamp FROM submitted_assignment WHERE student_id = 's002'")
    assert stored == [("2031-05-04 03:02:01.000000",)]
    assert "+ shift" in cell(notebook(graded, "s002", "affine"), "affine")["source"]
    assert rows(course, "SELECT manual_comment FROM comment WHERE manual_comment IS NOT NULL") == [
        ("Spoken about.",)
    ]
    autograder("grade", *graded.options)
    assert grades(course, "s002")["affine-points"] == [6.0, 5.0, None, 1]


def test_a_fault_of_ours_is_nobodys_zero(
    handed_in: Any, autograder: Autograder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ungraded: no score, marked for manual grading; the next run grades it."""
    from autograder.grading.worker import Worker

    made = handed_in.copied(tmp_path / "class")
    grade = Worker.grade

    def faulty(self: Worker, bundle: Any, submission: Any) -> ExerciseResult:
        if submission.student != "s002" or bundle.exercise != "basics/affine":
            return grade(self, bundle, submission)
        return ExerciseResult(
            student="s002", exercise=bundle.exercise, status=Status.UNGRADED, score=None, max_score=12.0,
            isolation=Isolation.NONE, path=submission.path,
        )  # fmt: skip

    monkeypatch.setattr(Worker, "grade", faulty)
    assert autograder("grade", *made.options)[0] == 3
    found = grades(made.nbgrader, "s002")
    assert found["affine-points"] == found["normalise-points"] == [None, None, None, 1]
    assert found["vowels-points"] == [0.0, None, None, 0]
    monkeypatch.setattr(Worker, "grade", grade)
    assert autograder("grade", *made.options)[0] == 0
    assert grades(made.nbgrader, "s002")["affine-points"] == [0.0, None, None, 0]


# ------------------------------------------------------------------------------------------- what may be wrong


def test_no_database(handed_in: Any, autograder: Autograder, tmp_path: Path) -> None:
    made = handed_in.copied(tmp_path / "class")
    (made.nbgrader / "gradebook.db").unlink()
    code, said = autograder("grade", *made.options)
    assert code == 2
    assert "gradebook.db" in said and "nbgrader generate_assignment" in said
    assert not (made.nbgrader / "gradebook.db").exists()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE base_cell SET name = 'mine' WHERE name = 'affine-points'", "no cell under 'affine-points'"),
        (
            "UPDATE grade_cells SET max_score = 5 WHERE max_score = 4",
            "worth 4 points, and nbgrader has 5 points",
        ),
        ("UPDATE notebook SET name = 'other' WHERE name = 'vowels'", "no notebook 'vowels'"),
        ("ALTER TABLE grade RENAME COLUMN extra_credit TO extra", "nbgrader db upgrade"),
    ],
)
def test_what_does_not_fit(
    handed_in: Any, autograder: Autograder, tmp_path: Path, statement: str, expected: str
) -> None:
    made = handed_in.copied(tmp_path / "class")
    change(made.nbgrader, statement)
    with Gradebook(str(made.book)):
        pass  # there is one, with nothing in it yet
    code, said = autograder("gradebook", "sync", *made.options)
    assert code == 2
    assert expected in said
    assert "run `" in said


def test_other_assignments_are_left_alone(graded: Any, autograder: Autograder) -> None:
    change(
        graded.nbgrader,
        "INSERT INTO assignment (id, name, course_id) SELECT 'x', 'essay', course_id FROM assignment",
    )
    code, said = autograder("gradebook", "sync", *graded.options)
    assert code == 0
    assert "left alone: essay" in said


def test_places(handed_in: Any, autograder: Autograder, tmp_path: Path) -> None:
    made = handed_in.copied(tmp_path / "class")
    wrong = ("--course", made.course, "--gradebook", made.book)
    assert "is not a folder" in autograder("grade", "--nbgrader", tmp_path / "nowhere", *wrong)[1]
    assert "or --nbgrader COURSE_DIR" in autograder("grade", "--course", made.course)[1]
    assert "or --nbgrader COURSE_DIR" in autograder("grade", tmp_path, *made.options)[1]
    with (made.nbgrader / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write("1 / 0\n")
    assert "nbgrader_config.py can't be loaded" in autograder("grade", *made.options)[1]
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(made.nbgrader / "gradebook.db", empty)
    assert "holds no notebook of this course" in autograder("grade", "--nbgrader", empty, *wrong)[1]


def test_links_are_not_followed(handed_in: Any, autograder: Autograder, tmp_path: Path) -> None:
    """A submission that is a link to the solution is refused, and not shown."""
    made = handed_in.copied(tmp_path / "class")
    answer = made.nbgrader / "submitted/s003/week1/vowels.ipynb"
    answer.symlink_to(made.nbgrader / "submitted/s001/week1/vowels.ipynb")
    assert autograder("grade", *made.options)[0] == 0
    assert grades(made.nbgrader, "s003")["vowels-points"][0] == 0.0
    assert "it is a link" in notebook(made, "s003", "vowels")["cells"][0]["source"]


# ------------------------------------------------------------------------------------------- a real exercise


def test_a_real_exercise(nbgrader: Nbgrader, autograder: Autograder, tmp_path: Path) -> None:
    """attention/scaled_dot_product: the reference earns every point of every question, and an untouched one none."""
    out = tmp_path / "out"
    release(select(Course.load(ROOT), "attention/scaled_dot_product", "en"), "nbgrader", out)
    nbgrader((out, "generate_assignment scaled_dot_product"))
    solution = (ROOT / "solutions/attention/scaled_dot_product.py").read_text(encoding="utf-8")
    code = {"cell_type": "code", "metadata": {}, "source": solution, "outputs": [], "execution_count": None}
    for student, content in (
        ("s001", json.dumps({"cells": [code], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})),
        ("s002", (out / "release/scaled_dot_product/scaled_dot_product.ipynb").read_text(encoding="utf-8")),
    ):
        folder = out / "submitted" / student / "scaled_dot_product"
        folder.mkdir(parents=True)
        (folder / "scaled_dot_product.ipynb").write_text(content, encoding="utf-8")
    book = tmp_path / "book.db"
    status, said = autograder("grade", "--nbgrader", out, "--course", ROOT, "--gradebook", book)
    assert status == 0, said
    best = {name: values[0] for name, values in grades(out, "s001").items()}
    shares = Course.load(ROOT).exercise("attention/scaled_dot_product").public.points
    assert best == {f"{share.question}-points": share.public + share.hidden for share in shares}
    assert {values[0] for values in grades(out, "s002").values()} == {0.0}
