"""The course as a site: built from real exercises, crawled, searched, and every page opened in a browser."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from autograder.course import Course
from autograder.course.quiz import read_quiz
from autograder.errors import UserError
from autograder.platforms.publish import release
from autograder.platforms.selection import select
from autograder.platforms.site import explorables
from autograder.platforms.site.build import write_own
from autograder.platforms.site.graph import Node, graph
from autograder.platforms.site.lesson_text import site_text
from autograder.platforms.site.links import plain, relink

ROOT = Path(__file__).resolve().parents[2]
UNIT = "attention"  # four lessons with figures and formulas, and a quiz
TOPICS = ("scaled_dot_product", "multi_head", "kv_cache", "grouped_query", "quiz")
WIDTHS = (390, 1280)
KINDS = {
    "en": (
        "index",
        "map",
        "attention/overview",
        "attention/multi_head",
        "attention/quiz",
        "guides/testing",
        "search",
    ),
    "zh": ("index", "attention/multi_head"),  # the same pages in other words
}
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A copy of the real course, so that lessons are executed here and nothing is left in the repository."""
    root = tmp_path_factory.mktemp("site") / "course"
    for name in ("course", "exercises", "solutions", "docs"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copyfile(ROOT / "CONTRIBUTING.md", root / "CONTRIBUTING.md")
    return Course.load(root)


FORMULA = r"$$\begin{aligned} a &= b \\ c &= d \end{aligned} \tag{9}$$"
EXPLORABLE = """\
import { word } from "./shared.js";
export function mount(element, { lang }) { element.textContent = `${word} ${lang}`; }
"""


@pytest.fixture(scope="module")
def own(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A learner's own site of one unit, whose overview asks for an explorable that is there and for one that is not."""
    modules = tmp_path_factory.mktemp("explorables")
    (modules / "toy.js").write_text(EXPLORABLE, encoding="utf-8")
    (modules / "shared.js").write_text('export const word = "mounted";\n', encoding="utf-8")
    for name in ("overview.md", "overview.zh.md"):
        with (course.root / f"course/{UNIT}/{name}").open("a", encoding="utf-8") as page:
            for asked in ("toy", "absent"):
                page.write(f'\n<div class="explorable" data-explorable="{asked}"></div>\n')
            page.write(f"\n{FORMULA}\n")
    out = course.root / "build/site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorables, "MODULES", modules)
        write_own(select(course, UNIT, "en"), out)
    yield out


def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


# ------------------------------------------------------------------------------------------- what is on the pages


def test_an_exercise_has_everything(own: Path) -> None:
    exercise = Course.load(ROOT).exercise("attention/scaled_dot_product")
    for lang, words in {
        "en": ("What is tested", "Hints", "16 hidden tests decide on 16 more points", "40 minutes"),
        "zh": ("测试什么", "提示", "另有 16 个隐藏测试，共 16 分", "40 分钟"),
    }.items():
        page = soup(own / lang / "attention/scaled_dot_product.html")
        text = page.get_text()
        assert [word for word in words if word not in text] == []
        assert exercise.public.hint[0].text.pick(lang)[:40] in text
        figures = page.select(".cell_output img")
        assert not page.select("details[open].hide") and len(page.select("details.hide")) >= len(figures)
        if lang == "zh":  # the English page says (1) alone
            assert page.select("a[href='#attention-scaled-dot-product-equation-1']")
            assert page.select_one("#attention-scaled-dot-product-equation-1")
        assert figures and all((own / lang / "attention" / str(img["src"])).is_file() for img in figures)
        assert page.select_one(
            f"a[href='../../{'zh' if lang == 'en' else 'en'}/attention/scaled_dot_product.html']"
        )
        notebook = json.loads((own / lang / "attention/scaled_dot_product.ipynb").read_text(encoding="utf-8"))
        assert any("softmax" in "".join(cell["source"]) for cell in notebook["cells"])
        assert page.select_one("a[download][href='scaled_dot_product.ipynb']")
        assert "raise NotImplementedError" in text
        folded = page.select("details:not([open])")
        assert len(folded) >= len(exercise.public.hint)
    solution = exercise.solution.read_text(encoding="utf-8")
    shown = soup(own / "en/attention/scaled_dot_product.html").get_text()
    inside = re.findall(r"# BEGIN SOLUTION\n(.*?)# END SOLUTION", solution, re.DOTALL)
    assert inside and all(block.strip() not in shown for block in inside)


def test_chinese_figures_have_chinese_labels(own: Path) -> None:
    """Drawn as outlines, so the two languages' figures differ, and none is a row of empty boxes."""
    english, chinese = (
        [
            str(img["src"])
            for img in soup(own / lang / "attention/scaled_dot_product.html").select(".cell_output img")
        ]
        for lang in ("en", "zh")
    )
    assert len(english) == len(chinese)
    assert set(english).isdisjoint(chinese)


def test_formulas_keep_their_numbers(own: Path) -> None:
    """Also those of several lines, which Sphinx would put where no number may stand."""
    for name in ("scaled_dot_product", "overview"):
        written = (own.parents[1] / f"course/{UNIT}/{name}.md").read_text(encoding="utf-8")
        numbers = re.findall(r"\\tag\{(\d+)\}", written)
        assert len(numbers) >= 2
        formulas = [
            formula.get_text() for formula in soup(own / f"en/attention/{name}.html").select("div.math")
        ]
        assert [tag for formula in formulas for tag in re.findall(r"\\tag\{(\d+)\}", formula)] == numbers
        assert not [formula for formula in formulas if r"\begin{split}" in formula]


def test_the_map_lists_every_exercise(own: Path) -> None:
    for lang, head in {"en": "tier", "zh": "规模"}.items():
        page = soup(own / lang / "map.html")
        rows = [[cell.get_text() for cell in row.find_all("td")] for row in page.select("tbody tr")]
        assert [row[1:3] for row in rows[:2]] == [
            [{"en": "core", "zh": "核心"}[lang], "40"],
            [rows[1][1], "45"],
        ]
        assert len(rows) == len(TOPICS)
        assert page.select("thead th")[1].get_text() == head
        assert [str(a["href"]) for a in page.select("svg a")] == ["attention/overview.html"]
        boxes = soup(own / lang / "attention/overview.html").select("svg a[data-exercise]")
        assert [str(a["data-exercise"]) for a in boxes] == [f"attention/{name}" for name in TOPICS]


def test_guides(own: Path) -> None:
    """What is only English says so in the Chinese tree; the functions for authors are documented."""
    assert "这一页目前只有英文" in (own / "zh/guides/instructors.html").read_text(encoding="utf-8")
    assert "这一页目前只有英文" not in (own / "zh/guides/students.html").read_text(encoding="utf-8")
    text = soup(own / "en/guides/testing.html").get_text()
    assert "assert_close(" in text and "chinese_figures()" in text


def test_every_link_leads_somewhere(own: Path) -> None:
    """Files and anchors, in the whole tree; nothing is loaded from elsewhere."""
    anchors: dict[Path, set[str]] = {}

    def anchors_of(path: Path) -> set[str]:
        if path not in anchors:
            anchors[path] = {str(tag["id"]) for tag in soup(path).find_all(id=True)}
        return anchors[path]

    dead, loaded = [], []
    for path in pages(own):
        page = soup(path)
        for tag in page.find_all(["a", "link", "script", "img"]):
            target = str(tag.get("href") or tag.get("src") or "")
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if tag.name != "a":
                    loaded.append((path, target))
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if (target and not there.is_file()) or (
                parts.fragment
                and there.suffix == ".html"
                and unquote(parts.fragment) not in anchors_of(there)
            ):
                dead.append((path.relative_to(own), target))
    assert dead == []
    assert loaded == []


def test_both_languages_have_the_same_pages(own: Path) -> None:
    english, chinese = ({p.relative_to(own / lang) for p in pages(own / lang)} for lang in ("en", "zh"))
    assert english == chinese
    assert len(english) > 12


# ------------------------------------------------------------------------------------------- a class


def test_a_class_gets_no_answers(quiz: Any, toy: Path, tmp_path: Path) -> None:
    (toy / "docs").mkdir()
    for name in ("students", "instructors"):
        (toy / f"docs/{name}.md").write_text(f"# For {name}\n\nRead.\n", encoding="utf-8")
    answers = read_quiz(quiz.spec_file)
    telling = [question.explanation.en[:30] for question in answers.questions]
    telling += [wrong.hint.en[:30] for question in answers.questions for wrong in question.wrong_answers()]
    release(select(Course.load(toy), None, "en"), "site", tmp_path / "class")
    text = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "class").rglob("*.html"))
    assert [words for words in telling if words in text] == []
    assert "data-answer" not in text
    assert "For students" in text and "For instructors" not in text
    write_own(select(Course.load(toy), None, "en"), tmp_path / "own")
    text = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "own").rglob("*.html"))
    assert [words for words in telling if words not in text] == []


def test_a_lesson_that_fails_is_named(toy: Path, tmp_path: Path, edited: Callable[..., None]) -> None:
    edited(toy / "course/basics/affine.md", "print(1 + 1)", "print(1 / 0)")
    with pytest.raises(UserError, match=r"(?s)course/basics/affine\.md.*ZeroDivisionError"):
        release(select(Course.load(toy), "basics", "en"), "site", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_site_is_kept(toy: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.md").write_text("words")
    said = cli("site", tmp_path / "mine", "--course", toy)
    assert said.code == 2
    assert "holds something else than a site" in said.err
    assert (tmp_path / "mine/thesis.md").read_text() == "words"


# ------------------------------------------------------------------------------------------- in a browser


@pytest.fixture
def opened(own: Path, browser: Any) -> Iterator[Callable[..., Any]]:
    """`opened("en/index.html")`: a page, opened as a file. At the end no page has complained or asked for the network."""
    complaints: list[str] = []
    contexts = []

    def open_page(name: str, width: int = 1280, query: str = "") -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}))
        page = contexts[-1].new_page()
        page.on(
            "console",
            lambda message: complaints.append(f"{name}: {message.text}") if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
        page.on(
            "request",
            lambda request: (
                complaints.append(f"{name} asks for {request.url}")
                if request.url.startswith("http")
                else None
            ),
        )
        page.goto(f"{(own / name).as_uri()}{query}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def test_every_page_is_whole(own: Path, opened: Callable[..., Any]) -> None:
    """No page is wider than the window, on a phone and on a desk, and every formula is set."""
    for path in pages(own):
        name = path.relative_to(own).as_posix()
        page = opened(name)
        if page.locator(".math").count():
            page.wait_for_selector("mjx-container", state="attached")
            page.evaluate("MathJax.startup.promise")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        assert page.locator("[data-mml-node=merror]").count() == 0, name
        page.context.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_axe_finds_nothing_serious(opened: Callable[..., Any], lang: str) -> None:
    """On one page of each kind; contrast in the dark, too. Formulas are MathJax's, and thousands of elements."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    without_formulas = {"exclude": [["mjx-container"]]}
    contrast = {"runOnly": ["color-contrast"], "preload": False}
    for kind in KINDS[lang]:
        page = opened(f"{lang}/{kind}.html", width=390)
        page.wait_for_load_state("load")
        found = axe.run(page, without_formulas, options={"preload": False}).response["violations"]
        page.emulate_media(color_scheme="dark")
        found += axe.run(page, without_formulas, options=contrast).response["violations"]
        told = [
            f"{kind}: {one['id']} {node['html'][:160]} {node['failureSummary']}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]
        assert told == []
        page.context.close()


@pytest.mark.parametrize(
    ("lang", "query", "found"),
    [
        ("zh", "注意力机制", "attention/overview.html"),
        ("zh", "填充掩码", "attention/scaled_dot_product.html"),
        ("zh", "softmax", "attention/scaled_dot_product.html"),
        ("en", "causal mask", "attention/scaled_dot_product.html"),
    ],
)
def test_search(opened: Callable[..., Any], lang: str, query: str, found: str) -> None:
    page = opened(f"{lang}/index.html")
    page.fill(".sidebar-search", query)
    page.press(".sidebar-search", "Enter")
    page.wait_for_selector("#search-results li a")
    page.wait_for_timeout(200)
    links = page.locator("#search-results li a").evaluate_all(
        "links => links.map(a => a.getAttribute('href'))"
    )
    assert any(link.split("#")[0] == found for link in links), links


def test_a_quiz_can_be_practised(opened: Callable[..., Any]) -> None:
    page = opened("en/attention/quiz.html")
    questions = read_quiz(ROOT / "solutions/attention/quiz.toml").questions
    number = next(i for i, question in enumerate(questions) if type(question).__name__ == "Number")
    choice = next(i for i, question in enumerate(questions) if type(question).__name__ == "Choice")
    box = page.locator(".quiz-question").nth(number)
    hint = questions[number].wrong[0].hint.en
    assert not box.get_by_text(hint[:40]).is_visible()
    box.locator("input").fill(str(questions[number].wrong[0].value))
    box.get_by_role("button", name="Check").click()
    assert box.get_by_text("Not right").is_visible()
    assert box.get_by_text(hint[:40]).is_visible()
    assert not box.locator(".quiz-explanation").is_visible()
    box.locator("input").fill(str(questions[number].answer))
    box.get_by_role("button", name="Check").click()
    assert box.locator(".quiz-explanation").is_visible()
    assert not box.get_by_text(hint[:40]).is_visible()
    box = page.locator(".quiz-question").nth(choice)
    keys = questions[choice].keys
    for key in keys:
        box.locator("input").nth(keys.index(key)).check()
        box.get_by_role("button", name="Check").click()
        right = key == questions[choice].answer
        assert box.locator(".quiz-verdict").inner_text().startswith("✓" if right else "✗")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_explorables(own: Path, opened: Callable[..., Any], browser: Any, lang: str) -> None:
    """From a file and from a server. Nothing happens for one that is not there."""
    with served(own) as address:
        for page in (opened(f"{lang}/{UNIT}/overview.html"), browser.new_page()):
            if page.url == "about:blank":
                page.goto(f"{address}/{lang}/{UNIT}/overview.html")
            page.get_by_text(f"mounted {lang}").wait_for()
            assert page.locator("[data-explorable=absent]").inner_text() == ""
    page.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder behind an address of this machine."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def test_progress_is_that_of_the_learner(own: Path, course: Course, opened: Callable[..., Any]) -> None:
    """What `check()` and `autograder learn` note stands on the map when the page is read again."""
    from autograder.learn.attempts import note_public

    page = opened("en/map.html")
    place = page.locator("td .progress[data-exercise='attention/multi_head']")
    assert place.inner_text() == ""
    note_public(course.exercise("attention/multi_head"), "digest", 3, 3, passes=True)
    page.reload()
    page.wait_for_selector("td .progress[data-state=public]")
    assert place.inner_text() == "public tests pass"


# ------------------------------------------------------------------------------------------- parts


def test_graph_of_a_large_course() -> None:
    """161 boxes: each is there once, none lies over another, and a way that a longer one replaces is left out."""
    nodes = [
        Node(str(n), f"Exercise number {n} with a long title", "core", f"{n}.html", "") for n in range(161)
    ]
    edges = {(str(a), str(b)) for b in range(161) for a in (b // 2, b // 3) if a != b} | {("3", "1")}
    picture = graph(nodes, edges, "all", 4)
    places = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", picture)
    assert len(set(places)) == len(places) == 161
    assert picture.count('class="way"') < len(edges) - 1
    assert graph(nodes[:3], {("0", "1"), ("1", "2"), ("0", "2")}, "three", 4).count('class="way"') == 2


def test_links_between_files_become_links_between_pages() -> None:
    known = {"course/a/one.md": "a/one.md", "exercises/a/one.py": "a/one.md#the-exercise"}
    text = "[x](../a/one.md#part) [y](../../exercises/a/one.py) [z](gone.md) [w](https://e.org)\n```\n[v](gone.md)\n```\n"
    assert relink(text, "course/b/two.md", "b/two.md", known) == (
        "[x](../a/one.md#part) [y](../a/one.md#the-exercise) z [w](https://e.org)\n```\n[v](gone.md)\n```\n"
    )


def test_a_sentence_is_shown_as_it_is() -> None:
    assert plain("a * b_c < `d * e` $5") == r"a \* b\_c \< `d * e` \$5"


LESSON = r"""
As equation (1) and equation (2) say, and 式 (1), which equation (7) does not:

$$a = b \tag{1}$$

$$
c = d \tag{2}
$$

<details><summary>Does equation (1) hold?</summary>

Equation (2) says so.

</details>

```{code-cell} python
x = "equation (1)"
```

```{code-cell} python
plt.plot(x)
```
"""


def test_equations_can_be_followed_and_figures_are_shown_without_code() -> None:
    text = site_text(LESSON, "unit/topic.md")
    assert "(unit-topic-equation-1)=\n$$a = b" in text and "(unit-topic-equation-2)=\n$$\nc = d" in text
    assert "As [equation (1)](#unit-topic-equation-1) and [equation (2)](#unit-topic-equation-2) say" in text
    assert "[式 (1)](#unit-topic-equation-1)" in text
    assert "which equation (7) does not" in text, "no such equation is here"
    assert "<summary>Does equation (1) hold?</summary>" in text, "HTML holds no Markdown"
    assert "[Equation (2)](#unit-topic-equation-2) says so" in text
    assert 'x = "equation (1)"' in text, "code is as it was"
    assert text.count(":tags: [hide-input]") == 1
    assert "python\n:tags: [hide-input]\n\nplt.plot(x)" in text
