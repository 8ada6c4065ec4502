"""What an exception says, in both languages."""

from __future__ import annotations

import re

from autograder.remote.errors import StudentError
from autograder.text import Text

# The exception's class and what it says, where Python, pytest or what runs beside the student's code says it in English.
KNOWN = (
    (
        "Failed",
        re.compile(r"DID NOT RAISE (?:any of )?(?P<error>.+)"),
        Text("this should raise {error}, and nothing was raised", "这里应当引发 {error}，却什么也没有引发"),
    ),
    (
        "ForbiddenImport",
        re.compile(r"a submission may not import (?P<name>[^\W\d][\w.]{0,79})"),
        Text(
            "a submission may not import {name}, only torch, numpy, matplotlib, the standard library and files handed in "
            "with it; if {name} is a file of yours, hand it in, too",
            "提交的代码不能导入 {name}：只能导入 torch、numpy、matplotlib、标准库，以及一起提交的文件；如果 {name} 是你自己的文件，"
            "请一并提交",
        ),
    ),
    (
        "ForbiddenCall",
        re.compile(
            r"(?P<name>[\w.]+) is not allowed in this exercise's functions; write what it does yourself"
        ),
        Text(
            "{name} is not allowed in this exercise's functions; write what it does yourself",
            "本题的函数里不能使用 {name}；请自己实现它的功能",
        ),
    ),
)
# Lines with which pytest says how two values differ, in Chinese.
PYTEST = (
    (re.compile(r"^( *)At index (\d+) diff: ", re.MULTILINE), r"\1下标 \2 处不同："),
    (re.compile(r"^( *)Left contains one more item: ", re.MULTILINE), r"\1左边多一项："),
    (re.compile(r"^( *)Right contains one more item: ", re.MULTILINE), r"\1右边多一项："),
    (re.compile(r"^( *)Left contains (\d+) more items, first extra item: ", re.MULTILINE), r"\1左边多 \2 项，第一个是："),
    (re.compile(r"^( *)Right contains (\d+) more items, first extra item: ", re.MULTILINE), r"\1右边多 \2 项，第一个是："),
    (re.compile(r"^( *)Left contains (\d+) more items?:", re.MULTILINE), r"\1左边多 \2 项："),
    (re.compile(r"^( *)Right contains (\d+) more items?:", re.MULTILINE), r"\1右边多 \2 项："),
    (re.compile(r"^( *)Omitting (\d+) identical items, use -vv to show", re.MULTILINE), r"\1相同的 \2 项略去（-vv 显示）"),
    (re.compile(r"^( *)Differing items:", re.MULTILINE), r"\1不同的项："),
    (re.compile(r"^( *)Extra items in the left set:", re.MULTILINE), r"\1只在左边的项："),
    (re.compile(r"^( *)Extra items in the right set:", re.MULTILINE), r"\1只在右边的项："),
    (re.compile(r"^( *)Use -v to get more diff", re.MULTILINE), r"\1加 -v 显示全部差异"),
)  # fmt: skip


def words(error: BaseException) -> Text:
    """The exception's own text; a sentence in each language where there is one."""
    text = getattr(error, "text", None)
    if isinstance(text, Text):
        return text
    kind, said = type(error).__name__, str(error)
    if isinstance(error, StudentError):
        kind, said = error.name, error.message
    for name, pattern, text in KNOWN:
        if kind == name and (found := pattern.fullmatch(said)):
            return text.format(**found.groupdict())
    if kind != "AssertionError":
        return Text(said, said)
    chinese = said
    for line, written in PYTEST:
        chinese = line.sub(written, chinese)
    return Text(said, chinese)
