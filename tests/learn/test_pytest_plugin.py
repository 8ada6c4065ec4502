"""`pytest exercises/`: what a learner sees, and `pytest solutions/`: what an author sees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.course import Course, Exercise
from autograder.feedback.progress import next_of, progress_of
from autograder.learn.states import State, states_of
from autograder.text import encodable

Edit = Callable[[Path, str, str], None]
AFFINE = ('raise NotImplementedError("affine")', "return x * scale + shift")
PLUGIN = (
    "-p",
    "autograder.learn.pytest_plugin",
    "--import-mode=importlib",
    "--strict-markers",
    "-p",
    "no:cacheprovider",
)


class Done:
    """One run of pytest in the toy course."""

    def __init__(self, code: int, out: str) -> None:
        self.code = code
        self.out = out
        endings = [line for line in out.splitlines() if re.search(r" in [\d.]+s", line)]
        self.counts = re.sub(r" in [\d.]+s.*", "", endings[-1]).strip("= ") if endings else ""

    def section(self, title: str) -> list[list[str]]:
        """The words of each line below a `---- title ----`."""
        lines = iter(self.out.splitlines())
        for line in lines:
            if line.strip("- ") == title and line.startswith("-"):
                break
        found = []
        for line in lines:
            if line.startswith(("-", "=")):
                break
            if line.strip():
                found.append(line.split())
        return found


Run = Callable[..., Done]


@pytest.fixture
def run(toy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """pytest within pytest: a process of its own would import torch each time."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def pytest_in_toy(*arguments: str, lang: str = "en") -> Done:
        monkeypatch.chdir(toy)
        monkeypatch.setenv("AUTOGRADER_LANG", lang)
        for name in [name for name in sys.modules if name.split(".")[0] in ("exercises", "solutions")]:
            del sys.modules[name]  # the toys of other tests have modules of the same names
        capfd.readouterr()
        code = pytest.main([f"--rootdir={toy}", "-c", os.devnull, *PLUGIN, *arguments])
        return Done(int(code), "".join(capfd.readouterr()))

    return pytest_in_toy


def test_work_not_begun_is_quiet(run: Run) -> None:
    done = run("exercises")
    assert done.code == 0
    assert done.counts == "4 not implemented"
    assert "Traceback" not in done.out
    assert "NotImplementedError" not in done.out
    assert done.section("not implemented") == [["basics/affine", "affine"], ["basics/affine", "normalise"]]
    assert re.search(r"basics +0/4  ░{20}  Basics, next: affine", done.out)
    assert re.search(r"extras +0/1  ░{20}  Extras, next: vowels", done.out)
    assert "Next: basics/affine, in exercises/basics/affine.py" in done.out


def test_half_done(run: Run, toy: Path, edited: Edit, shared_sandbox: Any) -> None:
    edited(
        toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "return x * scale + shift"
    )
    edited(toy / "exercises/basics/affine.py", 'raise NotImplementedError("normalise")', "return x - 2")
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 3")
    done = run("exercises")
    assert done.code == 1
    assert done.counts == "1 failed, 3 passed"
    assert re.search(
        r"basics/affine +3/4  █{15}░{5}", done.out
    )  # one of two parameter sets of a two-point test
    assert re.search(r"extras +1/1  █{20}", done.out)
    assert "not implemented" not in done.out
    assert "Next: extras/vowels" in done.out  # its hidden tests know that a constant counts no vowels


def test_a_failure_shows_the_test_s_line_and_the_learner_s(run: Run, toy: Path, edited: Edit) -> None:
    edited(
        toy / "exercises/basics/affine.py",
        'raise NotImplementedError("affine")',
        "wrong = torch.zeros(3)\n    return torch.nn.functional.linear(x, wrong[None, None])",
    )
    done = run("exercises/basics", "-k", "affine_by_hand")
    assert done.code == 1
    assert re.search(r"test_affine\.py:\d+: in test_affine_by_hand", done.out)
    assert re.search(r"affine\.py:\d+: in affine", done.out)
    assert "RuntimeError" in done.out
    assert "site-packages" not in done.out.partition("short test summary")[0].partition("FAILURES")[2]


def test_a_wrong_answer_is_explained(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 4")
    done = run("exercises/extras")
    assert "assert 4 == 3" in done.out
    assert re.search(r"^E   The word `banana` has three\.\nE   .*assert 4 == 3", done.out, re.MULTILINE)
    assert re.search(r"extras/vowels +0/1", done.out)


def test_a_file_that_does_not_load_is_told_once(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "return x *")
    done = run("exercises")
    assert done.code == 1
    assert done.out.count("SyntaxError: invalid syntax") <= 2  # the failure, and pytest's own summary
    assert done.counts == "1 error, 2 not loaded, 1 not implemented"
    assert "return x *" in done.out
    assert re.search(r"basics/affine +0/4", done.out)


def test_the_summary_says_what_is_wrong_with_a_file(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return x *")
    done = run("exercises/extras")
    (line,) = [line for line in done.out.splitlines() if line.startswith("ERROR exercises")]
    assert re.search(r" - SyntaxError: invalid syntax \(vowels\.py, line \d+\)$", line)
    assert "\n    return x *\n" in done.out


def test_a_failure_says_what_the_test_checks_and_what_came(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "return x")
    told = "got [[1, -2]], expected [[3, -3]]"
    done = run("exercises/basics")
    assert re.search(r"^E   Twice the input, plus one\.\nE   AssertionError: .*: ", done.out, re.MULTILINE)
    assert told in done.out
    done = run("exercises/basics", lang="zh")
    assert "E   输入的两倍再加一。\nE   AssertionError" in done.out


def test_an_error_while_the_file_is_loaded_is_no_test_s(run: Run, toy: Path, edited: Edit) -> None:
    edited(
        toy / "exercises/basics/affine.py",
        'raise NotImplementedError("affine")',
        "return x\n\n\nno_such_name",
    )
    done = run("exercises/basics")
    assert "E   NameError: name 'no_such_name' is not defined" in done.out
    assert "Twice the input" not in done.out


def test_a_missing_file_is_told_with_its_remedy(run: Run, toy: Path) -> None:
    (toy / "exercises/extras/vowels.py").unlink()
    done = run("exercises/extras")
    assert "exercises/extras/vowels.py is missing; run `autograder build`" in done.out
    assert "Error" not in done.out
    (toy / "solutions/extras/vowels.py").unlink()
    assert "exercises/extras/vowels.py is missing; take it back" in run("exercises/extras").out


def test_every_failure_is_told(run: Run, toy: Path, edited: Edit) -> None:
    """Twenty failures of one file are twenty failures, each an exception of its own."""
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 4")
    with (toy / "exercises/extras/test_vowels.py").open("a") as file:
        file.write(
            "\n\nimport pytest\n\n\n@pytest.mark.parametrize('n', range(20))\ndef test_many(student, n):\n"
        )
        file.write("    assert student.vowels('') == n + 100\n")
    assert run("exercises/extras").counts == "21 failed"


def test_everything_passes(run: Run, toy: Path, shared_sandbox: Any) -> None:
    for name in ("basics/affine.py", "extras/vowels.py"):
        (toy / "exercises" / name).write_bytes((toy / "solutions" / name).read_bytes())
    done = run("exercises")
    assert done.code == 0
    assert done.counts == "4 passed"
    assert re.search(r"basics +4/4  █{20}", done.out)
    assert "Complete: 2 of 2 exercises" in done.out
    assert "Every exercise here is complete: all tests pass, the hidden ones, too." in done.out


def test_hidden_tests_follow_the_public_ones(
    run: Run, toy: Path, edited: Edit, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line for each exercise that lost points there, with what to read first; the answer is remembered."""
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 3")
    for lang, told in (("en", "Complete: 0 of 2 exercises"), ("zh", "已完成：2 道练习中的 0 道")):
        done = run("exercises", lang=lang)
        assert done.code == 0
        (line,) = [line for line in done.out.splitlines() if "--hidden" in line]
        assert re.fullmatch(r"extras/vowels +\S+/\S+  autograder check extras/vowels --hidden", line)
        assert told in done.out
        assert "Every exercise here is complete" not in done.out
        # The second run has nothing new to grade.
        monkeypatch.setattr("autograder.grading.worker.Worker.grade", None)


def test_hidden_tests_wait_for_all_public_ones(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/basics/affine.py", *AFFINE)
    done = run("exercises", "-k", "affine_by_hand")
    assert done.counts == "1 passed, 3 deselected"
    assert "--hidden" not in done.out and "Complete" not in done.out


def test_without_solutions_hidden_tests_decide_elsewhere(run: Run, toy: Path) -> None:
    for name in ("basics/affine.py", "extras/vowels.py"):
        (toy / "exercises" / name).write_bytes((toy / "solutions" / name).read_bytes())
    shutil.rmtree(toy / "solutions")
    for lang, told in (
        ("en", "All public tests pass. They are only a part: hidden tests decide."),
        ("zh", "公开测试全部通过。它们只是一部分，最终由隐藏测试决定。"),
    ):
        done = run("exercises", lang=lang)
        assert told in done.out
        assert "omplete" not in done.out


def test_a_run_is_noted(run: Run, toy_course: Course, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/basics/affine.py", *AFFINE)
    run("exercises")
    states = {found.exercise: found for found in states_of(toy_course, toy_course)}
    assert states["basics/affine"].state is State.BEGUN
    assert (states["basics/affine"].score, states["basics/affine"].max_score) == (2, 4)
    assert states["extras/vowels"].state is State.NOT_BEGUN


def test_a_quiz_has_no_public_points_and_yet_a_state(run: Run, quiz: Exercise, shared_sandbox: Any) -> None:
    def state() -> State:
        (found,) = states_of(Course.load(quiz.root), [quiz])
        return found.state

    text = quiz.skeleton.read_text(encoding="utf-8")
    text = re.sub(r"^(\w+) = \.\.\.  # a number", r"\1 = 1.5  # a number", text, flags=re.M)
    text = text.replace("steps = ...", 'steps = "ab"  #').replace(" = ...", ' = "a"  #')
    quiz.skeleton.write_text(text, encoding="utf-8")
    assert run("exercises", "-k", "comes_first").counts == "1 passed, 11 deselected"
    assert state() is State.BEGUN  # seven questions were not looked at
    assert run("exercises/basics/test_quiz.py").counts == "1 failed, 7 passed"
    assert state() is State.BEGUN
    quiz.skeleton.write_text(text.replace('"ab"', '"abc"'), encoding="utf-8")
    run("exercises/basics/test_quiz.py")
    assert state() is State.PUBLIC
    quiz.skeleton.write_text(quiz.solution.read_text(encoding="utf-8"), encoding="utf-8")
    run("exercises/basics/test_quiz.py")
    assert state() is State.COMPLETE


def test_k_counts_what_ran(run: Run, toy: Path, edited: Edit) -> None:
    edited(
        toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "return x * scale + shift"
    )
    done = run("exercises", "-k", "affine_by_hand")
    assert done.counts == "1 passed, 3 deselected"
    assert re.search(r"basics/affine +2/2", done.out)
    assert "extras/vowels" not in done.out
    one = run("exercises", "-k", "normalise_by_hand and 5.0")
    assert re.search(r"basics/affine +0/1 ", one.out)  # half of the function's two points


def test_in_chinese(run: Run) -> None:
    done = run("exercises", lang="zh")
    for text in (
        "尚未实现",
        "得分（公开测试）",
        "基础",
        "附加",
        "下一题：basics/affine，文件 exercises/basics/affine.py",
    ):
        assert text in done.out


def test_solutions_pass_their_hidden_tests(run: Run) -> None:
    done = run("solutions")
    assert done.code == 0
    assert done.counts == "4 passed"
    assert "points (public tests)" not in done.out


def test_fixtures_belong_to_exercises(run: Run, toy: Path) -> None:
    stray = toy / "tests" / "test_stray.py"
    stray.write_text("def test_a(student): pass\n")
    done = run("tests/test_stray.py")
    assert done.code != 0
    assert "whose exercise is listed in course/course.toml" in done.out


def test_reference_is_for_hidden_tests(run: Run, toy: Path) -> None:
    with (toy / "exercises/extras/test_vowels.py").open("a") as file:
        file.write("\n\ndef test_more(student, reference): pass\n")
    done = run("exercises/extras")
    assert "public tests can't use `reference`" in done.out


def test_forbidden_calls_in_process(run: Run, toy: Path, edited: Edit) -> None:
    edited(
        toy / "exercises/basics/affine.py",
        'raise NotImplementedError("normalise")',
        "return torch.nn.functional.layer_norm(x, x.shape[-1:], eps=0)",
    )
    done = run("exercises/basics", "-k", "normalise")
    assert "E   ForbiddenCall: torch.nn.functional.layer_norm is not allowed in this exercise's" in done.out
    assert done.code == 1


def test_limits_of_one_test(run: Run, toy: Path, edited: Edit) -> None:
    edited(
        toy / "exercises/extras/vowels.py",
        'raise NotImplementedError("vowels")',
        "return len([0] * 2**26) and 3",
    )
    edited(
        toy / "exercises/extras/test_vowels.py",
        "def test_word",
        "import pytest\n\n\n@pytest.mark.limits(memory_mb=64)\ndef test_word",
    )
    done = run("exercises/extras")
    assert "MemoryError" in done.out
    assert done.code == 1


def test_with_xdist(toy: Path, python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Reports come from workers; the table is the same."""
    done = python("-m", "pytest", *PLUGIN, "-n", "1", "exercises/extras", cwd=toy)
    assert "1 not implemented" in done.stdout
    assert re.search(r"extras/vowels +0/1", done.stdout)


def test_a_terminal_without_our_marks(
    toy: Path, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """What a pipe on Windows is."""
    settings = {"PYTHONIOENCODING": "cp1252", "AUTOGRADER_LANG": "en"}
    done = python("-m", "pytest", *PLUGIN, "exercises/extras", cwd=toy, env=settings)
    assert re.search(r"extras/vowels +0/1  \.{20}", done.stdout)


# ------------------------------------------------------------------------------------------- the table


def report(exercise: str, place: int, points: float = 1.0, question: str = "", passed: bool = False) -> Any:
    return SimpleNamespace(
        exercise=exercise, place=place, nodeid=f"{exercise}-{place}", points=points, passed=passed,
        not_implemented=question or None,
    )  # fmt: skip


def test_questions_stand_in_the_files_order(toy_course: Course) -> None:
    """Whichever of pytest-xdist's workers was the first."""
    told = [report("basics/affine", place, question="bac"[place]) for place in (2, 0, 1)]
    assert progress_of(toy_course, told)[0].unanswered == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("affine", "vowels", "following"),
    [
        ({"question": "affine"}, {"question": "vowels"}, "basics/affine"),
        ({"question": "affine"}, {"passed": False}, "extras/vowels"),
        ({"passed": True}, {"question": "vowels"}, "extras/vowels"),
        ({"passed": True}, {"passed": True}, None),
    ],
)
def test_next_is_what_is_begun(toy_course: Course, affine: Any, vowels: Any, following: str | None) -> None:
    rows = progress_of(
        toy_course, [report("basics/affine", 0, **affine), report("extras/vowels", 1, **vowels)]
    )
    assert (found.exercise if (found := next_of(rows)) else None) == following


def test_next_is_what_is_nearly_done(toy_course: Course) -> None:
    told = [report("basics/affine", 0, passed=True), report("basics/affine", 1, 2.0)]
    told += [report("extras/vowels", 2, 5.0, passed=True), report("extras/vowels", 3)]
    following = next_of(progress_of(toy_course, told))
    assert following is not None
    assert following.exercise == "extras/vowels"


def test_encodable() -> None:
    assert encodable("✓ ✗ · ██░ é 好", "utf-8") == encodable("✓ ✗ · ██░ é 好", None) == "✓ ✗ · ██░ é 好"
    assert encodable("✓ ✗ · ██░ é 好", "cp1252") == "+ x - ##. é ?"
    assert encodable("✓ é 好", "ascii") == "+ ? ?"


CHINESE = {
    "assert_close(student.affine(1.0, 1.0, 1.0), torch.ones(2))": "结果应为张量，而不是 float",
    "assert_close(student.affine(torch.ones(2), 1.0, 1.0), torch.ones(3))": "结果的形状是 [2]，应为 [3]",
    "assert_close(student.affine(torch.zeros(2), 1, 0), torch.ones(2))": (
        "结果与期望值不够接近（不一致的元素：2 / 2（100.0%）；差距最大处：1.0，下标 (0,)，允许 0.0001）："
        "得到 [0, 0]，应为 [1, 1]"
    ),
    "with pytest.raises(TypeError): student.affine(1.0, 1.0, 1.0)": "这里应当引发 TypeError，却什么也没有引发",
}


@pytest.mark.parametrize("line", CHINESE)
def test_what_went_wrong_in_chinese(run: Run, toy: Path, edited: Edit, line: str) -> None:
    edited(
        toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "return x * scale + shift"
    )
    with (toy / "exercises/basics/test_affine.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\nimport pytest\nimport torch\n\n\ndef test_it(student):\n    {line}\n")
    assert f"E   AssertionError: {CHINESE[line]}\n" in run("exercises/basics", "-k", "test_it", lang="zh").out


def test_how_two_values_differ_in_chinese(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "return [1, 2, 3]")
    with (toy / "exercises/basics/test_affine.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef test_it(student):\n    assert student.affine(1, 2, 3) == [1, 5]\n")
    out = run("exercises/basics", "-k", "test_it", lang="zh").out
    assert "下标 1 处不同：2 != 5" in out and "左边多一项：3" in out
    assert "At index 1 diff: 2 != 5" in run("exercises/basics", "-k", "test_it").out


def test_a_refused_import_is_told_in_chinese(run: Run, toy: Path, edited: Edit) -> None:
    edited(toy / "exercises/basics/affine.py", 'raise NotImplementedError("affine")', "import pandas")
    assert (
        "E   ForbiddenImport: 提交的代码不能导入 pandas：只能导入 torch"
        in run("exercises/basics", lang="zh").out
    )
