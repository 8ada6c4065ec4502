"""Which file of which student answers which exercise, and which files nobody could place.

A submissions folder holds one folder, or one zip file, for each student. Inside, at any depth, a file named after an
exercise's topic is its submission. Whatever is wrong with one student's files is recorded on that student's row and
changes nothing for anybody else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from autograder.course import Exercise
from autograder.course.catalogue import part_name
from autograder.errors import UserError
from autograder.grading.collector import LARGE, LINK, UNREADABLE, Collector, File, Unpacker, Upload, visible
from autograder.grading.names import Names, is_exact, stems, uncopied
from autograder.grading.pristine import is_pristine
from autograder.remote.archive import passed_over
from autograder.results import Unrecognised, Why
from autograder.text import Text

MAX_FILE = 16 << 20  # bytes; a notebook this large is full of outputs
MAX_BESIDE = 4 << 20  # bytes of files beside a submission, together, names included
MAX_BESIDE_FILES = 1000
MAX_STRANGE = 200  # files of one student whose names are compared with the exercises'
MAX_COPIES = 20  # files named after one exercise: to tell whether one holds work takes a moment each
IMPORT = re.compile(rb"\b(?:import|from)\s+([^\n\"\\#;]*)")

TWO = Text(
    "Two files answer this exercise: {first} and {second}. Keep one and hand in again.",
    "有两个文件对应这道题：{first} 和 {second}。请只保留一个，重新提交。",
)
EMPTY = Text("{path} is empty. Save your work and hand it in again.", "{path} 是空文件。请保存后重新提交。")


class SubmissionsError(UserError):
    """The submissions folder itself can't be used."""


@dataclass(frozen=True)
class Submission:
    """One student's answer to one exercise, or the problem that keeps it from being one."""

    student: str
    exercise: str
    path: str  # for people: relative to the submissions folder
    main: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    problem: Text | None = None


def students_of(folder: Path, besides: Collection[Path] = ()) -> dict[str, list[Path]]:
    """Student -> their folder, their zip file, or both; sorted. SubmissionsError where there is none.

    Args:
        besides: what lies there and is known to be somebody's already.
    """
    if not folder.is_dir():
        raise SubmissionsError(
            f"{folder} is not a folder; give the folder that holds one folder for each student",
            f"{folder} 不是文件夹；请给出存放所有学生提交的文件夹（每个学生一个子文件夹）",
        )
    students: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if passed_over([entry.name]) or entry in besides:
            continue
        if entry.is_dir():
            students.setdefault(visible(entry.name), []).append(entry)
        elif entry.suffix.lower() == ".zip":
            students.setdefault(visible(entry.stem), []).append(entry)
    if not students and not besides:
        raise SubmissionsError(
            f"{folder} holds no student's folder or zip file; expected {folder}/s001/... and so on",
            f"{folder} 里没有学生的文件夹或 zip 文件；应当有 {folder}/s001/... 这样的内容",
        )
    return students


def submissions_of(
    student: str,
    entries: Sequence[Path | Upload],
    exercises: Sequence[Exercise],
    unpack: Unpacker,
    folder: Path | None = None,
    names: Names | None = None,
    tell: Callable[[Unrecognised], None] = lambda file: None,
) -> Iterator[Submission]:
    """What one student handed in for these exercises, one at a time, in course order. Nothing for those not there.

    Of several files that answer one exercise, those that are still as they were given out don't count; then one that has
    the very name comes before copies and other spellings. Of files that are alike, none is taken.

    Args:
        folder: what paths are told relative to; by default the one that the first entry lies in.
        names: the exercises whose names are known, and whether a guess counts; by default, `exercises`, and none does.
        tell: called, after the last submission, with each file that was meant as an answer to all appearance and is none.
    """
    if not entries:
        return
    first = entries[0].path if isinstance(entries[0], Upload) else entries[0]
    names = names or Names(exercises)
    collector = Collector(folder or first.parent, unpack, names)
    for entry in entries:
        collector.take(entry)
    hand_in = _HandIn(collector, exercises)
    missing: list[str] = []
    for exercise in exercises:
        candidates = hand_in.candidates(exercise)
        if candidates:
            submission = _submission(student, exercise, candidates, collector)
            hand_in.took(exercise, candidates, submission)
            yield replace(submission, files={**submission.files, **_own_parts(exercise, hand_in)})
        else:
            missing.append(exercise.id)
    if collector.problems and missing:
        # An archive or folder that can't be read stands where the first thing that it may have held would.
        path, problem = collector.problems[0]
        yield Submission(student, missing[0], path, problem=problem)
    for file in sorted(hand_in.unrecognised(), key=lambda file: not file.looks_like):
        tell(file)


class _HandIn:
    """Everything that one student handed in, and what became of it."""

    def __init__(self, collector: Collector, exercises: Sequence[Exercise]) -> None:
        self.collector = collector
        self.exercises = exercises
        self._answered: dict[str, tuple[list[File], Submission]] = {}  # exercise -> what stands for it
        strange = [
            file for stem, files in collector.named.items() for file in files if self._is_strange(stem, file)
        ]
        self._strange = {
            file.path: (file, collector.names.resembling(file.name)) for file in strange[:MAX_STRANGE]
        }
        self._strange |= {file.path: (file, []) for file in strange[MAX_STRANGE:]}

    def _is_strange(self, stem: str, file: File) -> bool:
        """Whether a file's name is no exercise's: neither of those that are graded, nor of another in the course."""
        named = [exercise for exercise in self.exercises if stem in stems(exercise)]
        if any(_is_meant(exercise, self.exercises, stem, file) for exercise in named):
            return False
        if named:
            return True  # its units share the topic, and nothing says which of them is meant
        return stem not in self.collector.names.by_stem and not self.collector.names.is_given(file.name)

    def candidates(self, exercise: Exercise) -> list[File]:
        """The files that answer an exercise: none, one, or several among which nothing decides."""
        folder = self.collector.folder
        files = _with_work(exercise, self._named(exercise), folder)
        if self.collector.names.accept and not any(_holds_work(exercise, file, folder) for file in files):
            near = [file for file, resembled in self._strange.values() if resembled == [exercise]]
            files = _with_work(exercise, near, folder) or files
        return [file for file in files if is_exact(exercise, file.name)] or files

    def _named(self, exercise: Exercise) -> list[File]:
        """Files named after the exercise, however that is spelled."""
        return [
            file
            for stem in stems(exercise)
            for file in self.collector.named.get(stem, ())
            if _is_meant(exercise, self.exercises, stem, file)
        ]

    def took(self, exercise: Exercise, candidates: Sequence[File], submission: Submission) -> None:
        """Note what became of an exercise."""
        self._answered[exercise.id] = list(candidates), submission

    def unrecognised(self) -> Iterator[Unrecognised]:
        """What no exercise took, and no submission imports."""
        for exercise in self.exercises:
            taken, _ = self._answered.get(exercise.id, ([], None))
            for file in self._named(exercise):
                if file not in taken and _holds_work(exercise, file, self.collector.folder):
                    yield Unrecognised(file.shown, Why.EXTRA, (exercise.id,))
        if self._strange:
            used = {file.path for files, _ in self._answered.values() for file in files} | self._imported()
            for path, (file, resembled) in self._strange.items():
                if path not in used and not _is_blank(file):
                    yield self._told(file, resembled)
        for file in self.collector.others:
            yield self._told(file, self.collector.names.resembling(file.name))

    def _imported(self) -> set[PurePosixPath]:
        """The files beside submissions that these import, or that what they import imports."""
        found: set[PurePosixPath] = set()
        for (first, *_), submission in self._answered.values():
            beside = {
                uncopied(PurePosixPath(file.name).stem): file
                for file in self.collector.modules[first.path.parent]
            }
            waiting = [submission.main]
            while waiting:
                for words in IMPORT.findall(submission.files.get(waiting.pop(), b"")):
                    for module in re.findall(rb"\w+", words):
                        name = module.decode("utf-8", "replace")
                        if name in beside and beside[name].path not in found:
                            found.add(beside[name].path)
                            waiting.append(f"{name}.py")
        return found

    def _told(self, file: File, resembled: Sequence[Exercise]) -> Unrecognised:
        answered = len(resembled) == 1 and any(
            _holds_work(resembled[0], taken, self.collector.folder)
            for taken in self._answered.get(resembled[0].id, ([], None))[0]
        )
        why = Why.EXTRA if answered else Why.NEAR if resembled else Why.UNKNOWN
        prefix = visible(file.path.name.removesuffix(file.name))
        return Unrecognised(file.shown, why, tuple(exercise.id for exercise in resembled), prefix)


def _is_meant(exercise: Exercise, exercises: Iterable[Exercise], stem: str, file: File) -> bool:
    """Whether a file of this stem means this exercise. Where two units share a topic, its folder or name says the unit."""
    shared = sum(other.topic == exercise.topic for other in exercises) > 1
    return not shared or stem != exercise.topic or exercise.unit in file.path.parts


def _with_work(exercise: Exercise, files: Sequence[File], folder: Path) -> list[File]:
    """Those that are not as they were given out; where all are, one of them, a `.py` of the very name first.

    Of more than a few it is not looked at.
    """
    if not 1 < len(files) <= MAX_COPIES:
        return list(files)
    return [file for file in files if _holds_work(exercise, file, folder)] or sorted(
        files, key=lambda file: (not is_exact(exercise, file.name), file.suffix != ".py")
    )[:1]


def _holds_work(exercise: Exercise, file: File, folder: Path) -> bool:
    """Whether it is not as it was given out. What is wrong with a file is told where it is taken."""
    try:
        readable = file.is_regular and not file.leads_outside(folder / file.path.parts[0])
        if not readable or file.size() > MAX_FILE:
            return True
        return not is_pristine(exercise, f"{exercise.topic}{file.suffix}", file.read())
    except OSError:
        return True


def _is_blank(file: File) -> bool:
    """Whether nothing is in it."""
    with suppress(OSError):
        return file.is_regular and (file.size() == 0 or (file.size() < 100 and not file.read().strip()))
    return False


def _submission(student: str, exercise: Exercise, candidates: list[File], collector: Collector) -> Submission:
    first = candidates[0]
    top = collector.folder / first.path.parts[0]

    def refused(text: Text, **values: object) -> Submission:
        problem = text.format(**{"path": first.shown, **values})
        return Submission(student, exercise.id, first.shown, problem=problem)

    if len(candidates) > 1:
        return refused(TWO, first=first.shown, second=candidates[1].shown)
    if first.leads_outside(top):
        return refused(LINK)
    if not first.is_regular:
        return refused(UNREADABLE, reason="not a regular file")
    try:
        if first.size() > MAX_FILE:
            return refused(LARGE, size=first.size() >> 20, limit=MAX_FILE >> 20)
        content = first.read()
    except OSError as error:
        return refused(UNREADABLE, reason=error.strerror)
    if not content.strip():
        return refused(EMPTY)
    main = f"{exercise.topic}{first.suffix}"  # whatever the copy or the platform has made of its name
    beside = _beside(first, collector.modules[first.path.parent], top)
    return Submission(student, exercise.id, first.shown, main, {**beside, main: content})


def _own_parts(exercise: Exercise, hand_in: _HandIn) -> dict[str, bytes]:
    """For a capstone: the student's own answers to the exercises that are its parts, where there is one of each."""
    parts = {}
    for name in exercise.public.parts:
        part = Exercise(exercise.root, *name.split("/"))
        found = hand_in.candidates(part)
        answer = _submission("", part, found, hand_in.collector) if found else None
        if (
            answer
            and answer.problem is None
            and not is_pristine(part, answer.main, answer.files[answer.main])
        ):
            parts[f"{part_name(part.topic)}{PurePosixPath(answer.main).suffix}"] = answer.files[answer.main]
    return parts


def _beside(main: File, modules: Sequence[File], top: Path) -> dict[str, bytes]:
    """The `.py` files in the same folder, which the submission may import: as many as may be sent, small ones first.

    What is left out, or can't be read, can't be imported; where it is needed, the import error says so.
    """
    sizes: list[tuple[int, File]] = []
    for file in modules:
        if file.path != main.path and file.is_regular and not file.leads_outside(top):
            with suppress(OSError):
                sizes.append((file.size() + len(os.fsencode(file.name)), file))
    beside: dict[str, bytes] = {}
    left = MAX_BESIDE
    for size, file in sorted(sizes, key=lambda pair: pair[0])[:MAX_BESIDE_FILES]:
        left -= size
        if left < 0:
            break
        with suppress(OSError):
            beside[file.name] = file.read()
    for name in list(beside):  # what a platform renamed can be imported by its own name
        beside.setdefault(f"{uncopied(PurePosixPath(name).stem)}.py", beside[name])
    return beside
