"""Using a module in another process as if it were here, and what a hostile object can't decide by itself."""

from __future__ import annotations

import copy
import threading
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from autograder.remote.client import RemoteModule
from autograder.remote.errors import StudentError, UnsendableArgument
from autograder.remote.proxy import Handle
from autograder.results import Limits
from autograder.sandbox.errors import Blocked, Ended, SandboxFault

SOURCE = '''
import torch
from collections import namedtuple
from dataclasses import dataclass

VALUE = 7
Pair = namedtuple("Pair", "a b")

@dataclass
class Config:
    size: int = 3

class Model(torch.nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(float(size)))
    def forward(self, x, scale=1.0):
        return x * self.weight * scale

class Vector:
    def __init__(self, items): self.items = list(items)
    def __add__(self, other): return Vector(a + b for a, b in zip(self.items, getattr(other, "items", [other] * 9)))
    def __radd__(self, other): return self + other
    def __matmul__(self, other): return sum(a * b for a, b in zip(self.items, other.items))
    def __neg__(self): return Vector(-a for a in self.items)
    def __and__(self, other): return "and"
    def __getitem__(self, i): return self.items[i]
    def __setitem__(self, i, v): self.items[i] = v
    def __len__(self): return len(self.items)
    def __contains__(self, x): return x in self.items
    def __iter__(self): return iter(self.items)
    def __float__(self): return 2.5

class Agreeable:
    """Equal to anything, true, larger and smaller than everything."""
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __bool__(self): return True
    def __hash__(self): return 0
    @classmethod
    def __torch_function__(cls, *args, **kwargs): return True

class AgreeableTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None): return True

class AgreeableInt(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__

class AgreeableStr(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__

def agreeable(): return Agreeable()
def agreeable_tensor(): return torch.zeros(3).as_subclass(AgreeableTensor)
def agreeable_int(): return AgreeableInt(1)
def agreeable_str(): return AgreeableStr("x")
def identity(*args, **kwargs): return args[0] if not kwargs else kwargs
def count(n):
    for i in range(n): yield i
def forever():
    n = 0
    while True:
        yield n
        n += 1
def use(f, *args): return f(*args)
def many(f, n): return [f(i) for i in range(n)][-1]
def total(env): return env.grid.sum().item()
def step(env): return env.step(2) + env.size
kept = []
def keep(f): kept.append(f)
def later(x): return kept[0](x)
def stop(x): raise StopIteration
def fail_at(i, n):
    if i == n: raise StopIteration
    return True
def outer(f):
    try: return f(1)
    except RuntimeError as e: return str(e)
def is_handle_identity(a, b): return a is b
def is_same_object(a): return a is agreeable_object
agreeable_object = Agreeable()
def big(): return {(1, 2): torch.ones(2), "x": [Pair(1, None), {1, 2}]}
def flatten(x): return x.view(-1)
def transpose(x): return x.T
def version(): return 1
def rebind():
    global version
    def version(): return 2
def rebind_and_fail():
    global version
    def version(): return 3
    raise ValueError
def __getattr__(name):
    if name != "fresh": raise AttributeError(name)
    global made
    made = made + 1
    number = made
    return lambda: number
made = 0
def count_handles(): return len([1])
'''


@pytest.fixture(scope="module")
def child(best: Any) -> Any:
    from autograder.results import Limits

    with best.open({"submission.py": SOURCE.encode()}, "submission.py", limits=Limits()) as child:
        child.load()
        yield child


@pytest.fixture(autouse=True)
def _fresh(child: RemoteModule) -> None:
    child.deadline(3)
    child.reset_trace()
    child.callback_error = None


def test_attributes_by_value_and_by_handle(child: RemoteModule) -> None:
    assert child.student.VALUE == 7
    assert isinstance(child.student.Config, Handle)
    config = child.student.Config(size=4)
    assert config.size == 4
    config.size = 5
    assert config.size == 5
    with pytest.raises(AttributeError):
        _ = child.student.missing
    assert not hasattr(child.student, "missing")
    assert getattr(child.student, "missing", 1) == 1
    with pytest.raises(AttributeError):
        _ = config.__array__
    assert "Config" in repr(config)


def test_calls_with_every_kind_of_argument(child: RemoteModule) -> None:
    identity = child.student.identity
    for value in (
        None,
        1,
        2.5,
        "ü",
        b"x",
        [1, [2]],
        (1,),
        {"a": 1},
        {1, 2},
        1 + 2j,
        2**80,
        torch.float16,
        slice(1, 2),
    ):
        back = identity(value)
        assert back == value and type(back) is type(value)
    assert torch.equal(identity(torch.eye(2)), torch.eye(2))
    assert np.array_equal(identity(np.eye(2)), np.eye(2))
    assert identity(0, key=[1]) == {"key": [1]}
    assert child.student.big()["x"] == [(1, None), {1, 2}]


def test_a_transposed_tensor_stays_one(child: RemoteModule) -> None:
    """What fails on it in process fails here: in both directions."""
    transposed = torch.arange(6.0).reshape(2, 3).T
    with pytest.raises(RuntimeError, match="view"):
        child.student.flatten(transposed)
    assert child.student.flatten(transposed.contiguous()).shape == (6,)
    assert child.student.transpose(torch.ones(2, 3)).stride() == (1, 3)


def test_functions_of_the_module_are_asked_for_once(
    child: RemoteModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    operate = RemoteModule.operate

    def spy(self: RemoteModule, kind: str, *rest: Any) -> Any:
        asked.append(kind)
        return operate(self, kind, *rest)

    monkeypatch.setattr(RemoteModule, "operate", spy)
    child.reset_trace()
    assert [child.student.version() for _ in range(3)] == [
        1,
        1,
        1,
    ] and child.student.VALUE == child.student.VALUE
    assert asked.count("get") == 3 and [call.kind for call in child.trace].count("get") == 5
    child.reset_trace()
    assert child.student.version() == 1 and asked.count("get") == 3
    child.student.rebind()
    assert child.student.version() == 2
    with pytest.raises(StudentError):
        child.student.rebind_and_fail()
    assert child.student.version() == 3
    assert [child.student.fresh() for _ in range(3)] == [1, 2, 3]
    child.student.version = len
    assert child.student.version([1, 2, 3]) == 3
    assert (
        child.student.Model().weight.shape == (3,)
        and child.student.agreeable_object is not child.student.agreeable_object
    )


def test_handles_go_back_as_the_objects_they_are(child: RemoteModule) -> None:
    model = child.student.Model()
    assert child.student.is_handle_identity(model, model) is True
    assert child.student.is_same_object(child.student.agreeable_object) is True
    assert child.student.identity([model, 1])[1] == 1


def test_operators(child: RemoteModule) -> None:
    vector = child.student.Vector([1, 2, 3])
    assert list(vector) == [1, 2, 3] and len(vector) == 3 and vector[1] == 2 and vector[0:2] == [1, 2]
    assert 2 in vector and 5 not in vector
    vector[0] = 10
    assert (vector + vector).items == [20, 4, 6]
    assert (vector + 1).items == [11, 3, 4] and (1 + vector).items == [11, 3, 4]
    assert (np.int64(1) + vector).items == [11, 3, 4]
    assert (-vector).items == [-10, -2, -3] and vector @ vector == 113 and vector & 1 == "and"
    assert float(vector) == 2.5
    with pytest.raises(TypeError):
        _ = vector * vector
    with pytest.raises(IndexError):
        _ = vector[9]


def test_a_hostile_object_decides_nothing(child: RemoteModule) -> None:
    hostile = child.student.agreeable()
    attempts: list[Callable[[], object]] = [
        lambda: hostile == 1, lambda: hostile != 1, lambda: 1 == hostile,  # noqa: SIM300
        lambda: bool(hostile), lambda: hash(hostile),
        lambda: hostile < 1, lambda: hostile >= 1, lambda: hostile in [1], lambda: {hostile}, lambda: not hostile,
        lambda: torch.equal(hostile, torch.ones(1)), lambda: torch.allclose(torch.ones(1), hostile),
        lambda: torch.testing.assert_close(hostile, torch.ones(1)), lambda: torch.ones(1) == hostile,
        lambda: np.ones(1) == hostile, lambda: copy.deepcopy(hostile), lambda: pytest.approx(1.0) == hostile,
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises((TypeError, AssertionError)):
            attempt()
    assert child.alive


def test_hostile_subclasses_arrive_as_values_or_handles(child: RemoteModule) -> None:
    tensor = child.student.agreeable_tensor()
    assert type(tensor) is torch.Tensor and not torch.equal(tensor, torch.ones(3))
    for name in ("agreeable_int", "agreeable_str"):
        value = getattr(child.student, name)()
        assert isinstance(value, Handle)
        with pytest.raises(TypeError):
            assert value == 99


def test_iteration_is_lazy_and_bounded(child: RemoteModule, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(child.student.count(5)) == [0, 1, 2, 3, 4]
    endless = iter(child.student.forever())
    assert [next(endless) for _ in range(3)] == [0, 1, 2]
    generator = child.student.count(1)
    assert next(generator) == 0
    with pytest.raises(StopIteration):
        next(generator)
    monkeypatch.setattr("autograder.remote.client.MAX_ITERATION", 50)
    with pytest.raises(StudentError, match="50"):
        list(child.student.forever())


def test_stop_iteration_cuts_no_loop_short(child: RemoteModule) -> None:
    """A test that maps the student's function over cases must not end early because the function says so."""
    with pytest.raises(StudentError) as caught:
        list(map(lambda i: child.student.fail_at(i, 1), range(5)))  # noqa: C417
    assert not isinstance(caught.value, StopIteration)


def test_callbacks(child: RemoteModule) -> None:
    assert child.student.use(lambda x: x + 1, 4) == 5
    assert torch.equal(child.student.use(torch.exp, torch.zeros(2)), torch.ones(2))
    assert child.student.many(lambda i: i, 200) == 199
    seen: list[Any] = []
    child.student.keep(lambda x: seen.append(x) or len(seen))
    assert child.student.later("a") == 1 and seen == ["a"]  # in a later operation than it was given in


def test_a_callback_may_use_the_student_again(child: RemoteModule) -> None:
    def nested(x: int) -> int:
        return child.student.use(lambda y: y * 10, x) + 1  # type: ignore[no-any-return]

    assert child.student.use(nested, 4) == 41

    def too_deep(x: int) -> Any:
        return child.student.use(too_deep, x)

    with pytest.raises(RuntimeError):
        child.student.use(too_deep, 1)
    assert isinstance(child.callback_error, RuntimeError)


def test_an_exception_in_a_callback_stays_here(child: RemoteModule) -> None:
    def secretive(x: int) -> int:
        raise KeyError("expected 42")

    told = child.student.outer(secretive)
    assert "42" not in told and "KeyError" not in told
    assert isinstance(child.callback_error, KeyError)

    def failing(x: int) -> None:
        pytest.fail("a check in a callback")

    assert "check" not in child.student.outer(failing)
    assert isinstance(child.callback_error, pytest.fail.Exception)


def test_callbacks_are_bounded(run: Callable[..., RemoteModule], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.remote.client.MAX_CALLBACKS", 20)
    own = run("def loop(f):\n    while True: f()\n")
    with pytest.raises(Ended, match="20"):
        own.student.loop(lambda: None)


class Environment:
    """An object of the test: some of it by value, some called back, the rest out of reach."""

    __remote__ = ("step",)
    __shared__ = ("size", "grid")

    def __init__(self) -> None:
        self.size = 5
        self.grid = torch.eye(3)
        self.secret = 99

    def step(self, n: int) -> int:
        return n * 100

    def hidden(self) -> int:
        return self.secret


def test_objects_of_the_test(child: RemoteModule, run: Callable[..., RemoteModule]) -> None:
    assert child.student.step(Environment()) == 205
    assert child.student.total(Environment()) == 3
    own = run(
        "def look(env): return sorted(n for n in dir(env) if not n.startswith('__'))\n"
        "import gc\n"
        "def force(env):\n"
        "    s = next(o for o in gc.get_objects() if type(o).__name__ == 'Server')\n"
        "    return s._caller(1, 'hidden')()\n"
    )
    assert own.student.look(Environment()) == ["grid", "size", "step"]
    with pytest.raises(Blocked):
        own.student.force(Environment())


def test_what_can_not_be_sent_says_so(child: RemoteModule) -> None:
    for value in (object(), torch.nn.Linear(2, 2), [object()], {"a": object()}):
        with pytest.raises(TypeError, match=r"build\(\)"):
            child.student.identity(value)
    with pytest.raises(UnsendableArgument, match="too large"):
        child.student.identity(torch.empty(1).expand(1 << 30))
    assert child.student.identity(1) == 1  # and the child is as it was


def test_what_came_from_the_child_may_be_too_large_to_go_back(run: Callable[..., RemoteModule]) -> None:
    """Then it is no fault of the sandbox; but a file that can't be sent to be loaded is."""
    child = run("def make(n): return 'x' * n\ndef take(x): pass\n")
    with pytest.raises(UnsendableArgument, match="too many elements"):
        child.student.take([child.student.make((8 << 20) - 100)] * 2)
    child = RemoteModule(child._process, {"a.py": b"", "b" * (9 << 20): b""}, "a.py", Limits())
    with pytest.raises(SandboxFault, match="too many elements"):
        child.load()


def test_an_answer_that_is_too_large_altogether(run: Callable[..., RemoteModule]) -> None:
    child = run("def strings(n): return ['x' * 20 + str(i) for i in range(n)]\n")
    with pytest.raises(StudentError, match="too many elements") as caught:
        child.student.strings(400_000)
    assert caught.value.name == "Unsendable"
    assert len(child.student.strings(5)) == 5


def test_handles_belong_to_one_child(child: RemoteModule, run: Callable[..., RemoteModule]) -> None:
    other = run("def identity(x): return x\n")
    with pytest.raises(TypeError, match="another process"):
        other.student.identity(child.student.Model())


def test_gradients_and_build(child: RemoteModule) -> None:
    linear = child.help("build", "torch.nn.Linear", 3, 2, bias=False)
    linear.load_state_dict({"weight": torch.ones(2, 3)})
    x = torch.arange(3.0)
    assert torch.equal(linear(x).detach(), torch.tensor([3.0, 3.0]))
    found = child.help("gradients", child.student.Model(), x, scale=2.0)
    assert torch.equal(found.output, x * x * 2) and not found.output.requires_grad
    assert torch.equal(found.arguments[0], x * 2) and found.keywords == {"scale": None}
    assert torch.equal(found.parameters["weight"], x * 2)
    with pytest.raises(ValueError):
        child.help("build", "os.system", "true")
    pair = child.help("gradients", child.student.identity, x, upstream=torch.full((3,), 2.0))
    assert torch.equal(pair.arguments[0], torch.full((3,), 2.0))


def test_unchanged(run: Callable[..., RemoteModule]) -> None:
    own = run("def f(x, clear=False):\n    if clear: x.clear()\n")
    mine = [1, 2]
    assert own.help("unchanged", own.student.f, mine) is True
    assert own.help("unchanged", own.student.f, mine, clear=True) is False
    assert mine == [1, 2]
    assert [(call.path, call.result) for call in own.trace[-1:]] == [("unchanged(f)", False)]


CHANGES: list[tuple[Any, str]] = [
    (torch.ones(2, 3), "x.add_(1)"),
    (torch.ones(2), "x.requires_grad_()"),
    (np.ones(2), "x.fill(0)"),
    ([3, 1], "x.sort()"),
    ([torch.ones(1), 2], "x.reverse()"),
    ([1, 2], "x[0] = object()"),
    ([torch.ones(1)], "x[0] = None"),
    ({"a": 1, "b": [2]}, "x['b'].append(3)"),
    ({"a": 1, "b": 2}, "x.update(a=x.pop('a'))"),
    (({1, 2},), "x[0].add(3)"),
]


@pytest.mark.parametrize(("value", "change"), CHANGES, ids=[change for _, change in CHANGES])
@pytest.mark.parametrize("forged", [False, True], ids=["honest", "forged"])
def test_changes_are_seen_from_here(
    run: Callable[..., RemoteModule], value: Any, change: str, forged: bool
) -> None:
    """A child whose helper always finds its arguments as they were still has to send them."""
    forgery = "import sys\nsys.modules['autograder.guest.helpers'].same = lambda *args: True\n"
    own = run(f"{forgery if forged else ''}def f(x=None):\n    {change}\n")
    assert own.help("unchanged", own.student.f, value) is False
    assert own.help("unchanged", own.student.f, x=value) is False


def test_what_is_left_alone_is_unchanged(run: Callable[..., RemoteModule]) -> None:
    """Whatever form a value takes on its way there and back."""
    own = run(
        "kept = []\ndef f(*args, **kwargs): kept.append((args, kwargs)); return args\nclass Own: pass\n"
    )
    Point = namedtuple("Point", "x y")
    nan = float("nan")
    linear = own.help("build", "torch.nn.Linear", 2, 1)
    parameter = own.help("build", "torch.nn.Parameter", torch.ones(2))
    for value in (
        None, 1, True, 2**70, nan, 1j, complex(nan, 1), "\ud800", b"x" * 2000, bytearray(b"x"), ..., slice(1, 2), range(4),
        torch.ones(2, requires_grad=True) * 2, torch.tensor([nan, 1.0]), torch.ones(3, 2).T, torch.ones(2)[::2],
        torch.ones(2).bfloat16(), torch.nn.Parameter(torch.ones(2)), torch.tensor(3), torch.zeros(0, 4), torch.float16,
        torch.device("cpu"), torch.ones(2, 3).shape, np.float32(0.1), np.int64(3), np.array([nan]), np.ones((2, 3)).T,
        np.float64(nan), Point(1, [nan]), OrderedDict(a=1), Counter("aab"), defaultdict(list, a=[1]), {nan: 1}, {1, (2, "a")},
        frozenset({1}), [[1.5] * 50], [(1, 2), (3,)], {(1, 2): {"a": [None]}}, linear, parameter, [linear, {"p": parameter}],
        own.student.Own(), own.student.f, len, lambda x: x, [len, 1],
    ):  # fmt: skip
        assert own.help("unchanged", own.student.f, value, [value], x=value) is True, value


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("unchanged", "'yes'"),
        ("unchanged", "True"),
        ("unchanged", "(1, [1], {})"),
        ("unchanged", "(True, (1,), {})"),
        ("unchanged", "(True, [1], {}, 1)"),
        ("build", "(1, 2)"),
        ("gradients", "True"),
        ("gradients", "()"),
        ("gradients", "(1, [], {})"),
        ("gradients", "(1, [], {}, [])"),
        ("gradients", "[1, [], {}, {}]"),
    ],
)
def test_a_helper_of_another_form_ends_the_child(
    run: Callable[..., RemoteModule], name: str, answer: str
) -> None:
    """What a taken-over child says that our own helper gave is looked at before a test may use it."""
    own = run(
        "import sys\n"
        "server = sys.modules['autograder.remote.server']\n"
        f"server.REMOTE_HELPERS = {{{name!r}: lambda *args: {answer}}}\n"
        "class Plain: __new__ = lambda cls, value: value\n"
        "server.Kept = Plain\n"
        "def f(x): pass\n"
    )
    with pytest.raises(Blocked, match=f"{name} came back in another form than ours"):
        own.help(name, "torch.nn.Linear" if name == "build" else own.student.f, 1)
    assert not own.alive


def test_seeds(child: RemoteModule, run: Callable[..., RemoteModule]) -> None:
    source = (
        "import torch, numpy, random\n"
        "def draw(): return torch.rand(1).item(), float(numpy.random.rand()), random.random()\n"
    )
    one, two = run(source), run(source)
    one.seed(3)
    two.seed(3)
    first = one.student.draw()
    assert first == two.student.draw() and first != one.student.draw()


def test_trace(child: RemoteModule) -> None:
    _ = child.student.VALUE
    child.student.identity(3)
    with pytest.raises(StudentError):
        child.student.identity()
    assert [(c.kind, c.path) for c in child.trace] == [
        ("get", "VALUE"), ("get", "identity"), ("call", "identity()"), ("get", "identity"), ("call", "identity()"),
    ]  # fmt: skip
    assert child.trace[2].result == 3 and isinstance(child.trace[4].result, IndexError)
    child.reset_trace()
    assert child.trace == []


def test_freed_handles_are_released(run: Callable[..., RemoteModule]) -> None:
    own = run("import weakref\nclass C: pass\nalive = weakref.WeakSet()\ndef make():\n    c = C(); alive.add(c); return c\n"
              "def count(): return len(alive)\n")  # fmt: skip
    kept = own.student.make()
    for _ in range(20):
        own.student.make()
    assert own.student.count() == 21  # the trace holds them, too
    own.reset_trace()
    assert own.student.count() == 1
    del kept
    assert own.student.count() == 0


def test_callbacks_from_the_students_threads(run: Callable[..., RemoteModule]) -> None:
    own = run(
        "import threading\n"
        "def gather(f, n):\n    found = []\n"
        "    threads = [threading.Thread(target=lambda i=i: found.append(f(i))) for i in range(n)]\n"
        "    [t.start() for t in threads]; [t.join() for t in threads]\n    return sorted(found)\n"
    )
    assert own.student.gather(lambda i: i * i, 8) == [i * i for i in range(8)]


def test_several_children_at_once(best: Any) -> None:
    """One thread per rank, meeting at a barrier inside their callbacks; waiting there costs them no time."""
    from autograder.results import Limits

    ranks, barrier, sums = 4, threading.Barrier(4), [0] * 4
    source = b"def train(all_reduce, rank):\n    return [all_reduce(rank + i) for i in range(3)]\n"

    def drive(rank: int) -> None:
        def all_reduce(value: int) -> int:
            sums[rank] = value
            barrier.wait(20)
            total = sum(sums)
            barrier.wait(20)
            return total

        with best.open({"s.py": source}, "s.py", limits=Limits()) as own:
            own.load()
            results[rank] = own.student.train(all_reduce, rank)

    results: list[Any] = [None] * ranks
    threads = [threading.Thread(target=drive, args=(rank,)) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [[6, 10, 14]] * ranks
