"""What to do about an error that comes from the place where work is graded.

There a submission finds the installed packages and the files handed in with it to import, but no file to open, no
network and no other process; Python says so with a bare errno. Which remedy fits is read from the exception's text,
which the submission chooses: the text picks among fixed sentences, and nothing of it is repeated but what can be a
module's name.
"""

from __future__ import annotations

import re

from autograder.guest.forbid import ForbiddenCall
from autograder.guest.imports import ForbiddenImport
from autograder.remote.errors import StudentError
from autograder.text import Text

MODULE = Text(
    "{name} is not there where your work is graded: use torch, numpy, matplotlib and the standard library, and hand the "
    "missing file in, too, if it is one of yours.",
    "评分环境里没有 {name}：请使用 torch、numpy、matplotlib 和标准库；如果它是你自己的文件，请一并提交。",
)
IMPORTS = Text(
    "A submission may import torch, numpy, matplotlib, the standard library and files handed in with it.",
    "提交的代码只能导入 torch、numpy、matplotlib、标准库，以及一起提交的文件。",
)
FILES = Text(
    "Files can't be written or opened where your work is graded: keep the data in your code.",
    "评分环境里不能写入或打开文件：请把数据放在代码里。",
)
NETWORK = Text(
    "There is no network where your work is graded: keep what you need in your code.",
    "评分环境里没有网络：请把需要的内容放在代码里。",
)
PROCESS = Text(
    "No process can be started where your work is graded, and there is no network: do the work in your own code.",
    "评分环境里不能启动其他进程，也没有网络：请在自己的代码里完成计算。",
)
# What a hidden test's message may say: it follows from the kind of error, which is told already.
BY_FAMILY = {
    "ModuleNotFoundError": IMPORTS,
    **dict.fromkeys(
        ("OSError", "PermissionError", "FileNotFoundError"),
        Text(
            "Files, the network and other processes are out of reach where your work is graded.",
            "评分环境里不能使用文件、网络和其他进程。",
        ),
    ),
}

# By the builtin exception and its own class. The same words whatever was called or imported: a submission can claim this
# kind of error, but not choose what is said.
BY_CLAIM = {
    ("RuntimeError", ForbiddenCall.__name__): Text(
        "A call that this exercise forbids was made: write what it does yourself.",
        "调用了本题禁止的函数：请自己实现它的功能。",
    ),
    ("ImportError", ForbiddenImport.__name__): IMPORTS,
}

_MODULE_NAME = re.compile(r"No module named '([^\W\d][\w.]{0,79})'")
# In this order: a refusal with a file's name, one by the resolver, one with neither.
_SIGNS = (
    (re.compile(r"\[Errno (1|2|13|30)\] [^:\]]+: b?['\"]|open file failed|unable to open database file"), FILES),
    (re.compile(r"name resolution|Name or service not known"), NETWORK),
    # Errno 2 and 13 without a name: the semaphores of multiprocessing.
    (re.compile(r"\[Errno (1|2|13)\] |operation not permitted"), PROCESS),
)  # fmt: skip


def remedy(error: BaseException) -> Text | None:
    """What to do about an error of confined code, where it is the confinement that caused it."""
    if not isinstance(error, StudentError):
        return None  # in process everything is as the learner's own machine has it
    if isinstance(error, ModuleNotFoundError):
        missing = _MODULE_NAME.match(error.message)
        return MODULE.format(name=missing[1]) if missing else None
    if isinstance(error, OSError | RuntimeError) or error.name == "OperationalError":
        return next((text for sign, text in _SIGNS if sign.search(error.message)), None)
    return None
