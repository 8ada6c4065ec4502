"""What the tests of every room share: a toy course, the command line in process, one sandbox for the whole session."""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

import autograder
from autograder.authoring.build import build
from autograder.course import Course, Exercise

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(autograder.__file__).resolve().parent

# ------------------------------------------------------------------------------------------- a toy course

COURSE = """\
# A course small enough to read at a glance.
title.en = "Toys"
title.zh = "玩具"

[[unit]]
id = "basics"
title.en = "Basics"
title.zh = "基础"
exercises = ["affine"]

[[unit]]
id = "extras"
title.en = "Extras"
title.zh = "附加"
exercises = ["vowels"]

[[assignment]]
id = "week1"
title.en = "First week"
title.zh = "第一周"
exercises = ["basics/affine", "extras"]
"""

AFFINE = '''\
# %% [markdown]
# Two maps that stand in every network.

# %% [markdown] lang="zh"
# 每个网络里都有的两个映射。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. Affine

# %% [markdown] lang="zh"
# ## 1. 仿射


# %%
def affine(x: Tensor, scale: float, shift: float) -> Tensor:
    """Scale every element, then shift it.

    Args:
        x: [B, D], any values.
        scale: the factor.
        shift: what is added.
    """
    # BEGIN SOLUTION
    return x * scale + shift
    # END SOLUTION


# %% [markdown]
# ## 2. Normalise

# %% [markdown] lang="zh"
# ## 2. 归一化


# %%
def normalise(x: Tensor) -> Tensor:
    """Give every row mean 0 and standard deviation 1 (biased)."""
    # BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    spread = centred.square().mean(dim=-1, keepdim=True).sqrt()
    return torch.div(centred, spread)
    # END SOLUTION
'''

MISTAKES = [
    ("unshifted", "x * scale + shift", "x * scale", "test_affine"),
    ("shift_first", "x * scale + shift", "(x + shift) * scale", "test_affine"),
    ("shift_taken", "x * scale + shift", "x * scale - shift", "test_affine"),
    ("unscaled", "x * scale + shift", "x + shift", "test_affine"),
    ("not_centred", "x - x.mean(dim=-1, keepdim=True)", "x * 1.0", "test_normalise"),
    ("columns", "x.mean(dim=-1, keepdim=True)", "x.mean(dim=0, keepdim=True)", "test_normalise"),
    ("variance", ".sqrt()", "", "test_normalise"),
    ("multiplied", "torch.div(centred, spread)", "centred * spread", "test_normalise"),
]

AFFINE_SPEC = """\
title.en = "Affine maps"
title.zh = "仿射映射"
minutes = 20
difficulty = 1
oracle = "torch.addcmul and torch.nn.functional.layer_norm"
forbidden = ["torch.nn.functional.layer_norm"]

[[hint]]
question = "affine"
en = "Which of the two comes first?"
zh = "两步里先做哪一步？"

[[hint]]
question = "normalise"
en = "What does a row's mean become when you subtract it?"
zh = "减去均值之后，这一行的均值是多少？"
""" + "".join(
    f"""
[[misconception]]
name = "{name}"
replace = "{replace}"
with = "{with_}"
caught = "{caught}"
hint.en = "The hint of {name}."
hint.zh = "{name} 的提示。"
"""
    for name, replace, with_, caught in MISTAKES
)

AFFINE_HIDDEN = '''\
import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(4)
@pytest.mark.parametrize("width", [3, 7])
def test_affine(student, reference, width):
    """The input is scaled first and shifted afterwards.

    zh: 先缩放，后平移。
    """
    x = torch.randn(5, width)
    assert_close(student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6))


@pytest.mark.points(4)
def test_normalise(student, reference):
    """Every row has mean 0 and standard deviation 1.

    zh: 每一行均值为 0、标准差为 1。
    """
    x = torch.randn(6, 5) * 3 + 2
    assert_close(student.normalise(x), reference.normalise(x))
'''

AFFINE_PUBLIC = '''\
import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(2)
def test_affine_by_hand(student):
    """Twice the input, plus one.

    zh: 输入的两倍再加一。
    """
    assert_close(student.affine(torch.tensor([[1.0, -2.0]]), 2.0, 1.0), torch.tensor([[3.0, -3.0]]))


@pytest.mark.points(2)
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_normalise_by_hand(student, shift):
    """The row 1, 3 becomes -1, 1, wherever it lies.

    zh: 一行 1、3 变成 -1、1，与所在位置无关。
    """
    assert_close(student.normalise(torch.tensor([[1.0, 3.0]]) + shift), torch.tensor([[-1.0, 1.0]]))
'''

AFFINE_ACCEPTED = {
    "addition.py": '''\
"""With the library's functions."""
import torch


def affine(x, scale, shift):
    return torch.add(torch.full_like(x, shift), x, alpha=scale)


def normalise(x):
    deviation, mean = torch.std_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) / deviation
''',
    "rows.py": '''\
"""Row by row."""
import torch


def affine(x, scale, shift):
    return torch.stack([row.mul(scale).add(shift) for row in x])


def normalise(x):
    return torch.stack([(row - row.mean()) / row.std(correction=0) for row in x])
''',
}

AFFINE_ORACLE = """\
import torch

from autograder.testing import assert_close, load_reference


def test_affine() -> None:
    reference = load_reference("basics/affine")
    x = torch.randn(5, 7)
    assert_close(reference.affine(x, 2.0, 3.0), torch.add(torch.tensor(3.0), x, alpha=2))
    assert_close(reference.normalise(x), torch.nn.functional.layer_norm(x, (7,), eps=0))
"""

LESSON = """\
---
file_format: mystnb
kernelspec:
  name: python3
---
# Toy

```{code-cell} python
print(1 + 1)
```

[basics/affine](../../exercises/basics/affine.py)
"""

VOWELS = '''\
# %% [markdown]
# Count.

# %% [markdown] lang="zh"
# 数一数。


# %%
def vowels(text: str) -> int:
    """How many of the letters are vowels, in either case."""
    # BEGIN SOLUTION
    return sum(letter in "aeiou" for letter in text.lower())
    # END SOLUTION
'''

VOWELS_SPEC = """\
title.en = "Vowels"
title.zh = "元音"
minutes = 5
difficulty = 1
oracle = "paper: a table"

[[hint]]
question = "vowels"
en = "Look at the upper case."
zh = "注意大写。"

[[misconception]]
name = "lower_only"
replace = "text.lower()"
with = "text"
caught = "test_vowels"
hint.en = "Some vowels are upper case."
hint.zh = "有些元音是大写的。"

[[misconception]]
name = "consonants"
replace = 'letter in "aeiou"'
with = 'letter not in "aeiou"'
caught = "test_vowels"
hint.en = "You count the other letters."
hint.zh = "你数的是其他字母。"
"""

VOWELS_HIDDEN = '''\
import pytest


@pytest.mark.points(3)
def test_vowels(student):
    """Vowels are counted in either case.

    zh: 大小写元音都要数。
    """
    assert student.vowels("Attention Is All You Need") == 10
'''

VOWELS_PUBLIC = '''\
def test_word(student):
    """The word `banana` has three.

    zh: banana 有三个。
    """
    assert student.vowels("banana") == 3
'''


def write(path: Path, text: str) -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_toy(root: Path) -> Path:
    """The toy course, built, with everything that an audit of basics/affine asks for."""
    write(root / "course/course.toml", COURSE)
    affine = Exercise(root, "basics", "affine")
    write(affine.solution, AFFINE)
    write(affine.spec_file, AFFINE_SPEC)
    write(affine.hidden_tests, AFFINE_HIDDEN)
    write(affine.public_tests, AFFINE_PUBLIC)
    write(affine.oracle_tests, AFFINE_ORACLE)
    for name, source in AFFINE_ACCEPTED.items():
        write(root / "tests/accepted/basics/affine" / name, source)
    vowels = Exercise(root, "extras", "vowels")
    write(vowels.solution, VOWELS)
    write(vowels.spec_file, VOWELS_SPEC)
    write(vowels.hidden_tests, VOWELS_HIDDEN)
    write(vowels.public_tests, VOWELS_PUBLIC)
    for exercise in (affine, vowels):
        for lang in ("en", "zh"):
            write(exercise.lesson(lang), LESSON.replace("basics/affine", exercise.id))
    build(Course.load(root, authoring=True))
    return root


@pytest.fixture(scope="session")
def _toy_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("master") / "toy")


@pytest.fixture
def toy(_toy_master: Path, tmp_path: Path) -> Path:
    """The root of a toy course of two exercises that the test may change."""
    return Path(shutil.copytree(_toy_master, tmp_path / "toy"))


@pytest.fixture
def toy_course(toy: Path) -> Course:
    return Course.load(toy)


@pytest.fixture
def affine(toy_course: Course) -> Exercise:
    return toy_course.exercise("basics/affine")


@pytest.fixture
def vowels(toy_course: Course) -> Exercise:
    return toy_course.exercise("extras/vowels")


def edited(path: Path, old: str, new: str) -> None:
    """Replace the one place where `old` stands in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(name="edited")
def _edited() -> Callable[[Path, str, str], None]:
    """`edited(path, old, new)`: replace the one place where `old` stands."""
    return edited


@pytest.fixture
def hand_in(tmp_path: Path) -> Callable[..., Path]:
    """`hand_in("s001", {"affine.py": source})` writes one student's files; returns the submissions folder."""
    folder = tmp_path / "submissions"

    def put(student: str, files: dict[str, str]) -> Path:
        for name, source in files.items():
            write(folder / student / name, source)
        return folder

    return put


# ------------------------------------------------------------------------------------------- running things


@pytest.fixture
def environment() -> dict[str, str]:
    """For a process of its own that must import this very package, from any folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "AUTOGRADER_"))}
    return {**kept, "PYTHONPATH": str(PACKAGE.parent), "LC_ALL": "C.UTF-8", "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def python(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python("-c", source)` in a process of its own, in an empty folder by default."""

    def run(*arguments: str, cwd: Path | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        more.setdefault("timeout", 120)
        variables = {**environment, **more.pop("env", {})}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or tmp_path, env=variables, capture_output=True, encoding="utf-8", **more,
        )  # fmt: skip

    return run


@dataclass
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`cli("build", "--course", folder)`: the console script, in this process."""
    from autograder.cli.main import run

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("AUTOGRADER_LANG", "en")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["autograder", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capfd.readouterr()
        code = 0
        try:
            run()
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


# ------------------------------------------------------------------------------------------- one sandbox for all


THINNER = "AUTOGRADER_TESTS_UNCONFINED"


@pytest.fixture(scope="session")
def unavailable() -> Callable[[object], NoReturn]:
    """`unavailable(reason)` where this machine gives less isolation than a test needs.

    A skip would let a whole suite pass that tried nothing of what it is for, so on Linux that is a failure, unless
    whoever runs it says that it is known.
    """

    def stop(reason: object) -> NoReturn:
        if platform.system() != "Linux" or os.environ.get(THINNER):
            pytest.skip(str(reason))
        pytest.fail(
            f"this test needs isolation that this machine doesn't give: {reason}\n"
            f"Mend that (`autograder doctor` shows each layer), or set {THINNER}=1 to skip such tests.",
            pytrace=False,
        )

    return stop


@pytest.fixture(scope="session")
def sandbox(unavailable: Callable[[object], NoReturn]) -> Iterator[Any]:
    """The best sandbox of this machine, started once."""
    from autograder.sandbox import Sandbox, SandboxUnavailable

    try:
        started = Sandbox()
        _ = started.level
    except SandboxUnavailable as reason:
        unavailable(reason)
    with started:
        yield started


class Borrowed:
    """A sandbox that its borrower can't close."""

    def __init__(self, lender: Any) -> None:
        self._lender = lender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lender, name)

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def borrowed(sandbox: Any) -> Callable[..., Any]:
    """What can stand for the class `Sandbox`: it gives the session's sandbox, whatever is asked for."""
    return lambda **options: Borrowed(sandbox)


@pytest.fixture
def shared_sandbox(sandbox: Any, borrowed: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every worker and audit of this test uses the session's sandbox in place of one of its own."""
    import autograder.audit.audit
    import autograder.grading.run

    for module in (autograder.grading.run, autograder.audit.audit):
        monkeypatch.setattr(module, "Sandbox", borrowed)
    return sandbox
