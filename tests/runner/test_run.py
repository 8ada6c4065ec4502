"""How a test ends, in process, and what the student reads about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from autograder.feedback.explain import FIXED, explain
from autograder.feedback.handed_in import HandedIn
from autograder.feedback.remedy import BY_CLAIM
from autograder.guest.loading import load_module
from autograder.guest.seed import seed_everything, seed_of
from autograder.remote.errors import Frame, student_error
from autograder.results import Limits, Outcome, Visibility
from autograder.runner.collect import TestCase, collect
from autograder.runner.in_process import InProcessBackend
from autograder.runner.run import Ending, classify, run_case
from autograder.sandbox.errors import Blocked, Crashed, OutOfMemory, SandboxFault, TimedOut
from autograder.testing.ranks import CollectiveError
from autograder.text import Text

STUDENT = "<submission.py>"
SECRET = 271828  # a hidden input: it must appear in no hidden message


def is_student(filename: str) -> bool:
    return filename == STUDENT


Grade = Callable[..., tuple[Ending, Text]]


@pytest.fixture
def grade(tmp_path: Path) -> Grade:
    """`grade(student's source, test's body)` -> how it ended, and the message."""

    def run(
        source: str,
        body: str = f"assert student.f({SECRET}) == {SECRET}",
        *,
        public: bool = False,
        forbidden: Any = (),
    ) -> tuple[Ending, Text]:
        visibility = Visibility.PUBLIC if public else Visibility.HIDDEN
        path = tmp_path / "unit" / "test_it.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f'import torch\ndef test_it(student, build, reference):\n    """What it checks.\n\n    zh: 检查什么。\n    """\n    {body}\n'
        )
        (case,) = collect(path, visibility)
        module = load_module({"submission.py": source.encode()}, "submission.py")
        ending = run_case(case, _backend(module, forbidden), None, Limits(seconds=1.5, memory_mb=256))
        return ending, explain(ending, case, is_student, 1.5, 256)

    return run


def test_passed(grade: Grade) -> None:
    ending, message = grade("def f(x): return x\n")
    assert ending.passed
    assert message == Text()


@pytest.mark.parametrize("public", [True, False])
def test_failed(grade: Grade, public: bool) -> None:
    ending, message = grade("def f(x): return -x\n", public=public)
    assert ending.outcome is Outcome.FAILED
    assert message.en.startswith("What it checks.")
    assert message.zh.startswith("检查什么。")
    assert (str(SECRET) in message.en) is public
    if not public:
        assert message == Text("What it checks.", "检查什么。")


@pytest.mark.parametrize(
    ("source", "body", "question"),
    [
        ('def f(x): raise NotImplementedError("f")\n', "student.f(1)", "f"),
        ('class A:\n    def g(self): raise NotImplementedError("A.g")\n', "student.A().g()", "A"),
        ('def g(): raise NotImplementedError("g")\ndef f(x): return g()\n', "student.f(1), student.g()", "g"),
    ],
)
def test_not_implemented(grade: Grade, source: str, body: str, question: str) -> None:
    ending, message = grade(source, body)
    assert ending.outcome is Outcome.NOT_IMPLEMENTED
    assert ending.question == question
    assert message == Text(f"{question} is not implemented yet.", f"{question} 还没有实现。")


def test_missing(grade: Grade) -> None:
    ending, message = grade("def g(x): return x\n", "student.f(1)")
    assert ending.outcome is Outcome.NOT_IMPLEMENTED
    assert ending.question == "f"
    assert message.en == "f is missing from your file; take it over from the exercise's skeleton."
    assert "f" in message.zh


def test_torch_s_own_not_implemented_error_is_an_error(grade: Grade) -> None:
    ending, _ = grade(
        "import torch\ndef f(x): raise NotImplementedError('\"add_relu\" not implemented for Half')\n"
    )
    assert ending.outcome is Outcome.ERROR


@pytest.mark.parametrize("public", [True, False])
def test_error(grade: Grade, public: bool) -> None:
    source = "def g(x):\n    raise ValueError(f'saw {x}')\ndef f(x):\n    return g(x)\n"
    ending, message = grade(source, public=public)
    assert ending.outcome is Outcome.ERROR
    if public:
        assert message.en.splitlines() == [
            f"ValueError: saw {SECRET}",
            "  line 4, in f: return g(x)",
            "  line 2, in g: raise ValueError(f'saw {x}')",
        ]
    else:
        assert message == Text("ValueError in line 2.", "第 2 行出现 ValueError。")


@pytest.mark.parametrize(
    ("base", "family"),
    [("Exception", "Exception"), ("KeyError", "KeyError"), ("ZeroDivisionError", "ZeroDivisionError"),
     ("ValueError", "ValueError"), ("RuntimeError", "RuntimeError"), ("BaseException", "Exception")],
)  # fmt: skip
def test_an_exception_s_name_can_carry_nothing_out(grade: Grade, base: str, family: str) -> None:
    """A submission that spells a hidden input in the name, the message and the function of its exception."""
    source = (
        "def f(x):\n"
        f"    kind = type(f'Saw_{{x}}', ({base},), {{}})\n"
        "    namespace = {}\n"
        "    exec(compile(f'def saw_{x}(kind): raise kind(\"saw {x}\")', __file__, 'exec'), namespace)\n"
        "    namespace[f'saw_{x}'](kind)\n"
    )
    ending, message = grade(source)
    assert ending.outcome is Outcome.ERROR
    for text in (message.en, message.zh):
        assert str(SECRET) not in text
        assert "aw" not in text.replace("FlawError", "")
        assert family in text


@pytest.mark.parametrize(
    "raised",
    [
        "NotImplementedError(f'saw_{x}')",
        "NotImplementedError(f'f.saw_{x}')",
        """AttributeError(f"module 'submission' has no attribute 'saw_{x}'")""",
    ],
)
def test_a_question_s_name_can_carry_nothing_out(grade: Grade, raised: str) -> None:
    """A question that the exercise does not have is the submission's invention."""
    ending, message = grade(f"def f(x):\n    raise {raised}\n")
    assert str(SECRET) not in message.en + message.zh
    assert str(SECRET) not in str(ending.question)
    assert ending.outcome in (Outcome.ERROR, Outcome.NOT_IMPLEMENTED)


def test_a_line_number_chosen_by_the_submission(grade: Grade) -> None:
    """The line is within the student's file: a made-up line number could be the hidden value itself."""
    source = "def f(x):\n    exec(compile('\\n' * (x - 1) + 'raise ValueError', __file__, 'exec'))\n"
    _, message = grade(source)
    assert str(SECRET) not in message.en


def test_hidden_assertion_raised_by_the_student(grade: Grade) -> None:
    ending, message = grade("def f(x):\n    assert False, f'saw {x}'\n")
    assert ending.outcome is Outcome.ERROR
    assert message.en == "AssertionError in line 2."


def test_a_wrong_type_is_a_failure_to_be_settled(grade: Grade) -> None:
    ending, message = grade("def f(x): return None\n", "assert student.f(1).shape == (1,)")
    assert ending.outcome is Outcome.FAILED
    assert message.en == "What it checks."


def test_forbidden_call(grade: Grade) -> None:
    ending, message = grade(
        "import torch\ndef f(x): return torch.softmax(torch.ones(2), -1)\n",
        public=True,
        forbidden=["torch.softmax"],
    )
    assert ending.outcome is Outcome.ERROR
    assert "ForbiddenCall: torch.softmax is not allowed in this exercise's functions" in message.en


def test_forbidden_call_in_chinese(grade: Grade) -> None:
    _, message = grade(
        "import torch\ndef f(x): return torch.softmax(torch.ones(2), -1)\n",
        public=True,
        forbidden=["torch.softmax"],
    )
    assert (
        message.zh.splitlines()[0] == "ForbiddenCall: 本题的函数里不能使用 torch.softmax；请自己实现它的功能"
    )


def test_forbidden_import(grade: Grade) -> None:
    """The module, the line, and what may be imported: all of it where nothing hidden can be in it."""
    source = "def f(x):\n    import pandas\n"
    _, message = grade(source, public=True)
    assert message.en.splitlines() == [
        "ForbiddenImport: a submission may not import pandas, only torch, numpy, matplotlib, the standard library and "
        "files handed in with it; if pandas is a file of yours, hand it in, too",
        "  line 2, in f: import pandas",
    ]
    assert message.zh.startswith(
        "ForbiddenImport: 提交的代码不能导入 pandas：只能导入 torch、numpy、matplotlib、标准库"
    )
    _, message = grade(source)
    assert message.en == f"ImportError in line 2. {BY_CLAIM['ImportError', 'ForbiddenImport'].en}"
    assert "pandas" not in message.en + message.zh


WORDED = {
    "assert_close(student.f(1), [2.0])": "结果[0]是 1.5，应约为 2.0",
    "assert_close(student.f(1), 1)": "结果应为数，而不是 list",
    "import pytest\n    with pytest.raises(ValueError): student.f(1)": "这里应当引发 ValueError，却什么也没有引发",
    "check_refusal(student.f, [1], [2], ValueError)": "错误的参数没有被拒绝；应当引发 ValueError",
}


@pytest.mark.parametrize("body", WORDED)
def test_what_helpers_say_in_chinese(grade: Grade, body: str) -> None:
    imported = "from autograder.testing import assert_close, check_refusal\n    "
    _, message = grade("def f(x): return [1.5]\n", imported + body, public=True)
    assert message.zh.splitlines()[-1] == WORDED[body]
    assert message.en.splitlines()[-1].isascii()


def test_forbidden_call_in_a_hidden_test(grade: Grade) -> None:
    """That it was forbidden is said in words of ours; which call it was would be the submission's word."""
    _, message = grade(
        "import torch\ndef f(x): return torch.softmax(torch.ones(2), -1)\n", forbidden=["torch.softmax"]
    )
    assert message.en == f"RuntimeError in line 2. {BY_CLAIM['RuntimeError', 'ForbiddenCall'].en}"
    assert message.zh == f"第 2 行出现 RuntimeError。{BY_CLAIM['RuntimeError', 'ForbiddenCall'].zh}"


@pytest.mark.parametrize(
    ("name", "family", "told"),
    [
        ("ForbiddenCall", "RuntimeError", True),
        ("ForbiddenCall", "KeyError", False),
        (f"ForbiddenCall{SECRET}", "RuntimeError", False),
    ],
)
def test_a_claimed_forbidden_call_carries_nothing_out(name: str, family: str, told: bool) -> None:
    error = student_error(name, [name, family, "Exception"], f"saw {SECRET}")
    message = explain(classify(error, _backend()), _case(Visibility.HIDDEN), is_student, 2.0, 64)
    assert (
        message.en
        == f"{family} in your code.{' ' + BY_CLAIM['RuntimeError', 'ForbiddenCall'].en if told else ''}"
    )
    assert str(SECRET) not in message.en + message.zh


def test_memory(grade: Grade) -> None:
    ending, message = grade("import torch\ndef f(x): return torch.ones(2**30).sum() and x\n")
    assert ending.outcome is Outcome.MEMORY
    assert message == FIXED[Outcome.MEMORY].format(memory_mb=256)
    again, _ = grade("import torch\ndef f(x): return torch.ones(2**24).sum() and x\n")  # 64 MiB fit
    assert again.passed


def test_exit_is_the_student_s_error(grade: Grade) -> None:
    ending, _ = grade("import sys\ndef f(x): sys.exit(0)\n")
    assert ending.outcome is Outcome.ERROR


def test_interrupt_is_the_learner_s_own(grade: Grade) -> None:
    with pytest.raises(KeyboardInterrupt):
        grade("def f(x): raise KeyboardInterrupt\n")


def test_tests_are_seeded(grade: Grade) -> None:
    source = "import torch\ndef f(x): return x\ndef g(): return torch.rand(3)\n"
    body = "student.seen = [*getattr(student, 'seen', []), torch.rand(2)]; print(torch.rand(1).item())"
    for _ in range(2):
        assert grade(source, body)[0].passed


def test_the_same_draws_every_time(grade: Grade, capsys: pytest.CaptureFixture[str]) -> None:
    body = "import random; print(torch.rand(1).item(), random.random())"
    grade("def f(x): return x\n", body)
    first = capsys.readouterr().out
    torch.rand(5)
    grade("import torch\ntorch.manual_seed(1)\ndef f(x): return x\n", body)
    assert capsys.readouterr().out == first
    # In process both sides draw from the same generators; the inputs are those that an isolated run draws.
    seed_everything(seed_of("test_it"))
    assert first.split()[0] == str(torch.rand(1).item())


def _backend(module: ModuleType | None = None, forbidden: Any = ()) -> InProcessBackend:
    return InProcessBackend(lambda skipped: module or ModuleType("submission"), forbidden, is_student)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimedOut("x"), Outcome.TIMEOUT),
        (OutOfMemory("x"), Outcome.MEMORY),
        (Crashed("x"), Outcome.CRASHED),
        (Blocked("x"), Outcome.BLOCKED),
        (SandboxFault("x"), Outcome.UNGRADED),
        (CollectiveError("x"), Outcome.FAILED),
        (student_error("ValueError", ["ValueError"], "x"), Outcome.ERROR),
        (student_error("MemoryError", ["MemoryError"], ""), Outcome.MEMORY),
        (student_error("RuntimeError", ["RuntimeError"], "can't allocate memory: 5"), Outcome.MEMORY),
        (student_error("NotImplementedError", ["NotImplementedError"], "A.b"), Outcome.NOT_IMPLEMENTED),
        (student_error("NotImplementedError", ["NotImplementedError"], "not now"), Outcome.ERROR),
        (student_error("AssertionError", ["AssertionError"], ""), Outcome.ERROR),
        (AssertionError("x"), Outcome.FAILED),
        (pytest.fail.Exception("x"), Outcome.FAILED),
        (TypeError("x"), Outcome.FAILED),
        (AttributeError("module 'submission' has no attribute 'f'"), Outcome.NOT_IMPLEMENTED),
        (AttributeError("module 'torch' has no attribute 'f'"), Outcome.FAILED),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, BaseException) else str(value),
)
def test_every_ending(error: BaseException, outcome: Outcome) -> None:
    assert classify(error, _backend()).outcome is outcome


def _case(visibility: Visibility) -> TestCase:
    sentence = Text("Scores are scaled.", "分数要缩放。")
    return TestCase("test_a", lambda: None, (), {}, 1.0, sentence, visibility)


@pytest.mark.parametrize("outcome", FIXED)
@pytest.mark.parametrize("visibility", Visibility)
def test_fixed_messages_tell_nothing_of_the_error(outcome: Outcome, visibility: Visibility) -> None:
    message = explain(Ending(outcome, Crashed(f"saw {SECRET}")), _case(visibility), is_student, 2.0, 64)
    assert message.en
    assert message.zh
    assert re.search("[一-鿿]", message.zh)
    assert str(SECRET) not in message.en + message.zh


def test_confined_errors_are_told_by_family_and_function() -> None:
    """What arrives from a sandbox is the submission's word: in a hidden test, only the names of a builtin and of a function
    that the skeleton asks for, and the file defines, pass."""
    source = f"def f(x):\n    pass\ndef saw_{SECRET}():\n    pass\n".encode()
    handed_in = HandedIn({"submission.py": source}, "submission.py", ["f", "g"])
    for above, said in (
        ("f", "KeyError in f."),
        ("g", "KeyError in your code."),
        ("<module>", "KeyError in your code."),
    ):
        error = student_error(
            f"Saw{SECRET}", [f"Saw{SECRET}", "KeyError", "LookupError", "Exception"], f"saw {SECRET}",
            [Frame(STUDENT, 2, above, ""), Frame(STUDENT, 3, f"saw_{SECRET}", f"raise Saw{SECRET}")],
        )  # fmt: skip
        ending = classify(error, _backend())
        hidden = explain(ending, _case(Visibility.HIDDEN), is_student, 2.0, 64, handed_in)
        assert hidden.en == said
        assert (hidden.zh == "f 中出现 KeyError。") is (above == "f")
    public = explain(ending, _case(Visibility.PUBLIC), is_student, 2.0, 64, handed_in)
    assert public.en.startswith(f"Saw{SECRET}: saw {SECRET}\n")
    assert f"\n  line 3, in saw_{SECRET}" in public.en


def test_error_without_a_line_of_the_student() -> None:
    ending = classify(student_error("RecursionError", ["RecursionError", "RuntimeError"], "deep"), _backend())
    assert explain(ending, _case(Visibility.HIDDEN), is_student, 2.0, 64).en == "RecursionError in your code."


def test_control_characters_do_not_reach_a_terminal() -> None:
    error = student_error("ValueError", ["ValueError"], "\x1b[2Jgone\x07")
    shown = explain(classify(error, _backend()), _case(Visibility.PUBLIC), is_student, 2.0, 64).en
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_long_messages_are_cut() -> None:
    error = AssertionError("x" * 10_000)
    assert len(explain(classify(error, _backend()), _case(Visibility.PUBLIC), is_student, 2.0, 64).en) < 700
