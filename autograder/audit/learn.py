"""`autograder audit --learn`: drafts of misconceptions, from failures of a class that none explains.

A draft has everything that can be found out, and blanks that the audit refuses: its name and its hints are an author's. Its
edit stands there only if the reference, so changed, fails the same tests after the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograder.audit.form import BLANK, UNNAMED
from autograder.authoring.build import toml_lines
from autograder.course import Exercise, Misconception
from autograder.course.given import given_functions
from autograder.course.spec import BothLanguages, Edit
from autograder.grading.bundle import bundle_of
from autograder.grading.clusters import Cluster, failing_tests, nearest_solution
from autograder.grading.code_lines import edits_to
from autograder.grading.worker import Worker
from autograder.results import Visibility

LEAST = 2  # submissions that make a mistake worth a name
HEAD = (
    "# Drafts of misconceptions of {exercise}, from submissions. Fill the blanks, then add them to {spec}.\n"
)
GROUP = "# {n} submissions fail {tests}."
ONLY_ERRORS = "# No wrong answer of theirs tells much: errors and empty answers can have many causes."
NO_EDIT = (
    "# No small edit of the reference behaves as they do. Write one; one of them differs from {name} so:"
)
NO_TEST = "# No hidden test fails: write one that does."


def drafts(exercise: Exercise, clusters: Sequence[Cluster], worker: Worker) -> str:
    """The text of a file with a draft for each group that is large enough; "" where there is none."""
    large = [cluster for cluster in clusters if cluster.submissions >= LEAST]
    if not large:
        return ""
    spec = exercise.spec_file.relative_to(exercise.root).as_posix()
    parts = [HEAD.format(exercise=exercise.id, spec=spec)]
    parts += [_draft(exercise, cluster, number, worker) for number, cluster in enumerate(large, 1)]
    return "\n".join(parts)


def _draft(exercise: Exercise, cluster: Cluster, number: int, worker: Worker) -> str:
    lines = [GROUP.format(n=cluster.submissions, tests=", ".join(cluster.tests))]
    if not cluster.tells:
        lines.append(ONLY_ERRORS)
    edits = proved_edits(exercise, cluster, worker)
    if not edits:
        name, text = nearest_solution(exercise, cluster)
        lines += [NO_EDIT.format(name=name), *(f"#   {line}" for line in text.splitlines())]
    caught = _caught(exercise, cluster, worker)
    if not caught:
        lines.append(NO_TEST)
    entry: dict[str, object] = {"name": f"{UNNAMED}{number}"}
    if len(edits) <= 1:
        edit = edits[0] if edits else Edit(BLANK, BLANK)
        entry |= {"replace": edit.replace, "with": edit.with_}
    lines += ["[[misconception]]", *toml_lines(entry)]
    if len(edits) > 1:
        pairs = (" , ".join(toml_lines({"replace": edit.replace, "with": edit.with_})) for edit in edits)
        lines += ["edits = [", *(f"    {{ {pair} }}," for pair in pairs), "]"]
    hints = dict.fromkeys(exercise.languages, BLANK)
    lines += toml_lines({"caught": caught or BLANK, "hint": hints})
    return "\n".join(lines) + "\n"


def proved_edits(exercise: Exercise, cluster: Cluster, worker: Worker) -> tuple[Edit, ...]:
    """Small edits of the reference that lead to the same failures; none where there are no such edits."""
    bundle = bundle_of(exercise)
    solution = bundle.solution.decode()
    edits = edits_to(solution, cluster.lines, given_functions(solution))
    if not edits:
        return ()
    try:
        changed = Misconception("draft", "draft", BothLanguages("-", "-"), edits=edits).apply(solution)
    except ValueError:  # two edits meet
        return ()
    grader, main = worker.grader(bundle), f"{exercise.topic}.py"
    _, behaviour, _ = grader.run({main: changed.encode(), **bundle.parts}, main)
    failing, _ = failing_tests(grader.diagnostician, behaviour)
    return edits if cluster.behaves_as(failing) else ()


def _caught(exercise: Exercise, cluster: Cluster, worker: Worker) -> str:
    """The hidden test that fails first; "" where none does."""
    cases = worker.grader(bundle_of(exercise)).cases
    hidden = {case.function_name for case in cases if case.visibility is Visibility.HIDDEN}
    return next((name for name in cluster.tests if name in hidden), "")
