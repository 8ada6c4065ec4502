"""The audit: green on a sound exercise, and red, saying why, for everything that can be wrong with one."""

from __future__ import annotations

import multiprocessing
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.audit.cheap import KINDS, cheap_answer
from autograder.audit.checks import ExerciseChecks, Shared
from autograder.audit.cpu import tree_seconds
from autograder.audit.form import Style, prose_words
from autograder.audit.leaks import StudentFiles
from autograder.audit.lessons import KERNEL, code_of, lesson_problems
from autograder.audit.oracles import OracleResult, oracle_finding, run_oracles
from autograder.audit.report import Finding
from autograder.authoring.build import build_exercise
from autograder.authoring.translation import translates_line
from autograder.course import Course, Exercise
from autograder.course.glossary import GLOSSARY_FILE, load_glossary
from autograder.errors import UserError
from autograder.grading.grader import ExerciseGrader
from autograder.grading.worker import Mode, Worker
from autograder.results import Outcome
from autograder.testing import save_weights

ROOT = Path(__file__).resolve().parents[2]
Edit = Callable[[Path, str, str], None]
Checks = Callable[[], ExerciseChecks]
Point = Callable[[int], list[str]]


@pytest.fixture
def checks(affine: Exercise, shared_sandbox: Any) -> Checks:
    """`checks()`: the audit of the exercise as its files are now."""

    def make() -> ExerciseChecks:
        course = Course.load(affine.root, authoring=True)
        exercise = course.exercise(affine.id)
        glossary = load_glossary(course.root)
        shared = Shared(StudentFiles.of(course.root), Style.of(course.root, [exercise]), glossary)
        return ExerciseChecks(course, exercise, Worker(Mode()), shared)

    return make


@pytest.fixture
def point(checks: Checks) -> Point:
    """`point(3)`: the problems that one point of the audit finds. An error that names the file is one."""

    def problems(number: int) -> list[str]:
        try:
            return list(checks().points()[number]().problems)
        except UserError as error:
            return [str(error)]

    return problems


# ------------------------------------------------------------------------------------------- 1: correct answers


def test_an_accepted_solution_fails(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.accepted[0], "alpha=scale", "alpha=2 * scale")
    found = point(1)
    assert any("addition.py" in p and "fails test_affine" in p and "not close" in p for p in found)
    assert not any("rows.py" in p for p in found)


def test_too_few_accepted_solutions(affine: Exercise, point: Point) -> None:
    affine.accepted[0].unlink()
    assert point(1) == ["1 accepted solutions; write at least 2 in other styles"]


def test_the_reference_fails_its_own_test(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.public_tests, "torch.tensor([[3.0, -3.0]])", "torch.tensor([[3.0, -4.0]])")
    assert any("test_affine_by_hand" in p for p in point(1))


def test_a_verdict_that_depends_on_isolation(affine: Exercise, edited: Edit, point: Point) -> None:
    """A test that sees an in-place change: true in process, lost on the way back from a confined process."""
    edited(
        affine.hidden_tests,
        "    assert_close(student.normalise(x), reference.normalise(x))",
        "    assert_close(student.normalise(x), reference.normalise(x))\n"
        "    student.seen = 1\n    assert vars(student)['seen'] == 1",
    )
    found = point(1)
    assert any("in process" in p and "isolated" in p and "test_normalise" in p for p in found), found


# ------------------------------------------------------------------------------------------- 2: the skeleton


def test_a_question_that_no_test_meets(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(
        affine.public_tests,
        "student.normalise(torch.tensor([[1.0, 3.0]]) + shift)",
        "torch.tensor([[-1.0, 1.0]])",
    )
    edited(affine.hidden_tests, "student.normalise(x)", "reference.normalise(x)")
    found = point(2)
    assert "no test says that normalise is not implemented" in found
    assert "test_normalise is passed on the untouched skeleton, not not_implemented" in found


def test_a_dropped_marker(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(
        affine.solution,
        "    return x * scale + shift\n    # END SOLUTION\n",
        "    return x * scale + shift\n",
    )
    for number in (2, 3, 4, 6, 8):
        (found,) = point(number)
        assert "affine.py" in found
        assert "BEGIN SOLUTION" in found


def test_a_question_left_in_the_open(affine: Exercise, edited: Edit, point: Point) -> None:
    """Both markers of a block dropped: the answer would be released."""
    edited(
        affine.solution,
        "    # BEGIN SOLUTION\n    return x * scale + shift\n    # END SOLUTION\n",
        "    return x * scale + shift\n",
    )
    assert any("test_affine" in p and "passed on the untouched skeleton" in p for p in point(2))
    assert any("not what a fresh build gives" in p for p in point(6))


# ------------------------------------------------------------------------------------------- 3: misconceptions


def test_a_weakened_hidden_test(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.hidden_tests, "student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6)",
           "student.affine(x, 1.7, 0.0), reference.affine(x, 1.7, 0.0)")  # fmt: skip
    found = point(3)
    for name in ("unshifted", "shift_first", "shift_taken"):
        assert f"misconception {name!r} loses nothing at test_affine; strengthen that test" in found
    assert not any("unscaled" in p for p in found)


def test_an_edit_that_no_longer_matches(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, 'replace = ".sqrt()"', 'replace = ".square_root()"')
    assert any("'variance'" in p and "occurs 0 times" in p for p in point(3))


def test_an_edit_that_matches_twice(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, 'replace = ".sqrt()"', 'replace = "mean("')
    assert any("'variance'" in p and "occurs 2 times" in p for p in point(3))


def test_misconceptions_that_nothing_tells_apart(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, 'with = "x * scale - shift"', 'with = "x * scale"')  # the same as unshifted
    told = "\n".join(point(3))
    for name in ("unshifted", "shift_taken"):
        assert (
            f"misconception {name!r} is recognised at no case of test_affine: another misconception" in told
        )


def test_a_misconception_at_no_test(affine: Exercise, edited: Edit, point: Point) -> None:
    text = affine.spec_file.read_text(encoding="utf-8")
    first = text.index('caught = "test_affine"')
    affine.spec_file.write_text(
        text[:first] + 'caught = "test_affine_by_hand"' + text[first + 22 :], encoding="utf-8"
    )
    assert "misconception 'unshifted': there is no hidden test 'test_affine_by_hand'" in point(3)


def test_a_question_without_a_misconception(affine: Exercise, point: Point) -> None:
    text = affine.spec_file.read_text(encoding="utf-8")
    blocks = text.split("\n[[misconception]]")
    affine.spec_file.write_text("\n[[misconception]]".join(blocks[:5]), encoding="utf-8")
    found = point(3)
    assert "no misconception concerns normalise" in found


LOOP = """
[[misconception]]
name = "endless"
replace = "    centred = x - x.mean(dim=-1, keepdim=True)"
with = "    while True: pass"
caught = "test_normalise"
hint.en = "The hint of endless."
hint.zh = "endless 的提示。"
"""


def test_a_misconception_that_loops_is_ended_after_two_tests(
    affine: Exercise, edited: Edit, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six tests meet it; two run out of time, and one more where the test that it names was not among them."""
    with affine.spec_file.open("a", encoding="utf-8") as file:
        file.write(LOOP)
    edited(affine.spec_file, "difficulty = 1", "difficulty = 1\nlimits.seconds = 0.2")
    edited(affine.public_tests, '"shift", [0.0, 5.0]', '"shift", [0.0, 1.0, 2.0, 3.0, 5.0]')
    endings: list[Outcome] = []
    run_case = ExerciseGrader.run_case

    def counted(bench: ExerciseGrader, *arguments: Any) -> Any:
        ending = run_case(bench, *arguments)
        endings.append(ending.outcome)
        return ending

    monkeypatch.setattr(ExerciseGrader, "run_case", counted)
    assert checks().misconceptions().problems == []
    assert endings.count(Outcome.TIMEOUT) == 3


def test_each_misconception_runs_once_and_only_where_it_shows(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of `normalise` is not run with a mistake in `affine`: it answers as the reference does."""
    runs: list[set[str]] = []
    observe = ExerciseChecks._observe

    def counted(self: ExerciseChecks, *arguments: Any, **more: Any) -> Any:
        endings, behaviour = observe(self, *arguments, **more)
        runs.append({name.split("[")[0] for name in endings})
        return endings, behaviour

    monkeypatch.setattr(ExerciseChecks, "_observe", counted)
    assert checks().misconceptions().problems == []
    affine, normalise = {"test_affine_by_hand", "test_affine"}, {"test_normalise_by_hand", "test_normalise"}
    assert runs == [affine | normalise, *[affine] * 4, *[normalise] * 4]


def test_a_few_misconceptions_are_compared_in_process(affine: Exercise, edited: Edit, checks: Checks) -> None:
    """Others when anything changes; a verdict that isolation changes is told for those."""
    for line in (
        "    assert_close(student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6))",
        "    assert_close(student.normalise(x), reference.normalise(x))",
    ):
        edited(
            affine.hidden_tests,
            line,
            f"    student.seen = 1\n    assert 'seen' in vars(student)\n{line}",
        )
    drawn = checks()._sample([mistake.name for mistake in affine.spec.misconception])
    found = [p for p in checks().misconceptions().problems if "in process" in p]
    assert len(drawn) == 3
    assert found and {p.split("'")[1] for p in found} <= set(drawn)
    edited(affine.hidden_tests, "x = torch.randn(5, width)", "x = torch.randn(5, width)  # 2")
    samples = {tuple(checks()._sample([f"m{n}" for n in range(50)]))}
    edited(affine.hidden_tests, "width)  # 2", "width)  # 3")
    assert tuple(checks()._sample([f"m{n}" for n in range(50)])) not in samples


# ------------------------------------------------------------------------------------------- 4: cheap answers


@pytest.mark.parametrize(
    ("test", "kind"),
    [
        ("assert student.affine(x, 1.7, -0.6).shape == x.shape", "zeros"),
        ("assert float(student.affine(x, 0.0, 1.0).mean()) == 1.0", "constant"),
        ("assert_close(student.affine(x, 1.0, 0.0), x)", "identity"),
        ("assert float(student.affine(x, 1.0, 0.0).std()) > 0.1", "noise"),
        ("with pytest.raises(ValueError):\n        student.affine(x, 'a', None)", "raising"),
    ],
)
def test_an_answer_that_ignores_the_question_earns_points(
    affine: Exercise, edited: Edit, point: Point, test: str, kind: str
) -> None:
    edited(
        affine.hidden_tests,
        "assert_close(student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6))",
        test,
    )
    assert any(p.startswith(f"{kind} answers earn 2 at test_affine[") for p in point(4))


def test_a_cheap_answer_that_loops_has_less_time(affine: Exercise, edited: Edit, checks: Checks) -> None:
    """It has what an answer made from the reference's needs, and not all the time that a student has."""
    edited(affine.spec_file, "difficulty = 1", "difficulty = 1\nlimits.seconds = 20")
    edited(
        affine.solution,
        "    spread = centred",
        "    while float(affine(torch.ones(1), 3.0, 0.0)) != 3: pass\n    spread = centred",
    )
    began = tree_seconds()
    assert checks().cheap_answers().problems == []
    assert tree_seconds() - began < 20


def test_cheap_answers_of_every_kind() -> None:
    solution = (
        "import torch, numpy as np\n"
        "def tensors(x): return {'a': [x + 1], 'b': (x > 0, np.ones(2))}\n"
        "def plain(n): return 5, 2.5, 'abc', b'ab', True, None\n"
        "def stream(xs):\n    yield from (x * 2 for x in xs)\n"
        "class Box:\n"
        "    def __init__(self, n): self.n = n\n"
        "    def get(self, k): return self.n + k\n"
    )
    names = ["tensors", "plain", "stream", "Box"]
    import torch

    answers: dict[str, Any] = {}
    for kind in KINDS:
        answers[kind] = {}
        exec(cheap_answer(solution, kind, names), answers[kind])
    x = torch.tensor([1.0, -2.0])
    zeros, constant, identity, raising = (answers[k] for k in ("zeros", "constant", "identity", "raising"))
    assert zeros["tensors"](x)["a"][0].tolist() == [0, 0]
    assert zeros["plain"](3) == (0, 0.0, "", b"", False, None)
    assert list(zeros["stream"]([1, 2])) == [0, 0]
    assert zeros["Box"](3).get(4) == 0
    assert constant["plain"](3) == (1, 1.0, "aaa", b"aa", True, None)
    assert identity["tensors"](x)["a"][0].tolist() == [1, -2]
    assert identity["Box"](3).get(4) == 4
    noise = answers["noise"]["tensors"](x)["a"][0]
    assert noise.shape == x.shape
    assert noise.tolist() != [2, -1]
    with pytest.raises(ValueError):
        raising["plain"](3)
    assert raising["Box"](3).n == 3  # objects can be made, so that a test gets as far as the question


# ------------------------------------------------------------------------------------------- 5: the oracle


def oracle(exercise: Exercise) -> Finding:
    """What the session of oracle tests gives for one exercise, in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def work() -> None:
        run_oracles(exercise.root, [exercise], lambda name, result: theirs.send((name, result)))

    process = context.Process(target=work)
    process.start()
    results: dict[str, OracleResult] = dict(ours.recv() for _ in range(2))
    process.join()
    assert results[""].seconds > results[exercise.id].seconds
    return oracle_finding(exercise, results[exercise.id])


def test_the_oracle_agrees(affine: Exercise) -> None:
    found = oracle(affine)
    assert (found.summary, found.problems) == (f"1 passed ({affine.spec.oracle})", [])


def test_no_oracle_test(affine: Exercise) -> None:
    (found,) = oracle_finding(affine, None).problems
    assert found.startswith("tests/oracles/basics/test_affine.py is missing")
    assert "torch.addcmul" in found


def test_a_skipped_oracle_test(affine: Exercise) -> None:
    """Beside one that passes: a skipped comparison is no comparison."""
    with affine.oracle_tests.open("a") as file:
        file.write(
            '\n\ndef test_affine_again() -> None:\n    import pytest\n\n    pytest.skip("no library")\n'
        )
    found = oracle(affine)
    assert found.summary.startswith("1 passed")
    assert found.problems == ["tests/oracles/basics/test_affine.py: test_affine_again is skipped"]


def test_an_oracle_that_disagrees(affine: Exercise, edited: Edit) -> None:
    edited(affine.oracle_tests, "alpha=2)", "alpha=3)")
    (found,) = oracle(affine).problems
    assert found.startswith("tests/oracles/basics/test_affine.py: test_affine: AssertionError")


def test_an_oracle_file_that_can_t_be_imported(affine: Exercise) -> None:
    affine.oracle_tests.write_text("import no_such_library\n")
    (found,) = oracle(affine).problems
    assert "it can't be collected: ModuleNotFoundError: No module named 'no_such_library'" in found


def test_an_endless_oracle(affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.audit.oracles.CPU_SECONDS", 0.3)
    edited(affine.oracle_tests, "    x = torch", "    while True: pass\n    x = torch")
    (found,) = oracle(affine).problems
    assert "it took more than 0.3 s of CPU" in found


def test_imports_are_not_the_exercise_s(affine: Exercise, edited: Edit) -> None:
    """A library that is imported by a test, and takes its time."""
    (affine.root / "tests/oracles/basics/heavy.py").write_text(
        "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass\n"
    )
    edited(affine.oracle_tests, "    x = torch", "    import sys\n    sys.path.insert(0, 'tests/oracles/basics')\n    import heavy\n    x = torch")  # fmt: skip
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=run_oracles, args=(affine.root, [affine], lambda name, result: theirs.send(result))
    )
    process.start()
    own, everything = ours.recv(), ours.recv()
    process.join()
    assert own.passed == 1
    assert own.seconds < 0.9 < 1 < everything.seconds


# ------------------------------------------------------------------------------------------- 6: leaks


def test_a_skeleton_edited_by_hand(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.skeleton, "# Two maps", "# Some maps")
    assert point(6) == [
        "exercises/basics/affine.py is not what a fresh build gives; run `autograder build basics/affine`, "
        "with --force if it was edited by hand"
    ]


@pytest.mark.parametrize(
    "place", ["course/basics/affine.md", "exercises/basics/test_affine.py", "exercises/basics/notes.md"]
)
def test_a_solution_line_where_students_look(affine: Exercise, point: Point, place: str) -> None:
    path = affine.root / place
    path.write_text((path.read_text() if path.exists() else "") + "\n    return x * scale + shift\n")
    assert f"{place} holds the solution line 'return x * scale + shift'" in point(6)


# ------------------------------------------------------------------------------------------- 7: lessons


def test_a_lesson_s_cell_fails(affine: Exercise, edited: Edit) -> None:
    edited(affine.lesson("zh"), "print(1 + 1)", "print(1 / 0)")
    (found,) = lesson_problems(affine)
    assert found.startswith("course/basics/affine.zh.md: a cell fails: ZeroDivisionError")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV ended the interpreter"),
        ("import os; os._exit(3)", "it ended with exit status 3"),
        ("while True: pass", "it took more than 1 s of CPU"),
        ("import time; time.sleep(999)", "it ran longer than 2 s"),
    ],
)
def test_a_lesson_that_ends_its_interpreter(
    affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch, cell: str, said: str
) -> None:
    """It costs itself only."""
    monkeypatch.setattr("autograder.audit.lesson_runner.CPU_SECONDS", 1)
    monkeypatch.setattr("autograder.audit.lesson_runner.WALL_FACTOR", 10 if "while" in cell else 2)
    edited(affine.lesson("zh"), "print(1 + 1)", cell)
    assert lesson_problems(affine) == [f"course/basics/affine.zh.md: a cell fails: {said}"]


def test_a_lesson_has_its_own_folder_and_process(affine: Exercise, edited: Edit) -> None:
    for lang in ("en", "zh"):
        edited(
            affine.lesson(lang),
            "print(1 + 1)",
            f"import os, sys\nlang = {lang!r}\nassert os.listdir() == [] and not hasattr(sys, 'mark')\n"
            "sys.mark = open('left', 'w')\nimport matplotlib.pyplot as plt\nplt.plot([1]); plt.show()",
        )
    stamp(affine)
    assert lesson_problems(affine) == []


def test_a_lesson_reads_the_running_examples(affine: Exercise, edited: Edit) -> None:
    cell = "from autograder.testing import running_examples\nassert running_examples().sentence.zh"
    edited(affine.lesson("en"), "print(1 + 1)", cell)
    stamp(affine)
    (found,) = lesson_problems(affine)
    assert "a cell fails" in found
    shutil.copy(ROOT / "course/examples.toml", affine.root / "course")
    assert lesson_problems(affine) == []


def test_a_lesson_reads_weights(affine: Exercise, edited: Edit) -> None:
    cell = 'from autograder.testing import load_weights\nload_weights("basics/affine")["scale"]'
    edited(affine.lesson("en"), "print(1 + 1)", cell)
    stamp(affine)
    (found,) = lesson_problems(affine)
    assert "a cell fails" in found
    save_weights(affine, {"scale": torch.ones(3)})
    assert lesson_problems(affine) == []


def test_a_lesson_that_is_no_notebook(affine: Exercise, edited: Edit) -> None:
    edited(affine.lesson("zh"), "  display_name: Python 3\n", "")
    (found,) = lesson_problems(affine)
    assert found.startswith(
        "course/basics/affine.zh.md does not open as a notebook: 'display_name' is a required property"
    )
    assert "  display_name: Python 3\n" in found


def test_an_overview_is_a_notebook_too(affine: Exercise) -> None:
    overview = affine.lesson("zh").with_name("overview.zh.md")
    text = KERNEL.replace("  display_name: Python 3\n  language: python\n", "")
    overview.write_text(f"---\n{text}\n---\n# 概览\n", encoding="utf-8")
    (found,) = lesson_problems(affine)
    assert found.startswith(
        "course/basics/overview.zh.md does not open as a notebook: 'display_name' is a required"
    )
    overview.write_text("# 概览\n", encoding="utf-8")
    (found,) = lesson_problems(affine)
    assert found.startswith(
        "course/basics/overview.zh.md does not open as a notebook: it names no kernel; write in"
    )


RAW = {
    "By {eq}`scores` it is one.": "{eq}`scores`",
    "$$x = 1$$ (scores)": "$$ (scores)",
    "$$\nx = 1\n$$(scores)": "$$(scores)",
    "(below)=\n## Below": "(below)=",
    "```{note}\nText.\n```": "```{note}",
    ":::{tip}\nText.\n:::": ":::{tip}",
}


@pytest.mark.parametrize("markup", RAW)
def test_markup_that_a_notebook_shows_as_it_stands(affine: Exercise, markup: str) -> None:
    with affine.lesson("en").open("a") as file:
        file.write(f"\n{markup}\n")
    stamp(affine)
    (found,) = lesson_problems(affine)
    assert found.startswith(f"course/basics/affine.md: {RAW[markup]!r} is shown as it stands; ")


def test_what_code_says_is_no_markup(affine: Exercise) -> None:
    with affine.lesson("en").open("a") as file:
        file.write(
            "\n$$x = 1 \\tag{1}$$\n\nBy (1), `f(x)` and `{eq}` and $x$ (scores).\n\n```{code-cell} python\nx = 1\n```\n"
        )
    stamp(affine)
    assert lesson_problems(affine) == []


def test_a_wrapped_paragraph(affine: Exercise, edited: Edit, checks: Checks) -> None:
    """In Chinese the line break would be shown as a space, in a lesson as in a statement."""
    with affine.lesson("zh").open("a", encoding="utf-8") as file:
        file.write("\n先缩放，\n后平移。\n")
    edited(affine.solution, "# 每个网络里", "# 两个映射，\n# 每个网络里")
    wrapped = [problem for problem in checks().lessons().problems if "goes on with the paragraph" in problem]
    assert [problem.partition(" goes")[0] for problem in wrapped] == [
        "course/basics/affine.zh.md, line 18",
        "solutions/basics/affine.py, line 6",
    ]


def test_every_chinese_text_keeps_to_the_glossary(affine: Exercise, edited: Edit, checks: Checks) -> None:
    """Pages, the statement, hints, and the sentences of tests."""
    (affine.root / GLOSSARY_FILE).write_text(
        '[[term]]\nen = "mean"\nzh = "均值"\nmeaning.en = "a"\nmeaning.zh = "一"\navoid = ["平均数"]\n',
        encoding="utf-8",
    )
    edited(affine.lesson("zh"), "[basics/affine]", "平均数 [basics/affine]")
    affine.lesson("zh").with_name("overview.zh.md").write_text("# 概览\n\n平均数\n", encoding="utf-8")
    edited(affine.solution, "每个网络里", "平均数：每个网络里")
    edited(affine.spec_file, "unshifted 的提示", "平均数")
    edited(affine.spec_file, "减去均值之后", "减去平均数之后")
    edited(affine.hidden_tests, "zh: 先缩放", "zh: 平均数，先缩放")
    found = [
        problem.partition(": the glossary")[0]
        for problem in checks().lessons().problems
        if "平均数" in problem
    ]
    assert found == [
        "solutions/basics/affine.py, line 5",
        "course/basics/affine.zh.md, line 15",
        "course/basics/overview.zh.md, line 3",
        "misconception 'unshifted', line 1",
        "hint 2 of normalise, line 1",
        "the sentence of test_affine, line 1",
    ]


def test_a_translation_that_is_stale(affine: Exercise, edited: Edit) -> None:
    edited(affine.lesson("en"), "# Toy", "# A toy")
    (found,) = lesson_problems(affine)
    assert found.startswith(
        "course/basics/affine.zh.md was not written for course/basics/affine.md as it is now"
    )
    line = found.rpartition("front matter: ")[2]
    chinese = affine.lesson("zh").read_text()
    old = next(old for old in chinese.splitlines() if old.startswith("translates: "))
    edited(affine.lesson("zh"), old, line)
    assert lesson_problems(affine) == []
    edited(affine.lesson("zh"), line + "\n", "")
    assert lesson_problems(affine) == [found]


def test_a_course_in_one_language(affine: Exercise, edited: Edit, checks: Checks) -> None:
    """Nothing in Chinese is asked for."""
    affine.lesson("zh").unlink()
    edited(affine.hidden_tests, "\n\n    zh: 先缩放，后平移。\n    ", "")
    asked = [*checks().lessons().problems, *checks().form().problems]
    assert len(asked) == 3  # the lesson, and the sentence of each of the two cases
    edited(affine.spec_file, 'title.zh = "仿射映射"\n', "")
    edited(
        affine.root / "course/course.toml",
        "units = ",
        'languages = ["en"]\nunits = ',
    )
    assert [*checks().lessons().problems, *checks().form().problems] == []


def stamp(exercise: Exercise) -> None:
    """Say in the Chinese page that it was written for the English one as it is now."""
    line = translates_line(exercise.lesson("en").read_text())
    page = exercise.lesson("zh")
    page.write_text(re.sub("translates: .*", line, page.read_text()))


def test_a_dead_link(affine: Exercise) -> None:
    with affine.lesson("en").open("a") as file:
        file.write(
            "[gone](../other/gone.md#part) [page](https://example.org/x) [mail](mailto:a@example.org) [top](#top)\n"
        )
    stamp(affine)
    assert lesson_problems(affine) == ["course/basics/affine.md: the link '../other/gone.md' leads nowhere"]


def test_no_link_to_the_exercise(affine: Exercise, edited: Edit) -> None:
    edited(affine.lesson("en"), "](../../exercises/basics/affine.py)", "](affine.zh.md)")
    stamp(affine)
    assert lesson_problems(affine) == [
        "course/basics/affine.md: no link to exercises/basics/affine.py; add one"
    ]


def test_no_lesson_and_no_cell(affine: Exercise, edited: Edit) -> None:
    affine.lesson("zh").unlink()
    lesson = affine.lesson("en")
    edited(lesson, "```{code-cell} python", "```python")
    edited(lesson, "file_format: mystnb", KERNEL.partition("\nkernelspec")[0])
    assert lesson_problems(affine) == [
        "course/basics/affine.md has no executed cell; give a worked example",
        "course/basics/affine.zh.md is missing; write the lesson",
    ]


def test_cells_of_a_page() -> None:
    page = "```{code-cell} python\n:tags: [hide-input]\nx = 1\n```\ntext\n```python\nno\n```\n```{code-cell}\ny = x\n```\n"
    assert code_of(page) == "x = 1\n\n\ny = x\n"


# ------------------------------------------------------------------------------------------- 8: form


def test_form(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.hidden_tests, "    zh: 先缩放，后平移。\n", "")
    edited(affine.spec_file, 'question = "affine"', 'question = "affin"')
    edited(
        affine.public_tests, "def test_affine_by_hand(student)", "def test_affine_by_hand(student, reference)"
    )
    text = affine.hidden_tests.read_text(encoding="utf-8").replace("points(4)", "points(1)")
    affine.hidden_tests.write_text(text, encoding="utf-8")
    found = point(8)
    assert "test_affine[3]: the docstring needs one sentence in English and one after `zh:`" in found
    assert "test_affine_by_hand is public and can't use `reference`; write the expected values down" in found
    assert "4 of 6 points are public; about a third should be" in found
    assert "no hint for affine" in found


def test_what_is_lent_is_not_called_afterwards(affine: Exercise, edited: Edit, point: Point) -> None:
    tests = affine.hidden_tests
    edited(tests, "import assert_close", "import assert_close, own_or_reference")
    edited(tests, "def test_normalise", '@own_or_reference("affine")\ndef test_normalise')
    assert point(8) == []
    text = tests.read_text(encoding="utf-8")
    head, first, second = text.split("@pytest.mark.points(4)")
    again = first.replace("test_affine", "test_again")
    tests.write_text("@pytest.mark.points(2)".join([head, first, second + "\n\n", again]), encoding="utf-8")
    assert [problem for problem in point(8) if "lends" in problem] == [
        f"test_again[{width}] calls affine, which test_normalise lends; move it above" for width in (3, 7)
    ]


def test_a_function_that_the_student_could_call_otherwise(
    affine: Exercise, edited: Edit, point: Point
) -> None:
    edited(
        affine.hidden_tests,
        "    assert_close(student.normalise(x), reference.normalise(x))",
        "    student.normalise(lambda y, x=x: x)\n    assert_close(student.normalise(x), reference.normalise(x))",
    )
    (found,) = point(8)
    assert re.fullmatch(
        r"solutions/.*/test_affine.py, line \d+: the student's code could call .* its own x; .*", found
    )


def test_a_hint_that_is_too_long(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, "The hint of unscaled.", "word " * 61)
    edited(affine.spec_file, "columns 的提示。", "字，" * 101)
    assert point(8) == [
        "misconception 'unscaled': its hint has 61 words; 60 at most",
        "misconception 'columns': its Chinese hint has 101 characters; 100 at most",
    ]


def test_a_size_is_a_warning(affine: Exercise, edited: Edit, checks: Checks) -> None:
    edited(affine.lesson("en"), "# Toy\n", "# Toy\n\n" + "one two, `three` $x + y$ " * 200 + "\n")
    edited(affine.spec_file, "difficulty = 1", 'difficulty = 1\ntier = "short"')
    found = checks().form()
    assert found.problems == []
    assert found.warnings == [
        "4 lines of reference; a short exercise has 10 to 25",
        "2 hidden tests; a short exercise has 5 to 6",
        "603 words in affine.md; a short exercise has 350 to 500",
        "2 words in affine.zh.md; a short exercise has 350 to 500",
    ]


def test_words_of_a_lesson_are_those_of_its_prose() -> None:
    page = (
        "---\nkernelspec:\n  name: python3\n---\n# One head\n\nIt's <b>two</b> [words](../long/path.md).\n"
        "```python\nno words\n```\n$$a + b$$\n## Sources\n\n* Nobody 2020\n"
    )
    assert prose_words(page, "en") == 5
    assert prose_words("# 注意力\n\n它由 softmax 得到，和为一。\n\n## 出处\n\n* 无\n", "zh") == round(
        11 / 1.6
    )


def test_style(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.accepted[0], "alpha=scale)", "alpha = scale)")
    edited(affine.hidden_tests, "import pytest\n", "import pytest\nimport os\n")
    found = point(8)
    accepted = affine.accepted[0].relative_to(affine.root)
    assert any(p.startswith(f"{accepted}: the formatter would change it") for p in found)
    assert any(p.startswith("solutions/basics/test_affine.py: line 2: F401") for p in found)


def test_without_ruff(affine: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "autograder.audit.form._ruff",
        lambda *_: subprocess.CompletedProcess([], 1, "", "python: No module named ruff"),
    )
    assert Style.of(affine.root, [affine]).missing


def test_fresh_build_heals(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.solution, "# Two maps", "# Both maps")
    assert point(6)
    build_exercise(affine)
    assert point(6) == []


def test_a_worker_has_one_exercise_ready(toy_course: Course, shared_sandbox: Any) -> None:
    """Its traces and those of its misconceptions are gone with it, whether it is audited or mutated."""
    from autograder.audit.engine import audit_exercise
    from autograder.audit.kill import MutantRunner

    shared = Shared(StudentFiles.of(toy_course.root), Style.of(toy_course.root, list(toy_course)))
    with MutantRunner(toy_course) as runner:
        worker = Worker(Mode())
        for exercise in toy_course:
            audit_exercise(toy_course, exercise, worker, shared)
            assert list(worker._graders) == [exercise.id]
            runner.first_loss((exercise.id, "", exercise.solution.read_text(encoding="utf-8")))
            assert list(runner._worker._graders) == [exercise.id]
        worker.close()
