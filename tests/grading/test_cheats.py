"""Submissions that try to score without solving anything. None gains a point, and nobody beside them loses one.

All cheats are graded in one class, between two honest students, with a real sandbox that hides the course, as the
command line does it. Each cheat is a whole file for attention/scaled_dot_product that knows this program well.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.grading.scheduler import Grader
from autograder.grading.submissions import students_of
from autograder.grading.worker import Mode
from autograder.results import ExerciseResult, Outcome, Status, Visibility, total

ROOT = Path(__file__).resolve().parents[2]
EXERCISE = "attention/scaled_dot_product"
MARK = "61.25"  # seconds that left-behind processes would sleep: how they are found

SOFTMAX = """
import math

import torch


def softmax(x, dim=-1):
    top = x.max(dim, keepdim=True).values
    top = torch.where(top == -math.inf, 0.0, top)
    e = torch.exp(x - top)
    s = e.sum(dim, keepdim=True)
    return e / torch.where(s > 0, s, 1.0)
"""
MASKS = """
def causal_mask(query_length, key_length, offset=0):
    return torch.ones(query_length, key_length).tril(offset).bool()


def padding_mask(lengths, key_length):
    if lengths.min() < 0 or lengths.max() > key_length:
        raise ValueError("length")
    return (torch.arange(key_length) < lengths[:, None]).view(-1, 1, 1, key_length)
"""
ATTENTION = """
def scaled_dot_product_attention(q, k, v, mask=None):
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError("mask")
    scores = q @ k.mT / k.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask, scores, -math.inf)
    weights = softmax(scores)
    return weights @ v, weights
"""
HONEST = {"a_full": SOFTMAX + MASKS + ATTENTION, "z_partial": SOFTMAX}
FULL, PARTIAL = 23.0, 7.0  # softmax alone: two public tests and five hidden ones

SHAPED = """
import torch


def softmax(x, dim=-1):
    return torch.zeros_like(x)


def causal_mask(query_length, key_length, offset=0):
    return torch.zeros(query_length, key_length, dtype=torch.bool)


def padding_mask(lengths, key_length):
    return torch.zeros(len(lengths), 1, 1, key_length, dtype=torch.bool)


def scaled_dot_product_attention(q, k, v, mask=None):
    weights = torch.zeros(*q.shape[:-1], k.shape[-2], dtype=q.dtype)
    return torch.zeros(*q.shape[:-1], v.shape[-1], dtype=q.dtype), weights
"""


def returning(one: str, two: str = "") -> str:
    """The four functions, all of them returning an expression; `x` is the first argument."""
    return "".join(
        f"\n\ndef {name}(x=None, *args, **kwargs):\n    return {value}\n"
        for name, value in (
            ("softmax", one),
            ("causal_mask", one),
            ("padding_mask", one),
            ("scaled_dot_product_attention", two or f"({one}), ({one})"),
        )
    )


def doing(statement: str) -> str:
    """The four functions, all of them executing a statement."""
    body = textwrap.indent(textwrap.dedent(statement).strip(), "    ")
    return "".join(
        f"\n\ndef {name}(*args, **kwargs):\n{body}\n"
        for name in ("softmax", "causal_mask", "padding_mask", "scaled_dot_product_attention")
    )


PATCHES = {
    "patch torch.allclose": "torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True",
    "patch torch.testing.assert_close": "torch.testing.assert_close = lambda *a, **k: None\n"
    "torch.testing._comparison.assert_close = lambda *a, **k: None",
    "patch Tensor": "for name in ('__eq__', '__ne__', 'all', 'any', '__bool__', 'isfinite', 'equal', 'allclose'):\n"
    "    setattr(torch.Tensor, name, lambda *a, **k: True)",
    "patch builtins": "import builtins\nbuiltins.all = builtins.any = builtins.isinstance = lambda *a: True\n"
    "builtins.AssertionError = builtins.ValueError = builtins.BaseException\nbuiltins.abs = lambda x: 0",
    "delete assert": "import ast, builtins\nreal = builtins.compile\n"
    "class NoAssert(ast.NodeTransformer):\n    def visit_Assert(self, node):\n        return ast.Pass()\n"
    "def compile(source, *a, **k):\n"
    "    return real(NoAssert().visit(ast.parse(source)) if isinstance(source, str) else source, *a, **k)\n"
    "builtins.compile = compile",
    "patch pytest": "import sys, types\nfake = types.ModuleType('pytest')\nfake.raises = fake.fail = lambda *a, **k: None\n"
    "sys.modules['pytest'] = sys.modules['_pytest'] = sys.modules['_pytest.outcomes'] = fake",
    "patch unittest": "import unittest\nfor name in dir(unittest.TestCase):\n    if name.startswith('assert'):\n"
    "        setattr(unittest.TestCase, name, lambda *a, **k: None)",
    "patch the grader's own comparison": "import sys, types\nfake = types.ModuleType('autograder.testing')\n"
    "fake.assert_close = lambda *a, **k: None\nsys.modules['autograder.testing'] = fake\n"
    "sys.modules['autograder.testing.compare'] = fake",
    "patch the encoder": "import sys\nfor module in list(sys.modules.values()):\n"
    "    if (getattr(module, '__name__', '') or '').startswith('autograder'):\n"
    "        for name in dir(module):\n            if isinstance(getattr(module, name), type):\n"
    "                try:\n                    getattr(module, name).__eq__ = lambda *a: True\n"
    "                except TypeError:\n                    pass",
}

EQUAL = """
import torch


class Equal:
    __hash__ = object.__hash__
    shape = dtype = property(lambda self: Equal())

    def __eq__(self, other):
        return True

    def __bool__(self):
        return True

    def __float__(self):
        return 1.0

    def __len__(self):
        return 2

    def __iter__(self):
        return iter((Equal(), Equal()))

    def __array__(self, *args, **kwargs):
        return torch.ones(1).numpy()

    def __getattr__(self, name):
        return Equal()

    def __call__(self, *args, **kwargs):
        return Equal()

    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = lambda self, other: True
    __getitem__ = __add__ = __sub__ = __mul__ = __invert__ = lambda self, *other: Equal()

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
"""
SUBCLASS = """
import torch


class Equal(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function.__name__ in ("__eq__", "allclose", "equal", "isclose", "__bool__", "all"):
            return True
        return super().__torch_function__(function, types, args, kwargs or {})

    __eq__ = __bool__ = all = equal = allclose = lambda self, *args, **kwargs: True
    __ne__ = lambda self, other: False


def equal(tensor):
    return tensor.as_subclass(Equal)
"""

FIND_ON_DISK = f'''
import os
import torch

HERE = [os.path.dirname(os.path.abspath(__file__)), os.getcwd(), ".", "/home", "/root", "/tmp", {str(ROOT)!r}]
NAMES = ["solutions/{EXERCISE}.py", "tests/accepted/{EXERCISE}/row_by_row.py", "{EXERCISE.split("/")[1]}.py"]
found = []
for here in HERE:
    for _ in range(6):
        for name in NAMES:
            try:
                found.append(open(os.path.join(here, name)).read())
            except OSError:
                pass
        here = os.path.join(here, "..")
for top, _, files in os.walk("/"):
    if "scaled_dot_product" in top or "scaled_dot_product.py" in files:
        for file in files:
            try:
                found.append(open(os.path.join(top, file)).read())
            except (OSError, UnicodeDecodeError):
                pass
for process in ("self", "1", str(os.getppid())):
    for name in ("environ", "cmdline", "maps", "fd", "cwd", "root/" + {str(ROOT)!r}):
        try:
            found.append(str(os.listdir("/proc/%s/%s" % (process, name))))
        except OSError:
            pass
for source in found:
    if "BEGIN SOLUTION" in source or "def softmax" in source:
        exec(source)
        break
else:
    raise RuntimeError("nothing found")
'''

FIND_IN_MEMORY = """
import gc
import sys

import torch

WANTED = ("softmax", "causal_mask", "padding_mask", "scaled_dot_product_attention")


def hunt():
    places = [vars(module) for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
    places += [thing for thing in gc.get_objects() if isinstance(thing, dict)]
    frame = sys._getframe()
    while frame:
        places += [frame.f_globals, frame.f_locals]
        frame = frame.f_back
    for place in places:
        mask = place.get("padding_mask")
        if callable(mask) and mask.__module__ != "submission" and mask is not globals().get("padding_mask"):
            return place
        reference = place.get("reference")
        if hasattr(reference, "padding_mask"):
            return vars(reference)
    raise LookupError("no reference in memory")


def softmax(*args, **kwargs):
    return hunt()["softmax"](*args, **kwargs)


def causal_mask(*args, **kwargs):
    return hunt()["causal_mask"](*args, **kwargs)


def padding_mask(*args, **kwargs):
    return hunt()["padding_mask"](*args, **kwargs)


def scaled_dot_product_attention(*args, **kwargs):
    return hunt()["scaled_dot_product_attention"](*args, **kwargs)
"""

FORGE = """
import gc
import os
import struct

import msgspec
import torch


def frame(call, value, payload=b""):
    header = msgspec.msgpack.encode(["rt", call, value])
    return struct.pack("<IQ", len(header), len(payload)) + header + payload


def flood(calls):
    answer = torch.tensor([[True, False, False], [True, True, False], [True, True, True]])
    payload = bytes(answer.flatten().tolist())
    pieces = [frame(call, ["T", "bool", [3, 3], 0, 9, False], payload) for call in calls]
    pieces += [frame(call, True) for call in calls]
    for fd in range(3, 64):
        for piece in pieces:
            try:
                os.write(fd, piece)
            except OSError:
                break
"""
FORGE_THE_CALL = (
    FORGE
    + '''

def current():
    """The number of the call that is being answered: it can be found, as everything in one's own process can."""
    return [thing._call for thing in gc.get_objects() if type(thing).__name__ == "Server"] or [1]
'''
    + doing("flood(current())\nreturn torch.ones(3, 3)")
)

WRITE_RESULTS = f'''
import json
import os
import sqlite3

ROW = {{"student": "c_write results", "exercise": "{EXERCISE}", "score": 20.0, "max_score": 20.0, "status": "graded"}}
for place in (".", "..", "/", "/tmp", "/dev/shm", "/autograder/results", {str(ROOT)!r}, os.path.expanduser("~")):
    for name in ("results.json", "gradebook.db", "grades.db", "results/results.json"):
        path = os.path.join(place, name)
        try:
            with open(path, "w") as file:
                json.dump({{"score": 20.0, "results": [ROW]}}, file)
            book = sqlite3.connect(path)
            book.execute("UPDATE results SET score = 20.0")
            book.commit()
        except Exception:
            pass
print(json.dumps({{"results": [ROW]}}))
'''

LEAVE_BEHIND = f'''
import os
import subprocess
import threading
import time

def sleeper():
    while True:
        time.sleep({MARK})

def tried(action):
    try:
        action()
    except BaseException:
        pass

def forked():
    if os.fork() == 0:
        sleeper()

tried(forked)
tried(lambda: subprocess.Popen(["sleep", "{MARK}"]))
tried(lambda: os.posix_spawn("/bin/sleep", ["sleep", "{MARK}"], {{}}))
tried(lambda: os.system("sleep {MARK} &"))
tried(lambda: threading.Thread(target=sleeper).start())
tried(lambda: threading.Thread(target=sleeper, daemon=True).start())
'''

CHEATS: dict[str, str] = {
    **{name: f"import torch\n{source}\n{SHAPED}" for name, source in PATCHES.items()},
    "an object equal to anything": EQUAL + returning("Equal()"),
    "a tensor subclass equal to anything": SUBCLASS + returning("equal(torch.zeros(1))"),
    "a tensor subclass of the right shape": SUBCLASS
    + SHAPED.replace("torch.zeros_like(x)", "equal(torch.zeros_like(x))").replace(
        ", weights\n", ", equal(weights)\n"
    ),
    "a number equal to anything": "class Yes(float):\n    __eq__ = lambda *a: True\n    __ne__ = lambda *a: False\n"
    "    __hash__ = float.__hash__\n" + returning("Yes(1)"),
    "a list equal to anything": "class Yes(list):\n    __eq__ = lambda *a: True\n    shape = (3, 3)\n"
    + returning("Yes([Yes(), Yes()])"),
    "sys.exit(0) while loading": "import sys\nsys.exit(0)\n",
    "sys.exit(0) in a test": "import sys\n" + doing("sys.exit(0)"),
    "os._exit(0) while loading": "import os\nos._exit(0)\n",
    "os._exit(0) in a test": "import os\n" + doing("os._exit(0)"),
    "pytest.skip": doing("import pytest\npytest.skip('not today')"),
    "pytest.exit": doing("import pytest\npytest.exit('all done', 0)"),
    "unittest.SkipTest": "import unittest\n" + doing("raise unittest.SkipTest('not today')"),
    "an exception called Skipped": "class Skipped(BaseException):\n    __module__ = 'builtins'\n    allow_module_level = True\n"
    + doing("raise Skipped('not today')"),
    "an exception called Passed": "class Passed(Exception):\n    __module__ = '_pytest.outcomes'\n"
    + doing("raise Passed"),
    "an exception called TypeError": doing("raise TypeError('the mask must be boolean')"),
    "an exception called ValueError": doing("raise ValueError('a length is out of range')"),
    "a keyboard interrupt": doing("raise KeyboardInterrupt"),
    "a StopIteration": doing("raise StopIteration"),
    "read the solution from disk": FIND_ON_DISK,
    "find the reference in memory": FIND_IN_MEMORY,
    "forge frames while loading": FORGE + "\nflood(range(64))\n" + SHAPED,
    "forge frames for the current call": FORGE_THE_CALL,
    "write results": WRITE_RESULTS + SHAPED,
    "leave processes behind": LEAVE_BEHIND + SHAPED,
    "loop for ever": "while True:\n    pass\n",
    "loop through every exception": "while True:\n    try:\n        while True:\n            pass\n"
    "    except BaseException:\n        pass\n",
    "take all memory": "hoard = []\nwhile True:\n    hoard.append(bytearray(1 << 22))\n",
    "flood the output": "import os\nfor _ in range(800):\n    os.write(1, b'PASSED 20/20\\n' * 5000)\n"
    + SHAPED,
    "a million million elements": "import torch\n" + returning("torch.ones(1).expand(10**12)"),
    "NaN": "import torch\n" + returning("torch.full((3, 3), float('nan'))"),
    "a generator": returning("(x for _ in range(10**9))"),
    "itself": "import sys\n" + returning("sys.modules[__name__]"),
    "nothing": returning("None"),
    "a lambda": returning("lambda *a, **k: True"),
    "torch itself": "import torch\n" + returning("torch"),
    "the library's functions": "import torch\nfrom torch.nn import functional as F\n"
    "softmax = lambda x, dim=-1: torch.nan_to_num(F.softmax(x, dim))\n"
    "scaled_dot_product_attention = lambda q, k, v, mask=None: (\n"
    "    F.scaled_dot_product_attention(q, k, v, mask), torch.softmax(q @ k.mT, -1))\n",
}


@dataclass
class Graded:
    """One class: what came out for each student, what the gradebook kept, and where they handed in."""

    results: dict[str, ExerciseResult]
    recorded: dict[str, ExerciseResult]
    folder: Path


def grade(place: Path, sources: dict[str, str]) -> Graded:
    """Grade these students as the command does."""
    folder = place / "class"
    for student, source in sources.items():
        path = folder / student / "scaled_dot_product.py"
        path.parent.mkdir(parents=True)
        path.write_text(source, encoding="utf-8")
    exercise = Course.load(ROOT, authoring=True).exercise(EXERCISE)
    with Gradebook(str(place / "gradebook.db")) as book:
        grader = Grader([exercise], Mode(hide=(ROOT,)), known=book.known, record=book.record)
        results = {item.result.student: item.result for item in grader.run(students_of(folder))}
        last = book.in_full(history[-1] for history in book.attempts().values())
        recorded = {result.student: result for result in last}
    return Graded(results, recorded, folder)


def processes() -> set[str]:
    """The command lines that hold our mark."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"sleep {MARK}" in line:
            found.add(line)
    return found


def litter() -> dict[str, float]:
    """Where forged results could lie, with the time each was written."""
    places = [ROOT, Path("/"), Path("/tmp"), Path("/dev/shm"), Path.home(), Path.cwd()]
    names = ("results.json", "gradebook.db", "grades.db")
    files = [place / name for place in places for name in names]
    return {str(path): path.stat().st_mtime for path in files if path.exists()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """The honest students without company."""
    return grade(tmp_path_factory.mktemp("alone"), HONEST)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, alone: Graded) -> Iterator[Graded]:
    """The honest students, one before the cheats and one after them."""
    before = litter(), processes()
    sources = {f"c_{name}".replace("/", " "): source for name, source in CHEATS.items()}
    yield grade(tmp_path_factory.mktemp("together"), {**HONEST, **sources})
    assert (litter(), processes()) == before


def test_honest_students_alone(alone: Graded) -> None:
    assert {student: result.score for student, result in alone.results.items()} == {
        "a_full": FULL,
        "z_partial": PARTIAL,
    }


@pytest.mark.parametrize("student", HONEST)
def test_honest_students_lose_nothing(alone: Graded, together: Graded, student: str) -> None:
    """Test by test, message by message, the same as without the cheats; and so it is kept."""
    assert together.results[student] == alone.results[student]
    assert together.recorded[student] == alone.results[student]


@pytest.mark.parametrize("name", CHEATS)
def test_cheat_gains_nothing(together: Graded, name: str) -> None:
    result = together.results[f"c_{name}".replace("/", " ")]
    passed = [test.name for test in result.tests if test.outcome is Outcome.PASSED or test.score]
    assert passed == []
    assert result.score == 0.0
    assert result.status in (Status.GRADED, Status.INVALID), (
        "a cheat never counts as not begun, or as our fault"
    )
    assert {test.outcome for test in result.tests} & {Outcome.PASSED, Outcome.UNGRADED} == set()
    hidden = [test for test in result.tests if test.visibility is Visibility.HIDDEN]
    assert total(test.max_score for test in hidden) == (
        FULL - 7 if result.tests else 0
    )  # seven points are public
    assert together.recorded[result.student] == result


@pytest.mark.parametrize("name", CHEATS)
def test_cheat_is_not_diagnosed(together: Graded, name: str) -> None:
    """A hint would take the cheat for an attempt at the exercise."""
    result = together.results[f"c_{name}".replace("/", " ")]
    assert {test.name: test.diagnosis for test in result.tests if test.diagnosis} == {}


def test_nothing_is_left_in_the_class(together: Graded) -> None:
    files = sorted(path.name for path in together.folder.rglob("*") if path.is_file())
    assert files == ["scaled_dot_product.py"] * len(files)
    assert os.listdir(together.folder.parent) and len(files) == len(CHEATS) + len(HONEST)
