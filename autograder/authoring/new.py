"""`autograder new UNIT/TOPIC`: the files of a new exercise, ready to be filled."""

from __future__ import annotations

import re
from pathlib import Path

from autograder.authoring.translation import translates_line
from autograder.course import Course, CourseError, Exercise
from autograder.course.catalogue import COURSE_FILE, unit_file

SOLUTION = '''\
# %% [markdown]
# What the student builds and why, then every convention that the tests rely on.

# %% [markdown] lang="zh"
# 要写什么、为什么，以及测试所依赖的每一条约定。

# %%
import torch
from torch import Tensor

# %% [markdown]
# ## 1. First question

# %% [markdown] lang="zh"
# ## 1. 第一问


# %%
def first(x: Tensor) -> Tensor:
    """One sentence.

    Args:
        x: [B, D], what it is.

    Returns:
        [B, D], what it is.

    Source: paper, equation.
    """
    # BEGIN SOLUTION
    return torch.relu(x)
    # END SOLUTION
'''

UNIT = """\
title.en = "{unit}"
title.zh = "{unit}"
exercises = ["{topic}"]
"""

SPEC = """\
title.en = "{topic}"
title.zh = "{topic}"
minutes = 30
difficulty = 2
oracle = "the library call or published table that the reference is checked against"
forbidden = []

[[hint]]
question = "first"
en = "A nudge in the right direction."
zh = "朝正确方向轻推一下。"

[[misconception]]
name = "identity"
replace = "torch.relu(x)"
with = "x"
caught = "test_negative_inputs"
hint.en = "What is wrong, why it matters, and where to look."
hint.zh = "错在哪里、为什么要紧、该看哪里。"
"""

HIDDEN = '''\
"""Hidden tests of {id}."""

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(2)
def test_negative_inputs(student, reference):
    """Negative inputs give zero.

    zh: 负的输入得到 0。
    """
    x = torch.randn(5, 7)
    assert_close(student.first(x), reference.first(x))
'''

PUBLIC = '''\
"""Public tests of {id}."""

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_by_hand(student):
    """A small example done by hand.

    zh: 一个可以手算的小例子。
    """
    assert_close(student.first(torch.tensor([[-1.0, 2.0]])), torch.tensor([[0.0, 2.0]]))
'''

ACCEPTED = '''\
"""{style}"""

from torch import Tensor


def first(x: Tensor) -> Tensor:
    return {expression}
'''

LESSON = """\
---
file_format: mystnb
{translates}kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
# {topic}

{body}

```{{code-cell}} python
import torch

torch.relu(torch.tensor([-1.0, 2.0]))
```

{link}: [{id}](../../exercises/{id}.py)
"""

ORACLE = '''\
"""The reference of {id} against its oracle."""

import torch

from autograder.testing import assert_close, load_reference


def test_{topic}() -> None:
    reference = load_reference("{id}")
    x = torch.randn(5, 7)
    assert_close(reference.first(x), torch.nn.functional.relu(x))
'''


def _contents(exercise: Exercise) -> dict[Path, str]:
    names = {"id": exercise.id, "topic": exercise.topic}
    accepted = exercise.root / "tests" / "accepted" / exercise.unit / exercise.topic
    english = "What question does this solve? The picture, the derivation, an example, the cost, the pitfalls, the sources."
    chinese = "它解决什么问题？直观图景、推导、算例、代价、常见错误、出处。"
    lesson = LESSON.format(translates="", body=english, link="Exercise", **names)
    line = translates_line(lesson) + "\n"
    return {
        exercise.solution: SOLUTION,
        exercise.spec_file: SPEC.format(**names),
        exercise.hidden_tests: HIDDEN.format(**names),
        exercise.public_tests: PUBLIC.format(**names),
        accepted / "clamp.py": ACCEPTED.format(style="By clamping.", expression="x.clamp(min=0)"),
        accepted / "where.py": ACCEPTED.format(style="By a mask.", expression="x * (x > 0)"),
        exercise.lesson("en"): lesson,
        exercise.lesson("zh"): LESSON.format(translates=line, body=chinese, link="练习", **names),
        exercise.oracle_tests: ORACLE.format(**names),
    }


def new_exercise(course: Course, name: str) -> list[Path]:
    """Write the files of exercise `UNIT/TOPIC` and list it in course.toml. Nothing that exists is overwritten."""
    match = re.fullmatch(r"([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)", name)
    if not match:
        raise CourseError(
            f"{name!r} is no exercise name; write UNIT/TOPIC in lower case, as rag/my_topic",
            f"{name!r} 不是合法的练习名；请用小写写成 UNIT/TOPIC，例如 rag/my_topic",
        )
    exercise = Exercise(course.root, *match.groups())
    contents = _contents(exercise)
    existing = [path for path in contents if path.exists()]
    if existing or exercise.id in course.exercises:
        there = existing[0] if existing else exercise.id
        raise CourseError(
            f"{there} exists already; choose another name or edit it",
            f"{there} 已存在；请另取名字，或直接编辑它",
        )
    lists = _with_exercise(course, exercise)  # before anything is written: it may refuse
    for path, text in (contents | lists).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    oracle = exercise.oracle_tests
    oracle.parent.mkdir(parents=True, exist_ok=True)
    heading = f'"""The {exercise.unit} references against their oracles."""\n'
    before = oracle.read_text(encoding="utf-8") if oracle.exists() else heading
    oracle.write_text(before + ORACLE.format(id=exercise.id, topic=exercise.topic), encoding="utf-8")
    return [*contents, oracle, *lists]


def _with_exercise(course: Course, exercise: Exercise) -> dict[Path, str]:
    """The files that list exercises and units, with this exercise at the end of its unit; their comments stay."""
    path = unit_file(course.root, exercise.unit)
    lists = {
        path: _extended(path, "exercises", exercise.topic)
        if path.is_file()
        else UNIT.format(unit=exercise.unit, topic=exercise.topic)
    }
    if all(unit.id != exercise.unit for unit in course.units):
        course_file = course.root / COURSE_FILE
        lists[course_file] = _extended(course_file, "units", exercise.unit)
    return lists


def _extended(path: Path, key: str, name: str) -> str:
    """The file's text with the name at the end of this list. CourseError where the list is not on one line."""

    def add(found: re.Match[str]) -> str:
        listed = found[2].rstrip().rstrip(",")
        return f'{found[1]}{listed}, "{name}"]' if listed else f'{found[1]}"{name}"]'

    text, found = re.subn(
        rf"^({key} = \[)([^\]\n#]*)\]", add, path.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE
    )
    if not found:
        raise CourseError(
            f"{path}: the list `{key}` is not on one line; add {name!r} to it by hand, or put it on one line",
            f"{path}：列表 `{key}` 不在同一行上；请手动加入 {name!r}，或把列表写成一行",
        )
    return text
