"""Calls an exercise forbids: refused to the student's file, left to everybody else, and put back afterwards."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from autograder.guest.forbid import ForbiddenCall, forbid, forbidden, resolve, seal
from autograder.guest.loading import load_module


def student(source: str) -> ModuleType:
    module = ModuleType("submission")
    exec(compile(source, "<student.py>", "exec"), module.__dict__)
    return module


def is_student(filename: str) -> bool:
    return filename == "<student.py>"


CALLS = {
    "torch.softmax": "torch.softmax(x, -1)",
    "torch.Tensor.softmax": "x.softmax(-1)",
    "torch.nn.functional.softmax": "F.softmax(x, -1)",
    "torch.nn.Softmax": "torch.nn.Softmax(-1)(x)",
}


@pytest.mark.parametrize("name", CALLS)
def test_refused_to_the_student(name: str) -> None:
    module = student(f"import torch\nimport torch.nn.functional as F\ndef f(x):\n    return {CALLS[name]}\n")
    x = torch.randn(3)
    before = module.f(x)
    with (
        forbidden([name], is_student),
        pytest.raises(ForbiddenCall, match=f"^{name} is not allowed in this exercise"),
    ):
        module.f(x)
    assert torch.equal(module.f(x), before)


def test_from_import_taken_while_forbidden() -> None:
    with forbidden(["torch.nn.functional.softmax"], is_student):
        module = student("from torch.nn.functional import softmax\ndef f(x):\n    return softmax(x, -1)\n")
        with pytest.raises(ForbiddenCall):
            module.f(torch.randn(3))


def test_libraries_go_on_as_before() -> None:
    module = student(
        "import torch\n"
        "def f(x):\n"
        "    return torch.nn.functional.cross_entropy(x[None], torch.tensor([1]))\n"
        "def g(x):\n"
        "    return torch.nn.Softmax(-1)(x)\n"
    )
    x = torch.randn(3)
    with forbidden(["torch.softmax", "torch.log_softmax", "torch.nn.functional.softmax"], is_student):
        assert module.f(x).isfinite()
        assert module.g(x).sum() == pytest.approx(1)  # nn.Softmax itself calls F.softmax
        assert torch.softmax(x, -1).sum() == pytest.approx(1)  # a test's own call


@pytest.mark.parametrize("name", list(CALLS))
def test_undo_leaves_no_trace(name: str) -> None:
    owner, attribute = resolve(name)
    before = getattr(owner, attribute)

    def state() -> list[object]:
        """The named thing, where it is defined, and, for a class, what making one calls and all that it has."""
        found = getattr(owner, attribute)
        made = (found.__init__, dict(vars(found))) if isinstance(found, type) else ()
        return [found, attribute in vars(owner), *made]

    untouched = state()
    undo = forbid([name, name], is_student)
    assert state() != untouched
    undo()
    assert state() == untouched
    assert getattr(owner, attribute) is before


def test_undone_after_an_error() -> None:
    before = torch.softmax
    with pytest.raises(ZeroDivisionError), forbidden(["torch.softmax"], is_student):
        raise ZeroDivisionError
    assert torch.softmax is before


@pytest.mark.parametrize("name", ["torch.no_such_thing", "nowhere.at_all", "torch.Tensor.nope"])
def test_names_that_mean_nothing(name: str) -> None:
    with pytest.raises(LookupError, match=f"'{name}' names nothing.*correct it in the toml"):
        forbid([name], is_student)


def test_one_bad_name_leaves_the_others_alone() -> None:
    before = torch.softmax
    with pytest.raises(LookupError):
        forbid(["torch.softmax", "torch.no_such_thing"], is_student)
    assert torch.softmax is before


def test_a_forbidden_class_can_still_be_named() -> None:
    """A type hint or an isinstance check is no call."""
    with forbidden(["torch.nn.Softmax"], is_student):
        module = student(
            "import torch\ndef f(x: torch.nn.Softmax | None = None):\n    return isinstance(x, torch.nn.Softmax)\n"
        )
        assert module.f() is False


# ------------------------------------------------------------------------------------------- while the file loads


def loaded(source: str, **beside: str) -> ModuleType:
    """`source`, with files beside it, loaded as a submission is."""
    files = {f"{name}.py": text.encode() for name, text in {"student": source, **beside}.items()}
    return load_module(files, "student.py")


COMPARED = (
    "import torch\n"
    "def f(x):\n"
    "    return x.exp() / x.exp().sum()\n"
    "def compare():\n"
    "    x = torch.randn(3)\n"
    "    assert torch.allclose(f(x), torch.softmax(x, -1))\n"
)
FREE = {
    "a comparison at the end of the file": COMPARED + "compare()\n",
    "a value worked out beforehand": "import torch\ndef f(x, y=torch.softmax(torch.ones(3), -1)):\n    return y\n",
    "a script of one's own formula": (
        "import torch\n@torch.jit.script\ndef f(x):\n    return x.exp() / x.exp().sum()\n"
    ),
}


@pytest.mark.parametrize("source", FREE.values(), ids=FREE)
def test_free_while_the_file_loads(source: str) -> None:
    with forbidden(["torch.softmax"], is_student):
        module = loaded(source)
        assert torch.allclose(module.f(torch.ones(3)), torch.full((3,), 1 / 3))


PRETENDED = {
    "a function called once more": (
        "import torch\ndef f(x):\n    return torch.softmax(x, -1)\nf(torch.ones(3))\n"
    ),
    "a default argument": "import torch\ndef f(x, softmax=torch.softmax):\n    return softmax(x, -1)\n",
    "code run as if it were the file": (
        "import torch\n"
        "def f(x):\n"
        "    names = {'torch': torch, 'x': x}\n"
        "    exec(compile('y = torch.softmax(x, -1)', __file__, 'exec'), names)\n"
        "    return names['y']\n"
    ),
    "code made of a text": ("import torch\ndef f(x):\n    return eval('torch.softmax(x, -1)')\n"),
    "a file beside it, imported only now": "def f(x):\n    from late import y\n    return y\n",
}


@pytest.mark.parametrize("how", PRETENDED)
def test_loading_can_t_be_pretended(how: str) -> None:
    """Once the file is loaded nothing that its functions do is loading any more."""
    late = "import torch\ny = torch.softmax(torch.ones(3), -1)\n"
    with forbidden(["torch.softmax"], lambda filename: filename in ("<student.py>", "<late.py>")):
        module = loaded(PRETENDED[how], late=late)
        with pytest.raises(ForbiddenCall):
            module.f(torch.ones(3))


MADE = {
    "a module": "soft = torch.nn.Softmax(-1)\ndef f(x): return soft(x)\n",
    "its forward": "soft = torch.nn.Softmax(-1)\ndef f(x): return soft.forward(x)\n",
    "out of sight": "soft = {'a': [torch.nn.Softmax(-1)]}\ndef f(x): return soft['a'][0](x)\n",
    "in another": "soft = torch.nn.Sequential(torch.nn.Softmax(-1))\ndef f(x): return soft(x)\n",
    "as a default": "def f(x, soft=torch.nn.Softmax(-1)): return soft(x)\n",
    "in a class": "class C:\n    soft = torch.nn.Softmax(-1)\ndef f(x): return C.soft(x)\n",
    "of a class of one's own": (
        "class Soft(torch.nn.Softmax):\n    def __init__(self): super().__init__(-1)\n"
        "soft = Soft()\ndef f(x): return soft(x)\n"
    ),
    "in a partial": (
        "from functools import partial\nsoft = partial(torch.nn.Softmax(-1))\ndef f(x): return soft(x)\n"
    ),
    "as a trace": "soft = torch.fx.symbolic_trace(torch.nn.Softmax(-1))\ndef f(x): return soft(x)\n",
    "without one": (
        "from types import SimpleNamespace\n"
        "def f(x): return torch.nn.Softmax.forward(SimpleNamespace(dim=-1), x)\n"
    ),
}


@pytest.mark.parametrize("how", MADE)
def test_what_was_made_while_loading_is_not_used_later(how: str) -> None:
    names = ["torch.softmax", "torch.nn.functional.softmax", "torch.nn.Softmax", "torch.fx.symbolic_trace"]
    with forbidden(names, is_student):
        module = loaded(f"import torch\nimport torch.fx\n{MADE[how]}")
        seal(module)
        with pytest.raises(ForbiddenCall):
            module.f(torch.ones(3))
        assert torch.nn.Softmax(-1)(torch.zeros(2)).tolist() == [0.5, 0.5]  # a test's own


def test_what_was_made_serves_while_loading() -> None:
    source = (
        "import torch\nsoft = torch.nn.Softmax(-1)\nx = torch.zeros(2)\n"
        "assert soft(x).tolist() == soft.forward(x).tolist() == [0.5, 0.5]\n"
        "def f(): return isinstance(soft, torch.nn.Softmax), repr(type(soft))\n"
    )
    with forbidden(["torch.nn.Softmax", "torch.softmax"], is_student):
        module = loaded(source)
        seal(module)
        assert module.f()[0]


def test_loading_is_over_when_it_failed() -> None:
    with forbidden(["torch.softmax"], is_student):
        with pytest.raises(ZeroDivisionError):
            loaded("1 / 0\n")
        module = student("import torch\ndef f(x):\n    return torch.softmax(x, -1)\n")
        with pytest.raises(ForbiddenCall):
            module.f(torch.ones(3))
