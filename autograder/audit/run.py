"""Audit exercises in processes of their own, and pass on what they say while they work."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from autograder.audit.report import Ended, Event, ExerciseAudit, Refused
from autograder.course import Course, Exercise
from autograder.errors import UserError
from autograder.sandbox.sandbox import refuse_other_systems

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def audit_events(
    course: Course,
    exercises: Sequence[Exercise],
    workers: int | None = None,
    counterexamples: bool = False,
) -> Iterator[Event]:
    """What happens, as it happens: exercises begun, their audits in the order in which they end, and the run's end.

    Args:
        workers: how many processes audit at once; by default one for each processor.
        counterexamples: whether these are looked for, too.

    Raises: UserError where nothing can be audited, SandboxUnavailable where nothing can be confined.
    """
    refuse_other_systems()
    names = [exercise.id for exercise in exercises]
    request = {
        "root": str(course.root),
        "exercises": names,
        "workers": workers or processors(),
        "counterexamples": counterexamples,
    }
    # An option that somebody runs pytest with is not meant for the oracle tests.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    with tempfile.TemporaryFile() as errors:
        engine = subprocess.Popen(
            [sys.executable, "-P", "-m", "autograder.audit.engine"],
            cwd=course.root,
            env={**kept, **ONE_THREAD, "MPLBACKEND": "Agg", "PYTHONPATH": str(PACKAGE_PARENT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert engine.stdin is not None and engine.stdout is not None
        try:
            with engine.stdin as requests:
                requests.write(msgspec.json.encode(request))
            ended = False
            for line in engine.stdout:
                event: Event = msgspec.json.decode(line, type=Event)
                if isinstance(event, Refused):
                    raise UserError(event.why.en, event.why.zh)
                ended = isinstance(event, Ended)
                yield event
            if not ended:
                errors.seek(0)
                said = errors.read()[-2000:].decode(errors="replace").strip()
                raise UserError(f"the audit broke off: {said}", f"审核中断：{said}")
        finally:
            engine.kill()  # a no-op where it has ended
            engine.stdout.close()
            engine.wait()


def audit(course: Course, exercises: Sequence[Exercise], workers: int | None = None) -> list[ExerciseAudit]:
    """The audits of these exercises, in their order."""
    found = {
        event.exercise: event
        for event in audit_events(course, exercises, workers)
        if isinstance(event, ExerciseAudit)
    }
    return [found[exercise.id] for exercise in exercises]
