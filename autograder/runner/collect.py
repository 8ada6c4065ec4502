"""Collect a test file once; call its functions many times.

pytest does the collecting (parametrisation, marks, rewritten assertions), so a test file is ordinary pytest. Running
pytest again for each submission would cost more than everything else, so the collected functions are kept and called
directly with the few fixtures a test of an exercise may use.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from autograder.course import CourseError
from autograder.course.toml import read_text
from autograder.results import Limits, Visibility, function_of
from autograder.text import Text

# student.name, assert_choice(student, "name", ...), ranks(4, "name", ...)
USED = re.compile(r"""student(?:\.|,\s*["'])(\w+)|ranks\([^)"']*["'](\w+)""")
FIXTURES = ("student", "reference", "gradients", "unchanged", "build", "parts", "weights", "ranks")


@dataclass(frozen=True)
class TestCase:
    """One test function with one set of parameters."""

    __test__ = False  # not a test class, whatever pytest makes of the name

    name: str  # "test_affine[3]"
    function: Callable[..., None]
    fixtures: tuple[str, ...]
    parameters: Mapping[str, Any]
    points: float
    sentence: Text  # what the test checks, in words a student may read
    visibility: Visibility = Visibility.PUBLIC
    own_limits: Mapping[str, float] = field(default_factory=dict)  # from @pytest.mark.limits
    questions: frozenset[str] = frozenset()  # what the file's tests use of the student's module
    uses: frozenset[str] = frozenset()  # what this one uses, helpers and names given as parameters included
    # Of a call, by its path in a trace: how many it must give.
    results: Mapping[str, int] = field(default_factory=dict)
    weights: bytes = field(default=b"", repr=False)  # that ship with the exercise

    @property
    def function_name(self) -> str:
        return function_of(self.name)

    def question(self, questions: Sequence[str]) -> str:
        """The one of an exercise's questions (in the file's order) that this test belongs to: the last that it uses.

        A test that uses none of them by name needs the whole file; it belongs to the last.
        """
        return question_of(self.uses, questions)

    @property
    def lends(self) -> frozenset[str]:
        """The functions that `autograder.testing.own_or_reference` may lend in this test."""
        return vars(self.function).get("lends", frozenset())

    def needs(self, questions: Sequence[str]) -> frozenset[str]:
        """Those of an exercise's questions that this test uses; all, where it uses none by name."""
        return self.uses.intersection(questions) or frozenset(questions)

    def limits(self, default: Limits) -> Limits:
        """The exercise's limits with this test's own ones on top."""
        return Limits(**{"seconds": default.seconds, "memory_mb": default.memory_mb, **self.own_limits})  # type: ignore[arg-type]

    def call(self, fixtures: Mapping[str, Any]) -> None:
        """Run the test. It returns, or raises whatever its assertions or the student's code raise."""
        self.function(**{name: fixtures[name] for name in self.fixtures}, **self.parameters)


def question_of(uses: Container[str], questions: Sequence[str]) -> str:
    """The last of an exercise's questions (in the file's order) that a test uses; the last of all where it uses none."""
    return next((name for name in reversed(questions) if name in uses), questions[-1])


def sentence_of(docstring: str | None) -> Text:
    """A test's docstring: the first line in English, the line that begins with `zh:` in Chinese."""
    lines = [line.strip() for line in (docstring or "").strip().splitlines()]
    chinese = next((line.removeprefix("zh:").strip() for line in lines if line.startswith("zh:")), "")
    english: list[str] = []
    for line in lines:
        if not line or line.startswith("zh:"):
            break
        english.append(line)
    return Text(en=" ".join(english), zh=chinese)


def points_of(item: pytest.Item) -> float:
    """The points of a test function, before they are shared by its parameter sets."""
    marker = item.get_closest_marker("points")
    if marker is None:
        return 1.0
    if len(marker.args) != 1 or not isinstance(marker.args[0], int | float) or marker.args[0] < 0:
        raise CourseError(
            f"{item.nodeid}: write the points as @pytest.mark.points(2)",
            f"{item.nodeid}：请把分值写成 @pytest.mark.points(2)",
        )
    return float(marker.args[0])


def limits_of(item: pytest.Item) -> dict[str, float]:
    """The limits a test sets for itself with @pytest.mark.limits(seconds=..., memory_mb=...)."""
    marker = item.get_closest_marker("limits")
    if marker is None:
        return {}
    unknown = set(marker.kwargs) - {"seconds", "memory_mb"}
    if marker.args or unknown:
        wrong = sorted(unknown) or marker.args
        raise CourseError(
            f"{item.nodeid}: limits takes seconds=... and memory_mb=..., not {wrong}",
            f"{item.nodeid}：limits 只接受 seconds=... 和 memory_mb=...，不接受 {wrong}",
        )
    return dict(marker.kwargs)


class _Collector:
    """A pytest plugin that keeps what was collected and what went wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items: list[pytest.Item] = []
        self.errors: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            told = str(report.longrepr)
            # Of pytest's report these lines say where in the file, and what is wrong; the rest is pytest's way there.
            # It may tell the file from the working folder.
            named = re.compile(rf"\S*{re.escape(self.path.name)}")
            kept = [
                named.sub(lambda _: str(self.path), line.removeprefix("E").strip())
                for line in told.splitlines()
                if line.startswith("E ") or f"{self.path.name}:" in line
            ]
            self.errors.append("\n".join(kept) or told)


def collect(path: Path, visibility: Visibility, weights: bytes = b"") -> list[TestCase]:
    """The test cases of one file, in order. CourseError where pytest can't collect it or a test breaks the rules.

    weights: those that ship with the exercise, for tests that are run.
    """
    collector = _Collector(path)
    arguments = [
        str(path),
        # pytest names modules by their path below it. A unit's name alone may be a library's: `exercises.peft`, not `peft`.
        f"--rootdir={path.parents[2]}",
        f"--confcutdir={path.parent}",  # pytest lists every folder from there down to the file: none above it
        "--collect-only",
        "--import-mode=importlib",
        "--noconftest",
        "--disable-plugin-autoload",
        "-c", os.devnull,
        *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:logging"),
        # It ends by collecting garbage again and again: half a second where torch is loaded.
        *("-p", "no:unraisableexception"),
        *("-p", "autograder.testing.marks"),
    ]  # fmt: skip
    # pytest keeps an imported test file under its path's name; this one may have changed, or have a namesake.
    for name, module in list(sys.modules.items()):
        if name.endswith(path.stem) and getattr(module, "__file__", None):
            del sys.modules[name]
    options = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        pytest.main(arguments, plugins=[collector])
    finally:
        if options is not None:
            os.environ["PYTEST_ADDOPTS"] = options
    if collector.errors:
        raise CourseError(
            f"{path} can't be collected:\n{collector.errors[0]}",
            f"无法从 {path} 中收集测试：\n{collector.errors[0]}",
        )
    if not collector.items:
        raise CourseError(
            f"{path} holds no tests; write at least one function called test_...",
            f"{path} 里没有测试；请至少写一个名为 test_... 的函数",
        )
    source = read_text(path)
    questions, uses, results = _used(source), uses_of(source), _results(source)
    cases = [_case(item, collector.items, visibility, questions, uses) for item in collector.items]
    return [replace(case, results=results.get(case.function.__name__, {}), weights=weights) for case in cases]


def _used(source: str) -> frozenset[str]:
    return frozenset(name for found in USED.findall(source) for name in found if name)


def uses_of(source: str) -> dict[str, frozenset[str]]:
    """Top-level function of a test file -> what it, or a helper that it names, uses of the student's module."""
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    named = {
        name: {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} & functions.keys()
        for name, node in functions.items()
    }
    lines = source.splitlines()
    own = {
        name: _used("\n".join(lines[node.lineno - 1 : node.end_lineno])) for name, node in functions.items()
    }

    def reached(name: str, seen: set[str]) -> frozenset[str]:
        seen.add(name)
        return own[name].union(*(reached(other, seen) for other in named[name] - seen))

    return {name: reached(name, set()) for name in functions}


def _results(source: str) -> dict[str, dict[str, int]]:
    """Top-level function of a test file -> calls of the student's, and into how many names their result is taken apart.

    `a, b = student.f(x)` is the call `f()`, and after `m = student.C(3)` so is `a, b = m(x)` the call `C()()`.
    """
    found: dict[str, dict[str, int]] = {}
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        paths = {"student": ""}
        results = found[function.name] = {}
        for node in ast.walk(function):
            if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
                continue
            path, target = _path(node.value, paths), node.targets[0]
            if path and isinstance(target, ast.Name):
                paths[target.id] = path
            elif path and isinstance(target, ast.Tuple | ast.List) and not _starred(target):
                results[path] = len(target.elts)
    return found


def _starred(target: ast.Tuple | ast.List) -> bool:
    return any(isinstance(item, ast.Starred) for item in target.elts)


def _path(node: ast.expr, known: Mapping[str, str]) -> str | None:
    """What a trace calls an expression that begins with one of these names."""
    match node:
        case ast.Name(id=name):
            return known.get(name)
        case ast.Attribute(value=owner, attr=name):
            path = _path(owner, known)
            return None if path is None else f"{path}.{name}".lstrip(".")
        case ast.Call(func=function):
            path = _path(function, known)
            return f"{path}()" if path else None
    return None


def _used_fixtures(item: pytest.Function) -> list[str]:
    """Fixtures asked for by mark: they would not be there when the function is called directly."""
    return [name for mark in item.iter_markers("usefixtures") for name in mark.args]


def _case(
    item: pytest.Item,
    items: list[pytest.Item],
    visibility: Visibility,
    questions: frozenset[str],
    uses: Mapping[str, frozenset[str]],
) -> TestCase:
    if not isinstance(item, pytest.Function) or item.cls is not None:
        raise CourseError(
            f"{item.nodeid}: tests of an exercise are plain functions",
            f"{item.nodeid}：练习的测试必须是普通函数",
        )
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    names = [name for name in inspect.signature(item.obj).parameters if name not in parameters]
    unknown = [name for name in (*names, *_used_fixtures(item)) if name not in FIXTURES]
    if unknown:
        raise CourseError(
            f"{item.nodeid} asks for the fixture {unknown[0]!r}; it may use {', '.join(FIXTURES)}",
            f"{item.nodeid} 要用 fixture {unknown[0]!r}；可用的只有 {'、'.join(FIXTURES)}",
        )
    siblings = sum(1 for other in items if isinstance(other, pytest.Function) and other.obj is item.obj)
    return TestCase(
        name=item.name,
        function=item.obj,
        fixtures=tuple(names),
        parameters=dict(parameters),
        points=points_of(item) / siblings,
        sentence=sentence_of(item.obj.__doc__),
        visibility=visibility,
        own_limits=limits_of(item),
        questions=questions,
        uses=uses.get(item.obj.__name__, frozenset()).union(
            value for value in parameters.values() if isinstance(value, str)
        ),
    )
