"""A term of 200 students, written out: the course as it is taught, and what is handed in, collection by collection.

    python examples/term/make.py OUT              # OUT/course, OUT/collected/01 ..., OUT/events.csv, ...
    python examples/term/make.py OUT --small      # 32 students and three weeks, every rule among them
    python examples/term/make.py OUT --run        # and grade it with the real commands, week by week

The same arguments write the same bytes. `script.csv` says what students s001 to s032 do, each for the sake of one rule;
where it is silent they hand in the reference a day before it is due, and no bonus. The others are drawn by chance, from a fixed seed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from contents import MISTAKES, NAMELESS, contents_of  # noqa: E402

from autograder.course import Course, Exercise  # noqa: E402

SEED = 2025
STUDENTS, SCRIPTED = 200, 32
SMALL = ("week1", "week2", "week6")  # the assignments of the small class
PUNCTUAL = -20.0  # hours after the due date: when somebody hands in of whom nothing else is said
# When the folders are emptied, in hours after each due date; once more, days after the last.
# Days after the start: when somebody joins, and when the weights of two tests change.
JOINS, CHANGES = 15, 24
COLLECTED, AT_THE_END = (-72.0, -24.0, -8.0, 1.0), 14
BUG = '    assert ends_of("0123456789")  # a slip of the pen: nothing has this name\n'
BROKEN = ("rag/fixed_chunks", "def test_last_chunk", BUG)


@dataclass(frozen=True)
class Event:
    """One hand-in. form: "" for a file in a folder of its own, "zip" for an archive."""

    student: str
    exercise: str
    content: str
    at: datetime
    form: str = ""


def read(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------ the course


def write_course(out: Path, small: bool) -> Course:
    """A copy of the term's seven exercises with all that grading and feedback take, under the term's policies."""
    for name in MISTAKES:
        unit, topic = name.split("/")
        for pattern in (
            f"course/{unit}/overview*.md", f"course/{unit}/{topic}.*", f"exercises/{unit}/{topic}.*",
            f"exercises/{unit}/test_{topic}.py", f"solutions/{unit}/{topic}.*", f"solutions/{unit}/test_{topic}.py",
            f"tests/accepted/{name}/*.py",
            "solutions/given/*.py", "course/*.*", "exercises/conftest.py",
        ):  # fmt: skip
            for source in ROOT.glob(pattern):
                copy = out / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
    text = (HERE / "course.toml").read_text(encoding="utf-8")
    head, *assignments = text.split("[[assignment]]\n")
    if small:
        assignments = [one for one in assignments if any(f'id = "{name}"' in one for name in SMALL)]
    (out / "course/course.toml").write_text("[[assignment]]\n".join([head, *assignments]), encoding="utf-8")
    for unit in Course.load(ROOT, authoring=True).units:
        topics = [topic for topic in unit.exercises if f"{unit.id}/{topic}" in MISTAKES]
        if topics:
            title = f'title.en = "{unit.title.en}"\ntitle.zh = "{unit.title.zh}"\n'
            listed = ", ".join(f'"{topic}"' for topic in topics)
            path = out / "course" / unit.id / "unit.toml"
            path.write_text(f"{title}exercises = [{listed}]\n", encoding="utf-8")
    return Course.load(out)


def hidden_tests(course: Path, exercise: str) -> Path:
    unit, topic = exercise.split("/")
    return course / "solutions" / unit / f"test_{topic}.py"


def break_test(course: Path) -> None:
    """A fault of the grader's: a hidden test that raises an error of its own, whatever is handed in."""
    exercise, test, bug = BROKEN
    path = hidden_tests(course, exercise)
    before, name, after = path.read_text(encoding="utf-8").partition(test)
    head, end, body = after.partition('    """\n')  # the end of its docstring
    path.write_text(f"{before}{name}{head}{end}{bug}{body}", encoding="utf-8")


def mend_test(course: Path) -> None:
    exercise, _, bug = BROKEN
    path = hidden_tests(course, exercise)
    path.write_text(path.read_text(encoding="utf-8").replace(bug, ""), encoding="utf-8")


def change_weights(course: Path) -> None:
    """What changes in week 4: two hidden tests of one question weigh otherwise, the exercise is worth the same."""
    for row in read("changed_weights.csv"):
        path = hidden_tests(course, row["exercise"])
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        test = next(n for n, line in enumerate(lines) if line.startswith(f"def {row['test']}("))
        mark = max(n for n in range(test) if lines[n].startswith("@pytest.mark.points("))
        lines[mark] = f"@pytest.mark.points({row['points']})\n"
        path.write_text("".join(lines), encoding="utf-8")


# ------------------------------------------------------------------------------------------ the events


def students_of(count: int) -> list[str]:
    return [f"s{number:03}" for number in range(1, count + 1)]


def events_of(course: Course, students: Sequence[str]) -> list[Event]:
    """Everything that is handed in, in the order of time."""
    due = {exercise: one.due for one in course.assignments if one.due for exercise in one.exercises}
    bonus = {exercise for one in course.assignments for exercise in one.bonus}
    scripted: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in read("script.csv"):
        scripted[row["student"], row["exercise"]].append(row)
    found: list[Event] = []
    for number, student in enumerate(students):
        for exercise, when in due.items():
            rows = scripted.get((student, exercise))
            if rows is None and number >= SCRIPTED:
                found += _drawn(student, exercise, when, missing=0.65 if exercise in bonus else 0.05)
            elif rows is None:
                found += [Event(student, exercise, "reference", _after(when, PUNCTUAL))] * (
                    exercise not in bonus
                )
            else:
                found += [
                    Event(student, exercise, row["content"], _after(when, float(row["hours"])), row["form"])
                    for row in rows
                    if row["content"]
                ]
    return sorted(found, key=lambda event: (event.at, event.student, event.exercise))


def _drawn(student: str, exercise: str, due: datetime, missing: float) -> Iterator[Event]:
    """What one of the many does: most are right or nearly so, on the last days; some are late, some do nothing."""
    dice = random.Random(f"{SEED} {student} {exercise}")
    ability = random.Random(f"{SEED} {student}").gauss(0.0, 1.0)
    right = ("reference", "notebook", "chinese_notebook", "accepted_1", "accepted_2")
    wrong = (*MISTAKES[exercise], *MISTAKES[exercise], "two_mistakes", "half", "returns_nothing")
    careless = ("skeleton", "syntax_error", "empty", NAMELESS)
    if dice.random() < missing:
        return
    form = "zip" if dice.random() < 0.1 else ""
    hours = -dice.uniform(1, 90) if dice.random() < 0.9 else dice.uniform(0.1, 140)
    luck = ability + dice.gauss(0.0, 1.0)
    last = dice.choice(right if luck > -0.3 else wrong if luck > -2.3 else careless)
    if dice.random() < 0.3:
        yield Event(student, exercise, dice.choice(wrong), _after(due, hours - dice.uniform(25, 75)), form)
    yield Event(student, exercise, last, _after(due, hours), form)


def _after(due: datetime, hours: float) -> datetime:
    return due + timedelta(minutes=round(hours * 60))


# ------------------------------------------------------------------------------------------ the files


def collections_of(course: Course, events: Iterable[Event]) -> list[tuple[datetime, list[Event]]]:
    """When the folders are emptied, and what lies in them then: of each student and exercise the last since the time before."""
    dues = [one.due for one in course.assignments if one.due]
    times = sorted({_after(due, hours) for due in dues for hours in COLLECTED})
    times.append(dues[-1] + timedelta(days=AT_THE_END))
    found: list[tuple[datetime, list[Event]]] = []
    waiting = list(events)
    for time in times:
        taken = [event for event in waiting if event.at <= time]
        waiting = waiting[len(taken) :]
        last = {(event.student, event.exercise): event for event in taken}
        if last:
            found.append((time, sorted(last.values(), key=lambda e: (e.student, e.exercise))))
    return found


def write_collection(
    folder: Path, events: Iterable[Event], files: Mapping[tuple[str, str], tuple[str, str]]
) -> None:
    """One folder or archive for each student; each exercise in a folder of its own, as a form of hand-in wants it."""
    for event in events:
        name, text = files[event.exercise, event.content]
        inside = f"{event.exercise.split('/')[1]}/{name}"
        if event.form == "zip":
            folder.mkdir(parents=True, exist_ok=True)
            member = zipfile.ZipInfo(inside, event.at.timetuple()[:6])
            with zipfile.ZipFile(folder / f"{event.student}.zip", "a", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(member, text, zipfile.ZIP_DEFLATED)
        else:
            path = folder / event.student / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            os.utime(path, (event.at.timestamp(), event.at.timestamp()))


def write_csv(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def make(out: Path, students: int = STUDENTS, small: bool = False) -> list[tuple[datetime, Path]]:
    """Write the term to an empty folder. When each collection is made, and where it lies."""
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out} is not empty; name a new folder")
    course = write_course(out / "course", small)
    names = students_of(SCRIPTED if small else students)
    events = events_of(course, names)
    texts: dict[tuple[str, str], tuple[str, str]] = {}
    for exercise in _assigned(course):
        texts |= {(exercise.id, name): (file, text) for name, file, text in contents_of(exercise)}
    write_csv(
        out / "events.csv",
        ("student", "exercise", "content", "time", "form"),
        ((e.student, e.exercise, e.content, e.at.isoformat(), e.form) for e in events),
    )
    found = []
    for number, (time, taken) in enumerate(collections_of(course, events), 1):
        folder = out / "collected" / f"{number:02}"
        write_collection(folder, taken, texts)
        rows = ((e.student, e.exercise, e.at.isoformat()) for e in taken)
        write_csv(folder.with_suffix(".csv"), ("student", "exercise", "time"), rows)
        found.append((time, folder))
    for name in ("roster.csv", "roster_late.csv", "extensions.csv", "extensions_late.csv", "adjustments.csv"):
        rows = [row for row in read(name) if row.get("student", "") in ("", *names)]
        known = {one.id for one in course.assignments}
        rows = [row for row in rows if row.get("assignment", "week1") in known]
        write_csv(out / name, list(read(name)[0]), (list(row.values()) for row in rows))
    return found


def _assigned(course: Course) -> list[Exercise]:
    return course.select([name for one in course.assignments for name in one.exercises])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--small", action="store_true", help="32 students, three weeks")
    parser.add_argument("--students", type=int, default=STUDENTS)
    parser.add_argument("--run", action="store_true", help="grade it, too")
    options = parser.parse_args()
    found = make(options.out, options.students, options.small)
    print(f"{options.out}: {len(found)} collections")
    if options.run:
        from run import run

        run(options.out)


if __name__ == "__main__":
    main()
