"""One submission on one exercise: verdict, points, diagnosis, and whose fault a failure is."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.course import CourseError, Exercise
from autograder.grading.bundle import bundle_of, result_key
from autograder.grading.grader import ExerciseGrader
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.remote.client import RemoteModule
from autograder.results import ExerciseResult, Isolation, Limits, Outcome, Status, Visibility
from autograder.runner.collect import TestCase
from autograder.runner.confined import ConfinedBackend
from autograder.runner.run import Ending, run_case
from autograder.sandbox.errors import Killed
from autograder.text import Text

Edit = Callable[[Path, str, str], None]
Grade = Callable[..., ExerciseResult]
AFFINE = "def affine(x, scale, shift): return {affine}\n"
NORMALISE = "def normalise(x): return {normalise}\n"
RIGHT = {
    "affine": "x * scale + shift",
    "normalise": "(x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True, correction=0)",
}


def answer(**other: str) -> str:
    return (AFFINE + NORMALISE).format(**{**RIGHT, **other})


@pytest.fixture(scope="module")
def graders() -> dict[tuple[str, bool], ExerciseGrader]:
    """Graders by bundle and mode: most tests of this file use the same one, as a worker does."""
    return {}


@pytest.fixture
def worker(shared_sandbox: Any) -> Worker:
    return Worker(Mode())


@pytest.fixture
def grade(affine: Exercise, worker: Worker, graders: dict[tuple[str, bool], ExerciseGrader]) -> Grade:
    """`grade(source)`, isolated, or in process with `unsafe=True`, on the exercise as its files are now."""

    def run(
        source: str | bytes, *, unsafe: bool = False, main: str = "affine.py", **beside: str
    ) -> ExerciseResult:
        bundle = bundle_of(Exercise(affine.root, affine.unit, affine.topic))
        place = (bundle.fingerprint, unsafe)
        if place not in graders:
            graders[place] = (Worker(Mode(unsafe=True)) if unsafe else worker).grader(bundle)
        raw = source if isinstance(source, bytes) else source.encode()
        files = {main: raw, **{f"{name}.py": text.encode() for name, text in beside.items()}}
        return graders[place].grade(Submission("s001", affine.id, f"s001/{main}", main, files))

    return run


def outcomes(result: ExerciseResult) -> dict[str, str]:
    return {test.name: test.outcome.value for test in result.tests}


def diagnoses(result: ExerciseResult) -> dict[str, str]:
    return {test.name: test.diagnosis for test in result.tests if test.diagnosis}


def test_full_marks(grade: Grade, affine: Exercise, sandbox: Any) -> None:
    result = grade(answer())
    assert (result.status, result.score, result.max_score) == (Status.GRADED, 12.0, 12.0)
    assert result.isolation.value == sandbox.level.value
    assert set(outcomes(result).values()) == {"passed"}
    assert [test.visibility for test in result.tests].count(Visibility.HIDDEN) == 3
    assert result.key == result_key(
        bundle_of(affine), "affine.py", {"affine.py": answer().encode()}, result.isolation
    )
    assert (result.student, result.path) == ("s001", "s001/affine.py")


def test_partial_marks_and_diagnosis(grade: Grade) -> None:
    result = grade(answer(affine="scale * (shift + x)"))
    assert result.score == 6.0
    named = diagnoses(result)
    assert named == {
        "test_affine_by_hand": "shift_first",
        "test_affine[3]": "shift_first",
        "test_affine[7]": "shift_first",
    }
    hint = next(test.message for test in result.tests if test.name == "test_affine[3]")
    assert hint == Text("The hint of shift_first.", "shift_first 的提示。")


def test_written_in_another_style_it_is_the_same_mistake(grade: Grade) -> None:
    result = grade(
        "import numpy as np, torch\n"
        + answer(
            normalise="torch.from_numpy(((x - x.mean(1, True)) / x.var(1, keepdim=True, correction=0)).numpy())"
        )
    )
    assert diagnoses(result)["test_normalise"] == "variance"


def test_an_unknown_mistake_gets_the_test_s_sentence(grade: Grade) -> None:
    result = grade(answer(affine="x * scale + 2 * shift"))
    hidden = next(test for test in result.tests if test.name == "test_affine[3]")
    assert hidden.diagnosis is None
    assert hidden.message == Text("The input is scaled first and shifted afterwards.", "先缩放，后平移。")


def test_not_begun(grade: Grade, affine: Exercise) -> None:
    result = grade(affine.skeleton.read_text(encoding="utf-8"))
    assert (result.status, result.score) == (Status.NOT_BEGUN, 0.0)
    assert {test.question for test in result.tests} == {"affine", "normalise"}
    assert diagnoses(result) == {}


def test_half_begun(grade: Grade) -> None:
    result = grade(AFFINE.format(**RIGHT))
    assert (result.status, result.score) == (Status.GRADED, 6.0)
    assert outcomes(result)["test_normalise"] == "not_implemented"
    assert next(test.question for test in result.tests if test.name == "test_normalise") == "normalise"


@pytest.mark.parametrize(
    ("source", "shown"),
    [("def affine(x:\n", "SyntaxError"), ("import no_such_library\n", "no_such_library"), ("1 / 0\n", "ZeroDivisionError"),
     ("", "")],
)  # fmt: skip
def test_a_file_that_does_not_load(grade: Grade, source: str, shown: str) -> None:
    result = grade(source)
    assert result.score == 0.0
    if source:
        assert result.status is Status.INVALID
        assert shown in result.message.en
        assert "line 1" in result.message.en
    else:
        assert result.status is Status.NOT_BEGUN


OUT_OF_REACH = {
    "from einops import rearrange": "a submission may not import einops, only torch",
    "import helpers": "if helpers is a file of yours, hand it in, too",
    "import logging; logging.basicConfig(filename='/tmp/x.log')": "Files can't be written or opened",
    "import tempfile; tempfile.TemporaryFile()": "Files can't be written or opened",
    "import os; os.makedirs('data', exist_ok=True)": "Files can't be written or opened",
    "open('corpus.txt')": "Files can't be written or opened",
    "import torch; torch.save({}, 'x.pt')": "Files can't be written or opened",
    "import urllib.request; urllib.request.urlopen('http://example.org')": "no network",
    "import socket; socket.create_connection(('127.0.0.1', 80))": "there is no network",
    "import subprocess; subprocess.run(['ls'])": "No process can be started",
    "import multiprocessing; multiprocessing.Pool(2)": "No process can be started",
}


@pytest.mark.parametrize("line", OUT_OF_REACH)
def test_what_is_out_of_reach_says_what_to_do(grade: Grade, line: str) -> None:
    """While the file loads, and in a function that a test calls."""
    loading = grade(f"{line}\n{answer()}")
    assert loading.status is Status.INVALID
    assert OUT_OF_REACH[line] in loading.message.en
    assert re.search("评分环境里|提交的代码", loading.message.zh)
    called = grade(f"def affine(x, scale, shift):\n    {line}\n" + NORMALISE.format(**RIGHT))
    public = next(test for test in called.tests if test.name == "test_affine_by_hand")
    assert OUT_OF_REACH[line] in public.message.en


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("1 / 0", "error"),
        ("__import__('os')._exit(0)", "crashed"),
        ("x.new_ones(2**29).sum()", "memory"),
        ("[0 for _ in iter(int, 1)]", "timeout"),
        ("torch.nn.functional.layer_norm(x, x.shape[-1:])", "error"),
    ],
)
def test_outcomes_of_one_question_leave_the_others_alone(
    grade: Grade, affine: Exercise, edited: Edit, expression: str, outcome: str
) -> None:
    edited(affine.spec_file, "minutes = 20", "minutes = 20\nlimits.seconds = 0.5\nlimits.memory_mb = 256")
    result = grade("import torch\n" + answer(normalise=expression))
    found = outcomes(result)
    assert found["test_normalise_by_hand[0.0]"] == outcome
    assert found["test_affine[3]"] == found["test_affine[7]"] == found["test_affine_by_hand"] == "passed"
    assert result.score == 6.0


@pytest.mark.parametrize(
    "source",
    [answer(), answer(affine="x"), answer(normalise="x - 1"), "def affine(x, s, t): 1 / 0\n", "oops("],
)
def test_the_same_verdict_in_process(grade: Grade, source: str) -> None:
    confined, local = grade(source), grade(source, unsafe=True)
    assert outcomes(confined) == outcomes(local)
    assert confined.score == local.score
    assert local.isolation is Isolation.UNSAFE
    assert confined.key != local.key
    assert diagnoses(local) == {}


def test_unsafe_shows_no_line_of_the_reference(grade: Grade) -> None:
    """In process Python keeps the lines of a file by its name, and the reference runs there, too."""
    source = answer(affine="1 / 0  # my own line").replace(" return", "\n    return", 1)
    result = grade(source, unsafe=True)
    told = "\n".join(test.message.en for test in result.tests)
    assert "line 2, in affine: return 1 / 0  # my own line" in told


def test_output_is_kept_for_the_instructor(grade: Grade) -> None:
    result = grade("print('hello from the top')\n" + answer())
    assert "hello from the top" in result.output
    assert result.score == 12.0


def test_siblings(grade: Grade) -> None:
    assert grade("from helper import affine, normalise\n", helper=answer()).score == 12.0


def test_a_test_that_the_reference_fails_here_is_ours(grade: Grade, affine: Exercise, edited: Edit) -> None:
    edited(
        affine.hidden_tests,
        "student.normalise(x), reference.normalise(x)",
        "student.normalise(x), reference.normalise(x) + 1",
    )
    result = grade(answer())
    assert (result.status, result.score) == (Status.UNGRADED, None)
    assert outcomes(result)["test_normalise"] == "ungraded"
    first, *trace = result.detail.splitlines()
    place = r"test_normalise \(solutions/basics/test_affine\.py:\d+\)"
    assert re.match(rf"{place}: the reference solution does not pass it here: AssertionError: ", first)
    assert "bundle_" not in result.detail
    assert "assert_close(student.normalise(x), reference.normalise(x) + 1)" in result.detail
    assert len(trace) <= 8
    assert not any("Assertion" in test.message.en + result.message.en for test in result.tests)
    message = next(test.message for test in result.tests if test.name == "test_normalise")
    assert "through no fault of yours" in message.en
    assert outcomes(result)["test_affine[3]"] == "passed"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("def (", "SyntaxError"),
        ("no_such_name", "NameError: name 'no_such_name' is not defined"),
        ("import no_such_library", "ModuleNotFoundError"),
    ],
)
def test_a_broken_test_file_is_told_with_the_author_s_file_and_line(
    grade: Grade, affine: Exercise, broken: str, told: str
) -> None:
    with affine.hidden_tests.open("a", encoding="utf-8") as file:
        file.write(f"\n{broken}\n")
    line = len(affine.hidden_tests.read_text(encoding="utf-8").splitlines())
    with pytest.raises(CourseError) as caught:
        grade(answer())
    said = str(caught.value)
    assert said.startswith("solutions/basics/test_affine.py can't be collected:")
    assert told in said and re.search(rf"(:|line ){line}\b", said)
    assert "bundle_" not in said and "site-packages" not in said


def test_not_implemented_is_never_ours(grade: Grade, affine: Exercise, edited: Edit) -> None:
    edited(
        affine.hidden_tests,
        "student.normalise(x), reference.normalise(x)",
        "student.normalise(x), reference.normalise(x) + 1",
    )
    assert grade(affine.skeleton.read_text(encoding="utf-8")).status is Status.NOT_BEGUN


def test_a_stale_misconception_stops_nobody(grade: Grade, affine: Exercise, edited: Edit) -> None:
    """An edit that no longer matches can't be recognised; students are graded all the same."""
    edited(
        affine.spec_file,
        'replace = "x * scale + shift"\nwith = "x + shift"',
        'replace = "gone"\nwith = "x + shift"',
    )
    result = grade(answer(affine="scale * (shift + x)"))
    assert result.score == 6.0
    assert diagnoses(result)["test_affine[3]"] == "shift_first"


def test_hidden_messages_hold_nothing_of_the_test(grade: Grade) -> None:
    for source in (answer(affine="x"), answer(affine="x.nope"), answer(affine="1 / 0")):
        for test in grade(source).tests:
            if test.visibility is Visibility.HIDDEN:
                for text in ("1.7", "0.6", "tensor", "reference", "assert"):
                    assert text not in test.message.en


def test_a_line_far_down_is_not_told(grade: Grade) -> None:
    """Where a file fails to load is the submission's word; a million blank lines would make it twenty bits of what it knows."""
    for line, told in ((40, True), (50_550, False)):
        forged = f"exec(compile('\\n' * ({line} - 1) + '1 / 0', __file__, 'exec'))\n"
        result = grade(forged + answer() + "\n" * 60_000)
        assert result.message.en.startswith("ZeroDivisionError")
        assert (f"line {line}:" in result.message.en) == told


def test_skipped_cells_are_those_of_the_first_load(grade: Grade) -> None:
    """A cell that runs again after a hidden test could say what the test asked."""
    cells = [
        answer(affine="x * scale + shift if x.shape[0] == 1 else os._exit(0)"),
        "import os, time\nraise ValueError(str(time.perf_counter_ns()))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    seen: list[str] = []
    before = ConfinedBackend._open

    def watched(backend: ConfinedBackend, limits: Limits, planned: bool = False) -> RemoteModule:
        child = before(backend, limits, planned)
        seen.append(str(backend.skipped))
        return child

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfinedBackend, "_open", watched)
        grade(nbformat.writes(notebook), main="affine.ipynb")
    assert len(seen) > 2 and "ValueError" in seen[0]
    assert set(seen) == {seen[0]}


def test_a_process_killed_from_outside_costs_nothing(grade: Grade, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system ends processes for want of memory, and not always the one that wanted it."""
    real = run_case
    killed: list[str] = []

    def unlucky(case: TestCase, backend: Any, *arguments: Any) -> Ending:
        if case.name == "test_normalise" and len(killed) < times:
            killed.append(case.name)
            return Ending(Outcome.MEMORY, Killed("was ended by the system"))
        return real(case, backend, *arguments)

    monkeypatch.setattr("autograder.grading.grader.run_case", unlucky)
    for times, score in ((1, 12.0), (2, 8.0)):
        killed.clear()
        assert grade(answer()).score == score, times


def test_a_kill_while_loading_is_not_the_file_s(grade: Grade, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    load = RemoteModule.load

    def unlucky(child: RemoteModule, **options: Any) -> Any:
        loads.append(child)
        if len(loads) == 1:
            child._end(Killed("was ended by the system"))
        return load(child, **options)

    monkeypatch.setattr(RemoteModule, "load", unlucky)
    result = grade(answer())
    assert (result.score, result.status) == (result.max_score, Status.GRADED)
    assert len(loads) == 2


def test_a_submission_with_a_problem_is_not_run(affine: Exercise, worker: Worker) -> None:
    result = worker.grade(
        bundle_of(affine),
        Submission("s001", affine.id, "s001/affine.py", problem=Text("Two files.", "两个文件。")),
    )
    assert (result.status, result.score, result.max_score) == (Status.INVALID, 0.0, 12.0)
    assert result.isolation is Isolation.NONE
    assert result.key == ""
    assert result.message.zh == "两个文件。"


def test_no_hidden_file_is_on_disk(
    affine: Exercise, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From before the first submission runs: the tests were read, and what was read is gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    assert len(worker.grader(bundle_of(affine)).cases) == 6
    assert set(tmp_path.iterdir()) == before
