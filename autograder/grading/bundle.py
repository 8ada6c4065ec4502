"""An exercise as the data that grading it takes, and the key under which a result is kept.

A bundle holds everything a worker needs, so that it can be sent to another machine; a worker unpacks it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from autograder import __version__
from autograder.course import CourseError, Exercise, ExerciseSpec
from autograder.course.catalogue import part_file
from autograder.course.derived import Derived
from autograder.grading.planted import no_known_mistakes, planted_for_class
from autograder.results import Isolation

ENGINE = f"{__version__}/4"  # raise the number when grading the same files may give another result


class Bundle(Struct, frozen=True, dict=True):  # dict: for what is computed once
    """One exercise: its author's file, its reference, and both test files, as they were when grading began."""

    exercise: str
    spec: ExerciseSpec
    solution: bytes
    hidden_tests: bytes
    public_tests: bytes
    max_score: float
    questions: tuple[str, ...]  # in the skeleton's order
    parts: dict[str, bytes]  # of a capstone: file name -> the reference solution of a part
    weights: bytes  # that ship with a capstone; none with most
    # Other correct solutions: file name -> text. They change no verdict, but what a student is told of a wrong answer.
    accepted: dict[str, bytes]

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything that can change a result or its feedback does."""
        return hashlib.sha256(msgspec.msgpack.encode([ENGINE, self])).hexdigest()


class OwnTestsBundle(Bundle, frozen=True, dict=True):
    """Tests that students write of an exercise: what they are tried on. No test of the exercise's own is needed."""


class DebugBundle(Bundle, frozen=True, dict=True):
    """A mistake for students to find: the text that is given out with it, and the same without it."""

    base: Bundle  # which a mend is graded as an answer to
    given: str
    right: str


def bundle_of(exercise: Exercise) -> Bundle:
    """Read an exercise's files. CourseError where one can't be read."""
    return _derived(exercise) if isinstance(exercise, Derived) else _written(exercise)


def _derived(exercise: Derived) -> Bundle:
    base = _written(exercise.base)
    debug = exercise.kind == "debug"
    if debug:  # a diagnosis would name the mistake that is to be found
        base = replace(base, spec=replace(base.spec, misconception=()))
    elif not base.spec.misconception:
        raise no_known_mistakes(exercise.base)
    fields: dict[str, Any] = {name: getattr(base, name) for name in Bundle.__struct_fields__}
    fields |= {"exercise": exercise.id, "max_score": exercise.public.max_score}
    fields |= {"hidden_tests": b"", "public_tests": b""}
    if debug:
        planted = planted_for_class(exercise.base)
        return DebugBundle(**fields, base=base, given=planted.text, right=planted.right)
    return OwnTestsBundle(**fields)


def _written(exercise: Exercise) -> Bundle:
    parts = exercise.parts
    contents = []
    files = (
        exercise.solution,
        exercise.hidden_tests,
        exercise.public_tests,
        *(part.solution for part in parts),
    )
    for path in files:
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            raise CourseError(
                f"{path} can't be read ({error.strerror}); grading needs the solutions: use the instructor's tree",
                f"{path} 无法读取（{error.strerror}）；评分需要答案：请使用教师的目录树",
            ) from None
    solution, hidden, public, *sources = contents
    named = {part_file(part): source for part, source in zip(parts, sources, strict=True)}
    # Which mutants are equivalent changes no result, so it must not make anybody's result out of date.
    spec = replace(exercise.spec, equivalent=())
    said = exercise.public
    return Bundle(
        exercise.id,
        spec,
        solution,
        hidden,
        public,
        said.max_score,
        said.questions,
        named,
        exercise.weights,
        {path.name: path.read_bytes() for path in exercise.accepted},
    )


def result_key(bundle: Bundle, main: str, files: Mapping[str, bytes], isolation: Isolation) -> str:
    """What everything that a result depends on hashes to: the bundle's fingerprint, a dash, and the submission's hash.

    Unsafe results never stand in for isolated ones.
    """
    digest = hashlib.sha256(b"unsafe" if isolation is Isolation.UNSAFE else b"isolated")
    digest.update(main.rsplit("/", 1)[-1].encode("utf-8", "backslashreplace"))
    for name in sorted(files):
        content = hashlib.sha256(files[name]).hexdigest()
        digest.update(f"\0{name}\0{content}".encode("utf-8", "backslashreplace"))
    return f"{bundle.fingerprint}-{digest.hexdigest()}"
