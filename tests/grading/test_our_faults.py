"""A fault of the trusted side leaves a submission ungraded, aloud; and no submission can bring one about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.grading.bundle import bundle_of
from autograder.grading.diagnosis import Diagnostician
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.remote.decode import Decoder
from autograder.results import Outcome, Status
from autograder.runner import confined

ROOT = Path(__file__).resolve().parents[2]
HONEST = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
WRONG = "def vowels(text):\n    return sum(text.count(c) for c in 'aeiou')\n"


# ------------------------------------------------------------------------------------------- faults


def raising(kind: type[Exception]) -> Callable[..., Any]:
    def fault(*_arguments: Any, **_named: Any) -> Any:
        raise kind("injected")

    return fault


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "the diagnosis": lambda patch: patch.setattr(Diagnostician, "diagnose", raising(KeyError)),
    "a misconception's run": lambda patch: patch.setattr(Diagnostician, "behaviour", raising(OSError)),
    "the decoder": lambda patch: patch.setattr(Decoder, "value", raising(RuntimeError)),
    "the decoder, as of a bad frame": lambda patch: patch.setattr(Decoder, "_value", raising(ValueError)),
    "the encoder": lambda patch: patch.setattr("autograder.remote.client.Encoder", raising(OSError)),
    "the budget": lambda patch: patch.setattr(confined, "Intake", raising(AttributeError)),
    "the explanation": lambda patch: patch.setattr("autograder.grading.grader.explain", raising(TypeError)),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_ours(
    cli: Callable[..., Any], toy: Path, hand_in: Callable[..., Path], shared_sandbox: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, fault: str, workers: int,
) -> None:  # fmt: skip
    """Nobody has a zero, the terminal says how many and why, and the next run grades them."""
    hand_in("s001", {"vowels.py": WRONG})
    folder = hand_in("s002", {"vowels.py": f"{WRONG}# another one\n"})
    command = ("grade", folder, "--course", toy, "--gradebook", tmp_path / "b.db", "--only", "extras")
    command += ("--workers", workers, "--json")
    with monkeypatch.context() as patch:
        FAULTS[fault](patch)
        said = cli(*command)
    assert said.code == 3
    assert "2 submissions could NOT be graded" in said.err and "injected" in said.err
    for row in json.loads(said.out)["results"]:
        assert (row["status"], row["score"]) == ("ungraded", None)
        assert {test["outcome"] for test in row["tests"]} <= {"ungraded"}
    again = cli(*command)
    assert again.code == 0
    assert [row["score"] for row in json.loads(again.out)["results"]] == [1.0, 1.0]


@pytest.mark.parametrize(
    "broken", ["raise RuntimeError('injected')", "assert student.nothing('injected')", "[][3]  # injected"]
)
def test_a_broken_hidden_test(
    cli: Callable[..., Any], toy: Path, hand_in: Callable[..., Path], shared_sandbox: Any, tmp_path: Path,
    edited: Callable[[Path, str, str], None], broken: str,
) -> None:  # fmt: skip
    """The reference shows that it is not the student's: right and wrong answers alike are left ungraded."""
    test = toy / "solutions/extras/test_vowels.py"
    edited(test, "    assert student.vowels(", f"    {broken}\n    assert student.vowels(")
    hand_in("s001", {"vowels.py": HONEST})
    folder = hand_in("s002", {"vowels.py": WRONG})
    said = cli(
        "grade", folder, "--course", toy, "--gradebook", tmp_path / "b.db", "--only", "extras", "--json"
    )
    assert said.code == 3 and "2 submissions could NOT be graded" in said.err
    assert (
        "test_vowels (solutions/extras/test_vowels.py:10): the reference solution does not pass it here"
        in said.err
    )
    for row in json.loads(said.out)["results"]:
        assert (row["status"], row["score"]) == ("ungraded", None)


def test_a_broken_test_costs_a_class_two_clean_starts(
    toy: Path, edited: Callable[[Path, str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not two for each student."""
    edited(
        toy / "solutions/extras/test_vowels.py",
        "    assert student.vowels(",
        "    [][3]\n    assert student.vowels(",
    )
    exercise = Course.load(toy).exercise("extras/vowels")
    worker, closed = Worker(Mode()), []
    close = worker.close
    monkeypatch.setattr(worker, "close", lambda: closed.append(close()))
    for number in range(4):
        source = f"{WRONG}# {number}\n".encode()
        one = Submission(f"s{number}", exercise.id, "vowels.py", "vowels.py", {"vowels.py": source})
        assert worker.grade(bundle_of(exercise), one).status is Status.UNGRADED
    assert len(closed) == 2
    close()


# ------------------------------------------------------------------------------------------- provocations

# Appended to a reference: all that its functions and methods answer is exchanged. What goes in differs from call to call, so
# that each test meets other values, and what comes before the first wrong answer is right.
EXCHANGED = """

import itertools as _itertools, types as _types
import numpy as _np, torch as _t

class _Lies:
    shape = property(lambda self: (float("nan"), -1, 2**80))
    dtype = property(lambda self: "x" * 100_000)
    ndim = -3
    def __repr__(self): raise SystemExit
    def __eq__(self, other): raise KeyboardInterrupt
    def __hash__(self): raise RecursionError
    def __len__(self): return -1
    def __bool__(self): raise MemoryError
    def __iter__(self): raise GeneratorExit
    def __index__(self): return 2**70
    def __float__(self): return float("nan")
    def __getattr__(self, name): return self
    def __call__(self, *args, **kwargs): return self
    def __getitem__(self, key): return self
    __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __matmul__ = __truediv__ = __call__

class _Odd(Exception):
    args = property(lambda self: 1 / 0)
    __traceback__ = None
    def __str__(self): raise ValueError("\\ud800")
    def __getattribute__(self, name): raise _Base

class _Base(BaseException): pass
class _Subclass(_t.Tensor): pass

def _raise(error): raise error
def _endless(x):
    while True: yield x
def _inside(depth):
    x = []
    for _ in range(depth): x = [x]
    return x
def _within_itself():
    x = []
    x.append(x)
    return x
def _leaves(x, kind, change):
    if isinstance(x, tuple): return tuple(_leaves(e, kind, change) for e in x)
    if isinstance(x, list): return [_leaves(e, kind, change) for e in x]
    if isinstance(x, dict): return {k: _leaves(v, kind, change) for k, v in x.items()}
    return change(x) if isinstance(x, kind) and not isinstance(x, bool) else x
def _tensors(change): return lambda x: _leaves(x, _t.Tensor, lambda e: change(e.detach()))
def _numbers(value): return lambda x: _leaves(x, (int, float, _t.Tensor), lambda e: value)
def _strings(change): return lambda x: _leaves(x, (str, _t.Tensor), lambda e: change(e if isinstance(e, str) else "a"))

_changes = _itertools.cycle([CHANGES])
_own = {n: v for n, v in globals().items() if not n.startswith("_") and getattr(v, "__module__", "") == __name__}

def _exchanged(function):
    def call(*args, **kwargs):
        return next(_changes)(function(*args, **kwargs))
    return call
for _name, _value in _own.items():
    if isinstance(_value, _types.FunctionType):
        globals()[_name] = _exchanged(_value)
    elif isinstance(_value, type):
        for _method, _function in list(vars(_value).items()):
            if isinstance(_function, _types.FunctionType) and not _method.startswith("__"):
                setattr(_value, _method, _exchanged(_function))
"""
PROVOCATIONS = {
    "dtypes": """
        *(_tensors(lambda e, d=d: e.to(d)) for d in (_t.complex32, _t.complex64, _t.half, _t.bool)),
        *(_tensors(lambda e, d=d: e.float().to(d)) for d in (_t.float8_e4m3fn, _t.float8_e5m2, _t.float8_e8m0fnu)),
        *(_tensors(lambda e, d=d: e.to(_t.int32).to(d)) for d in (_t.uint16, _t.uint32, _t.uint64)),
        *(_tensors(lambda e, d=d: _t.empty(e.shape, dtype=d)) for d in (_t.bits8, _t.int1)),
        _tensors(lambda e: _t.zeros(4, dtype=_t.uint8).view(_t.float4_e2m1fn_x2))""",
    "layouts": """
        _tensors(lambda e: _t.quantize_per_tensor(e.float(), 0.1, 0, _t.quint8)), _tensors(lambda e: e.to_sparse()),
        _tensors(lambda e: _t.eye(3).to_sparse_csr()), _tensors(lambda e: e.to("meta")),
        *(_tensors(lambda e, l=l: _t.nested.nested_tensor([_t.ones(2), _t.ones(3)], layout=l)) for l in (_t.strided, _t.jagged)),
        _tensors(lambda e: e.rename(*[f"n{i}" for i in range(e.dim())])), _tensors(lambda e: e.as_subclass(_Subclass)),
        _tensors(lambda e: e.to(_t.complex64).conj()), _tensors(lambda e: _t._efficientzerotensor(e.shape)),
        _tensors(lambda e: _t.empty(0, 5, 0, 7)), _tensors(lambda e: _t.zeros([1] * 60)), _tensors(lambda e: _t.zeros(()))""",
    "arrays": """
        _tensors(lambda e: e.numpy()), _tensors(lambda e: _np.array([None, _Lies], dtype=object)),
        _tensors(lambda e: _np.zeros(3, dtype=[("a", "i4"), ("b", "f8")])), _tensors(lambda e: _np.array(["\\ud800"])),
        _tensors(lambda e: _np.array(["2020-01-01"], dtype="datetime64[D]")),
        _tensors(lambda e: _np.zeros(e.shape, dtype=_np.longdouble)), _numbers(_np.float32("nan")), _numbers(_np.bool_(1))""",
    "numbers": """
        *map(_numbers, (10**5000, 10**400, -2**63, 2**64, float("nan"), float("-inf"), complex("nan+infj"), True, -0.0, 1e308)),
        _tensors(lambda e: e * float("nan")), _tensors(lambda e: e.float() * 1e38), _tensors(lambda e: e.long() - 2**62)""",
    "strings": """
        _strings(lambda e: e + "\\ud800"), _strings(lambda e: "a\\0b\\x1b[2J" + e), _strings(lambda e: e.encode()),
        lambda x: "\\udfff" * 3, lambda x: b"\\xff" * 9, _strings(lambda e: "::error::" + e), _strings(lambda e: e[:-1])""",
    "objects": """
        lambda x: _Lies(), lambda x: [_Lies()], lambda x: _Lies, lambda x: _np, lambda x: _endless(x), lambda x: [_endless(x)],
        lambda x: iter([x, x]), lambda x: (x, _Lies()), lambda x: slice(_Lies(), 1), lambda x: lambda *a, **k: _Lies(),
        lambda x: _t.nn.Linear(2, 2), lambda x: super, lambda x: NotImplemented, lambda x: _t.float8_e5m2""",
    "structures": """
        lambda x: _inside(60), lambda x: _inside(900), lambda x: _within_itself(), lambda x: None, lambda x: ...,
        lambda x: range(10**18), lambda x: range(5), lambda x: {1, 2.5, "a"}, lambda x: {float("nan"), None, (1, (2,)), b"x"},
        lambda x: {None: 1, (1, 2): 2, float("nan"): x, b"a": 3, True: 4}, lambda x: (x, (x, [x])), lambda x: [x],
        lambda x: frozenset([frozenset([frozenset()])]), lambda x: x[:-1] if isinstance(x, (list, tuple)) else (x,)""",
    "exceptions": """
        *(lambda x, e=e: _raise(e) for e in (_Odd(), _Base(), StopIteration(3), ExceptionGroup("g", [ValueError()]), UnicodeDecodeError("utf-8", b"x", 0, 1, "r"), OSError(28, "full"),
          AssertionError(), MemoryError(), RecursionError(), TimeoutError(), KeyboardInterrupt(), SystemExit(3),
          ValueError("\\ud800" * 10**6), type("SandboxFault", (Exception,), {"__module__": "autograder.sandbox.errors"})("x"),
          NotImplementedError("x" * 10**5), AttributeError("module 'submission' has no attribute 'x'")))""",
}


@pytest.fixture(scope="module")
def worker() -> Any:
    made = Worker(Mode(hide=(ROOT,)))
    yield made
    made.close()


@pytest.mark.usefixtures("sandbox")  # says so where there can be none
@pytest.mark.parametrize(
    "name",
    [
        "attention/scaled_dot_product",
        "tokenizers/byte_pair_encoding",
        "distributed/zero",
        "peft/lora",
        "capstone/pretrain",
    ],
)
def test_no_submission_makes_the_trusted_side_fail(worker: Worker, name: str) -> None:
    """Whatever a submission answers or raises, it gets a verdict."""
    exercise = Course.load(ROOT, authoring=True).exercise(name)
    bundle, main = bundle_of(exercise), f"{exercise.topic}.py"
    worker.take_up(bundle)
    reference = exercise.solution.read_text(encoding="utf-8")
    for what, changes in PROVOCATIONS.items():
        source = reference + EXCHANGED.replace("CHANGES", changes)
        result = worker.grade(bundle, Submission("s001", name, f"s001/{main}", main, {main: source.encode()}))
        assert result.status in (Status.GRADED, Status.NOT_BEGUN), f"{what}: {result.status}: {result.detail}"
        assert result.score is not None and Outcome.UNGRADED not in {test.outcome for test in result.tests}, (
            what
        )


GREEDY = {
    "elements of no bytes": "torch.empty(20_000_000, 0)",
    "small elements": "torch.zeros(5_000_000, dtype=torch.int8)",
    "what broadcasts": "torch.zeros(600_000, 1, 5)",
    "long bytes": "(bytes(100 << 20) for _ in range(10))",
    "a long list": "[0.0] * 3_000_000",
    "a long string": "'x' * (1 << 30)",
    "its own memory": "torch.ones(1 << 40)",
}


@pytest.mark.usefixtures("sandbox")
def test_greedy_ones_among_honest_ones(
    cli: Callable[..., Any], toy: Path, hand_in: Callable[..., Path], shared_sandbox: Any, tmp_path: Path
) -> None:
    """One worker, which is the driver itself: it survives, and everybody has a verdict."""
    honest = "def affine(x, scale, shift):\n    return x * scale + shift\n"
    for number, value in enumerate(GREEDY.values()):
        source = f"import torch\n\n\ndef affine(*args, **kwargs):\n    return {value}\n"
        hand_in(f"s{number:03}a", {"affine.py": source})
        folder = hand_in(f"s{number:03}b", {"affine.py": f"{honest}# {number}\n"})
    said = cli(
        "grade", folder, "--course", toy, "--gradebook", tmp_path / "b.db", "--only", "basics", "--json"
    )
    assert said.code == 0, said.err
    rows = json.loads(said.out)["results"]
    assert len(rows) == 2 * len(GREEDY)
    for row in rows:
        assert (row["status"], row["score"]) == ("graded", 6.0 if row["student"].endswith("b") else 0.0), row
