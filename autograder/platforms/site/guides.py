"""Guides: every Markdown file in the course's `docs/`, and CONTRIBUTING.md for authors.

`NAME.zh.md` beside `NAME.md` is its Chinese text; without one the Chinese site shows the English text and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autograder.course.toml import read_text

FOR_STUDENTS = ("students",)  # all that a class's site shows
ORDER = ("students", "instructors", "targets", "own_course", "policies", "report", "threats", "authors")


@dataclass(frozen=True)
class Guide:
    """One guide. `files`: language -> its path from the course's root, as far as it is written in it."""

    name: str
    root: Path
    files: dict[str, str]

    def file(self, lang: str) -> str:
        """What is shown in this language; English where there is nothing else."""
        return self.files.get(lang) or self.files["en"]

    def text(self, lang: str) -> str:
        return read_text(self.root / self.file(lang))


def guides_of(root: Path, *, for_students: bool) -> list[Guide]:
    """The guides of the course at `root`, in their order; those without a place in it last."""
    found = {path.stem: {"en": f"docs/{path.name}"} for path in sorted((root / "docs").glob("*.md"))}
    for name in [name for name in found if name.endswith(".zh")]:
        chinese = found.pop(name)["en"]
        found.setdefault(name.removesuffix(".zh"), {"en": chinese})["zh"] = chinese
    if found and (root / "CONTRIBUTING.md").is_file():
        found.setdefault("authors", {"en": "CONTRIBUTING.md"})
    names = sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return [Guide(name, root, found[name]) for name in names if not for_students or name in FOR_STUDENTS]
