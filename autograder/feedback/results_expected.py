"""A result too few: the test takes a call's answer apart, and the answer has another number of parts.

A tensor can be taken apart, too, along its first axis, so that the test goes on with the wrong things.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autograder.remote.proxy import Call
from autograder.runner.collect import TestCase
from autograder.text import Text

EXPECTED = Text(
    "{call} should give {wanted} results, and gives {got}.",
    "{call} 应返回 {wanted} 个结果，而你的返回了{got}。",
)
ONE_TENSOR = Text("one: a tensor of shape {shape}", "一个：形状为 {shape} 的张量")
NOTHING = Text("none: a `return` may be missing", "空值，可能漏了 `return`")
ONE = Text("one", "一个")
SEVERAL = Text("{n}", " {n} 个")


def results_expected(case: TestCase, trace: Sequence[Call]) -> Text | None:
    """What is wrong with the number of results that a call gave in this test; None where nothing is."""
    for call in trace:
        wanted = case.results.get(call.path)
        if wanted is None or isinstance(call.result, Exception):
            continue
        parts = isinstance(call.result, tuple | list)
        if not parts or len(call.result) != wanted:
            return EXPECTED.format(
                call=call.path.replace("()", "(...)"), wanted=wanted, got=_got(call.result)
            )
    return None


def _got(result: object) -> Text:
    if result is None:
        return NOTHING
    if isinstance(result, tuple | list):
        return SEVERAL.format(n=len(result))
    return ONE_TENSOR.format(shape=list(result.shape)) if isinstance(result, Tensor) else ONE
