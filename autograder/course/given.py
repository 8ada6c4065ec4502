"""Given code in an exercise's files: what stands between `# GIVEN NAME` and `# END GIVEN`."""

from __future__ import annotations

import re

GIVEN = re.compile(
    r"^# GIVEN (?P<name>[a-z][a-z0-9_]*)\n(?P<code>.*?)^# END GIVEN$", re.MULTILINE | re.DOTALL
)
DEFINED = re.compile(r"^[ \t]*(?:async )?def (\w+)", re.MULTILINE)


def given_functions(source: str) -> frozenset[str]:
    """The names of the functions and methods that a file was given."""
    return frozenset(name for found in GIVEN.finditer(source) for name in DEFINED.findall(found["code"]))
