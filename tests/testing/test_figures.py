"""Chinese labels in figures: characters where the font is installed, a sentence where it is not."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from autograder.testing.figures import chinese_figures


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    with matplotlib.rc_context({"font.family": ["DejaVu Sans"]}), warnings.catch_warnings():
        warnings.simplefilter("error")  # a character that no font has is a warning
        yield


def drawn(label: str) -> bytes:
    """The pixels of a figure that holds nothing but this label."""
    figure = Figure(figsize=(1, 0.5))
    figure.text(0.1, 0.3, label)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


@pytest.mark.parametrize("label", ["{}", "{} key", "{} $x^2$"])
def test_characters_are_drawn_and_not_boxes(label: str) -> None:
    chinese_figures()
    assert drawn(label.format("猫")) != drawn(label.format("狗"))


def test_a_missing_character_is_a_box_without_the_font() -> None:
    """Else the test above would prove nothing."""
    warnings.simplefilter("ignore")
    assert drawn("猫") == drawn("狗")


def test_what_the_chinese_font_lacks_comes_from_the_font_before() -> None:
    chinese_figures()
    chinese_figures()
    assert matplotlib.rcParams["font.family"] == ["Noto Sans SC", "DejaVu Sans"]
    assert drawn("ش") != drawn("ب")


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "Run `pip install zhplot`"), ("zh", "请运行 `pip install zhplot`")]
)
def test_without_the_font_one_sentence_says_what_to_install(
    lang: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "zhplot", None)
    monkeypatch.setenv("AUTOGRADER_LANG", lang)
    chinese_figures()
    assert said in capsys.readouterr().out
    assert drawn("猫，在垫子上")
