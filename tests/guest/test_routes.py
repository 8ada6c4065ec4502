"""Ways to an operator that an exercise forbids: seen whichever leads there, in process and confined.

`UNSEEN` names those that are known and not seen: the rule is a deterrent, and what it costs to go on is more than it is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import torch

from autograder.guest.forbid import forbid
from autograder.guest.forbidden_groups import expanded
from autograder.results import Limits
from autograder.runner.backend import Backend
from autograder.runner.confined import ConfinedBackend
from autograder.runner.in_process import unsafe_backend

HEAD = """
import torch
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from torch.distributions import OneHotCategorical, RelaxedOneHotCategorical
from torch.distributions.utils import logits_to_probs
from torch.utils.checkpoint import checkpoint

base, functions, aten = torch._C.TensorBase, torch._C._VariableFunctions, torch.ops.aten
eye = torch.eye(3)
one = torch.ones(())
"""
# Each gives softmax(x, -1) of a matrix with three columns.
EXPRESSIONS = {
    "a method of TensorBase": "base.softmax(x, -1)",
    "the functions behind torch": "functions.softmax(x, -1)",
    "their logarithm": "functions.log_softmax(x, -1).exp()",
    "the functions behind torch.special": "torch._C._special.special_softmax(x, -1)",
    "the sum of TensorBase": "(x - base.logsumexp(x, -1, True)).exp()",
    "an overload": "aten.softmax.int(x, -1)",
    "the overload below it": "aten._softmax.default(x, -1, False)",
    "an overload that is given the result": "aten._softmax.out(x, -1, False, out=torch.empty_like(x))",
    "the sum's overload": "(x - aten.logsumexp.default(x, [-1], True)).exp()",
    "what distributions call": "logits_to_probs(x)",
    "a relaxed distribution": "RelaxedOneHotCategorical(one, logits=x).probs",
    "a distribution of vectors": "OneHotCategorical(logits=x).probs",
    "a loss": "torch.stack([(-torch.nn.CrossEntropyLoss(reduction='none')(x, torch.full((2,), i))).exp() for i in range(3)], -1)",
    "a checkpoint": "checkpoint(torch.softmax, x, -1, use_reentrant=False)",
    "a pool of threads": "ThreadPoolExecutor(1).submit(torch.softmax, x, -1).result()",
    "a compiled function": "torch.compile(torch.softmax)(x, -1)",
    "a script in the background": "torch.jit.wait(torch.jit.fork(torch.softmax, x, -1))",
    "a function over rows": "torch.vmap(torch.softmax, (0, None))(x, 0)",
    "attention": "torch._C._nn.scaled_dot_product_attention(x, eye, eye, scale=1.0)",
    "attention with four axes": (
        "aten._scaled_dot_product_flash_attention_for_cpu(*(t[None, None] for t in (x, eye, eye)), scale=1.0)[0][0, 0]"
    ),
    "a masked softmax": "aten._masked_softmax(x, torch.zeros_like(x, dtype=torch.bool), -1, 2)",
    "a sparse tensor": "aten._sparse_softmax.int(x.to_sparse(), -1).to_dense()",
    "a nested tensor": "torch.stack(base.softmax(torch.nested.nested_tensor(list(x)), -1).unbind())",
}
FILES = {
    "a pool that was there before": (
        "pool = ThreadPoolExecutor(1)\npool.submit(len, ()).result()\n"
        "def f(x): return pool.submit(base.softmax, x, -1).result()\n"
    ),
    "a compiled function that was there before": (
        "soft = torch.compile(lambda x: base.softmax(x, -1), backend='eager')\ndef f(x): return soft(x)\n"
    ),
    "a script": (
        "unit = torch.jit.CompilationUnit('def soft(x):\\n    return x.softmax(-1)\\n')\n"
        "def f(x): return unit.soft(x)\n"
    ),
    "a function with its own gradient": (
        "class Soft(torch.autograd.Function):\n"
        "    forward = staticmethod(lambda ctx, x: base.softmax(x, -1))\n"
        "def f(x): return Soft.apply(x)\n"
    ),
    "a graph": (
        "graph = torch.fx.Graph()\nx = graph.placeholder('x')\n"
        "_ = graph.output(graph.call_function(functions.softmax, (x, -1)))\n"
        "made = torch.fx.GraphModule({}, graph)\ndef f(x): return made(x)\n"
    ),
    "another name, which the test calls": "f = partial(base.softmax, dim=-1)\n",
    "a function of a library's, which the test calls": "f = logits_to_probs\n",
}
UNSEEN_EXPRESSIONS = {
    "the layout of MKL-DNN": "base.softmax(x.to_mkldnn(), -1).to_dense()",
    "torch's formula in Python": "torch._refs.softmax(x, -1)",
}
UNSEEN_FILES = {
    "an object of a library's class, which the test calls": (
        "f = torch.nn.Module()\nf.forward = logits_to_probs\n"
    ),
}


def _sources(expressions: dict[str, str], files: dict[str, str]) -> dict[str, str]:
    texts = {how: f"def f(x): return {expression}\n" for how, expression in expressions.items()} | files
    return {how: HEAD + text for how, text in texts.items()}


SEEN, UNSEEN = _sources(EXPRESSIONS, FILES), _sources(UNSEEN_EXPRESSIONS, UNSEEN_FILES)
LIMITS = Limits(30.0, 1024)


@pytest.fixture(params=["in process", "confined"])
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[..., Backend]]:
    with ExitStack() as stack:

        def make(source: str, forbidden: tuple[str, ...]) -> Any:
            files = {"a.py": source.encode()}
            if request.param == "in process":
                return unsafe_backend(files, "a.py", forbidden)
            sandbox = request.getfixturevalue("sandbox")
            return stack.enter_context(ConfinedBackend(sandbox, files, "a.py", LIMITS, forbidden))

        yield make


FORBIDDEN = expanded(["@softmax", "@attention"])


@pytest.mark.parametrize("route", [*SEEN, *UNSEEN])
def test_all_lead_there(route: str) -> None:
    """As long as nothing is forbidden."""
    x = torch.randn(2, 3)
    backend = unsafe_backend({"a.py": (SEEN | UNSEEN)[route].encode()}, "a.py", ())
    with backend.begin(0, Limits(60.0, 8192)):
        torch.testing.assert_close(backend.student.f(x), torch.softmax(x, -1))


@pytest.mark.parametrize("route", SEEN)
def test_seen(opened: Callable[..., Any], route: str) -> None:
    backend = opened(SEEN[route], FORBIDDEN)
    x = torch.randn(2, 3)
    with backend.begin(0, LIMITS), pytest.raises(RuntimeError, match="not allowed in this exercise"):
        backend.student.f(x)


def test_an_overload_that_the_test_calls(opened: Callable[..., Any]) -> None:
    backend = opened(f"{HEAD}f = aten.softmax.int\n", FORBIDDEN)
    with backend.begin(0, LIMITS), pytest.raises(RuntimeError, match="not allowed in this exercise"):
        backend.student.f(torch.randn(2, 3), -1)


@pytest.mark.parametrize("route", UNSEEN)
def test_not_seen(opened: Callable[..., Any], route: str) -> None:
    """Whoever closes one of these moves it up."""
    backend = opened(UNSEEN[route], FORBIDDEN)
    x = torch.randn(2, 3)
    with backend.begin(0, LIMITS):
        torch.testing.assert_close(backend.student.f(x), torch.softmax(x, -1))


ALLOWED = """
import torch
def f(x): return x.exp() / x.exp().sum(-1, keepdim=True)
def call(function, x): return function(x)
x = torch.ones(2, 3)
assert torch.allclose(f(x), torch._C.TensorBase.softmax(x, -1))
"""


def test_what_stays_allowed(opened: Callable[..., Any]) -> None:
    """A comparison while the file is loaded, the test's own calls, and a function of the test's that the student calls."""
    backend = opened(ALLOWED, FORBIDDEN)
    x = torch.randn(2, 3)
    with backend.begin(0, LIMITS):
        torch.testing.assert_close(backend.student.f(x), torch.softmax(x, -1))
        called = backend.student.call(lambda x: torch.softmax(x, -1), x)
        torch.testing.assert_close(called, torch.softmax(x, -1))
        result = backend.helpers["gradients"](backend.student.f, x)
        assert result.arguments[0].shape == x.shape


def test_kernels_are_put_back() -> None:
    operators = [name for name in FORBIDDEN if name.startswith("torch.ops.aten.")]

    def kernels() -> list[str]:
        return [
            torch._C._dispatch_dump(f"aten::{name.removeprefix('torch.ops.aten.')}") for name in operators[:3]
        ]

    before = kernels()
    undo = forbid(FORBIDDEN, lambda filename: False)
    assert kernels() != before
    undo()
    assert kernels() == before
