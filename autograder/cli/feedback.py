"""`autograder feedback`: pages of their results for the students of a class, and what platforms take to hand them out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlsplit

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    LangOption,
    Speaker,
    console,
    course_at_hand,
)
from autograder.errors import UserError
from autograder.feedback.page_format import PageFormat
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.course import Exercise
    from autograder.gradebook import Gradebook
    from autograder.gradebook.student_feedback import FeedbackSource, Links
    from autograder.platforms.lms.handed_back import Form, Upload

DONE = Text(
    "Feedback for {students} students in {out}: {n} files are new or changed.",
    "已在 {out} 中写好 {students} 名学生的反馈：新写或更新 {n} 个文件。",
)
NAMELESS = Text(
    "{platform} has no name for what these handed in, so they are not in its zip files: {names}. Grade what {platform} gives for "
    "download as it is (autograder grade DOWNLOAD.zip): the names of its files say whose they are",
    "以下学生提交的文件没有 {platform} 的名字，因此不在它的 zip 文件里：{names}。请直接评分 {platform} 下载的压缩包"
    "（autograder grade 下载.zip）：其中的文件名说明了是谁的",
)
CANVAS_TEXT = Text(
    "Canvas shows these files under the names of what was handed in, so they are plain text.",
    "Canvas 会以学生所交文件的名字显示这些文件，因此它们是纯文本。",
)
SHOWN = 10  # names in a remark


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(short_help="Write pages of their results for students.")(feedback)


def feedback(
    out: Annotated[
        Path, typer.Argument(help="The folder to write. What this command wrote there is brought up to date.")
    ],
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    student: Annotated[
        list[str] | None, typer.Option(help="Only this student; may be given several times.")
    ] = None,
    assignment: Annotated[
        list[str] | None,
        typer.Option(help="Only this assignment (in a course without assignments: this unit)."),
    ] = None,
    format: Annotated[PageFormat, typer.Option("--format", help="What the pages are.")] = PageFormat.HTML,
    zip: Annotated[
        bool, typer.Option("--zip", help="A zip file for each student in place of a folder.")
    ] = False,
    moodle: Annotated[
        bool,
        typer.Option(
            "--moodle",
            help="A zip file for each assignment, for Moodle's 'Upload multiple feedback files in a zip'.",
        ),
    ] = False,
    canvas: Annotated[
        bool,
        typer.Option(
            "--canvas", help="A zip file of texts for each assignment, for Canvas's 'Upload Submissions'."
        ),
    ] = False,
    site: Annotated[
        str | None,
        typer.Option(
            help="Where the course's site is, for links to lessons: its address, or its folder here, if both are released together."
        ),
    ] = None,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write what each student gets back: a page for each assignment, and an index of them.

    Points by question, known mistakes with their hints, the student's own lines where an error arose, adjustments with
    their reasons. Of hidden tests their sentences are told, and nothing else.
    """
    from autograder.cli.progress_bar import counted
    from autograder.course.own_folder import OwnFolder
    from autograder.gradebook import Gradebook
    from autograder.gradebook.database import must_exist
    from autograder.gradebook.student_feedback import FeedbackSource, nowhere
    from autograder.grading.scheme import recorded_scheme, scheme_of
    from autograder.platforms.lms.handed_back import LIST, Form, folder_names, packed, pages

    must_exist(gradebook)
    say, remarks = Speaker(lang), console(stderr=True)
    chosen = {Form.ZIP: zip, Form.MOODLE: moodle, Form.CANVAS: canvas}
    forms = [form for form, wanted in chosen.items() if wanted] or [Form.FOLDER]
    root = course_at_hand(course)
    links = nowhere if site is None else _links(site, out, forms, say.lang)
    with Gradebook(gradebook) as book:
        scheme = recorded_scheme(book) if root is None else scheme_of(book, root)
        source = FeedbackSource(book, scheme, root, links)
        source.check(assignment or ())
        for name in student or ():
            book.check_student(name)
        everybody = book.students()
        students = [name for name in everybody if not student or name in student]
        folders = folder_names(everybody)
        uploads = _uploads(book, source, forms, format, students)
        written = 0
        with OwnFolder(out, LIST) as folder, counted(remarks) as bar:
            for n, name in enumerate(students):
                bar(n, len(students))
                found = source.of(name, assignment or ())
                if Form.FOLDER in forms:
                    for file, content in pages(found, format, say.lang):
                        written += folder.write(f"{folders[name]}/{file}", content)
                if Form.ZIP in forms:
                    written += folder.write(f"{folders[name]}.zip", packed(pages(found, format, say.lang)))
                for upload in uploads:
                    upload.add(name, found, say.lang)
            for upload in uploads:
                for file, content in upload.files():
                    written += folder.write(file, content)
    remarks.print(say(DONE, students=len(students), out=out, n=written), markup=False)
    for upload in uploads:
        _tell(upload, say)


def _links(site: str, out: Path, forms: Sequence[Form], lang: str) -> Links:
    """Where pages lead to. UserError for what is no site."""
    from autograder.platforms.lms.handed_back import Form
    from autograder.platforms.site.address import addresses
    from autograder.platforms.site.build import MARKER

    root = site
    if urlsplit(site).scheme not in ("http", "https"):
        if not (Path(site) / MARKER).is_file():
            raise UserError(
                f"--site {site!r} is neither an address (https://...) nor the folder of a site; write one with "
                "`autograder release OUT --to site`",
                f"--site {site!r} 既不是网址（https://...），也不是网站文件夹；请用 `autograder release OUT --to site` 生成",
            )
        if forms != [Form.FOLDER]:
            raise UserError(
                "--site with a folder goes with pages that lie beside it; for zip files give the site's address "
                "(https://...)",
                "--site 为文件夹时，页面须与它放在一起；生成 zip 文件时请给出网站的网址（https://...）",
            )
        root = quote(Path(os.path.relpath(Path(site).resolve(), out.resolve() / "student")).as_posix())

    def links(exercise: Exercise) -> tuple[str, str]:
        return addresses(root, exercise, lang)

    return links


def _uploads(
    book: Gradebook,
    source: FeedbackSource,
    forms: Sequence[Form],
    format: PageFormat,
    students: Sequence[str],
) -> list[Upload]:
    """What is filled for platforms, under the names that these gave to what was handed in last."""
    from autograder.platforms.lms.handed_back import RETURNED, Upload

    platforms = [form for form in forms if form in RETURNED]
    if not platforms:
        return []
    chosen = set(students)
    last = {
        place: history[-1].result.path for place, history in book.attempts().items() if place[0] in chosen
    }
    assignments = {one.id: one.exercises for one in source.assignments}
    return [Upload(platform, format, assignments, last) for platform in platforms]


def _tell(upload: Upload, say: Speaker) -> None:
    """Say what a platform does with these files, and whose are missing."""
    from autograder.platforms.lms.handed_back import Form

    remarks, platform = console(stderr=True), upload.platform.capitalize()
    if upload.platform is Form.CANVAS:
        remarks.print(say(CANVAS_TEXT), markup=False)
    if upload.without_name:
        names = ", ".join(upload.without_name[:SHOWN])
        more = len(upload.without_name) - SHOWN
        names += f" +{more}" if more > 0 else ""
        remarks.print(say(NAMELESS, platform=platform, names=names), style="yellow", markup=False)
