"""A solution's source text, cell by cell.

A solution is a percent script (https://jupytext.readthedocs.io, "percent format"): cells begin with `# %%`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from autograder.errors import UserError

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
HEADER = re.compile(r'# %%( \[markdown\](?P<zh> lang="zh")?)?$')


class ScriptError(UserError):
    """A solution file that can't be turned into a skeleton. Names the file, the line and the remedy."""


@dataclass(frozen=True)
class Cell:
    """One cell: its header line, its body, and what kind it is."""

    header: str
    body: str

    @property
    def is_markdown(self) -> bool:
        return "[markdown]" in self.header

    @property
    def lang(self) -> str | None:
        """The language of a statement cell: "en" or "zh"; None for code, which every language needs."""
        if not self.is_markdown:
            return None
        return "zh" if 'lang="zh"' in self.header else "en"

    @property
    def text(self) -> str:
        return f"{self.header}\n{self.body}"


def split_cells(source: str, path: str) -> list[Cell]:
    """The cells of a percent script. ScriptError for text before the first cell or an odd header."""
    cells: list[Cell] = []
    header: str | None = None
    body: list[str] = []
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("# %%"):
            if not HEADER.match(line):
                raise ScriptError(
                    f'{path}:{number}: cell header {line!r}; write `# %%`, `# %% [markdown]` or `# %% [markdown] lang="zh"`',
                    f'{path}:{number}：单元格标题 {line!r} 有误；请写成 `# %%`、`# %% [markdown]` 或 `# %% [markdown] lang="zh"`',
                )
            if header is not None:
                cells.append(Cell(header, "\n".join(body).strip("\n") + "\n"))
            header, body = line, []
        elif header is None:
            if line.strip() and not line.startswith("#"):  # a comment is for whoever opens the file
                raise ScriptError(
                    f"{path}:{number}: text before the first cell; begin the file with `# %% [markdown]`",
                    f"{path}:{number}：第一个单元格之前有文本；请让文件以 `# %% [markdown]` 开头",
                )
        else:
            body.append(line)
    if header is None:
        raise ScriptError(
            f"{path}: no cells; begin the file with `# %% [markdown]`",
            f"{path}：没有单元格；请让文件以 `# %% [markdown]` 开头",
        )
    cells.append(Cell(header, "\n".join(body).strip("\n") + "\n"))
    return cells
