"""The course's terms in both languages, read from `course/glossary.toml`, and their table on the conventions pages."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from autograder.course.spec import BothLanguages, Filled, require_languages
from autograder.course.toml import CourseError, read_toml

GLOSSARY_FILE = Path("course") / "glossary.toml"
CONVENTIONS = {  # the pages that show the terms
    "en": Path("course") / "conventions.md",
    "zh": Path("course") / "conventions.zh.md",
}
BEGIN, END = "<!-- BEGIN GLOSSARY -->", "<!-- END GLOSSARY -->"
HEADINGS = {
    "en": "| English | Chinese | Meaning |",
    "zh": "| 术语（英文） | 意思 |",
}


class Term(Struct, frozen=True, forbid_unknown_fields=True):
    """One term: its name in each language, what it means, and the words that Chinese pages don't use for it."""

    en: Filled
    zh: Filled
    meaning: BothLanguages
    avoid: tuple[Filled, ...] = ()


class _GlossaryFile(Struct, frozen=True, forbid_unknown_fields=True):
    term: tuple[Term, ...]


def load_glossary(root: Path) -> tuple[Term, ...]:
    """The terms of the course at `root`, in the file's order; none where it has no glossary."""
    path = root / GLOSSARY_FILE
    if not path.is_file():
        return ()
    glossary = read_toml(path, _GlossaryFile)
    require_languages(path, glossary, ("en", "zh"))
    return glossary.term


def glossary_table(terms: tuple[Term, ...], lang: str) -> str:
    """The terms as a Markdown table in one language ("en" or "zh")."""
    rows = [HEADINGS[lang], "|---" * (HEADINGS[lang].count("|") - 1) + "|"]
    for term in terms:
        if lang == "en":
            rows.append(f"| {term.en} | {term.zh} | {term.meaning.en} |")
        else:
            name = (
                term.zh if term.zh == term.en else f"{term.zh}（{term.en.replace('(', '').replace(')', '')}）"
            )
            rows.append(f"| {name} | {term.meaning.zh} |")
    return "\n".join(rows)


def with_glossary(page: str, terms: tuple[Term, ...], lang: str) -> str:
    """A page with the terms' table between its two marker comments, whatever stood there.

    Raises:
        CourseError: if the page doesn't hold each marker once, the first one first.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise CourseError(
            f"the conventions page ({lang}) must hold {BEGIN!r} and then {END!r}, each once; mend its markers",
            f"约定页（{lang}）须依次含有 {BEGIN!r} 和 {END!r}，各一次；请改正这两个标记",
        )
    return f"{before}{BEGIN}\n\n{glossary_table(terms, lang)}\n\n{END}{after}"
