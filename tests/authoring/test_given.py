"""Given code: one source, pasted where it is named, marked in the skeleton, and no leak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.authoring.build import State, build_exercise, generate, stale
from autograder.authoring.given import with_given
from autograder.authoring.script import surviving_lines
from autograder.course import CourseError, Exercise
from autograder.course.cells import ScriptError

Edit = Callable[[Path, str, str], None]
SNIPPET = '''"""How to double."""

import torch
from torch import Tensor


def double(x: Tensor) -> Tensor:
    """Given. Twice the input."""
    return torch.add(x, x)
'''
CODE = SNIPPET.partition("\n\n\n")[2]


@pytest.fixture
def giving(affine: Exercise, edited: Edit) -> Exercise:
    """The first exercise, whose solution names a snippet that is not pasted yet."""
    snippet = affine.root / "solutions/given/double.py"
    snippet.parent.mkdir()
    snippet.write_text(SNIPPET)
    head = "from torch import Tensor\n"
    edited(affine.solution, head, f"{head}\n\n# GIVEN double\n# END GIVEN\n")
    return affine


def test_build_pastes_it_and_does_so_once(giving: Exercise) -> None:
    assert giving.solution in stale(giving)
    built = {item.path: item.state for item in build_exercise(giving)}
    assert built[giving.solution] is State.WRITTEN
    for path in (giving.solution, giving.skeleton):
        assert f"# GIVEN double\n{CODE}\n\n# END GIVEN\n" in path.read_text(), path
    assert stale(giving) == []
    before = giving.solution.read_text()
    build_exercise(giving)
    assert giving.solution.read_text() == before


def test_a_changed_snippet_reaches_every_file_that_names_it(giving: Exercise, edited: Edit) -> None:
    build_exercise(giving)
    edited(giving.root / "solutions/given/double.py", "torch.add(x, x)", "torch.mul(x, 2)")
    assert set(stale(giving)) == {giving.solution, giving.skeleton, giving.public_spec_file}
    build_exercise(giving)
    for path in (giving.solution, giving.skeleton):
        assert "torch.mul(x, 2)" in path.read_text()
        assert "torch.add(x, x)" not in path.read_text()


def test_a_solution_line_that_is_given_is_no_leak(giving: Exercise, edited: Edit) -> None:
    """Another exercise may ask for what is given here; outside of the markers the same line is a leak."""
    edited(giving.root / "solutions/given/double.py", "torch.add(x, x)", "torch.div(centred, spread)")
    skeleton = generate(giving)[giving.skeleton]
    line = "return torch.div(centred, spread)"
    assert line in skeleton
    solution = giving.solution.read_text()
    assert surviving_lines(solution, "affine.py", skeleton) == []
    assert surviving_lines(solution, "affine.py", skeleton.replace("# GIVEN double", "# double")) == [line]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\n# GIVEN double\n", 2),
        ("# END GIVEN\n", 1),
        ("# GIVEN double\n# END GIVEN\ny = 2\n# GIVEN Double\n", 4),
    ],
)
def test_a_marker_without_its_partner(giving: Exercise, source: str, line: int) -> None:
    with pytest.raises(ScriptError, match=rf"a\.py:{line}: given code stands between"):
        with_given(source, giving.root, "a.py")


def test_a_snippet_that_is_not_there(giving: Exercise) -> None:
    with pytest.raises(CourseError, match=r"given/nosuch\.py is missing"):
        with_given("# GIVEN nosuch\n# END GIVEN\n", giving.root, "a.py")
