"""Who handed in a file that a platform has renamed, in the platform's own words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from autograder.gradebook.roster import Person


@dataclass(frozen=True)
class Sender:
    """A person as a platform's file name tells of them. `number` is the platform's own, digits only."""

    platform: str
    name: str
    number: str


def letters(name: str) -> str:
    """A name without what platforms drop from file names: spaces, punctuation, case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def spellings(person: Person) -> set[str]:
    """How a person's name may stand in a file name: "Doe, Jane" and "Jane Doe" as doejane and as janedoe."""
    words = [letters(word) for word in re.split(r"[\s,]+", person.name) if letters(word)]
    turned = {"".join(words[n:] + words[:n]) for n in range(len(words))}
    return turned | {letters(person.student)}
