"""The form of an exercise: its size for its tier, its texts in both languages, the length of its hints, its style."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from autograder.audit.defaults import overridable_defaults
from autograder.authoring.script import find_blocks, questions
from autograder.course import Exercise
from autograder.course.cells import END, split_cells
from autograder.course.sizes import HINT_CHARACTERS, HINT_WORDS, PUBLIC_SHARE, SIZES, Range
from autograder.course.spec import ExerciseSpec
from autograder.results import Visibility, total
from autograder.runner.collect import TestCase

CHINESE_PER_WORD = 1.6  # characters of a Chinese page for each English word
CHINESE = re.compile(r"[\u3400-\u9fff]|[A-Za-z0-9_]+")  # what is counted of a Chinese text
NOT_PROSE = re.compile(
    r"\A---\n.*?^---\n|^```.*?^```\s*?$|\$\$.*?\$\$|\$[^$\n]+\$|<[^>\n]+>|\]\([^)]*\)",
    re.MULTILINE | re.DOTALL,
)
SOURCES = re.compile(r"^#+ *(Sources|出处|来源|参考文献)\s*$.*", re.MULTILINE | re.DOTALL)


# What a draft of a misconception (`audit --learn`) leaves to its author.
BLANK, UNNAMED = "TO BE WRITTEN", "unnamed_"


def chinese_length(text: str) -> int:
    """Chinese characters, and words of other scripts; no punctuation."""
    return len(CHINESE.findall(text))


def hint_problems(spec: ExerciseSpec) -> list[str]:
    """The misconceptions that are drafts, or whose hints are too long; a quiz's wrong answers have them, too."""
    problems = []
    for mistake in spec.misconception:
        texts = (
            mistake.hint.en,
            mistake.hint.zh,
            mistake.caught,
            *(edit.replace for edit in mistake.changes),
        )
        if BLANK in texts or mistake.name.startswith(UNNAMED):
            problems.append(
                f"misconception {mistake.name!r} is a draft: give it a name, and write what says {BLANK!r}"
            )
        words, characters = len(mistake.hint.en.split()), chinese_length(mistake.hint.zh)
        if words > HINT_WORDS:
            problems.append(
                f"misconception {mistake.name!r}: its hint has {words} words; {HINT_WORDS} at most"
            )
        if characters > HINT_CHARACTERS:
            problems.append(
                f"misconception {mistake.name!r}: its Chinese hint has {characters} characters; "
                f"{HINT_CHARACTERS} at most"
            )
    return problems


def prose_words(page: str, lang: str) -> int:
    """Words of a lesson's prose, without code, formulas and sources; a Chinese page counts as English words."""
    prose = SOURCES.sub("", NOT_PROSE.sub(" ", page))
    if lang == "zh":
        return round(chinese_length(prose) / CHINESE_PER_WORD)
    return len(re.findall(r"\w[\w'’-]*", prose))


def size_warnings(exercise: Exercise, cases: Sequence[TestCase], languages: Collection[str]) -> list[str]:
    """What is larger or smaller than exercises of this tier are."""
    source = exercise.solution.read_text(encoding="utf-8")
    name = str(exercise.solution.relative_to(exercise.root))
    size = SIZES[exercise.spec.tier]
    counted: list[tuple[str, int, Range]] = [
        ("lines of reference", _reference_lines(source, name), size.reference),
        ("questions", len(questions(source, name)), size.questions),
        ("words of statement and docstrings", _statement_words(source, name), size.statement),
        ("public tests", _functions(cases, Visibility.PUBLIC), size.public),
        ("hidden tests", _functions(cases, Visibility.HIDDEN), size.hidden),
        ("misconceptions", len(exercise.spec.misconception), size.misconceptions),
    ]
    for lang in languages:
        path = exercise.lesson(lang)
        if path.is_file():
            words = prose_words(path.read_text(encoding="utf-8"), lang)
            counted.append((f"words in {path.name}", words, size.lesson))
    return [
        f"{number} {what}; a {exercise.spec.tier} exercise has {least} to {most}"
        for what, number, (least, most) in counted
        if not least <= number <= most
    ]


def _reference_lines(source: str, name: str) -> int:
    lines = source.splitlines()
    inside = [line.strip() for block in find_blocks(source, name) for line in lines[block.first : block.last]]
    return sum(bool(line) and not line.startswith("#") for line in inside if line != END)


def _statement_words(source: str, name: str) -> int:
    cells = [cell for cell in split_cells(source, name) if cell.lang != "zh"]
    text = "\n".join(
        cell.body if cell.is_markdown else "\n".join(re.findall(r'"""(.*?)"""', cell.body, re.DOTALL))
        for cell in cells
    )
    return len(re.findall(r"[^\W\d_][\w'’-]*", text))


def _functions(cases: Iterable[TestCase], visibility: Visibility) -> int:
    return len({case.function_name for case in cases if case.visibility is visibility})


def form_problems(exercise: Exercise, cases: Sequence[TestCase], languages: Collection[str]) -> list[str]:
    """Sentences, hints and shares of points that are missing or too long."""
    problems = []
    both = "zh" in languages
    for case in cases:
        if not case.sentence.en or (both and not case.sentence.zh):
            also = " and one after `zh:`" if both else ""
            problems.append(f"{case.name}: the docstring needs one sentence in English{also}")
        if case.visibility is Visibility.PUBLIC and "reference" in case.fixtures:
            problems.append(
                f"{case.name} is public and can't use `reference`; write the expected values down"
            )
    problems += _lent_too_early(cases)
    for path in (exercise.public_tests, exercise.hidden_tests):
        found = overridable_defaults(path.read_text(encoding="utf-8"))
        problems += [f"{path.relative_to(exercise.root)}, {problem}" for problem in found]
    full = total(case.points for case in cases)
    public = total(case.points for case in cases if case.visibility is Visibility.PUBLIC)
    if not PUBLIC_SHARE[0] <= public / full <= PUBLIC_SHARE[1]:
        problems.append(f"{public:g} of {full:g} points are public; about a third should be")
    spec = exercise.spec
    problems += hint_problems(spec)
    name = str(exercise.solution.relative_to(exercise.root))
    hinted = {hint.question for hint in spec.hint}
    problems += [
        f"no hint for {question}"
        for question in questions(exercise.solution.read_text(encoding="utf-8"), name)
        if question not in hinted
    ]
    return problems


def _lent_too_early(cases: Sequence[TestCase]) -> Iterator[str]:
    """Tests that call what an earlier one has lent: a submission could answer them by what it saw there."""
    lent: dict[str, str] = {}  # function -> the first test that lends it
    for case in cases:
        for name in sorted(case.uses & lent.keys() - case.lends):
            yield f"{case.name} calls {name}, which {lent[name]} lends; move it above"
        lent |= dict.fromkeys(case.lends - lent.keys(), case.function_name)


# ------------------------------------------------------------------------------------------- ruff


class Style(Struct, frozen=True):
    """What ruff says of files: path -> problems. `missing`: it is not installed."""

    problems: Mapping[str, tuple[str, ...]]
    missing: bool = False

    @classmethod
    def of(cls, root: Path, exercises: Iterable[Exercise]) -> Style:
        """One run of ruff, and one of its formatter, on the files that the exercises' authors wrote."""
        paths = [str(path) for exercise in exercises for path in own_files(exercise)]
        if not paths:
            return cls({})
        check = _ruff(root, "check", "--output-format", "concise", "--no-cache", "--quiet", *paths)
        if "No module named ruff" in check.stderr:
            return cls({}, missing=True)
        found: dict[str, list[str]] = {}
        # path:line:column: CODE message
        for path, line, what in re.findall(r"^(.+?):(\d+):\d+: (.*)$", check.stdout, re.MULTILINE):
            found.setdefault(str(root / path), []).append(f"line {line}: {what}")
        layout = _ruff(root, "format", "--diff", "--quiet", "--no-cache", *paths)
        for path in re.findall(r"^--- (.+)\n\+\+\+ \1$", layout.stdout, re.MULTILINE):
            found.setdefault(str(root / path), []).append(
                "the formatter would change it; run `ruff format`, then see whether the edits of its misconceptions still match"
            )
        return cls({path: tuple(problems) for path, problems in found.items()})

    def of_exercise(self, exercise: Exercise) -> list[str]:
        return [
            f"{path.relative_to(exercise.root)}: {problem}"
            for path in own_files(exercise)
            for problem in self.problems.get(str(path), ())
        ]


def own_files(exercise: Exercise) -> list[Path]:
    """The Python files of an exercise that somebody wrote."""
    written = [exercise.solution, exercise.hidden_tests, exercise.public_tests, exercise.oracle_tests]
    return [path for path in (*written, *exercise.accepted) if path.is_file()]


def _ruff(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=False)
