"""Is a line of a solution anywhere in what students receive?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.script import solution_lines


@dataclass(frozen=True)
class StudentFiles:
    """Every text file that students receive, read once: its path below the course's root -> its stripped lines."""

    lines: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, root: Path) -> StudentFiles:
        return cls(
            {
                str(path.relative_to(root)): frozenset(map(str.strip, _lines(path)))
                for tree in ("exercises", "course")
                for path in sorted((root / tree).rglob("*"))
                if path.suffix in (".py", ".toml", ".md", ".ipynb") and "__pycache__" not in path.parts
            }
        )

    def holding(self, solution: str, name: str) -> Iterator[tuple[str, str]]:
        """Each file that holds a telling line of the solution (whose file is `name`), and the line."""
        telling = solution_lines(solution, name)
        for path, present in self.lines.items():
            for line in telling:
                if line in present:
                    yield path, line


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
