"""`check()`, its table, and the learner's loop."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder import check as check_function
from autograder.course import Course, CourseError, Exercise
from autograder.course.named import first_exercise, one_exercise
from autograder.feedback.report import Report, print_report
from autograder.learn.check import Interrupted, check_file, check_namespace, check_own
from autograder.learn.warm import Answer, Asked, Checker, fresh_check
from autograder.learn.watch import ALL_DONE, Loop
from autograder.results import Outcome, TestResult, Visibility
from autograder.text import Text

Edit = Callable[[Path, str, str], None]
AFFINE = ('raise NotImplementedError("affine")', "return x * scale + shift")
NORMALISE = (
    'raise NotImplementedError("normalise")',
    "return (x - x.mean(-1, True)) / x.std(-1, keepdim=True, correction=0)",
)


def test_untouched(affine: Exercise) -> None:
    report = check_file(affine, "en")
    assert (report.score, report.max_score, report.complete) == (0, 4, False)
    assert str(report).splitlines() == [
        "basics/affine  0 of 4 points",
        "  · affine  not implemented",
        "  · normalise  not implemented",
    ]


def test_half_done(affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, *AFFINE)
    report = check_file(affine, "zh")
    assert str(report).splitlines() == [
        "basics/affine  得分 2 / 4",
        "  ✓ test_affine_by_hand",
        "  · normalise  尚未实现",
    ]
    edited(affine.skeleton, *NORMALISE)
    assert check_file(affine, "en").complete


def test_failures_are_explained(affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, AFFINE[0], "return x")
    edited(affine.skeleton, NORMALISE[0], "return x / 0 if x.sum() > 5 else 1 / 0")
    text = str(check_file(affine, "en"))
    assert "✗ test_affine_by_hand\n      Twice the input, plus one.\n      the result is not close" in text
    assert "✗ test_normalise_by_hand\n      ZeroDivisionError: division by zero\n        line " in text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("return x *", "SyntaxError"),
        ("return x\n\n\nraise SystemExit(3)", "SystemExit"),
        ("return x\n\n\nimport no_such", "no_such"),
    ],
)
def test_a_file_that_does_not_load(affine: Exercise, edited: Edit, line: str, shown: str) -> None:
    edited(affine.skeleton, AFFINE[0], line)
    report = check_file(affine, "en")
    assert [test.name for test in report.tests] == ["affine.py"]
    assert (report.score, report.max_score) == (0, 4)
    assert shown in str(report)
    assert "line " in str(report)


def test_another_file(affine: Exercise, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def affine(x, scale, shift): return x * scale + shift\n")
    assert check_file(affine, "en", path).score == 2


def test_namespace_of_a_notebook(affine: Exercise) -> None:
    namespace = {"affine": lambda x, scale, shift: x * scale + shift, "__name__": "__main__"}
    report = check_namespace(affine, namespace, "en")
    assert report.score == 2
    assert [name for _, name, _ in report.lines()] == ["test_affine_by_hand", "normalise"]


# ------------------------------------------------------------------------------------------- where check() stands


def test_inert_when_imported(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace = {"__name__": "some_module", "check": check_function}
    exec('check("no/such")', namespace)
    assert capsys.readouterr().out == ""


def test_in_a_script(affine: Exercise, edited: Edit, python: Callable[..., Any]) -> None:
    edited(affine.skeleton, *AFFINE)
    done = python(str(affine.skeleton), env={"AUTOGRADER_LANG": "en"})
    assert done.returncode == 0, done.stderr
    assert "basics/affine  2 of 4 points" in done.stdout
    assert done.stdout.count("✓ test_affine_by_hand") == 2  # one table for each check() cell
    assert "· normalise" in done.stdout


def test_in_a_script_without_a_name(
    affine: Exercise, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace: dict[str, Any] = {
        "__name__": "__main__",
        "__file__": str(affine.skeleton),
        "check": check_function,
    }
    exec('check(lang="zh")', namespace)
    assert "basics/affine  得分 0 / 4" in capsys.readouterr().out


def in_a_cell(source: str) -> None:
    exec(source, {"__name__": "__main__", "check": check_function})


def test_what_keeps_a_check_from_its_table_stands_in_its_place(
    affine: Exercise, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(affine.root)
    in_a_cell('check(lang="en")')
    assert 'write check("UNIT/TOPIC")' in capsys.readouterr().out
    in_a_cell('check("basics/afine", lang="en")')
    assert "did you mean 'basics/affine'" in capsys.readouterr().out
    affine.public_tests.write_text("1 +", encoding="utf-8")
    in_a_cell('check("basics/affine", lang="en")')
    assert "can't be collected" in capsys.readouterr().out


def test_outside_the_course_it_is_given(
    affine: Exercise,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    in_a_cell('check("basics/affine", lang="en")')
    told = capsys.readouterr().out
    assert str(elsewhere) in told
    assert 'check("basics/affine", course="DIR")' in told
    assert "--course" not in told
    in_a_cell('check("basics/affine", lang="zh")')
    assert "没有课程" in capsys.readouterr().out
    in_a_cell(f'check("basics/affine", lang="en", course={str(affine.root)!r})')
    assert "basics/affine  0 of 4 points" in capsys.readouterr().out
    in_a_cell('check("basics/affine", lang="en", course=".")')
    assert "holds no course" in capsys.readouterr().out


def test_a_stream_without_our_marks(affine: Exercise, edited: Edit, python: Callable[..., Any]) -> None:
    """What a pipe on Windows is."""
    edited(affine.skeleton, *AFFINE)
    settings = {"AUTOGRADER_LANG": "en", "PYTHONIOENCODING": "cp1252"}
    done = python(str(affine.skeleton), env=settings)
    assert done.returncode == 0, done.stderr
    assert "+ test_affine_by_hand" in done.stdout
    done = python("-m", "autograder", "check", "basics/affine", cwd=affine.root, env=settings)
    assert "+ test_affine_by_hand" in done.stdout
    assert "Traceback" not in done.stderr


def test_interrupted(affine: Exercise, edited: Edit, cli: Callable[..., Any]) -> None:
    """Ctrl-C says what was running."""
    edited(affine.skeleton, AFFINE[0], "raise KeyboardInterrupt")
    with pytest.raises(
        Interrupted, match=r"^interrupted in test_affine_by_hand, line \d+ of affine\.py: raise"
    ):
        check_file(affine, "en")
    done = cli("check", "basics/affine", "--course", affine.root)
    assert done.code == 130
    assert "interrupted in test_affine_by_hand" in done.err
    assert len(done.err.splitlines()) == 1
    edited(affine.skeleton, "raise KeyboardInterrupt", "return x\n\n\nraise KeyboardInterrupt")
    with pytest.raises(Interrupted, match=r"在 affine\.py 中被中断"):
        check_file(affine, "zh")


def test_a_missing_file(affine: Exercise, cli: Callable[..., Any]) -> None:
    affine.skeleton.unlink()
    done = cli("check", "basics/affine", "--course", affine.root)
    assert done.code == 2
    assert "exercises/basics/affine.py is missing; run `autograder build`" in done.err
    assert "is missing" in cli("check", "basics/affine", "--hidden", "--course", affine.root).err


def test_names_that_a_learner_types(affine: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    course = Course.load(affine.root)
    monkeypatch.chdir(affine.root / "exercises")
    for name in (
        "basics/affine",
        "affine",
        "basics/affine.py",
        "basics/test_affine.py",
        str(affine.skeleton),
    ):
        assert one_exercise(course, name) == first_exercise(course, name) == affine
    for name in ("basics", "basics/", "exercises/basics"):
        assert first_exercise(course, name) == affine
    with pytest.raises(CourseError, match="'basics' is a unit; write one of its exercises: basics/affine"):
        one_exercise(course, "basics")
    for name in ("affine.py", "extras/affine.py", str(affine.solution), "no_such"):
        with pytest.raises(CourseError):
            one_exercise(course, name)


def test_in_a_jupyter_kernel(
    affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """A generated notebook with one question answered, run by the real kernel: the table is in the outputs."""
    import nbformat
    from nbclient import NotebookClient

    from autograder.authoring.notebooks import write_notebook

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    path = write_notebook(affine, affine.root / "notebooks", "zh")
    assert path is not None
    notebook = nbformat.read(path, as_version=4)
    answered = next(cell for cell in notebook.cells if "def affine" in cell.source)
    answered.source = answered.source.replace(*AFFINE)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    checks = [cell for cell in notebook.cells if cell.source.startswith("check(")]
    assert len(checks) == 2
    for cell in checks:
        (output,) = cell.outputs
        assert output.output_type == "display_data"
        html = output.data["text/html"]
        assert 'class="autograder-check" data-complete="false"' in html
        assert "得分 2 / 4" in html
        assert "<code>test_affine_by_hand</code>" in html
        assert "✓ test_affine_by_hand" in output.data["text/plain"]
        assert html.count("<details><summary>提示</summary>提示 1/1，normalise：") == 1


class Notebook:
    """Cells, run as the kernel runs them: each has a file name of its own, under which tracebacks find its lines."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__", "check": check_function}
        self.shown: list[Report] = []
        monkeypatch.chdir(folder)
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
        monkeypatch.setattr("IPython.display.display", self.shown.append)

    def run(self, source: str) -> None:
        import linecache

        name = f"/tmp/ipykernel_1/{abs(hash(source))}.py"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), self.namespace)

    def check(self) -> str:
        self.run('check("basics/affine", lang="en")')
        return self.shown[-1]._repr_html_()


def test_hints_in_a_notebook(affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folded up below the table, one step after each changed attempt."""
    fresh = '[[hint]]\nquestion = "affine"\nen = "Multiply first."\nzh = "先乘。"\n\n[[points]]\nquestion = "affine"'
    edited(affine.public_spec_file, '[[points]]\nquestion = "affine"', fresh)
    notebook = Notebook(affine.root, monkeypatch)
    notebook.run("import torch")
    notebook.run("def affine(x, scale, shift):\n    return x\n")
    for _ in range(2):  # the same attempt twice
        html = notebook.check()
        assert "Hint 1 of 2, affine" in html and "Hint 2 of 2" not in html
    notebook.run("def affine(x, scale, shift):\n    # the same\n    return x\n")
    assert "Hint 2 of 2" not in notebook.check()
    notebook.run("def affine(x, scale, shift):\n    return x + shift\n")
    assert "Hint 2 of 2, affine: Multiply first." in notebook.check()
    notebook.run(f"def affine(x, scale, shift):\n    {AFFINE[1]}\n")
    html = notebook.check()
    assert "Hint 1 of 1, normalise" in html and "affine:" not in html
    notebook.run(f"def normalise(x):\n    {NORMALISE[1]}\n")
    html = notebook.check()
    assert "<details>" not in html and 'data-complete="true"' in html
    assert "They are only a part: hidden tests decide." in html


# ------------------------------------------------------------------------------------------- the table


def a_test(name: str, outcome: Outcome, message: str = "", question: str | None = None) -> TestResult:
    points = 1.0 if outcome is Outcome.PASSED else 0.0
    return TestResult(
        name=name, visibility=Visibility.PUBLIC, outcome=outcome, score=points, max_score=1.0,
        message=Text(message, f"{message}（中文）" if message else ""), question=question,
    )  # fmt: skip


def test_lines_are_grouped() -> None:
    report = Report("u/t", "Title", [
        a_test("test_a[1]", Outcome.PASSED),
        a_test("test_a[2]", Outcome.FAILED, "first"),
        a_test("test_a[3]", Outcome.FAILED, "second"),
        a_test("test_b[1]", Outcome.PASSED),
        a_test("test_b[2]", Outcome.PASSED),
        a_test("test_c", Outcome.NOT_IMPLEMENTED, "C.f is not implemented yet.", "C.f"),
        a_test("test_d", Outcome.NOT_IMPLEMENTED, "C.g is not implemented yet.", "C.g"),
        a_test("test_e", Outcome.ERROR, "first"),
    ], "en")  # fmt: skip
    assert [(outcome.value, name, message) for outcome, name, message in report.lines()] == [
        ("failed", "test_a", "first"),
        ("passed", "test_b", ""),
        ("not_implemented", "C", "C.f is not implemented yet."),
        ("error", "test_e", "the same as test_a"),
    ]
    assert report.score == 3
    assert not report.complete
    assert not Report("u/t", "Title", [], "en").complete


def test_html_is_escaped() -> None:
    report = Report(
        "u/t", "<b>T</b>", [a_test("test_<a>", Outcome.ERROR, "<script>alert('x')</script> & \"q\"")], "en"
    )
    html = report._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<b>T" not in html
    assert "<code>test_&lt;a&gt;</code>" in html
    assert 'data-complete="false"' in html
    assert (
        'data-complete="true"' in Report("u/t", "T", [a_test("test_a", Outcome.PASSED)], "en")._repr_html_()
    )


def test_points_of_each_line() -> None:
    tests = [
        a_test("test_a[1]", Outcome.PASSED),
        a_test("test_a[2]", Outcome.FAILED, "first"),
        a_test("test_c", Outcome.NOT_IMPLEMENTED, "C.f is not implemented yet.", "C.f"),
        a_test("test_d", Outcome.NOT_IMPLEMENTED, "C.g is not implemented yet.", "C.g"),
    ]
    assert str(Report("u/t", "Title", tests, "en", shares=True)).splitlines()[1:] == [
        "  ✗ test_a  1/2",
        "      first",
        "  · C  0/2  not implemented",
    ]
    assert "1/2" not in str(Report("u/t", "Title", tests, "en"))


def test_a_narrow_terminal() -> None:
    """What does not fit stands below the beginning of its line, Chinese in two columns a character."""
    from rich.console import Console

    out = io.StringIO()
    report = "u/t  1 of 2\n  x test\n      a [b] sentence of some length\n      这是一个很长很长很长的句子"
    print_report(Console(file=out, width=26, force_terminal=True, color_system=None), report)
    assert out.getvalue().splitlines() == [
        "u/t  1 of 2",
        "  x test",
        "      a [b] sentence of",
        "      some length",
        "      这是一个很长很长很长",
        "      的句子",
    ]
    out = io.StringIO()
    print_report(Console(file=out, width=26), report)  # a file keeps its lines
    assert out.getvalue().splitlines() == report.splitlines()


# ------------------------------------------------------------------------------------------- learn


class Desk:
    """A learner at a pipe: answers of a fake check in turn, keys typed when the keys are shown after each of them."""

    def __init__(
        self, course: Course, lang: str, answers: list[tuple[bool, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from rich.console import Console

        reading, self.writing = os.pipe()
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, encoding="utf-8"))
        monkeypatch.setattr("autograder.learn.watch.INTERVAL", 0.01)
        self.out = Shown(self.type)
        self.answers = answers
        self.keys = ""
        self.checked: list[str] = []
        self.loop = Loop(course, lang, Console(file=self.out, width=200), self.check)

    def check(self, exercise: Exercise, lang: str) -> list[Answer]:
        self.checked.append(exercise.id)
        complete, self.keys = self.answers.pop(0) if self.answers else (False, "q")
        if self.keys == "s":
            stat = exercise.skeleton.stat()
            os.utime(exercise.skeleton, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
            self.keys = ""
        return [Answer(f"report of {exercise.id} [not markup]", complete)]

    def type(self) -> None:
        os.write(self.writing, "".join(f"{key}\n" for key in self.keys).encode())
        self.keys = ""

    def run(self, first: str | None = None) -> str:
        """What was shown. A learner who waits in vain quits after two minutes, and the test fails on what is missing."""
        patience = threading.Timer(120, os.write, (self.writing, b"q\n"))
        patience.start()
        try:
            self.loop.run(first)
        finally:
            patience.cancel()
            os.close(self.writing)
        return self.out.getvalue()


class Shown(io.StringIO):
    """What is printed; `keys_shown` is called whenever the line of the keys was."""

    def __init__(self, keys_shown: Callable[[], None]) -> None:
        super().__init__()
        self.keys_shown = keys_shown

    def write(self, text: str) -> int:
        written = super().write(text)
        if "q: quit" in text or "q：退出" in text:
            self.keys_shown()
        return written


def test_a_hint_when_it_is_asked_for(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Desk(toy_course, "en", [(False, "hhlq")], monkeypatch).run()
    assert "report of basics/affine [not markup]" in out
    assert "Edit exercises/basics/affine.py and save." in out
    assert out.count("Hint 1 of 1, affine: Which of the two comes first?") == 2
    assert "course/basics/affine.md" in out


def test_a_save_runs_the_tests_again_and_completion_goes_on(
    toy_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(toy_course, "en", [(False, "s"), (True, ""), (True, "")], monkeypatch)
    out = desk.run()
    assert desk.checked == ["basics/affine", "basics/affine", "extras/vowels"]
    assert "basics/affine is complete" in out
    assert ALL_DONE.en in out


def test_next_and_quit(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(toy_course, "zh", [(False, "n"), (False, "hq")], monkeypatch)
    out = desk.run()
    assert desk.checked == ["basics/affine", "extras/vowels"]
    assert "提示 1/1，vowels：注意大写。" in out
    assert ALL_DONE.zh not in out


def test_another_key_shows_the_keys_again(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Desk(toy_course, "en", [(False, "xq")], monkeypatch).run()
    assert out.count("h: hint") == 2


def test_a_missing_file_is_told_at_the_start(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_course.exercise("affine").skeleton.unlink()
    with pytest.raises(CourseError, match=r"affine\.py is missing; run"):
        Desk(toy_course, "en", [], monkeypatch).run()


def test_first_exercise_can_be_chosen(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(toy_course, "en", [(False, "q")], monkeypatch)
    desk.run("vowels")
    assert desk.checked == ["extras/vowels"]


def test_end_of_input_quits(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setattr(sys, "stdin", io.StringIO("H\n"))
    monkeypatch.setattr("autograder.learn.watch.INTERVAL", 0.01)
    out = io.StringIO()
    Loop(
        toy_course, "en", Console(file=out, width=200), lambda exercise, lang: [Answer("report", False)]
    ).run()
    assert "Hint 1 of 1, affine" in out.getvalue()


def test_editor_that_replaces_the_file(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some editors remove the old file before the new one is there."""
    desk = Desk(toy_course, "en", [(False, ""), (False, "q")], monkeypatch)
    skeleton = toy_course.exercise("affine").skeleton
    replaced = threading.Timer(0.2, skeleton.write_bytes, (skeleton.read_bytes(),))

    def check(exercise: Exercise, lang: str) -> list[Answer]:
        answers = desk.check(exercise, lang)
        if len(desk.checked) == 1:
            skeleton.unlink()
            replaced.start()
        return answers

    desk.loop.check = check
    desk.run()
    assert desk.checked == ["basics/affine", "basics/affine"]


def test_previous_and_next(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is complete is shown to a learner who goes back to it; past the ends there is nothing."""
    answers = [(True, ""), (False, "np"), (True, "pn"), (False, "q")]
    desk = Desk(toy_course, "en", answers, monkeypatch)
    out = desk.run()
    assert desk.checked == ["basics/affine", "extras/vowels", "basics/affine", "extras/vowels"]
    assert out.index("This is the last exercise.") < out.index("This is the first exercise.")
    assert ALL_DONE.en not in out


def test_what_was_passed_over_comes_again(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(toy_course, "en", [(False, "n"), (False, "s"), (True, ""), (False, "q")], monkeypatch)
    out = desk.run()
    assert desk.checked == ["basics/affine", "extras/vowels", "extras/vowels", "basics/affine"]
    assert ALL_DONE.en not in out


def test_public_tests_alone_complete_nothing(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a tree without solutions hidden tests decide elsewhere, and that is said."""
    import shutil

    desk = Desk(toy_course, "en", [(True, ""), (True, "")], monkeypatch)
    shutil.rmtree(toy_course.root / "solutions")
    out = desk.run()
    assert "basics/affine: all public tests pass. They are only a part: hidden tests decide." in out
    assert "complete" not in out


def test_a_quiz_whose_answers_have_the_right_form_is_not_called_right(
    quiz: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its public tests see no wrong answer: neither the table nor the loop may sound as if it were complete."""
    import shutil

    course = Course.load(quiz.root)
    shutil.copyfile(quiz.solution, quiz.skeleton)
    shutil.rmtree(quiz.root / "solutions")
    told = {
        "en": (
            "8 of 8 answers have the right form; grading tells whether they are right.",
            "all answers have the right form. Grading tells",
        ),
        "zh": ("8 个答案的格式都正确；是否答对，评分后才知道。", "答案的格式都正确；是否答对"),
    }
    for lang, (table, loop) in told.items():
        report = check_own(quiz, lang)
        assert str(report).splitlines()[0] == f"basics/quiz  {table}"
        assert str(report).count("\n") == 8, "and nothing below its eight lines"
        out = Desk(course, lang, [(True, "q")], monkeypatch).run("quiz")
        assert f"basics/quiz{': ' if lang == 'en' else '：'}{loop}" in out
    edited = quiz.skeleton.read_text(encoding="utf-8").replace("comes_first = ", "comes_first = 0 and ")
    quiz.skeleton.write_text(edited, encoding="utf-8")
    assert "7 of 8 tests passed" in str(check_own(quiz, "en"))


def test_a_save_is_told_by_the_system(toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it can be: nobody looks at the file meanwhile."""
    pytest.importorskip("watchfiles")
    desk = Desk(toy_course, "en", [(False, ""), (True, "q")], monkeypatch)
    monkeypatch.setattr("autograder.learn.watch.INTERVAL", 3600.0)
    skeleton, stop = toy_course.exercise("affine").skeleton, threading.Event()

    def save_again_and_again() -> None:
        while not stop.wait(0.2) and len(desk.checked) < 2:
            skeleton.write_bytes(skeleton.read_bytes() + b"\n")

    saving = threading.Thread(target=save_again_and_again)
    saving.start()
    try:
        desk.run("affine")
    finally:
        stop.set()
        saving.join()
    assert len(desk.checked) >= 2


@pytest.fixture
def checker(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Iterator[Checker]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Checker()
    yield made
    made.close()


def test_the_checker_runs_hidden_tests_after_the_public_ones(
    affine: Exercise, edited: Edit, checker: Checker
) -> None:
    (answer,) = checker.run(affine, "zh")
    assert "basics/affine  得分 0 / 4" in answer.text
    assert not answer.complete
    # One deviation for all rows together: the public tests have a single row.
    edited(affine.skeleton, *AFFINE)
    edited(affine.skeleton, NORMALISE[0], "return (x - x.mean(-1, True)) / x.std(correction=0)")
    public, everything = checker.run(affine, "en")
    assert public.complete and "4 of 4 points" in public.text
    assert not everything.complete and "of 12 points" in everything.text
    edited(affine.skeleton, "x.std(correction=0)", NORMALISE[1].partition(" / ")[2])
    _, everything = checker.run(affine, "en")
    assert everything.complete
    assert "Complete: all tests pass, the hidden ones, too." in everything.text


def test_a_checked_file_ends_alone(affine: Exercise, edited: Edit, checker: Checker) -> None:
    """What one run leaves, or breaks, is gone with its process; what it printed is shown."""
    edited(affine.skeleton, AFFINE[0], 'import os; print("so far"); os._exit(3)')
    (answer,) = checker.run(affine, "en")
    assert answer.text.startswith("so far") and "ended the Python process" in answer.text
    edited(affine.skeleton, 'import os; print("so far"); os._exit(3)', "torch.left = 1; input()")
    (answer,) = checker.run(affine, "en")
    assert "EOFError" in answer.text
    edited(affine.skeleton, "torch.left = 1; input()", "return x + torch.left")
    (answer,) = checker.run(affine, "en")
    assert "no attribute 'left'" in answer.text
    affine.skeleton.unlink()
    (answer,) = checker.run(affine, "en")
    assert "affine.py is missing" in answer.text and not answer.complete


def test_a_warm_process_that_was_ended_is_started_again(affine: Exercise, checker: Checker) -> None:
    import signal

    list(checker.run(affine, "en"))
    for warm in checker._warm.values():
        warm._process.send_signal(signal.SIGKILL)
    (answer,) = checker.run(affine, "en")
    assert "0 of 4 points" in answer.text


def test_where_nothing_can_be_forked_each_run_is_a_fresh_process(
    affine: Exercise, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    answer = fresh_check(Asked(str(affine.root), affine.id, "zh", False))
    assert "basics/affine  得分 0 / 4" in answer.text
    assert not answer.complete


# ------------------------------------------------------------------------------------------- check --hidden


def test_hidden_tests_with_diagnosis(affine: Exercise, edited: Edit, shared_sandbox: Any) -> None:
    from autograder.learn.hidden import check_hidden

    edited(affine.skeleton, AFFINE[0], "return (x + shift) * scale")
    edited(affine.skeleton, *NORMALISE)
    report = check_hidden(affine, "en")
    named = {test.name: test.diagnosis for test in report.tests if test.diagnosis}
    assert named["test_affine[3]"] == named["test_affine[7]"] == "shift_first"
    assert "The hint of shift_first." in str(report)
    assert (report.score, report.max_score) == (6, 12)
    assert "✗ test_affine  0/" in str(report)


def test_hidden_tests_that_are_not_here(affine: Exercise) -> None:
    from autograder.learn.hidden import check_hidden

    affine.hidden_tests.unlink()
    with pytest.raises(CourseError, match="released without hidden tests; leave out --hidden"):
        check_hidden(affine, "en")


def test_hidden_tests_without_a_sandbox(
    affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learner's own code on the learner's own machine: it runs in process there."""
    from autograder.learn.hidden import check_hidden
    from autograder.sandbox.errors import SandboxUnavailable

    def refuse(**options: Any) -> Any:
        raise SandboxUnavailable("not here")

    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", refuse)
    edited(affine.skeleton, *AFFINE)
    report = check_hidden(affine, "en")
    assert report.score == 6
