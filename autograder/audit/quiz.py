"""What an audit asks of a quiz in place of cheap answers, lessons and the usual form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from autograder.audit.form import hint_problems
from autograder.course import Exercise
from autograder.course.quiz import AnyQuestion, Choice, Number, Quiz
from autograder.course.sizes import QUIZ_OPTIONS, QUIZ_QUESTIONS, Range

LETTERS = 3  # so many different ones are right, where there are that many choice questions
FENCED = re.compile(r"^```.*?^```\s*$", re.MULTILINE | re.DOTALL)
HEADINGS = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def guess_problems(quiz: Quiz) -> list[str]:
    """No letter, given to every choice question, answers more than half of them."""
    right = Counter(question.answer for question in quiz.questions if isinstance(question, Choice))
    asked = right.total()
    problems = [
        f"{letter!r} answers {times} of {asked} choice questions; move some of the right options"
        for letter, times in right.items()
        if times > 1 and 2 * times > asked
    ]
    if len(right) < min(LETTERS, asked):
        problems.append(
            f"only {', '.join(sorted(right))} are right in {asked} choice questions; spread the right options "
            f"over {LETTERS} letters"
        )
    return problems


def link_problems(exercise: Exercise) -> list[str]:
    """Each question's link leads to a heading of the same page in both languages."""
    return [
        f"{question.name}: {problem}"
        for question in exercise.quiz.questions
        for problem in _link_problems(exercise.root / "course" / exercise.unit, question, exercise.languages)
    ]


def _link_problems(folder: Path, question: AnyQuestion, languages: Sequence[str]) -> Iterator[str]:
    pages = set()
    for lang in languages:
        link = question.link.text.pick(lang)
        name, _, heading = link.partition("#")
        pages.add(name)
        path = folder / (f"{name}.zh.md" if lang == "zh" else f"{name}.md")
        if not path.is_file():
            yield f"link.{lang} = {link!r}: there is no {folder.name}/{path.name}; write PAGE#HEADING"
            continue
        known = slugs(path.read_text(encoding="utf-8"))
        if heading not in known:
            yield f"link.{lang} = {link!r}: {folder.name}/{path.name} has no such heading; it has {', '.join(known)}"
    if len(pages) > 1:
        yield f"the link leads to {' and '.join(sorted(pages))}; name one page in both languages"


def slugs(page: str) -> list[str]:
    """The names by which links know a page's headings: "Four levels of units" is `four-levels-of-units`."""
    return [
        re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")
        for heading in HEADINGS.findall(FENCED.sub("", page))
    ]


def quiz_problems(quiz: Quiz) -> list[str]:
    """The number of questions, and what each of them needs."""
    asked = len(quiz.questions)
    problems = []
    if not _within(asked, QUIZ_QUESTIONS):
        problems.append(f"{asked} questions; write {QUIZ_QUESTIONS[0]} to {QUIZ_QUESTIONS[1]}")
    for question in quiz.questions:
        problems += [f"{question.name}: {problem}" for problem in _form_problems(question)]
    return problems + hint_problems(quiz.spec)


def _form_problems(question: AnyQuestion) -> Iterator[str]:
    if not isinstance(question, Number):
        if not _within(len(question.options), QUIZ_OPTIONS):
            yield f"{len(question.options)} options; write {QUIZ_OPTIONS[0]} to {QUIZ_OPTIONS[1]}"
        for lang in ("en", "zh"):
            texts = Counter(getattr(option.text, lang) for option in question.options)
            yield from (
                f"two options say {text!r}; reword one" for text, n in texts.items() if n > 1 and text
            )
    wrong = list(question.wrong_answers())
    if not wrong:
        yield "no wrong answer stands for a mistake; name at least one in `wrong`"
    for mistake in wrong:
        for answer in _answers_in_words(question):
            if _stands_in(answer, f"{mistake.hint.en}\n{mistake.hint.zh}"):
                yield f"the hint of {mistake.name} tells the answer, {answer!r}; reword it"


def _within(number: int, bounds: Range) -> bool:
    return bounds[0] <= number <= bounds[1]


def _answers_in_words(question: AnyQuestion) -> list[str]:
    """The right answer as a hint could tell it."""
    if isinstance(question, Number):
        return list(dict.fromkeys([f"{question.answer}", f"{question.answer:,}"]))
    if not isinstance(question, Choice):
        return []  # an option that is right stands beside one that is wrong
    (right,) = (option.text for option in question.options if option.key == question.answer)
    return [words for words in (right.en.rstrip("."), right.zh.rstrip("。")) if words]


def _stands_in(words: str, text: str) -> bool:
    """Whether these words, or this number, stand in a text: not as a part of a longer word or number."""
    return re.search(rf"(?<![A-Za-z0-9_.]){re.escape(words)}(?![A-Za-z0-9_]|\.\d)", text) is not None
