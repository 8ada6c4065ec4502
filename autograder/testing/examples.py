"""The examples that run through the course: a sentence, two tiny models, twenty short documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, field

from autograder.course import find_course
from autograder.course.spec import BothLanguages, Name
from autograder.course.toml import read_toml

EXAMPLES_FILE = Path("course") / "examples.toml"
Positive = Annotated[int, Meta(ge=1)]


class TinyModel(Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of a transformer that is small enough for a lesson."""

    num_layers: Positive
    d_model: Positive
    num_heads: Positive


class TinyModels(Struct, frozen=True, forbid_unknown_fields=True):
    """`shown` is for numbers that are printed, `trained` for models that learn something."""

    shown: TinyModel
    trained: TinyModel


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """One document of the corpus, with the same content in both languages."""

    id: Name
    title: BothLanguages
    text: BothLanguages


class RunningExamples(Struct, frozen=True, forbid_unknown_fields=True):
    """What `course/examples.toml` holds."""

    sentence: BothLanguages
    model: TinyModels
    documents: tuple[Document, ...] = field(name="document")


def running_examples(root: Path | None = None) -> RunningExamples:
    """The course's running examples.

    Args:
        root: the folder that holds `course/`; None looks for it at and above the working directory.

    Raises:
        CourseError: if there is no course, or its `course/examples.toml` is missing or wrong.
    """
    return read_toml(find_course(given=root) / EXAMPLES_FILE, RunningExamples)
