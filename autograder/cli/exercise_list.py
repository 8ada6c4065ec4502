"""`autograder list`: the exercises of a course, how far each is, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from autograder.course.sizes import TIERS
from autograder.learn.states import ExerciseState, State, finished
from autograder.text import Text, number

if TYPE_CHECKING:
    from autograder.cli.common import Speaker
    from autograder.course import Course, Exercise

EXERCISE, TITLE, STATE, MINUTES, TIER, REQUIRES = (
    Text("exercise", "练习"),
    Text("title", "标题"),
    Text("state", "进度"),
    Text("minutes", "分钟"),
    Text("tier", "规模"),
    Text("requires", "先修"),
)
UNIT, DONE, BEGUN, NEXT = (
    Text("unit", "单元"),
    Text("done", "已完成"),
    Text("begun", "已动笔"),
    Text("next", "下一题"),
)
ONE_UNIT = Text("One unit's exercises: autograder list {unit}", "查看一个单元的练习：autograder list {unit}")
STATES = {
    State.NOT_BEGUN: Text("not begun", "未动笔"),
    State.BEGUN: Text("begun", "已动笔"),
    State.PUBLIC: Text("public tests pass", "公开测试通过"),
    State.COMPLETE: Text("complete", "已完成"),
}
POINTS = Text("{state}, {score}/{max_score}", "{state}，{score}/{max_score}")
CHANGED = Text("{state}, changed since the last test", "{state}，测试后又有改动")
WITH_TITLES = 110  # columns of the terminal
STYLES = {State.COMPLETE: "green", State.NOT_BEGUN: "dim"}


def exercise_table(
    exercises: Sequence[Exercise], states: Sequence[ExerciseState], say: Speaker, width: int
) -> Table:
    """One row for each exercise. Titles are shown where the terminal has room for them."""
    titled = width >= WITH_TITLES
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(say(EXERCISE), no_wrap=True)
    table.add_column(say(STATE))
    table.add_column(say(MINUTES), justify="right")
    table.add_column(say(TIER))
    table.add_column(say(REQUIRES), overflow="fold")
    if titled:
        table.add_column(say(TITLE))
    for exercise, state in zip(exercises, states, strict=True):
        public = exercise.public
        required = [name.removeprefix(f"{exercise.unit}/") for name in public.requires]
        cells = [
            exercise.id,
            _state(state, say),
            str(public.minutes),
            say(TIERS[public.tier]),
            "\n".join(required),
        ]
        title = [say(public.title.text)] if titled else []
        table.add_row(*cells, *title, style=STYLES.get(state.state, ""))
    return table


def unit_table(course: Course, states: Sequence[ExerciseState], say: Speaker) -> Table:
    """One row for each unit."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column(say(UNIT), no_wrap=True)
    table.add_column(say(TITLE))
    for head in (DONE, BEGUN, MINUTES):
        table.add_column(say(head), justify="right")
    table.add_column(say(NEXT), overflow="fold")
    known = {state.exercise: state.state for state in states}
    for unit in course.units:
        own = [f"{unit.id}/{topic}" for topic in unit.exercises]
        done = [name for name in own if known[name] is finished(course)]
        begun = [name for name in own if name not in done and known[name] is not State.NOT_BEGUN]
        following = next(iter([*begun, *(name for name in own if name not in done)]), "")
        minutes = sum(course.exercises[name].public.minutes for name in own)
        table.add_row(
            unit.id, say(unit.title.text), f"{len(done)}/{len(own)}", str(len(begun) or ""), str(minutes),
            following.rpartition("/")[2], style="green" if len(done) == len(own) else "",
        )  # fmt: skip
    table.caption = say(ONE_UNIT, unit=course.units[0].id)
    return table


def _state(state: ExerciseState, say: Speaker) -> str:
    told = say(STATES[state.state])
    if state.changed:
        return say(CHANGED, state=told)
    if state.score is None or not state.max_score or state.state is State.COMPLETE:
        return told
    return say(POINTS, state=told, score=number(state.score), max_score=number(state.max_score))
