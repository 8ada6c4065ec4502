"""What the grader repeats of what a submission's code says of itself: what stands in the file, and nothing else.

A submission's code may know the hidden inputs of its other exercises, by whatever channel between two processes there is. A
file that does not load, or a cell that fails, would carry them to its author.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from autograder.course import Exercise
from autograder.feedback.handed_in import WORDS
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Status, Visibility

# What is said of every error, and the sentences of the public tests.
FIXED = r"\w*Error|Exception|Run the .*|Twice the .*|The row 1, .*|\S+ is not there where .*|A submission may import .*"
# An example's lines: what is asked and what is right are ours, and so is the kind of an error; a value is the submission's own.
EXAMPLE = r"The smallest example found:|  (affine|normalise)\(torch.tensor\(.*|  right      .*|  your code  (raises \w+|a large tensor|another result)"
SECRET = "271828"  # what only the code knows: it stands in no file
KNOWN = "saw = ''.join(chr(48 + n) for n in (2, 7, 1, 8, 2, 8))\n"
RIGHT = (
    "def affine(x, scale, shift):\n    return x * scale + shift\n\n\n"
    "def normalise(x):\n    return (x - x.mean(-1, True)) / x.std(-1, keepdim=True, correction=0)\n"
)


@pytest.fixture
def grade(affine: Exercise, shared_sandbox: Any) -> Callable[..., ExerciseResult]:
    """`grade(source, helper="...")`; a source that is a list is a notebook's cells."""
    worker, bundle = Worker(Mode()), bundle_of(affine)

    def run(source: str | list[str], **beside: str) -> ExerciseResult:
        files = {f"{name}.py": text.encode() for name, text in beside.items()}
        main = "affine.py"
        if isinstance(source, list):
            main = "affine.ipynb"
            source = json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in source]})
        return worker.grade(
            bundle, Submission("s001", affine.id, main, main, {main: source.encode(), **files})
        )

    return run


def told(result: ExerciseResult) -> str:
    return json.dumps(
        [(text.en, text.zh) for text in (result.message, *(test.message for test in result.tests))]
    )


CLAIMS = {
    "a text": "raise ValueError(saw)",
    "a class": "raise type('E' + saw, (KeyError,), {})",
    "a module": "raise ModuleNotFoundError(f\"No module named 'm{saw}'\")",
    "a refused module": "class ForbiddenImport(ImportError): pass\nraise ForbiddenImport(f'a submission may not import m{saw}')",
    "a name": "raise NameError(f\"name 'n{saw}' is not defined\")",
    "a missing name": "raise ImportError(f\"cannot import name 'n{saw}' from 'torch'\")",
    "a syntax error": "raise SyntaxError(f'saw {saw}')",
    "a syntax error's place": "raise SyntaxError('no', (__file__, 3, 1, saw))",
    "a missing file": "raise FileNotFoundError(2, 'No such file or directory', saw)",
    "a line's text": "import linecache\nlinecache.cache[__file__] = (1, None, [saw + '\\n'] * 99, __file__)\nraise ValueError",
    "a line of another file": "exec(compile('\\n' * 5 + 'raise ValueError', '<' + saw + '.py>', 'exec'))",
    "a line far down": "exec(compile('\\n' * (int(saw) - 1) + 'raise ValueError', __file__, 'exec'))",
    "a function": "exec(compile(f'def f{saw}(): raise ValueError\\nf{saw}()', __file__, 'exec'))",
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_a_file_that_does_not_load_tells_nothing_that_it_knows(grade: Callable[..., Any], name: str) -> None:
    result = grade(f"{KNOWN}{CLAIMS[name]}\n{RIGHT}")
    assert (result.status, result.score) == (Status.INVALID, 0.0)
    assert SECRET not in told(result)
    assert result.message.en and result.message.zh


@pytest.mark.parametrize("name", CLAIMS)
def test_a_cell_that_fails_tells_nothing_that_it_knows(grade: Callable[..., Any], name: str) -> None:
    result = grade([f"{KNOWN}{CLAIMS[name]}", RIGHT])
    assert result.score == result.max_score
    assert "The cell that begins with `saw = ''.join(" in result.message.en
    assert SECRET not in told(result)


def test_a_cell_that_was_never_there(grade: Callable[..., Any]) -> None:
    """The notes are the submission's word as a whole."""
    forge = (
        "import gc, sys\ncells = sys.modules['autograder.guest.cell_runner']\n"
        "notes = next(frame.f_locals['notes'] for frame in iter_frames() if 'notes' in frame.f_locals)\n"
        "notes.append(cells.SkippedCell(saw, 'ValueError', saw))"
    )
    frames = (
        "def iter_frames():\n    f = sys._getframe()\n    while f:\n        yield f\n        f = f.f_back"
    )
    result = grade(["import sys", frames, KNOWN + forge, RIGHT])
    assert result.score == result.max_score
    assert told(result).count(SECRET) == 0


# What a public test's error is made of; SNOW is what only the code knows, as much of it as it likes.
SNOW = "\N{SNOWMAN}"
PUBLIC = {
    "a text": "raise ValueError(f'{n} {saw}')",
    "another text at each call": "raise ValueError(f'{n} {saw}')",
    "a class": "raise type(f'E{n}{saw}', (Exception,), {})",
    "a function": "exec(compile(f'def f{chr(97 + n % 9) * 70}(): raise ValueError\\nf{chr(97 + n % 9) * 70}()', __file__, 'exec'))",
    "a line's text": "import linecache\n    linecache.cache[__file__] = (1, None, [saw + '\\n'] * 99, __file__)\n    raise ValueError",
    "a module": "raise ModuleNotFoundError(f\"No module named 'm{n}{'e' * 60}'\")",
    "a shape": "import torch\n    return torch.zeros(0, *([n] * 40), 222222)",
    "a key": "return {saw: n}",
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_public_tests_repeat_few_of_a_submission_s_own_words(grade: Callable[..., Any], name: str) -> None:
    """Beyond what stands in its file, and the same for every file: no more than a few words about an exercise."""
    body = f"    global n\n    n += 1\n    saw = chr(0x2603) * 600\n    {PUBLIC[name]}\n"
    source = f"n = 0\ndef affine(*a):\n{body}def normalise(*a):\n{body}"
    public = [test for test in grade(source).tests if test.visibility is Visibility.PUBLIC]
    assert len(public) == 3 and {test.score for test in public} == {0.0}
    stands = {line.strip() for line in source.splitlines()}
    lines = {line for test in public for line in test.message.en.splitlines()}
    said = [
        line
        for line in lines
        if not re.fullmatch(f"{FIXED}|{EXAMPLE}", line)
        and re.sub(r"  line \d+(, in (affine|normalise))?: ", "", line) not in stands
    ]
    assert len("".join(said).encode()) <= WORDS + 10, said


def test_the_first_failure_is_told_whole(grade: Callable[..., Any]) -> None:
    """And the same words again, which tell nothing new; of the next one, what fits."""
    result = grade(
        "def affine(*a):\n    raise ValueError('first ' * 30)\n"
        "def normalise(x):\n    raise KeyError('second ' * 30) if x.max() < 5 else ValueError('first ' * 30)\n"
    )
    public = [t.message.en for t in result.tests if t.visibility is Visibility.PUBLIC]
    first, second, third = (said.partition("\nThe smallest example")[0] for said in public)
    assert first == f"ValueError: {'first ' * 30}\n  line 2, in affine: raise ValueError('first ' * 30)"
    assert re.match(r"KeyError: '(second )+s\w*…\n  line 4, in normalise: raise Key", second)
    assert second.endswith("\nRun the public tests yourself to read more.")
    assert third.startswith(f"ValueError: {'first ' * 30}\n  line 4, in normalise: raise Key")


# What honest mistakes are told, at least in the first line and the second.
HONEST = {
    "no Python": ("x = 1\ndef affine(x:\n", ["SyntaxError: '(' was never closed (<affine.py>, line 2)", "  line 2: def affine(x:"]),
    "a return outside": ("x = 1\nreturn x\n", ["SyntaxError: 'return' outside function (<affine.py>, line 2)", "  line 2: return x"]),
    "a tab": ("def f():\n    x = 1\n\treturn x\n", ["TabError: inconsistent use of tabs and spaces in indentation (<affine.py>, line 3)"]),
    "a name": ("x = 1\ny = nosuch + x\n", ["NameError: name 'nosuch' is not defined", "  line 2: y = nosuch + x"]),
    "a library": (
        "import torch\nfrom einops.layers import torch as t\n",
        ["ForbiddenImport: a submission may not import einops.layers, only torch, numpy, matplotlib, the standard library and files "
         "handed in with it; if einops.layers is a file of yours, hand it in, too",
         "  line 2: from einops.layers import torch as t"],
    ),
    "a module of torch": (
        "import torch.nosuch\n",
        ["ModuleNotFoundError: No module named 'torch.nosuch'", "  line 1: import torch.nosuch",
         "torch.nosuch is not there where your work is graded: use torch, numpy, matplotlib and the standard library, and hand "
         "the missing file in, too, if it is one of yours."],
    ),
    "a name of torch": (
        "from torch import sofmax\n", ["ImportError: cannot import name 'sofmax'", "  line 1: from torch import sofmax"],
    ),
    "a type": ("x = 1\ny = x + 'a'\n", ["TypeError", "  line 2: y = x + 'a'"]),
    "in a function": ("def f():\n    return 1 / 0\nx = f()\n", ["ZeroDivisionError", "  line 2: return 1 / 0"]),
    "beside it": ("from helper import affine\n", ["NameError: name 'nosuch' is not defined", "  helper.py, line 2: x = nosuch"]),
    "no Python beside it": ("import broken\n", ["SyntaxError: invalid syntax (<broken.py>, line 2)", "  broken.py, line 2: x = = 1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_mistake_is_told(grade: Callable[..., Any], name: str) -> None:
    source, expected = HONEST[name]
    result = grade(source, helper="x = 0\nx = nosuch\n", broken="x = 0\nx = = 1\n")
    assert (result.status, result.score) == (Status.INVALID, 0.0)
    assert result.message.en.splitlines()[: len(expected)] == expected
    assert {test.message.en for test in result.tests} == {result.message.en}


def test_an_honest_mistake_in_a_notebook_is_told(grade: Callable[..., Any]) -> None:
    """Its lines are those of its code cells, a blank one between two of them."""
    result = grade(["x = 1", "%matplotlib inline\ny = 2", "def affine(x:\n    return x"])
    assert result.message.en.splitlines() == [
        "SyntaxError: '(' was never closed (<affine.ipynb>, line 6)",
        "  line 6: def affine(x:",
    ]
    result = grade(["x = 1", "def affine(x=nosuch):\n    return x"])
    assert result.message.en.splitlines() == [
        "NameError: name 'nosuch' is not defined",
        "  line 3: def affine(x=nosuch):",
    ]


def test_a_syntax_error_that_the_file_does_not_have(grade: Callable[..., Any]) -> None:
    """It is one that `exec` met: where it happened is told, what is wrong there is not known."""
    result = grade("x = 1\nexec('= 1')\n")
    assert result.message.en.splitlines() == ["SyntaxError", "  line 2: exec('= 1')"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def affine(x, scale, shift):\n    return helper(x)\n\ndef helper(x):\n    return 1 / 0\n",
            "affine",
        ),
        ("affine = lambda x, scale, shift: 1 / 0\n", None),
        ("def other(x, scale, shift):\n    return 1 / 0\naffine = other\n", None),
    ],
)
def test_a_hidden_test_names_the_function_asked_for(
    grade: Callable[..., Any], source: str, said: str | None
) -> None:
    hidden = [
        t
        for t in grade(source).tests
        if t.visibility is Visibility.HIDDEN and t.name.startswith("test_affine")
    ]
    messages = {(test.message.en, test.message.zh) for test in hidden}
    expected = (
        (f"ZeroDivisionError in {said}.", f"{said} 中出现 ZeroDivisionError。")
        if said
        else ("ZeroDivisionError in your code.", "你的代码出现 ZeroDivisionError。")
    )
    assert messages == {expected}


def test_neither_line_nor_function_of_its_choice_says_what_a_hidden_test_asked(
    grade: Callable[..., Any],
) -> None:
    """A thousand lines, and a thousand functions, each of which would be ten bits of the input."""
    for body in (
        "    exec(compile('\\n' * (int(x.numel()) + 99) + '1 / 0', __file__, 'exec'))\n",
        "    globals()[f'f{int(x.numel()) + 99}']()\n",
    ):
        functions = "".join(f"def f{n}():\n    1 / 0\n" for n in range(1000))
        result = grade(f"{functions}\ndef affine(x, scale, shift):\n{body}")
        hidden = {t.message.en for t in result.tests if t.name.startswith("test_affine[")}
        assert hidden == {"ZeroDivisionError in affine."}
