"""Automatic mutants of a reference solution: small edits of what the student writes, one at a time.

A mutant that passes every test shows what no test asks for, unless it does the same as the reference.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from types import CodeType

from msgspec import Struct

from autograder.audit import call_operators, operators
from autograder.audit.splice import Edit, Script
from autograder.authoring.script import Block


class Change(Struct, frozen=True):
    """What a mutant changes: lines `before` became `after`, each stripped and joined by spaces.

    line: the number of the first of them in the reference.
    """

    operator: str
    line: int
    before: str
    after: str


class Mutant(Struct, frozen=True):
    """The reference with one change in it, and the top-level function or class that it lies in."""

    change: Change
    question: str
    source: str


def mutants_of(source: str, blocks: Sequence[Block]) -> list[Mutant]:
    """The mutants of a solution, in the order of its lines; no two of them run the same bytecode.

    Args:
        source: a solution.
        blocks: its solution blocks; nothing else is changed.
    """
    seen = {_bytecode(source)}
    mutants: list[Mutant] = []
    encoded = source.encode()
    for edit in sorted(_edits(Script(source)), key=lambda edit: edit.start):
        first, last = (encoded.count(b"\n", 0, place) + 1 for place in (edit.start, edit.end))
        block = next((b for b in blocks if b.first < first and last < b.last), None)
        if block is None:
            continue
        mutated = (encoded[: edit.start] + edit.text.encode() + encoded[edit.end :]).decode()
        code = _bytecode(mutated)
        if code is None or code in seen:
            continue
        seen.add(code)
        mutants.append(Mutant(_change(source, mutated, edit, first, last), block.question, mutated))
    return mutants


def _edits(script: Script) -> Iterator[Edit]:
    for node in script.nodes():
        for kind in type(node).__mro__:  # an operator for ast.stmt is one for every statement
            for table in (operators.OPERATORS, call_operators.OPERATORS):
                if kind in table:
                    yield from table[kind](script, node)


def _change(source: str, mutated: str, edit: Edit, first: int, last: int) -> Change:
    def joined(text: str, last: int) -> str:
        return " ".join(line.strip() for line in text.split("\n")[first - 1 : last]).strip()

    fewer = source.count("\n") - mutated.count("\n")
    return Change(edit.operator, first, joined(source, last), joined(mutated, last - fewer))


def _bytecode(source: str) -> tuple[object, ...] | None:
    """What Python would run, without line numbers; None where it is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return _parts(compile(source, "mutant", "exec", dont_inherit=True))
        except SyntaxError:
            return None


def _parts(code: CodeType) -> tuple[object, ...]:
    constants = tuple(
        _parts(constant) if isinstance(constant, CodeType) else repr(constant) for constant in code.co_consts
    )
    return (
        code.co_code,
        code.co_exceptiontable,
        constants,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
    )
