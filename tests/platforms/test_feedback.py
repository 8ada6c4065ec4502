"""`autograder feedback`: what students get back, in every form, and what of it may be replaced."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from autograder.course import own_folder
from autograder.feedback.page_format import PageFormat
from autograder.feedback.student import AssignmentFeedback, StudentFeedback
from autograder.feedback.student_pages import assignment_page, index_page
from autograder.gradebook import Gradebook
from autograder.gradebook.roster import Person
from autograder.platforms.lms import canvas, moodle
from autograder.platforms.lms.handed_back import LIST, folder_names
from autograder.results import (
    ExerciseResult,
    Isolation,
    Outcome,
    Status,
    TestResult,
    Unrecognised,
    Visibility,
    Why,
    total,
)
from autograder.text import Text

Cli = Callable[..., Any]
PUBLIC, HIDDEN = Visibility.PUBLIC, Visibility.HIDDEN
HINT = Text("You shift first.", "你先平移了。")
SMALLEST = "\naffine([1.0], 2, 1)\n  your code   4.0\n  right       3.0"
SCALED = Text("The input is scaled first and shifted afterwards.", "先缩放，后平移。")
ERROR = Text(*["ValueError: too few\n  line 7, in normalise: x.mean(*a_b)"] * 2)
EVIL = "<script>window.evil=1</script><img src=x onerror=window.evil=1> [a](javascript:evil) ![b](https://evil.example) {{ 7*7 }} \x1b[31m `c` | **d**"


def ran(name: str, visibility: Visibility, outcome: Outcome, points: float, **more: Any) -> TestResult:
    score = points if outcome is Outcome.PASSED else 0.0
    return TestResult(
        name=name, visibility=visibility, outcome=outcome, score=score, max_score=points, **more
    )


def affine(student: str, path: str, *, error: Text = ERROR) -> ExerciseResult:
    """A result with a mistake that is known, an error, and what was passed."""
    mistaken = {"diagnosis": "shift_first", "message": HINT}
    small = Text(HINT.en + SMALLEST, HINT.zh + SMALLEST)
    tested = (
        ran("test_affine_by_hand", PUBLIC, Outcome.PASSED, 2),
        ran("test_normalise_by_hand[0.0]", PUBLIC, Outcome.ERROR, 1, message=error),
        ran("test_normalise_by_hand[5.0]", PUBLIC, Outcome.PASSED, 1),
        ran("test_affine[3]", HIDDEN, Outcome.FAILED, 2, **mistaken),
        ran("test_affine[7]", HIDDEN, Outcome.FAILED, 2, **{**mistaken, "message": small}),
        ran("test_normalise", HIDDEN, Outcome.PASSED, 4),
    )
    return ExerciseResult(
        student=student, exercise="basics/affine", status=Status.GRADED, isolation=Isolation.FULL, path=path,
        score=total(one.score for one in tested), max_score=12, tests=tested,
        output="printed 0.4711", key=f"bundle-{student}{path}",
    )  # fmt: skip


def vowels(student: str, path: str) -> ExerciseResult:
    waiting = {
        "question": "vowels",
        "message": Text("vowels is not implemented yet.", "vowels 还没有实现。"),
    }
    return ExerciseResult(
        student=student, exercise="extras/vowels", status=Status.NOT_BEGUN, isolation=Isolation.FULL, path=path,
        score=0.0, max_score=3, tests=(ran("test_vowels", HIDDEN, Outcome.NOT_IMPLEMENTED, 3, **waiting),),
        key=f"bundle-{student}{path}",
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


@pytest.fixture
def book(place: Path) -> Iterator[Gradebook]:
    """s001 has a mistake and an error, points given and a point whose loss was undone; s002 handed in nothing."""
    with Gradebook(str(place)) as opened:
        opened.record(affine("s001", "s001/affine.py"))
        opened.record(vowels("s001", "s001/vowels.py"))
        opened.add_students(["s002"])
        opened.adjust("s001", "basics/affine", 1.5, reason="a fine docstring", who="ann")
        opened.adjust("s001", "basics/affine", -4, reason="copied", who="ann")
        opened.undo(2, who="ann", reason="not copied")
        files = [Unrecognised("s001/afine_v2.py", Why.NEAR, ("basics/affine",))]
        opened.note_unrecognised("class", {"s001": files})
        yield opened


@pytest.fixture
def feedback(cli: Cli, toy: Path, place: Path, tmp_path: Path) -> Cli:
    return lambda *options: cli("feedback", tmp_path / "out", "--gradebook", place, "--course", toy, *options)


def test_what_a_student_reads(feedback: Cli, book: Gradebook, tmp_path: Path) -> None:
    assert feedback("--format", "md").code == 0
    page = (tmp_path / "out/s001/week1.md").read_text()
    told = [
        "# First week", "Points: 8.5 / 15", "`basics/affine`: 8.5 / 12 · graded", "Graded: s001/affine.py",
        "+1.5, ", "a fine docstring", "- `affine`: 2 / 6", "- `normalise`: 5 / 6",
        "**Known mistake** `shift_first`", HINT.en, f"- {SCALED.en} (hidden test 1, 2 of 2 cases, -4 points)",
        SMALLEST[1:].splitlines()[1], "- The row 1, 3 becomes -1, 1, wherever it lies. (test_normalise_by_hand, 1 of 2 cases, -1 point)",
        "  line 7, in normalise: x.mean(*a_b)", "- Twice the input, plus one. (test_affine_by_hand, 2 points)",
        "- 1 hidden test (4 points)", "`extras/vowels`: 0 / 3 · not begun", "- `s001/afine_v2.py`: looks like basics/affine",
    ]  # fmt: skip
    places = [page.find(line) for line in told]
    assert -1 not in places, told[places.index(-1)]
    assert places == sorted(places)
    assert "copied" not in page  # what was undone does not count
    for secret in ("test_affine[", "0.4711", "[7]", "Every row has mean 0", "ann"):
        assert secret not in page
    assert "No file named affine.py" in (tmp_path / "out/s002/week1.md").read_text()
    index = (tmp_path / "out/s001/index.md").read_text()
    assert "- [First week: 8.5 / 15](<week1.md>)" in index and "afine_v2.py" in index


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_three_formats_say_the_same(feedback: Cli, book: Gradebook, tmp_path: Path, lang: str) -> None:
    told = [
        "8.5 / 15", "shift_first", HINT.pick(lang), SCALED.pick(lang), "ValueError: too few",
        "a fine docstring", "your code   4.0", "afine_v2.py", Text("First week", "第一周").pick(lang),
    ]  # fmt: skip
    for form, suffix in (("html", "html"), ("md", "md"), ("text", "txt")):
        assert feedback("--format", form, "--lang", lang).code == 0
        page = (tmp_path / f"out/s001/week1.{suffix}").read_text()
        assert [line for line in told if line not in page] == [], form
    assert sorted(path.name for path in (tmp_path / "out/s001").iterdir()) == [
        *(f"index.{suffix}" for suffix in ("html", "md", "txt")),
        *(f"week1.{suffix}" for suffix in ("html", "md", "txt")),
    ]


@pytest.mark.parametrize("form", PageFormat)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_how_points_come_about(form: PageFormat, lang: str) -> None:
    """The lines that a policy writes stand as they are, with the deadline and its time zone."""
    late, share = Text("2 days late: -20 %", "迟交两天：-20 %"), Text("week1 counts half", "week1 占一半")
    due = datetime(2026, 10, 1, 23, 59, tzinfo=timezone(timedelta(hours=8)))
    one = AssignmentFeedback(
        id="week1", title=Text("W", "周"), score=None, max_score=5, due=due, lines=(late,)
    )
    student = StudentFeedback(student="s001", name="", course=Text(), assignments=(one,), lines=(share,))
    page = assignment_page(student, one, form, lang)
    assert late.pick(lang) in page and "2026-10-01 23:59 UTC+08:00" in page
    assert Text("not known yet / 5", "待定 / 5").pick(lang) in page
    assert share.pick(lang) in index_page(student, form, lang)


def test_what_has_no_tests_of_its_own(feedback: Cli, book: Gradebook, tmp_path: Path) -> None:
    """A file that does not load is told with its line, once; a fault of ours is no zero, and what it was is not told."""
    broken = Text("SyntaxError: expected ':'\n  line 19: def affine(x)", "SyntaxError: expected ':'")
    plain = {"student": "s003", "isolation": Isolation.NONE, "max_score": 12.0, "key": "bundle-x"}
    failed = ran("test_affine[3]", HIDDEN, Outcome.ERROR, 2, message=broken)
    book.record(
        ExerciseResult(
            exercise="basics/affine",
            status=Status.INVALID,
            score=0.0,
            message=broken,
            tests=(failed,),
            **plain,
        )
    )
    ours = {**plain, "max_score": 3.0, "detail": "test_vowels: KeyError 0.4711"}
    book.record(ExerciseResult(exercise="extras/vowels", status=Status.UNGRADED, score=None, **ours))
    assert feedback("--format", "text", "--student", "s003").code == 0
    page = (tmp_path / "out/s003/week1.txt").read_text()
    assert "Points: not known yet / 16" in page and "It is not a zero" in page and "0.4711" not in page
    assert page.count("line 19: def affine(x)") == 1 and "could not be run" in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_in_a_browser(
    feedback: Cli, book: Gradebook, browser: Any, place: Path, tmp_path: Path, lang: str
) -> None:
    """What students, instructors and rosters wrote runs nothing and loads nothing; the page can be used by everybody."""
    from axe_playwright_python.sync_playwright import Axe

    name = f"s666 {EVIL}"
    book.record(affine(name, f"{name}/{EVIL}.py", error=Text(*[f"{EVIL}: x\n  line 1: {EVIL}"] * 2)))
    book.import_roster([Person(student=name, name=EVIL)])
    book.adjust(name, "basics/affine", 1, reason=EVIL, who="ann")
    book.note_unrecognised("class", {name: [Unrecognised(f"{EVIL}.py", Why.UNKNOWN)]})
    assert feedback("--lang", lang, "--student", name, "--site", "https://fine.example/llm").code == 0
    (folder,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    page = browser.new_page()
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    for file in ("index.html", "week1.html"):
        page.goto((folder / file).as_uri())
        assert page.evaluate("window.evil") is None
        assert page.locator("script, img, iframe, [onerror], [href^=javascript]").count() == 0
        assert EVIL.replace("\x1b", "\N{REPLACEMENT CHARACTER}")[:60] in page.locator("main").inner_text()
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        for width, scheme in ((390, "light"), (1280, "dark")):
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(page).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.close()
    assert {url.partition(":")[0] for url in loaded} == {"file"} and "49" not in str(loaded)
    links = re.findall(r'href="(https://[^"]*)"', (folder / "week1.html").read_text())
    assert links[0] == f"https://fine.example/llm/{lang}/basics/affine.html"
    for form, suffix in (("md", "md"), ("text", "txt")):
        assert feedback("--lang", lang, "--student", name, "--format", form).code == 0
        for file in ("index", "week1"):
            text = (folder / f"{file}.{suffix}").read_text()
            assert "\x1b" not in text and "{{ 7*7 }}" in text
            if form == "md":
                html = (
                    MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
                )
                assert not re.search(r"<(script|img|table)|href=\"(?!index|week1)|<strong>d", html)


def test_only_its_own_files_are_replaced(feedback: Cli, book: Gradebook, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    done = feedback()
    assert done.code == 2 and "holds something else" in done.err
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (out / "thesis.txt").unlink()
    assert "4 files are new or changed" in feedback().err
    (out / "thesis.txt").write_text("mine")
    assert "0 files are new or changed" in feedback().err
    page = out / "s001/week1.html"
    page.write_text(page.read_text() + "<!-- read this, s001 -->")
    done = feedback("--lang", "zh")
    assert done.code == 2 and str(page) in done.err and "被修改过" in done.err
    assert "read this" in page.read_text() and (out / "thesis.txt").read_text() == "mine"


def test_a_run_that_was_stopped_is_gone_on_with(
    feedback: Cli, book: Gradebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where what is told has changed since."""
    write, calls = own_folder.write_atomically, []

    def stopped(path: Path, content: bytes) -> None:
        listed = (tmp_path / "out" / LIST).read_text()  # on the disk before the file is: a run may be killed
        assert f"  {path.relative_to(tmp_path / 'out').as_posix()}\n" in listed
        write(path, content)
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(own_folder, "write_atomically", stopped)
        assert feedback().code == 130
    book.adjust("s001", "basics/affine", 1, reason="again", who="ann")
    assert "4 files are new or changed" in feedback().err
    assert "again" in (tmp_path / "out/s001/week1.html").read_text()


def test_a_zip_for_each_student(feedback: Cli, book: Gradebook, tmp_path: Path) -> None:
    assert feedback("--zip").code == 0
    archive = zipfile.ZipFile(tmp_path / "out/s001.zip")
    assert archive.namelist() == ["index.html", "week1.html"]
    assert {info.date_time[0] for info in archive.infolist()} == {1980}  # the same bytes whenever it is made
    assert not (tmp_path / "out/s001").exists()
    assert "0 files are new or changed" in feedback("--zip").err


def test_what_platforms_take(feedback: Cli, book: Gradebook, tmp_path: Path) -> None:
    """Names by which Moodle and Canvas find whose a file is; nobody gets what may be another's."""
    handed_in = {
        "jane": "Jane Doe_71_assignsubmission_file_/week 1/affine.py",
        "san": "San Müller_72_assignsubmission_file_work.zip/affine.py",
        "one": "Bob Lee_73_assignsubmission_file_/affine.py",
        "two": "Bob Lee_73_assignsubmission_file_/affine.py",
        "zoe": "roezoe_LATE_501_9001_affine.py",
    }
    for student, path in handed_in.items():
        book.record(affine(student, path))
    book.record(affine("jane", "Jane Doe_88_assignsubmission_file_/affine.py"))  # the last one counts
    done = feedback("--moodle", "--canvas")
    assert done.code == 0
    assert "Moodle has no name for what these handed in" in done.err and "one, s001, two, zoe" in done.err
    archive = zipfile.ZipFile(io.BytesIO((tmp_path / "out/moodle/week1.zip").read_bytes()))
    senders = [moodle.sent(name) for name in archive.namelist()]
    assert [(sent[0].name, sent[0].number, sent[1]) for sent in senders if sent] == [
        ("Jane Doe", "88", "feedback-week1.html"),
        ("San Müller", "72", "feedback-week1.html"),
    ]
    page = archive.read(archive.namelist()[0]).decode()
    assert "shift_first" in page and "index.html" not in page  # it lies beside no index
    archive = zipfile.ZipFile(tmp_path / "out/canvas/week1.zip")
    assert archive.namelist() == ["roezoe_501_9001_feedback-week1.txt"]
    assert canvas.sent(archive.namelist()[0]) is not None
    assert "plain text" in done.err and archive.read(archive.namelist()[0]).decode().startswith("First week")


def test_links_into_the_site(feedback: Cli, book: Gradebook, tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = feedback("--site", site)
    assert done.code == 2 and "neither an address" in done.err
    assert "neither an address" in feedback("--site", "javascript:alert(1)").err
    site.mkdir()
    (site / "site.json").write_text("{}")
    assert "give the site's address" in feedback("--site", site, "--zip").err
    assert feedback("--site", site).code == 0
    page = (tmp_path / "out/s001/week1.html").read_text()
    assert 'href="../../site/en/basics/affine.html#the-exercise"' in page


@pytest.mark.parametrize("without", ["assignments", "course"])
def test_a_course_without_assignments(
    cli: Cli, toy: Path, place: Path, book: Gradebook, tmp_path: Path, without: str, monkeypatch: Any
) -> None:
    """Its units are what is handed back; where no course is at hand, those of the record."""
    file = toy / "course/course.toml"
    file.write_text(file.read_text().partition("[[assignment]]")[0])
    monkeypatch.chdir(tmp_path)
    at = ["--course", toy] if without == "assignments" else []
    assert cli("feedback", "out", "--gradebook", place, *at, "--format", "md").code == 0
    assert (tmp_path / "out/s001/extras.md").is_file()
    page = (tmp_path / "out/s001/basics.md").read_text()
    assert "8.5 / 12" in page and HINT.en in page and "test_affine[" not in page
    done = cli("feedback", "out", "--gradebook", place, *at, "--assignment", "week1")
    assert done.code == 2 and "has results of basics, extras" in done.err


def test_an_exercise_of_no_assignment(
    feedback: Cli, toy: Path, book: Gradebook, edited: Any, tmp_path: Path
) -> None:
    edited(toy / "course/course.toml", '["basics/affine", "extras"]', '["extras"]')
    assert feedback("--format", "text").code == 0
    assert "8.5 / 12" in (tmp_path / "out/s001/other-exercises.txt").read_text()


def test_no_name_leads_out_of_the_folder() -> None:
    students = ["s001", "S001", "../../etc", "a/b", "a:b", "con", ".", "..", "x" * 300, "王芳", "", "nul.txt"]
    names = folder_names(students)
    assert names["s001"] == "s001" and names["王芳"] == "王芳"
    assert len({name.casefold() for name in names.values()}) == len(students)
    for name in names.values():
        assert re.fullmatch(r"[\w@+-][\w.@+ -]{0,110}", name) and not name.endswith("."), name
        assert name.lower() not in ("con", "nul.txt")


def test_a_mistyped_gradebook_or_student(feedback: Cli, cli: Cli, book: Gradebook, tmp_path: Path) -> None:
    assert "s01" in feedback("--student", "s01").err and not (tmp_path / "out").exists()
    done = cli("feedback", tmp_path / "out", "--gradebook", tmp_path / "other.db")
    assert done.code == 2 and not (tmp_path / "out").exists()
