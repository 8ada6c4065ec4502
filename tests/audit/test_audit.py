"""The audit: green on a sound exercise, and red, saying why, for everything that can be wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.audit import Auditor, ExerciseAudit
from autograder.audit.audit import TITLES, _Subject
from autograder.audit.cheap import KINDS, cheap_answer
from autograder.audit.lessons import code_of, lesson_problems
from autograder.authoring.build import build_exercise
from autograder.course import Course, Exercise

Edit = Callable[[Path, str, str], None]


@pytest.fixture
def point(affine: Exercise, sandbox: Any) -> Callable[[int], list[str]]:
    """`point(3)`: the problems that one point of the audit finds. An error that names the file is one."""

    def problems(number: int) -> list[str]:
        from autograder.errors import UserError

        exercise = Course.load(affine.root, authoring=True).exercise(affine.id)
        try:
            return list(_Subject(exercise, sandbox).checks()[number - 1]()[1])
        except UserError as error:
            return [str(error)]

    return problems


Point = Callable[[int], list[str]]


def test_a_sound_exercise_is_green(toy_course: Course, affine: Exercise, shared_sandbox: Any) -> None:
    with Auditor(toy_course) as auditor:
        report: ExerciseAudit = auditor.audit(affine)
    assert {p.number: p.problems for p in report.points} == dict.fromkeys(TITLES, ())
    assert report.green
    assert report.seconds > 0
    summaries = {p.number: p.summary for p in report.points}
    assert summaries[1] == "3 score 12 of 12, in process and isolated"
    assert summaries[2] == "scores 0; 2 questions say not implemented"
    assert "1 passed" in summaries[5]


# ------------------------------------------------------------------------------------------- 1: correct answers


def test_an_accepted_solution_fails(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.accepted[0], "alpha=scale", "alpha=2 * scale")
    found = point(1)
    assert any("addition.py" in p and "fails test_affine" in p and "not close" in p for p in found)
    assert not any("rows.py" in p for p in found)


def test_too_few_accepted_solutions(affine: Exercise, point: Point) -> None:
    affine.accepted[0].unlink()
    assert point(1) == ["1 accepted solutions; write at least 2 in other styles"]


def test_the_reference_fails_its_own_test(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.public_tests, "torch.tensor([[3.0, -3.0]])", "torch.tensor([[3.0, -4.0]])")
    assert any("test_affine_by_hand" in p for p in point(1))


def test_a_verdict_that_depends_on_isolation(affine: Exercise, edited: Edit, point: Point) -> None:
    """A test that sees an in-place change: true in process, lost on the way back from a confined process."""
    edited(
        affine.hidden_tests,
        "    assert_close(student.normalise(x), reference.normalise(x))",
        "    assert_close(student.normalise(x), reference.normalise(x))\n"
        "    student.seen = 1\n    assert vars(student)['seen'] == 1",
    )
    found = point(1)
    assert any("in process" in p and "isolated" in p and "test_normalise" in p for p in found), found


# ------------------------------------------------------------------------------------------- 2: the skeleton


def test_a_question_that_no_test_meets(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(
        affine.public_tests,
        "student.normalise(torch.tensor([[1.0, 3.0]]) + shift)",
        "torch.tensor([[-1.0, 1.0]])",
    )
    edited(affine.hidden_tests, "student.normalise(x)", "reference.normalise(x)")
    found = point(2)
    assert "no test says that normalise is not implemented" in found
    assert "test_normalise is passed on the untouched skeleton, not not_implemented" in found


def test_a_dropped_marker(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(
        affine.solution,
        "    return x * scale + shift\n    # END SOLUTION\n",
        "    return x * scale + shift\n",
    )
    for number in (2, 3, 4, 6, 8):
        (found,) = point(number)
        assert "affine.py" in found
        assert "BEGIN SOLUTION" in found


def test_a_question_left_in_the_open(affine: Exercise, edited: Edit, point: Point) -> None:
    """Both markers of a block dropped: the answer would be released."""
    edited(
        affine.solution,
        "    # BEGIN SOLUTION\n    return x * scale + shift\n    # END SOLUTION\n",
        "    return x * scale + shift\n",
    )
    assert any("test_affine" in p and "passed on the untouched skeleton" in p for p in point(2))
    assert any("not what a fresh build gives" in p for p in point(6))


# ------------------------------------------------------------------------------------------- 3: misconceptions


def test_a_weakened_hidden_test(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.hidden_tests, "student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6)",
           "student.affine(x, 1.7, 0.0), reference.affine(x, 1.7, 0.0)")  # fmt: skip
    found = point(3)
    for name in ("unshifted", "shift_first", "shift_taken"):
        assert f"misconception {name!r} loses nothing at test_affine; strengthen that test" in found
    assert not any("unscaled" in p for p in found)


def test_an_edit_that_no_longer_matches(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, 'replace = ".sqrt()"', 'replace = ".square_root()"')
    assert any("'variance'" in p and "occurs 0 times" in p for p in point(3))


def test_an_edit_that_matches_twice(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, 'replace = ".sqrt()"', 'replace = "mean("')
    assert any("'variance'" in p and "occurs 2 times" in p for p in point(3))


def test_misconceptions_that_nothing_tells_apart(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, 'with = "x * scale - shift"', 'with = "x * scale"')  # the same as unshifted
    assert any(
        "'shift_taken' is diagnosed as unshifted" in p and "tell them apart or drop one" in p
        for p in point(3)
    )


def test_a_misconception_at_no_test(affine: Exercise, edited: Edit, point: Point) -> None:
    text = affine.spec_file.read_text(encoding="utf-8")
    first = text.index('caught = "test_affine"')
    affine.spec_file.write_text(
        text[:first] + 'caught = "test_affine_by_hand"' + text[first + 22 :], encoding="utf-8"
    )
    assert "misconception 'unshifted': there is no hidden test 'test_affine_by_hand'" in point(3)


def test_a_question_without_a_misconception(affine: Exercise, point: Point) -> None:
    text = affine.spec_file.read_text(encoding="utf-8")
    blocks = text.split("\n[[misconception]]")
    affine.spec_file.write_text("\n[[misconception]]".join(blocks[:5]), encoding="utf-8")
    found = point(3)
    assert "4 misconceptions; write at least 8" in found
    assert "no misconception concerns normalise" in found


def test_a_hint_that_is_too_long(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.spec_file, "The hint of unscaled.", "word " * 121)
    assert point(3) == ["misconception 'unscaled': the hint has more than 120 words"]


# ------------------------------------------------------------------------------------------- 4: cheap answers


@pytest.mark.parametrize(
    ("test", "kind"),
    [
        ("assert student.affine(x, 1.7, -0.6).shape == x.shape", "zeros"),
        ("assert float(student.affine(x, 0.0, 1.0).mean()) == 1.0", "constant"),
        ("assert_close(student.affine(x, 1.0, 0.0), x)", "identity"),
        ("assert float(student.affine(x, 1.0, 0.0).std()) > 0.1", "noise"),
        ("with pytest.raises(ValueError):\n        student.affine(x, 'a', None)", "raising"),
    ],
)
def test_an_answer_that_ignores_the_question_earns_points(
    affine: Exercise, edited: Edit, point: Point, test: str, kind: str
) -> None:
    edited(
        affine.hidden_tests,
        "assert_close(student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6))",
        test,
    )
    assert any(p.startswith(f"{kind} answers earn 2 at test_affine[") for p in point(4))


def test_cheap_answers_of_every_kind() -> None:
    solution = (
        "import torch, numpy as np\n"
        "def tensors(x): return {'a': [x + 1], 'b': (x > 0, np.ones(2))}\n"
        "def plain(n): return 5, 2.5, 'abc', b'ab', True, None\n"
        "def stream(xs):\n    yield from (x * 2 for x in xs)\n"
        "class Box:\n"
        "    def __init__(self, n): self.n = n\n"
        "    def get(self, k): return self.n + k\n"
    )
    names = ["tensors", "plain", "stream", "Box"]
    import torch

    answers: dict[str, Any] = {}
    for kind in KINDS:
        answers[kind] = {}
        exec(cheap_answer(solution, kind, names), answers[kind])
    x = torch.tensor([1.0, -2.0])
    zeros, constant, identity, raising = (answers[k] for k in ("zeros", "constant", "identity", "raising"))
    assert zeros["tensors"](x)["a"][0].tolist() == [0, 0]
    assert zeros["plain"](3) == (0, 0.0, "", b"", False, None)
    assert list(zeros["stream"]([1, 2])) == [0, 0]
    assert zeros["Box"](3).get(4) == 0
    assert constant["plain"](3) == (1, 1.0, "aaa", b"aa", True, None)
    assert identity["tensors"](x)["a"][0].tolist() == [1, -2]
    assert identity["Box"](3).get(4) == 4
    noise = answers["noise"]["tensors"](x)["a"][0]
    assert noise.shape == x.shape
    assert noise.tolist() != [2, -1]
    with pytest.raises(ValueError):
        raising["plain"](3)
    assert raising["Box"](3).n == 3  # objects can be made, so that a test gets as far as the question


# ------------------------------------------------------------------------------------------- 5: the oracle


def test_no_oracle_test(affine: Exercise, point: Point) -> None:
    affine.oracle_tests.unlink()
    (found,) = point(5)
    assert found.startswith("tests/oracles/test_basics.py holds no test of basics/affine")
    assert "torch.addcmul" in found


def test_a_skipped_oracle_test(affine: Exercise, point: Point) -> None:
    """Beside one that passes: a skipped comparison is no comparison."""
    with affine.oracle_tests.open("a") as file:
        file.write(
            '\n\ndef test_affine_again() -> None:\n    import pytest\n\n    pytest.skip("no library")\n'
        )
    (found,) = point(5)
    assert "1 passed, 1 skipped" in found


def test_an_oracle_that_disagrees(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.oracle_tests, "alpha=2)", "alpha=3)")
    (found,) = point(5)
    assert "1 failed" in found


# ------------------------------------------------------------------------------------------- 6: leaks


def test_a_skeleton_edited_by_hand(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.skeleton, "# Two maps", "# Some maps")
    assert point(6) == [
        "exercises/basics/affine.py is not what a fresh build gives; run `autograder build basics/affine`, "
        "with --force if it was edited by hand"
    ]


@pytest.mark.parametrize(
    "place", ["course/basics/affine.md", "exercises/basics/test_affine.py", "exercises/basics/notes.md"]
)
def test_a_solution_line_where_students_look(affine: Exercise, point: Point, place: str) -> None:
    path = affine.root / place
    path.write_text((path.read_text() if path.exists() else "") + "\n    return x * scale + shift\n")
    assert f"{place} holds the solution line 'return x * scale + shift'" in point(6)


# ------------------------------------------------------------------------------------------- 7: lessons


def test_a_lesson_s_cell_fails(affine: Exercise, edited: Edit) -> None:
    edited(affine.lesson("zh"), "print(1 + 1)", "print(1 / 0)")
    (found,) = lesson_problems(affine)
    assert found.startswith("course/basics/affine.zh.md: a cell fails: ZeroDivisionError")


def test_a_dead_link(affine: Exercise) -> None:
    with affine.lesson("en").open("a") as file:
        file.write(
            "[gone](../other/gone.md#part) [page](https://example.org/x) [mail](mailto:a@example.org) [top](#top)\n"
        )
    assert lesson_problems(affine) == ["course/basics/affine.md: the link '../other/gone.md' leads nowhere"]


def test_no_link_to_the_exercise(affine: Exercise, edited: Edit) -> None:
    edited(affine.lesson("en"), "](../../exercises/basics/affine.py)", "](affine.zh.md)")
    assert lesson_problems(affine) == [
        "course/basics/affine.md: no link to exercises/basics/affine.py; add one"
    ]


def test_no_lesson_and_no_cell(affine: Exercise, edited: Edit) -> None:
    affine.lesson("zh").unlink()
    edited(affine.lesson("en"), "```{code-cell} python", "```python")
    assert lesson_problems(affine) == [
        "course/basics/affine.md has no executed cell; give a worked example",
        "course/basics/affine.zh.md is missing; write the lesson",
    ]


def test_cells_of_a_page() -> None:
    page = "```{code-cell} python\n:tags: [hide-input]\nx = 1\n```\ntext\n```python\nno\n```\n```{code-cell}\ny = x\n```\n"
    assert code_of(page) == "x = 1\n\n\ny = x\n"


# ------------------------------------------------------------------------------------------- 8: form


def test_form(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.hidden_tests, "    zh: 先缩放，后平移。\n", "")
    edited(affine.spec_file, 'question = "affine"', 'question = "affin"')
    edited(
        affine.public_tests, "def test_affine_by_hand(student)", "def test_affine_by_hand(student, reference)"
    )
    text = affine.hidden_tests.read_text(encoding="utf-8").replace("points(4)", "points(1)")
    affine.hidden_tests.write_text(text, encoding="utf-8")
    found = point(8)
    assert "test_affine[3]: the docstring needs one sentence in English and one after `zh:`" in found
    assert "test_affine_by_hand is public and can't use `reference`; write the expected values down" in found
    assert "4 of 6 points are public; about a third should be" in found
    assert "no hint for affine" in found


def test_cost(
    toy_course: Course, vowels: Exercise, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.audit.audit.CPU_SECONDS", 0.0)
    with Auditor(toy_course) as auditor:
        report = auditor.audit(vowels)
    assert any("more than 0 s of CPU; make the tests smaller" in p for p in report.points[7].problems)
    assert not report.green


def test_fresh_build_heals(affine: Exercise, edited: Edit, point: Point) -> None:
    edited(affine.solution, "# Two maps", "# Both maps")
    assert point(6)
    build_exercise(affine)
    assert point(6) == []
