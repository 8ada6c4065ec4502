"""What a student is told to do about an error of the place where work is graded, and what such a message never holds."""

from __future__ import annotations

import re

import pytest

from autograder.feedback.explain import explain
from autograder.feedback.handed_in import HandedIn
from autograder.feedback.remedy import BY_FAMILY, FILES, NETWORK, PROCESS, remedy
from autograder.remote.errors import Frame, StudentError, student_error
from autograder.results import Visibility
from autograder.runner.collect import TestCase
from autograder.runner.run import Ending, Outcome
from autograder.text import Text

OS = ["OSError"]
DENIED = ["PermissionError", "OSError"]
ABSENT = ["FileNotFoundError", "OSError"]


def error(message: str, mro: list[str] = OS, name: str = "") -> StudentError:
    return student_error(name or mro[0], [*mro, "Exception"], message, [Frame("<a.py>", 2, "g", "f()")])


# As seen in confined processes, with namespaces and with Landlock alone.
SEEN = [
    ("[Errno 30] Read-only file system: '/tmp/x.log'", OS, FILES),
    ("[Errno 13] Permission denied: '/tmp/x.log'", DENIED, FILES),
    ("[Errno 1] Operation not permitted: '/tmp/tmpt49mklf7'", DENIED, FILES),
    ("[Errno 2] No such file or directory: 'corpus.txt'", ABSENT, FILES),
    ("[Errno 2] No such file or directory: \"it's.txt\"", ABSENT, FILES),
    ("[Errno 30] Read-only file system: b'x.dat'", OS, FILES),
    ("[enforce fail at inline_container.cc:747] . open file failed with strerror: Read-only file system",
     ["RuntimeError"], FILES),
    ("[Errno -2] Name or service not known", OS, NETWORK),
    ("<urlopen error [Errno -3] Temporary failure in name resolution>", OS, NETWORK),
    ("[Errno 1] Operation not permitted", DENIED, PROCESS),
    ("[Errno 2] No such file or directory", ABSENT, PROCESS),
    ("[Errno 13] Permission denied", DENIED, PROCESS),
    ("PermissionError: [Errno 1] Operation not permitted\n\nSet TORCHDYNAMO_VERBOSE=1", ["RuntimeError"], PROCESS),
    ("The server socket has failed to bind. port: 2345, name: EPERM, message: operation not permitted",
     ["RuntimeError"], PROCESS),
    ("[Errno 9] Bad file descriptor", OS, None),
    ("[Errno 1] Operation not permitted: 'x'", ["ValueError"], None),
    ("shapes don't match", ["RuntimeError"], None),
]  # fmt: skip


@pytest.mark.parametrize(("message", "mro", "expected"), SEEN)
def test_refusals(message: str, mro: list[str], expected: Text | None) -> None:
    assert remedy(error(message, mro)) == expected


def test_refused_databases() -> None:
    assert remedy(error("unable to open database file", ["Exception"], "OperationalError")) == FILES


MISSING = ["ModuleNotFoundError", "ImportError"]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("No module named 'einops'", "einops"),
        ("No module named 'numpy.nosuch'", "numpy.nosuch"),
        ("No module named 'helpers.x'; 'helpers' is not a package", "helpers.x"),
        ("No module named '工具'", "工具"),
    ],
)
def test_missing_module(message: str, name: str) -> None:
    said = remedy(error(message, MISSING))
    assert said is not None
    assert said.en.startswith(f"{name} is not there where your work is graded: use torch, numpy, matplotlib")
    assert "hand the missing file in" in said.en
    assert said.zh.startswith(f"评分环境里没有 {name}：请使用 torch、numpy、matplotlib 和标准库")


@pytest.mark.parametrize(
    "message",
    ["No module named 'two words'", "No module named ''", f"No module named '{'x' * 81}'", "No module named '1 2'",
     "No module named '<b>'", "No module named 'x\x1b[2J'", "saw No module named 'x'", "no"],
)  # fmt: skip
def test_what_is_no_module_s_name_is_not_repeated(message: str) -> None:
    assert remedy(error(message, MISSING)) is None


def test_the_learner_s_own_machine_is_another_place() -> None:
    assert remedy(ModuleNotFoundError("No module named 'einops'")) is None
    assert remedy(PermissionError(13, "Permission denied", "/etc/x")) is None


def told(raised: StudentError, visibility: Visibility) -> Text:
    case = TestCase("test_a", lambda: None, (), {}, 1.0, Text("It works."), visibility)
    handed_in = HandedIn({"a.py": b"def g():\n    f()\n"}, "a.py", ["g"])
    return explain(Ending(Outcome.ERROR, raised), case, "<a.py>".__eq__, 2.0, 64, handed_in)


def test_public_tests_tell_both_the_error_and_the_remedy() -> None:
    said = told(error("No module named 'einops'", MISSING), Visibility.PUBLIC)
    for text in (said.en, said.zh):
        assert text.startswith("ModuleNotFoundError: No module named 'einops'\n  line 2, in g: f()\n")
    assert "einops is not there" in said.en.splitlines()[-1]
    assert "没有 einops" in said.zh.splitlines()[-1]


@pytest.mark.parametrize(
    ("message", "mro"), [(m, mro) for m, mro, _ in SEEN] + [("No module named 'saw_73'", MISSING)]
)
def test_hidden_tests_tell_the_kind_of_error_and_nothing_of_its_text(message: str, mro: list[str]) -> None:
    """Two texts of one kind give the same message: which remedy is named can't be a message of its own."""
    said = told(error(message, mro), Visibility.HIDDEN)
    assert said == told(error("73", mro), Visibility.HIDDEN)
    advice = BY_FAMILY.get(mro[0], Text())
    assert said.en == f"{mro[0]} in g. {advice.en}".strip()
    assert said.zh == f"g 中出现 {mro[0]}。{advice.zh}"


def test_every_remedy_is_said_in_chinese() -> None:
    for text in (FILES, NETWORK, PROCESS, *BY_FAMILY.values()):
        assert re.search("[一-鿿]", text.zh)
