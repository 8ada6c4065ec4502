"""How late something is, and what that takes from its points. Pure functions of times and of the course's rule."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from msgspec import Struct

from autograder.results import LateRule, Submitted, TimeSource, total

DAY = timedelta(days=1)


class Deadline(Struct, frozen=True):
    """When one student's work on an assignment is due, and what follows from handing it in later.

    extended: the due date that holds in place of `due`, never before it, and `reason` why. late_days: how many of the
    student's are spent here.
    """

    due: datetime
    rule: LateRule = LateRule()
    extended: datetime | None = None
    reason: str = ""
    late_days: int = 0

    @property
    def holds(self) -> datetime:
        """The due date that holds."""
        return max(self.due, self.extended) if self.extended else self.due


class Lateness(Struct, frozen=True):
    """How late one attempt is, and what follows.

    late: after the due date that holds. needed: late days that would make it punctual. late_days: of those spent on its
    assignment, how many it makes use of. units: started days or hours that are left. taken: the share of its points that is
    lost. too_late: it came after the hard stop and counts nothing.
    """

    deadline: Deadline
    submitted: Submitted
    late: timedelta = timedelta()
    needed: int = 0
    late_days: int = 0
    units: int = 0
    taken: float = 0.0
    too_late: bool = False

    @property
    def in_grace(self) -> bool:
        """Whether it is late, and so little that it counts as punctual."""
        return bool(self.late) and self.needed == 0 and not self.too_late

    def applied(self, points: float) -> float:
        """What is left of the points that the attempt earned."""
        return 0.0 if self.too_late else total([points * (1.0 - self.taken)])


def lateness_of(submitted: Submitted, deadline: Deadline) -> Lateness:
    """The later, the larger the share that is taken; the later the deadline or the more late days, the smaller.

    The hard stop is counted from the due date that holds; late days don't move it.
    """
    rule, late = deadline.rule, max(submitted.at - deadline.holds, timedelta())
    if submitted.source is TimeSource.CANVAS_ON_TIME:
        late = timedelta()
    if late <= rule.grace:
        return Lateness(deadline, submitted, late)
    if rule.cutoff is not None and late > rule.cutoff:
        return Lateness(deadline, submitted, late, too_late=True)
    needed = math.ceil((late - rule.grace) / DAY)
    spent = min(deadline.late_days, needed)
    left = late - spent * DAY
    units = 0 if left <= rule.grace else math.ceil(left / rule.period)
    taken = min(units * (rule.penalty or 0.0), 1.0 if rule.cap is None else rule.cap)
    return Lateness(deadline, submitted, late, needed, spent, units, taken)
