"""Failing submissions that no misconception explains, grouped by what they answered.

Two are in one group when they fail the same tests after the same answers: the measure by which diagnosis tells a known
mistake (`autograder.grading.diagnosis`). A gradebook holds no answers, so the submissions are run once more, confined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from autograder.course import Exercise
from autograder.course.given import given_functions
from autograder.errors import UserError
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.code_lines import Line, code_of, difference, distance, lines_of
from autograder.grading.diagnosis import REFERENCE, SILENT, Behaviour, Diagnostician, compared, same
from autograder.grading.submissions import Submission
from autograder.grading.worker import Worker
from autograder.results import ExerciseResult, Isolation, Outcome, function_of
from autograder.sandbox.errors import SandboxUnavailable

UNTOLD = (*SILENT, Outcome.NOT_RUN, Outcome.UNGRADED)  # outcomes that say nothing about a mistake


@dataclass
class Cluster:
    """Submissions to one exercise that behave alike.

    failing: how the first of them went through the tests that it fails. tells: whether one of its answers there is wrong and
    more than empty or constant. lines: its code. submissions: how many they are.
    """

    failing: Behaviour
    tells: bool
    lines: Sequence[Line]
    submissions: int = 1

    @property
    def tests(self) -> tuple[str, ...]:
        """The test functions that fail, in the exercise's order."""
        return tuple(dict.fromkeys(map(function_of, self.failing)))

    def behaves_as(self, failing: Behaviour) -> bool:
        """Whether the same tests fail after the same answers."""
        return failing.keys() == self.failing.keys() and all(
            seen.outcome is failing[name].outcome and same(seen.trace, failing[name].trace)
            for name, seen in self.failing.items()
        )


def clusters_of(
    exercise: Exercise,
    submissions: Iterable[Submission],
    worker: Worker,
    known: Callable[[str], ExerciseResult | None] = lambda key: None,
) -> list[Cluster]:
    """The groups among submissions to one exercise, the largest first.

    Args:
        known: the recorded result for a key: what passed, or was diagnosed, need not be run again.
    """
    bundle = bundle_of(exercise)
    worker.take_up(bundle)
    found: list[Cluster] = []
    places: dict[str, Cluster | None] = {}  # key -> the group of what has that content
    for submission in submissions:
        if submission.problem is not None:
            continue
        key = result_key(bundle, submission.main, submission.files, Isolation.FULL)
        if key not in places:
            result = known(key)
            explained = result is not None and not _is_open(result)
            failing, tells = ({}, False) if explained else _unexplained(bundle, submission, worker)
            cluster = next((one for one in found if failing and one.behaves_as(failing)), None)
            if failing and cluster is None:
                given = given_functions(bundle.solution.decode())
                code = lines_of(code_of(submission.main, submission.files[submission.main]), given)
                cluster = Cluster(failing, tells, code, submissions=0)
                found.append(cluster)
            places[key] = cluster
        cluster = places[key]
        if cluster is not None:
            cluster.submissions += 1
    return sorted(found, key=lambda cluster: -cluster.submissions)


def nearest_solution(exercise: Exercise, cluster: Cluster) -> tuple[str, str]:
    """Which right answer is nearest to a group's code, and the difference from it, for instructors."""
    solution = exercise.solution.read_text(encoding="utf-8")
    given = given_functions(solution)
    right = {
        path.relative_to(exercise.root).as_posix(): path for path in (exercise.solution, *exercise.accepted)
    }
    read = {name: lines_of(path.read_text(encoding="utf-8"), given) for name, path in right.items()}
    name = min(read, key=lambda one: distance(read[one], cluster.lines))
    return name, difference(read[name], cluster.lines)


def _is_open(result: ExerciseResult) -> bool:
    """Whether something failed, and nothing of it has a name."""
    return any(test.outcome not in UNTOLD for test in result.tests) and not any(
        t.diagnosis for t in result.tests
    )


def _unexplained(bundle: Bundle, submission: Submission, worker: Worker) -> tuple[Behaviour, bool]:
    """The tests that a submission fails without a name for it, none where there is one; whether an answer there tells much."""
    try:
        grader = worker.grader(bundle)
        _, behaviour, backend = grader.run({**submission.files, **bundle.parts}, submission.main)
        if backend.load_error is not None or grader.diagnostician.diagnose(behaviour):
            return {}, False
        return failing_tests(grader.diagnostician, behaviour)
    except (UserError, SandboxUnavailable):
        raise
    except Exception:  # a fault of ours: grading tells it, and a proposal less is no harm
        worker.close()
        return {}, False


def failing_tests(diagnostician: Diagnostician, behaviour: Behaviour) -> tuple[Behaviour, bool]:
    """The tests that fail where the reference passes, and whether an answer in them tells much."""
    reference = diagnostician.behaviour(REFERENCE)
    failing = {
        name: compared(seen, reference[name])
        for name, seen in behaviour.items()
        if seen.outcome not in UNTOLD and reference[name].outcome is Outcome.PASSED
    }
    return failing, any(seen.tells for seen in failing.values())
