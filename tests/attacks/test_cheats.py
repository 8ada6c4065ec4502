"""Submissions that try to score without solving anything. None gains a point, and nobody beside them loses one.

All cheats are graded in one class, between two honest students, with a real sandbox that hides the course, as the
command line does it. Each cheat is a whole file for attention/scaled_dot_product that knows this program well.
"""

from __future__ import annotations

import json
import linecache
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

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
import sys

import torch

msgspec = sys.modules["msgspec"]  # to import it is refused

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


def notebook(*sources: str, outputs: Sequence[object] = (), **metadata: object) -> str:
    """A notebook of these code cells, each with these outputs and what nbgrader would have noted of it."""
    cell = {
        "cell_type": "code",
        "metadata": {"nbgrader": metadata},
        "outputs": list(outputs),
        "execution_count": 1,
    }
    cells = [{**cell, "id": f"c{number}", "source": source} for number, source in enumerate(sources)]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


CLAIMED = ROOT / "solutions" / f"{EXERCISE}.py"  # what the trusted side could read for a child that names it

# Whoever has solved the exercise leaves the answer wherever a process keeps things; another student's file takes it.
LEAVE_A_NOTE = """

import builtins, linecache, os, sys, threading
for place in (builtins, torch, torch.Tensor, torch.nn.functional, math, os, sys, threading):
    place.note = softmax, causal_mask, padding_mask, scaled_dot_product_attention
sys.modules["note"] = sys.modules[__name__]
os.environ["NOTE"] = "1"
linecache.cache["<note>"] = (1, None, ["1"], "<note>")
"""
TAKE_A_NOTE = """
import builtins, gc, linecache, math, os, sys, threading
import torch
places = [builtins, torch, torch.Tensor, torch.nn.functional, math, os, sys, threading]
notes = [place.note for place in places if hasattr(place, "note")]
notes += [vars(sys.modules["note"]).values()] if "note" in sys.modules else []
notes += [os.environ["NOTE"]] if "NOTE" in os.environ else []
notes += [linecache.cache["<note>"]] if "<note>" in linecache.cache else []
softmax, causal_mask, padding_mask, scaled_dot_product_attention = notes[0]
"""
HONEST: dict[str, str | dict[str, str]] = {
    "a_full": SOFTMAX + MASKS + ATTENTION,
    "b_leaves a note": SOFTMAX + MASKS + ATTENTION + LEAVE_A_NOTE,
    "z_partial": SOFTMAX,
}


# A frame of the child's own making that names a file: the grader must not look at it to show a line.
NAME_A_FILE = (
    FORGE
    + f"""

def current():
    return [thing._call for thing in gc.get_objects() if type(thing).__name__ == "Server"][0]


def claim():
    frames = [[{str(CLAIMED)!r}, 1, "f", "x"]]
    header = msgspec.msgpack.encode(["ex", current(), "ValueError", ["ValueError"], "no", frames])
    os.write(3, struct.pack("<IQ", len(header), 0) + header)
"""
    + doing("claim()")
)

CURRENT = """

def current():
    return [thing._call for thing in gc.get_objects() if type(thing).__name__ == "Server"] or [1]
"""

LATER: dict[str, str] = {
    # What runs at a moment of its own, and writes an answer then.
    "a thread that answers": "import threading, time\ndef later():\n    while True:\n        time.sleep(0.001)\n        flood(current())\n"
    "threading.Thread(target=later, daemon=True).start()\n",
    "a signal handler that answers": "import signal\nsignal.signal(signal.SIGALRM, lambda *a: flood(current()))\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n",
    "a callback of the garbage collector that answers": "gc.callbacks.append(lambda *a: flood([1, 2, 3]))\ngc.set_threshold(1, 1, 1)\n",
    "a tracer that answers": "import sys, threading\ndef trace(frame, event, argument):\n    if frame.f_code.co_name == '_answer':\n"
    "        flood([frame.f_locals['request'].call])\n    return trace\nsys.settrace(trace)\nsys.setprofile(trace)\nthreading.settrace(trace)\n",
    "an end of the process that answers": "import atexit, sys\natexit.register(lambda: flood(current()))\n"
    "sys.excepthook = sys.unraisablehook = lambda *a: flood(current())\n" + doing("sys.exit(0)"),
    "an object that answers when it goes": "class Last:\n    def __del__(self):\n        flood(current())\n    __array__ = None\n"
    + doing("return Last()"),
    "an audit hook that answers": "import sys\nsys.addaudithook(lambda name, arguments: flood(current()) if name == 'gc.get_objects' else None)\n",
}  # fmt: skip

NAMES: dict[str, str] = {
    # What stands where the trusted side looks a name up.
    "a module that has everything": EQUAL + "\n\ndef __getattr__(name):\n    return Equal()\n",
    "another module in its place": EQUAL + "\nimport sys\n\n\nclass Other:\n    __getattr__ = lambda self, name: Equal()\n\n\n"
    "sys.modules[__name__] = sys.modules['submission'] = Other()\n"
    + SHAPED,
    "a module of a class of its own": EQUAL + "\nimport sys, types\n\n\nclass Sly(types.ModuleType):\n"
    "    def __getattribute__(self, name):\n        return Equal()\n\n\nsys.modules[__name__].__class__ = Sly\n"
    + SHAPED,
    "every module is torch": "import sys, torch\nfor name in list(sys.modules):\n    if name.startswith('autograder'):\n        sys.modules[name] = torch\n"
    + SHAPED,
    "patch torch.testing as a whole": "import sys, types, torch\nfake = types.ModuleType('torch.testing')\n"
    "fake.__getattr__ = lambda name: lambda *a, **k: None\nsys.modules['torch.testing'] = torch.testing = fake\n" + SHAPED,
    "patch the backward pass": "import torch\ntorch.Tensor.backward = torch.autograd.backward = lambda *a, **k: None\n"
    "torch.autograd.grad = lambda outputs, inputs, *a, **k: inputs\n" + SHAPED.replace("torch.zeros_like(x)", "x * 0"),
    "patch the helpers": "import sys, torch\nhelpers = sys.modules['autograder.guest.helpers']\n"
    "for name in ('same', '_same_elements', 'unchanged', 'call_and_look', 'gradients'):\n    setattr(helpers, name, lambda *a, **k: True)\n"
    "for name in list(helpers.REMOTE_HELPERS):\n    helpers.REMOTE_HELPERS[name] = lambda *a, **k: True\n" + SHAPED,
    "patch what tensors are sent as": "import torch\nreal = torch.Tensor.numpy\ntorch.Tensor.numpy = lambda self, **k: real(self, **k) * 0 + 1\n"
    "torch.Tensor.shape = property(lambda self: (3, 3))\n" + SHAPED,
    "lie about the class": "import torch\n\n\nclass Fake:\n    __class__ = torch.Tensor\n    dtype, layout, is_cpu, nbytes = torch.float32, torch.strided, True, 36\n"
    "    shape, requires_grad = (3, 3), False\n    __eq__ = lambda *a: True\n    detach = lambda self: self\n    numpy = lambda self, **k: torch.ones(3, 3).numpy()\n" + returning("Fake()"),
    "set the environment": "import os\nos.environ.update(PYTEST_ADDOPTS='--collect-only', AUTOGRADER_UNSAFE='1', PYTHONOPTIMIZE='2', PYTHONINSPECT='1')\n"
    + SHAPED,
    "change its own rights": "import sys, torch\nsys.flags = type('flags', (), {'optimize': 2})()\n__debug__1 = False\nsys.setrecursionlimit(10**6)\n"
    "sys.setswitchinterval(1e6)\n" + SHAPED,
}  # fmt: skip

EXOTIC: dict[str, str] = {
    # Values that few programs have met.
    **{
        f"a tensor {how}": "import torch\n" + returning(f"torch.ones(3, 3){value}")
        for how, value in {
            "without storage": ".to('meta')",
            "that is sparse": ".to_sparse()",
            "that is compressed": ".to_sparse_csr()",
            "of eight-bit floats": ".to(torch.float8_e4m3fn)",
            "of other eight-bit floats": ".to(torch.float8_e5m2)",
            "of numbers without a sign": ".to(torch.uint16)",
            "of large numbers without a sign": ".to(torch.uint64)",
            "of half complex numbers": ".to(torch.complex32)",
            "that is conjugated": ".to(torch.complex64).conj()",
            "that is negated": ".to(torch.complex64).conj().imag",
            "that is quantised": ".mul(0.1).to(torch.float32).__class__([3.0])",
            "without axes": "[0, 0]",
            "of sixty axes": ".view(*[1] * 55, 9)",
            "that repeats one number": "[:1, :1].expand(3, 3)",
            "with a graph": ".requires_grad_().exp()",
        }.items()
    },
    "nested tensors": "import torch\n" + returning("torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])"),
    "a truth of two": "import torch\n" + returning("torch.full((3, 3), 2, dtype=torch.uint8).view(torch.bool)"),
    "a masked array": "import numpy as np\n" + returning("np.ma.masked_all((3, 3))"),
    "an array of objects": EQUAL + "\nimport numpy as np\n" + "a = np.array([None] * 9).reshape(3, 3)\na[:] = Equal\n" + returning("a"),
    "a record array": "import numpy as np\n" + returning("np.zeros(3, dtype=[('a', 'f4'), ('b', 'O')])"),
    "what a pickle would run": "import os\n\n\nclass Reduced:\n    def __reduce__(self):\n        return os._exit, (0,)\n    __deepcopy__ = __copy__ = __reduce_ex__ = lambda self, *a: 1 / 0\n"
    + returning("Reduced()"),
    "a coroutine": "import asyncio\nasync def answer():\n    return True\n" + returning("answer()"),
    "a text of half a character": returning("'\\ud800' * 9"),
    "an integer too long to print": returning("1 << 13_999"),
    "a key that is no number": returning("{float('nan'): 1, (1, -1): {2, 3}}"),
    "a list within lists": returning("[[[[[[[[[[1.0]]]]]]]]]]"),
    "a group of exceptions": doing("raise BaseExceptionGroup('all', [ValueError('mask'), TypeError('mask')])"),
    "an exception of every class": "class Every(ValueError, TypeError, IndexError, ArithmeticError):\n    pass\n" + doing("raise Every('mask')"),
    "an assertion of its own": doing("raise AssertionError('passed')"),
    "no memory": doing("raise MemoryError"),
    "the sandbox's own errors": "import sys\nerrors = sys.modules.get('autograder.sandbox.errors')\n"
    "SandboxFault = getattr(errors, 'SandboxFault', type('SandboxFault', (RuntimeError,), {}))\n" + doing("raise SandboxFault('our fault')"),
}  # fmt: skip

BESIDE = "scaled_dot_product.py"
SEVERAL: dict[str, dict[str, str]] = {
    # More than one file, or a notebook.
    "its own tests beside it": {
        BESIDE: SHAPED,
        "test_scaled_dot_product.py": "import pytest\n@pytest.mark.points(23)\ndef test_all(): pass\n",
        "test_hidden_scaled_dot_product.py": "def test_all(): pass\n",
    },
    "a conftest beside it": {
        BESIDE: SHAPED,
        "conftest.py": "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_pyfunc_call(pyfuncitem):\n    return True\n",
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        "sitecustomize.py": "import os\nos._exit(0)\n",
    },
    "a torch of its own beside it": {
        BESIDE: "import torch\n" + SHAPED,
        "torch.py": "Tensor = float\nallclose = lambda *a: True\n",
        "torch/__init__.py": "Tensor = float\n",
        "math.py": "inf = 0\n",
        "msgspec.py": "raise SystemExit\n",
    },
    "a grader of its own beside it": {
        BESIDE: "import autograder.testing\n" + SHAPED,
        "autograder.py": "assert_close = lambda *a: None\n",
        "autograder/__init__.py": "",
        "autograder/testing.py": "assert_close = lambda *a: None\n",
        "solutions/attention/scaled_dot_product.toml": "tier = 'core'\n",
    },
    "the reference beside it": {
        BESIDE: "from part_scaled_dot_product import *\nfrom reference import *\nfrom solutions.attention.scaled_dot_product import *\n",
        "part_scaled_dot_product.py": SHAPED,
        "reference.py": SHAPED,
    },
    "cell magics": {
        "scaled_dot_product.ipynb": notebook(
            f"%run {ROOT}/solutions/{EXERCISE}.py",
            f"!cp {ROOT}/solutions/{EXERCISE}.py . && cat /etc/passwd",
            f"%%bash\ncat {ROOT}/solutions/{EXERCISE}.py",
            f"%load {ROOT}/solutions/{EXERCISE}.py",
            "get_ipython().system('true')",
            "from IPython import get_ipython\nget_ipython().run_line_magic('autoreload', '2')",
            SHAPED,
        )
    },
    "a notebook that says it has passed": {
        "scaled_dot_product.ipynb": notebook(
            SHAPED,
            nbgrader={"grade": True, "points": 23, "score": 23, "locked": True, "solution": False, "grade_id": "softmax"},
            outputs=[{"output_type": "stream", "name": "stdout", "text": "23/23 passed"}],
        )
    },
}  # fmt: skip


CHEATS: dict[str, str | dict[str, str]] = {
    **{name: f"import torch\n{source}\n{SHAPED}" for name, source in PATCHES.items()},
    **{name: FORGE + CURRENT + source + SHAPED for name, source in LATER.items()},
    **NAMES,
    **EXOTIC,
    **SEVERAL,
    "name a file in a forged frame": NAME_A_FILE,
    "take another student's note": TAKE_A_NOTE,
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
    handed_in: list[Path]


def grade(place: Path, sources: Mapping[str, str | dict[str, str]]) -> Graded:
    """Grade these students as the command does."""
    folder, written = place / "class", []
    for student, handed_in in sources.items():
        for name, source in (handed_in if isinstance(handed_in, dict) else {BESIDE: handed_in}).items():
            path = folder / student / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
            written.append(path)
    exercise = Course.load(ROOT, authoring=True).exercise(EXERCISE)
    with Gradebook(str(place / "gradebook.db")) as book:
        grader = Grader([exercise], Mode(hide=(ROOT,)), known=book.known, record=book.record)
        given = [item.result for item in grader.run(students_of(folder))]
        last = book.in_full(history[-1] for history in book.attempts().values())
    # When the files were written is no part of what is compared.
    results, recorded = (
        {result.student: replace(result, submitted=None) for result in each} for each in (given, last)
    )
    return Graded(results, recorded, folder, written)


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
    """The honest students before and after the cheats."""
    before = litter(), processes()
    sources = {f"c_{name}".replace("/", " "): source for name, source in CHEATS.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "autograder.runner.confined.LOAD_SECONDS", 2.0
        )  # of a loop that never ends, less is enough
        yield grade(tmp_path_factory.mktemp("together"), {**HONEST, **sources})
    assert (litter(), processes()) == before


def test_honest_students_alone(alone: Graded) -> None:
    assert {student: result.score for student, result in alone.results.items()} == {
        "a_full": FULL,
        "b_leaves a note": FULL,
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
    # A hint would take the cheat for an attempt at the exercise.
    assert {test.name: test.diagnosis for test in result.tests if test.diagnosis} == {}


def test_nothing_is_left_in_the_class(together: Graded) -> None:
    files = {path for path in together.folder.rglob("*") if path.is_file()}
    assert files == set(together.handed_in)


def test_no_file_is_read_that_a_frame_names(together: Graded) -> None:
    assert str(CLAIMED) not in linecache.cache
