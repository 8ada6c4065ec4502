"""What the parts of the benchmarks share: how large they are, their tables, and how one of them is run alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

QUICK = 0.002
ENVIRONMENTS = Path(__file__).resolve().parent.parent / "build/benchmarks"


@dataclass(frozen=True)
class Size:
    """How much to measure.

    share: of the numbers that each part has by default.
    large: add what takes long.
    environments: where those of other graders are kept.
    """

    share: float = 1.0
    large: bool = False
    environments: Path = ENVIRONMENTS

    def of(self, number: int, least: int = 1) -> int:
        return max(least, round(number * self.share))


class Table:
    """A small table, in Markdown."""

    def __init__(self, *heads: str) -> None:
        self.rows: list[tuple[str, ...]] = [heads]

    def add(self, *cells: object) -> None:
        self.rows.append(tuple(map(str, cells)))

    def __str__(self) -> str:
        """Markdown that is aligned as text, too: the first column to the left, figures to the right."""
        widths = [max(len(row[n]) for row in self.rows) for n in range(len(self.rows[0]))]
        lines = [
            [
                cell.rjust(width) if n else cell.ljust(width)
                for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            for row in self.rows
        ]
        rule = ["-" * (width - 1) + ":" if n else "-" * width for n, width in enumerate(widths)]
        return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="tiny numbers: does it run?")
    parser.add_argument("--size", type=float, default=1.0, help="a share of the usual numbers")
    parser.add_argument("--large", action="store_true", help="10,000 submissions, too")
    parser.add_argument(
        "--environments", type=Path, default=ENVIRONMENTS, help="where nbgrader and otter are installed once"
    )


def size_of(options: argparse.Namespace) -> Size:
    return Size(QUICK if options.quick else options.size, options.large, options.environments.resolve())


def main(about: str | None, tables: Callable[[Size], list[Table]]) -> None:
    """The command line of one part."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    for table in tables(size_of(parser.parse_args())):
        print(f"{table}\n")
