"""Which file of which student answers which exercise, and which files nobody could place.

A submissions folder holds one folder, or one zip file, for each student. Inside, at any depth, a file named after an
exercise's topic is its submission. Whatever is wrong with one student's files is recorded on that student's row and
changes nothing for anybody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from autograder.course import Exercise
from autograder.course.catalogue import part_file
from autograder.errors import UserError
from autograder.grading.collector import LARGE, LINK, UNREADABLE, Collector, File, Unpacker, Upload, visible
from autograder.grading.hand_in import MAX_FILE, HandIn
from autograder.grading.names import Names, uncopied
from autograder.grading.pristine import is_pristine
from autograder.remote.archive import passed_over
from autograder.results import Submitted, Unrecognised, Why
from autograder.text import Text, shortened

MAX_BESIDE = 4 << 20  # bytes of files beside a submission, together, names included
MAX_BESIDE_FILES = 1000

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
    submitted: Submitted | None = None  # when it was handed in


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
    hand_in = HandIn(collector, exercises)
    missing: list[str] = []
    for exercise in exercises:
        candidates = hand_in.candidates(exercise)
        if candidates:
            submission = _submission(student, exercise, candidates, collector)
            hand_in.took(exercise, candidates, submission.main, submission.files)
            yield replace(submission, files={**submission.files, **_own_parts(exercise, hand_in)})
        else:
            missing.append(exercise.id)
    if collector.problems and missing:
        # An archive or folder that can't be read stands where the first thing that it may have held would.
        path, problem = collector.problems[0]
        yield Submission(student, missing[0], path, problem=problem)
    told = collector.problems[1:] if missing else collector.problems
    closed = [Unrecognised(path, Why.CLOSED) for path, _ in told]
    for file in sorted([*hand_in.unrecognised(), *closed], key=lambda file: not file.looks_like):
        tell(file)


def _submission(student: str, exercise: Exercise, candidates: list[File], collector: Collector) -> Submission:
    first = candidates[0]
    top = collector.folder / first.path.parts[0]

    def refused(text: Text, **values: object) -> Submission:
        problem = text.format(**{"path": shortened(first.shown), **values})
        return Submission(student, exercise.id, first.shown, problem=problem, submitted=first.submitted)

    if len(candidates) > 1:
        return refused(TWO, first=shortened(first.shown), second=shortened(candidates[1].shown))
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
    # A mend that imports a right answer would be a small one.
    beside = {} if exercise.kind == "debug" else _beside(first, collector.modules[first.path.parent], top)
    files = {**beside, main: content}
    return Submission(student, exercise.id, first.shown, main, files, submitted=first.submitted)


def _own_parts(exercise: Exercise, hand_in: HandIn) -> dict[str, bytes]:
    """For a capstone: the student's own answers to the exercises that are its parts, where there is one of each."""
    parts = {}
    for part in exercise.parts:
        found = hand_in.candidates(part)
        answer = _submission("", part, found, hand_in.collector) if found else None
        if (
            answer
            and answer.problem is None
            and not is_pristine(part, answer.main, answer.files[answer.main])
        ):
            parts[part_file(part, PurePosixPath(answer.main).suffix)] = answer.files[answer.main]
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
        beside.setdefault(f"{uncopied(name[:-3])}.py", beside[name])
    return beside
