"""Find the bug: a reference with one known mistake in it, and what a mend of it is worth.

Who searches planted mistakes learns to read code and to tell causes from symptoms.
"""

from __future__ import annotations

import ast
import difflib
import io
import token
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from autograder.course import CourseError, Exercise, Misconception
from autograder.course.cells import BEGIN, END, split_cells
from autograder.course.derived import Derived, template_of
from autograder.course.toml import read_text
from autograder.text import Text

ROOM = 1  # lines by which a mend may be larger than the mistake: an import, a name for a value
GROWTH = 3  # times the length of what was given out
HEAD = """# Find the bug: this right answer to {exercise} was changed into one with a mistake. Mend it here, change nothing
# else, and hand in this file. It must pass all tests of {topic}; half of the points are for having changed no more
# than the mistake.
#
# 找错误：这份 {exercise} 的正确答案被改成了有一处错误的样子。请直接在本文件里改好它，不要改动别的地方，然后提交本文件。
# 它须通过 {topic} 的全部测试；一半的分数给改动没有超出错误本身的提交。

"""


class MistakeKind(StrEnum):
    """What sort of change makes a right program wrong."""

    NUMBER = "number"
    AXIS = "axis"
    COMPARISON = "comparison"
    NAME = "name"
    MISSING = "missing"
    EXTRA = "extra"
    FORMULA = "formula"


TITLES = {
    MistakeKind.NUMBER: Text("a wrong number", "数值不对"),
    MistakeKind.AXIS: Text("a wrong axis", "轴不对"),
    MistakeKind.COMPARISON: Text("a wrong comparison", "比较不对"),
    MistakeKind.NAME: Text("a wrong name", "名字不对"),
    MistakeKind.MISSING: Text("a step is missing", "少了一步"),
    MistakeKind.EXTRA: Text("a step too many", "多了一步"),
    MistakeKind.FORMULA: Text("another formula", "公式不对"),
}
COMPARISONS = {"<", "<=", ">", ">=", "==", "!=", "not", "is", "in", "and", "or"}
AXES = {"dim", "axis", "keepdim", "transpose", "permute", "mT", "T", "unsqueeze", "squeeze"}


@dataclass(frozen=True)
class Planted:
    """A program with one mistake in it.

    lines: where it stands, counted from 1; where something is left out, the lines around the gap.
    right: the same program without it.
    """

    mistake: Misconception
    text: str
    lines: frozenset[int]
    right: str
    kind: MistakeKind


def plant(exercise: Exercise, mistake: Misconception, head: str = "") -> Planted:
    """The reference's code with this mistake, below `head`.

    Raises:
        ValueError: the mistake's edit does not fit the reference (an audit reports it).
    """
    source = read_text(exercise.solution)
    right, wrong = code_of(exercise, source), code_of(exercise, mistake.apply(source))
    above = head.count("\n")
    return Planted(
        mistake,
        head + wrong,
        frozenset(above + line for line in _differing(wrong.splitlines(), right.splitlines())),
        right,
        kind_of(mistake),
    )


def planted_for_class(exercise: Exercise) -> Planted:
    """The mistake that a whole class looks for: the first listed one, so that none added later takes its place.

    Raises:
        CourseError: the exercise has no known mistake that fits its reference.
    """
    for mistake in exercise.spec.misconception:
        with suppress(ValueError):  # its edit no longer fits; an audit says so
            return plant(exercise, mistake, HEAD.format(exercise=exercise.id, topic=exercise.topic))
    raise no_known_mistakes(exercise)


def no_known_mistakes(exercise: Exercise) -> CourseError:
    """What is said where an assignment derives an exercise from one that has none."""
    return CourseError(
        f"{exercise.spec_file} lists no `[[misconception]]` that fits the solution, and {exercise.id} is assigned to be tested "
        f"or debugged; add one, or take that out of course/course.toml",
        f"{exercise.spec_file} 没有列出与答案相符的 `[[misconception]]`，而作业要求给 {exercise.id} 写测试或找错误；"
        f"请补充一个，或在 course/course.toml 中去掉它",
    )


def given_text(exercise: Derived) -> str:
    """The file that students get of a derived exercise."""
    return template_of(exercise.base) if exercise.kind == "tests" else planted_for_class(exercise.base).text


def code_of(exercise: Exercise, source: str) -> str:
    """The code of a solution, without its statement."""
    cells = split_cells(source, str(exercise.solution))
    code = "\n\n\n".join(cell.body.strip() for cell in cells if not cell.is_markdown)
    return "\n".join(line for line in code.splitlines() if line.strip() not in (BEGIN, END)) + "\n"


def is_small(given: str, right: str, mended: str) -> bool:
    """Whether a mend changes no more than the mistake did.

    That is: no more lines, and at the top level of the file nothing but the definitions that the mistake is in, for a second
    definition at the end would mend anything in a line. What is no Python, or has grown out of all proportion, is not looked
    at for long: anybody may have written it.
    """
    if len(mended) > GROWTH * len(given):
        return False
    try:
        small = changes(given, mended) <= changes(given, right) + ROOM
        return small and _changed(given, mended) <= _changed(given, right)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def changes(before: str, after: str) -> int:
    """Lines that differ, comments and layout apart."""
    old, new = (ast.unparse(ast.parse(text)).splitlines() for text in (before, after))
    return sum(max(i2 - i1, j2 - j1) for i1, i2, j1, j2 in _hunks(old, new))


def _changed(before: str, after: str) -> set[str]:
    """The top-level statements that differ, by name where they have one: each that only one of the texts holds. Imports are free."""
    old, new = (Counter(map(ast.unparse, _statements(text))) for text in (before, after))
    names = {
        ast.unparse(node): getattr(node, "name", "") for text in (before, after) for node in _statements(text)
    }
    differing = [*(old - new), *(new - old)]
    found = Counter(names[text] or text for text in differing)
    # A definition that was changed is there once before and once after.
    return {f"{name} {count}" for name, count in found.items()}


def _statements(text: str) -> list[ast.stmt]:
    return [node for node in ast.parse(text).body if not isinstance(node, ast.Import | ast.ImportFrom)]


def _differing(lines: Sequence[str], others: Sequence[str]) -> Iterator[int]:
    for i1, i2, _, _ in _hunks(lines, others):
        yield from range(i1 + 1, i2 + 1) if i2 > i1 else (i1, i1 + 1)


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    for tag, *places in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield tuple(places)  # type: ignore[misc]


def kind_of(mistake: Misconception) -> MistakeKind:
    """What sort of mistake it is, from what its edits take away and put in."""
    gone: list[tokenize.TokenInfo] = []
    come: list[tokenize.TokenInfo] = []
    for edit in mistake.changes:
        old, new = _tokens(edit.replace), _tokens(edit.with_)
        strings = [[found.string for found in side] for side in (old, new)]
        for i1, i2, j1, j2 in _hunks(*strings):
            gone += old[i1:i2]
            come += new[j1:j2]
    both = [*gone, *come]
    words = {found.string for found in both}
    if not come:
        return MistakeKind.MISSING
    if not gone:
        return MistakeKind.EXTRA
    if words & AXES or (
        any(AXES & set(_names(edit.replace)) for edit in mistake.changes) and _only(both, token.NUMBER)
    ):
        return MistakeKind.AXIS
    if words & COMPARISONS:
        return MistakeKind.COMPARISON
    if _only(both, token.NUMBER):
        return MistakeKind.NUMBER
    return MistakeKind.NAME if _only(both, token.NAME) else MistakeKind.FORMULA


def _only(tokens: Sequence[tokenize.TokenInfo], kind: int) -> bool:
    return all(found.type == kind or found.string == "-" for found in tokens)


def _names(text: str) -> list[str]:
    return [found.string for found in _tokens(text) if found.type == token.NAME]


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    """The words of a piece of code, which need be no whole statement."""
    found = []
    try:
        for each in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
            if each.type in (token.NAME, token.NUMBER, token.OP, token.STRING):
                found.append(each)
    except (tokenize.TokenError, IndentationError):
        pass  # it ends within a bracket
    return found
