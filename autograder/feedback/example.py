"""The smallest input on which a submission is wrong, as its author reads it: the call, what their code gives, what is right."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from autograder.feedback.as_python import as_python, call, described
from autograder.feedback.explain import family
from autograder.feedback.handed_in import HandedIn
from autograder.remote.errors import StudentError
from autograder.text import Text, joined

WIDTH = 88  # of a call; a longer one has a line for each argument
MOST = 12  # numbers and words of an answer
OURS = re.compile(
    r"torch\.tensor|[][(){},]"
)  # of a value's text: it says nothing that a submission could choose at length

EXAMPLE = Text("The smallest example found:", "找到的最小例子：")
GIVEN = Text("your code  {value}", "你的代码  {value}")
RIGHT = Text("right      {value}", "正确结果  {value}")
RAISES = Text("raises {error}", "抛出 {error}")
OTHER = Text("another result", "另一个结果")


class ShownCall(NamedTuple):
    """One call. `made`: the name that its result gets, where a later call needs it. `names`: of its parameters, in order."""

    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    made: str = ""
    names: Sequence[str] = ()


class Named(NamedTuple):
    """An argument that an earlier call has made."""

    name: str


def example(calls: Sequence[ShownCall], given: Any, right: Any, handed_in: HandedIn) -> Text:
    """The calls are our own words, and so is the right answer. What the submission gives is its own, and there is room for few."""
    shown = "\n".join(f"  {line}" for each in calls for line in _lines(each))
    told = GIVEN.format(value=_given(given, handed_in))
    return joined(
        EXAMPLE,
        Text(shown, shown),
        _indented(told),
        _indented(RIGHT.format(value=_right(right))),
    )


def _right(value: Any) -> Text:
    return RAISES.format(error=family(value)) if isinstance(value, StudentError) else described(value, MOST)


def _given(value: Any, handed_in: HandedIn) -> Text:
    if isinstance(value, StudentError):
        return RAISES.format(error=family(value))
    said = described(value, MOST)
    words = " ".join(OURS.sub(" ", said.en).split())
    return said if handed_in.told(Text(words, words), example=True).en == words else OTHER


def _lines(each: ShownCall) -> list[str]:
    args = [_expression(arg) for arg in each.args]
    kwargs = {key: _expression(arg) for key, arg in each.kwargs.items()}
    first = f"{each.made} = {each.name}" if each.made else each.name
    line = call(first, args, kwargs)
    if len(line) <= WIDTH:
        return [line]
    named = [*each.names, *([""] * len(args))][: len(args)]
    positional = [
        f"{said},  # {name}" if name else f"{said}," for said, name in zip(args, named, strict=True)
    ]
    return [
        f"{first}(",
        *(f"    {said}" for said in positional),
        *(f"    {k}={v}," for k, v in kwargs.items()),
        ")",
    ]


def _expression(value: Any) -> str:
    return value.name if isinstance(value, Named) else as_python(value)


def _indented(text: Text) -> Text:
    return Text(f"  {text.en}", f"  {text.zh}")


def name_of_made(function: str, taken: Collection[str]) -> str:
    """A name for what a function or class has made: what KVCache makes is a cache."""
    words = re.findall(r"[A-Z]?[a-z0-9]+", function)
    name = words[-1].lower() if words else "made"
    name = "made" if name == function or keyword.iskeyword(name) else name
    return name if name not in taken else f"{name}_{len(taken) + 1}"
