"""Steps of nbgrader's own commands in a course that holds our notebooks: `nbgrader_config.py` names the lists at the end.

`generate_assignment` learns the due date. `autograde` never runs or scores a notebook of ours, and treats all others as
ever. Whether a notebook is ours is read from the one that was given out: the one that was handed in may say anything.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry  # type: ignore[import-untyped]
from nbgrader.converters import Autograde, GenerateAssignment  # type: ignore[import-untyped]
from nbgrader.converters.base import NbGraderException  # type: ignore[import-untyped]
from nbgrader.coursedir import CourseDirectory  # type: ignore[import-untyped]
from nbgrader.preprocessors import (  # type: ignore[import-untyped]
    Execute,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from traitlets import Dict

from autograder.platforms.nbgrader.course_dir import exercise_of, read_notebook

COMMAND = "autograder grade --nbgrader ."


def _given_out(step: Any, resources: Any) -> Path:
    """The notebook as it was given out; where that is gone, its source."""
    place, names = CourseDirectory(config=step.config), resources["nbgrader"]
    for kept in (place.release_directory, place.source_directory):
        path = Path(place.format_path(kept, ".", names["assignment"])) / f"{names['notebook']}.ipynb"
        if path.is_file():
            return path
    raise NbGraderException(f"{path} is missing, so it can't be told what grades it; put it back")


def is_ours(step: Any, resources: Any) -> bool:
    """Whether a preprocessor's notebook is one that our engine grades."""
    return exercise_of(read_notebook(_given_out(step, resources))) is not None


class PassDueDate(NbGraderPreprocessor):
    """Gives an assignment its due date, unless it has one already: what is set in the formgrader holds."""

    due = Dict(help="assignment -> its due date, ISO 8601 with a time zone").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        names = resources["nbgrader"]
        if names["assignment"] in self.due:
            moment = datetime.fromisoformat(self.due[names["assignment"]])
            with Gradebook(names["db_url"]) as book, suppress(MissingEntry):  # none with --no-db
                assignment = book.find_assignment(names["assignment"])
                if assignment.duedate is None:
                    assignment.duedate = moment.astimezone(UTC).replace(tzinfo=None)  # as nbgrader keeps it
                    book.db.commit()
        return nb, resources


class RefuseOurs(NbGraderPreprocessor):
    """Stops where an assignment holds no notebook but ours; says of one of ours among others what grades it."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        if is_ours(self, resources):
            names = resources["nbgrader"]
            given = _given_out(self, resources).parent.glob("*.ipynb")
            if all(exercise_of(read_notebook(path)) for path in given):
                raise NbGraderException(
                    f"assignment {names['assignment']!r} is graded by `{COMMAND}`; see README.md"
                )
            self.log.warning("%s.ipynb is not run here: it is graded by `%s`", names["notebook"], COMMAND)
        return nb, resources


class ExecuteOthers(Execute):
    """Runs a notebook that is not ours."""

    def preprocess(self, nb: Any, resources: Any, *arguments: Any, **named: Any) -> Any:
        if is_ours(self, resources):
            return nb, resources
        return super().preprocess(nb, resources, *arguments, **named)


class ScoreOthers(SaveAutoGrades):
    """Scores a notebook that is not ours."""

    def preprocess(self, nb: Any, resources: Any) -> Any:
        return (nb, resources) if is_ours(self, resources) else super().preprocess(nb, resources)


def _steps(command: type, trait: str) -> list[type]:
    """nbgrader's own steps of a command, with ours in place of the two that run and score."""
    ours = {Execute: ExecuteOthers, SaveAutoGrades: ScoreOthers}
    return [ours.get(step, step) for step in command.class_traits()[trait].default()]  # type: ignore[attr-defined]


GENERATE = [*_steps(GenerateAssignment, "preprocessors"), PassDueDate]
SANITIZE = [RefuseOurs, *_steps(Autograde, "sanitize_preprocessors")]
AUTOGRADE = _steps(Autograde, "autograde_preprocessors")
