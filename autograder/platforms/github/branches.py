"""Work that lies on another branch than the one that counts: it is told, not graded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import PurePosixPath

from autograder.grading.hand_in import MAX_FILE
from autograder.grading.names import SUFFIXES, Names, plain
from autograder.grading.pristine import is_pristine
from autograder.platforms.github.repository import (
    Blob,
    Commit,
    Repository,
    RepositoryError,
    path_of,
)
from autograder.remote.archive import passed_over

MAX_ANSWERS = 100  # files of one branch
MAX_BYTES = 64 << 20  # of them together


def work_elsewhere(
    repository: Repository, counted: Commit, names: Names
) -> Iterator[tuple[str, PurePosixPath, str]]:
    """(branch, file, exercise) of work on an exercise of which the commit that counts has none."""
    branches = repository.branches()
    if len(branches) < 2:
        return
    begun = set(_work(repository, counted.hash, names))
    for branch, commit in branches.items():
        with suppress(RepositoryError):  # a branch that does not count may be damaged
            work = _work(repository, commit, names) if commit != counted.hash else {}
            yield from ((branch, path, exercise) for exercise, path in work.items() if exercise not in begun)


def _work(repository: Repository, commit: str, names: Names) -> dict[str, PurePosixPath]:
    """Exercise -> a file named after it that is not as it was given out."""
    answers = [blob for blob in repository.files(commit) if _is_answer(blob, names)][:MAX_ANSWERS]
    sizes = accumulate(blob.size for blob in answers)
    answers = [blob for blob, size in zip(answers, sizes, strict=True) if size <= MAX_BYTES]
    found: dict[str, PurePosixPath] = {}
    for blob, content in repository.contents(answers):
        path = path_of(blob)
        for exercise in names.by_stem[plain(path.stem)]:
            name = f"{exercise.topic}{path.suffix.lower()}"
            if not is_pristine(exercise, name, content):
                found.setdefault(exercise.id, path)
    return found


def _is_answer(blob: Blob, names: Names) -> bool:
    path = path_of(blob)
    named = path.suffix.lower() in SUFFIXES and plain(path.stem) in names.by_stem
    return named and not passed_over(path.parts) and blob.size <= MAX_FILE and blob.mode.startswith("100")
