"""Errors that have their words in both languages; one kind of them is the user's to mend."""

from __future__ import annotations

from typing import Any, Self

from autograder.text import Text


class Worded(Exception):
    """An error with a `text` in both languages. As a string it is English."""

    def __init__(self, en: str, zh: str = "") -> None:
        super().__init__(en, zh)  # both, so that it survives the way between processes
        self.text = Text(en, zh)

    @classmethod
    def of(cls, text: Text, **values: Any) -> Self:
        """The error with this text, its `{placeholders}` filled."""
        told = text.format(**values)
        return cls(told.en, told.zh)

    def __str__(self) -> str:
        return self.text.en


class UserError(Worded):
    """Something outside the program is wrong. The message names the file, the thing and the remedy.

    The command line prints it without a traceback, in the user's language, and exits with status 2.
    """


def failure(text: Text) -> AssertionError:
    """The AssertionError of a helper for tests, with a `text` in both languages."""
    error = AssertionError(text.en)
    error.text = text  # type: ignore[attr-defined]
    return error
