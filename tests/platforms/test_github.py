"""Target `github`: the template repository, its workflows as GitHub would run them, and what a hostile file can't do."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from autograder.authoring.notebooks import notebook_of
from autograder.course import Course, Exercise
from autograder.gradebook import Gradebook
from autograder.platforms.github import actions
from autograder.platforms.github import public_run as apart
from autograder.platforms.publish import release
from autograder.platforms.selection import select
from autograder.results import Outcome

NOTICE = re.compile(r"^::notice title=Autograding report::(\{.*\})$", re.MULTILINE)
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@pytest.fixture
def template(toy_course: Course, tmp_path: Path) -> Path:
    release(select(toy_course, None, "en"), "github", tmp_path / "template")
    return tmp_path / "template"


def workflow(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def solve(exercise: Exercise, path: Path) -> None:
    path.write_text(exercise.solution.read_text(encoding="utf-8"), encoding="utf-8")


# ------------------------------------------------------------------------------------------ what is in it


def test_what_is_in_it(template: Path) -> None:
    for name in (
        ".github/workflows/classroom.yml", ".devcontainer/devcontainer.json", ".gitignore", "README.md",
        "exercises/basics/affine.py", "exercises/basics/test_affine.py", "notebooks/basics/affine.ipynb",
        "course/basics/affine.md", "install.py", "requirements.txt", "constraints.txt", "pytest.ini",
        "instructor/README.md", "instructor/grade.yml", "instructor/classroom50/autograder.py",
    ):  # fmt: skip
        assert (template / name).is_file(), name
    assert list(template.glob("*.whl"))
    assert not (template / "solutions").exists()
    # A file of that name beside the exercises would be imported in place of the program.
    assert not (template / "autograder.py").exists()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages(toy_course: Course, tmp_path: Path, lang: str) -> None:
    release(select(toy_course, "week1", lang), "github", tmp_path / lang)
    page = (tmp_path / lang / "README.md").read_text(encoding="utf-8")
    assert {"en": "**Of\nrecord", "zh": "正式成绩由教师"}[lang] in page
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) == 4 and all((tmp_path / lang / link).is_file() for link in links)
    instructor = (tmp_path / lang / "instructor/README.md").read_text(encoding="utf-8")
    assert "`week1`" in instructor
    for name in (".github/workflows/classroom.yml", "instructor/grade.yml"):
        assert workflow(tmp_path / lang / name)["env"]["AUTOGRADER_LANG"] == lang


def test_workflows_are_valid(template: Path) -> None:
    """By GitHub's schema, as check-jsonschema carries it; it says no to what is no workflow."""
    student, instructor = template / ".github/workflows/classroom.yml", template / "instructor/grade.yml"

    def check(*paths: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
        return subprocess.run([*command, *paths], capture_output=True).returncode

    assert check(student, instructor) == 0
    broken = template / "broken.yml"
    broken.write_text(student.read_text(encoding="utf-8").replace("runs-on:", "runs-in:"), encoding="utf-8")
    assert check(broken) == 1


def test_what_the_workflows_promise(template: Path) -> None:
    student = workflow(template / ".github/workflows/classroom.yml")
    assert student["name"] == "Autograding Tests"
    (job,) = student["jobs"].items()
    assert job[0] == "run-autograding-tests"
    assert student["permissions"] == {"contents": "read"}
    assert student["concurrency"]["cancel-in-progress"] is True
    checkout = job[1]["steps"][0]
    assert checkout["with"] == {"persist-credentials": False}
    for path in (template / ".github/workflows/classroom.yml", template / "instructor/grade.yml"):
        for part in workflow(path)["jobs"].values():
            assert part["timeout-minutes"]
            for step in part["steps"]:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
                assert "${{" not in step.get("run", "")  # text from outside would be run as a program
    devcontainer = json.loads((template / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert devcontainer["postCreateCommand"] == "python install.py .venv"


# ------------------------------------------------------------------------------------------ as GitHub runs it


@dataclass
class Ran:
    """A job's end."""

    failed: str = ""  # the step that failed
    log: str = ""
    summary: str = ""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def points(self) -> dict[str, float]:
        (found,) = NOTICE.findall(self.log)
        loaded: dict[str, float] = json.loads(found)
        return loaded


@pytest.fixture
def run_job(tmp_path: Path, environment: dict[str, str]) -> Callable[..., Ran]:
    """Runs a workflow's `run:` steps in bash, with the files and variables that a runner gives; not "Install".

    The program is lent: `.venv/bin/autograder` in the workspace runs the one under test.
    """
    runner = tmp_path / "runner"
    runner.mkdir()

    def run(path: Path, workspace: Path, contexts: Mapping[str, str] = {}, **variables: str) -> Ran:
        lent = workspace / ".venv/bin/autograder"
        lent.parent.mkdir(parents=True, exist_ok=True)
        lent.write_text(f'#!/bin/sh\nexec {sys.executable} -m autograder "$@"\n')
        lent.chmod(0o755)
        done = Ran()
        loaded = workflow(path)
        (job,) = loaded["jobs"].values()

        def value(text: object) -> str:
            def known(match: re.Match[str]) -> str:
                name = match[1]
                if found := re.fullmatch(r"steps\.([\w-]+)\.outputs\.(\w+)", name):
                    return done.outputs.get(found[1], {}).get(found[2], "")
                return next((contexts[part] for part in name.split(" || ") if contexts.get(part)), "")

            return EXPRESSION.sub(known, str(text))

        for number, step in enumerate(job["steps"]):
            condition = step.get("if", "")
            if "run" not in step or step["name"] == "Install":
                continue
            if condition.startswith("steps.") and value("${{" + condition.split(" == ")[0] + "}}") != "1":
                continue
            files = {
                name: runner / f"{number}-{name}"
                for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")
            }
            for file in files.values():
                file.touch()
            script = runner / f"{number}.sh"
            script.write_text(step["run"], encoding="utf-8")
            own = {key: value(text) for key, text in {**loaded.get("env", {}), **step.get("env", {})}.items()}
            ended = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
                cwd=workspace,
                env={**environment, "RUNNER_TEMP": str(runner), "GITHUB_RUN_ID": "1", "GITHUB_ACTIONS": "true",
                     **{key: str(file) for key, file in files.items()}, **variables, **own},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
            )  # fmt: skip
            done.log += ended.stdout.decode("utf-8", "strict")
            done.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
            assert files["GITHUB_ENV"].read_text() == ""
            lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
            done.outputs[step.get("id", step["name"])] = dict(line.split("=", 1) for line in lines)
            if ended.returncode:
                done.failed = step["name"]
                break
        return done

    return run


def obeyed(log: str) -> list[str]:
    """The workflow commands that a runner would obey: it splits lines at \\r, too, and can be told to stop."""
    found, stopped = [], ""
    for line in re.split(r"[\r\n]+", log):
        v2 = re.match(r"\s*::([\w-]+)(?: [^:]*)?::(.*)", line)
        name, told = (v2[1], v2[2]) if v2 else ("", "")
        if not v2 and (legacy := re.search(r"##\[([\w.-]+)[^\]]*\](.*)", line)):
            name, told = legacy[1], legacy[2]
        if stopped:
            stopped = "" if name == stopped else stopped
        elif name == "stop-commands":
            stopped = told.strip()
        elif name:
            found.append(line)
    assert not stopped
    return found


def test_the_workflow_on_a_fresh_template(template: Path, run_job: Callable[..., Ran]) -> None:
    """Nothing is begun: no points, a line for each exercise, and no wall of errors."""
    done = run_job(template / ".github/workflows/classroom.yml", template)
    assert done.failed == "Public tests"
    assert done.points == {"totalPoints": 0, "maxPoints": 5}
    *shown, last = [line for line in done.log.splitlines() if line.startswith("│")]
    assert shown == ["│ basics/affine  0 of 4 points  not begun", "│ extras/vowels  0 of 1 points  not begun"]
    assert last.startswith(
        "│ Public tests only. This is advice; the grade of record comes from the instructor's own run"
    )
    assert len(obeyed(done.log)) == 1
    assert "## Public tests: 0 / 5" in done.summary and "advice" in done.summary


def test_the_workflow_on_a_finished_one(
    template: Path, toy_course: Course, run_job: Callable[..., Ran]
) -> None:
    """One exercise is answered in its script, the other in its notebook."""
    solve(toy_course.exercise("basics/affine"), template / "exercises/basics/affine.py")
    path = template / "notebooks/extras/vowels.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('raise NotImplementedError(\\"vowels\\")', "return 3"), encoding="utf-8")
    done = run_job(
        template / ".github/workflows/classroom.yml",
        template,
        GITHUB_REPOSITORY="toys/week1-s001",
        GITHUB_SHA="a" * 40,
        GITHUB_SERVER_URL="https://github.com",
    )
    assert done.failed == "", done.log
    assert done.points == {"totalPoints": 5, "maxPoints": 5}
    result = json.loads(base64.b64decode(done.outputs["run-autograding-tests"]["result"]))
    assert (result["version"], result["status"], result["max_score"]) == (1, "pass", 5)
    assert [(test["name"], test["status"], test["score"]) for test in result["tests"]] == [
        ("basics/affine: test_affine_by_hand", "pass", 2),
        ("basics/affine: test_normalise_by_hand", "pass", 2),
        ("extras/vowels: test_word", "pass", 1),
    ]
    assert set(result["tests"][0]) == {
        "name", "status", "score", "message", "test_code", "filename", "line_no", "duration",
    }  # fmt: skip
    assert (template / result["tests"][0]["filename"]).is_file()
    fifty = json.loads((template / "result.json").read_text(encoding="utf-8"))
    assert fifty["schema"] == "classroom50/result/v1"
    assert (fifty["classroom"], fifty["assignment"], fifty["submission"]) == ("toys", "week1-s001", "a" * 40)
    assert fifty["commit"] == f"https://github.com/toys/week1-s001/commit/{'a' * 40}"
    assert (fifty["score"], fifty["max-score"]) == (5, 5)


def test_classroom_50_s_script(template: Path, toy_course: Course, environment: dict[str, str]) -> None:
    """Missing points are no breakdown there; its runner's own names are taken over; points are whole numbers."""
    exercise = template / "exercises/basics/affine.py"
    solve(toy_course.exercise("basics/affine"), exercise)
    exercise.write_text(
        exercise.read_text().replace(
            "torch.div(centred, spread)", "centred / spread * 1.0 if x.sum() < 5 else x"
        )
    )
    tests = template / "exercises/basics/test_affine.py"
    tests.write_text(
        tests.read_text().replace("points(2)\n@pytest.mark.param", "points(1)\n@pytest.mark.param")
    )
    (template / "install.py").write_text("")
    lent = template / ".venv/bin/autograder"
    lent.parent.mkdir(parents=True)
    lent.write_text(f'#!/bin/sh\nexec {sys.executable} -m autograder "$@"\n')
    lent.chmod(0o755)
    names = {
        "CLASSROOM": "toys", "ASSIGNMENT": "week1", "SUBMISSION_TAG": "submit/1", "COMMIT_URL": "https://e.org/c",
        "RELEASE_URL": "https://e.org/r", "REVIEW_URL": "https://e.org/v",
    }  # fmt: skip
    script = template / "instructor/classroom50/autograder.py"
    done = subprocess.run(
        [sys.executable, script], cwd=template, env={**environment, **names}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((template / "result.json").read_text(encoding="utf-8"))
    assert set(result) == {
        "schema", "classroom", "assignment", "submission", "commit", "release", "review", "datetime", "score",
        "max-score", "tests",
    }  # fmt: skip
    assert [
        result[name] for name in ("classroom", "assignment", "submission", "commit", "release", "review")
    ] == [*names.values()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["datetime"])
    # One of two parameter sets of a test of one point: a half, so that everything counts twice.
    assert result["tests"] == [
        {"test-name": "basics/affine: test_affine_by_hand", "passed": True, "score": 4, "max-score": 4},
        {"test-name": "basics/affine: test_normalise_by_hand", "passed": False, "score": 1, "max-score": 2},
        {"test-name": "extras/vowels: test_word", "passed": False, "score": 0, "max-score": 2},
    ]
    assert (result["score"], result["max-score"]) == (5, 8)


@pytest.mark.parametrize(
    ("points", "scale"),
    [([2.0, 1.0], 1), ([0.5, 2.0], 2), ([1 / 3, 0.25], 12), ([0.001, 1 / 7], 1000), ([], 1)],
)
def test_whole_numbers(points: list[float], scale: int) -> None:
    rows = [actions.TestFunction("a/b", "test", 0.0, value, Outcome.FAILED, "") for value in points]
    assert actions.scale_of(rows) == scale


# ------------------------------------------------------------------------------------------ hostile files

HOSTILE = """
import os, sys, threading
COMMANDS = "::set-env name=PATH::/tmp\\n::add-mask::points\\n::notice title=Autograding report::{\\"totalPoints\\":5,\\"maxPoints\\":5}\\n"
print(COMMANDS, flush=True)
os.write(1, COMMANDS.encode())
os.write(2, COMMANDS.encode())
for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY", "ACTIONS_RUNTIME_TOKEN"):
    if name in os.environ:
        with open(os.environ[name], "a") as file:
            file.write("result=forged\\n")
import atexit
atexit.register(print, COMMANDS)

def vowels(text):
    raise ValueError(
        "boom\\n::error::injected\\r::warning::injected\\r\\n  ::add-path::/tmp\\n##[group]injected ##[error]injected\\n"
        "%0A::error::injected\\u2028::error::injected\\x85::error::injected\\x1b[31m"
        "</td></table><img src=x onerror=alert(1)> | `x` ![x](http://example.org) @everyone <!-- "
    )
"""


def test_a_hostile_submission(template: Path, toy_course: Course, run_job: Callable[..., Ran]) -> None:
    """Neither what it prints, nor its exception's words, nor the names of its tests reach the runner as a command."""
    (template / "exercises/extras/vowels.py").write_text(HOSTILE, encoding="utf-8")
    tests = template / "exercises/extras/test_vowels.py"
    tests.write_text(
        tests.read_text(encoding="utf-8")
        + 'import pytest\nprint("::error::from the tests")\n'
        + '@pytest.mark.parametrize("x", [1], ids=["::error::injected"])\n'
        + 'def test_named(student, x):\n    """::error::injected\\r::error::injected"""\n    assert student.vowels("") == "::error::x"\n',
        encoding="utf-8",
    )
    solve(toy_course.exercise("basics/affine"), template / "exercises/basics/affine.py")
    done = run_job(template / ".github/workflows/classroom.yml", template, ACTIONS_RUNTIME_TOKEN="x")
    assert done.failed == "Public tests"
    assert "injected" in done.log  # it is shown, and it is harmless
    (only,) = obeyed(done.log)
    assert only.startswith("::notice title=Autograding report::")
    assert done.points == {"totalPoints": 4, "maxPoints": 6}
    # Without the marks that stop commands, no line would be one, either.
    inside = re.sub(r"^::(stop-commands::)?[0-9a-f]{32}(::)?$", "", done.log, flags=re.MULTILINE)
    assert obeyed(inside) == [only]
    result = json.loads(base64.b64decode(done.outputs["run-autograding-tests"]["result"]))
    assert result["status"] == "error"
    assert set(done.outputs["run-autograding-tests"]) == {"result"}
    for markup in ("<img", "</td", "![", "`x`", "@everyone", "<!--", "##[", "\x1b"):
        assert markup not in done.summary
    rows = [line for line in done.summary.splitlines() if "boom" in line]
    assert rows and all(line.startswith("|") and line.count("|") == 5 for line in rows)


def test_a_flood(template: Path, run_job: Callable[..., Ran]) -> None:
    """Names, lines of code and messages are cut, and more tests than any exercise has are not run."""
    (template / "exercises/extras/vowels.py").write_text(
        f"def vowels(text):\n    raise ValueError('no' * 9999, {'1, ' * 99999})\n", encoding="utf-8"
    )
    tests = template / "exercises/extras/test_vowels.py"
    for ids, told in ((["x" * 9999 + str(n) for n in range(9)], "ValueError: "), (range(9999), "9999 tests")):
        tests.write_text(
            f"import pytest\n\n@pytest.mark.parametrize('x', range({len(ids)}), ids={list(map(str, ids))})\n"
            f"def test_{'long' * 999}(student, x):\n    'It is long.'\n    student.vowels('')\n",
            encoding="utf-8",
        )
        done = run_job(template / ".github/workflows/classroom.yml", template)
        assert done.failed == "Public tests"
        assert told in done.log
        result = base64.b64decode(done.outputs["run-autograding-tests"]["result"]).decode()
        for text in (done.log, done.summary, result):
            assert len(text) < 20_000


@pytest.mark.parametrize("how", ["import os\nos._exit(0)", "while True: pass"])
def test_a_file_that_ends_the_process_costs_its_own_exercise(
    template: Path, toy_course: Course, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    solve(toy_course.exercise("extras/vowels"), template / "exercises/extras/vowels.py")
    (template / "exercises/basics/affine.py").write_text(how)
    if how.startswith("while"):
        # The process reads the same constant; a shorter one reaches it through its source.
        run = subprocess.run

        def shorter(command: Any, **options: Any) -> Any:
            source = "import torch, autograder.runner.in_process, autograder.platforms.github.public_run as apart; apart.SECONDS = 6; apart.serve()"
            return run([sys.executable, "-P", "-c", source], **options)

        monkeypatch.setattr(apart.subprocess, "run", shorter)
    course = Course.load(template)
    first, second = apart.reports(course, list(course), "en")
    assert (first.score, first.max_score, first.complete) == (0, 4, False)
    assert (second.score, second.complete) == (1, True)


def test_work_in_both_forms(template: Path, toy_course: Course) -> None:
    exercise = toy_course.exercise("extras/vowels")
    solve(exercise, template / "exercises/extras/vowels.py")
    notebook = notebook_of(exercise, "en", exercise.solution.read_text(encoding="utf-8"))
    nbformat.write(notebook, template / "notebooks/extras/vowels.ipynb")
    course = Course.load(template)
    (report,) = apart.reports(course, course.select(["vowels"]), "en")
    assert (report.score, report.max_score) == (0, 1)
    assert "exercises/extras/vowels.py and notebooks/extras/vowels.ipynb" in report.tests[0].message.en


def test_tests_that_were_broken(template: Path) -> None:
    (template / "exercises/extras/test_vowels.py").write_text("def test_(")
    (template / "exercises/basics/test_affine.py").write_text("import os\nos._exit(0)")
    course = Course.load(template)
    reports = apart.reports(course, list(course), "en")
    assert [(report.score, report.max_score) for report in reports] == [(0, 1), (0, 1)]
    assert "can't be run" in reports[1].tests[0].message.en


# ------------------------------------------------------------------------------------------ the instructor's side


def git(folder: Path, *command: str, when: str = "2026-09-01T00:00:00Z") -> str:
    person = {
        f"GIT_{role}_{what}": "s001@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, **person}
    variables |= {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_instructor_s_workflow(
    template: Path, toy_course: Course, tmp_path: Path, run_job: Callable[..., Ran], unavailable: Any
) -> None:
    """From the students' repositories to the gradebook's branch and grades.csv; a second run takes up the first."""
    from autograder.remote.module_sandbox import ModuleSandbox
    from autograder.sandbox.errors import SandboxUnavailable

    try:
        ModuleSandbox().close()
    except SandboxUnavailable as reason:
        unavailable(reason)
    shutil.rmtree(template / "instructor")
    server = tmp_path / "server"
    for login in ("ann", "bob"):
        place = server / "toys" / f"week1-{login}"
        shutil.copytree(template, place)
        if login == "ann":
            solve(toy_course.exercise("basics/affine"), place / "exercises/basics/affine.py")
        git(place, "init", "--quiet")
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "-m", "work")
    (server / "toys" / "other").mkdir()
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, body in (
        ("gh", "printf 'week1-ann\\nweek1-bob\\nother\\n'"),
        ("sudo", "exit 0"),
        ("nproc", "echo 1"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    origin, workspace = tmp_path / "origin.git", toy_course.root
    git(tmp_path, "init", "--quiet", "--bare", str(origin))
    git(workspace, "init", "--quiet")
    git(workspace, "remote", "add", "origin", str(origin))
    release(select(toy_course, None, "en"), "github", tmp_path / "again")
    contexts = {"vars.ASSIGNMENT": "week1", "vars.STUDENTS_ORG": "toys", "secrets.STUDENTS_TOKEN": "token"}

    def run() -> Ran:
        shutil.rmtree(tmp_path / "runner")
        (tmp_path / "runner").mkdir()
        return run_job(
            tmp_path / "again/instructor/grade.yml", workspace, contexts,
            GITHUB_SERVER_URL=f"file://{server}", PATH=f"{programs}:{os.environ['PATH']}",
        )  # fmt: skip

    done = run()
    assert done.failed == "", done.log
    assert "token" not in done.log
    assert "2 rows written" in done.log
    table = list(csv.DictReader((tmp_path / "runner/grades.csv").open(encoding="utf-8")))
    assert [(row["github_username"], row["points_awarded"], row["points_available"]) for row in table] == [
        ("ann", "12", "16"),
        ("bob", "0", "16"),
    ]
    assert {row["assignment_name"] for row in table} == {"First week"}
    assert "ann" in done.summary
    solve(toy_course.exercise("extras/vowels"), server / "toys/week1-bob/exercises/extras/vowels.py")
    git(server / "toys/week1-bob", "commit", "--quiet", "-a", "-m", "more")
    done = run()
    assert done.failed == "", done.log
    assert "1 graded, 3 known already" in done.log.replace("\n", " ")
    assert git(origin, "rev-list", "--count", "gradebook") == "2"
    assert git(origin, "ls-tree", "--name-only", "gradebook").split() == ["gradebook.db", "grades.csv"]
    with Gradebook(str(tmp_path / "runner/gradebook.db")) as book:
        assert len(book.attempts()["bob", "extras/vowels"]) == 2


def test_no_line_of_the_run_is_obeyed(template: Path, tmp_path: Path, run_job: Callable[..., Ran]) -> None:
    """Whatever the grader says of students' files, on whichever stream, and however it ends."""
    steps = workflow(template / "instructor/grade.yml")
    (job,) = steps["jobs"].values()
    job["steps"] = [step for step in job["steps"] if step["name"] == "Grade"]
    script = job["steps"][0]["run"]
    for status in (0, 2, 3):
        says = f"sh -c 'echo ::error::x; echo ::add-mask::x >&2; exit {status}'"
        job["steps"][0]["run"] = script.replace(".venv/bin/autograder", says)
        path = tmp_path / "grade.yml"
        path.write_text(yaml.safe_dump(steps), encoding="utf-8")
        done = run_job(path, template, {"vars.ASSIGNMENT": "week1"})
        assert done.failed == ("Grade" if status == 2 else "")
        assert "::add-mask::x" in done.log and obeyed(done.log) == []


def test_work_that_does_not_count_is_told(
    cli: Callable[..., Any], toy_course: Course, tmp_path: Path, shared_sandbox: Any
) -> None:
    """On another branch, or under another name: after the run, and in `show` as long as it is so."""
    place = tmp_path / "clones/week1-s001"
    place.mkdir(parents=True)
    git(place, "init", "--quiet")
    skeleton = toy_course.exercise("vowels").skeleton.read_text(encoding="utf-8")
    for branch, files in (
        ("main", {"vowels.py": skeleton, "my_affine.py": "x = 1", "report.pdf": "%PDF"}),
        ("solve", {"vowels.py": "def vowels(text):\n    return 3\n"}),
    ):
        git(place, "switch", "--quiet", "-C", branch)
        for name, text in files.items():
            (place / name).write_text(text, encoding="utf-8")
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "-m", "work")
    git(place, "switch", "--quiet", "main")
    where = ("--gradebook", tmp_path / "book.db", "--course", toy_course.root)
    told = [
        ("week1-s001@solve:vowels.py", "branch", ["extras/vowels"]),
        ("week1-s001/my_affine.py", "near", ["basics/affine"]),
        ("week1-s001/report.pdf", "unknown", []),
    ]
    grade = ("grade", "--github", tmp_path / "clones", *where)
    for command in ((*grade, "--json"), ("gradebook", "show", "--json", *where)):
        said = cli(*command)
        assert said.code == 0, said.err
        (entry,) = json.loads(said.out)["unrecognised"]
        assert [(file["file"], file["why"], file["looks_like"]) for file in entry["files"]] == told
    assert "the default branch has none: merge it" in cli(*grade).out
    git(place, "merge", "--quiet", "solve")
    assert "@solve" not in cli(*grade).out


def test_grade_command(
    cli: Callable[..., Any], toy_course: Course, tmp_path: Path, shared_sandbox: Any
) -> None:
    """`--deadline`, the roster's names, a clone that can't be read, and the columns that instructors know."""
    clones = tmp_path / "week1-submissions"
    place = clones / "week1-Jane-D"
    place.mkdir(parents=True)
    git(place, "init", "--quiet")
    git(place, "remote", "add", "origin", "https://github.com/toys/week1-Jane-D.git")
    for answer, when in (("return 3", "2026-10-01T11:59:00Z"), ("return 0", "2026-10-01T12:01:00Z")):
        (place / "vowels.py").write_text(f"def vowels(text):\n    {answer}\n")
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "-m", "work", when=when)
    (clones / "week1-=bob").mkdir()
    book, grades, roster = tmp_path / "book.db", tmp_path / "grades.csv", tmp_path / "roster.csv"
    roster.write_text("student,github,sis_id\ns001,jane-d,u77\n")
    assert cli("gradebook", "roster", roster, "--gradebook", book).code == 0
    common = ("grade", "--github", clones, "--gradebook", book, "--course", toy_course.root)
    said = cli(*common, "--deadline", "2026-10-01T14:00+02:00", "--grades-csv", grades)
    assert said.code == 0, said.err
    assert "week1-=bob: it is no clone" in said.err
    first, second = csv.reader(grades.open(encoding="utf-8")), csv.DictReader(grades.open(encoding="utf-8"))
    assert next(first) == [
        "assignment_name", "assignment_url", "starter_code_url", "github_username", "roster_identifier",
        "student_repository_name", "student_repository_url", "submission_timestamp", "points_awarded",
        "points_available",
    ]  # fmt: skip
    bob, jane = second
    assert (bob["github_username"], bob["points_awarded"], bob["points_available"]) == ("'=bob", "0", "16")
    assert (jane["github_username"], jane["roster_identifier"]) == ("Jane-D", "u77")
    assert jane["student_repository_url"] == "https://github.com/toys/week1-Jane-D"
    assert (jane["submission_timestamp"], jane["points_awarded"]) == ("2026-10-01T11:59:00Z", "1")
    with Gradebook(str(book)) as opened:
        assert opened.students() == ["=bob", "s001"]
    # Clones of one part of the course are graded, and out of the points, of that part.
    for name, total in (("basics", "12"), ("vowels", "4"), ("another", "16")):
        part = tmp_path / f"{name}-submissions"
        shutil.copytree(place, part / f"{name}-Jane-D")
        assert cli(*common[:2], part, *common[3:], "--grades-csv", grades).code == 0
        (row,) = csv.DictReader(grades.open(encoding="utf-8"))
        assert (row["assignment_name"], row["points_available"]) == (name, total)
    for arguments, message in (
        ((*common, "--deadline", "2026-10-01T14:00"), "time zone"),
        ((*common, "--deadline", "soon"), "time zone"),
        ((*common, tmp_path), "no two"),
        (("grade", tmp_path, "--grades-csv", grades, "--course", toy_course.root), "go with --github"),
    ):
        said = cli(*arguments)
        assert said.code == 2 and message in said.err, said.err
