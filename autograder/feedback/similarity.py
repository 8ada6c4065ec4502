"""What a comparison of a class's answers found, and the pages that say what it means. A page accuses nobody."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from autograder.feedback.html_page import html_page
from autograder.text import Text, escape_formula

SHOWN = 60  # pairs side by side on a page; the CSV file has them all
INDEX, PAIRS = "index.html", "pairs.csv"
LIST = ".autograder-similarity"  # of what the command has written into a folder
COLUMNS = [
    "exercise",
    "student",
    "other_student",
    "score",
    "share_of_student",
    "share_of_other",
    "limit",
    "independent_pairs",
    "highest_independent",
    "class_pairs_below",
    "group",
]
SVG_RADIUS, SVG_NODE = 110, 17  # of a group's drawing, in pixels


class Line(NamedTuple):
    """A line of somebody's own code."""

    number: int
    text: str
    matched: bool
    gap: bool  # whether lines before it are left out


class Side(NamedTuple):
    """One of a pair: who, in which file, how much of theirs the other has, too, and the code."""

    student: str
    path: str
    share: float
    lines: Sequence[Line]


class Pair(NamedTuple):
    """Two answers that are more alike than the limit."""

    score: float
    sides: tuple[Side, Side]
    group: int  # its number on the page, from 1
    below: float  # share of the class's pairs with a lower score


class Spread(NamedTuple):
    """A distribution of scores; nothing is known of one without pairs."""

    pairs: int = 0
    median: float = 0.0
    highest: float = 0.0


class Limit(NamedTuple):
    """The score from which on pairs are shown, and where it comes from."""

    score: float
    why: Text


class ExerciseSimilarity(Struct, frozen=True):
    """How alike the answers to one exercise are.

    nothing: why a score says nothing of this exercise; empty where it does. asked: whether somebody set the limit.
    independent: of solutions that were written without each other, `solutions` in number.
    """

    exercise: str
    title: Text
    answers: int
    short: list[str]
    unread: list[str]
    solutions: int
    independent: Spread
    of_class: Spread
    limit: Limit
    asked: bool
    nothing: Text
    pairs: list[Pair]

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"{self.exercise.replace('/', '.')}.html"

    @property
    def groups(self) -> list[Group]:
        """Whoever a chain of pairs joins, largest group first, as the pairs number them."""
        found: dict[int, list[Pair]] = {}
        for pair in self.pairs:
            found.setdefault(pair.group, []).append(pair)
        return [_group(number, pairs) for number, pairs in sorted(found.items())]


class Node(NamedTuple):
    """A student in the drawing of a group."""

    student: str
    x: float
    y: float


class Group(NamedTuple):
    """Students whom pairs join, and the drawing of it."""

    number: int
    nodes: list[Node]
    edges: list[tuple[Node, Node, float]]
    complete: bool  # whether everybody is in a pair with everybody

    @property
    def size(self) -> float:
        """The width and the height of the drawing."""
        return 2 * (SVG_RADIUS + 4 * SVG_NODE)


def _group(number: int, pairs: Sequence[Pair]) -> Group:
    students = sorted({side.student for pair in pairs for side in pair.sides})
    middle = SVG_RADIUS + 4 * SVG_NODE
    turn = 2 * math.pi / len(students)
    nodes = {
        student: Node(
            student,
            round(middle - SVG_RADIUS * math.cos(place * turn), 1),
            round(middle - SVG_RADIUS * math.sin(place * turn), 1),
        )
        for place, student in enumerate(students)
    }
    edges = [(nodes[pair.sides[0].student], nodes[pair.sides[1].student], pair.score) for pair in pairs]
    complete = len(edges) == len(students) * (len(students) - 1) // 2
    return Group(number, list(nodes.values()), edges, complete)


def lines_shown(lines: Sequence[tuple[int, str]], matched: set[int]) -> list[Line]:
    """Numbered lines with their marks."""
    numbers = [0, *(number for number, _ in lines)]
    gaps = [after > before + 1 and before > 0 for before, after in pairwise(numbers)]
    return [
        Line(number, text, number in matched, gap) for (number, text), gap in zip(lines, gaps, strict=True)
    ]


def similarity_files(found: Sequence[ExerciseSimilarity], lang: str) -> dict[str, bytes]:
    """File name -> content: a page that leads to those of the exercises, and all pairs that are shown as CSV."""
    files = {INDEX: html_page("similarity_index.html.j2", lang, found=found, t=TEXTS).encode()}
    for one in found:
        page = html_page("similarity.html.j2", lang, found=one, shown=one.pairs[:SHOWN], t=TEXTS)
        files[one.page] = page.encode()
    return files | {PAIRS: _pairs_csv(found)}


def _pairs_csv(found: Sequence[ExerciseSimilarity]) -> bytes:
    """All pairs that are shown, of all exercises. UTF-8 with the mark that spreadsheets need."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in found:
        for pair in one.pairs:
            first, second = pair.sides
            figures = (pair.score, first.share, second.share, one.limit.score)
            rows.writerow(
                [
                    one.exercise,
                    escape_formula(first.student),
                    escape_formula(second.student),
                    *(f"{figure:.3f}" for figure in figures),
                    one.independent.pairs,
                    f"{one.independent.highest:.3f}",
                    f"{pair.below:.4f}",
                    pair.group,
                ]
            )
    return text.getvalue().encode("utf-8-sig")


TEXTS = {
    "title": Text("Answers that are alike", "相似的答案"),
    "back": Text("All exercises", "全部练习"),
    "what": Text(
        "This page says which answers to look at side by side. It does not say how a likeness came about: who learned from "
        "the same page, worked through an example together, or asked the same assistant, writes alike. Read the two answers "
        "and talk with their authors before you conclude anything.",
        "本页只指出哪些答案值得并排查看，并不说明相似是如何产生的：看过同一份材料、一起讨论过例题、问过同一个助手的人，"
        "写出来的代码都会相像。下结论之前，请先读这两份答案，并与作者谈一谈。",
    ),
    "private": Text(
        "It shows students' work and is for whoever grades them only.", "本页含有学生的作业，仅供评分者查看。"
    ),
    "score": Text("score", "分数"),
    "means": Text("What a score means", "分数的含义"),
    "definition": Text(
        "The score is the share of the shorter of two answers that the other has, too. Left out of it: the starter and given "
        "code; names, comments, docstrings, blanks, quotes and parentheses; the order of functions. What is also in an accepted solution, "
        "or comes from a known mistake, counts as no likeness: two equal answers reach 1 only if nothing in them is usual.",
        "分数是两份答案中较短的一份有多少也出现在另一份里。不计入：骨架和给出的代码；命名、注释、文档字符串、空白、引号和括号；"
        "函数的先后次序。与某份已接受的解答相同之处，或由已知误解带来的相同之处，不算相似：两份完全相同的答案，只有在毫无常见写法时才会得 1。",
    ),
    "unseen": Text(
        "It does not see through: a statement written in another way, statements put in another order within a function, lines "
        "put in between every line or two, code moved to another file. An answer like those may score low.",
        "它看不穿的改动：换一种写法的语句、函数内部调换次序的语句、每隔一两行插入的代码、移到别的文件的代码。经过这样改动的答案分数可能很低。",
    ),
    "calibrated": Text(
        "{solutions} solutions of this exercise that were written without each other ({pairs} pairs) score at most {highest}, "
        "half of these pairs below {median}.",
        "本练习有 {solutions} 份彼此独立写成的解答（{pairs} 对），分数最高为 {highest}，其中一半低于 {median}。",
    ),
    "few": Text(
        "So few pairs can't rule out a coincidence: about one independent pair in {one_in} scores above them all, and this class "
        "has {pairs} pairs. Accepted solutions also differ more than a class that read one lesson.",
        "对数这么少，不能排除巧合：每 {one_in} 对独立的答案里大约就有一对高于它们全部，而这个班有 {pairs} 对。"
        "而且已接受的解答之间的差别，比读同一份讲义的班级更大。",
    ),
    "class": Text(
        "In this class {answers} answers make {pairs} pairs; half of them score below {median}, the highest {highest}.",
        "这个班的 {answers} 份答案构成 {pairs} 对，其中一半低于 {median}，最高为 {highest}。",
    ),
    "limit": Text("Pairs are shown from {limit} on: {why}.", "从 {limit} 起列出：{why}。"),
    "asked": Text(
        "The limit was given by --threshold; of itself nothing would be shown here.",
        "这个下限由 --threshold 指定；否则这里不会列出任何一对。",
    ),
    "nothing": Text("Here a score says nothing.", "在这道练习上，分数不能说明任何问题。"),
    "none": Text("No pair is more alike than that.", "没有哪一对的相似程度超过下限。"),
    "pairs": Text("Pairs", "成对列出"),
    "students": Text("students", "学生"),
    "of_theirs": Text("of theirs", "占本人"),
    "below": Text("It is above {share} % of this class's pairs.", "高于本班 {share} % 的对。"),
    "above_all": Text(
        "{score} is above all {n} pairs of independent solutions.",
        "{score} 高于全部 {n} 对独立解答。",
    ),
    "not_above_all": Text(
        "{score} is reached by independent solutions, too.", "独立写成的解答也会达到 {score}。"
    ),
    "group": Text("group", "组"),
    "groups": Text("Groups", "分组"),
    "group_line": Text("Group {number}: {n} students", "第 {number} 组：{n} 名学生"),
    "chain": Text(
        "Not everybody is alike with everybody: a line joins those who are.",
        "并非组内人人相似：有连线的两人才相似。",
    ),
    "side_by_side": Text("Side by side", "并排查看"),
    "marked": Text(
        "Marked lines are in the other answer, too (≡); what was given is left out.",
        "带标记（≡）的行在另一份答案里也有；给出的代码未显示。",
    ),
    "more": Text("{n} more pairs are in pairs.csv.", "另有 {n} 对见 pairs.csv。"),
    "short": Text(
        "Not compared, because there is too little of their own in them: {names}.",
        "因自己写的内容太少而未比较：{names}。",
    ),
    "unread": Text("Not compared, because they can't be read: {names}.", "因无法读取而未比较：{names}。"),
    "without": Text("Exercises without pairs to look at: {n}", "没有需要查看的对的练习：{n} 道"),
    "exercise": Text("exercise", "练习"),
    "answers": Text("answers", "答案"),
    "shown": Text("pairs shown", "列出的对"),
    "independent": Text("independent, at most", "独立解答最高"),
    "from": Text("shown from", "下限"),
    "remark": Text("remark", "说明"),
}
