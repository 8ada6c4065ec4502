"""What one student handed in, and what became of each file: taken for an exercise, imported by what was taken, or neither."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from autograder.course import Exercise
from autograder.grading.collector import Collector, File, visible
from autograder.grading.names import Names, is_exact, stems, uncopied
from autograder.grading.pristine import is_pristine
from autograder.results import Unrecognised, Why

MAX_FILE = 16 << 20  # bytes; a notebook this large is full of outputs
MAX_STRANGE = 200  # files of one student whose names are compared with the exercises'
MAX_COPIES = 20  # files named after one exercise: to tell whether one holds work takes a moment each
IMPORT = re.compile(rb"\b(?:import|from)\s+([^\n\"\\#;]*)")


class HandIn:
    """Everything that one student handed in, and what became of it."""

    def __init__(self, collector: Collector, exercises: Sequence[Exercise]) -> None:
        self.collector = collector
        self.exercises = exercises
        self._selected = Names(exercises).by_stem
        self._answered: dict[str, list[File]] = {}  # exercise -> the files that stand for it
        self._loaded: list[
            tuple[PurePosixPath, str, Mapping[str, bytes]]
        ] = []  # (folder, main, name -> content)
        strange = [
            file for stem, files in collector.named.items() for file in files if self._is_strange(stem, file)
        ]
        self._strange = {
            file.path: (file, collector.names.resembling(file.name)) for file in strange[:MAX_STRANGE]
        }
        self._strange |= {file.path: (file, []) for file in strange[MAX_STRANGE:]}

    def _is_strange(self, stem: str, file: File) -> bool:
        """Whether a file's name is no exercise's: neither of those that are graded, nor of another in the course."""
        named = self._selected.get(stem, [])
        if named:  # where units share the topic, something must say which of them is meant
            return not any(_is_meant(exercise, self.exercises, stem, file) for exercise in named)
        return stem not in self.collector.names.by_stem and not self.collector.names.is_given(file.name)

    def candidates(self, exercise: Exercise) -> list[File]:
        """The files that answer an exercise: none, one, or several among which nothing decides."""
        folder = self.collector.folder
        files = _with_work(exercise, self._named(exercise), folder)
        if self.collector.names.accept and not any(_holds_work(exercise, file, folder) for file in files):
            near = [
                file
                for file, resembled in self._strange.values()
                if [e.id for e in resembled] == [exercise.id]
            ]
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

    def took(
        self, exercise: Exercise, files: Sequence[File], main: str, contents: Mapping[str, bytes]
    ) -> None:
        """Note which files stand for an exercise, and what a student's code sees of them: its main file, and all."""
        self._answered[exercise.id] = list(files)
        self._loaded.append((files[0].path.parent, main, contents))

    def unrecognised(self) -> Iterator[Unrecognised]:
        """What no exercise took, and no submission imports."""
        for exercise in self.exercises:
            taken = self._answered.get(exercise.id, [])
            for file in self._named(exercise):
                if file not in taken and _holds_work(exercise, file, self.collector.folder):
                    yield Unrecognised(file.shown, Why.EXTRA, (exercise.id,))
        if self._strange:
            used = {file.path for files in self._answered.values() for file in files} | self._imported()
            for path, (file, resembled) in self._strange.items():
                if path not in used and not _is_blank(file):
                    yield self._told(file, resembled)
        for file in self.collector.others:
            yield self._told(file, self.collector.names.resembling(file.name))

    def _imported(self) -> set[PurePosixPath]:
        """The strange files beside submissions that these import, or that what they import imports."""
        found: set[PurePosixPath] = set()
        for folder, main, contents in self._loaded:
            modules = {uncopied(file.stem): file.path for file in self.collector.modules[folder]}
            strange = [_bytes(name) for name, path in modules.items() if path in self._strange]
            if not any(name in content for name in strange for content in contents.values()):
                continue  # the usual case, told fast
            waiting = [main]
            while waiting:
                for name in _imports(contents.get(waiting.pop(), b""), modules):
                    if modules[name] not in found:
                        found.add(modules[name])
                        waiting.append(f"{name}.py")
        return found

    def _told(self, file: File, resembled: Sequence[Exercise]) -> Unrecognised:
        answered = len(resembled) == 1 and any(
            _holds_work(resembled[0], taken, self.collector.folder)
            for taken in self._answered.get(resembled[0].id, ())
        )
        why = Why.EXTRA if answered else Why.NEAR if resembled else Why.UNKNOWN
        prefix = visible(file.path.name.removesuffix(file.name))
        return Unrecognised(file.shown, why, tuple(exercise.id for exercise in resembled), prefix)


def _imports(source: bytes, modules: Collection[str]) -> list[str]:
    """Which of these modules a source (a notebook's too) names in an import."""
    words = b" ".join(IMPORT.findall(source)).decode("utf-8", "replace")
    return [name for name in dict.fromkeys(re.findall(r"\w+", words)) if name in modules]


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


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
