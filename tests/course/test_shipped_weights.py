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


@pytest.mark.parametrize("exercise", SHIPPING, ids=lambda exercise: exercise.id)
def test_the_script_makes_them(exercise: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit on one machine. On another kind of processor, which rounds otherwise, training may end in another model."""
    monkeypatch.chdir(ROOT)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        make = runpy.run_path(str(script(exercise)))["make_weights"]
        first, second = make(), make()
    finally:
        torch.set_num_threads(threads)
    shipped = load_weights(exercise)
    assert first.keys() == shipped.keys()
    for name, value in shipped.items():
        assert torch.equal(first[name], second[name]), name
        assert first[name].shape == value.shape, name
        assert 0.5 < (first[name].norm() + 0.1) / (value.norm() + 0.1) < 2, name


@pytest.mark.parametrize("exercise", SHIPPING, ids=lambda exercise: exercise.id)
def test_they_are_small(exercise: Exercise) -> None:
    assert len(exercise.weights) <= MOST


def test_every_script_has_its_weights() -> None:
    scripts = sorted((ROOT / "solutions").glob("*/make_*_weights.py"))
    assert scripts == sorted(script(exercise) for exercise in SHIPPING)
