"""The smallest counterexample below what a failing test says: it is true, none is smaller, and it tells nothing hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from autograder.course import Course, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.counterexample import MOST, alike
from autograder.grading.grader import ExerciseGrader
from autograder.grading.small_inputs import SMALL, size_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.guest.loading import load_module
from autograder.results import ExerciseResult, Outcome, TestResult

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course.load(ROOT, authoring=True)
EXAMPLE = re.compile(
    r"The smallest example found:\n(?P<calls>.*)\n  your code  (?P<given>.*)\n  right      (?P<right>.*)",
    re.S,
)

# Wrong answers that are no misconceptions of the exercise: an edit of the reference, and the function that gets the example.
WRONG = {
    "alignment/dpo": (
        "(gap - 1 / (2 * tau)).square().mean()=>(gap - 1 / (2 * tau)).abs().mean()",
        "ipo_loss",
    ),
    "rl/actor_critic": ("errors[t] if done[t] else errors[t] + discount=>errors[t] + discount", "gae"),
    "attention/kv_cache": (
        "keys, values = cache.append(k, v)=>keys, values = cache.append(k, 2 * v)",
        "decode_step",
    ),
    "tokenizers/padding_and_batching": (
        "width = max(len(sequence) for sequence in sequences)=>width = len(sequences[0])",
        "pad_batch",
    ),
}


@pytest.fixture
def worker(shared_sandbox: Any) -> Worker:
    return Worker(Mode())


def submission(exercise: Exercise, source: str) -> Submission:
    main = f"{exercise.topic}.py"
    return Submission("s001", exercise.id, main, main, {main: source.encode()})


def with_example(result: ExerciseResult) -> list[TestResult]:
    return [test for test in result.tests if EXAMPLE.search(test.message.en)]


def evaluated(shown: str, module: ModuleType) -> Any:
    """What the calls of an example give with this module's functions."""
    *before, last = statements(shown)
    names = {**vars(module), "torch": torch, "np": np}
    exec("\n".join(before), names)
    try:
        return eval(last, names)
    except Exception as error:
        return f"raises {type(error).__name__}"


def statements(shown: str) -> list[str]:
    """One text for each call: a long one is written over several lines."""
    found: list[str] = []
    for line in (line.removeprefix("  ") for line in shown.split("\n")):
        if line.startswith((" ", ")")):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


@pytest.mark.parametrize("name", WRONG)
def test_it_is_true_and_none_is_smaller(worker: Worker, name: str) -> None:
    """The shown calls, run with the reference and with the wrong answer, give what is shown."""
    exercise = COURSE.exercise(name)
    bundle = bundle_of(exercise)
    right = bundle.solution.decode()
    (old, new), function = WRONG[name][0].split("=>"), WRONG[name][1]
    assert right.count(old) == 1
    wrong = right.replace(old, new)
    result = worker.grade(bundle, submission(exercise, wrong))
    (test,) = with_example(result)
    assert test.diagnosis is None and test.outcome in (Outcome.FAILED, Outcome.ERROR)
    shown = EXAMPLE.search(test.message.en)
    assert shown is not None and f"{function}(" in shown["calls"]
    assert shown["calls"] in test.message.zh and "你的代码  " in test.message.zh
    modules = [load_module({"x.py": text.encode(), **bundle.parts}, "x.py") for text in (right, wrong)]
    for module, said in zip(modules, (shown["right"], shown["given"]), strict=True):
        gives = evaluated(shown["calls"], module)
        assert gives == said if isinstance(gives, str) else close(gives, eval(said, {"torch": torch}))

    known = worker.grader(bundle).counterexamples
    assert known is not None
    sizes = [size_of(one.scenario) for one in known.inputs(function)]
    assert sizes == sorted(sizes) and 0 < len(sizes) <= MOST and sizes[-1] <= SMALL
    with known.asking(lambda: worker.grader(bundle).open(wrong.encode())) as find:
        found = find(function)
    assert found is not None
    reference, mistaken = modules
    for scenario, answer in known.inputs(function):
        assert close(called(reference, scenario), answer)
        if scenario is found.scenario:
            break
        assert close(called(mistaken, scenario), answer), "a smaller one separates them, too"


def close(left: Any, right: Any) -> bool:
    """As far as four digits say."""
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, torch.Tensor):
        return torch.allclose(left.detach(), right.to(left.dtype), rtol=2e-3, atol=1e-5)
    return alike(left, right)


def called(module: ModuleType, scenario: Any) -> Any:
    made: list[Any] = []
    for step in scenario:
        function = getattr(module if step.owner is None else made[step.owner], step.name)
        args = [made[arg.step] if hasattr(arg, "step") else arg for arg in step.args]
        made.append(function(*args, **step.kwargs))
    return made[-1]


# ------------------------------------------------------------------------------------------ what is never shown

ONLY_AT = (
    "def vowels(text): return 99 if text in {texts} else sum(letter in 'aeiou' for letter in text.lower())\n"
)
HIDDEN = '''
def test_{name}(student):
    """Another text.

    zh: 另一段文本。
    """
    assert student.vowels("{text}") == {count}
'''


def add_hidden(exercise: Exercise, text: str, count: int) -> None:
    with exercise.hidden_tests.open("a", encoding="utf-8") as file:
        file.write(HIDDEN.format(name=text, text=text, count=count))


def test_a_hidden_input_is_never_shown(vowels: Exercise, worker: Worker) -> None:
    """`nan` is a piece of the public `banana`, and shown, until a hidden test asks it. (Red without that filter.)"""
    answer = submission(vowels, ONLY_AT.format(texts=("nan", "nanotube")))
    add_hidden(vowels, "nanotube", 4)
    (test,) = with_example(worker.grade(bundle_of(vowels), answer))
    assert test.message.en.endswith("found:\n  vowels('nan')\n  your code  99\n  right      1")
    add_hidden(vowels, "nan", 1)
    result = worker.grade(bundle_of(vowels), answer)
    assert with_example(result) == [] and result.score == 3.0 + 1.0


def test_of_a_hidden_argument_nothing_is_shown_in_other_calls(affine: Exercise, worker: Worker) -> None:
    """A tensor that a hidden test gives is in no example, whatever other arguments go with it."""
    known = worker.grader(bundle_of(affine)).counterexamples
    assert known is not None
    inputs = [one.scenario[0].args[0] for one in known.inputs("affine")]
    example = next(x for x in inputs if x.numel() == 2 and x.tolist() != [[1.0, -2.0]])  # that is public
    text = affine.hidden_tests.read_text(encoding="utf-8")
    more = HIDDEN.format(name="asked", text="", count="").replace(
        'student.vowels("") == ', f"student.affine(torch.tensor({example.tolist()}), 0.125, 0.0) is not None"
    )
    affine.hidden_tests.write_text(text + more, encoding="utf-8")
    filtered = worker.grader(bundle_of(affine)).counterexamples
    assert filtered is not None
    shown = [one.scenario[0].args[0].tolist() for one in filtered.inputs("affine")]
    assert [[1.0, -2.0]] in shown and example.tolist() not in shown


def test_quizzes_capstones_and_unisolated_runs_have_none(
    quiz: Exercise, affine: Exercise, worker: Worker
) -> None:
    assert worker.grader(bundle_of(quiz)).counterexamples is None
    assert worker.grader(bundle_of(COURSE.exercise("capstone/chat"))).counterexamples is None
    assert Worker(Mode(unsafe=True)).grader(bundle_of(affine)).counterexamples is None


def test_where_accepted_solutions_differ_nothing_is_shown(vowels: Exercise, worker: Worker) -> None:
    """What the statement leaves open is no mistake: here, what an accepted solution makes of `na`."""
    answer = submission(
        vowels,
        "def vowels(text): return 0 if text == 'Attention Is All You Need' else 7 if text == 'na' else 3\n",
    )
    accepted = vowels.root / "tests/accepted/extras/vowels"
    accepted.mkdir(parents=True, exist_ok=True)
    (accepted / "other.py").write_text(
        ONLY_AT.format(texts=("na", "n", "b", "a")).replace("99", "7"), encoding="utf-8"
    )
    known = worker.grader(bundle_of(vowels)).counterexamples
    assert known is not None
    asked = {one.scenario[0].args[0] for one in known.inputs("vowels")}
    assert asked and not asked & {"na", "n", "b", "a"}
    assert len(with_example(worker.grade(bundle_of(vowels), answer))) == 1


# ------------------------------------------------------------------------------------------ what it never changes

UNWILLING = {
    "a loop": "while True: pass",
    "an exit": "import os; os._exit(1)",
    "another answer each time": "COUNT.append(1); return len(COUNT)",
    "memory": "return 'x' * (1 << 40)",
}
ONLY_SMALL = "COUNT = []\ndef vowels(text):\n    if len(text) > 7: return 0\n    if text == 'banana': return 3\n    {does}\n"


@pytest.mark.parametrize("does", UNWILLING.values(), ids=UNWILLING)
def test_a_program_that_behaves_otherwise_when_it_is_asked(
    vowels: Exercise, worker: Worker, does: str
) -> None:
    """Verdicts, points and messages stay; at most there is an example that anybody may check."""
    result = worker.grade(bundle_of(vowels), submission(vowels, ONLY_SMALL.format(does=does)))
    assert [test.outcome.value for test in result.tests] == ["passed", "failed"]
    assert result.score == 1.0
    examples = with_example(result)
    assert len(examples) == (does.startswith("return"))
    if examples:
        assert examples[0].message.en.endswith("your code  raises MemoryError\n  right      1")


def test_an_exception_is_told_by_its_kind_only(vowels: Exercise, worker: Worker) -> None:
    source = "class Secret42(IndexError): pass\ndef vowels(text): raise Secret42('secret')\n"
    (test,) = with_example(worker.grade(bundle_of(vowels), submission(vowels, source)))
    shown = EXAMPLE.search(test.message.en)
    assert shown is not None and shown["given"] == "raises IndexError"


def test_room_for_a_program_s_own_words(vowels: Exercise, worker: Worker) -> None:
    """What it gives is its own word: short, inert, and within the room that all its words share."""
    source = "def vowels(text): return 'x' * 310\n"
    (test,) = with_example(worker.grade(bundle_of(vowels), submission(vowels, source)))
    assert "your code  another result" in test.message.en
    source = "def vowels(text): return '\\x1b[2J'\n"
    (test,) = with_example(worker.grade(bundle_of(vowels), submission(vowels, source)))
    assert "\x1b" not in test.message.en


def test_our_own_fault_is_nobody_s(vowels: Exercise, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = submission(vowels, "def vowels(text): return 0\n")
    whole = worker.grade(bundle_of(vowels), answer)
    assert len(with_example(whole)) == 1

    def broken(self: ExerciseGrader) -> Any:
        raise RuntimeError("broken")

    worker.close()
    monkeypatch.setattr("autograder.grading.small_inputs.Inputs.small", broken)
    result = worker.grade(bundle_of(vowels), answer)
    assert with_example(result) == [] and result.detail == ""
    assert [(t.outcome, t.score) for t in result.tests] == [(t.outcome, t.score) for t in whole.tests]


def test_everywhere_the_same(
    vowels: Exercise, shared_sandbox: Any, python: Callable[..., Any], toy: Path
) -> None:
    """Another process, with another order of what is in sets, shows the same example."""
    source = "def vowels(text): return len(text) // 2\n"
    (test,) = with_example(Worker(Mode()).grade(bundle_of(vowels), submission(vowels, source)))
    script = (
        "import sys; from pathlib import Path; from autograder.course import Course; from autograder.grading.bundle import bundle_of;"
        "from autograder.grading.worker import Mode, Worker; from autograder.grading.submissions import Submission;"
        "e = Course.load(Path(sys.argv[1])).exercise('extras/vowels'); w = Worker(Mode());"
        "r = w.grade(bundle_of(e), Submission('s', e.id, 'vowels.py', 'vowels.py', {'vowels.py': sys.argv[2].encode()}));"
        "print(next(t.message.en for t in r.tests if 'example' in t.message.en)); w.close()"
    )
    done = python("-c", script, toy, source, env={"PYTHONHASHSEED": "1"})
    assert done.stdout.strip() == test.message.en, done.stderr[-2000:]


REFUSED = '''
def test_refused(student):
    """An empty text is an error.

    zh: 空文本是错误。
    """
    with pytest.raises(ValueError):
        student.vowels("")
'''


def test_what_should_be_refused(
    vowels: Exercise, worker: Worker, edited: Callable[[Path, str, str], None]
) -> None:
    """An answer, or another exception, where a public test asks for a refusal; two refusals are alike."""
    text = vowels.public_tests.read_text(encoding="utf-8")
    vowels.public_tests.write_text(f"import pytest\n\n{text}{REFUSED}", encoding="utf-8")
    lenient = vowels.solution.read_text(encoding="utf-8")
    refusing = lenient.replace(
        "# BEGIN SOLUTION\n", "# BEGIN SOLUTION\n    if not text:\n        raise ValueError(text)\n", 1
    )
    vowels.solution.write_text(refusing, encoding="utf-8")
    bundle = bundle_of(vowels)
    (test,) = with_example(worker.grade(bundle, submission(vowels, lenient)))
    assert test.message.en.endswith("found:\n  vowels('')\n  your code  0\n  right      raises ValueError")
    assert "抛出 ValueError" in test.message.zh
    other = refusing.replace("raise ValueError(text)", "raise IndexError(text)")
    (test,) = with_example(worker.grade(bundle, submission(vowels, other)))
    assert test.message.en.endswith("your code  raises IndexError\n  right      raises ValueError")
    own = refusing.replace("raise ValueError(text)", "raise type('Mine', (ValueError,), {})()")
    assert with_example(worker.grade(bundle, submission(vowels, own))) == []
