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
    return Text(said, said)
