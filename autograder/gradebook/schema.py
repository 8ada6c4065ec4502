"""The tables of a gradebook. Rows are added, never changed or removed."""

from __future__ import annotations

import sqlalchemy as sa

from autograder.gradebook.roster import Person

APPLICATION, SCHEMA = "llm-autograder", "1"

ROSTER_FIELDS = [name for name in Person.__struct_fields__ if name != "lms_id"]

metadata = sa.MetaData()
gradebook_settings = sa.Table(
    "gradebook",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
students_table = sa.Table("students", metadata, sa.Column("name", sa.String, primary_key=True))
results_table = sa.Table(
    "results",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "key", sa.String, unique=True
    ),  # NULL: not gradable by content (unreadable file, fault of ours)
    sa.Column("exercise", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("max_score", sa.Float, nullable=False),
    sa.Column("isolation", sa.String, nullable=False),
    sa.Column("message_en", sa.String, nullable=False),
    sa.Column("message_zh", sa.String, nullable=False),
    sa.Column("output", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
tests_table = sa.Table(
    "tests",
    metadata,
    sa.Column("result_id", sa.ForeignKey("results.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("visibility", sa.String, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("max_score", sa.Float, nullable=False),
    sa.Column("diagnosis", sa.String),
    sa.Column("question", sa.String),
    sa.Column("message_en", sa.String, nullable=False),
    sa.Column("message_zh", sa.String, nullable=False),
)
# A table of its own, so that gradebooks from before it was thought of get it when they are opened.
faults_table = sa.Table(
    "faults",
    metadata,
    sa.Column("result_id", sa.ForeignKey("results.id"), primary_key=True),
    sa.Column("detail", sa.String, nullable=False),  # why the result is ungraded
)
attempts_table = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("student", sa.ForeignKey("students.name"), nullable=False, index=True),
    sa.Column("exercise", sa.String, nullable=False),
    sa.Column("result_id", sa.ForeignKey("results.id"), nullable=False),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
adjustments_table = sa.Table(
    "adjustments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("student", sa.ForeignKey("students.name"), nullable=False),
    sa.Column("exercise", sa.String, nullable=False),
    sa.Column("points", sa.Float, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
# The adjustments that undo others: one is undone once.
counter_entries_table = sa.Table(
    "counter_entries",
    metadata,
    sa.Column("adjustment_id", sa.ForeignKey("adjustments.id"), primary_key=True),
    sa.Column("undoes", sa.ForeignKey("adjustments.id"), nullable=False, unique=True),
)
# Rows are added here, too: the last one of each student holds.
roster_table = sa.Table(
    "roster",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ROSTER_FIELDS),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
# Two tables of their own, as `faults` is one, so that older gradebooks get them. The last row of each student holds.
lms_ids_table = sa.Table(
    "lms_ids",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("student", sa.String, nullable=False),
    sa.Column("lms_id", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
# The last row of each student and source holds.
unrecognised_table = sa.Table(
    "unrecognised",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("student", sa.ForeignKey("students.name"), nullable=False, index=True),
    sa.Column("source", sa.String, nullable=False),  # the folder that was graded
    sa.Column("files", sa.String, nullable=False),  # JSON: `autograder.gradebook.unrecognised.Kept`
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
# When attempts were handed in, and who says so. The last row of each attempt holds.
submission_times_table = sa.Table(
    "submission_times",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("attempt_id", sa.ForeignKey("attempts.id"), nullable=False, index=True),
    sa.Column("submitted_at", sa.DateTime, nullable=False),  # UTC
    sa.Column("source", sa.String, nullable=False),  # a TimeSource
)
# More time for a student, or for a section of the roster.
extensions_table = sa.Table(
    "extensions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("student", sa.ForeignKey("students.name")),
    sa.Column("section", sa.String),
    sa.Column("assignment", sa.String, nullable=False),
    sa.Column("until", sa.DateTime),  # UTC
    sa.Column("days", sa.Float),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
# The extensions that undo others: one is undone once.
extension_counter_entries_table = sa.Table(
    "extension_counter_entries",
    metadata,
    sa.Column("extension_id", sa.ForeignKey("extensions.id"), primary_key=True),
    sa.Column("undoes", sa.ForeignKey("extensions.id"), nullable=False, unique=True),
)
# A regrade: its attempts stand for earlier ones. One that was undone has a row in `undone_regrades`, and counts no more.
regrades_table = sa.Table(
    "regrades",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
undone_regrades_table = sa.Table(
    "undone_regrades",
    metadata,
    sa.Column("regrade_id", sa.ForeignKey("regrades.id"), primary_key=True),  # one is undone once
    sa.Column("who", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
regraded_attempts_table = sa.Table(
    "regraded_attempts",
    metadata,
    sa.Column("attempt_id", sa.ForeignKey("attempts.id"), primary_key=True),
    sa.Column("regrade_id", sa.ForeignKey("regrades.id"), nullable=False, index=True),
    # The attempt with which this was handed in: it is no regrade's itself.
    sa.Column("stands_for", sa.ForeignKey("attempts.id"), nullable=False),
)
# The share of an exercise's points that what was handed in with an attempt keeps, whatever it is graded again with.
kept_shares_table = sa.Table(
    "kept_shares",
    metadata,
    sa.Column("regrade_id", sa.ForeignKey("regrades.id"), primary_key=True),
    sa.Column("attempt_id", sa.ForeignKey("attempts.id"), primary_key=True),
    sa.Column("share", sa.Float, nullable=False),
)
# The course's rules when the first work was graded, and those of each regrade after which others held.
rules_table = sa.Table(
    "rules",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("regrade_id", sa.ForeignKey("regrades.id")),
    sa.Column("rules", sa.String, nullable=False),  # JSON: `autograder.gradebook.policy.Rules`
    sa.Column("recorded_at", sa.DateTime, nullable=False),
)
