"""Hints: the next step of help on the question that fails, one step after each attempt."""

from __future__ import annotations

from autograder.course import Exercise
from autograder.learn.journal import entry_of
from autograder.text import Text

HINT = Text("Hint {n} of {most}, {question}: {text}", "提示 {n}/{most}，{question}：{text}")
NO_HINT = Text(
    "There are no more hints on {question}. The lesson may help: {path}",
    "{question} 没有更多提示了，可以看看讲义：{path}",
)
AGAIN = Text(
    "The next hint comes after an attempt that differs from this one.",
    "修改答案再试一次之后，才有下一条提示。",
)
NOT_NEEDED = Text("Nothing fails, so there is no hint to give.", "没有未通过的测试，不需要提示。")
NOT_LOADED = Text(
    "Your file can't be loaded. Mend that first: `autograder check {exercise}` says where.",
    "你的文件无法加载，请先修好它：`autograder check {exercise}` 会指出位置。",
)


def give_hint(exercise: Exercise, lang: str) -> str:
    """The hints on the question that failed in the last attempt that was tested, up to the next one.

    An attempt gives one step: asking again without having tried anything else shows the same hints.
    """
    with entry_of(exercise) as entry:
        failing = list(exercise.public.questions) if entry.failing is None else entry.failing
        if not failing:
            return (NOT_NEEDED if entry.passes else NOT_LOADED).pick(lang).format(exercise=exercise.id)
        question = failing[0]
        hints = [hint.text for hint in exercise.public.hint if hint.question == question]
        given = entry.hints.get(question, 0)
        fresh = given == 0 or entry.hinted != entry.attempt
        remark = "" if given < len(hints) or not fresh else NO_HINT.pick(lang)
        if fresh and given < len(hints):
            entry.hints[question] = given = given + 1
            entry.hinted = entry.attempt
        elif given < len(hints):
            remark = AGAIN.pick(lang)
    told = [
        HINT.pick(lang).format(n=n, most=len(hints), question=question, text=text.pick(lang))
        for n, text in enumerate(hints[:given], 1)
    ]
    lesson = exercise.lesson(lang).relative_to(exercise.root)
    return "\n".join([*told, remark.format(question=question, path=lesson)]).rstrip()
