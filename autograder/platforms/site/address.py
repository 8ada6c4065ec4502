"""Where a site has an exercise, for pages that lie elsewhere."""

from __future__ import annotations

from urllib.parse import quote

from autograder.course import Exercise
from autograder.course.derived import Derived

ANCHOR = {"en": "the-exercise", "zh": "练习"}  # of the heading that the words call `exercise`


def addresses(site: str, exercise: Exercise, lang: str) -> tuple[str, str]:
    """The addresses of an exercise's lesson and of its statement on the site whose root is `site`. A quiz has no lesson."""
    written = exercise.base if isinstance(exercise, Derived) else exercise
    page = f"{site.rstrip('/')}/{lang}/{written.id}.html"
    return "" if exercise.kind == "quiz" else page, f"{page}#{quote(ANCHOR[lang])}"
