"""What a student reads of an exercise that has no points of its own tests: missing, not begun, not loaded, not graded yet."""

from __future__ import annotations

from autograder.results import Status
from autograder.text import Text

NOT_GRADED_YET = Text(
    "This exercise could not be graded through no fault of yours. It is not a zero: it stays open, without points, until "
    "your instructor runs the autograder again.",
    "本题因系统原因未能评分，与你无关。这不是零分：在教师重新运行评分程序之前，本题暂不计分。",
)
MISSING = Text(
    "No file named {topic}.py or {topic}.ipynb was handed in.",
    "没有提交名为 {topic}.py 或 {topic}.ipynb 的文件。",
)
NOT_BEGUN = Text("Every question is still as it was given out.", "每一问都还是发下来的样子。")
NOT_LOADED = Text("The file could not be run.", "文件无法运行。")


def standing(status: Status, message: Text, topic: str) -> Text:
    """What is said of the whole exercise; `message` is what was recorded of it."""
    if status is Status.UNGRADED:
        return NOT_GRADED_YET
    if status is Status.MISSING:
        return MISSING.format(topic=topic)
    if status is Status.NOT_BEGUN:
        return NOT_BEGUN
    return NOT_LOADED if status is Status.INVALID and not message.en else message
