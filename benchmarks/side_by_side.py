"""This autograder beside `nbgrader autograde` and `otter run`: the same exercise, the same tests, the same right answer.

Every one of them grades a notebook of attention/scaled_dot_product, made by `autograder release --to nbgrader` and
`--to otter`, with the reference as the answer, and calls the same 37 test functions, public and hidden. In nbgrader's and
otter's kernels they are called plainly, once, from one cell (plain_tests.py): no pytest run, no limits, no guards. Here they
run isolated, with limits and guards. All three must give full marks. Each of the other two is installed in an environment of its
own, by the release's own `install.py` and its pins, with the same build of torch.

Counted are all processes of the command, from its start to its end: imports, kernels, zygote, database. Making the release,
`nbgrader generate_assignment` and `otter assign` are done once a course and not counted. nbgrader and this autograder
take a class in one command; `otter run` takes one submission, so a class costs it that many times as much. "Further" is what a
submission costs beyond the start: of two classes, the difference divided by that of their numbers. A class of 1,000 is computed
from it. Memory is the most that was resident in all processes together, shared pages counted in each.
Goals: a hundredth of the CPU of nbgrader, a three-hundredth of that of otter.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import mean
from typing import Any

import nbformat
from classes import grading, scores
from measure import Cost, cost_of
from nbformat.v4 import new_markdown_cell
from part import Size, Table, main

from autograder.authoring.build import defines
from autograder.course import Course, Exercise, find_course
from autograder.course.cells import split_cells
from autograder.platforms.publish import release
from autograder.platforms.selection import select

EXERCISE = "attention/scaled_dot_product"
CLASS = 20
FURTHER = 200  # more than the class, to tell the start from the rest; for nbgrader half a class less
RUNS = 3  # of otter
TESTS = 37
CALL = f"from plain_tests import run\nassert run({{}}) == {TESTS}"
OTTER_TEST = '""" # BEGIN TEST CONFIG\npoints: 1\n""" # END TEST CONFIG\ndef test_{number}(env):\n    {body}'
CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "benchmark"\n'


class Graders:
    """The two other graders, in environments of their own, and a folder to work in."""

    def __init__(self, here: Path, environments: Path) -> None:
        course = Course.load(find_course(), authoring=True)
        self.here, self.exercise = here, course.exercise(EXERCISE)
        self.topic = self.exercise.topic
        self.answers = answers(self.exercise)
        for target in ("nbgrader", "otter"):
            release(select(course, EXERCISE, "en"), target, here / target)
        self.python = {
            target: environment(here / target, environments, target) for target in ("nbgrader", "otter")
        }
        (source,) = (here / "nbgrader/source").glob(f"*/{self.topic}.ipynb")
        self.notebook = filled(nbformat.read(source, 4), self.answers)  # what is handed in, without any test
        self._prepare_nbgrader(source)
        self.submission, self.archive = self._prepare_otter()

    def _prepare_nbgrader(self, source: Path) -> None:
        notebook = nbformat.read(source, 4)
        graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
        self.points = graded[-1].metadata.nbgrader.points
        graded[-1].source = CALL.format("globals()")
        notebook.cells = [cell for cell in notebook.cells if cell not in graded[:-1]]
        nbformat.write(notebook, source)
        self._lay_tests(source.parent)
        # The release's own configuration keeps nbgrader from running our notebooks.
        (self.here / "nbgrader/nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        self.assignment = source.parent.name
        self._quiet("nbgrader", "generate_assignment", self.assignment)

    def _prepare_otter(self) -> tuple[Path, Path]:
        (source,) = (self.here / "otter/instructor").rglob(f"{self.topic}.ipynb")
        notebook = nbformat.read(source, 4)
        cells: list[Any] = []
        questions, in_tests = 0, False
        for cell in notebook.cells:
            if cell.source.startswith("# ASSIGNMENT CONFIG"):
                files = ["plain_tests.py", "reference.py", "public_tests.py", "hidden_tests.py"]
                cell.source = cell.source.replace("files: [", f"files: [{json.dumps(files)[1:-1]},")
            elif cell.source.startswith("# BEGIN TESTS"):
                in_tests, first = True, True
                questions += 1
            elif cell.source.startswith("# END TESTS"):
                in_tests = False
            elif in_tests and first:
                first, cell.source = False, OTTER_TEST.format(number=questions, body="pass")
            elif in_tests or "grader.check(" in cell.source or "grader.export(" in cell.source:
                continue  # run by otter anyway, or not needed for it
            cells.append(cell)
        last = [cell for cell in cells if "BEGIN TEST CONFIG" in cell.source][-1]
        last.source = OTTER_TEST.format(number=questions, body=CALL.format("env").replace("\n", "\n    "))
        notebook.cells = cells
        nbformat.write(notebook, source)
        self._lay_tests(source.parent)
        self._quiet("otter", "assign", source.name, "dist", "--no-pdfs", cwd=source.parent)
        (archive,) = (source.parent / "dist/autograder").glob("*.zip")
        return source.parent / "dist/autograder" / source.name, archive

    def _lay_tests(self, folder: Path) -> None:
        """What the cell with the tests needs beside the notebook."""
        exercise = self.exercise
        for path, name in (
            (Path(__file__).with_name("plain_tests.py"), "plain_tests"),
            (exercise.solution, "reference"),
            (exercise.public_tests, "public_tests"),
            (exercise.hidden_tests, "hidden_tests"),
        ):
            shutil.copyfile(path, folder / f"{name}.py")

    def command(self, target: str, *arguments: object) -> list[str]:
        return [str(self.python[target]), "-m", target, *map(str, arguments)]

    def variables(self, target: str) -> dict[str, str]:
        """An activated environment: both start kernels and other programs by name."""
        folder = self.python[target].parent
        return {"PATH": f"{folder}:/usr/bin:/bin", "JUPYTER_PATH": str(folder.parent / "share/jupyter")}

    def _quiet(self, target: str, *arguments: object, cwd: Path | None = None) -> None:
        cwd = cwd or self.here / target
        cost_of(f"{target} {arguments[0]}", self.command(target, *arguments), cwd, self.variables(target))

    # --------------------------------------------------------------------------------------- one class each

    def ours(self, count: int) -> Cost:
        folder, book = self.here / f"class{count}", self.here / f"{count}.db"
        for number in range(count):
            notebook = nbformat.from_dict(self.notebook)
            marked = [*notebook.cells, new_markdown_cell(f"handed in by s{number:04}", id=f"n{number}")]
            path = folder / f"s{number:04}" / f"{self.topic}.ipynb"
            path.parent.mkdir(parents=True)
            nbformat.write(nbformat.v4.new_notebook(cells=marked, metadata=notebook.metadata), path)
        command = grading(folder, book, self.exercise.root, "--only", EXERCISE)
        cost = cost_of(f"autograder grade, {count} submission(s)", command, self.here)
        full = {
            attempts[-1][1] == attempts[-1][2] and len(attempts[-1][3]) for attempts in scores(book).values()
        }
        if full != {TESTS}:
            raise SystemExit(f"side_by_side: the reference passes {full} tests of {TESTS}")
        return cost

    def nbgrader(self, count: int) -> Cost:
        course = self.here / "nbgrader"
        for folder in ("submitted", "autograded"):
            shutil.rmtree(course / folder, ignore_errors=True)
        for number in range(count):
            folder = course / "submitted" / f"s{number:04}" / self.assignment
            shutil.copytree(course / "release" / self.assignment, folder)
            path = folder / f"{self.topic}.ipynb"
            nbformat.write(filled(nbformat.read(path, 4), self.answers), path)
        command = self.command("nbgrader", "autograde", self.assignment, "--force")
        what = f"nbgrader autograde, {count} submission(s)"
        cost = cost_of(what, command, course, self.variables("nbgrader"))
        with closing(sqlite3.connect(course / "gradebook.db")) as book:
            right = book.execute(
                "SELECT count(*) FROM grade WHERE auto_score = ?", (self.points,)
            ).fetchone()[0]
        if right < count:
            raise SystemExit(f"side_by_side: nbgrader gave {right} of {count} full marks")
        return cost

    def otter(self) -> Cost:
        out = self.here / "otter_results"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        command = self.command("otter", "run", self.submission, "-a", self.archive, "-o", out, "--no-logo")
        cost = cost_of("otter run", command, out, self.variables("otter"))
        tests = json.loads((out / "results.json").read_text(encoding="utf-8"))["tests"]
        scored = [test for test in tests if "score" in test]
        if not scored or any(test["score"] != test["max_score"] for test in scored):
            raise SystemExit(f"side_by_side: otter gave the reference {tests}")
        return cost


def environment(released: Path, environments: Path, target: str) -> Path:
    """The Python of an environment with what a release asks for; made once for each set of pins."""
    pins = b"".join((released / name).read_bytes() for name in ("constraints.txt", "install.py"))
    digest = hashlib.sha256(pins + sys.version.encode()).hexdigest()[:12]
    folder = environments / f"{target}-{digest}"
    python, made = folder / "bin/python", folder / "made"
    if not made.exists():
        cost_of(f"installing {target}, once", [sys.executable, str(released / "install.py"), str(folder)])
        made.touch()
    (wheel,) = released.glob("*.whl")  # of the same version whatever changed in it
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return python


def answers(exercise: Exercise) -> dict[str, str]:
    """Question -> the cell of the reference that answers it."""
    cells = split_cells(exercise.solution.read_text(encoding="utf-8"), str(exercise.solution))
    return {
        question: cell.body
        for question in exercise.public.questions
        for cell in cells
        if defines(cell.body, question)
    }


def filled(notebook: Any, answers: Mapping[str, str]) -> Any:
    """An nbgrader notebook with its solution cells answered."""
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            cell.source = answers[settings["grade_id"]]
    return notebook


def tables(size: Size) -> list[Table]:
    many = size.of(CLASS, least=2)
    half, more = many // 2, many + size.of(FURTHER, least=2)
    with tempfile.TemporaryDirectory() as place:
        graders = Graders(Path(place), size.environments)
        ours = {count: graders.ours(count) for count in (1, many, more)}
        theirs = {count: graders.nbgrader(count) for count in sorted({1, half, many})}
        runs = [graders.otter() for _ in range(size.of(RUNS))]
    otter = Cost(*(mean(getattr(run, name) for run in runs) for name in ("cpu", "wall", "mebibytes")))
    names = ("autograder grade", "nbgrader autograde", "otter run")
    single = Table("one submission", "CPU s", "wall s", "peak MiB", "CPU : ours", "wall : ours", "MiB : ours")
    for name, cost in zip(names, (ours[1], theirs[1], otter), strict=True):
        ratios = (cost.cpu / ours[1].cpu, cost.wall / ours[1].wall, cost.mebibytes / ours[1].mebibytes)
        figures = (f"{cost.cpu:.1f}", f"{cost.wall:.1f}", f"{cost.mebibytes:.0f}")
        single.add(name, *figures, *(f"{ratio:.1f}" for ratio in ratios))
    whole = Table(
        "CPU s per submission",
        f"class of {many}",
        ": ours",
        "further",
        ": ours",
        "class of 1,000",
        ": ours",
        "peak MiB",
    )
    base: tuple[float, ...] = ()
    for name, small, large, counts in (
        (names[0], ours[many], ours[more], (many, more)),
        (names[1], theirs[half], theirs[many], (half, many)),
        (names[2], None, otter, None),
    ):
        if small is None or counts is None:
            each = further = thousand = otter.cpu
        else:
            further = max(large.cpu - small.cpu, 1e-3) / (counts[1] - counts[0])
            each = (small if name == names[0] else large).cpu / many
            thousand = (large.cpu - further * counts[1]) / 1000 + further
        base = base or (each, further, thousand)
        cells: list[str] = []
        for figure, our in zip((each, further, thousand), base, strict=True):
            cells += [f"{figure:.3f}", f"{figure / our:.0f}"]
        whole.add(name, *cells, f"{large.mebibytes:.0f}")
    return [single, whole]


if __name__ == "__main__":
    main(__doc__, tables)
