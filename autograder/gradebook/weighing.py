"""Which assignments are dropped, and where late days are spent: always the choice that gives the highest final grade.

That is the one rule under which more time, more points or an earlier hand-in never lower anybody's final grade: each
possible choice gives a grade that none of them lowers, and so the highest of these grades isn't lowered either. Late days
that are spent date by date, on whatever attempt happens to count, break it: a better attempt on the first assignment
could take the days that the second one needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

EQUAL = 1e-12  # differences below it are rounding


class Weighed(NamedTuple):
    """One assignment as the final grade sees it.

    shares: its share of the points that can be had, with 0, 1, 2, ... late days spent on it; never falling.
    extra: it adds to the grade, and its weight is not among what can be had. It is never dropped.
    """

    weight: float
    shares: tuple[float, ...]
    extra: bool = False


class Choice(NamedTuple):
    """The final grade as a share, and what leads to it: late days of each assignment, and which are dropped."""

    share: float
    late_days: tuple[int, ...]
    dropped: frozenset[int]


class _State(NamedTuple):
    value: float
    late_days: tuple[int, ...]
    dropped: tuple[int, ...]


def best_choice(assignments: Sequence[Weighed], late_days: int = 0, drop: int = 0) -> Choice | None:
    """The choice with the highest grade; None where there is nothing that could be had.

    Where several give the same, earlier assignments are given the late days, and no day is spent in vain. At least one
    assignment is never dropped.

    The grade is a quotient of two sums. Dinkelbach (1967): it is the number for which the highest value of numerator minus
    number times denominator is zero; each round replaces the number by the quotient of the best choice for it.
    """
    regular = [one for one in assignments if one.weight and not one.extra]
    if not regular:
        return None
    dropped = min(drop, len(regular) - 1)
    choice = Choice(-1.0, (), frozenset())
    share = 0.0
    while share > choice.share + EQUAL:
        state = _best(assignments, late_days, dropped, share)
        choice = Choice(share, state.late_days, frozenset(state.dropped))
        share = _share(assignments, state)
    return choice._replace(share=share)


def _share(assignments: Sequence[Weighed], state: _State) -> float:
    points = weights = 0.0
    for place, one in enumerate(assignments):
        if place not in state.dropped:
            points += one.weight * one.shares[state.late_days[place]]
            weights += 0.0 if one.extra else one.weight
    return points / weights


def _best(assignments: Sequence[Weighed], late_days: int, drop: int, share: float) -> _State:
    """The choice with the highest sum of weight x (own share - `share`), assignment by assignment."""
    states = {(0, 0): _State(0.0, (), ())}  # (late days spent, assignments dropped) -> the best way there
    for place, one in enumerate(assignments):
        reached: dict[tuple[int, int], _State] = {}
        regular = bool(one.weight) and not one.extra
        for (spent, gone), state in sorted(states.items(), reverse=True):
            for days in range(min(len(one.shares), late_days - spent + 1)):
                if days and one.shares[days] <= one.shares[days - 1] + EQUAL:
                    continue
                gain = one.weight * (one.shares[days] - (0.0 if one.extra else share))
                new = _State(state.value + gain, (*state.late_days, days), state.dropped)
                _keep(reached, (spent + days, gone), new)
            if regular and gone < drop:
                new = _State(state.value, (*state.late_days, 0), (*state.dropped, place))
                _keep(reached, (spent, gone + 1), new)
        states = reached
    ended = [(state.value, -spent, state) for (spent, gone), state in states.items() if gone == drop]
    most = max(value for value, *_ in ended)
    return max((one for one in ended if one[0] >= most - EQUAL), key=lambda one: one[1])[2]


def _keep(reached: dict[tuple[int, int], _State], place: tuple[int, int], new: _State) -> None:
    known = reached.get(place)
    if known is None or new.value > known.value + EQUAL:
        reached[place] = new
