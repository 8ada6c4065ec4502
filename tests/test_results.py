"""The plain data that crosses rooms."""

from __future__ import annotations

from autograder.results import Outcome, TestResult, Visibility, by_function, function_of


def result(name: str) -> TestResult:
    return TestResult(
        name=name, visibility=Visibility.HIDDEN, outcome=Outcome.PASSED, score=1.0, max_score=1.0
    )


def test_by_function() -> None:
    """In the order of the functions, whichever way their parameter sets are mixed; a name may hold brackets."""
    names = ["test_b[1]", "test_a", "test_b[x[0]]", "test_ab[1]"]
    grouped = by_function(map(result, names))
    assert {name: [test.name for test in tests] for name, tests in grouped.items()} == {
        "test_b": ["test_b[1]", "test_b[x[0]]"],
        "test_a": ["test_a"],
        "test_ab": ["test_ab[1]"],
    }
    assert list(grouped) == ["test_b", "test_a", "test_ab"]
    assert function_of("test_scale[3]") == "test_scale"
