"""Late penalties in nbgrader's database, as nbgrader itself computes them.

`nbgrader autograde` takes a late penalty from each notebook by the plugin that nbgrader_config.py names. It does not run
ours, so we ask the same plugin. What the formgrader says of due dates and extensions holds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from autograder.errors import UserError

Table = Callable[[str], sa.Table]
# Called with a student, the points of a notebook, and by how many seconds it is late; None for no penalty.
Penalty = Callable[[str, float, float], float | None]


def penalty_of(config: Any) -> Penalty:
    """What an nbgrader configuration takes away for being late: the plugin's answer, within 0 and the points."""
    from nbgrader.preprocessors import AssignLatePenalties  # type: ignore[import-untyped]

    step = AssignLatePenalties(config=config)
    step.init_plugin()
    plugin = step.plugin_inst

    def penalty(student: str, score: float, seconds: float) -> float | None:
        try:
            taken = plugin.late_submission_penalty(student, score, seconds)
            return None if taken is None else min(max(float(taken), 0.0), score)
        except Exception as error:
            name, fault = type(plugin).__name__, f"{type(error).__name__}: {error}"
            raise UserError(
                f"the late penalty plugin {name} of nbgrader_config.py fails ({fault}); mend it. Nothing was written",
                f"nbgrader_config.py 指定的迟交扣分插件 {name} 出错（{fault}）；请修正它。什么都没有写入",
            ) from error

    return penalty


def set_penalties(
    connection: sa.Connection, table: Table, notebooks: set[tuple[str, str, str]], penalty: Penalty
) -> int:
    """Bring the late penalties of these (student, assignment, notebook) up to their scores; how many changed."""
    assignment, notebook, grade = table("Assignment"), table("Notebook"), table("Grade")
    handed_in, submitted = table("SubmittedAssignment"), table("SubmittedNotebook")
    counted = sa.func.coalesce(grade.c.manual_score, grade.c.auto_score, 0.0)
    score = sa.func.coalesce(sa.func.sum(counted + sa.func.coalesce(grade.c.extra_credit, 0.0)), 0.0)
    rows = connection.execute(
        sa.select(
            submitted.c.id,
            submitted.c.late_submission_penalty.label("before"),
            handed_in.c.student_id.label("student"),
            assignment.c.name.label("assignment"),
            notebook.c.name.label("notebook"),
            handed_in.c.timestamp,
            handed_in.c.extension,
            assignment.c.duedate,
            score.label("score"),
        )
        .select_from(
            submitted.join(handed_in, submitted.c.assignment_id == handed_in.c.id)
            .join(assignment, handed_in.c.assignment_id == assignment.c.id)
            .join(notebook, submitted.c.notebook_id == notebook.c.id)
            .outerjoin(grade, grade.c.notebook_id == submitted.c.id)
        )
        .group_by(submitted.c.id, handed_in.c.id, assignment.c.id, notebook.c.id)
    ).all()
    changed = 0
    for row in rows:
        if (row.student, row.assignment, row.notebook) not in notebooks:
            continue
        seconds = _seconds_late(row.timestamp, row.duedate, row.extension)
        taken = penalty(row.student, row.score, seconds) if seconds > 0 else None
        if (taken or 0.0) != (row.before or 0.0):
            new = sa.update(submitted).where(submitted.c.id == row.id).values(late_submission_penalty=taken)
            connection.execute(new)
            changed += 1
    return changed


def _seconds_late(timestamp: datetime | None, due: datetime | None, extension: Any) -> float:
    if timestamp is None or due is None:
        return 0.0
    return float((timestamp - (due + extension if extension else due)).total_seconds())
