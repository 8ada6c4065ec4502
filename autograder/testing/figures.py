"""Chinese labels in a lesson's figures.

Matplotlib's own font has no Chinese characters. The package zhplot carries one that has them: Noto Sans SC, under the
SIL Open Font License 1.1.
"""

from __future__ import annotations

import warnings

from autograder.text import Text, language

ABSENT = Text(
    "The Chinese labels of the figures show as empty boxes: the package zhplot, which carries a Chinese font, is "
    "missing. Run `pip install zhplot` and restart the notebook.",
    "图中的中文会显示成方框：缺少带有中文字体的 zhplot 包。请运行 `pip install zhplot`，再重启笔记本。",
)


def chinese_figures() -> None:
    """Let the figures that follow show Chinese text, also beside formulas.

    Where zhplot is missing this prints what to install, and the figures are drawn with boxes instead of characters.
    """
    import matplotlib

    families = [family for family in matplotlib.rcParams["font.family"] if family != "Noto Sans SC"]
    try:
        import zhplot  # sets the font as well, but would lose the others
    except ImportError:
        print(ABSENT.pick(language()))
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # one for each character
        return
    zhplot.matplotlib_chineseize()
    # First, because the text around a formula is set in the first font alone; the others have what it lacks.
    matplotlib.rcParams["font.family"] = ["Noto Sans SC", *families]
