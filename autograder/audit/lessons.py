"""Do a lesson's cells run, and do its links lead somewhere?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from autograder.course import Exercise

CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
SECONDS = 60  # a lesson's cells take a few seconds; this only ends what hangs


def code_of(page: str) -> str:
    """A page's executable cells, as one script. Options at a cell's head (`:tags: [...]`) are the renderer's."""
    cells = [re.sub(r"\A(:[a-z-]+:[^\n]*\n)+", "", cell) for cell in CELL.findall(page)]
    return "\n\n".join(cells)


def lesson_problems(exercise: Exercise) -> list[str]:
    """What is wrong with the exercise's two lessons, in words; empty if nothing is."""
    problems = []
    run: set[str] = set()
    for lang in ("en", "zh"):
        path = exercise.lesson(lang)
        name = path.relative_to(exercise.root)
        if not path.is_file():
            problems.append(f"{name} is missing; write the lesson")
            continue
        page = path.read_text(encoding="utf-8")
        problems += [f"{name}: {problem}" for problem in _links(exercise, path, page)]
        code = code_of(page)
        if not code.strip():
            problems.append(f"{name} has no executed cell; give a worked example")
        elif code not in run:  # the two languages often share their cells
            run.add(code)
            failure = _run(code)
            if failure:
                problems.append(f"{name}: a cell fails: {failure}")
    return problems


def _links(exercise: Exercise, path: Path, page: str) -> list[str]:
    targets = [
        target for target, _ in LINK.findall(page) if "://" not in target and not target.startswith("mailto:")
    ]
    dead = [target for target in targets if not (path.parent / target).exists()]
    found = any((path.parent / target).resolve() == exercise.skeleton.resolve() for target in targets)
    missing = [] if found else [f"no link to exercises/{exercise.id}.py; add one"]
    return [f"the link {target!r} leads nowhere" for target in dead] + missing


def _run(code: str) -> str:
    """Run a script the way a page would be executed; the last line of its error, or nothing."""
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-c", code],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"it ran longer than {SECONDS} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]
