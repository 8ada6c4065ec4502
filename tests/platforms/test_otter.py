"""Target `otter`, with the real `otter assign`, `otter run` and `grader.export`, on the toy course."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.authoring.notebooks import notebook_of
from autograder.course import Course, CourseError, Exercise
from autograder.learn.check import require
from autograder.platforms.publish import release
from autograder.platforms.selection import select

ANSWER = "return x * scale + shift"
MISTAKE = "return (x + shift) * scale"
BEGUN = 'raise NotImplementedError("affine")'
SENTENCE = "Twice the input, plus one."
EXECUTE = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=100).execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.fixture(scope="module")
def course(_toy_master: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.load(Path(shutil.copytree(_toy_master, tmp_path_factory.mktemp("otter") / "toy")))


@pytest.fixture(scope="module")
def source(course: Course) -> Path:
    """The instructor's folder of basics/affine."""
    out = course.root.parent / "out"
    release(select(course, "week1", "en"), "otter", out)
    return out / "instructor/basics/affine"


@pytest.fixture(scope="module")
def dist(source: Path) -> Path:
    """What `otter assign` makes of it. It fails unless the solution gets all points of the public tests."""
    otter("assign", "affine.ipynb", "dist", "--no-pdfs", cwd=source)
    return source / "dist"


def otter(*arguments: object, cwd: Path) -> str:
    command = [sys.executable, "-m", "otter", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def code(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_source_is_for_the_instructor(source: Path) -> None:
    out = source.parents[2]
    notebook = nbformat.read(source / "affine.ipynb", 4)
    nbformat.validate(notebook)
    assert ANSWER in "\n".join(code(notebook))
    assert sorted(path.name for path in out.iterdir() if path.name != "instructor") == [
        "README.md", "constraints.txt", "install.py",
        next(out.glob("*.whl")).name, "requirements.txt",
    ]  # fmt: skip
    assert "\nipykernel==" in (out / "constraints.txt").read_text(encoding="utf-8"), (
        "otter itself brings no kernel"
    )
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "It is for you alone" in page and "not from `otter run`" in page
    assert "(instructor/extras/vowels/vowels.ipynb)" in page


def test_public_tests_only_with_our_points(source: Path, course: Course) -> None:
    text = (source / "affine.ipynb").read_text(encoding="utf-8")
    hidden = course.exercise("basics/affine").hidden_tests.read_text(encoding="utf-8")
    names = set(re.findall(r"def (test_\w+)", hidden))
    assert names and not any(re.search(rf"\b{name}\b", text) for name in names)
    assert text.count("points: 2") == 2
    assert "The tests above are public and only a part: hidden tests decide." in text


def test_students_version_is_the_skeleton(dist: Path, course: Course) -> None:
    """Cell by cell what the other targets give, but for the calls to otter, which our engine skips."""
    theirs = code(nbformat.read(dist / "student/affine.ipynb", 4))
    ours = code(notebook_of(course.exercise("basics/affine"), "en"))
    is_check = re.compile(r"check\(|from autograder import check")
    assert [s for s in theirs if not s.startswith("# autograder: skip")] == [
        s for s in ours if not is_check.match(s)
    ]
    assert len([s for s in theirs if "grader.check(" in s]) == 2


def test_students_folder_holds_no_secret(dist: Path, course: Course) -> None:
    exercise = course.exercise("basics/affine")
    mistakes = exercise.spec.misconception
    secrets = [ANSWER, "centred.square()", "torch.div(centred, spread)"]
    secrets += [
        text for mistake in mistakes for text in (f'"{mistake.name}"', mistake.hint.en, mistake.hint.zh)
    ]
    secrets += re.findall(r"def (test_\w+\()", exercise.hidden_tests.read_text(encoding="utf-8"))
    texts = {}
    for path in (dist / "student").rglob("*"):
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                texts |= {name: wheel.read(name).decode() for name in wheel.namelist()}
        elif path.is_file():
            # Python may have left compiled public tests there.
            texts[path.name] = path.read_bytes().decode("utf-8", "replace").replace('\\"', '"')
    assert {"affine.ipynb", "affine.toml", "autograder/cli/main.py"} <= texts.keys()
    # A hint stands in the file of known mistakes, by design: see test_leaks.py.
    hints = {hint for mistake in mistakes for hint in (mistake.hint.en, mistake.hint.zh)}
    found = [(name, secret) for name, text in texts.items() for secret in secrets if secret in text]
    assert [one for one in found if one[0] != "affine.mistakes.json" or one[1] not in hints] == []


def test_skeleton_gets_nothing(dist: Path, tmp_path: Path) -> None:
    (archive,) = (dist / "autograder").glob("*.zip")
    otter("run", dist / "student/affine.ipynb", "-a", archive, "-o", tmp_path, "--no-logo", cwd=tmp_path)
    tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
    scored = {test["name"]: (test["score"], test["max_score"]) for test in tests if "score" in test}
    assert scored == {"affine": (0, 2), "normalise": (0, 2)}
    assert "affine is not implemented yet." in tests[0]["output"]


@pytest.fixture
def handed_in(dist: Path, tmp_path: Path) -> Callable[[str], Path]:
    """`handed_in(answer)`: a student's folder worked through in a kernel, to the zip that the last cell writes."""

    def work(answer: str) -> Path:
        desk = Path(shutil.copytree(dist / "student", tmp_path / "desk"))
        path = desk / "affine.ipynb"
        path.write_text(
            path.read_text(encoding="utf-8").replace(json.dumps(BEGUN)[1:-1], answer), encoding="utf-8"
        )
        done = subprocess.run(
            [sys.executable, "-c", EXECUTE, path.name], cwd=desk, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stderr
        return desk

    return work


def test_what_otter_collects_is_graded_with_hidden_tests(
    handed_in: Callable[[str], Path],
    course: Course,
    cli: Callable[..., Any],
    tmp_path: Path,
    shared_sandbox: object,
) -> None:
    """The mistake is told in the notebook in our words, and diagnosed in the zip that it exports."""
    desk = handed_in(MISTAKE)
    shown = json.dumps(nbformat.read(desk / "affine.ipynb", 4), ensure_ascii=False)
    assert f"AssertionError: {SENTENCE}" in shown
    assert "normalise is not implemented yet." in shown
    (archive,) = desk.glob("*.zip")
    shutil.copytree(desk, tmp_path / "class/s002", ignore=shutil.ignore_patterns("*.zip", "exercises"))
    (tmp_path / "class/s001").mkdir()
    shutil.copy(archive, tmp_path / "class/s001")  # under the name that otter gave it
    said = cli(
        "grade", tmp_path / "class", "--course", course.root, "--gradebook", tmp_path / "g.db",
        "--only", "basics/affine", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    results = json.loads(said.out)["results"]
    assert [result["student"] for result in results] == ["s001", "s002"]
    for result in results:
        assert (result["status"], result["score"]) == ("graded", 0)
        outcomes = {test["name"]: test for test in result["tests"]}
        assert {test["visibility"] for test in result["tests"]} == {"public", "hidden"}
        assert outcomes["test_affine[3]"]["diagnosis"] == "shift_first"
        assert outcomes["test_normalise"]["outcome"] == "not_implemented"


# ------------------------------------------------------------------------------------------- the bridge


@pytest.fixture
def notebook(affine: Exercise, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A kernel's namespace in the student's folder."""
    monkeypatch.chdir(affine.root)
    return {"__name__": "__main__", "affine": lambda x, scale, shift: x * scale + shift}


def test_a_test_that_passes_says_nothing(notebook: dict[str, Any]) -> None:
    require("basics/affine", "test_affine_by_hand", notebook)


@pytest.mark.parametrize(
    ("normalise", "told"),
    [
        (None, "^normalise: not run yet$"),
        ("x", "The row 1, 3 becomes -1, 1, wherever it lies."),
        ("x - 2", "The row 1, 3 becomes -1, 1, wherever it lies."),  # right for one set of parameters
        ("exit(3)", "SystemExit: 3\n  line 1, in <lambda>"),
    ],
)
def test_a_test_that_fails_says_why(notebook: dict[str, Any], normalise: str | None, told: str) -> None:
    """Every set of parameters counts, and what is raised is always an Exception, which is what otter catches."""
    if normalise:
        exec(compile(f"normalise = lambda x: {normalise}", "<ipython-input-1>", "exec"), notebook)
    with pytest.raises(AssertionError, match=told):
        require("basics/affine", "test_normalise_by_hand", notebook, lang="en")


def test_in_chinese(notebook: dict[str, Any]) -> None:
    notebook["affine"] = lambda x, scale, shift: x
    with pytest.raises(AssertionError, match="输入的两倍再加一"):
        require("basics/affine", "test_affine_by_hand", notebook, lang="zh")


def test_a_test_that_is_gone(notebook: dict[str, Any]) -> None:
    with pytest.raises(CourseError, match="has no test 'test_gone'"):
        require("basics/affine", "test_gone", notebook)
