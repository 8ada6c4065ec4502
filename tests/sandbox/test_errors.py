"""The student's exceptions on the trusted side, and what they may never become."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from autograder.remote import program
from autograder.remote.client import RemoteModule
from autograder.remote.errors import Frame, StudentError, student_error
from autograder.sandbox.errors import SandboxFault
from autograder.sandbox.zygote import Zygote
from autograder.text import printable

EXCEPTIONS = [
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException) and value is not BaseException
]


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_builtin(name: str) -> None:
    kind = getattr(builtins, name)
    mro = [base.__name__ for base in kind.__mro__]
    error = student_error(name, mro, "text", [Frame("<s.py>", 1, "f", "x")])
    assert isinstance(error, StudentError) and isinstance(error, Exception)
    assert "text" in str(error) and "<s.py>:1" in str(error)
    never = (StopIteration, StopAsyncIteration, BaseExceptionGroup)
    assert isinstance(error, kind) == (issubclass(kind, Exception) and not issubclass(kind, never))
    with pytest.raises(StudentError):
        raise error


@pytest.mark.parametrize(
    "mro",
    [["SystemExit"], ["KeyboardInterrupt"], ["GeneratorExit"], ["BaseException"], ["object"], ["print"], ["Skipped"],
     ["OutcomeException", "BaseException"], ["__import__"], [], ["StopIteration", "Exception"], ["x" * 10**6] * 99],
)  # fmt: skip
def test_what_it_may_not_become(mro: list[str]) -> None:
    error = student_error("Skipped", mro, "skip me")
    assert type(error) is StudentError
    assert not isinstance(error, SystemExit | KeyboardInterrupt | pytest.skip.Exception | StopIteration)


def test_text_is_printable() -> None:
    error = student_error("A\x1b[2J", ["ValueError"], "\x1b]0;owned\x07\u202e\ud800" + "x" * 10**5)
    assert "\x1b" not in str(error) and "\ud800" not in str(error) and "\u202e" not in str(error)
    assert len(str(error)) < 5000
    str(error).encode()
    assert printable("abc", 3) == "abc" and printable("abcd", 3) == "ab…"


def test_frames_are_the_students_own(run: Callable[..., RemoteModule]) -> None:
    child = run(
        "import json\ndef outer(x):\n    return inner(x)\n\ndef inner(x):\n    return json.loads(x)\n"
        "class Odd(ValueError): pass\ndef odd(): raise Odd('strange')\n"
    )
    with pytest.raises(ValueError) as caught:
        child.student.outer("{")
    frames = caught.value.frames  # type: ignore[attr-defined]
    assert [(f.function, f.line, f.source) for f in frames] == [
        ("outer", 3, "return inner(x)"),
        ("inner", 6, "return json.loads(x)"),
    ]
    with pytest.raises(ValueError) as caught:
        child.student.odd()
    assert caught.value.name == "Odd" and caught.value.mro[0] == "ValueError"  # type: ignore[attr-defined]


def test_errors_of_the_source_itself(run: Callable[..., RemoteModule]) -> None:
    with pytest.raises(SyntaxError) as caught:
        run("def f(:\n")
    assert caught.value.frames[-1].line == 1  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError) as division:
        run("x = 1\ny = x / 0\n")
    assert division.value.frames[-1].source == "y = x / 0"  # type: ignore[attr-defined]
    with pytest.raises(NotImplementedError, match="softmax"):
        run("def softmax(x):\n    raise NotImplementedError('softmax')\n").student.softmax(1)


def test_forbidden_calls(run: Callable[..., RemoteModule]) -> None:
    child = run(
        "import torch\ndef f(x): return torch.softmax(x, -1)\ndef g(x): return x + 1\n"
        "made = torch.nn.Softmax(-1)\ndef h(x): return made(x)\n",
        forbidden=("torch.softmax", "torch.nn.Softmax"),
    )
    with pytest.raises(StudentError, match=r"torch\.softmax"):
        child.student.f([1.0])
    with pytest.raises(StudentError, match=r"torch\.nn\.Softmax"):
        child.student.h(torch.zeros(2))
    assert child.student.g(1) == 2


def test_each_child_has_the_forbidden_calls_of_its_exercise(run: Callable[..., RemoteModule]) -> None:
    """They are guarded before the fork, and one exercise follows on another."""
    source = "import torch\ndef f(x): return torch.softmax(x, -1)\ndef g(x): return torch.nn.Softmax(-1)(x)\n"
    x = torch.zeros(2)
    for forbidden in (
        ("torch.softmax",),
        ("torch.nn.Softmax",),
        ("torch.nn.Softmax",),
        (),
        ("torch.softmax",),
    ):
        child = run(source, forbidden=forbidden)
        for name, call in (("torch.softmax", child.student.f), ("torch.nn.Softmax", child.student.g)):
            if name in forbidden:
                with pytest.raises(StudentError, match=name):
                    call(x)
            else:
                assert call(x).tolist() == [0.5, 0.5]


def test_a_forbidden_call_that_does_not_exist(run: Callable[..., RemoteModule]) -> None:
    """A fault of the exercise's, never the student's; what is forbidden after it is as it says."""
    source, x = "import torch\ndef f(x): return torch.softmax(x, -1)\n", torch.zeros(2)
    for forbidden in (("torch.softmax",), ()):
        run(source, forbidden=("torch.softmax",))
        with pytest.raises(SandboxFault, match=r"'torch\.softmacks' names nothing that can be imported"):
            run(source, forbidden=("torch.softmax", "torch.softmacks"))
        child = run(source, forbidden=forbidden)
        if forbidden:
            with pytest.raises(StudentError, match="not allowed"):
                child.student.f(x)
        else:
            assert child.student.f(x).tolist() == [0.5, 0.5]


def test_a_forbidden_call_whose_module_starts_a_thread() -> None:
    """A child forked from several threads could hang, so none is."""
    control, other = socket.socketpair()
    with control, other:
        itself = SimpleNamespace(threads=lambda: 2)
        zygote = Zygote(control, None, itself, program)  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"statistics\.mean started a thread"):
                zygote._prepare(["statistics.mean"])
        zygote.undo()


def test_confinement_shows_as_permission_error(run: Callable[..., RemoteModule]) -> None:
    child = run("import os, socket\ndef net(): socket.socket()\ndef fork(): os.fork()\n")
    for name in ("net", "fork"):
        with pytest.raises(PermissionError):
            getattr(child.student, name)()
