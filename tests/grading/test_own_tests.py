"""A learner's own tests: what they are worth, and what they can't find out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.course import Course, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.own_tests import Judgement, OwnTests, Tester, Unusable, judge
from autograder.remote.module_sandbox import ModuleSandbox

ROOT = Path(__file__).resolve().parents[2]
HEAD = "import pytest\nimport torch\n\nfrom autograder.testing import assert_close\n\n\n"
ONE = (
    HEAD
    + "def test_affine(student):\n    assert_close(student.affine(torch.tensor([[1.0, 2.0]]), 3.0, 4.0), torch.tensor([[7.0, 10.0]]))\n"
)


@pytest.fixture(scope="module")
def tester(sandbox: ModuleSandbox) -> Iterator[Tester]:
    with Tester(sandbox) as made:
        yield made


def judged(tester: Tester, exercise: Exercise, source: str) -> Judgement:
    solution = f"{exercise.topic}.py"
    bundle = bundle_of(exercise)
    own = {solution: bundle.solution, **bundle.parts}
    accepted = {path.name: path.read_bytes() for path in exercise.accepted}
    tests = OwnTests(source.encode(), exercise.own_tests.name, own, solution)
    return judge(tester, tests, bundle, accepted)


def test_hidden_tests_catch_all(tester: Tester, affine: Exercise) -> None:
    found = judged(tester, affine, affine.hidden_tests.read_text())
    assert found.refused is None
    assert found.share == 1
    assert len(found.caught) == 8


@pytest.mark.parametrize(
    "name", ["peft/lora", "distributed/zero", "capstone/pretrain"]
)  # objects with state; ranks; parts
def test_hidden_tests_of_the_course_catch_all(tester: Tester, name: str) -> None:
    assert (
        judged(
            tester,
            Course.load(ROOT).exercise(name),
            Course.load(ROOT).exercise(name).hidden_tests.read_text(),
        ).share
        == 1
    )


def test_some_are_caught(tester: Tester, affine: Exercise) -> None:
    found = judged(tester, affine, ONE)
    assert found.caught == ("unshifted", "shift_first", "shift_taken", "unscaled")
    assert found.share == 0.5


def test_marks_of_parameters_and_limits(tester: Tester, affine: Exercise) -> None:
    source = HEAD + (
        "@pytest.mark.limits(seconds=2)\n"
        "@pytest.mark.parametrize('shift', [1.0, pytest.param(4.0, id='four')])\n"
        "@pytest.mark.parametrize('x, scale', [(1.0, 3.0), (2.0, 5.0)])\n"
        "def test_affine(student, x, scale, shift):\n"
        "    assert student.affine(torch.tensor([x]), scale, shift).item() == x * scale + shift\n"
    )
    assert judged(tester, affine, source).share == 0.5


def test_a_right_answer_refused_earns_nothing(tester: Tester, affine: Exercise) -> None:
    found = judged(tester, affine, ONE.replace("10.0", "11.0"))
    assert found.refused is not None
    assert found.refused.failures[0].test == "test_affine"
    assert found.share == 0


def test_what_asserts_nothing_catches_nothing(tester: Tester, affine: Exercise) -> None:
    found = judged(
        tester, affine, HEAD + "def test_nothing(student):\n    student.affine(torch.ones(1), 1.0, 1.0)\n"
    )
    assert found.refused is None
    assert not found.caught


READS = {
    "code": "student.affine.__code__.co_consts",
    "a local name": "object.__getattribute__(student, '_handle_remote').operate('get', '', student.affine, '__code__')",
    "inspect": "__import__('inspect').getsource(student.affine)",
    "the module's imports": "student.torch",
    "the module's globals": "operate('get', '', student, '__dict__')",
    "torch's own reader of sources": "build('torch._sources.get_source_lines_and_file', student.affine)",
    "torch's tracer": "build('torch.fx.symbolic_trace', student.affine)",
    "a loader": "operate('load', '', None, '', ({'a.py': b'import sys\\nx = 1'}, 'a.py'))",
    "torch's compiler": "build('torch.jit.script', student.affine)",
    "a file of the course": "open('{root}/solutions/basics/affine.py').read()",
}


@pytest.mark.parametrize("way", READS)
def test_a_program_s_text_is_not_to_be_had(way: str, tester: Tester, affine: Exercise) -> None:
    """A test that could read the text would know mistakes without a test of them."""
    reading = READS[way].replace("{root}", str(affine.root))
    source = HEAD + (
        "def test_text(student, build):\n"
        "    operate = object.__getattribute__(student, '_handle_remote').operate\n"
        f"    found = {reading}\n"
        "    raise RuntimeError('it was read')\n"
    )
    found = judged(tester, affine, source)
    assert found.refused is not None
    assert "it was read" not in found.refused.failures[0].error
    assert found.share == 0


@pytest.mark.parametrize("name", ["torch", "Tensor", "__dict__", "F"])
def test_a_part_shows_no_more_than_a_program(name: str, tester: Tester) -> None:
    capstone = Course.load(ROOT).exercise("capstone/pretrain")
    found = judged(tester, capstone, HEAD + f"def test_part(student, parts):\n    parts.gpt.{name}\n")
    assert found.refused is not None
    assert (
        "is not to be had" in found.refused.failures[0].error
        or "does not forward" in found.refused.failures[0].error
    )


def test_an_error_s_lines_are_not_told(tester: Tester, affine: Exercise) -> None:
    source = HEAD + (
        "def test_lines(student):\n"
        "    try:\n        student.affine('text', None, 1.0)\n"
        "    except Exception as error:\n"
        "        assert not error.frames\n"
    )
    assert judged(tester, affine, source).refused is None


@pytest.mark.parametrize(
    "count",
    ["__import__('os').getpid()", "len(__import__('gc').get_objects())"],
)
def test_what_comes_later_is_not_known_to_be_wrong(count: str, tester: Tester, affine: Exercise) -> None:
    """Were right answers tried first, a test could pass the first few programs and fail the rest."""
    first = HEAD + f"def test_number(student):\n    raise RuntimeError(str({count}))\n"
    told = judged(tester, affine, first).refused
    assert told is not None
    number = int(told.failures[0].error.split(": ")[1])
    source = HEAD + f"def test_number(student):\n    assert {count} <= {number + 6}\n"
    runs = [judged(tester, affine, source) for _ in range(6)]
    assert not all(run.share > 0.9 for run in runs)


def test_nothing_is_kept_between_programs(tester: Tester, affine: Exercise) -> None:
    source = HEAD + (
        "import builtins\n\n\ndef test_count(student):\n"
        "    builtins.seen = getattr(builtins, 'seen', 0) + 1\n    torch.seen = getattr(torch, 'seen', 0) + 1\n"
        "    assert builtins.seen == torch.seen == 1\n"
    )
    assert judged(tester, affine, source).refused is None


def test_a_loop_ends(tester: Tester, affine: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.grading.own_tests.SECONDS", 1.0)
    found = judged(tester, affine, HEAD + "def test_loop(student):\n    while True:\n        pass\n")
    assert found.refused is not None
    assert found.refused.failures[0].test == "test_loop"
    assert found.refused.failures[0].outcome == "timeout"


@pytest.mark.parametrize(
    "act",
    [
        "while True:\n            student.normalise(torch.ones(300, 300))",  # a little, again and again
        "while True:\n            programs.close(programs.open(64))",
        "programs.arm(0, 0.2)\n        while programs.read(0) is not None or programs.open(64):\n            pass",
    ],
)
def test_a_program_is_not_kept_busy_for_ever(
    act: str, tester: Tester, affine: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each child may take its seconds anew with every test: all of them together have an end, too, whoever catches it."""
    monkeypatch.setattr("autograder.remote.relay.MOST_SECONDS", 0.5)
    source = HEAD + (
        "def test_busy(student):\n"
        "    programs = object.__getattribute__(student, '_handle_remote')._process._programs\n"
        f"    try:\n        {act}\n    except Exception:\n        pass\n"
    )
    found = judged(tester, affine, source)
    assert found.refused is not None
    assert found.refused.failures[0].error == "the program computed for too long"


def test_a_program_s_loop_is_the_program_s(tester: Tester, affine: Exercise, edited: object) -> None:
    text = affine.spec_file.read_text().replace('with = "x * scale"', 'with = "[0 for _ in iter(int, 1)]"')
    affine.spec_file.write_text(text)
    found = judged(tester, affine, ONE)
    assert found.refused is None
    assert "unshifted" in found.caught


@pytest.mark.parametrize(
    "source",
    ["import os\nos._exit(0)\n", "def test_(student)\n", "1 / 0\n"],
)
def test_a_file_that_does_not_load(source: str, tester: Tester, affine: Exercise) -> None:
    with pytest.raises(Unusable):
        judged(tester, affine, source)


@pytest.mark.parametrize("source", ["x = 1\n", HEAD + "def test_(student, tmp_path):\n    pass\n"])
def test_a_file_without_usable_tests(source: str, tester: Tester, affine: Exercise) -> None:
    try:
        found = judged(tester, affine, source)
    except Unusable as error:
        assert "tmp_path" in str(error)
    else:
        assert found.refused is not None
        assert found.share == 0


@pytest.mark.parametrize(
    "line",
    [
        "__import__('os')._exit(0)",
        "__import__('os').kill(__import__('os').getpid(), 9)",
        "__import__('sys').exit(0)",
        "raise KeyboardInterrupt",
        "pytest.skip('not today')",
        "__import__('urllib.request').request.urlopen('http://localhost')",
    ],
)
def test_what_ends_in_another_way_refuses(line: str, tester: Tester, affine: Exercise) -> None:
    found = judged(tester, affine, HEAD + f"def test_end(student):\n    {line}\n")
    assert found.refused is not None
    assert found.share == 0
