"""`--help` in Chinese, for the commands that learners use."""

from __future__ import annotations

import copy
import re
from typing import Any

from typer.core import TyperCommand

from autograder.cli.common import spoken_language

# What the commands and their options say of themselves.
CHINESE = {
    "Test your file for one exercise and say what failed and why.": "测试一道题的答案，说明哪里没有通过、为什么。",
    "Work through the course: tests run on every save, hints come in steps.": "逐题学习：每次保存自动测试，提示分步给出。",
    "List the exercises: how far you are, how long each takes, what it requires. A large course is listed by unit.": (
        "列出练习：做到哪里、要多长时间、先要做什么。课程很大时按单元列出。"
    ),
    "Give the next hint on the question that fails; after each new attempt there is one more.": (
        "给出未通过的那一问的下一条提示；每次新的尝试之后多一条。"
    ),
    "Give an exercise back as it was. A dated copy of your work is kept.": "恢复一道题最初的样子，并按日期备份你写的内容。",
    "Show the reference solution, once you have all points.": "得满分之后显示参考答案。",
    "Write each exercise as a notebook, in one language.": "把每道练习写成 notebook，只用一种语言。",
    "An exercise, as attention/multi_head, or its file.": "练习名，如 attention/multi_head，或它的文件。",
    "An exercise, as attention/multi_head, or its file; by default the last worked on.": (
        "练习名，如 attention/multi_head，或它的文件；默认是上次做的那道。"
    ),
    "Where to begin: an exercise, its file, or a unit.": "从哪里开始：练习名、它的文件，或单元。",
    "Where to begin: an exercise, its file, or a unit; by default where you left off.": (
        "从哪里开始：练习名、它的文件，或单元；默认从上次停下的地方。"
    ),
    "The folder of the course's pages; by default build/site.": "课程网页所在的文件夹；默认是 build/site。",
    "Units, exercises or assignments; all by default.": "单元、练习或作业；默认全部。",
    "Show this unit's exercises.": "显示这个单元的练习。",
    "Show it before you have all points.": "没得满分也显示。",
    "Write tests of your own: right answers must pass them, programs with a known mistake must not.": (
        "自己写测试：正确的答案必须全部通过，带有已知错误的程序必须不通过。"
    ),
    "Find the bug: a right answer with one known mistake in it, once you have all points on the exercise.": (
        "找错误：得满分之后，在一份带有一处已知错误的正确答案里找到它。"
    ),
    "An exercise, as attention/multi_head; without one, which kinds of mistakes you find.": (
        "练习名，如 attention/multi_head；不写则显示你能找到哪几类错误。"
    ),
    "The line in which you think the mistake is.": "你认为错误所在的行。",
    "1: public tests show the mistake. 2: only hidden tests do.": "1：公开测试能暴露错误。2：只有隐藏测试能暴露。",
    "Show where the mistake is.": "公布错误在哪里。",
    "Run the hidden tests, too, where solutions are at hand.": "有答案时，也运行隐藏测试。",
    "Where to write UNIT/TOPIC.ipynb.": "把 UNIT/TOPIC.ipynb 写到哪里。",
    "Replace notebooks that are there already.": "覆盖已有的 notebook。",
    "Exercises, units or assignments; all by default.": "练习、单元或作业；默认全部。",
    "Print JSON on standard output and nothing else there.": "标准输出只打印 JSON。",
    "The course's folder (found by walking up from here by default).": "课程目录（默认从当前目录向上找）。",
    "Language of messages (the locale's by default).": "提示的语言（默认随系统）。",
    "Show this message and exit.": "显示本说明后退出。",
}
# What typer writes around them.
FRAME = (
    (re.compile(r"^Usage: ", re.MULTILINE), "用法："),
    (re.compile(r"^Arguments:$", re.MULTILINE), "参数："),
    (re.compile(r"^Options:$", re.MULTILINE), "选项："),
    (re.compile(r"\[required\]"), "[必填]"),
    (re.compile(r"\[default: (.*?)\]"), r"[默认：\1]"),
)


class LearnerCommand(TyperCommand):
    """A command whose `--help` is in the language that the user chose."""

    def get_help(self, ctx: Any) -> str:
        text = super().get_help(ctx)
        if spoken_language() == "zh":
            for found, written in FRAME:
                text = found.sub(written, text)
        return text

    def format_help(self, ctx: Any, formatter: Any) -> None:
        shown = copy.copy(self)
        if spoken_language() == "zh":
            shown.help = CHINESE.get(self.help or "", self.help)
            shown.params = [_in_chinese(param) for param in self.params]
            shown._help_option = _in_chinese(self.get_help_option(ctx))
        super(LearnerCommand, shown).format_help(ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:
        if spoken_language() == "zh" and self.help in CHINESE:
            return CHINESE[self.help]
        return super().get_short_help_str(limit)


def _in_chinese(param: Any) -> Any:
    shown = copy.copy(param)
    shown.help = CHINESE.get(param.help, param.help)
    return shown
