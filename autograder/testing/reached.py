"""`tell_reached`: what a capstone reached, in figures, beside its points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from autograder.text import Text

_told: ContextVar[list[Text] | None] = ContextVar("told", default=None)


def tell_reached(en: str, zh: str) -> None:
    """Say a figure that a capstone's hidden test has measured: "held-out loss 0.83 nat; the source has 0.75".

    Whoever hands in their own parts reads what these reached. Elsewhere nothing is shown.

    Args:
        en, zh: a few words, without a full stop. What comes from the submission is put into them as numbers.
    """
    told = _told.get()
    if told is not None:
        told.append(Text(en, zh))


@contextmanager
def collect_reached() -> Iterator[list[Text]]:
    """What tests that run in the block tell, in their order."""
    told: list[Text] = []
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)
