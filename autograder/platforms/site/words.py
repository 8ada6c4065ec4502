"""What the pages of a site say beside the course's own texts."""

from __future__ import annotations

from autograder.course.sizes import TIERS
from autograder.text import Text

WORDS = {
    "exercise": Text("The exercise", "练习"),
    "tested": Text("What is tested", "测试什么"),
    "hints": Text("Hints", "提示"),
    "hint": Text("Hint {number} on <code>{question}</code>", "<code>{question}</code>：提示 {number}"),
    "at_your_editor": Text(
        "Beside your editor; tests run on every save:", "在编辑器旁运行，每次保存都会测试："
    ),
    "as_a_notebook": Text(
        'Or as a notebook, below `notebooks/` (or <a download href="{file}">download this one</a>):',
        '或者用 notebook，写在 `notebooks/` 下（也可以<a download href="{file}">直接下载</a>）：',
    ),
    "minutes": Text("{n} minutes", "{n} 分钟"),
    "difficulty": Text("difficulty {n}/5", "难度 {n}/5"),
    "points": Text("{n} points", "{n} 分"),
    "before": Text("Before this one", "先修"),
    "after": Text("Leads to", "后续"),
    "public_sentences": Text("The public tests, which you have, say:", "公开测试（发给你的那些）检查："),
    "hidden_number": Text(
        "{n} hidden tests decide on {points} more points. Their sentences are told after grading, for what failed.",
        "另有 {n} 个隐藏测试，共 {points} 分。评分之后，会告诉你没有通过的是什么。",
    ),
    "hidden_points": Text(
        "Hidden tests decide on {points} more points. Their sentences are told after grading, for what failed.",
        "另有隐藏测试，共 {points} 分。评分之后，会告诉你没有通过的是什么。",
    ),
    "question": Text("question", "题目"),
    "question_number": Text("Question {n}", "第 {n} 题"),
    "public": Text("public points", "公开测试分值"),
    "hidden": Text("hidden points", "隐藏测试分值"),
    "practise": Text(
        "Answer here for practice: nothing is sent or kept. What counts is your file, `exercises/{id}.py`.",
        "可以在这里练习：不会发送或保存任何内容。计分的是你的文件 `exercises/{id}.py`。",
    ),
    "more": Text("Read more", "详细内容"),
    "why": Text("Explanation", "解释"),
    "map": Text("Map of the course", "课程地图"),
    "all_exercises": Text("All exercises", "全部练习"),
    "title": Text("exercise", "练习"),
    "tier": Text("tier", "规模"),
    "time": Text("minutes", "分钟"),
    "requires": Text("requires", "先修"),
    "progress": Text("yours", "进度"),
    "guides": Text("Guides", "指南"),
    "course": Text("Course", "课程"),
    "about": Text("About", "其他"),
    "api": Text("What tests and lessons are written with", "编写测试和讲义的函数"),
    "english_only": Text("", "这一页目前只有英文。"),
    "graph_units": Text("Units, each below what it builds on", "各单元，位于其先修单元的下方"),
    "graph_exercises": Text("Exercises, each below what it requires", "各练习，位于其先修练习的下方"),
    "n_exercises": Text("{n} exercises", "{n} 道练习"),
    "one_exercise": Text("1 exercise", "1 道练习"),
    "hours": Text("{n} h", "{n} 小时"),
    "show_code": Text("Show the code of this figure", "显示画这张图的代码"),
    "hide_code": Text("Hide the code of this figure", "隐藏画这张图的代码"),
    "from_elsewhere": Text("from {unit}", "来自{unit}"),
}


class Words:
    """The words in one language: `words("minutes", n=40)`, or `words.hints` in a template."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, name: str, **values: object) -> str:
        return WORDS[name].format(**values).pick(self.lang)

    def __getattr__(self, name: str) -> str:
        try:
            return WORDS[name].pick(self.lang)
        except KeyError:
            raise AttributeError(name) from None

    def tier_name(self, name: str) -> str:
        """What a tier is called."""
        return TIERS[name].pick(self.lang)
