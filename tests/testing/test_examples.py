"""The running examples: complete in both languages, and as the lessons need them."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from autograder.errors import UserError
from autograder.testing.examples import EXAMPLES_FILE, Document, TinyModel, running_examples

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = running_examples(ROOT)


def holding(*words: str) -> list[str]:
    """The documents whose English or Chinese text holds one of these words."""
    return [d.id for d in EXAMPLES.documents if any(word in d.text.en + d.text.zh for word in words)]


def test_the_models_are_the_ones_that_the_course_shows_and_trains() -> None:
    assert EXAMPLES.model.shown == TinyModel(num_layers=2, d_model=8, num_heads=2)
    assert EXAMPLES.model.trained == TinyModel(num_layers=2, d_model=32, num_heads=2)


def test_the_conventions_quote_the_sentence() -> None:
    for name, sentence in (
        ("conventions.md", EXAMPLES.sentence.en),
        ("conventions.zh.md", EXAMPLES.sentence.zh),
    ):
        assert sentence in (ROOT / "course" / name).read_text(encoding="utf-8")
    assert holding(EXAMPLES.sentence.en) == holding(EXAMPLES.sentence.zh) == ["cat"]


def test_twenty_documents_each_with_its_own_name() -> None:
    assert len(EXAMPLES.documents) == 20
    assert max(Counter(document.id for document in EXAMPLES.documents).values()) == 1


@pytest.mark.parametrize("document", EXAMPLES.documents, ids=lambda document: document.id)
def test_a_document_is_a_few_sentences_in_each_language(document: Document) -> None:
    assert 25 <= len(document.text.en.split()) <= 60
    chinese = sum("一" <= letter <= "鿿" for letter in document.text.zh)
    assert 25 <= chinese <= 90
    assert document.text.en == document.text.en.strip() and document.text.zh == document.text.zh.strip()


@pytest.mark.parametrize(
    ("words", "documents"),
    [
        (("Cai Lun",), ["paper", "printing"]),
        (("蔡伦",), ["paper", "printing"]),
        (("tides",), ["tides", "moon"]),
        (("潮汐",), ["tides", "moon"]),
        (("18:15",), ["ferry", "island"]),
        (("```python",), ["code"]),
        (("\n- ",), ["ferry"]),
        (("yeast",), ["bread", "sourdough"]),
        (("bank",), ["river_bank", "savings_bank"]),
    ],
)
def test_facts_and_words_stand_where_a_lesson_expects_them(
    words: tuple[str, ...], documents: list[str]
) -> None:
    assert holding(*words) == documents


def test_the_course_is_found_from_a_folder_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "course" / "attention")
    assert running_examples() == EXAMPLES


def test_what_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    shutil.copy(ROOT / "course" / "course.toml", tmp_path / "course")
    with pytest.raises(UserError, match=r"examples\.toml is missing"):
        running_examples(tmp_path)
    text = (ROOT / EXAMPLES_FILE).read_text(encoding="utf-8")
    (tmp_path / EXAMPLES_FILE).write_text(text.replace("num_heads = 2", "num_heads = 0", 1), encoding="utf-8")
    with pytest.raises(UserError, match="num_heads"):
        running_examples(tmp_path)
