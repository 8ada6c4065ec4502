"""The pages of `autograder serve`: what `gradebook show`, `feedback` and `report` tell, from the gradebook as it is now."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC
from itertools import zip_longest
from urllib.parse import quote

from markupsafe import Markup, escape
from msgspec.structs import replace

from autograder.cli.common import Speaker
from autograder.cli.grade_table import GAP, LEGEND, STUDENT, grade_table
from autograder.cli.report import pages_of
from autograder.cli.rich_html import as_html, html_table, inline
from autograder.cli.tables import student_table
from autograder.course import Course
from autograder.errors import UserError
from autograder.feedback.html_page import html_page
from autograder.feedback.page_format import PageFormat
from autograder.gradebook import Gradebook, GradingScheme
from autograder.gradebook.insight import exercise_insight, shares
from autograder.gradebook.policy import unit_of
from autograder.gradebook.report_pages import report_files
from autograder.gradebook.student_feedback import FeedbackSource
from autograder.grading.scheme import recorded_scheme, scheme_of
from autograder.platforms.lms.handed_back import pages
from autograder.results import Status
from autograder.text import Text

KEPT_SECONDS = 20  # how long a page is believed where the gradebook's newest rows are the same
CLASS, UNITS, ASSIGNMENTS = Text("The class", "班级"), Text("Units", "单元"), Text("Assignments", "作业")
FEEDBACK, REPORT = Text("What this student gets back", "反馈给该学生的页面"), Text("Report", "班级报告")
ACTIVITY = Text(
    "{graded} graded, {ungraded} not graded yet. Last recorded: {when}.",
    "已评 {graded} 份，未评 {ungraded} 份。最近记录：{when}。",
)
NEVER = Text("never", "无")
NOTHING = Text("Nothing is recorded yet.", "尚无记录。")
STATE = "state"
# The page is fetched again when the gradebook has changed: what is read is not lost by loading it anew.
SCRIPT = """
const at = %r; let seen = null;
setInterval(async () => {
  if (document.hidden) return;
  try {
    const state = await (await fetch(at)).text();
    if (seen !== null && state !== seen) {
      const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      const old = document.querySelector("main"), fresh = page.querySelector("main");
      if (fresh && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
    }
    seen = state;
  } catch (error) { /* the command has ended */ }
}, 2000);
"""


class LivePages:
    """Path -> page. Pages are made when they are asked for, one at a time."""

    def __init__(self, book: Gradebook, root: Course | None, lang: str, say: Speaker) -> None:
        self._book, self._root, self._lang, self._say = book, root, lang, say
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, float, str | None]] = {}
        self._report: tuple[str, dict[str, bytes]] = ("", {})

    def __call__(self, path: str, nonce: str) -> tuple[bytes, str] | None:
        """The page at a path below the secret, without a slash before it; None where there is none."""
        with self._lock:
            state = self._book.newest()
            if path == STATE:
                return state.encode(), "text/plain; charset=utf-8"
            made, when, page = self._kept.get(path, ("", 0.0, None))
            if made != state or time.monotonic() - when > KEPT_SECONDS:
                page = self._page(path, state)
                self._kept = {
                    place: kept for place, kept in self._kept.items() if kept[0] == state
                }  # bounded by what there is
                if page is not None:
                    self._kept[path] = (state, time.monotonic(), page)
        if page is None:
            return None
        script = SCRIPT % ("../" * path.count("/") + STATE)
        marked = f'<script nonce="{nonce}">{script}</script>\n</body>'
        return page.replace("</body>", marked).encode("utf-8", "replace"), "text/html; charset=utf-8"

    def _page(self, path: str, state: str) -> str | None:
        kind, _, rest = path.partition("/")
        made: dict[str, Callable[[str], str | None]] = {
            "": self._class,
            "unit": self._unit,
            "assignment": self._assignment,
            "student": self._student,
            "report": lambda file: self._reported(file, state),
        }
        try:
            return made[kind](rest) if kind in made else None
        except UserError as error:  # a student or a gradebook that is no longer there
            return self._shown(error.text.pick(self._lang), "", path.count("/"), ())

    def _scheme(self) -> GradingScheme:
        return recorded_scheme(self._book) if self._root is None else scheme_of(self._book, self._root)

    def _class(self, rest: str) -> str | None:
        if rest:
            return None
        scheme, say = self._scheme(), self._say
        begun = self._book.exercises()
        units = [unit for unit in dict.fromkeys(map(unit_of, scheme.versions)) if _of(begun, unit)]
        links = [(f"unit/{quote(unit)}", _titled(scheme, unit, say)) for unit in units]
        works = [one for one in scheme.assignments if begun.intersection(one.exercises)]
        body = Markup("")
        for title, found in (
            (UNITS, links),
            (ASSIGNMENTS, [(f"assignment/{quote(one.id)}", say(one.title) or one.id) for one in works]),
        ):
            if found:
                listed = Markup(" · ").join(Markup('<a href="{}">{}</a>').format(*one) for one in found)
                body += Markup("<p><strong>{}</strong>: {}</p>").format(say(title), listed)
        body += self._grades(scheme, "") if begun else Markup("<p>{}</p>").format(say(NOTHING))
        above = [("report/index.html", say(REPORT))] if begun else []
        return self._shown(say(self._title), body, 0, above)

    @property
    def _title(self) -> Text:
        return self._root.title.text if self._root else CLASS

    def _unit(self, unit: str) -> str | None:
        scheme = self._scheme()
        if not any(unit_of(name) == unit for name in scheme.versions):
            return None
        return self._shown(_titled(scheme, unit, self._say), self._grades(scheme.of_unit(unit), "../"), 1, ())

    def _assignment(self, name: str) -> str | None:
        scheme = self._scheme()
        one = next((one for one in scheme.assignments if one.id == name), None)
        if one is None:
            return None
        versions = {name: scheme.versions[name] for name in one.exercises if name in scheme.versions}
        body = self._grades(replace(scheme, versions=versions), "../")
        above = [(f"../report/assignment-{quote(name)}.html", self._say(REPORT))]
        return self._shown(self._say(one.title) or name, body, 1, above)

    def _student(self, rest: str) -> str | None:
        student, _, file = rest.partition("/")
        if student not in self._book.students():
            return None
        scheme = self._scheme()
        if file:
            source = FeedbackSource(self._book, scheme, self._root)
            found = dict(pages(source.of(student), PageFormat.HTML, self._lang))
            return found[file].decode() if file in found else None
        body = as_html(student_table(self._book, scheme, student, self._say))
        above = [(f"{quote(student, safe='')}/index.html", self._say(FEEDBACK))]
        return self._shown(student, body, 1, above)

    def _reported(self, file: str, state: str) -> str | None:
        """A page of the report; all are made together, and kept as long as nothing is recorded."""
        if self._report[0] != state:
            scheme, begun = self._scheme(), self._book.exercises()
            chosen = [name for name in scheme.versions if name in begun]
            everybody = shares(self._book, scheme, chosen)
            insights = {name: exercise_insight(self._book, scheme, name) for name in chosen}
            listed = pages_of(scheme, everybody.assignments, chosen)
            files = report_files(everybody, listed, insights, None, self._title, self._lang)
            self._report = (state, files if chosen else {})
        content = self._report[1].get(file) if file.endswith(".html") else None
        return content.decode() if content is not None else None

    def _grades(self, scheme: GradingScheme, up: str) -> Markup:
        """The grade table, a link at each student."""
        students = self._book.students()
        table = grade_table(self._book, scheme, students, self._say)
        heads = [(escape(self._say(STUDENT)), False)]
        names = [escape(name.split("  ")[-1].strip()) for name in table.names]
        for column, name in zip_longest(table.columns, names):  # the total has no name but its own
            number, _, worth = column.head.partition("\n")
            heads.append((Markup("{}<br>{}").format(number if name is None else name, worth), True))
        rows = (
            [
                Markup('<a href="{}student/{}">{}</a>').format(up, quote(student, safe=""), student),
                *(inline(column.cells[row]) for column in table.columns),
            ]
            for row, student in enumerate(students)
        )
        remark = Markup('<p class="warn">{}</p>').format(table.remark) if table.remark else Markup("")
        legend = Markup('<p class="faint">{}</p>').format(self._say(LEGEND).replace(GAP, "; "))
        return html_table(heads, rows) + legend + remark

    def _shown(self, title: str, body: Markup | str, depth: int, above: Sequence[tuple[str, str]]) -> str:
        home = [("../" * depth or "./", self._say(CLASS))] if depth else []
        return html_page(
            "live.html.j2",
            self._lang,
            title=title,
            body=body,
            above=[*home, *above],
            activity=self._activity(),
        )

    def _activity(self) -> str:
        """How much is graded, and when something was recorded last."""
        attempts = [history[-1] for history in self._book.attempts().values()]
        last = max((history.recorded_at for history in attempts), default=None)
        statuses = Counter(attempt.result.status is Status.UNGRADED for attempt in attempts)
        when = f"{last.replace(tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}" if last else self._say(NEVER)
        return self._say(ACTIVITY, graded=statuses[False], ungraded=statuses[True], when=when)


def _of(names: set[str], unit: str) -> bool:
    return any(unit_of(name) == unit for name in names)


def _titled(scheme: GradingScheme, unit: str, say: Speaker) -> str:
    return say(scheme.titles[unit]) if unit in scheme.titles else unit
