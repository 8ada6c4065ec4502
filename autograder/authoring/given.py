"""Given code: snippets that several exercises hand to the student, kept once in `solutions/given/`.

A solution names one by a pair of comment lines, and `build` pastes the snippet between them:

    # GIVEN attention
    ...
    # END GIVEN

The pair stays in the skeleton, where it marks the code as given. Every file stays self-contained; the text has one source.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from autograder.authoring.script import without_given
from autograder.course.cells import ScriptError
from autograder.course.given import GIVEN
from autograder.course.toml import read_text

MARKER = re.compile(r"^# (GIVEN|END GIVEN)\b.*$", re.MULTILINE)


def snippet(root: Path, name: str) -> str:
    """The code of `solutions/given/NAME.py`, without its docstring and imports. CourseError where there is none."""
    path = root / "solutions" / "given" / f"{name}.py"
    text = read_text(path)
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise ScriptError(
            f"{path}:{error.lineno}: {error.msg}; given code must be valid Python",
            f"{path}:{error.lineno}：{error.msg}；给出的代码必须是有效的 Python",
        ) from None
    head = [
        node
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    last = max((node.end_lineno or 0 for node in head), default=0)
    return "\n".join(text.splitlines()[last:]).strip("\n") + "\n"


def with_given(source: str, root: Path, path: str) -> str:
    """The source with each snippet that it names as it stands in `solutions/given/` now.

    Raises:
        ScriptError: a marker has no partner.
        CourseError: there is no such snippet.
    """
    rest = without_given(source)
    odd = MARKER.search(rest)
    if odd is not None:
        line = rest[: odd.start()].count("\n") + 1
        raise ScriptError(
            f"{path}:{line}: given code stands between `# GIVEN name` and `# END GIVEN`; one of the two is missing",
            f"{path}:{line}：给出的代码要写在 `# GIVEN 名称` 和 `# END GIVEN` 之间；缺了其中一行",
        )
    return GIVEN.sub(
        lambda found: f"# GIVEN {found['name']}\n{snippet(root, found['name'])}\n\n# END GIVEN", source
    )
