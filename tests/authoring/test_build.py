"""`build`: what it writes, and whose work it never overwrites."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.authoring.build import (
    State,
    build,
    build_exercise,
    generate,
    holds_work,
    public_toml,
    stale,
)
from autograder.course import Course, Exercise, PublicSpec
from autograder.course.cells import ScriptError
from autograder.course.digests import code_digest, file_digest
from autograder.course.spec import BothLanguages, Hint, PristineDigests, QuestionPoints
from autograder.course.toml import read_toml
from autograder.results import Limits

Edit = Callable[[Path, str, str], None]


def states(exercise: Exercise, **options: bool) -> list[State]:
    return [built.state for built in build_exercise(exercise, **options)]


def anew(exercise: Exercise) -> Exercise:
    """The same exercise with nothing remembered from its files."""
    return Exercise(exercise.root, exercise.unit, exercise.topic)


def test_skeleton(affine: Exercise) -> None:
    text = affine.skeleton.read_text(encoding="utf-8")
    compile(text, "skeleton", "exec")
    assert text.count('check("basics/affine")') == 2
    assert "from autograder import check" in text
    assert "# # Affine maps\n" in text
    assert "# # 仿射映射\n" in text
    assert 'raise NotImplementedError("affine")' in text
    assert "x * scale + shift" not in text
    tree = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    given = {
        node.name: node
        for node in ast.parse(affine.solution.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert tree.keys() == given.keys()
    for name, node in tree.items():
        assert ast.get_docstring(node) == ast.get_docstring(given[name])
        assert ast.dump(node.args) == ast.dump(given[name].args)


def test_title_cells_link_to_lessons(affine: Exercise) -> None:
    text = affine.skeleton.read_text(encoding="utf-8")
    for target in ("../../course/basics/affine.md", "../../course/basics/affine.zh.md"):
        assert f"({target})" in text
        assert (affine.skeleton.parent / target).is_file()


def test_second_build_changes_nothing(affine: Exercise) -> None:
    assert states(affine) == [State.UNCHANGED] * 3
    assert stale(affine) == []


def test_a_filled_in_skeleton_is_kept(affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, 'raise NotImplementedError("affine")', "return x")
    edited(affine.solution, "# Two maps", "# Both maps")
    assert holds_work(affine)
    assert states(affine) == [State.KEPT] * 3
    assert "return x\n" in affine.skeleton.read_text(encoding="utf-8")
    # Its digest still is the untouched skeleton's: another build must not take the work for a skeleton.
    assert holds_work(anew(affine))
    assert states(anew(affine)) == [State.KEPT] * 3
    assert states(affine, force=True)[:2] == [State.WRITTEN, State.WRITTEN]
    assert "return x\n" not in affine.skeleton.read_text(encoding="utf-8")


def test_an_untouched_skeleton_follows_its_solution(affine: Exercise, edited: Edit) -> None:
    edited(affine.solution, "# Two maps", "# Both maps")
    assert stale(affine) == [affine.skeleton, affine.public_spec_file]
    assert states(affine) == [State.WRITTEN, State.WRITTEN, State.UNCHANGED]
    assert "# Both maps" in affine.skeleton.read_text(encoding="utf-8")
    assert stale(affine) == []


def test_a_change_inside_the_markers_is_no_news(affine: Exercise, edited: Edit) -> None:
    edited(affine.solution, "return torch.div(centred, spread)", "return centred / spread")
    assert states(affine) == [State.UNCHANGED] * 3


def test_a_skeleton_edited_by_hand_is_stale(affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, "# Two maps", "# A few maps")
    assert stale(affine) == [affine.skeleton]


def test_work_is_kept_when_only_the_toml_changes(affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, 'raise NotImplementedError("affine")', "return x")
    edited(affine.spec_file, "minutes = 20", "minutes = 25")
    assert State.WRITTEN not in states(anew(affine))[:1]
    assert "return x\n" in affine.skeleton.read_text(encoding="utf-8")


def test_solution_line_outside_the_markers_is_refused(affine: Exercise, edited: Edit) -> None:
    edited(
        affine.solution, "# %%\nimport torch\n", '# %%\n"""\nreturn x * scale + shift\n"""\nimport torch\n'
    )
    with pytest.raises(ScriptError, match=r"'return x \* scale \+ shift' also stands outside") as caught:
        generate(affine)
    assert str(affine.solution) in str(caught.value)
    assert "reword one" in str(caught.value)


def test_build_selects(toy_course: Course) -> None:
    names = [item.path.name for item in build(toy_course, ["extras"], force=True)]
    assert names == ["vowels.py", "vowels.toml", "vowels.mistakes.json"]
    assert len(build(toy_course)) == 6


def test_public_toml_round_trip(tmp_path: Path) -> None:
    spec = PublicSpec(
        title=BothLanguages(en='Say "hello"\\n', zh="说“你好”\n第二行"),
        minutes=7,
        difficulty=5,
        limits=Limits(2.5, 64),
        forbidden=("torch.softmax", 'library.odd"name'),
        hint=(
            Hint(question="a", en="tab\there, and a backslash \\", zh="换行\n、“引号”、\u3000全角空格、\x7f"),
            Hint(question="b", en="# not a comment", zh="𠮷 with an astral character"),
        ),
        points=(QuestionPoints("a", 1.0, 2.5), QuestionPoints("b", 0.0, 1 / 3)),
        pristine=PristineDigests("f1", "5c", ("c1", "c2")),
    )
    path = tmp_path / "public.toml"
    path.write_text(public_toml(spec), encoding="utf-8")
    assert read_toml(path, PublicSpec) == spec


def test_the_public_toml_says_what_each_question_is_worth(affine: Exercise) -> None:
    public = affine.public
    assert public.points == (QuestionPoints("affine", 2.0, 4.0), QuestionPoints("normalise", 2.0, 4.0))
    assert public.questions == ("affine", "normalise")
    assert public.max_score == 12


def test_points_follow_the_tests(affine: Exercise, edited: Edit) -> None:
    edited(affine.hidden_tests, "@pytest.mark.points(4)\ndef test_normalise", "def test_normalise")
    assert stale(anew(affine)) == [affine.public_spec_file]
    build_exercise(anew(affine))
    assert anew(affine).public.points[1] == QuestionPoints("normalise", 2.0, 1.0)


def test_the_public_toml_knows_the_skeleton(affine: Exercise, edited: Edit) -> None:
    """By its text, by its code without comments, and by the code of each cell."""
    given, text = affine.public.pristine, affine.skeleton.read_text(encoding="utf-8")
    assert (given.file, given.script) == (file_digest(text), code_digest(text))
    assert {
        code_digest("import torch\nfrom torch import Tensor"),
        code_digest('check("basics/affine")'),
    } <= set(given.cells)
    edited(affine.skeleton, "# Two maps", "# Both maps")
    text = affine.skeleton.read_text(encoding="utf-8")
    assert given.file != file_digest(text) and given.script == code_digest(text)
    edited(affine.skeleton, 'raise NotImplementedError("affine")', "return x")
    assert given.script != code_digest(affine.skeleton.read_text(encoding="utf-8"))


def test_public_toml_holds_no_secret(affine: Exercise) -> None:
    text = affine.public_spec_file.read_text(encoding="utf-8")
    for mistake in affine.spec.misconception:
        assert mistake.hint.en not in text
        assert mistake.hint.zh not in text
    assert "misconception" not in text
    assert "addcmul" not in text
