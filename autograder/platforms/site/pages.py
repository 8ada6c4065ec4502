"""The pages of a site in one language, as Markdown that Sphinx turns into HTML. The templates beside this lay them out."""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from autograder import testing
from autograder.authoring.notebooks import import_nbformat, notebook_of
from autograder.course import Exercise, Hint, Unit
from autograder.course.toml import read_text
from autograder.platforms.leftovers import files_below
from autograder.platforms.site.address import ANCHOR
from autograder.platforms.site.contents import Contents
from autograder.platforms.site.graph import Node, graph
from autograder.platforms.site.guides import Guide
from autograder.platforms.site.lesson_text import site_text
from autograder.platforms.site.links import body_of, demoted, plain, relink
from autograder.platforms.site.quiz import quiz_markdown
from autograder.platforms.site.words import Words
from autograder.results import total
from autograder.runner.collect import sentence_of
from autograder.text import number

SHARED = {"conventions": "conventions.md", "LICENSE": "license.md"}  # pages of course/ itself
CELL = "```{code-cell}"
# By which MyST-NB knows a page whose cells it runs.
NOTEBOOK = """\
---
file_format: mystnb
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
ABREAST = 4  # boxes side by side that fit on a page


def write_pages(contents: Contents, source: Path, extra: Path, lang: str) -> None:
    """Write the Markdown below `source`, and the notebooks that can be downloaded below `extra`."""
    pages = Pages(contents, lang)
    for path, text in pages.all():
        target = source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if CELL in text:
            text = NOTEBOOK + text
        target.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    for path, page in pages.files.items():
        if not page.partition("#")[0].endswith(".md"):
            (source / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(contents.course.root / path, source / page)
    nbformat = import_nbformat()
    for exercise in contents.exercises.values():
        target = extra / f"{exercise.id}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook_of(exercise, lang), target)


@dataclass(frozen=True)
class Statement:
    """A cell of an exercise's skeleton, as it is shown."""

    text: str
    is_code: bool


class Pages:
    """Everything that the templates ask for, in one language."""

    def __init__(self, contents: Contents, lang: str) -> None:
        self.contents, self.lang, self.words = contents, lang, Words(lang)
        templates = resources.files(__package__) / "files" / "templates"
        self.jinja = jinja2.Environment(
            loader=jinja2.FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self.jinja.globals.update(pages=self, words=self.words, contents=contents, lang=lang, number=number)
        self.jinja.globals["guides"] = [guide.name for guide in contents.guides]
        self.jinja.filters["plain"] = plain

    def all(self) -> Iterator[tuple[str, str]]:
        """(path, text) of every page."""
        yield "index.md", self.render(f"index.{self.lang}.md.j2")
        yield "map.md", self.render("map.md.j2")
        for unit in self.contents.course.units:
            yield f"{unit.id}/overview.md", self.render("unit.md.j2", unit=unit, overview=self.overview(unit))
            for exercise in self.of_unit(unit):
                quiz = self.contents.quizzes.get(exercise.id)
                text = quiz_markdown(quiz, unit.id, self.lang, self.files) if quiz else ""
                yield f"{exercise.id}.md", self.render("exercise.md.j2", exercise=exercise, quiz=text)
        for name, page in SHARED.items():
            if (path := self.shared(name)) is not None:
                yield page, self.linked(path, page)
        for guide in self.contents.guides:
            yield f"guides/{guide.name}.md", self.guide(guide)
        if self.has_api:
            yield (
                "guides/testing.md",
                self.render("testing.md.j2", names=[name for name in testing.__all__ if name.islower()]),
            )

    def render(self, template: str, **values: Any) -> str:
        return self.jinja.get_template(template).render(**values)

    # ------------------------------------------------------------------------------------- what leads where

    @cached_property
    def files(self) -> dict[str, str]:
        """File of the course -> its page, for links."""
        root, found = self.contents.course.root, {}
        for exercise in self.contents.exercises.values():
            found[f"exercises/{exercise.id}.py"] = f"{exercise.id}.md#{ANCHOR[self.lang]}"
            for lang in ("en", "zh"):
                path = exercise.lesson(lang).relative_to(root).as_posix()
                found[path] = f"{exercise.unit}/{path.rsplit('/', 1)[1].split('.')[0]}.md"
        for unit in self.contents.course.units:
            for name in ("overview.md", "overview.zh.md"):
                found[f"course/{unit.id}/{name}"] = f"{unit.id}/overview.md"
            for file in files_below(root / "course" / unit.id):
                if file.suffix not in (".md", ".toml"):
                    name = file.relative_to(root / "course").as_posix()
                    found[f"course/{name}"] = name
        for name, page in SHARED.items():
            found |= {f"course/{name}{suffix}": page for suffix in (".md", ".zh.md") if self.shared(name)}
        if (root / "course/examples.toml").is_file():
            found["course/examples.toml"] = "examples.toml"
        for guide in self.contents.guides:
            found |= dict.fromkeys(guide.files.values(), f"guides/{guide.name}.md")
        found["README.md"] = "index.md"
        return found

    def shared(self, name: str) -> str | None:
        """The file of a page that belongs to no unit, in this language if there is one."""
        names = [f"course/{name}.zh.md"] if self.lang == "zh" else []
        names += [f"course/{name}.md"]
        return next((path for path in names if (self.contents.course.root / path).is_file()), None)

    def linked(self, path: str, page: str) -> str:
        """A whole file of the course, as a page of its own."""
        title, text = body_of(read_text(self.contents.course.root / path))
        return f"# {title}\n\n{relink(text, path, page, self.files)}"

    # ------------------------------------------------------------------------------------- exercises and units

    def of_unit(self, unit: Unit) -> list[Exercise]:
        return [e for e in self.contents.exercises.values() if e.unit == unit.id]

    def title(self, exercise: Exercise) -> str:
        return exercise.public.title.text.pick(self.lang)

    def unit_title(self, unit: Unit) -> str:
        return unit.title.text.pick(self.lang)

    def lesson(self, exercise: Exercise) -> str:
        """The lesson's text, without its title. A quiz has none of its own."""
        path = exercise.lesson(self.lang)
        if exercise.kind == "quiz" or not path.is_file():
            return ""
        return self._text(path, f"{exercise.id}.md")

    def overview(self, unit: Unit) -> str:
        name = "overview.zh.md" if self.lang == "zh" else "overview.md"
        path = self.contents.course.root / "course" / unit.id / name
        return self._text(path, f"{unit.id}/overview.md") if path.is_file() else ""

    def _text(self, path: Path, page: str) -> str:
        name = path.relative_to(self.contents.course.root).as_posix()
        return site_text(relink(body_of(read_text(path))[1], name, page, self.files), page)

    def statement(self, exercise: Exercise) -> list[Statement]:
        """The skeleton's cells from its statement on: without title, imports of ours and calls of `check`."""
        shown = []
        for cell in notebook_of(exercise, self.lang).cells[1:]:
            if cell.cell_type == "markdown":
                text = relink(cell.source, f"exercises/{exercise.id}.py", f"{exercise.id}.md", self.files)
                shown.append(Statement(demoted(text), False))
            elif not cell.source.startswith(("from autograder import check", "check(")):
                shown.append(Statement(cell.source, True))
        return shown

    def sentences(self, exercise: Exercise) -> list[str]:
        """What the public tests check, in the words of their docstrings."""
        tests = ast.parse(read_text(exercise.public_tests)).body
        told = [
            sentence_of(ast.get_docstring(test)).pick(self.lang)
            for test in tests
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
        ]
        return [sentence for sentence in told if sentence]

    def hints(self, exercise: Exercise) -> Iterator[tuple[int, Hint]]:
        """Each hint, with its number among those on the same question."""
        given: Counter[str] = Counter()
        for hint in exercise.public.hint:
            given[hint.question] += 1
            yield given[hint.question], hint

    def hidden_points(self, exercise: Exercise) -> float:
        return total(share.hidden for share in exercise.public.points)

    def before(self, exercise: Exercise) -> list[Exercise]:
        names = (*exercise.public.requires, *exercise.public.parts)
        return [
            self.contents.exercises[name] for name in dict.fromkeys(names) if name in self.contents.exercises
        ]

    def after(self, exercise: Exercise) -> list[Exercise]:
        return [
            e for e in self.contents.exercises.values() if exercise in self.before(e) and e.kind != "quiz"
        ]

    def links(self, exercises: list[Exercise], page: str = "U/T") -> str:
        """Links to these exercises from a page in a unit's folder, or from the root."""
        start = "../" if "/" in page else ""
        return " · ".join(f"[{plain(self.title(e))}]({start}{e.id}.md)" for e in exercises)

    # ------------------------------------------------------------------------------------- the map

    def unit_graph(self) -> str:
        """All units, each below those whose exercises its own require."""
        nodes = []
        for unit in self.contents.course.units:
            exercises = self.of_unit(unit)
            hours = round(sum(e.public.minutes for e in exercises) / 60 * 2) / 2
            count = self.words("n_exercises" if len(exercises) > 1 else "one_exercise", n=len(exercises))
            note = f"{count} · {self.words('hours', n=number(hours))}"
            data = f'data-unit="{unit.id}" data-exercises="{" ".join(e.id for e in exercises)}"'
            nodes.append(Node(unit.id, self.unit_title(unit), note, f"{unit.id}/overview.html", data))
        edges = {(b.unit, e.unit) for e in self.contents.exercises.values() for b in self.before(e)}
        return graph(nodes, edges, self.words.graph_units, ABREAST)

    def exercise_graph(self, unit: Unit) -> str:
        """A unit's exercises, below what they require of other units."""
        own = self.of_unit(unit)
        others = {b.id: b for e in own for b in self.before(e) if b.unit != unit.id}
        titles = {u.id: self.unit_title(u) for u in self.contents.course.units}
        nodes = []
        for exercise in [*others.values(), *own]:
            public = exercise.public
            note = f"{self.words.tier_name(public.tier)} · {self.words('minutes', n=public.minutes)}"
            foreign = exercise.unit != unit.id
            note = self.words("from_elsewhere", unit=titles[exercise.unit]) if foreign else note
            data = f'data-exercise="{exercise.id}"'
            style = "foreign" if foreign else exercise.kind
            nodes.append(Node(exercise.id, self.title(exercise), note, f"../{exercise.id}.html", data, style))
        edges = {(b.id, e.id) for e in own for b in self.before(e)}
        return graph(nodes, edges, self.words.graph_exercises, ABREAST)

    # ------------------------------------------------------------------------------------- guides

    @property
    def has_api(self) -> bool:
        """Authors' functions are for authors."""
        return any(guide.name == "authors" for guide in self.contents.guides)

    def guide(self, guide: Guide) -> str:
        page = f"guides/{guide.name}.md"
        title, text = body_of(guide.text(self.lang))
        missing = self.lang not in guide.files
        note = f'<p class="note" lang="zh">{self.words.english_only}</p>\n\n' if missing else ""
        return f"# {title}\n\n{note}{relink(text, guide.file(self.lang), page, self.files)}"

    @property
    def commands(self) -> list[str]:
        """How a learner starts, from the folder that the course lies in."""
        installers = ("install.py", "autograder/platforms/files/install.py")
        root = self.contents.root
        found = (
            "install.py"
            if self.contents.for_class
            else next((path for path in installers if (root / path).is_file()), "")
        )
        install = f"python3 {found} .venv{'' if found == 'install.py' else ' notebook'}"
        learn = ".venv/bin/autograder learn" if found else "autograder learn"
        return [*([install] if found else []), learn + (" --lang zh" if self.lang == "zh" else "")]
