"""Submissions from a folder of clones, as `gh classroom clone student-repos` leaves it: one for each student.

The commit that counts is the last one of the default branch that says it was made before the deadline. A commit's date
is written by whoever commits, so it proves nothing: what is of record is when the instructor cloned.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from autograder.course import Assignment, Course
from autograder.errors import UserError
from autograder.gradebook.extensions import Extension, extended_due
from autograder.grading.collector import MAX_ARCHIVE, Upload, visible
from autograder.grading.hand_in import MAX_FILE
from autograder.grading.names import SUFFIXES, Names, plain
from autograder.platforms.github.branches import work_elsewhere
from autograder.platforms.github.repository import (
    NO_CLONE,
    Blob,
    Commit,
    Repository,
    RepositoryError,
    path_of,
)
from autograder.remote.archive import Refused, check_name, passed_over
from autograder.results import LateRule, Policy, TimeSource, Unrecognised, Why
from autograder.text import shortened

MAX_FILES = 2000
MAX_BYTES = 128 << 20  # of one clone's files
MAX_HOLE = 1 << 34
SLUG = re.compile(r"(.+)-submissions")  # what `gh classroom clone` calls the folder of an assignment
URLS = re.compile(r"(?:https://(?:[^@/\s]+@)?|ssh://git@|git@)([\w.-]+)[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?")
MAX_TIME = 253_402_300_799  # the last second that a datetime can hold


class ClonesError(UserError):
    """The folder of clones can't be used."""


@dataclass(frozen=True)
class Clone:
    """One student's repository, and the commit of it that counts. `problem` says why there is none."""

    folder: Path
    student: str
    login: str
    assignment: str = ""
    url: str = ""
    commit: Commit | None = None
    problem: str = ""
    remarks: tuple[str, ...] = field(default=())
    elsewhere: tuple[Unrecognised, ...] = ()  # work on branches that don't count

    @property
    def committed(self) -> datetime | None:
        """When, as the commit itself says."""
        if self.commit is None:
            return None
        return datetime.fromtimestamp(min(max(self.commit.time, 0), MAX_TIME), UTC)


def whose(name: str, parent: str, slugs: Iterable[str], students: Mapping[str, str]) -> tuple[str, str, str]:
    """(assignment, login, student) of a repository called ASSIGNMENT-LOGIN.

    Args:
        name: the clone's folder.
        parent: the folder it lies in.
        slugs: what assignments may be called.
        students: GitHub login in lower case -> student, from a roster. A login is the student's name without one.
    """
    name = name.removesuffix(".git")
    called = SLUG.fullmatch(parent)
    for slug in ([called[1]] if called else []) + sorted(slugs, key=len, reverse=True):
        if name.lower().startswith(f"{slug.lower()}-"):
            login = name[len(slug) + 1 :]
            return slug, login, students.get(login.lower(), visible(login))
    for login in sorted(students, key=len, reverse=True):
        if name.lower() == login or name.lower().endswith(f"-{login}"):
            return name[: -len(login)].rstrip("-"), login, students[login]
    return "", name, visible(name)


@contextmanager
def opened_clones(
    folder: Path,
    course: Course,
    deadline: datetime | None = None,
    students: Mapping[str, str] | None = None,
    extensions: Callable[[str], Iterable[Extension]] = lambda student: (),
) -> Iterator[tuple[Path, list[Clone]]]:
    """The clones in a folder, and a private folder that holds, by the clone's name, what counts of each one's files.

    Args:
        deadline: by default, what `last_taken` says of the assignment that the clone's name begins with.
        students: GitHub login in lower case -> student.
        extensions: those that apply to a student.

    Raises:
        ClonesError: there is nothing in the folder to read.
    """
    if not folder.is_dir():
        raise ClonesError(
            f"{folder} is not a folder; give the folder that holds the clones",
            f"{folder} 不是文件夹；请给出存放各个克隆的文件夹",
        )
    places = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".") and p.is_dir()]
    if not places:
        raise _no_clone(folder)
    slugs = {spelling: a for a in course.assignments for spelling in (a.id, a.id.replace("_", "-"))}
    names = Names(list(course))
    with tempfile.TemporaryDirectory(prefix="autograder-") as scratch:
        out = Path(scratch) / "files"
        out.mkdir()
        clones = []
        for number, place in enumerate(places):
            slug, login, student = whose(place.name, folder.resolve().name, slugs, students or {})
            clone = Clone(place, student, login, slug)
            due = deadline or last_taken(slugs.get(slug), course.policy, extensions(student))
            git = Path(scratch) / f"git{number}"
            git.mkdir()
            clones.append(_read(clone, due, git, out / place.name, names))
        if all(clone.problem == NO_CLONE for clone in clones):
            raise _no_clone(folder)
        yield out, clones


def _no_clone(folder: Path) -> ClonesError:
    return ClonesError(
        f"{folder} holds no clone; expected {folder}/ASSIGNMENT-LOGIN/.git and so on",
        f"{folder} 里没有克隆；应当有 {folder}/ASSIGNMENT-LOGIN/.git 这样的目录",
    )


def entries(clones: Sequence[Clone], files: Path) -> dict[str, list[Upload]]:
    """Student -> the folders that hold what they handed in; empty for who handed in nothing."""
    found: dict[str, list[Upload]] = {}
    for clone in sorted(clones, key=lambda clone: clone.student):
        mine = found.setdefault(clone.student, [])
        if clone.commit is not None:
            mine.append(Upload(files / clone.folder.name, source=TimeSource.COMMIT))
    return found


def last_taken(
    assignment: Assignment | None, policy: Policy, extensions: Iterable[Extension] = ()
) -> datetime | None:
    """When work on an assignment is no longer taken: at its due date, or where the course says what follows from late
    work, at its hard stop. None where it is always taken.

    Args:
        extensions: those that apply to whoever hands it in.
    """
    if assignment is None or assignment.due is None:
        return None
    given = [one for one in extensions if one.assignment == assignment.id]
    due = extended_due(assignment.due, given)[0] or assignment.due
    rule = assignment.late.over(policy.late)
    if rule == LateRule() and not policy.late_days:
        return due
    return None if rule.cutoff is None else due + max(rule.cutoff, rule.grace)


def _read(clone: Clone, deadline: datetime | None, scratch: Path, out: Path, names: Names) -> Clone:
    """The clone with its commit, whose files are written below `out`."""
    try:
        repository = Repository(clone.folder, scratch)
        url = URLS.fullmatch(repository.origin())
        clone = replace(clone, url=f"https://{url[1]}/{url[2]}" if url else "")
        commits = list(repository.history(repository.head()))
        commit, remarks = _last_before(commits, deadline)
        if commit is None:
            return replace(clone, problem="nothing was committed before the deadline")
        left_out = _write(repository, commit, out, names)
        elsewhere = tuple(
            Unrecognised(visible(f"{clone.folder.name}@{branch}:{path}"), Why.BRANCH, (exercise,))
            for branch, path, exercise in work_elsewhere(repository, commit, names)
        )
    except RepositoryError as error:
        return replace(clone, problem=str(error))
    if left_out:
        remarks = (*remarks, f"left out of it: {', '.join(map(shortened, left_out[:5]))}")
    return replace(clone, commit=commit, remarks=remarks, elsewhere=elsewhere)


def _last_before(
    commits: Sequence[Commit], deadline: datetime | None
) -> tuple[Commit | None, tuple[str, ...]]:
    """The commit that counts, newest first, and what is odd about its date."""
    if deadline is None:
        return (commits[0], ()) if commits else (None, ())
    limit = deadline.timestamp()
    for place, commit in enumerate(commits):
        if commit.time <= limit:
            late = [older for older in commits[place + 1 :] if older.time > limit]
            remark = f"{commit.hash[:12]} is dated before the deadline and stands on {len(late)} commits dated after it"
            return commit, ((remark,) if late else ())
    return None, ()


def _write(repository: Repository, commit: Commit, out: Path, names: Names) -> list[str]:
    """Write what can be an answer, as plain files; the names of those that look like one and were left out."""
    out.mkdir()
    chosen: list[tuple[Blob, Path]] = []
    left_out: list[str] = []
    holes = size = 0
    # Answers come first, so that no limit cuts them off for the sake of other files.
    blobs = repository.files(commit.hash)
    for blob in sorted(blobs, key=lambda blob: plain(path_of(blob).stem) not in names.by_stem):
        path = path_of(blob)
        archive = path.suffix.lower() == ".zip"
        code = path.suffix.lower() in SUFFIXES
        if passed_over(path.parts) or not (archive or code or names.may_hold_work(path.name)):
            continue
        # Of what is no code, its name is all that matters; a file too large to be taken shows its size.
        hollow = not archive and (not code or blob.size > MAX_FILE)
        room = size + blob.size <= MAX_BYTES and blob.size <= MAX_ARCHIVE
        fits = holes < MAX_FILES if hollow else len(chosen) < MAX_FILES and room
        if not (fits and _is_plain(blob) and _make(out / path, min(blob.size, MAX_HOLE) if hollow else 0)):
            left_out.append(visible(str(path)))
            continue
        holes += hollow
        if not hollow:
            chosen.append((blob, out / path))
            size += blob.size
    for (_, target), (_, content) in zip(
        chosen, repository.contents([blob for blob, _ in chosen]), strict=True
    ):
        target.write_bytes(content)
    _date(repository, commit, [(blob, target) for blob, target in chosen if _is_code(blob)])
    return left_out


def _is_code(blob: Blob) -> bool:
    return path_of(blob).suffix.lower() in SUFFIXES


def _date(repository: Repository, commit: Commit, chosen: Sequence[tuple[Blob, Path]]) -> None:
    """Give files the date of the last commit that changed them; where that can't be told, of the one that counts."""
    try:
        changed = repository.changed(commit.hash, [blob.path for blob, _ in chosen])
    except RepositoryError:
        changed = {}
    for blob, target in chosen:
        when = min(max(changed.get(blob.path, commit.time), 0), MAX_TIME)
        os.utime(target, (when, when))


def _is_plain(blob: Blob) -> bool:
    """A regular file under a relative path."""
    try:
        check_name(blob.path.decode("utf-8", "surrogateescape"))
    except Refused:
        return False
    return blob.mode in ("100644", "100755", "100664")


def _make(target: Path, size: int) -> bool:
    """Make a file that is a hole of this size (one too large to be taken shows that, and is never read)."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.truncate(size)
    except OSError:  # the tree has a file and a folder of one name
        return False
    return True
