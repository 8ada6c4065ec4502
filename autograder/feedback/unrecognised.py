"""What is said of a file that may have been meant as an answer and was not graded: what it looks like, and what to do."""

from __future__ import annotations

from pathlib import PurePosixPath

from autograder.results import Unrecognised, Why
from autograder.text import Text

NEAR = Text("rename it to {name}, or pass --accept-names", "请改名为 {name}，或使用 --accept-names")
SAVE_AS = Text("it is no Python file: hand in {name}", "不是 Python 文件：请提交 {name}")
UNITS = Text("put it into a folder {units}, or name it {name}", "请放进文件夹 {units}，或命名为 {name}")
UNKNOWN = Text("name it after its exercise, if it answers one", "若是某题的答案，请以该题命名")
EXTRA = Text(
    "another file answers this exercise; remove that one if this one is meant",
    "该题已采用另一个文件；若以此为准，请移除那一个",
)
LOOSE = Text(
    "it lies beside the students' folders: put it into a folder named after its student",
    "位于学生文件夹之外：请放进以学生命名的文件夹",
)
CLOSED = Text(
    "it can't be looked into: hand in a plain zip file of your own work only",
    "无法查看其内容：请提交只含自己作业的普通 zip 文件",
)
BRANCH = Text(
    "work was found on this branch; the default branch has none: merge it",
    "该分支上有作业，而默认分支上没有：请合并",
)
OR = Text(" or ", " 或 ")


def advice(file: Unrecognised) -> Text:
    """What to do about it."""
    exercises = [name.split("/") for name in file.looks_like]
    suffix = PurePosixPath(file.path).suffix.lower()
    if file.why is not Why.NEAR:
        fixed = {Why.EXTRA: EXTRA, Why.LOOSE: LOOSE, Why.CLOSED: CLOSED, Why.BRANCH: BRANCH}
        return fixed.get(file.why, UNKNOWN)
    if suffix not in (".py", ".ipynb"):
        topics = dict.fromkeys(topic for _, topic in exercises)
        return SAVE_AS.format(name=_either([f"{topic}.py" for topic in topics]))
    if len({topic for _, topic in exercises}) < len(exercises):
        units = _either([unit for unit, _ in exercises])
        return UNITS.format(
            units=units, name=_either([f"{unit}_{topic}{suffix}" for unit, topic in exercises])
        )
    return NEAR.format(name=_either([f"{topic}{suffix}" for _, topic in exercises]))


def _either(names: list[str]) -> Text:
    return Text(*(OR.pick(lang).join(names) for lang in ("en", "zh")))
