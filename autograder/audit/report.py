"""What an audit says: plain data, passed from the workers to whoever asked."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from autograder.text import Text

TITLES = {
    1: Text("reference and accepted solutions", "参考答案与其他正确解法"),
    2: Text("skeleton", "骨架"),
    3: Text("misconceptions", "常见误解"),
    4: Text("cheap answers", "敷衍的答案"),
    5: Text("oracle", "独立对照"),
    6: Text("leaks and freshness", "泄漏与新鲜度"),
    7: Text("lessons", "讲义"),
    8: Text("form and cost", "格式与开销"),
}
ON_REQUEST = {9: Text("counterexamples", "反例")}  # points that are shown where they are asked for


class Finding(Struct, frozen=True):
    """What was shown, what was wrong, and what an author may want to change."""

    summary: str
    problems: Sequence[str]
    warnings: Sequence[str] = ()


class Point(Struct, frozen=True, kw_only=True):
    """One point of the audit: green, or the problems found. A warning does not make it red."""

    number: int
    title: Text
    summary: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0  # of CPU, all processes together

    @property
    def green(self) -> bool:
        return not self.problems


class ExerciseAudit(Struct, frozen=True, kw_only=True, tag="finished"):
    """The audit of one exercise. `problem` says why it has no points, if the audit itself came to grief."""

    exercise: str
    green: bool
    seconds: float = 0.0  # of CPU, all processes together
    tests: int = 0
    misconceptions: int = 0
    points: tuple[Point, ...] = ()
    problem: str = ""


class Begun(Struct, frozen=True, tag="begun"):
    """A worker has taken this exercise up."""

    exercise: str


class Refused(Struct, frozen=True, tag="refused"):
    """Nothing can be audited here, and why."""

    why: Text


class Ended(Struct, frozen=True, tag="ended"):
    """The end of a run. CPU seconds, of every process that it started.

    start: imports, and the zygotes. oracles: the import of the oracle libraries, and pytest's own work beside it.
    """

    seconds: float
    start: float
    oracles: float


Event = Begun | ExerciseAudit | Refused | Ended
