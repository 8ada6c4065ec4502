"""The one kind of error that is the user's to mend."""

from __future__ import annotations

from autograder.text import Text


class UserError(Exception):
    """Something outside the program is wrong. The message names the file, the thing and the remedy.

    The command line prints it without a traceback, in the user's language, and exits with status 2.
    """

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en, zh)  # both, so that it survives the way between processes
        self.text = Text(en, zh)

    def __str__(self) -> str:
        return self.text.en
