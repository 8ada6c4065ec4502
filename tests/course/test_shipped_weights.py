"""The weights that ship with capstones: small, and what their scripts make."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from autograder.course import Course, Exercise
from autograder.testing import load_weights

ROOT = Path(__file__).resolve().parents[2]
SHIPPING = [exercise for exercise in Course.load(ROOT) if exercise.weights]
MOST = 300 * 1024  # bytes


def script(exercise: Exercise) -> Path:
    return exercise.solution.with_name(f"make_{exercise.topic}_weights.py")


# How far a weight may be from the shipped one, as a share of itself and of the spread of its tensor. Scripts that train
# in float64 differ by one rounding to 8 bits at most, whatever the processor. The other trains in float32: 0.15 between
# the kernels of one machine.
TOLERANCE, IN_FLOAT32 = 0.01, {"capstone/preferences": 0.5}


@pytest.mark.parametrize("exercise", SHIPPING, ids=lambda exercise: exercise.id)
def test_the_script_makes_them(exercise: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits twice on one machine, and on any the shipped weights within a tolerance."""
    monkeypatch.chdir(ROOT)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        make = runpy.run_path(str(script(exercise)))["make_weights"]
        first, second = make(), make()
    finally:
        torch.set_num_threads(threads)
    shipped = load_weights(exercise)
    tolerance = IN_FLOAT32.get(exercise.id, TOLERANCE)
    assert first.keys() == shipped.keys()
    for name, value in shipped.items():
        assert torch.equal(first[name], second[name]), name
        assert first[name].shape == value.shape, name
        assert ((first[name] - value).abs() <= tolerance * (value.abs() + value.std())).all(), name


@pytest.mark.parametrize("exercise", SHIPPING, ids=lambda exercise: exercise.id)
def test_they_are_small(exercise: Exercise) -> None:
    assert len(exercise.weights) <= MOST


def test_every_script_has_its_weights() -> None:
    scripts = sorted((ROOT / "solutions").glob("*/make_*_weights.py"))
    assert scripts == sorted(script(exercise) for exercise in SHIPPING)
