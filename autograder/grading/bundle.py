"""An exercise as the data that grading it takes, and the key under which a result is kept.

A bundle holds everything a worker needs, so that it can be sent to another machine; a worker unpacks it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from autograder import __version__
from autograder.course import CourseError, Exercise, ExerciseSpec
from autograder.results import Isolation

ENGINE = f"{__version__}/2"  # raise the number when grading the same files may give another result


class Bundle(Struct, frozen=True):
    """One exercise: its author's file, its reference, and both test files, as they were when grading began."""

    exercise: str
    spec: ExerciseSpec
    solution: bytes
    hidden_tests: bytes
    public_tests: bytes
    max_score: float
    parts: dict[str, bytes]  # of a capstone: file name -> the given code that stands for a part

    @property
    def fingerprint(self) -> str:
        """Changes when anything that can change a result or its feedback does."""
        return hashlib.sha256(msgspec.msgpack.encode([ENGINE, self])).hexdigest()


def bundle_of(exercise: Exercise) -> Bundle:
    """Read an exercise's files. CourseError where one can't be read."""
    given = exercise.given_parts("solutions")
    contents = []
    for path in (exercise.solution, exercise.hidden_tests, exercise.public_tests, *given.values()):
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            raise CourseError(
                f"{path} can't be read ({error.strerror}); grading needs the solutions: use the instructor's tree",
                f"{path} 无法读取（{error.strerror}）；评分需要答案：请使用教师的目录树",
            ) from None
    solution, hidden, public, *sources = contents
    parts = {f"{name}.py": source for name, source in zip(given, sources, strict=True)}
    # Which mutants are equivalent changes no result, so it must not make anybody's result out of date.
    spec = replace(exercise.spec, equivalent=())
    return Bundle(exercise.id, spec, solution, hidden, public, exercise.public.max_score, parts)


def result_key(bundle: Bundle, main: str, files: Mapping[str, bytes], isolation: Isolation) -> str:
    """The hash of everything a result depends on. Unsafe results never stand in for isolated ones."""
    digest = hashlib.sha256(bundle.fingerprint.encode())
    digest.update(b"unsafe" if isolation is Isolation.UNSAFE else b"isolated")
    digest.update(main.rsplit("/", 1)[-1].encode("utf-8", "backslashreplace"))
    for name in sorted(files):
        content = hashlib.sha256(files[name]).hexdigest()
        digest.update(f"\0{name}\0{content}".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()
