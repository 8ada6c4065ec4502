"""Models with a script, and exceptions that are meant for the student's code."""

from __future__ import annotations

import subprocess

import pytest

from autograder.testing import for_student, scripted_model


def test_it_gives_its_replies_in_order_and_writes_down_what_it_was_asked() -> None:
    model = scripted_model(["one", ConnectionError("no route"), "three"])
    messages = [{"role": "user", "content": "?"}]
    assert model(messages) == "one"
    messages[0]["content"] = "changed afterwards"
    for _ in range(2):  # raised afresh, so that no traceback grows
        with pytest.raises(ConnectionError, match=r"^no route$"):
            scripted_model([ConnectionError("no route")])("")
    with pytest.raises(ConnectionError):
        model("again")
    assert model("third") == "three"
    assert model.prompts == [[{"role": "user", "content": "?"}], "again", "third"]
    with pytest.raises(RuntimeError, match="asked 4 times; 3 are enough"):
        model("more")
    assert model.calls == 4


def test_only_pythons_own_exceptions_cross() -> None:
    with pytest.raises(TypeError, match="CalledProcessError is none of Python's own"):
        for_student(subprocess.CalledProcessError(1, "x"))
