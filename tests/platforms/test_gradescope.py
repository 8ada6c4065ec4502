"""Target `gradescope`: the zip file in a directory laid out as theirs, under their limits, and the results it writes."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import nbformat
import pytest

from autograder.authoring.notebooks import notebook_of
from autograder.course import Course
from autograder.errors import UserError
from autograder.grading.grader import ExerciseGrader
from autograder.platforms.gradescope import harness as gradescope
from autograder.platforms.gradescope.results_json import GradescopeReport
from autograder.platforms.publish import release
from autograder.platforms.selection import select
from autograder.results import ExerciseResult, Isolation, Status
from autograder.text import Text

# Test files of this folder are no package: the stand-in for the container is loaded by its path.
_spec = importlib.util.spec_from_file_location("container", Path(__file__).with_name("container.py"))
assert _spec and _spec.loader
container = importlib.util.module_from_spec(_spec)
sys.modules["container"] = container
_spec.loader.exec_module(container)

AFFINE = "def affine(x, scale, shift):\n    return {affine}\n\n\ndef normalise(x):\n    return {normalise}\n"
RIGHT = {
    "affine": "x * scale + shift",
    "normalise": "(x - x.mean(-1, True)) / x.std(-1, keepdim=True, correction=0)",
}
VOWELS = 'def vowels(text):\n    return sum(letter in "aeiou" for letter in text.lower())\n'
SECRETS = (
    "test_affine[",
    "test_normalise[",
    "test_vowels",
    "1.7",
    "-0.6",
    "Attention Is All",
    "reference",
    "_first",
)

# Looks at everything it can reach for what only the hidden side holds, and for a decoy that anybody may read.
CHEAT = """
import os
import zlib

ROOT = "{root}"
MARKS = [b"def test_" + b"normalise(", b"The hint " + b"of variance", b"centred" + b".square()", b"DE" + b"COY"]
PLACES = [ROOT, "/proc"]
found, read, wrote = [], 0, []

for place in PLACES:
    for folder, folders, names in os.walk(place):
        if place == "/proc":
            folders[:] = [name for name in folders if name.isdigit() or name in ("fd", "map_files")]
            names = [name for name in names if name in ("environ", "cmdline", "maps", "mem") or name.isdigit()]
        for name in names:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb", buffering=0) as file:
                    data = file.read(1 << 20) or b""
            except OSError:
                continue
            read += 1
            try:
                data += zlib.decompress(data)
            except zlib.error:
                pass
            if any(mark in data for mark in MARKS) and not path.endswith("affine.py"):
                found.append(path)
for name in ("results/results.json", "results/.results.json", "results/new", "source/exercises.bin"):
    try:
        with open(os.path.join(ROOT, name), "w") as file:
            wrote.append(name)
    except OSError:
        pass


def affine(x, scale, shift):
    raise RuntimeError(f"found {{found}}, wrote {{wrote}}, read {{read > 10}}")


def normalise(x):
    raise RuntimeError("nothing to say")
"""

# ------------------------------------------------------------------------------------------- what the platform takes

STATUSES = ("passed", "failed")
VISIBILITIES = ("hidden", "after_due_date", "after_published", "visible")
FORMATS = ("text", "html", "simple_format", "md", "ansi")
TOP = {
    "score": (int, float), "output": str, "visibility": str, "stdout_visibility": str, "extra_data": dict, "tests": list,
}  # fmt: skip
ROW = {
    "score": (int, float), "max_score": (int, float), "status": str, "name": str, "number": str, "output": str,
    "output_format": str, "visibility": str, "tags": list,
}  # fmt: skip


def valid(results: Any) -> dict[str, Any]:
    """The same document; AssertionError unless every field is documented, of its type, and consistent."""
    assert type(results) is dict
    for fields, known in [(results, TOP), *((row, ROW) for row in results["tests"])]:
        for key, value in fields.items():
            assert key in known, f"{key} is no documented field"
            assert isinstance(value, known[key]) and not isinstance(value, bool), f"{key} = {value!r}"  # type: ignore[arg-type]
        assert fields["visibility"] in VISIBILITIES
    assert results["stdout_visibility"] == "hidden"
    assert results["score"] >= 0
    for row in results["tests"]:
        assert row["name"] and row["number"]
        assert row["output_format"] in FORMATS
        assert ("score" in row) == ("max_score" in row) == ("status" in row), row
        if "score" in row:
            assert row["status"] in STATUSES
            assert 0 <= row["score"] <= row["max_score"]
        assert all(isinstance(tag, str) for tag in row.get("tags", []))
    numbers = [row["number"] for row in results["tests"]]
    assert len(set(numbers)) == len(numbers)
    assert sum(row.get("score", 0) for row in results["tests"]) == pytest.approx(results["score"])
    return results  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(scores=1),
        lambda d: d["tests"][0].update(status="error"),
        lambda d: d["tests"][0].update(score=99),
        lambda d: d["tests"][0].update(visibility="always"),
        lambda d: d.update(score=3),
    ],
)
def test_the_check_of_the_format_checks(change: Callable[[dict[str, Any]], object]) -> None:
    sheet = GradescopeReport("en", [("basics/affine", Text("Affine"), 12)])
    sheet.add(
        ExerciseResult(
            student="", exercise="basics/affine", status=Status.NOT_BEGUN, score=0, max_score=12,
            isolation=Isolation.FULL,
        )
    )  # fmt: skip
    document = json.loads(sheet.json())
    valid(document)
    change(document)
    with pytest.raises(AssertionError):
        valid(document)


# ------------------------------------------------------------------------------------------- in the container


@pytest.fixture(scope="module")
def course(_toy_master: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.load(Path(shutil.copytree(_toy_master, tmp_path_factory.mktemp("gradescope") / "toy")))


@pytest.fixture(scope="module")
def released(course: Course) -> Path:
    out = course.root.parent / "out"
    release(select(course, None, "en"), "gradescope", out)
    return out


@pytest.fixture
def box(released: Path) -> Iterator[Any]:
    if platform.system() != "Linux":
        pytest.skip("Gradescope's containers run Linux")
    with container.Container.of(released / "week1.zip") as made:
        yield made


@pytest.fixture
def graded(box: Any, unavailable: Callable[[object], NoReturn]) -> Callable[..., Any]:
    """`graded({"affine.py": source})`: a run in the container, on a machine that can grade there at all."""

    def run(files: dict[str, str]) -> Any:
        box.submit(files)
        done = box.run()
        if "can't be reached on this machine" in done.log:
            unavailable(done.log)
        return done

    return run


def rows(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in valid(results)["tests"]}


def test_full_marks_within_the_limits(box: Any, graded: Callable[..., Any], course: Course) -> None:
    """A notebook in a folder and a file, 768 MB, half a CPU, no namespaces."""
    notebook = notebook_of(course.exercise("basics/affine"), "en")
    for cell in notebook.cells:
        for question, answer in RIGHT.items():
            cell.source = cell.source.replace(f'raise NotImplementedError("{question}")', f"return {answer}")
    run = graded({"week1/affine.ipynb": nbformat.writes(notebook), "vowels.py": VOWELS})
    results = rows(run.results)
    assert run.results["score"] == 16, run.log
    assert run.results["output"] == run.log == ""
    assert list(results) == [
        "affine · test_affine_by_hand", "affine · test_normalise_by_hand", "affine · hidden 1", "affine · hidden 2",
        "vowels · test_word", "vowels · hidden 1",
    ]  # fmt: skip
    assert all(row["status"] == "passed" and row["output"] == "" for row in results.values())
    assert set(run.results["extra_data"]["isolation"].values()) == {"standard"}
    assert run.memory < container.MEMORY - (128 << 20), f"{run.memory >> 20} MB"
    assert run.seconds < 300
    assert not list((box.root / "tmp").iterdir())
    assert not (box.root / "source/exercises.bin").exists()


def test_a_mistake_and_a_file_that_does_not_load(graded: Callable[..., Any]) -> None:
    mistaken = AFFINE.format(**RIGHT | {"affine": "(x + shift) * scale"})
    run = graded({"affine.py": mistaken, "vowels.py": "def vowels(text)\n    return 3\n"})
    results = rows(run.results)
    assert run.results["score"] == 6, run.log
    assert results["affine · hidden 1"]["output"] == "The hint of shift_first."
    assert results["affine · hidden 1"]["status"] == "failed"
    broken = results["vowels · Vowels"]
    assert (broken["score"], broken["max_score"]) == (0, 4)
    assert "SyntaxError: expected ':'" in broken["output"]
    text = json.dumps(run.results)
    assert not [secret for secret in SECRETS if secret in text.replace("The hint of shift_first.", "")]


@pytest.mark.skipif(
    platform.system() != "Linux" or os.getuid() != 0,
    reason="only root has a user to change to; anyone else is refused here",
)
def test_a_cheat_without_landlock_finds_nothing(released: Path) -> None:
    """No file layer at all: every file that anybody may read is read, and nothing hidden is in it. Nor can it write."""
    with container.Container.of(released / "week1.zip", without="landlock") as box:
        (box.root / "readable.txt").write_text("DECOY")
        forever = "def vowels(text):\n    while True:\n        pass\n"
        box.submit({"affine.py": CHEAT.format(root=box.root), "vowels.py": forever})
        run = box.run()
        results = rows(run.results)
        said = results["affine · test_affine_by_hand"]["output"]
        assert f"RuntimeError: found ['{box.root}/readable.txt'], wrote [], read True" in said, said
        assert "RuntimeError" in results["affine · hidden 1"]["output"]
        assert "found" not in results["affine · hidden 1"]["output"]
        assert "ran longer than this test allows (3 s)" in results["vowels · hidden 1"]["output"]
        assert run.results["score"] == 0
        assert set(run.results["extra_data"]["isolation"].values()) == {"standard"}


def test_a_container_is_used_once(box: Any) -> None:
    """The packed file is gone after the first run: a second one says so, and gives nobody a zero."""
    (box.root / "source/exercises.bin").unlink()
    run = box.run()
    assert [row["name"] for row in valid(run.results)["tests"]] == [
        "NOT GRADED: affine",
        "NOT GRADED: vowels",
    ]
    assert "start a fresh container" in run.log
    assert "ended early, status 1" in run.log


@pytest.mark.parametrize(
    ("python", "status"), [("#!/bin/sh\nsleep 60\n", "124"), ("#!/bin/sh\nkill -9 $$\n", "137")]
)
def test_ended_from_outside(box: Any, tmp_path: Path, python: str, status: str) -> None:
    """By its own deadline, or by the system for want of memory."""
    stub = tmp_path / "python"
    stub.write_text(python)
    stub.chmod(0o755)
    box.environment = {"AUTOGRADER_PYTHON": str(stub), "AUTOGRADER_DEADLINE": "1"}
    run = box.run()
    assert valid(run.results)["extra_data"]["ungraded"] == ["basics/affine", "extras/vowels"]
    assert run.results["output"].startswith("NOT GRADED YET: basics/affine, extras/vowels.")
    assert f"status {status}" in run.log


# ------------------------------------------------------------------------------------------- the same, in process


@pytest.fixture
def grade(released: Path, tmp_path: Path, shared_sandbox: object) -> Callable[..., dict[str, Any]]:
    """`grade({"affine.py": source})`: what `run_autograder` starts, on the session's sandbox."""

    def run(files: dict[str, str | bytes | Path], archive: str = "week1.zip") -> dict[str, Any]:
        root = tmp_path / "autograder"
        with zipfile.ZipFile(released / archive) as opened:
            opened.extractall(root / "source")
        for name, content in files.items():
            path = root / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                path.symlink_to(content)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (root / "results").mkdir()
        gradescope.main(root)
        return valid(json.loads((root / "results/results.json").read_text(encoding="utf-8")))

    return run


def test_nothing_handed_in(grade: Callable[..., dict[str, Any]]) -> None:
    results = rows(grade({"homework.py": VOWELS}))
    assert [(row["score"], row["max_score"]) for row in results.values()] == [(0, 12), (0, 4)]
    assert (
        results["affine · Affine maps"]["output"] == "No file named affine.py or affine.ipynb was handed in."
    )


def test_what_was_not_recognised(grade: Callable[..., dict[str, Any]]) -> None:
    """The student reads which of their files nobody graded; copies and other spellings are graded."""
    many = {f"draft{number}.py": "x = 1" for number in range(20)}
    found = grade({"Vowels (1).py": VOWELS, "week 1/my_affine.py": "x = 1", "data.csv": "1", **many})
    assert found["score"] == 4
    assert found["output"].startswith(
        "Not recognised, and not graded: week 1/my_affine.py (looks like basics/affine), draft0.py, "
    )
    assert "+11" in found["output"] and "Vowels" not in found["output"] and "data" not in found["output"]


def test_not_begun(grade: Callable[..., dict[str, Any]], course: Course) -> None:
    """One quiet line for an exercise that is not begun; one for each question of an exercise that is."""
    untouched = course.exercise("extras/vowels").skeleton.read_text(encoding="utf-8")
    begun = course.exercise("basics/affine").skeleton.read_text(encoding="utf-8")
    begun = begun.replace('raise NotImplementedError("affine")', "return x * scale + shift")
    results = rows(grade({"affine.py": begun, "vowels.py": untouched}))
    assert list(results) == [
        "affine · test_affine_by_hand",
        "affine · normalise",
        "affine · hidden 1",
        "vowels · Vowels",
    ]
    assert results["affine · normalise"]["output"] == "normalise is not implemented yet."
    assert (results["affine · normalise"]["score"], results["affine · normalise"]["max_score"]) == (0, 6)
    assert results["vowels · Vowels"]["output"] == "Every question is still as it was given out."


def test_both_forms_in_a_zip(grade: Callable[..., dict[str, Any]], course: Course, tmp_path: Path) -> None:
    """A student hands in the whole folder, with the form in which nothing was done."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("plain/exercises/basics/affine.py", AFFINE.format(**RIGHT))
        untouched = nbformat.writes(notebook_of(course.exercise("basics/affine"), "zh"))
        archive.writestr("plain/notebooks/basics/affine.ipynb", untouched)
        archive.writestr("plain/exercises/basics/test_affine.py", "def test_affine(student): pass")
    results = grade({"all.zip": (tmp_path / "all.zip").read_bytes()})
    assert (results["score"], rows(results)["vowels · Vowels"]["score"]) == (12, 0)


def test_parameter_sets_are_one_row(grade: Callable[..., dict[str, Any]]) -> None:
    """Right for one of two sets: half the points, and the number of sets stays hidden."""
    half = AFFINE.format(**RIGHT | {"affine": "x * scale + shift if x.shape[1] != 7 else x"})
    row = rows(grade({"affine.py": half}))["affine · hidden 1"]
    assert (row["score"], row["max_score"], row["status"]) == (2, 4, "failed")
    assert row["output"] == "The input is scaled first and shifted afterwards."


@pytest.mark.parametrize(
    "files",
    [
        {"affine.ipynb": "no notebook"},
        {"affine.py": b"\xff\xfe\x00"},
        {"affine.py": ""},
        {"all.zip": b"PK\x03\x04"},
    ],
)
def test_unreadable(grade: Callable[..., dict[str, Any]], files: dict[str, str | bytes]) -> None:
    row = next(row for name, row in rows(grade(files)).items() if name.startswith("affine"))
    assert row["score"] == 0 and len(row["output"]) > 20


FORGED = '{"score": 16, "output": "<script>", "tests": [{"name": "all", "score": 16, "max_score": 16, "status": "passed"}]}'
WRONG = "def vowels(text):\n    return -1\n"


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, FORGED)
    return packed.getvalue()


HOSTILE: dict[str, dict[str, str | bytes | Path]] = {
    "results of its own": {"vowels.py": WRONG, "results.json": FORGED, "results/results.json": FORGED},
    "results in an archive": {"vowels.py": WRONG, "a.zip": zipped("../results/results.json", "/autograder/results/results.json")},
    "a link to the results": {"vowels.py": WRONG, "results": Path("../results")},
    "a link to the solution": {"vowels.py": Path("../source/solutions/extras/vowels.py")},
    "a link to the whole source": {"vowels.py": WRONG, "mine": Path("../source"), "extras": Path("../source/solutions/extras")},
    "a harness of its own": {
        "vowels.py": WRONG, "run_autograder": "#!/bin/sh\nexit 0\n", "setup.sh": "exit 0\n", "sitecustomize.py": "import os\nos._exit(0)\n",
        "autograder/__init__.py": "raise SystemExit\n", "gradescope.py": "raise SystemExit\n",
    },
    "a course of its own": {
        "vowels.py": WRONG, "solutions/extras/vowels.py": WRONG, "course/course.toml": "title = 1", "test_vowels.py": "def test_word(student): pass\n",
        "solutions/extras/test_vowels.py": "def test_word(student): pass\n",
    },
    "results written while it runs": {
        "vowels.py": f"import os\nfor top in ('/autograder', '..', '.', '/tmp'):\n    try: open(os.path.join(top, 'results/results.json'), 'w').write({FORGED!r})\n"
        f"    except OSError: pass\nprint({FORGED!r})\n{WRONG}",
    },
    "markup in what it says": {
        "vowels.py": "def vowels(text):\n    raise ValueError('<script>alert(1)</script> \\x1b[31m \\u202e')\n", "<img src=x onerror=alert(1)>.py": "x = 1",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_hand_in(
    grade: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """No points, no results but ours, and no text that a page would take for markup or a terminal for a command."""
    monkeypatch.chdir(tmp_path)
    found = grade(HOSTILE[name])
    assert found["score"] == 0
    assert {row["score"] for row in found["tests"]} == {0}
    assert {row["output_format"] for row in found["tests"]} == {"text"}
    said = "".join([found.get("output", ""), *(row["output"] for row in found["tests"])])
    assert "\x1b" not in said and "\u202e" not in said
    assert "def vowels" not in json.dumps(found)  # of the solution


def test_in_chinese(course: Course, released: Path, grade: Callable[..., dict[str, Any]]) -> None:
    release(select(course, "extras", "zh"), "gradescope", course.root.parent / "zh")
    shutil.copy(course.root.parent / "zh/extras.zip", released / "zh.zip")
    results = grade({"vowels.py": VOWELS.replace(".lower()", "")}, "zh.zip")
    assert [row["name"] for row in results["tests"]] == ["vowels · test_word", "vowels · 隐藏测试 1"]
    assert results["tests"][1]["output"] == "有些元音是大写的。"


def test_more_memory_than_the_container_has(grade: Callable[..., dict[str, Any]]) -> None:
    hungry = "import torch\n\n\ndef vowels(text):\n    return len(torch.zeros(250 << 20, dtype=torch.uint8)) * 0 + 3\n"
    results = rows(grade({"vowels.py": hungry}))
    assert "more memory than this test allows (192 MiB)" in results["vowels · hidden 1"]["output"]


@pytest.mark.parametrize(
    "error",  # the second would end the grading of a class
    [RuntimeError("hidden value 42"), UserError("hidden value 42", "隐藏的值 42")],
)
def test_a_fault_of_ours_is_no_zero(
    grade: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    """The reason is for the instructor alone; what could be graded is."""
    honest = ExerciseGrader.grade

    def broken(grader: ExerciseGrader, submission: Any) -> ExerciseResult:
        if grader.bundle.exercise == "basics/affine":
            raise error
        return honest(grader, submission)

    monkeypatch.setattr(ExerciseGrader, "grade", broken)
    results = grade({"affine.py": AFFINE.format(**RIGHT), "vowels.py": VOWELS})
    assert results["score"] == 4
    row = rows(results)["NOT GRADED: affine"]
    assert "score" not in row and row["tags"] == ["ungraded"]
    assert "not a zero" in row["output"]
    assert results["extra_data"]["ungraded"] == ["basics/affine"]
    assert results["output"].startswith("NOT GRADED YET: basics/affine.")
    assert "42" not in json.dumps(results)
    assert (
        f"basics/affine is not graded: grading: {type(error).__name__}: hidden value 42"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("where", ["grade", "unpack"])
def test_what_is_told_of_a_fault_is_no_command(
    grade: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
) -> None:
    """Each line of the log that may quote a submission has a mark and a bound, those about the end of a run, too."""

    def broken(*arguments: object, **options: object) -> Any:
        raise RuntimeError("\n::error::" + "x" * 99_999 + "\x1b[2J\n##[error]x")

    if where == "grade":
        monkeypatch.setattr(ExerciseGrader, "grade", broken)
        grade({"affine.py": AFFINE.format(**RIGHT)})
    else:
        monkeypatch.setattr(gradescope, "submissions_of", broken)
        with pytest.raises(SystemExit):
            grade({"affine.py": AFFINE.format(**RIGHT)})
    said = capsys.readouterr().err
    assert "RuntimeError" in said and len(said) < 10_000
    assert all(line.startswith("│ ") and line.isprintable() for line in said.splitlines())
    assert "##[" not in said


def test_ended_in_the_middle(
    grade: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file says at any time what would be true if nothing more came."""
    honest, seen = GradescopeReport.write, []

    def watched(sheet: GradescopeReport, path: Path) -> None:
        honest(sheet, path)
        seen.append(valid(json.loads(path.read_bytes())))

    monkeypatch.setattr(GradescopeReport, "write", watched)
    grade({"affine.py": AFFINE.format(**RIGHT), "vowels.py": VOWELS})
    assert [document["score"] for document in seen] == [0, 12, 16]
    assert [document["extra_data"]["ungraded"] for document in seen] == [
        ["basics/affine", "extras/vowels"], ["extras/vowels"], [],
    ]  # fmt: skip


def test_hidden_files_are_gone_before_a_submission_runs(
    grade: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tempfile

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    honest, left = ExerciseGrader.run, []

    def watched(grader: ExerciseGrader, files: Any, main: str) -> Any:
        left.extend(path for path in tmp_path.rglob("*") if path.is_file())
        return honest(grader, files, main)

    monkeypatch.setattr(ExerciseGrader, "run", watched)
    grade({"affine.py": AFFINE.format(**RIGHT), "vowels.py": VOWELS})
    names = {path.name for path in left}
    assert "affine.py" in names
    assert not [name for name in names if name.startswith("test_") or name == gradescope.PAYLOAD]


# ------------------------------------------------------------------------------------------- the parts


def test_what_is_uploaded(released: Path, course: Course) -> None:
    page = (released / "README.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in released.glob("w*.zip")) == ["week1.zip"]
    assert "| [`week1.zip`](week1.zip) | First week | `affine`, `vowels` | 16 | 2 min |" in page
    assert "grading goes on: the layer would protect files that are no longer there" in page
    with zipfile.ZipFile(released / "week1.zip") as archive:
        modes = {entry.filename: stat.S_IMODE(entry.external_attr >> 16) for entry in archive.infolist()}
        assert modes["setup.sh"] == modes["run_autograder"] == 0o755
        assert modes["exercises.bin"] == 0o600
        # In the clear there is nothing of the hidden side.
        for name in archive.namelist():
            if name != gradescope.PAYLOAD and not name.endswith(".whl"):
                text = archive.read(name).decode()
                assert not any(secret in text for secret in ("hint of", "centred", "def test_")), name
    hidden = course.exercise("basics/affine").hidden_tests.read_bytes()
    with zipfile.ZipFile(released / "week1.zip") as archive:
        assert hidden[:40] not in archive.read(gradescope.PAYLOAD)


def test_scripts_are_bash(released: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(released / "week1.zip") as archive:
        for name in ("setup.sh", "run_autograder"):
            script = archive.extract(name, tmp_path)
            done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")


def test_setup_installs_what_lies_beside_it(box: Any) -> None:
    """With the Python that is here; install.py itself, and the wheel, are tried with the target `plain`."""
    (box.root / "source/install.py").write_text("import sys; print('install', *sys.argv[1:])")
    (box.root / "source/exercises.bin").chmod(0o644)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AUTOGRADER_ROOT": str(box.root),
    }
    done = subprocess.run([box.root / "source/setup.sh"], env=environment, capture_output=True, text=True)
    assert done.stdout == f"install {box.root}/venv\n", done.stderr
    assert stat.S_IMODE((box.root / "source/exercises.bin").stat().st_mode) == 0o600


def test_a_payload_that_cannot_be_deleted_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "exercises.bin"
    path.write_bytes(gradescope.Payload("en", ()).pack())

    def refuse(self: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match="Operation not permitted"):
        gradescope.take(path)


@pytest.mark.parametrize(
    ("limit", "room"),
    [("805306368", 192), ("1610612736", 960), ("9223372036854771712", 192), ("max", 192), ("1", 64)],
)
def test_room_in_the_container(monkeypatch: pytest.MonkeyPatch, limit: str, room: int) -> None:
    texts = {"/sys/fs/cgroup/memory.max": limit, "/proc/meminfo": "MemTotal:  33554432 kB"}
    monkeypatch.setattr(gradescope, "_read", lambda name: texts.get(name, ""))
    assert gradescope.memory_left_mb() == room
