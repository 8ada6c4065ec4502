"""The weights that ship with a capstone, so that it stands alone: `exercises/UNIT/TOPIC.weights.npz`.

A script beside the solution trains them, and writes them with `save_weights`; a test asks for the fixture `weights`; a
lesson calls `load_weights`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from autograder.course import CourseError, Exercise, find_course


def load_weights(exercise: Exercise | str) -> dict[str, Tensor]:
    """The weights that ship with an exercise, by name, float32; new tensors each time.

    Args:
        exercise: or its id; then the course is found from the working folder.

    Raises:
        CourseError: it ships none.
    """
    found = _found(exercise)
    return read_weights(found.weights, found.id)


def read_weights(content: bytes, exercise: str = "this exercise") -> dict[str, Tensor]:
    """The weights that a file of them holds. CourseError where it is empty or is none."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except (EOFError, OSError, ValueError) as error:
        raise CourseError(
            f"{exercise} ships no weights that can be read: write its .weights.npz beside the skeleton with "
            f"autograder.testing.save_weights ({error})",
            f"{exercise} 没有可读的权重：请用 autograder.testing.save_weights 在骨架旁写出 .weights.npz（{error}）",
        ) from None


def save_weights(exercise: Exercise | str, weights: Mapping[str, Tensor]) -> None:
    """Write the weights that ship with an exercise. The same weights give the same bytes.

    Args:
        weights: parameter name -> tensor; kept in float32.
    """
    arrays = {name: value.detach().to(torch.float32).numpy() for name, value in weights.items()}
    np.savez_compressed(_found(exercise).weights_file, allow_pickle=False, **arrays)


def _found(exercise: Exercise | str) -> Exercise:
    return exercise if isinstance(exercise, Exercise) else Exercise(find_course(), *exercise.split("/"))
