"""Automatic mutants: what each operator proposes, what is left out, and which of them an exercise's tests catch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.audit import kill
from autograder.audit.kill import MutationReport, audit_mutants
from autograder.audit.mutants import Mutant, mutants_of
from autograder.authoring.script import find_blocks
from autograder.course import Course, CourseError, Exercise
from autograder.grading.bundle import bundle_of
from autograder.results import Limits

Edit = Callable[[Path, str, str], None]


def script(body: str, signature: str = "def f(x, y, n):") -> str:
    """A solution with one function, whose body the student writes."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"# %%\nimport math\nimport torch\n\n{signature}\n    # BEGIN SOLUTION\n{lines}\n    # END SOLUTION\n"
    )


def mutants(source: str) -> list[Mutant]:
    return mutants_of(source, find_blocks(source, "t.py"))


# ------------------------------------------------------------------------------------------- operators

# operator, a line, and what that operator makes of it
OPERATORS = [
    ("comparison", "return x < y", ["return x >= y", "return x <= y"]),
    ("comparison", "return x is not y", ["return x is y"]),
    ("comparison", "return x in y", ["return x not in y"]),
    (
        "comparison",
        "return 0 <= x < y",
        ["return 0 > x < y", "return 0 < x < y", "return 0 <= x >= y", "return 0 <= x <= y"],
    ),
    ("arithmetic", "return x // y", ["return x / y"]),
    ("arithmetic", "return (x) + (y)", ["return (x) - (y)"]),
    ("arithmetic", "x *= y", ["x /= y"]),
    ("and_or", "return x and y and n", ["return x or y and n", "return x and y or n"]),
    ("not", "return not x", ["return x"]),
    ("invert", "return x.masked_fill(~y, 0)", ["return x.masked_fill(y, 0)"]),
    ("sign", "return -math.inf", ["return math.inf"]),
    ("boolean", "return f(x, True, n)", ["return f(x, False, n)"]),
    ("integer", "return x * 2", ["return x * 3"]),
    ("integer", "return x[2]", ["return x[3]", "return x[1]"]),
    ("integer", "return x[-2]", ["return x[-3]", "return x[-1]"]),
    ("integer", "return x[1:]", ["return x[2:]", "return x[0:]"]),
    ("integer", "return x < 2", ["return x < 1"]),
    ("integer", "return 2 < x", ["return 3 < x"]),
    ("float", "return x + 0.5", ["return x + 5.0"]),
    ("float", "return x + 0.0", ["return x + 1.0"]),
    ("slice", "return x[n:y]", ["return x[:y]", "return x[n:]"]),
    ("slice", "return x[::-1]", ["return x[::]"]),
    ("condition", "return x if y else n", ["return x if True else n", "return x if False else n"]),
    (
        "condition",
        "return [a for a in x if a > y]",
        ["return [a for a in x if True]", "return [a for a in x if False]"],
    ),
    ("condition", "while x:\n    x = y", ["while False:"]),
    ("loop_exit", "for a in x:\n    if a: break", ["if a: continue"]),
    ("grad_mode", "with torch.no_grad():\n    x += y", ["if True:"]),
    ("statement", "x.zero_()", ["pass"]),
    ("statement", "x = y", ["pass"]),
    ("statement", "x[0] = y", ["pass"]),
    ("statement", "try:\n    n()\nexcept OSError:\n    raise", ["pass", "pass"]),
    ("function", "return x.sum()", ["return x.mean()"]),
    ("function", "return max(x, y)", ["return min(x, y)"]),
    ("function", "return torch.tril(x)", ["return torch.triu(x)"]),
    ("method_dropped", "return x.detach().T", ["return x.T", "return x.detach()"]),
    ("method_dropped", "return (x + y).clone()", ["return (x + y)"]),
    ("method_dropped", "return x.transpose(0, 1)", ["return x"]),
    ("call_dropped", "return sorted(x)", ["return x"]),
    ("correction", "return x.var()", ["return x.var(correction=0)"]),
    ("correction", "return x.std(dim=0)", ["return x.std(dim=0, correction=0)"]),
    ("unbiased", "return x.var(unbiased=False)", ["return x.var(unbiased=True)"]),
    ("keepdim", "return x.sum(dim=n, keepdim=True)", ["return x.sum(dim=n, keepdim=False)"]),
    ("dim", "return x.sum(dim=n)", ["return x.sum(dim=0)", "return x.sum(dim=-1)"]),
    ("dim", "return torch.softmax(x, dim=-1)", ["return torch.softmax(x, dim=-2)"]),
    ("dim", "return x.unsqueeze(1)", ["return x.unsqueeze(2)", "return x.unsqueeze(0)"]),
    ("keyword_dropped", "return x.sum(dim=n, dtype=y)", ["return x.sum(dtype=y)", "return x.sum(dim=n)"]),
    ("keyword_dropped", "return f(x, y, n=x)", ["return f(x, y)"]),
    ("arguments_swapped", "return f(x, y[0], n)", ["return f(y[0], x, n)", "return f(x, n, y[0])"]),
]


@pytest.mark.parametrize(
    ("operator", "line", "expected"), OPERATORS, ids=[f"{o}-{i}" for i, (o, _, _) in enumerate(OPERATORS)]
)
def test_operator(operator: str, line: str, expected: list[str]) -> None:
    found = [m.change for m in mutants(script(line)) if m.change.operator == operator]
    assert [change.after for change in found] == expected
    for change in found:
        assert change.before in [part.strip() for part in line.splitlines()]


def test_a_mutant_says_where_it_is() -> None:
    """Lines count from the top of the file; what stands on several lines is joined, in bytes or in characters."""
    source = script('y.append(\n    "数" + x,  # 注\n)\nreturn y')
    (added, deleted) = sorted(mutants(source), key=lambda m: m.change.operator)
    assert (added.change.operator, added.change.line) == ("arithmetic", 8)
    assert (added.change.before, added.change.after) == ('"数" + x,  # 注', '"数" - x,  # 注')
    assert added.source == source.replace("+ x", "- x")
    assert (deleted.change.operator, deleted.change.line) == ("statement", 7)
    assert (deleted.change.before, deleted.change.after) == ('y.append( "数" + x,  # 注 )', "pass")
    assert deleted.question == "f"


# ------------------------------------------------------------------------------------------- what is left out

# what is left out, a line that has it, and all that its mutants are
LEFT_OUT = [
    ("a message", "if x: raise ValueError(f'{x + 1}', 2)", ["if False: raise ValueError(f'{x + 1}', 2)"]),
    ("an f-string", "return f'{x + 1}'", []),
    ("an assertion's message", "assert x, 1 + y", []),
    ("annotations", "def g(a: 1 + 2) -> 3 + 4: return a", []),
    ("a variable's annotation", "z: 5 < 6 = x", []),
    ("strict", "return zip(x, x, strict=True)", []),
    ("device", "return torch.eye(n, device=x.device)", []),
    ("a dtype that is the default", "return torch.eye(n, dtype=torch.float32)", []),
    ("a dim that is the default", "return torch.cat(x, dim=0)", ["return torch.cat(x, dim=1)"]),
    ("a dim that is required", "return torch.softmax(x, dim=-1)", ["return torch.softmax(x, dim=-2)"]),
    ("equal arguments", "return f(x, x)", []),
    ("arguments of a commutative function", "return torch.add(x, y)", []),
    ("arguments of two kinds", "return f(x, 'a', [y])", []),
    ("arguments in a fixed order", "return isinstance(x, y)", []),
    ("the first assignment", "z = x", []),
    ("a bound that is none", "return x[0:]", ["return x[1:]", "return x[-1:]"]),
    ("-1 in a shape", "return x.view(-1)", []),
    ("an axis on the other side of 0", "return x.sum(0)", ["return x.mean(0)", "return x.sum(1)"]),
    ("the same as <=", "return x < 2", ["return x >= 2", "return x <= 2", "return x < 1"]),
    ("a negated condition", "if not x: return y", ["if True: return y", "if False: return y"]),
    ("a condition that is a constant", "return x if True else y", ["return x if False else y"]),
    ("a base class's constructor", "super().__init__()", []),
]


@pytest.mark.parametrize(
    ("body", "expected"), [case[1:] for case in LEFT_OUT], ids=[case[0] for case in LEFT_OUT]
)
def test_what_is_left_out(body: str, expected: list[str]) -> None:
    assert [m.change.after for m in mutants(script(body))] == expected


def test_an_argument_equal_to_the_default_in_the_same_file() -> None:
    source = script("return g(x, dim=-1)", "def g(x, dim=-1): return x\n\n\ndef f(x):")
    assert [m.change.after for m in mutants(source)] == ["return g(x, dim=-2)"]


def test_equal_bytecode_is_run_once() -> None:
    """`2 + 1` and `1 + 2` are both 3 once compiled; `1 - 1` differs."""
    assert [m.change.after for m in mutants(script("return x + (1 + 1)"))] == [
        "return x - (1 + 1)",
        "return x + (2 + 1)",
        "return x + (1 - 1)",
    ]


def test_only_what_the_student_writes() -> None:
    source = script("return x + y") + "\n\ndef given(x):\n    return x + 1\n"
    assert [m.change.line for m in mutants(source)] == [7]


def test_none_is_returned_where_the_signature_allows_it() -> None:
    body = "return x"
    assert [m.change.after for m in mutants(script(body, "def f(x) -> int | None:"))] == ["return None"]
    assert mutants(script(body, "def f(x) -> int:")) == []


# ------------------------------------------------------------------------------------------- which are caught


@pytest.fixture
def audited(toy: Path, borrowed: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], MutationReport]:
    """`audited()`: the report on basics/affine as it lies on disk."""
    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", borrowed)

    def report() -> MutationReport:
        course = Course.load(toy, authoring=True)
        (found,) = audit_mutants(course, [course.exercise("basics/affine")], workers=1)
        return found

    return report


Audited = Callable[[], MutationReport]
AXIS = "spread = centred.square().mean(dim={}, keepdim=True).sqrt()"


def test_sound_tests_catch_all(audited: Audited) -> None:
    report = audited()
    assert (report.mutants, report.killed, report.rate, report.survivors) == (12, 12, 1.0, ())
    assert report.green


def test_a_weak_hidden_test_lets_a_mutant_survive(audited: Audited, affine: Exercise, edited: Edit) -> None:
    """Two numbers in one row: whatever axis their spread is taken over, it is 1."""
    edited(affine.hidden_tests, "torch.randn(6, 5) * 3 + 2", "torch.tensor([[1.0, 3.0]])")
    report = audited()
    survivors = {(each.operator, each.line, each.before, each.after) for each in report.survivors}
    line = affine.solution.read_text(encoding="utf-8").splitlines().index(f"    {AXIS.format(-1)}") + 1
    assert ("dim", line, AXIS.format(-1), AXIS.format(-2)) in survivors
    assert report.killed == report.mutants - len(survivors)
    assert report.rate == 1 - len(survivors) / 12 < kill.RATE
    assert not report.green


def _list(exercise: Exercise, line: str, to: str, because: str = "unreachable") -> None:
    with exercise.spec_file.open("a", encoding="utf-8") as file:
        file.write(f'\n[[equivalent]]\nline = "{line}"\nto = "{to}"\nbecause = "{because}"\n')


def test_a_survivor_that_is_listed_counts_as_equivalent(
    audited: Audited, affine: Exercise, edited: Edit
) -> None:
    edited(affine.hidden_tests, "torch.randn(6, 5) * 3 + 2", "torch.tensor([[1.0, 3.0]])")
    before = audited()
    _list(affine, AXIS.format(-1), AXIS.format(-2))
    report = audited()
    assert (report.equivalent, report.killed, report.problems) == (1, before.killed, ())
    assert [each.after for each in report.survivors] == [
        each.after for each in before.survivors if each.after != AXIS.format(-2)
    ]
    assert report.rate == pytest.approx(before.rate + 1 / 12)


def test_an_entry_that_no_longer_holds(audited: Audited, affine: Exercise) -> None:
    """One matches no mutant; the other loses a test."""
    _list(affine, "return x", "return y")
    _list(affine, "return x * scale + shift", "return x * scale - shift")
    report = audited()
    lost, gone = sorted(report.problems)
    assert "'return x' -> 'return y' is no mutant any more; remove or correct the entry" in gone
    assert "'return x * scale - shift' loses a test, so it is not equivalent; remove the entry" in lost
    assert report.rate == 1.0
    assert not report.green


def test_an_entry_gives_one_of_the_known_reasons(affine: Exercise) -> None:
    _list(affine, "return x", "return y", "I like it so")
    with pytest.raises(CourseError, match="I like it so"):
        _ = affine.spec


def test_an_entry_makes_no_result_out_of_date(affine: Exercise) -> None:
    before = bundle_of(affine).fingerprint
    _list(affine, "return x", "return y")
    changed = Exercise(affine.root, affine.unit, affine.topic)
    assert changed.spec.equivalent
    assert bundle_of(changed).fingerprint == before


LOOP = """count = 0
    while count < 1:
        count += 1
    return x * scale + shift"""


def test_a_mutant_that_loops_is_ended(
    audited: Audited, affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the exercise's own limit is."""
    edited(affine.spec_file, "difficulty = 1", "difficulty = 1\nlimits.seconds = 100000")
    edited(affine.solution, "return x * scale + shift", LOOP)
    monkeypatch.setattr(kill, "SECONDS", 0.2)
    given: set[float] = set()
    run_case = kill.run_case

    def noted(case: Any, side: Any, reference: Any, limits: Limits) -> Any:
        given.add(case.limits(limits).seconds)
        return run_case(case, side, reference, limits)

    monkeypatch.setattr(kill, "run_case", noted)
    report = audited()
    assert given == {0.2}
    source = affine.solution.read_text(encoding="utf-8")
    assert "count -= 1" in [mutant.change.after for mutant in mutants(source)]
    assert "count -= 1" not in [change.after for change in report.survivors]


def test_the_reference_must_pass(audited: Audited, affine: Exercise, edited: Edit) -> None:
    edited(affine.public_tests, "torch.tensor([[3.0, -3.0]])", "torch.tensor([[3.0, -4.0]])")
    with pytest.raises(CourseError, match=r"affine\.py does not pass test_affine_by_hand itself"):
        audited()


def test_the_first_loss_ends_a_mutant(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the test that caught a mutant of the same function comes first for the next."""
    ran: list[str] = []
    run_case = kill.run_case

    def noted(case: Any, *rest: Any) -> Any:
        ran.append(case.name)
        return run_case(case, *rest)

    monkeypatch.setattr(kill, "run_case", noted)
    audited()
    of_affine, of_normalise = "test_affine_by_hand", "test_normalise_by_hand[0.0]"
    after_the_reference = ran[6:]
    assert after_the_reference[:7] == [of_affine] * 3 + [of_normalise] * 4


def test_several_processes_report_the_same(toy_course: Course, audited: Audited) -> None:
    seen: list[tuple[str, int, int]] = []
    exercises = [toy_course.exercise("basics/affine")]
    (report,) = audit_mutants(toy_course, exercises, workers=2, progress=lambda *step: seen.append(step))
    assert report == audited()
    assert seen == [("basics/affine", done, 12) for done in range(1, 13)]


# ------------------------------------------------------------------------------------------- the command


@pytest.fixture
def command(
    cli: Callable[..., Any], toy: Path, borrowed: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", borrowed)
    return lambda *more: cli("audit", "affine", "--mutants", "--workers", 1, "--course", toy, *more)


def test_the_command_is_content(command: Callable[..., Any]) -> None:
    said = command()
    assert said.code == 0, said.err
    assert said.out == "✓ basics/affine: 12 of 12 mutants caught, 0 equivalent, 0 survive (100.0%)\n"
    assert "捕获 12 个" in command("--lang", "zh").out


def test_the_command_shows_what_survives(command: Callable[..., Any], affine: Exercise, edited: Edit) -> None:
    edited(affine.hidden_tests, "torch.randn(6, 5) * 3 + 2", "torch.tensor([[1.0, 3.0]])")
    _list(affine, "return x", "return y")
    said = command()
    assert said.code == 1
    assert f"→ {AXIS.format(-2)}" in said.out
    assert "is no mutant any more" in said.out
    said = command("--json")
    assert said.code == 1
    (report,) = json.loads(said.out)["exercises"]
    assert {each["after"] for each in report["survivors"]} >= {AXIS.format(-2)}
    assert report["killed"] + len(report["survivors"]) == report["mutants"] == 12
