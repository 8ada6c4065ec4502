"""Units, exercises and assignments, read from `course/course.toml` and from where the files lie.

An exercise `UNIT/TOPIC` has the same name in every tree of the course; nothing but that name links its files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from autograder.course.spec import BothLanguages, ExerciseSpec, Name, PublicSpec
from autograder.course.toml import CourseError, read_toml
from autograder.results import Policy
from autograder.text import Text

COURSE_FILE = Path("course") / "course.toml"
IN_ASSIGNMENT = Text("{path}, assignment {name!r}", "{path}，作业 {name!r}")
# What to do about a file that is missing.
BUILD, WRITE, TAKE_BACK = (
    Text("run `autograder build`", "请运行 `autograder build`"),
    Text("write it", "请编写它"),
    Text("take it back from what was given to you", "请从发给你的文件中恢复它"),
)


class Unit(Struct, frozen=True, forbid_unknown_fields=True):
    """A chapter of the course: its id, its titles, and its topics in teaching order."""

    id: Name
    title: BothLanguages
    exercises: tuple[Name, ...]


class Assignment(Struct, frozen=True, forbid_unknown_fields=True):
    """Exercises that are handed in together. Each entry names an exercise or a whole unit.

    due: when, with its time zone (`due = 2026-10-01T23:59:00+08:00`). Where platforms keep deadlines, theirs hold.
    """

    id: Name
    title: BothLanguages
    exercises: Annotated[tuple[str, ...], Meta(min_length=1)]
    due: Annotated[datetime, Meta(tz=True)] | None = None


class _CourseFile(Struct, frozen=True, forbid_unknown_fields=True):
    title: BothLanguages
    unit: tuple[Unit, ...]
    assignment: tuple[Assignment, ...] = ()
    policy: Policy = Policy()


@dataclass(frozen=True)
class Exercise:
    """One exercise and the places of its files. Only what a student has is sure to exist."""

    root: Path
    unit: str
    topic: str

    @property
    def id(self) -> str:
        return f"{self.unit}/{self.topic}"

    @property
    def skeleton(self) -> Path:
        return self.root / "exercises" / self.unit / f"{self.topic}.py"

    @property
    def public_spec_file(self) -> Path:
        return self.skeleton.with_suffix(".toml")

    @property
    def public_tests(self) -> Path:
        return self.skeleton.with_name(f"test_{self.topic}.py")

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / self.unit / f"{self.topic}.py"

    @property
    def spec_file(self) -> Path:
        return self.solution.with_suffix(".toml")

    @property
    def hidden_tests(self) -> Path:
        return self.solution.with_name(f"test_{self.topic}.py")

    @property
    def oracle_tests(self) -> Path:
        return self.root / "tests" / "oracles" / f"test_{self.unit}.py"

    @property
    def accepted(self) -> list[Path]:
        """Other correct solutions, in other styles."""
        return sorted((self.root / "tests" / "accepted" / self.unit / self.topic).glob("*.py"))

    def lesson(self, lang: str) -> Path:
        return (
            self.root / "course" / self.unit / (f"{self.topic}.zh.md" if lang == "zh" else f"{self.topic}.md")
        )

    @cached_property
    def public(self) -> PublicSpec:
        """What students may know of it."""
        return read_toml(self.public_spec_file, PublicSpec)

    @cached_property
    def spec(self) -> ExerciseSpec:
        """All that its author wrote. CourseError where solutions are not at hand."""
        spec = read_toml(self.spec_file, ExerciseSpec)
        repeated = [name for name, n in Counter(m.name for m in spec.misconception).items() if n > 1]
        if repeated:
            raise CourseError(
                f"{self.spec_file}: misconception {repeated[0]!r} is named twice; rename one",
                f"{self.spec_file}：误解 {repeated[0]!r} 重名；请给其中一个改名",
            )
        return spec


@dataclass(frozen=True)
class Course:
    """A course on disk: its units in order, its exercises by id, its assignments."""

    root: Path
    title: BothLanguages
    units: tuple[Unit, ...]
    exercises: dict[str, Exercise]
    assignments: tuple[Assignment, ...]
    policy: Policy

    @classmethod
    def load(cls, root: Path, *, authoring: bool = False) -> Course:
        """Read and validate the course at `root`.

        Args:
            root: the folder that holds `course/course.toml`.
            authoring: leave out the check that every listed exercise has its files (an author is writing one).
        """
        path = root / COURSE_FILE
        data = read_toml(path, _CourseFile)
        exercises: dict[str, Exercise] = {}
        for unit in data.unit:
            for topic in unit.exercises:
                exercise = Exercise(root, unit.id, topic)
                if exercise.id in exercises:
                    raise CourseError(
                        f"{path}: exercise {exercise.id!r} is listed twice; take one entry out",
                        f"{path}：练习 {exercise.id!r} 列了两次；请去掉一处",
                    )
                exercises[exercise.id] = exercise
        for kind, ids in (
            (Text("unit", "单元"), [u.id for u in data.unit]),
            (Text("assignment", "作业"), [a.id for a in data.assignment]),
        ):
            twice = [name for name, n in Counter(ids).items() if n > 1]
            if twice:
                raise CourseError(
                    f"{path}: {kind.en} {twice[0]!r} is defined twice; rename one or merge them",
                    f"{path}：{kind.zh} {twice[0]!r} 定义了两次；请给其中一个改名，或合并二者",
                )
        course = cls(root, data.title, data.unit, exercises, data.assignment, data.policy)
        for assignment in data.assignment:
            course.select(assignment.exercises, where=IN_ASSIGNMENT.format(path=path, name=assignment.id))
        if not authoring:
            course.check_files(course)
        return course

    @property
    def has_solutions(self) -> bool:
        """Whether the hidden side is here: an instructor's or self-learner's tree, not a released one."""
        return (self.root / "solutions").is_dir()

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
            elif name in units:
                wanted |= {f"{name}/{topic}" for topic in units[name].exercises}
            else:
                try:
                    wanted.add(self.exercise(name).id)
                except CourseError as error:
                    if where is None:
                        raise
                    raise CourseError(
                        f"{where.en}: {error.text.en}", f"{where.zh}：{error.text.zh}"
                    ) from None
        return [e for e in self if e.id in wanted or not names]

    def check_files(self, exercises: Iterable[Exercise]) -> None:
        """CourseError if one of these exercises lacks a file, or if a file lies about that no exercise owns."""
        course_file = self.root / COURSE_FILE
        for exercise in exercises:
            generated = [exercise.skeleton, exercise.public_spec_file]
            by_hand = [exercise.public_tests]
            if self.has_solutions:
                by_hand += [exercise.solution, exercise.spec_file, exercise.hidden_tests]
            for path in generated + by_hand:
                if not path.is_file():
                    remedy = BUILD if path in generated else WRITE
                    raise CourseError(
                        f"{path} is missing: {course_file} lists {exercise.id}; {remedy.en}",
                        f"缺少 {path}：{course_file} 列有 {exercise.id}；{remedy.zh}",
                    )
        listed = {exercise.skeleton for exercise in self}
        for path in sorted((self.root / "exercises").glob("*/*.py")):
            if path not in listed and not path.name.startswith(("test_", "conftest")):
                name = f"{path.parent.name}/{path.stem}"
                raise CourseError(
                    f"{path} belongs to no exercise; list {name!r} in {course_file} or remove it",
                    f"{path} 不属于任何练习；请在 {course_file} 中列出 {name!r}，或删除该文件",
                )


def _nearest(name: str, known: Iterable[str]) -> Text:
    import difflib

    known = list(known)
    near = difflib.get_close_matches(name, known + [k.split("/")[-1] for k in known], n=1)
    if near:
        return Text(f"did you mean {near[0]!r}?", f"你要找的是不是 {near[0]!r}？")
    return Text(f"the course has {', '.join(known)}", f"课程里有：{'、'.join(known)}")


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
    raise CourseError(
        f"no {COURSE_FILE} at or above {here}; go to the course's folder or give it with --course DIR",
        f"{here} 及其上级目录里没有 {COURSE_FILE}；请进入课程的文件夹，或用 --course DIR 指明",
    )


def exercise_at(course: Course, path: Path) -> Exercise | None:
    """The exercise that a file of the course belongs to (`exercises/U/T.py`, `solutions/U/test_T.py`, ...)."""
    topic = path.stem.removeprefix("test_")
    return course.exercises.get(f"{path.parent.name}/{topic}")


__all__: Sequence[str] = ["Assignment", "Course", "Exercise", "Unit", "exercise_at", "find_course"]
