"""The explorables of the course's site, in a real browser: their numbers are the references', and a keyboard drives them."""

from __future__ import annotations

import math
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.audit.glossary import glossary_problems
from autograder.course.glossary import load_glossary
from autograder.testing import load_reference, running_examples

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "autograder/platforms/site/files/explorables"
LESSONS = {
    "softmax": "attention/scaled_dot_product",
    "bpe": "tokenizers/byte_pair_encoding",
    "rope": "positions/rope",
    "kv_cache": "attention/kv_cache",
    "dpo": "alignment/dpo",
    "zero": "distributed/zero",
    "sampler": "decoding/sampling",
}
HELPERS = {"shared", "next_token"}
SITE = "http://course.test/"
PHONE = {"width": 390, "height": 800}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
GROUNDS = ("#ffffff", "#131416")  # of the site's theme, light and dark
Call = Callable[..., Any]
model_says = runpy.run_path(str(Path(__file__).with_name("next_token.py")))["next_token"]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """A page on which the explorables' modules can be imported; `page.complaints` is what the browser said."""
    page = browser.new_page(viewport=PHONE)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(SITE)
        if name.endswith(".js"):
            route.fulfill(path=MODULES / name, content_type="text/javascript")
        else:
            route.fulfill(
                body="<!doctype html><link rel=icon href=data:,><main></main>", content_type="text/html"
            )

    page.route("**/*", answer)
    page.goto(SITE)
    yield page
    page.close()


@pytest.fixture
def call(page: Any) -> Call:
    """call(module, function, *arguments): what a module's function returns."""

    def call(module: str, function: str, *arguments: Any) -> Any:
        code = "async ([name, member, given]) => (await import(`/${name}.js`))[member](...given)"
        return page.evaluate(code, [module, function, list(arguments)])

    return call


@pytest.fixture
def mounted(page: Any) -> Callable[[str, str], Any]:
    """mounted(name, lang): the explorable's element, as a lesson's page has it."""

    def mount(name: str, lang: str) -> Any:
        page.complaints.clear()
        page.evaluate(
            """async ([name, lang]) => {
              document.activeElement.blur();
              document.querySelector("main").innerHTML = `<div data-explorable="${name}">fallback</div>`;
              const module = await import(`/${name}.js`);
              module.mount(document.querySelector("[data-explorable]"), { lang });
            }""",
            [name, lang],
        )
        return page.locator(".explorable")

    return mount


def close(actual: Any, expected: Any, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(
        torch.as_tensor(actual, dtype=torch.float64),
        torch.as_tensor(expected, dtype=torch.float64),
        rtol=tolerance,
        atol=tolerance,
    )


# ---- their numbers


def test_softmax(call: Call) -> None:
    reference: Any = load_reference("attention/scaled_dot_product")
    scores = torch.randn(6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scores[1] *= 10_000
    masks = torch.rand(6, 7, generator=torch.Generator().manual_seed(1)) < 0.6
    masks[2] = False
    masks[3] = True
    assert 0 < masks[0].sum() < 7
    for row, mask, temperature in zip(scores, masks, (1.0, 1.0, 2.0, 0.1, 5.0, 0.7), strict=True):
        expected = reference.softmax((row / temperature).masked_fill(~mask, -math.inf))
        close(call("softmax", "softmax", row.tolist(), temperature, mask.tolist()), expected)


def test_bpe_splits_words(call: Call) -> None:
    reference: Any = load_reference("tokenizers/byte_pair_encoding")
    odd = "It's 3½ km,  they'll_say 12 + x²\n\n  ok: « é e\u0301 »… 你好 42℃!\t"
    for text in [
        odd,
        *(text for each in running_examples().documents for text in (each.text.en, each.text.zh)),
    ]:
        words = [list(word.encode()) for word in reference.split_words(text)]
        assert call("bpe", "splitWords", text) == words


def test_bpe_learns_the_merges(page: Any, call: Call) -> None:
    reference: Any = load_reference("tokenizers/byte_pair_encoding")
    examples = running_examples()
    shown = page.evaluate(
        "import('/bpe.js').then(({ SENTENCES: s, TEXTS: t }) => [s.en, s.zh, t.en.longer, t.zh.longer])"
    )
    cat = examples.documents[0].text
    assert shown == [examples.sentence.en, examples.sentence.zh, cat.en, cat.zh]
    for text in (*shown, "aaaa aaa aaaaa", "xyz", ""):
        states = call("bpe", "train", text)
        merges = [tuple(state["pair"]) for state in states[1:]]
        assert merges == reference.train_merges(reference.count_words(text), len(text.encode()))
        for rank in {0, len(merges) // 2, len(merges)}:
            ids = [id for word in states[rank]["words"] for id in word]
            assert ids == reference.encode(text, merges[:rank])
        for id in set(ids):
            text_of_id = call("bpe", "tokenText", call("bpe", "spelling", id, states))
            decoded = reference.decode([id], merges)
            if "�" not in decoded:
                assert text_of_id == decoded.replace(" ", "␣")
            else:
                assert re.fullmatch(r"[0-9A-F]{2}( [0-9A-F]{2})*", text_of_id)


def test_rope(call: Call) -> None:
    reference: Any = load_reference("positions/rope")
    for columns, base in ((4, 10_000), (8, 500_000)):
        speeds = reference.rope_frequencies(columns, theta=float(base))
        close(call("rope", "frequencies", columns, base), speeds, 1e-6)
        query, key = torch.randn(2, columns, generator=torch.Generator().manual_seed(columns))
        pairs = [vector.view(-1, 2).tolist() for vector in (query, key)]
        for position in (0, 7, 60):
            turned = reference.apply_rope(
                query.view(1, 1, 1, -1), torch.tensor([position]), speeds, "interleaved"
            )
            close(call("rope", "turn", pairs[0], position, speeds.tolist()), turned.view(-1, 2), 1e-4)
        for i, j in ((7, 1), (107, 101), (3, 20)):
            (expected,) = reference.relative_scores(
                query.view(1, 1, -1), key.view(1, 1, -1), torch.tensor([i - j]), speeds, "interleaved"
            ).flatten()
            close(call("rope", "score", *pairs, i, j, speeds.tolist()), expected, 1e-4)


def test_kv_cache(call: Call) -> None:
    reference: Any = load_reference("attention/kv_cache")
    for heads, tokens, sequences, dtype in (
        (32, 8192, 1, torch.float32),
        (8, 1, 16, torch.bfloat16),
        (1, 77, 3, torch.int8),
    ):
        sizes = {"layers": 5, "kvHeads": heads, "headDim": 128, "tokens": tokens, "sequences": sequences}
        size = call("kv_cache", "kvCacheBytes", {**sizes, "bytesPerNumber": dtype.itemsize})
        assert size == reference.kv_cache_bytes(5, heads, 128, tokens, sequences, dtype)


def test_dpo(call: Call) -> None:
    reference: Any = load_reference("alignment/dpo")
    for gap, beta in ((4.0, 0.1), (-7.5, 0.5), (0.0, 1.0), (-10_000.0, 1.0), (10_000.0, 1.0)):
        logps = [torch.tensor([value], dtype=torch.float64) for value in (gap - 1, -3.0, -2.0, -4.0)]
        now = call("dpo", "dpo", gap - 1 + 3 + 2 - 4, beta)
        close(now["margin"], reference.implicit_rewards(*logps, beta)[2][0])
        close(now["loss"], reference.dpo_loss(*logps, beta))
        slope = reference.dpo_gradient(*logps, beta)[0][0]
        close(now["slope"], slope)
        close(now["weight"], -slope / beta)


def test_zero(call: Call) -> None:
    reference: Any = load_reference("distributed/zero")
    for size, ranks in ((7_500_000_000, 64), (100_000_000, 1), (13_000_000_000, 2)):
        for stage in range(4):
            assert call("zero", "costs", size, ranks, stage) == pytest.approx(
                reference.costs(size, ranks, stage)
            )


def test_sampler(call: Call) -> None:
    reference: Any = load_reference("decoding/sampling")
    logits = torch.randn(1, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2
    logits[0, 5] = logits[0].sort(descending=True).values[3]  # ties at the edge of top-k
    none = torch.zeros(1, 0, dtype=torch.int64)
    kinds: list[tuple[float, dict[str, Any]]] = [
        (1.0, {}),
        (0.0, {"top_p": 0.5}),
        (0.7, {"top_k": 4}),
        (1.5, {"top_p": 0.8}),
        (1.0, {"top_p": 0.05}),
        (1.0, {"min_p": 0.1}),
        (2.0, {"top_k": 12, "top_p": 0.7, "min_p": 0.2}),
        (1.0, {"top_k": 99, "top_p": 1.0, "min_p": 0.0}),
    ]
    for temperature, filters in kinds:
        names = {"top_k": "topK", "top_p": "topP", "min_p": "minP"}
        given = {names[name]: value for name, value in filters.items()}
        expected = reference.next_token_probabilities(logits, none, temperature, **filters)
        actual = call(
            "sampler", "nextTokenProbabilities", logits[0].tolist(), {"temperature": temperature, **given}
        )
        close(actual, expected[0])
        for draw in (0.0, 0.31, 0.77, 1 - 2**-53):
            token = reference.sample(expected, torch.tensor([draw], dtype=torch.float64))
            assert call("sampler", "sample", expected[0].tolist(), draw) == token.item()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_sampler_has_a_models_numbers(page: Any, lang: str) -> None:
    held = page.evaluate("lang => import('/next_token.js').then(module => module.NEXT_TOKEN[lang])", lang)
    trained = model_says(lang)
    assert held["tokens"] == trained["tokens"]
    close(held["logits"], trained["logits"], 0.02)


# ---- their use


def test_every_explorable_stands_in_its_lesson() -> None:
    assert {path.stem for path in MODULES.glob("*.js")} == LESSONS.keys() | HELPERS
    for name, lesson in LESSONS.items():
        for suffix in (".md", ".zh.md"):
            text = (ROOT / f"course/{lesson}{suffix}").read_text(encoding="utf-8")
            (fallback,) = re.findall(
                rf'\n\n<div class="explorable" data-explorable="{name}">(.+)</div>\n\n', text
            )
            assert bool(CHINESE.search(fallback)) == (suffix == ".zh.md")


@pytest.mark.parametrize("name", LESSONS)
def test_texts(page: Any, name: str) -> None:
    """The same texts in both languages, each in its own, the Chinese ones in the words of the glossary."""
    texts = page.evaluate(
        """async (name) => {
          const said = (text) => typeof text === "function" ? text(1, 2, 3, 4)
            : typeof text === "string" ? text
            : Object.fromEntries(Object.entries(text).map(([key, value]) => [key, said(value)]));
          return said((await import(`/${name}.js`)).TEXTS);
        }""",
        name,
    )
    en, zh = (dict(leaves(texts[lang])) for lang in ("en", "zh"))
    assert en.keys() == zh.keys() and en["title"] and en["hint"]
    for key, text in en.items():
        assert not CHINESE.search(text), key
    assert {text for text in zh.values() if not CHINESE.search(text)} <= {"", "beta"}
    assert glossary_problems("\n\n".join(zh.values()), load_glossary(ROOT)) == []


def leaves(texts: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(texts, str):
        yield key, texts
    else:
        for name, value in texts.items():
            yield from leaves(value, f"{key}.{name}".strip("."))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", LESSONS)
def test_a_keyboard_is_enough(page: Any, mounted: Callable[[str, str], Any], name: str, lang: str) -> None:
    """The tab key comes to every control; an arrow key changes its number, and what the explorable shows."""
    element = mounted(name, lang)
    assert "fallback" not in element.inner_text()
    controls = element.locator("input, select, button:enabled, summary")
    reached = []
    for _ in range(controls.count()):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML"))
    assert reached == controls.evaluate_all("found => found.map(each => each.outerHTML)")
    for slider in element.locator("input[type=range]").all():
        slider.focus()
        number, shown = slider.input_value(), element.inner_html()
        page.keyboard.press("ArrowRight")
        if slider.input_value() == number:  # it stood at its end
            page.keyboard.press("ArrowLeft")
        assert slider.input_value() != number and element.inner_html() != shown
        assert slider.get_attribute("aria-valuetext") in element.locator(".ex-value").all_inner_texts()
    assert "NaN" not in element.inner_text() and "undefined" not in element.inner_text()
    assert page.complaints == []


def test_one_merge_a_click(page: Any, mounted: Callable[[str, str], Any]) -> None:
    element = mounted("bpe", "en")
    merge = element.get_by_role("button", name="Merge once")
    texts = element.get_by_role("combobox")
    texts.select_option(label="The sentence alone")
    lengths = []
    while merge.is_enabled():
        lengths.append(int(element.get_by_role("status").inner_text().split()[0]))
        merge.press("Enter")
    reference: Any = load_reference("tokenizers/byte_pair_encoding")
    text = running_examples().sentence.en
    merges = reference.train_merges(reference.count_words(text), 99)
    assert lengths == [len(reference.encode(text, merges[:rank])) for rank in range(len(merges))]
    texts.select_option(label="The Chinese sentence")
    assert str(len(running_examples().sentence.zh.encode())) in element.get_by_role("status").inner_text()


def test_a_draw_takes_what_is_left(page: Any, mounted: Callable[[str, str], Any]) -> None:
    element = mounted("sampler", "en")
    element.get_by_role("slider", name="Temperature").press("Home")  # 0: greedy
    element.get_by_role("button", name="Draw a token").press("Enter")
    assert "“mat”" in element.get_by_role("status").inner_text()


def test_hidden_words_have_no_weight(page: Any, mounted: Callable[[str, str], Any]) -> None:
    element = mounted("softmax", "en")
    for word in ("was", "warm."):
        element.get_by_label(word, exact=True).press("Space")
    weights = [row.locator("td").nth(2).inner_text() for row in element.locator("tbody tr").all()]
    assert weights[-2:] == ["0.000", "0.000"]
    assert sum(map(float, weights)) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", LESSONS)
def test_it_fits_a_phone(page: Any, mounted: Callable[[str, str], Any], name: str, lang: str) -> None:
    """Nothing is wider than the screen or its picture, and no text in a picture is small."""
    mounted(name, lang)
    for slider in page.locator(".explorable input[type=range]").all():
        slider.press("End")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    texts = page.locator(".explorable svg text").evaluate_all(
        "found => found.map(each => [each.textContent, each.getBoundingClientRect().toJSON()])"
    )
    for text, box in texts:
        assert box["left"] >= 0 and box["right"] <= PHONE["width"] and (box["height"] >= 10 or not text), text


def test_colours_are_seen_in_light_and_dark(page: Any) -> None:
    colors = page.evaluate("import('/shared.js').then(module => module.COLORS)")
    for color in colors:
        for ground in GROUNDS:
            bright, dark = sorted((luminance(color), luminance(ground)), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 3, (color, ground)
    written = "".join((MODULES / f"{name}.js").read_text(encoding="utf-8") for name in LESSONS)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", written) == []  # no colour but those


def luminance(color: str) -> float:
    """Relative luminance, of WCAG 2."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
