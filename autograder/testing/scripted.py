"""Functions that a test gives to the student's code and that do what they are told: a model with a script, one that fails."""

from __future__ import annotations

import builtins
import copy
from collections.abc import Sequence
from typing import Any, TypeVar

Error = TypeVar("Error", bound=Exception)


def for_student(error: Error) -> Error:
    """Mark an exception of a test's function as meant for the student's code: `raise for_student(ValueError("no such city"))`.

    The code that called the function meets this class and text, in its own process, too. Any other exception of a test's
    function stays with the test, and the student's code meets a RuntimeError.

    Raises:
        TypeError: if it isn't one of Python's own exceptions, which is all that another process knows.
    """
    if getattr(builtins, type(error).__name__, None) is not type(error):
        raise TypeError(f"{type(error).__name__} is none of Python's own exceptions")
    error.for_student = True  # type: ignore[attr-defined]
    return error


class ScriptedModel:
    """See `scripted_model`. `prompts` holds what it was asked, in order, as it was then; `calls` how often."""

    def __init__(self, replies: Sequence[str | Exception]) -> None:
        self._replies = tuple(replies)
        self.prompts: list[Any] = []

    @property
    def calls(self) -> int:
        return len(self.prompts)

    def __call__(self, prompt: Any) -> str:
        """The next reply, for a prompt (or messages) of any kind."""
        self.prompts.append(copy.deepcopy(prompt))
        if self.calls > len(self._replies):
            raise for_student(
                RuntimeError(f"the model was asked {self.calls} times; {len(self._replies)} are enough")
            )
        reply = self._replies[self.calls - 1]
        if isinstance(reply, Exception):
            raise for_student(copy.copy(reply))
        return reply


def scripted_model(replies: Sequence[str | Exception]) -> ScriptedModel:
    """A language model that gives these replies, one a call, whatever it is asked, and writes down what that was.

    Args:
        replies: texts, malformed ones, too; an exception (one of Python's own) is raised instead of a reply. A call after
            the last one raises a RuntimeError.
    """
    return ScriptedModel(replies)
