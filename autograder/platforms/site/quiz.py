"""A quiz that is answered on its page: the questions as Markdown, and what the page's script needs beside them.

Without JavaScript the questions can be read. Answers and explanations are on the page, so a class gets none of this.
"""

from __future__ import annotations

import json
from html import escape

from autograder.course.quiz import AnyQuestion, Number, Quiz
from autograder.platforms.site.links import relink
from autograder.platforms.site.words import Words


def quiz_markdown(quiz: Quiz, unit: str, lang: str, pages: dict[str, str]) -> str:
    """All questions, one below the other.

    Args:
        pages: as for `relink`; a link of a question that leads to no page is left out.
    """
    return "\n\n".join(
        _question(number, question, unit, lang, pages) for number, question in enumerate(quiz.questions, 1)
    )


def _question(number: int, question: AnyQuestion, unit: str, lang: str, pages: dict[str, str]) -> str:
    kind = type(question).__name__.lower()
    data = {"kind": kind, "answer": json.dumps(question.right)}
    if isinstance(question, Number):
        data["tolerance"] = json.dumps(question.tolerance(question.answer))
        unit_name = question.unit.text.pick(lang) if question.unit else ""
        data["suffix"] = unit_name
        options = ""
    else:
        data["keys"] = question.keys
        options = "\n".join(_option(option.text.text.pick(lang)) for option in question.options)
    attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
    hints = [
        f'<div class="quiz-hint" data-for="{escape(json.dumps(wrong.answer))}"'
        f"{_tolerance(question, wrong.answer)} hidden>\n\n{wrong.hint.text.pick(lang)}\n\n</div>"
        for wrong in question.wrong_answers()
    ]
    page, _, heading = question.link.text.pick(lang).partition("#")
    suffix = ".zh.md" if lang == "zh" else ".md"
    file = f"course/{unit}/quiz{suffix}"
    more = relink(f"[{Words(lang).more}]({page}{suffix}#{heading})", file, f"{unit}/quiz.md", pages)
    explanation = question.explanation.text.pick(lang)
    return "\n\n".join(
        [
            f"## {Words(lang)('question_number', n=number)}",
            f'<div class="quiz-question" {attributes}>',
            question.text.text.pick(lang).strip(),
            *([options] if options else []),
            *hints,
            '<div class="quiz-explanation" hidden>',
            f"**{Words(lang).why}**",
            f"{explanation} {more if more.startswith('[') else ''}".strip(),
            "</div>",
            "</div>",
        ]
    )


def _option(text: str) -> str:
    return "* " + text.strip().replace("\n", "\n  ")


def _tolerance(question: AnyQuestion, value: object) -> str:
    if isinstance(question, Number) and isinstance(value, int | float):
        return f' data-tolerance="{question.tolerance(value)}"'
    return ""
