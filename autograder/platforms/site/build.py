"""Target `site`: pages for readers, made from what students receive.

A site for a class is made from a released tree alone, so nothing of `solutions/` can be on it. What a learner's own site
shows beside that is handed over by name: the questions of quizzes with their answers and explanations.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata, resources, util
from pathlib import Path

import msgspec

from autograder.course import Course, CourseError
from autograder.course.toml import read_text
from autograder.errors import UserError
from autograder.platforms.selection import Selection, write_course
from autograder.platforms.site import explorables
from autograder.platforms.site.contents import Contents
from autograder.platforms.site.guides import guides_of
from autograder.platforms.site.lesson_cache import lesson_cache
from autograder.platforms.site.pages import write_pages
from autograder.platforms.site.words import Words
from autograder.text import LANGUAGES

NEEDED = ("sphinx", "myst_nb", "furo", "mathjax")  # modules of the extra `site`
SPHINX_NAMES = {"en": "en", "zh": "zh_CN"}
MARKER = "site.json"  # at the root of every site, by which one is known
TEST = re.compile(r"^def test_", re.MULTILINE)
# What kernels say of themselves while they run a lesson.
NOISE = re.compile(r"^(?:\[IPKernelApp\]|# \d{4}-).*\n", re.MULTILINE)
ANSI = re.compile(r"\x1b\[[\d;]*m")
# Figures are drawn as vectors: sharp on a phone, and legible when enlarged.
KERNEL_SETTINGS = """\
c = get_config()  # noqa: F821
c.InlineBackend.figure_formats = {"svg"}
"""


def write(selection: Selection, out: Path) -> None:
    """Write the site of a class into the empty folder `out`: it holds no answer and no explanation of a quiz."""
    _render(selection, out, answers=False)


def write_own(selection: Selection, out: Path) -> None:
    """Write a learner's own site into `out`, in place of an earlier one. Where solutions are at hand, quizzes can be practised.

    Raises:
        UserError: `out` holds something else than a site.
    """
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} holds something else than a site of this program; name a new folder",
            f"{out} 里不是本程序生成的网站；请给出新的文件夹",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".site-") as staging:
        staged = Path(staging) / "site"
        staged.mkdir()
        _render(selection, staged, answers=True, place=out)
        if out.exists():
            shutil.rmtree(out)
        shutil.move(staged, out)


def _render(selection: Selection, out: Path, *, answers: bool, place: Path | None = None) -> None:
    """Write the site into `out`. place: where it is going to lie beside its learner's progress, if it is one's own."""
    missing = [name for name in NEEDED if util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"the site needs the module {missing[0]}; install llm-autograder[site]",
            f"生成网站需要模块 {missing[0]}；请安装 llm-autograder[site]",
        )
    with tempfile.TemporaryDirectory(prefix="autograder-site-") as folder:
        work = Path(folder).resolve()
        released = write_course(selection, work)
        course = Course.load(work)
        quizzes = {e.id: e.quiz for e in selection.exercises if e.kind == "quiz" and e.spec_file.is_file()}
        contents = Contents(
            course=course,
            root=selection.course.root,
            exercises={exercise.id: exercise for exercise in released},
            hidden_tests={e.id: _hidden_tests(e.hidden_tests) for e in selection.exercises},
            quizzes=quizzes if answers else {},
            guides=guides_of(selection.course.root, for_students=not answers),
            for_class=not answers,
        )
        for lang in course.languages:
            _write_sources(contents, work, lang)
        cache = lesson_cache(selection.course.root, work / "lessons")
        builds = {}
        for lang in course.languages:
            progress = _progress(selection.course.root, place, lang) if place else ""
            builds[lang] = _start_sphinx(contents, work, lang, cache / lang, progress)
        said = {lang: sphinx.communicate()[0] for lang, sphinx in builds.items()}
        for lang, sphinx in builds.items():
            if sphinx.returncode:
                told = NOISE.sub("", ANSI.sub("", said[lang])).replace(f"{work}/pages/{lang}/", "course/")
                raise CourseError(
                    f"the site's pages are not in order ({lang}):\n{told.strip()}",
                    f"网站页面有问题（{lang}）：\n{told.strip()}",
                )
            shutil.copytree(work / "html" / lang, out / lang, ignore=shutil.ignore_patterns(".buildinfo*"))
        _write_door(contents, out)


def _hidden_tests(path: Path) -> int:
    """How many hidden tests an exercise has; 0 where they are not at hand."""
    return len(TEST.findall(read_text(path))) if path.is_file() else 0


def _write_sources(contents: Contents, work: Path, lang: str) -> None:
    source, extra, static = (work / name / lang for name in ("pages", "extra", "static"))
    write_pages(contents, source, extra, lang)
    static.mkdir(parents=True)
    # This one draws its letters, so it needs no fonts.
    mathjax = resources.files("mathjax") / "static/mathjax/es5/tex-svg.js"
    with resources.as_file(mathjax) as path:
        shutil.copyfile(path, static / "mathjax.js")
    explorables.write_explorables(static / "explorables")


def _start_sphinx(
    contents: Contents, work: Path, lang: str, cache: Path, progress: str
) -> subprocess.Popen[str]:
    """Sphinx, in a process of its own: both languages are built at once."""
    kernels = work / "ipython" / "profile_default"
    kernels.mkdir(parents=True, exist_ok=True)
    (kernels / "ipython_kernel_config.py").write_text(KERNEL_SETTINGS, encoding="utf-8")
    other, words = next((name for name in contents.course.languages if name != lang), ""), Words(lang)
    settings = {
        "title": contents.course.title.text.pick(lang),
        "other": other,
        "explorables": explorables.names(),
        "cache": str(cache),
        "extra": str(work / "extra" / lang),
        "static": str(work / "static" / lang),
        "progress": progress,
        "show_code": words.show_code,
        "hide_code": words.hide_code,
    }
    (work / f"{lang}.json").write_bytes(msgspec.json.encode(settings))
    configuration = Path(__file__).parent / "files"
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "--color"]
    command[-1:] = ["-c", str(configuration), "-d", str(work / "doctrees" / lang)]
    command += ["-D", f"language={SPHINX_NAMES[lang]}", str(work / "pages" / lang), str(work / "html" / lang)]
    environment = {
        **os.environ,
        "AUTOGRADER_LANG": lang,
        "AUTOGRADER_SITE": str(work / f"{lang}.json"),
        "IPYTHONDIR": str(work / "ipython"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        command,
        env=environment,
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def _progress(root: Path, place: Path, lang: str) -> str:
    """Where a page finds the learner's progress: a relative path, which holds as long as the site stays in its place."""
    from autograder.learn.journal import publish_progress

    script = publish_progress(root)
    return Path(os.path.relpath(script, place.resolve() / lang)).as_posix() if script else ""


def _write_door(contents: Contents, out: Path) -> None:
    """The page at the root, which leads to the reader's language, and the marker."""
    page = (Path(__file__).parent / "files" / "index.html").read_text(encoding="utf-8")
    languages = contents.course.languages
    names = {"en": "English", "zh": "中文"}
    links = " · ".join(
        f'<a href="{lang}/index.html" lang="{lang}">{names[lang]}</a>'
        for lang in LANGUAGES
        if lang in languages
    )
    page = page.replace("LINKS", links).replace("LANGUAGES", msgspec.json.encode(languages).decode())
    (out / "index.html").write_text(page.replace("TITLE", contents.course.title.en), encoding="utf-8")
    made = {"program": "llm-autograder", "version": metadata.version("llm-autograder")}
    (out / MARKER).write_bytes(msgspec.json.encode(made) + b"\n")
