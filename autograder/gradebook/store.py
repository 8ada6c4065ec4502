"""Where results are kept: SQLite by default, PostgreSQL by URL. Rows are added, never changed or removed.

A result is stored once under its content key; an attempt says that a student handed in that content. Recording is one
transaction, so a grader that is killed leaves whole results only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from msgspec import to_builtins
from msgspec.structs import replace
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import (
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from autograder.gradebook import regrades, unrecognised
from autograder.gradebook.adjustments import (
    NEW_STUDENT,
    Adjustment,
    add_adjustments,
    add_counter_entry,
    check_adjustment,
    one_adjustment,
    read_adjustments,
    unknown_section,
    unknown_student,
)
from autograder.gradebook.attempts import Attempt as Attempt
from autograder.gradebook.database import (
    GradebookError,
    closed_on_failure,
    is_held,
    open_engine,
    redacted_url,
    remove_unused,
    translate_errors,
    write_ahead,
)
from autograder.gradebook.extensions import Extension, add_extensions, read_extensions, undo_extension
from autograder.gradebook.policy import Rules
from autograder.gradebook.regrades import (
    HANDED_IN,
    NOT_UNDONE,
    WITH_REGRADES,
    KeptShare,
    Regrade,
    Regraded,
    kept_by,
)
from autograder.gradebook.result_rows import (
    attempt_of,
    attempt_rows,
    id_of_result,
    in_brief,
    key_of,
    says_the_same,
    tests_of,
)
from autograder.gradebook.roster import Person, updated
from autograder.gradebook.schema import (
    APPLICATION,
    ROSTER_FIELDS,
    SCHEMA,
    adjustments_table,
    attempts_table,
    extensions_table,
    faults_table,
    gradebook_settings,
    lms_ids_table,
    metadata,
    results_table,
    roster_table,
    students_table,
)
from autograder.gradebook.submission_times import add_time, newest_times, tells_more, time_of
from autograder.gradebook.unrecognised import Noted
from autograder.results import (
    ExerciseResult,
    Unrecognised,
)

RECORD = (
    attempts_table,
    adjustments_table,
    extensions_table,
    roster_table,
)  # what people would miss; the rest belongs to it
PARAMETERS = 500  # of one statement: databases bound their number


class Gradebook:
    """An open gradebook. A context manager."""

    def __init__(self, place: str) -> None:
        """Open the gradebook at a file name or database URL, creating it where there is none.

        Raises:
            GradebookError: it can't be opened, or it is somebody else's database.
        """
        self._engine = open_engine(place)
        self.name = redacted_url(place)
        self._new = False  # whether this made it
        self._writer = self._engine.execution_options(writes=True)
        with closed_on_failure(self._engine), translate_errors(self.name):
            self._create()

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_exception: object) -> None:
        self._engine.dispose()
        if self._new and kind is not None:  # a command that was refused leaves no empty file behind
            remove_unused(self._engine.url, [table.name for table in RECORD])

    def _create(self) -> None:
        """Make the tables where there are none; refuse a database that is not ours, without touching it."""
        try:
            self._create_or_check()
        except (OperationalError, ProgrammingError, IntegrityError) as error:
            if is_held(error):
                raise  # to wait as long once more would help nobody
            self._create_or_check()  # another program may have made the same new gradebook meanwhile
        write_ahead(self._engine)

    def _create_or_check(self) -> None:
        present = set(sa.inspect(self._engine).get_table_names())
        if present and gradebook_settings.name not in present:
            raise GradebookError(
                f"{self.name} is a database of something else (it has a table {min(present)!r}); "
                "choose another file or URL",
                f"{self.name} 是别的程序的数据库（其中有表 {min(present)!r}）；请另选文件或 URL",
            )
        with self._writer.begin() as connection:  # one transaction: killed half-way, it leaves nothing
            metadata.create_all(connection)
            settings = {row.name: row.value for row in connection.execute(sa.select(gradebook_settings))}
            if not settings:
                rows = [{"name": "application", "value": APPLICATION}, {"name": "schema", "value": SCHEMA}]
                connection.execute(sa.insert(gradebook_settings), rows)
                self._new = True
            elif settings.get("application") != APPLICATION or settings.get("schema") != SCHEMA:
                schema = settings.get("schema")
                raise GradebookError(
                    f"{self.name} was written by another version (schema {schema}, "
                    f"this one reads {SCHEMA}); use the version that wrote it, or begin a new gradebook",
                    f"{self.name} 由另一版本写成（schema {schema}，本版本读取 {SCHEMA}）；请使用写成它的版本，或另建成绩册",
                )

    # ------------------------------------------------------------------------------------------ writing

    def add_students(self, names: list[str]) -> None:
        """Make sure these students have a row, with or without attempts."""
        with translate_errors(self.name), self._writer.begin() as connection:
            _add_students(connection, names)

    def record(self, result: ExerciseResult) -> None:
        """Keep a result and the attempt it belongs to. Recording the same thing twice changes nothing."""
        with translate_errors(self.name):
            try:
                self._record(result)
            except IntegrityError:  # another grader stored the same key first; its row serves as well
                self._record(result)

    def _record(self, result: ExerciseResult) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        with self._writer.begin() as connection:
            _add_students(connection, [result.student])
            # Two graders of one student take turns, so that neither records what the other just has. SQLite has one writer.
            connection.execute(
                sa.select(students_table).where(students_table.c.name == result.student).with_for_update()
            )
            times = newest_times()
            latest = connection.execute(
                sa.select(
                    HANDED_IN.label("attempt_id"),
                    results_table,
                    faults_table.c.detail,
                    times.c.submitted_at,
                    times.c.source,
                )
                .select_from(
                    WITH_REGRADES.join(results_table, results_table.c.id == attempts_table.c.result_id)
                    .outerjoin(faults_table)
                    .outerjoin(times, times.c.attempt_id == HANDED_IN)
                )
                .where(
                    attempts_table.c.student == result.student,
                    attempts_table.c.exercise == result.exercise,
                    NOT_UNDONE,
                )
                .order_by(HANDED_IN.desc(), attempts_table.c.id.desc())
                .limit(1)
            ).first()
            key = key_of(result)
            if latest is not None and says_the_same(latest, result, key):
                if result.submitted is not None and tells_more(result.submitted, time_of(latest)):
                    add_time(connection, latest.attempt_id, result.submitted)
                return
            result_id = id_of_result(connection, result, key, now)
            added = connection.execute(
                sa.insert(attempts_table).values(
                    student=result.student,
                    exercise=result.exercise,
                    result_id=result_id,
                    path=result.path,
                    recorded_at=now,
                )
            )
            if result.submitted is not None:
                assert added.inserted_primary_key is not None  # as in _insert_result
                add_time(connection, added.inserted_primary_key[0], result.submitted)

    def keep(self, result: ExerciseResult) -> None:
        """Keep a result under its key, without an attempt: nobody's score follows from it. What has no key is not kept."""
        key = key_of(result)
        if key is None:
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        with translate_errors(self.name):
            try:
                with self._writer.begin() as connection:
                    id_of_result(connection, result, key, now)
            except IntegrityError:  # another grader stored the same key first
                pass

    def add_regrade(
        self,
        found: Iterable[Regraded],
        kept: Mapping[int, float],
        *,
        who: str,
        reason: str,
        rules: Rules | None = None,
    ) -> int:
        """Apply a regrade, all of it or nothing; its number. See `regrades.add_regrade`."""
        with translate_errors(self.name), self._writer.begin() as connection:
            return regrades.add_regrade(connection, found, kept, who, reason, rules)

    def undo_regrade(self, number: int, *, who: str, reason: str = "") -> Regrade:
        """Let the attempts count again that counted before a regrade; which one that was. All stay on record.

        Raises:
            GradebookError: there is no such regrade, or it is undone already.
        """
        with translate_errors(self.name), self._writer.begin() as connection:
            return regrades.undo_regrade(connection, self.name, number, who, reason)

    def note_rules(self, rules: Rules) -> None:
        """Note the course's rules, where none are noted: what a later regrade compares with."""
        if self.rules(first=True) is None:
            with translate_errors(self.name), self._writer.begin() as connection:
                regrades.add_rules(connection, rules)

    def adjust(
        self, student: str, exercise: str, points: float, *, reason: str, who: str, new_student: bool = False
    ) -> None:
        """Give or take points by hand. Kept beside the attempts, never in place of them."""
        self.adjust_all([(student, exercise, points, reason)], who=who, new_students=new_student)

    def adjust_all(
        self, given: Sequence[tuple[str, str, float, str]], *, who: str, new_students: bool = False
    ) -> None:
        """(student, exercise, points, reason) of many adjustments by one person; all of them are made, or none.

        Raises:
            GradebookError: a number of points or a reason is none, or a student is unknown and `new_students` is off.
        """
        for row in given:
            check_adjustment(*row)
        names = sorted({student for student, *_ in given})
        with translate_errors(self.name), self._writer.begin() as connection:
            self._enrol(connection, names, new_students)
            add_adjustments(connection, given, who)

    def _enrol(self, connection: sa.Connection, names: list[str], new_students: bool) -> None:
        """Make sure these students have a row; GradebookError where one is unknown, and new ones are not expected."""
        known = _everybody(connection)
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None and not new_students:
            raise unknown_student(self.name, unknown, known, _people(connection), NEW_STUDENT)
        _add_students(connection, names)

    def extend(self, given: Sequence[Extension], *, who: str, new_students: bool = False) -> None:
        """Give more time, to students or to sections of the roster; all of it is given, or none.

        Raises:
            GradebookError: an extension says nothing, a student is unknown and `new_students` is off, or no student on the
                roster is in a section.
        """
        for one in given:
            one.check()
        names = sorted({one.student for one in given if one.student})
        with translate_errors(self.name), self._writer.begin() as connection:
            self._enrol(connection, names, new_students)
            sections = {person.section for person in _people(connection).values()}
            for one in given:
                if one.section and one.section not in sections:
                    raise unknown_section(self.name, one.section, sections)
            add_extensions(connection, given, who)

    def undo_extension(self, number: int, *, who: str, reason: str = "") -> Extension:
        """Take an extension back by a counter-entry; which one that was. GradebookError as for `undo`."""
        with translate_errors(self.name), self._writer.begin() as connection:
            return undo_extension(connection, self.name, number, who, reason)

    def adjustment(self, number: int) -> Adjustment:
        """The adjustment of this number; GradebookError where there is none."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return one_adjustment(connection, self.name, number)

    def undo(self, number: int, *, who: str, reason: str = "") -> Adjustment:
        """Take an adjustment back by a counter-entry; which one that was. Both stay on record.

        Raises:
            GradebookError: there is no such adjustment, or it is undone already, or is a counter-entry itself.
        """
        with translate_errors(self.name), self._writer.begin() as connection:
            return add_counter_entry(connection, self.name, number, who, reason)

    def import_roster(self, people: list[Person]) -> int:
        """Keep a roster, completing what is known already; how many of them are new or have changed."""
        now = datetime.now(UTC).replace(tzinfo=None)
        with translate_errors(self.name), self._writer.begin() as connection:
            known = _people(connection)
            rows = [updated(known.get(person.student), person) for person in people]
            fresh = [person for person in rows if known.get(person.student) != person]
            told = [{**to_builtins(person), "recorded_at": now} for person in fresh]
            if told:
                columns = (*ROSTER_FIELDS, "recorded_at")
                connection.execute(
                    sa.insert(roster_table), [{name: row[name] for name in columns} for row in told]
                )
            numbered = [
                {name: row[name] for name in ("student", "lms_id", "recorded_at")}
                for row in told
                if row["lms_id"]
            ]
            if numbered:
                connection.execute(sa.insert(lms_ids_table), numbered)
        return len(fresh)

    def note_unrecognised(self, source: str, found: Mapping[str, Sequence[Unrecognised]]) -> None:
        """Keep which files of these students nobody could place when `source` was graded; the last time counts."""
        with translate_errors(self.name), self._writer.begin() as connection:
            unrecognised.note(connection, source, found)

    # ------------------------------------------------------------------------------------------ reading

    def newest(self) -> str:
        """A text that is another one once an attempt or an adjustment is recorded."""
        newest = [
            sa.select(sa.func.max(table.c.id)).scalar_subquery()
            for table in (attempts_table, adjustments_table)
        ]
        students = sa.select(sa.func.count()).select_from(students_table).scalar_subquery()
        with translate_errors(self.name), self._engine.connect() as connection:
            row = connection.execute(sa.select(*newest, students)).one()
        return "-".join(str(number or 0) for number in row)

    def unrecognised(self, student: str | None = None) -> dict[str, list[Noted]]:
        """Student -> files that nobody could place, from each folder as it was graded last; everybody's by default."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return unrecognised.noted(connection, student)

    def roster(self) -> dict[str, Person]:
        """Student -> what others call them, for those who are on a roster."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return _people(connection)

    def extensions(self, student: str | None = None) -> list[Extension]:
        """All extensions, oldest first; of one student and of the section that they are in, where named."""
        with translate_errors(self.name), self._engine.connect() as connection:
            person = _people(connection).get(student) if student is not None else None
            return read_extensions(connection, student, person.section if person else "")

    def regrades(self) -> list[Regrade]:
        """All regrades, oldest first, with those that were undone."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return regrades.read_regrades(connection)

    def places_of_regrade(self, number: int) -> list[tuple[str, str]]:
        """(student, exercise) on which a regrade added or kept something."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return regrades.places_of_regrade(connection, number)

    def rules(self, *, first: bool = False) -> Rules | None:
        """The course's rules as they were noted last, or before any regrade; None where they were not."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return regrades.first_rules(connection) if first else regrades.read_rules(connection)

    def known(self, key: str) -> ExerciseResult | None:
        """The result recorded under a content key, without a student."""
        with translate_errors(self.name), self._engine.connect() as connection:
            row = connection.execute(sa.select(results_table).where(results_table.c.key == key)).first()
            if row is None:
                return None
            return replace(in_brief(row), output=row.output, tests=tests_of(connection, [row.id])[row.id])

    def latest(
        self, students: Sequence[str], exercises: Sequence[str]
    ) -> dict[tuple[str, str], ExerciseResult]:
        """(student, exercise) -> the result of the last attempt, for these students and exercises."""
        table = attempts_table.c
        found = self._attempts(table.student.in_(students), table.exercise.in_(exercises))
        attempts = [history[-1] for history in found.values()]
        return {(result.student, result.exercise): result for result in self.in_full(attempts)}

    def students(self) -> list[str]:
        """The class: everybody who handed something in, has a folder or is on the roster."""
        with translate_errors(self.name), self._engine.connect() as connection:
            return _everybody(connection)

    def exercises(self, student: str | None = None, exercises: Sequence[str] | None = None) -> set[str]:
        """The exercises on which anything is recorded: of one student, among some exercises, where named."""
        both = sa.union(
            *(
                sa.select(table.c.exercise).where(*_about(table, student, exercises))
                for table in (attempts_table, adjustments_table)
            )
        )
        with translate_errors(self.name), self._engine.connect() as connection:
            return set(connection.scalars(both))

    def check_student(self, name: str) -> None:
        """GradebookError, with those who may be meant, where nobody in the class is called so."""
        with translate_errors(self.name), self._engine.connect() as connection:
            known = _everybody(connection)
            if name not in known:
                raise unknown_student(self.name, name, known, _people(connection))

    def attempts(
        self, student: str | None = None, exercises: Sequence[str] | None = None
    ) -> dict[tuple[str, str], list[Attempt]]:
        """(student, exercise) -> all attempts, in the order in which they were handed in, with their results in brief.

        An attempt that a regrade stands for is not among them: the regrade's is, in its place. `every_attempt` has both.

        Args:
            student: whose; None for everybody's.
            exercises: on which exercises; None for all.
        """
        return self._attempts(*_about(attempts_table, student, exercises))

    def _attempts(self, *conditions: sa.ColumnElement[bool]) -> dict[tuple[str, str], list[Attempt]]:
        """As `attempts`, where these conditions hold."""
        found: dict[tuple[str, str], dict[int, Attempt]] = {}
        with translate_errors(self.name), self._engine.connect() as connection:
            kept = regrades.read_kept_shares(connection, conditions)
            for row in attempt_rows(connection, *conditions, NOT_UNDONE):
                place = row.student, row.exercise
                attempt = attempt_of(row)
                if place in kept:
                    share = kept_by(kept[place], attempt.handed_in, attempt.result.content)
                    attempt = replace(attempt, kept=share)
                found.setdefault(place, {})[attempt.handed_in] = attempt  # the last regrade, in its place
        return {place: list(attempts.values()) for place, attempts in found.items()}

    def every_attempt(
        self, student: str, exercises: Sequence[str] | None = None
    ) -> list[tuple[Attempt, int | None]]:
        """One student's attempts as they were recorded, each with the number of the regrade that added it, undone or not."""
        with translate_errors(self.name), self._engine.connect() as connection:
            rows = attempt_rows(connection, *_about(attempts_table, student, exercises))
            return [(attempt_of(row), row.regrade_id) for row in rows]

    def kept_shares(
        self, student: str, exercises: Sequence[str] | None = None
    ) -> dict[tuple[str, str], list[KeptShare]]:
        """(student, exercise) -> the shares that one student's work kept, by regrades that were undone, too."""
        with translate_errors(self.name), self._engine.connect() as connection:
            conditions = _about(attempts_table, student, exercises)
            return regrades.read_kept_shares(connection, conditions, undone=True)

    def by_key(self, keys: Sequence[str]) -> dict[str, tuple[int, ExerciseResult]]:
        """Key -> number and result in brief, of those of these keys that are kept."""
        brief = [column for column in results_table.c if column is not results_table.c.output]
        found = {}
        with translate_errors(self.name), self._engine.connect() as connection:
            for start in range(0, len(keys), PARAMETERS):
                chosen = results_table.c.key.in_(keys[start : start + PARAMETERS])
                for row in connection.execute(sa.select(*brief).where(chosen)):
                    found[row.key] = row.id, in_brief(row)
        return found

    def in_full(self, attempts: Iterable[Attempt]) -> list[ExerciseResult]:
        """The results of these attempts, in their order, with all that is recorded of them."""
        attempts = list(attempts)
        full: list[ExerciseResult] = []
        with translate_errors(self.name), self._engine.connect() as connection:
            for start in range(0, len(attempts), PARAMETERS):
                part = attempts[start : start + PARAMETERS]
                ids = sorted({attempt.result_id for attempt in part})
                query = (
                    sa.select(results_table.c.id, results_table.c.output, faults_table.c.detail)
                    .select_from(results_table.outerjoin(faults_table))
                    .where(results_table.c.id.in_(ids))
                )
                rest = {row.id: row for row in connection.execute(query)}
                tests = tests_of(connection, ids)
                for attempt in part:
                    row = rest[attempt.result_id]
                    more = {"output": row.output, "detail": row.detail or "", "tests": tests[row.id]}
                    full.append(replace(attempt.result, **more))
        return full

    def adjustments(
        self, student: str | None = None, exercises: Sequence[str] | None = None
    ) -> dict[tuple[str, str], list[Adjustment]]:
        """(student, exercise) -> adjustments, oldest first; of one student, or on some exercises, where named."""
        with translate_errors(self.name), self._engine.connect() as connection:
            rows = read_adjustments(connection, _about(adjustments_table, student, exercises))
        found: dict[tuple[str, str], list[Adjustment]] = {}
        for adjustment in rows:
            found.setdefault((adjustment.student, adjustment.exercise), []).append(adjustment)
        return found


def _about(
    table: sa.Table, student: str | None, exercises: Sequence[str] | None
) -> list[sa.ColumnElement[bool]]:
    """The conditions that a row is about this student and one of these exercises."""
    conditions: list[sa.ColumnElement[bool]] = []
    if student is not None:
        conditions.append(table.c.student == student)
    if exercises is not None:
        conditions.append(table.c.exercise.in_(exercises))
    return conditions


def _add_students(connection: sa.Connection, names: list[str]) -> None:
    known = set(connection.scalars(sa.select(students_table.c.name).where(students_table.c.name.in_(names))))
    missing = [{"name": name} for name in dict.fromkeys(names) if name not in known]
    if missing:
        insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
        # Another grader may add them between these two statements.
        connection.execute(insert(students_table).on_conflict_do_nothing(), missing)


def _everybody(connection: sa.Connection) -> list[str]:
    both = sa.union(sa.select(students_table.c.name), sa.select(roster_table.c.student)).subquery()
    return list(connection.scalars(sa.select(both.c.name).order_by(both.c.name)))


def _people(connection: sa.Connection) -> dict[str, Person]:
    rows = connection.execute(sa.select(roster_table).order_by(roster_table.c.id))
    numbered = connection.execute(sa.select(lms_ids_table).order_by(lms_ids_table.c.id))
    numbers = {row.student: row.lms_id for row in numbered}
    found = (Person(**{name: getattr(row, name) for name in ROSTER_FIELDS}) for row in rows)
    return {person.student: replace(person, lms_id=numbers.get(person.student, "")) for person in found}
