"""What the name of a file says about the exercise that it answers.

A name that can mean one thing only is taken for it, however it is spelled: `DPO.py`, `dpo (1).py` of a browser,
`dpo - Copy.py` of a file manager, `alignment_dpo.py` with the unit before it. A name that only resembles an exercise's
(`dpo_v2.py`, `my_dpo.py`, `dop.py`, `dpo.py.txt`) is a guess: it is told, and taken where an instructor says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

from autograder.course import Exercise
from autograder.course.derived import PREFIXES

SUFFIXES = (".py", ".ipynb")
# Other files that may hold somebody's work; what else lies about is data, a picture, or was given out by us.
DOCUMENTS = {".pdf", ".doc", ".docx", ".odt", ".pages", ".rtf", ".tex", ".htm", ".html", ".pyc"}
PACKED = {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
# What releases hold besides exercises (their files are named in `Names.is_given`), and what holds no work.
GIVEN = {"skeletons.zip", "install.py", "autograder.py", "conftest.py", "__init__.py"}
# Of an exercise's public tests; and of what its learner practises on, where no assignment asks for that.
NOT_HANDED_IN = ("test_", *PREFIXES.values())
# What browsers (Chrome, Firefox; Safari and Canvas), Jupyter, Windows, macOS and Google Drive add to a copy's name.
COPY = re.compile(
    r"(?:\s*[(（]\d{1,3}[)）]|-\d{1,2}|\s*-\s*copy\s*\d{0,3}|\s+copy(?:\s+\d{1,3})?|(?:\s+|\s*-\s*|的)副本(?:\s*\d{1,3})?)$",
    re.IGNORECASE,
)
COPY_OF = re.compile(r"^copy of\s+", re.IGNORECASE)
KEPT = 4096  # names whose comparison is remembered
MAX_STEM = 120  # characters: a longer name resembles nothing


def uncopied(stem: str) -> str:
    """A stem without what marks a copy."""
    if stem.isascii() and stem.isidentifier():  # nearly all are, and this is asked of every file
        return stem
    stem = COPY_OF.sub("", unicodedata.normalize("NFC", stem).strip())
    while (shorter := COPY.sub("", stem)) not in ("", stem):
        stem = shorter
    return stem


def plain(stem: str) -> str:
    """A stem without what marks a copy, in lower case."""
    return uncopied(stem).casefold()


@dataclass(frozen=True)
class Names:
    """The exercises whose names are known, and whether what resembles one is taken for it."""

    course: Sequence[Exercise] = ()
    accept: bool = False

    @cached_property
    def by_stem(self) -> dict[str, list[Exercise]]:
        """A plain stem -> the exercises that it names: several, where units share a topic's name."""
        found: dict[str, list[Exercise]] = {}
        for exercise in self.course:
            for stem in stems(exercise):
                found.setdefault(stem, []).append(exercise)
        return found

    def resembling(self, name: str) -> list[Exercise]:
        """The exercises that a file with another name most likely answers; empty where none is near."""
        return self._resembling(name)

    @cached_property
    def _resembling(self) -> Callable[[str], list[Exercise]]:
        """A class has the same names again and again."""
        return lru_cache(KEPT)(self._compared)

    def _compared(self, name: str) -> list[Exercise]:
        stem = plain(_without_suffixes(name))[:MAX_STEM]
        if stem in self.by_stem:
            return self.by_stem[stem]
        words = "_".join(["", *re.findall(r"[^\W_]+", stem), ""])
        whole = {s: e for s, e in self.by_stem.items() if f"_{s}_" in words or f"_{s}_" in _unnumbered(words)}
        if whole:
            return whole[max(whole, key=len)]
        near = {s: _distance(_unnumbered(words).strip("_"), s) for s in self.by_stem}
        near = {s: distance for s, distance in near.items() if distance <= _tolerated(s)}
        least = min(near.values(), default=0)
        return [e for s, distance in near.items() if distance == least for e in self.by_stem[s]]

    def is_given(self, name: str) -> bool:
        """Whether this is the name of a file that students receive, and that nobody hands in as an answer."""
        stem = name.removesuffix(".py")
        topics = [stem.removeprefix(prefix) for prefix in NOT_HANDED_IN if stem.startswith(prefix)]
        return name in GIVEN or (name != stem and any(topic in self.by_stem for topic in topics))

    def may_hold_work(self, name: str) -> bool:
        """Whether a file that is no `.py` and no notebook may have been meant as an answer."""
        if self.is_given(name):
            return False
        path = PurePosixPath(name)
        suffix = path.suffix.lower()
        inner = {part.lower() for part in path.suffixes[:-1]} & set(SUFFIXES)
        return (
            suffix in DOCUMENTS | PACKED
            or bool(inner)
            or (suffix in ("", ".txt") and bool(self.resembling(name)))
        )


def stems(exercise: Exercise) -> tuple[str, str]:
    """What a file that answers an exercise is called, without its suffix: TOPIC, or UNIT_TOPIC."""
    return exercise.topic, f"{exercise.unit}_{exercise.topic}"


def is_exact(exercise: Exercise, name: str) -> bool:
    """Whether this is the very name that a hand-in of an exercise should have."""
    return name in {f"{exercise.topic}{suffix}" for suffix in SUFFIXES}


def _without_suffixes(name: str) -> str:
    """`dpo` for dpo.ipynb.json, but dpo.v2 for dpo.v2.py."""
    path = PurePosixPath(name)
    while path.suffix and (path.suffix.lower() in SUFFIXES or path.name == name):
        path = path.with_suffix("")
    return path.name


def _unnumbered(words: str) -> str:
    """`_dpo2_` as `_dpo_`."""
    return re.sub(r"(?<=[^\W\d_])\d+(?=_)", "", words)


def _tolerated(stem: str) -> int:
    """How many slips a name may have: in a short one, a single slip makes another word of it."""
    return 2 if len(stem) >= 8 else 1


def _distance(one: str, other: str) -> int:
    """Letters to insert, delete, replace, or exchange with their neighbour; in a short name, only to exchange."""
    if abs(len(one) - len(other)) > 2:
        return 3
    if len(other) < 5 and sorted(one) != sorted(other):
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
