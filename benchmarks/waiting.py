"""What people wait for: from a save to its result in `autograder learn`, and `doctor` and `release`, beside fresh processes.

Seconds on the wall, medians of rounds in which all take turns, and each as a multiple of a fresh Python that imports torch:
the machine's speed is in both. The goals: a result after a save in a tenth of a fresh `pytest` on the same exercise;
`doctor` within twice the time of an import of torch; a release within five of them.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from part import Size, Table, main
from rich.progress import track

from autograder.course import Course, Exercise, find_course
from autograder.platforms.publish import Target

EXERCISE = "attention/scaled_dot_product"
ROUNDS = 3
AUTOGRADER = [sys.executable, "-m", "autograder"]
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-p",
    "autograder.learn.pytest_plugin",
    "--import-mode=importlib",
]


def fresh(command: list[str], folder: Path, allowed: tuple[int, ...] = (0,)) -> None:
    """Run a command to its end."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in allowed:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )


class Learner:
    """Somebody who saves a file and waits for what `autograder learn` says of it."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self.saves = 0
        command = [*AUTOGRADER, "learn", exercise.id, "--lang", "en"]
        self.process = subprocess.Popen(
            command,
            cwd=exercise.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.read_to_the_keys()

    def read_to_the_keys(self) -> None:
        out: IO[str] | None = self.process.stdout
        assert out is not None
        for line in out:
            if "q: quit" in line:
                return
        raise SystemExit("`autograder learn` ended by itself")

    def save(self) -> None:
        self.saves += 1
        with self.exercise.skeleton.open("a", encoding="utf-8") as file:
            file.write(f"saved = {self.saves}\n")
        self.read_to_the_keys()

    def quit(self) -> None:
        self.process.communicate("q\n")


def half_answered(exercise: Exercise) -> None:
    """Write the reference into the learner's place with its last question unanswered, so that most tests run."""
    text = exercise.solution.read_text(encoding="utf-8")
    exercise.skeleton.write_text(
        f'{text}\n\ndef {exercise.public.questions[-1]}(*args, **kwargs):\n    raise NotImplementedError("{exercise.public.questions[-1]}")\n',
        encoding="utf-8",
    )


def tables(size: Size) -> list[Table]:
    root, rounds = find_course(), size.of(ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for tree in ("course", "exercises", "solutions"):
            shutil.copytree(root / tree, here / "course_copy" / tree)
        exercise = Course.load(here / "course_copy", authoring=True).exercise(EXERCISE)
        half_answered(exercise)
        learner = Learner(exercise)
        tests = str(exercise.public_tests.relative_to(exercise.root))

        def released(target: Target) -> Callable[[], None]:
            command = [*AUTOGRADER, "release", str(here / target), "--to", target.value, "--force"]
            return lambda: fresh(command, exercise.root)

        torch = "a fresh Python that imports torch"
        ways: dict[str, Callable[[], None]] = {
            torch: lambda: fresh([sys.executable, "-c", "import torch"], here),
            "learn: from a save to its result": learner.save,
            "a fresh pytest on the exercise": lambda: fresh([*PYTEST, tests], exercise.root, (0, 1)),
            "a fresh autograder check": lambda: fresh(
                [*AUTOGRADER, "check", exercise.id], exercise.root, (0, 1)
            ),
            "doctor": lambda: fresh([*AUTOGRADER, "doctor"], here),
            **{f"release --to {target.value}": released(target) for target in Target},
        }
        seconds: dict[str, list[float]] = {what: [] for what in ways}
        for _ in track(range(rounds), "in turns", transient=True):
            for what, work in ways.items():
                begun = time.perf_counter()
                work()
                seconds[what].append(time.perf_counter() - begun)
        learner.quit()
    table = Table(f"waiting for ({EXERCISE}, median of {rounds})", "s", "imports of torch")
    unit = statistics.median(seconds[torch])
    for what, found in seconds.items():
        median = statistics.median(found)
        table.add(what, f"{median:.2f}", f"{median / unit:.2f}")
    return [table]


if __name__ == "__main__":
    main(__doc__, tables)
