"""The glossary: the conventions pages show it, the lessons keep to it, and the check finds what does not."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from autograder.audit.glossary import chinese_statement, glossary_problems
from autograder.authoring.build import State, build_conventions
from autograder.course.glossary import (
    BEGIN,
    CONVENTIONS,
    END,
    GLOSSARY_FILE,
    Term,
    load_glossary,
    with_glossary,
)
from autograder.course.spec import BothLanguages
from autograder.course.toml import CourseError
from autograder.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = load_glossary(ROOT)
MEANING = BothLanguages(en="What it means.", zh="它的意思。")
TOKEN = Term(en="token", zh="词元", meaning=MEANING, avoid=("token", "令牌"))
MERGE = Term(en="merge order", zh="合并次序", meaning=MEANING, avoid=("按秩",))


def problems(page: str, *terms: Term) -> list[str]:
    return glossary_problems(page, terms or (TOKEN, MERGE))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_conventions_pages_show_the_glossary(lang: str) -> None:
    page = (ROOT / CONVENTIONS[lang]).read_text(encoding="utf-8")
    assert page == with_glossary(page, GLOSSARY, lang), "run `autograder build`"
    for term in GLOSSARY:
        assert (term.meaning.zh if lang == "zh" else term.meaning.en) in page


def test_build_writes_the_table_into_both_pages(tmp_path: Path) -> None:
    for name in (GLOSSARY_FILE, *CONVENTIONS.values()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert [built.state for built in build_conventions(tmp_path)] == [State.UNCHANGED] * 2
    terms = (tmp_path / GLOSSARY_FILE).read_text(encoding="utf-8")
    (tmp_path / GLOSSARY_FILE).write_text(terms.replace('zh = "词元"', 'zh = "新词"'), encoding="utf-8")
    assert [built.state for built in build_conventions(tmp_path)] == [State.WRITTEN] * 2
    assert "| token | 新词 |" in (tmp_path / CONVENTIONS["en"]).read_text(encoding="utf-8")
    assert "| 新词（token） |" in (tmp_path / CONVENTIONS["zh"]).read_text(encoding="utf-8")


def test_a_meaning_is_given_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / GLOSSARY_FILE).parent.mkdir()
    (tmp_path / GLOSSARY_FILE).write_text(
        '[[term]]\nen = "token"\nzh = "词元"\nmeaning.en = "A piece."\n', encoding="utf-8"
    )
    with pytest.raises(CourseError, match=r"glossary\.toml: .*`zh` \(at term\[0\]\.meaning\)"):
        load_glossary(tmp_path)


def test_a_course_without_a_glossary_builds(tmp_path: Path) -> None:
    assert build_conventions(tmp_path) == []


def test_no_term_is_listed_twice() -> None:
    repeated = {name for name, n in Counter(term.en for term in GLOSSARY).items() if n > 1}
    assert not repeated
    assert len(GLOSSARY) >= 60


def test_no_avoided_word_is_part_of_a_term() -> None:
    """Otherwise nobody could write that term."""
    for term in GLOSSARY:
        for word in term.avoid:
            assert not [other.zh for other in GLOSSARY if word in other.zh], (term.en, word)


@pytest.mark.parametrize("page", sorted((ROOT / "course").rglob("*.zh.md")), ids=lambda page: page.name)
def test_chinese_pages_keep_to_the_glossary(page: Path) -> None:
    assert not glossary_problems(page.read_text(encoding="utf-8"), GLOSSARY)


def test_a_problem_names_its_line_the_word_and_the_term() -> None:
    page = "# 标题\n\n词元。\n\n一个令牌，**按秩**编码。\n几个 tokens。\n"
    assert problems(page) == [
        "line 5: the glossary avoids '令牌'; write 词元",
        "line 5: the glossary avoids '按秩'; write 合并次序",
        "line 6: the glossary avoids 'token'; write 词元",
    ]


def test_a_word_that_two_terms_avoid_is_one_problem_that_names_both() -> None:
    value = Term(en="value", zh="值", meaning=MEANING, avoid=("value",))
    function = structs.replace(value, en="value function", zh="价值函数")
    assert problems("value 与 value", value, function) == [
        "line 1: the glossary avoids 'value'; write 值 or 价值函数"
    ]


@pytest.mark.parametrize(
    "allowed",
    [
        "```{code-cell} python\ntoken = '令牌'\n```",
        "`token` 与 `x.token`",
        r"$p(\text{token})$",
        "$$\n\\text{令牌}\n$$",
        "[分词](../token/overview.zh.md)",
        "词元（token）",
        "故障词元（glitch token）",
        "*A token\nis a token*，2016。",
        "tokenizer、Byte-token-Level、token_id",
        "# 什么是 token",
    ],
)
def test_what_is_no_chinese_prose_may_hold_any_word(allowed: str) -> None:
    assert problems(f"{allowed}\n\n一个 token。") == [
        f"line {allowed.count(chr(10)) + 3}: the glossary avoids 'token'; write 词元"
    ]


def test_a_chinese_word_is_found_in_brackets_too_and_only_the_first_heading_is_a_title() -> None:
    assert len(problems("# 标题\n\n词元（令牌）\n\n# 令牌\n\n## 令牌\n")) == 3


def test_only_the_chinese_statement_of_a_solution_is_read() -> None:
    solution = (
        "# %% [markdown]\n# A token.\n\n"
        '# %% [markdown] lang="zh"\n# ## 1. 切词\n#\n# 一个 token。\n\n'
        "# %%\nimport re  # a token\n"
    )
    assert problems(chinese_statement(solution)) == ["line 7: the glossary avoids 'token'; write 词元"]


@pytest.mark.parametrize(
    "page", ["no markers", f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}", f"{BEGIN}{END}{END}"]
)
def test_a_page_without_its_markers_is_a_clear_error(page: str) -> None:
    with pytest.raises(UserError, match="mend its markers") as caught:
        with_glossary(page, (TOKEN,), "en")
    assert "标记" in caught.value.text.zh
