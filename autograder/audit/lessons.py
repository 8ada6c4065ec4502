"""Do a lesson's cells run, do its pages open and read well as notebooks, do links lead somewhere, do languages agree?"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import jupytext
import nbformat

from autograder.audit.lesson_runner import run_cells
from autograder.audit.paragraphs import paragraph_problems
from autograder.authoring.translation import translates_line
from autograder.course import Exercise

CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
KERNEL = "jupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\nkernelspec:\n  display_name: Python 3\n  language: python\n  name: python3"


# What only Sphinx reads: a notebook and GitHub show it as it stands. Text in code is no syntax.
CODE = re.compile(r"^```\{code-cell\}.*?^```\s*?$|(?<![`}])`[^`\n]+`", re.MULTILINE | re.DOTALL)
RAW = (
    (re.compile(r"\{[a-z][a-z:-]*\}`[^`\n]*`"), "write a link, or the number of the equation"),
    (re.compile(r"\$\$ *\([\w-]+\)"), r"number the equation itself, $$... \tag{1}$$, and refer to it as (1)"),
    (re.compile(r"^\([\w-]+\)=$", re.MULTILINE), "link to the heading, PAGE.md#heading"),
    (re.compile(r"^(?:```|:::)\{[^}\n]+\}", re.MULTILINE), "only code cells are known to every reader"),
)


def code_of(page: str) -> str:
    """A page's executable cells, as one script. Options at a cell's head (`:tags: [...]`) are the renderer's."""
    cells = [re.sub(r"\A(:[a-z-]+:[^\n]*\n)+", "", cell) for cell in CELL.findall(page)]
    return "\n\n".join(cells)


def lesson_problems(exercise: Exercise, languages: Collection[str] = ("en", "zh")) -> list[str]:
    """What is wrong with the exercise's lessons, in words; empty if nothing is."""
    problems = []
    run: set[str] = set()
    pages: dict[str, str] = {}
    for lang in languages:
        path = exercise.lesson(lang)
        name = path.relative_to(exercise.root)
        if not path.is_file():
            problems.append(f"{name} is missing; write the lesson")
            continue
        page = pages[lang] = path.read_text(encoding="utf-8")
        problems += [f"{name}: {problem}" for problem in _links(exercise, path, page)]
        code = code_of(page)
        if not code.strip():
            problems.append(f"{name} has no executed cell; give a worked example")
        elif code not in run:  # the two languages often share their cells
            run.add(code)
            failure = run_cells(code, exercise.root)
            if failure:
                problems.append(f"{name}: a cell fails: {failure}")
    problems += page_problems(exercise, languages)
    if {"en", "zh"} <= pages.keys():
        problems += _translation(exercise, pages["en"], pages["zh"])
    return problems


def _links(exercise: Exercise, path: Path, page: str) -> list[str]:
    targets = [
        target for target, _ in LINK.findall(page) if "://" not in target and not target.startswith("mailto:")
    ]
    dead = [target for target in targets if not (path.parent / target).exists()]
    found = any((path.parent / target).resolve() == exercise.skeleton.resolve() for target in targets)
    missing = [] if found else [f"no link to exercises/{exercise.id}.py; add one"]
    return [f"the link {target!r} leads nowhere" for target in dead] + missing


def page_problems(exercise: Exercise, languages: Collection[str]) -> list[str]:
    """What keeps the exercise's pages from being read as notebooks, as on the course's site and on GitHub."""
    problems = []
    for lang in languages:
        for path in pages_of(exercise, lang):
            page, name = path.read_text(encoding="utf-8"), path.relative_to(exercise.root)
            problems += [f"{name} does not open as a notebook: {problem}" for problem in _notebook(page)]
            problems += [f"{name}: {problem}" for problem in _raw(page)]
            if lang == "zh":
                problems += [f"{name}, {problem}" for problem in paragraph_problems(page)]
    return problems


def pages_of(exercise: Exercise, lang: str) -> list[Path]:
    """The exercise's lesson and its unit's overview, those that are there."""
    lesson = exercise.lesson(lang)
    overview = lesson.with_name("overview.zh.md" if lang == "zh" else "overview.md")
    return [path for path in dict.fromkeys((lesson, overview)) if path.is_file()]


def _raw(page: str) -> list[str]:
    """Markup that would be shown as it stands."""
    prose = CODE.sub("", page)
    return [
        f"{found!r} is shown as it stands; {remedy}" for sign, remedy in RAW for found in sign.findall(prose)
    ]


def _notebook(page: str) -> list[str]:
    """Why JupyterLab could not open the page, and what to write."""
    try:
        notebook = jupytext.reads(page, fmt="md")  # which dialect it is, the page says, as in JupyterLab
        nbformat.validate(notebook)
        if not notebook.metadata.get("kernelspec"):
            return [f"it names no kernel; write in its front matter:\n{KERNEL}"]
    except nbformat.ValidationError as error:
        return [f"{error.message}; write in its front matter:\n{KERNEL}"]
    except Exception as error:  # what a YAML parser says of front matter that is none
        return [f"{type(error).__name__}: {error}"]
    return []


def _translation(exercise: Exercise, english: str, chinese: str) -> list[str]:
    front = FRONT_MATTER.match(chinese)
    line = translates_line(english)
    if front and line in front[1].splitlines():
        return []
    pages = [exercise.lesson(lang).relative_to(exercise.root) for lang in ("en", "zh")]
    return [
        f"{pages[1]} was not written for {pages[0]} as it is now; read both, say the same in both, "
        f"then put this line into its front matter: {line}"
    ]
