"""The marks of an exercise's tests, as a pytest plugin."""

from __future__ import annotations

import pytest

MARKS = (
    "points(n): what the test is worth; shared evenly by its parameter sets",
    "limits(seconds, memory_mb): CPU seconds and MiB that this test may use",
)


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
