"""Given code in an exercise's files, what stands between `# GIVEN NAME` and `# END GIVEN`; and what is asked for."""

from __future__ import annotations

import re

GIVEN = re.compile(
    r"^# GIVEN (?P<name>[a-z][a-z0-9_]*)\n(?P<code>.*?)^# END GIVEN$", re.MULTILINE | re.DOTALL
)
ANSWER = re.compile(r"^[ \t]*# BEGIN SOLUTION\n.*?^[ \t]*# END SOLUTION$", re.MULTILINE | re.DOTALL)
DEFINED = re.compile(r"^[ \t]*(?:async )?def (\w+)", re.MULTILINE)


def given_functions(source: str) -> frozenset[str]:
    """The names of the functions and methods that a file was given."""
    return frozenset(name for found in GIVEN.finditer(source) for name in DEFINED.findall(found["code"]))


def asked_functions(solution: str) -> frozenset[str]:
    """The names of the functions and methods that the skeleton has besides given ones."""
    return frozenset(DEFINED.findall(GIVEN.sub("", ANSWER.sub("", solution))))
