"""Units, exercises and assignments, read from `course/course.toml`, and from a `unit.toml` per unit."""

from __future__ import annotations

import dataclasses
import math
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from autograder.course.derived import Derived, derived_name
from autograder.course.exercise import Exercise
from autograder.course.spec import BothLanguages, Name, require_languages
from autograder.course.toml import CourseError, read_toml
from autograder.guest.loading import PART
from autograder.results import LateRule, Policy
from autograder.text import LANGUAGES, Text

COURSE_FILE = Path("course") / "course.toml"
IN_ASSIGNMENT = Text("{path}, assignment {name!r}", "{path}，作业 {name!r}")
# What to do about a file that is missing.
BUILD, WRITE, TAKE_BACK = (
    Text("run `autograder build`", "请运行 `autograder build`"),
    Text("write it", "请编写它"),
    Text("take it back from what was given to you", "请从发给你的文件中恢复它"),
)


QUIZ = Text(
    "{where}: {name!r} is of no use, because {base} is a quiz and there is no program in it; take it out",
    "{where}：{name!r} 无法使用，因为 {base} 是小测验，其中没有程序；请删去它",
)
BONUS_ELSEWHERE = Text(
    "{where}: {name!r} in `bonus` is not among its `exercises`; list it there, too",
    "{where}：`bonus` 中的 {name!r} 不在它的 `exercises` 里；请在那里也列出它",
)
ALL_BONUS = Text(
    "{where}: all of its exercises are in `bonus`, so nothing can be had; take one out, or write extra_credit = true "
    "for the whole assignment",
    "{where}：它的所有练习都在 `bonus` 里，没有可得的分数；请去掉一个，或对整个作业写 extra_credit = true",
)
NO_ZONE = Text(
    "{path}: there is no time zone {name!r} (at policy.timezone); write an IANA name, as Europe/Berlin or Asia/Shanghai",
    "{path}：没有时区 {name!r}（位置：policy.timezone）；请写 IANA 名称，例如 Europe/Berlin 或 Asia/Shanghai",
)


class NoCourseHere(CourseError):
    """No folder at or above the current one holds a course."""


class _UnitFile(Struct, frozen=True, forbid_unknown_fields=True):
    title: BothLanguages
    exercises: Annotated[tuple[Name, ...], Meta(min_length=1)]


class Unit(Struct, frozen=True):
    """A chapter of the course: its id, its titles, and its topics in teaching order."""

    id: str
    title: BothLanguages
    exercises: tuple[str, ...]


class Assignment(Struct, frozen=True, forbid_unknown_fields=True):
    """Exercises that are handed in together. Each entry names an exercise or a whole unit.

    due: when, with its time zone (`due = 2026-10-01T23:59:00+08:00`). Where platforms keep deadlines, theirs hold.
    days: the same, counted from the course's `starts`: a plan that serves every year. Without `starts` there is no deadline.
    weight: how much of the final grade it makes, beside the others'. extra_credit: it adds to the final grade, and takes
    nothing from who leaves it out. bonus: those of its exercises whose points count above its maximum. late: where its rule
    for late work differs from the course's.
    """

    id: Name
    title: BothLanguages
    exercises: Annotated[tuple[str, ...], Meta(min_length=1)]
    due: Annotated[datetime, Meta(tz=True)] | None = None
    days: Annotated[int, Meta(ge=0)] | None = None
    weight: float = 1.0
    extra_credit: bool = False
    bonus: tuple[str, ...] = ()
    late: LateRule = LateRule()

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ValueError("`weight` is a number from 0: 2 counts twice as much as 1")


class _CourseFile(Struct, frozen=True, forbid_unknown_fields=True):
    title: BothLanguages
    units: tuple[Name, ...]
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    starts: Annotated[datetime, Meta(tz=True)] | None = None
    assignment: tuple[Assignment, ...] = ()
    policy: Policy = Policy()


@dataclass(frozen=True)
class Course:
    """A course on disk: its units in order, its exercises by id, its assignments.

    Exercises are those that somebody wrote; `graded` has those besides that assignments derive from them.
    """

    root: Path
    title: BothLanguages
    units: tuple[Unit, ...]
    exercises: dict[str, Exercise]
    assignments: tuple[Assignment, ...]
    policy: Policy
    languages: tuple[str, ...] = LANGUAGES  # in which every page exists
    derived: dict[str, Derived] = field(default_factory=dict)  # by id; those that assignments list

    @classmethod
    def load(cls, root: Path, *, authoring: bool = False) -> Course:
        """Read and validate the course at `root`.

        Args:
            root: the folder that holds `course/course.toml`.
            authoring: leave out the check that every listed exercise has its files (an author is writing one).
        """
        path = root / COURSE_FILE
        data = read_toml(path, _CourseFile)
        if not data.units:
            raise CourseError(
                f"{path}: `units` is empty; name at least one unit, and describe it in course/UNIT/unit.toml",
                f"{path}：`units` 为空；请至少列出一个单元，并在 course/UNIT/unit.toml 中描述它",
            )
        for kind, ids in (
            (Text("unit", "单元"), data.units),
            (Text("assignment", "作业"), [a.id for a in data.assignment]),
        ):
            twice = _repeated(ids)
            if twice:
                raise CourseError(
                    f"{path}: {kind.en} {twice!r} is listed twice; rename one or take it out",
                    f"{path}：{kind.zh} {twice!r} 列了两次；请给其中一个改名，或去掉一处",
                )
        languages = data.languages or LANGUAGES
        require_languages(path, data, languages)
        units = tuple(_unit(root, name, languages) for name in data.units)
        exercises = {
            exercise.id: exercise
            for unit in units
            for exercise in (Exercise(root, unit.id, topic, languages=languages) for topic in unit.exercises)
        }
        assignments = tuple(_dated(assignment, data.starts, path) for assignment in data.assignment)
        course = cls(root, data.title, units, exercises, assignments, data.policy, languages)
        course = course._with_derived(path)
        graded = course.graded
        for assignment in course.assignments:
            graded._check_assignment(assignment, IN_ASSIGNMENT.format(path=path, name=assignment.id))
        _check_zone(path, data.policy.timezone)
        if not authoring:
            course.check_files(course)
        return course

    @property
    def has_solutions(self) -> bool:
        """Whether the hidden side is here: an instructor's or self-learner's tree, not a released one."""
        return (self.root / "solutions").is_dir()

    @property
    def graded(self) -> Course:
        """The course with its derived exercises among the others: what is handed in, scored and exported."""
        exercises: dict[str, Exercise] = {}
        for exercise in self:
            exercises[exercise.id] = exercise
            exercises |= {name: one for name, one in self.derived.items() if one.base.id == exercise.id}
        return dataclasses.replace(self, exercises=exercises)

    def _check_assignment(self, assignment: Assignment, where: Text) -> None:
        """CourseError where it names what is not there, or has nothing but bonus exercises."""
        listed = {exercise.id for exercise in self.select(assignment.exercises, where=where)}
        bonus = {self._named(name, where).id for name in assignment.bonus}
        if not bonus <= listed:
            raise CourseError.of(BONUS_ELSEWHERE, where=where, name=min(bonus - listed))
        if bonus == listed:
            raise CourseError.of(ALL_BONUS, where=where)

    def _with_derived(self, path: Path) -> Course:
        """The course with what its assignments derive, each under its full id. CourseError where that can't be."""
        derived: dict[str, Derived] = {}
        assignments = []
        for assignment in self.assignments:
            where, names = IN_ASSIGNMENT.format(path=path, name=assignment.id), []
            for name in assignment.exercises:
                made = self._derive(name, where)
                if made is not None:
                    derived[made.id] = made
                names.append(made.id if made else name)
            bonus = tuple(made.id if (made := self._derive(n, where)) else n for n in assignment.bonus)
            assignments.append(replace(assignment, exercises=tuple(names), bonus=bonus))
        return dataclasses.replace(self, assignments=tuple(assignments), derived=derived)

    def _derive(self, name: str, where: Text) -> Derived | None:
        """The derived exercise that a name means; None where it is another's, that somebody wrote."""
        found = derived_name(name)
        if found is None or any(name in (exercise.id, exercise.topic) for exercise in self):
            return None
        prefix, written = found
        base = self._named(
            written, Text("{where}, {name!r}", "{where}，{name!r}").format(where=where, name=name)
        )
        if base.kind == "quiz":
            raise CourseError.of(QUIZ, where=where, name=name, base=base.id)
        return Derived(self.root, base.unit, f"{prefix}{base.topic}", languages=self.languages)

    def __iter__(self) -> Iterator[Exercise]:
        return iter(self.exercises.values())

    def exercise(self, name: str) -> Exercise:
        """The exercise called `UNIT/TOPIC`, or just TOPIC where that is clear. CourseError otherwise."""
        if name in self.exercises:
            return self.exercises[name]
        by_topic = [e for e in self if e.topic == name]
        if len(by_topic) == 1:
            return by_topic[0]
        if by_topic:
            raise CourseError(
                f"{name!r} is a topic of {', '.join(e.id for e in by_topic)}; write one of these in full",
                f"{name!r} 可指 {'、'.join(e.id for e in by_topic)}；请写出其中一个的全名",
            )
        hint = _nearest(name, self.exercises)
        raise CourseError(f"there is no exercise {name!r}; {hint.en}", f"没有练习 {name!r}；{hint.zh}")

    def select(self, names: Iterable[str], where: Text | None = None) -> list[Exercise]:
        """The exercises meant by names of exercises, units or assignments, in course order. Empty names: all."""
        wanted: set[str] = set()
        names = list(names)
        units = {unit.id: unit for unit in self.units}
        assignments = {a.id: a for a in self.assignments}
        for name in names:
            name = name.rstrip("/")
            if name in assignments and not where:
                wanted |= {e.id for e in self.select(assignments[name].exercises)}
            elif name in units:  # and not what another assignment derives of it
                wanted |= {f"{name}/{topic}" for topic in units[name].exercises}
            elif name in self.derived:
                wanted.add(name)
            else:
                wanted.add(self._named(name, where).id)
        return [e for e in self if e.id in wanted or not names]

    def _named(self, name: str, where: Text | None) -> Exercise:
        """As `exercise`; an error says where the name stands."""
        try:
            return self.exercise(name)
        except CourseError as error:
            if where is None:
                raise
            raise CourseError(f"{where.en}: {error.text.en}", f"{where.zh}：{error.text.zh}") from None

    def check_files(self, exercises: Iterable[Exercise]) -> None:
        """CourseError if one of these exercises lacks a file, or if a file lies about that no exercise owns."""
        for exercise in exercises:
            exercise = exercise.base if isinstance(exercise, Derived) else exercise
            listed_in = unit_file(self.root, exercise.unit)
            generated = [exercise.skeleton, exercise.public_spec_file]
            by_hand = [exercise.public_tests]
            if self.has_solutions:
                by_hand += [exercise.solution, exercise.spec_file, exercise.hidden_tests]
            for path in generated + by_hand:
                if not path.is_file():
                    is_generated = path in generated or (
                        exercise.kind == "quiz" and path != exercise.spec_file
                    )
                    remedy = BUILD if is_generated else WRITE
                    raise CourseError(
                        f"{path} is missing: {listed_in} lists {exercise.id}; {remedy.en}",
                        f"缺少 {path}：{listed_in} 列有 {exercise.id}；{remedy.zh}",
                    )
        listed = {exercise.skeleton for exercise in self}
        for path in sorted((self.root / "exercises").glob("*/*.py")):
            known = (
                path in listed
                or path.name.startswith(("test_", "own_test_", "debug_", "conftest"))
                or path.parent.name == "given"
            )
            if not known:
                owner = unit_file(self.root, path.parent.name)
                raise CourseError(
                    f"{path} belongs to no exercise; list {path.stem!r} in {owner} or remove it",
                    f"{path} 不属于任何练习；请在 {owner} 中列出 {path.stem!r}，或删除该文件",
                )


def _unit(root: Path, name: str, languages: Sequence[str]) -> Unit:
    path = unit_file(root, name)
    data = read_toml(path, _UnitFile)
    require_languages(path, data, languages)
    twice = _repeated(data.exercises)
    if twice:
        raise CourseError(
            f"{path}: exercise {twice!r} is listed twice; take one entry out",
            f"{path}：练习 {twice!r} 列了两次；请去掉一处",
        )
    return Unit(name, data.title, data.exercises)


def unit_file(root: Path, name: str) -> Path:
    """Where a unit's titles and exercises stand."""
    return root / "course" / name / "unit.toml"


def _repeated(names: Iterable[str]) -> str | None:
    return next((name for name, n in Counter(names).items() if n > 1), None)


def _nearest(name: str, known: Iterable[str]) -> Text:
    import difflib

    known = list(known)
    near = difflib.get_close_matches(name, known + [k.split("/")[-1] for k in known], n=1)
    if near:
        return Text(f"did you mean {near[0]!r}?", f"你要找的是不是 {near[0]!r}？")
    return Text(f"the course has {', '.join(known)}", f"课程里有：{'、'.join(known)}")


def part_file(part: Exercise, suffix: str = ".py") -> str:
    """What the file of a capstone's part is called where the capstone runs."""
    return f"{PART}{part.topic}{suffix}"


def _dated(assignment: Assignment, starts: datetime | None, path: Path) -> Assignment:
    """The assignment with its deadline, where that is given in days and the course says when it starts."""
    if assignment.days is None:
        return assignment
    if assignment.due is not None:
        raise CourseError(
            f"{path}: assignment {assignment.id!r} has both `due` and `days`; take one of them out",
            f"{path}：作业 {assignment.id!r} 同时写了 `due` 和 `days`；请删去其中一个",
        )
    return replace(assignment, due=starts and starts + timedelta(days=assignment.days))


def _check_zone(path: Path, name: str) -> None:
    """CourseError where there is no time zone of this name. Some systems know none at all; they show no times either."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if zoneinfo.available_timezones():
            raise CourseError.of(NO_ZONE, path=path, name=name) from None


def find_course(start: Path | None = None, given: Path | None = None) -> Path:
    """The course's root: `given`, or the nearest folder at or above `start` that holds `course/course.toml`."""
    if given is not None:
        if not (given / COURSE_FILE).is_file():
            raise CourseError(
                f"{given} holds no {COURSE_FILE}; give the folder that has the course/ directory",
                f"{given} 里没有 {COURSE_FILE}；请给出 course/ 目录所在的文件夹",
            )
        return given.resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / COURSE_FILE).is_file():
            return folder
    raise NoCourseHere(
        f"no {COURSE_FILE} at or above {here}; go to the course's folder or give it with --course DIR",
        f"{here} 及其上级目录里没有 {COURSE_FILE}；请进入课程的文件夹，或用 --course DIR 指明",
    )


def require_file(path: Path, exercise: Exercise) -> None:
    """CourseError if there is no such file."""
    if path.is_file():
        return
    remedy = WRITE
    if path == exercise.skeleton:
        remedy = BUILD if exercise.solution.is_file() else TAKE_BACK
    shown = (path.relative_to(exercise.root) if path.is_relative_to(exercise.root) else path).as_posix()
    raise CourseError(f"{shown} is missing; {remedy.en}", f"缺少 {shown}；{remedy.zh}")


def exercise_at(course: Course, path: Path) -> Exercise | None:
    """The exercise that a file of the course belongs to (`exercises/U/T.py`, `solutions/U/test_T.py`, ...)."""
    topic = path.stem.removeprefix("own_").removeprefix("test_")
    return course.exercises.get(f"{path.parent.name}/{topic}")


__all__: Sequence[str] = ["Assignment", "Course", "Exercise", "Unit", "exercise_at", "find_course"]
