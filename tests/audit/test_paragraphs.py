"""In Chinese a paragraph is one line; what is no paragraph may have several."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.audit.paragraphs import wrapped_lines

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*(ROOT / "course").rglob("*.zh.md"), *(ROOT / "autograder").rglob("*.zh.md")]
PAGES += (ROOT / "docs").glob("*.zh.md")

WRAPPED = {
    "a sentence": ("先缩放，\n后平移。", [2]),
    "after a word": ("文本是\nBPE 的输入。\n再来一行", [2, 3]),
    "an entry of a list": ("* 先缩放，\n  后平移。\n* 好", [2]),
    "bold": ("**掩码**\n在前。", [2]),
    "behind a heading": ("# 标题\n先缩放，\n后平移。", [3]),
}
ONE_LINE = {
    "paragraphs": "先缩放。\n\n后平移。",
    "a list": "有两步：\n* 先缩放\n* 后平移\n1. 一\n2) 二\n  - 三",
    "headings": "# 一\n## 二\n文字。\n\n# 三\n\n文字。",
    "a table": "| 一 | 二 |\n|---|---|\n| 三 | 四 |",
    "code": "```{code-cell} python\n# 注释\nprint('好')\n```",
    "a formula": "$$\nx = \\text{好} \\\\\ny\n$$",
    "front matter": "---\na: 好\nb: 好\n---\n# 标题",
    "a fold-out": "<details><summary>猜？</summary>\n\n答案。\n\n</details>",
    "a comment": "<!-- 一\n二 -->",
    "a line that is broken on purpose": "床前明月光，  \n疑是地上霜。\\\n举头望明月。",
    "English": "Scale first,\nthen shift.",
}


@pytest.mark.parametrize("case", WRAPPED)
def test_wrapped(case: str) -> None:
    page, lines = WRAPPED[case]
    assert wrapped_lines(page) == lines


@pytest.mark.parametrize("case", ONE_LINE)
def test_one_line(case: str) -> None:
    assert wrapped_lines(ONE_LINE[case]) == []


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.name)
def test_pages_have_one_line_for_each_paragraph(page: Path) -> None:
    assert wrapped_lines(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", ["README.md"])
def test_so_has_the_chinese_part_of_a_page_in_both_languages(name: str) -> None:
    english, heading, chinese = (ROOT / name).read_text(encoding="utf-8").rpartition("\n## ")
    assert english and heading and "提交" in chinese
    assert wrapped_lines(chinese) == []
