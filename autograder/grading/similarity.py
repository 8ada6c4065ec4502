"""Which answers of a class are more alike than those of people who worked on their own.

copydetect fingerprints each file once: hashes of all runs of K characters of its code, as MOSS does it (Schleimer, Wilkerson
and Aiken, "Winnowing", SIGMOD 2003), here without thinning them out, so that a score is the same in every run. Of the
fingerprints, those of the starter are nobody's own; those of accepted solutions and known mistakes are what anybody may
write. The score of two answers is the share of the shorter one's own fingerprints that both have and not everybody may.

What a score means, the course itself tells: its reference and accepted solutions were written without each other.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import combinations

import numpy as np
from copydetect import CodeFingerprint, compare_files
from msgspec import Struct

from autograder.course import Exercise
from autograder.feedback.similarity import (
    ExerciseSimilarity,
    Limit,
    Line,
    Pair,
    Side,
    Spread,
    lines_shown,
)
from autograder.grading.own_code import Code, compared_code, shown_lines, source_of
from autograder.grading.submissions import Submission
from autograder.text import Text

K = 25  # characters of code in a fingerprint, one to two lines; copydetect's own default
LEAST_OWN = 100  # fingerprints of one's own that an answer needs to be compared: some four lines
LEAST_SHARED = 60  # fingerprints that two answers share before they are called alike
LEAST_SCORE = 0.5  # less than half of an answer is not called alike
MOST_LIMIT = 0.9  # where independent solutions have so much in common, nothing can stand out
CLASS_PAIRS = 20  # pairs of a class that make a distribution
COLUMNS = 20_000  # fingerprints compared at a time

Hashes = frozenset[int]

HALF = Text("at least half of an answer", "至少占一份答案的一半")
INDEPENDENT = Text("independent solutions come up to it", "独立写成的解答最高达到这里")
OF_CLASS = Text(
    "beyond the upper quartile of this class's pairs by three times the distance of the quartiles, or 0.9",
    "比本班各对的上四分位数高出三倍四分位距，但不超过 0.9",
)
GIVEN = Text("as --threshold asks", "由 --threshold 指定")
FEW_ANSWERS = Text("Fewer than two answers can be compared.", "可以比较的答案不足两份。")
UNCALIBRATED = Text(
    "The course has no two solutions of it that were written without each other; add some in tests/accepted, or name earlier "
    "hand-ins by --independent.",
    "课程中没有两份彼此独立写成的解答；请在 tests/accepted 中补充，或用 --independent 指定往年的提交。",
)
ALIKE = Text(
    "Right answers to this exercise are short ({own} characters of code in the middle), so they are all alike.",
    "这道练习的正确答案很短（代码的中位数为 {own} 个字符），彼此都差不多。",
)
USUAL = Text(
    "Independent solutions of this exercise are alike anyway: they score up to {limit}.",
    "这道练习的独立解答本来就彼此相像：分数可达 {limit}。",
)


class Answer(Struct, frozen=True):
    """Somebody's answer to an exercise, ready to be compared. `own`: without the starter."""

    student: str
    path: str
    source: str
    code: Code
    print: CodeFingerprint
    own: Hashes


class Comparison:
    """The answers to one exercise."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        skeleton = exercise.skeleton.read_text(encoding="utf-8")
        self._given = frozenset(line.strip() for line in skeleton.split("\n"))
        codes = (compared_code(skeleton), compared_code(skeleton, given=True))
        self._starter: Hashes = frozenset().union(*(map(int, _print("", code).hashes) for code in codes))
        reference = exercise.solution.read_text(encoding="utf-8")
        texts = [reference, *(path.read_text(encoding="utf-8") for path in exercise.accepted)]
        self._solutions = [self._answer("", "", text).own for text in texts]
        self._mistakes: set[int] = set()
        for misconception in exercise.spec.misconception:
            with suppress(ValueError):  # an edit that does not fit the reference: the audit says so
                self._mistakes |= self._answer("", "", misconception.apply(reference)).own
        self._common = frozenset(self._mistakes.union(*self._solutions))
        self._independent: list[list[Answer]] = []

    def _answer(self, student: str, path: str, source: str) -> Answer:
        code = compared_code(source)
        found = _print(path, code)
        return Answer(student, path, source, code, found, frozenset(map(int, found.hashes)) - self._starter)

    def add_independent(self, submissions: Iterable[Submission]) -> None:
        """Take answers of a class in which nobody knew another's into the calibration."""
        answers = (self._read(submission) for submission in submissions)
        self._independent.append([answer for answer in answers if answer and len(answer.own) >= LEAST_OWN])

    def _read(self, submission: Submission) -> Answer | None:
        source = source_of(submission.main, submission.files[submission.main])
        return None if source is None else self._answer(submission.student, submission.path, source)

    def found(self, submissions: Iterable[Submission], threshold: float | None) -> ExerciseSimilarity:
        """Which of these answers are more alike than independent ones.

        Args:
            threshold: the score from which on pairs are shown; by default what the calibration gives.
        """
        answers: list[Answer] = []
        short: list[str] = []
        unread: list[str] = []
        for submission in submissions:
            answer = self._read(submission) if submission.problem is None else None
            if answer is None:
                unread.append(submission.student)
            elif len(answer.own) < LEAST_OWN:
                short.append(submission.student)
            else:
                answers.append(answer)
        scores, shared = _all_scores(answers, self._common)
        independent = self._calibration()
        limit, nothing = self._limit(independent, scores)
        if threshold is not None:
            limit = Limit(threshold, GIVEN)
        shown: list[tuple[float, int, int]] = []
        if not nothing.en or threshold is not None:
            above = np.argwhere(np.triu((scores >= limit.score) & (shared >= LEAST_SHARED), 1))
            shown = sorted(
                ((float(scores[i, j]), int(i), int(j)) for i, j in above), key=lambda one: (-one[0], one[1:])
            )
        each = scores[np.triu_indices(len(answers), 1)]
        return ExerciseSimilarity(
            exercise=self.exercise.id,
            title=self.exercise.basics.title.text,
            answers=len(answers),
            short=short,
            unread=unread,
            solutions=len(self._solutions) + sum(map(len, self._independent)),
            independent=_spread(independent),
            of_class=_spread(each),
            limit=limit,
            asked=threshold is not None,
            nothing=nothing,
            pairs=self._pairs(answers, shown, each),
        )

    def _calibration(self) -> list[float]:
        """The scores of independent solutions: of two, the others are what anybody may write."""
        scores = []
        for one, other in combinations(range(len(self._solutions)), 2):
            rest = [own for place, own in enumerate(self._solutions) if place not in (one, other)]
            # The mistakes are edits of the reference, and all of it is in them.
            anybody = frozenset().union(*rest, *([self._mistakes] if one > 0 else []))
            scores.append(_score(self._solutions[one], self._solutions[other], anybody))
        for answers in self._independent:
            each, _ = _all_scores(answers, self._common)
            scores += each[np.triu_indices(len(answers), 1)].tolist()
        return scores

    def _limit(self, independent: Sequence[float], scores: np.ndarray) -> tuple[Limit, Text]:
        """From which score on pairs are shown, and why a score says nothing here, if it doesn't."""
        each = scores[np.triu_indices(len(scores), 1)]
        limits = [Limit(LEAST_SCORE, HALF), Limit(max(independent, default=0.0), INDEPENDENT)]
        if len(each) >= CLASS_PAIRS:
            lower, upper = np.quantile(each, (0.25, 0.75))
            # A class may well be alike throughout; what independent work never reaches stands out all the same.
            limits.append(Limit(min(MOST_LIMIT, float(upper + 3 * (upper - lower))), OF_CLASS))
        limit = max(limits, key=lambda one: one.score)
        own = int(np.median([len(solution) for solution in self._solutions]))
        if own < LEAST_OWN:
            return limit, ALIKE.format(own=own)
        if len(scores) < 2:
            return limit, FEW_ANSWERS
        if not independent:
            return limit, UNCALIBRATED
        return limit, USUAL.format(limit=f"{limit.score:.2f}") if limit.score > MOST_LIMIT else Text()

    def _pairs(
        self, answers: Sequence[Answer], shown: Sequence[tuple[float, int, int]], each: np.ndarray
    ) -> list[Pair]:
        groups = _groups(shown)
        pairs = []
        for score, i, j in shown:
            one, other = answers[i], answers[j]
            count = len((one.own & other.own) - self._common)
            sides = zip((one, other), self._marked(one, other), strict=True)
            first, second = (
                Side(answer.student, answer.path, count / len(answer.own), lines) for answer, lines in sides
            )
            below = float(np.mean(each < score)) if len(each) else 0.0
            pairs.append(Pair(score, (first, second), groups[i], below))
        return pairs

    def _marked(self, one: Answer, other: Answer) -> list[list[Line]]:
        """The lines of both; marked are those in which a fingerprint lies that both have and not everybody may."""
        prints = [_only(answer.print, answer.own - self._common) for answer in (one, other)]
        _, _, slices = compare_files(*prints)
        marked = []
        for answer, (starts, ends) in zip((one, other), slices, strict=True):
            spans = zip(starts.astype(int), ends.astype(int), strict=True)
            matched = {line for start, end in spans for line in answer.code.lines[start:end]}
            marked.append(lines_shown(shown_lines(answer.source, self._given), matched))
        return marked


def _print(path: str, code: Code) -> CodeFingerprint:
    """All fingerprints of a piece of code: copydetect is given it as text that needs no filter of its own."""
    return CodeFingerprint(path, K, 1, filter=False, fp=io.StringIO(code.text))


def _only(found: CodeFingerprint, kept: Hashes) -> CodeFingerprint:
    """The fingerprint reduced to some hashes. copydetect's own way to set boilerplate apart also drops what a file has twice."""
    reduced = object.__new__(CodeFingerprint)
    reduced.__dict__.update(found.__dict__)
    reduced.hashes = {value for value in found.hashes if int(value) in kept}
    reduced.hash_idx = {value: places for value, places in found.hash_idx.items() if int(value) in kept}
    return reduced


def _score(one: Hashes, other: Hashes, anybody: Hashes) -> float:
    shorter = min(len(one), len(other))
    return len((one & other) - anybody) / shorter if shorter else 0.0


def _all_scores(answers: Sequence[Answer], anybody: Hashes) -> tuple[np.ndarray, np.ndarray]:
    """`_score` of all pairs, and how many fingerprints they share, as two symmetric matrices [answers, answers]."""
    shared = np.zeros((len(answers), len(answers)), dtype=np.float32)
    if answers:
        telling = [np.fromiter(answer.own - anybody, dtype=np.int64) for answer in answers]
        owners = np.repeat(np.arange(len(answers)), [len(one) for one in telling])
        _, columns, counts = np.unique(np.concatenate(telling), return_inverse=True, return_counts=True)
        several = np.cumsum(counts > 1) - 1  # what only one has is shared with nobody
        keep = counts[columns] > 1
        owners, columns = owners[keep], several[columns[keep]]
        for start in range(0, int(columns.max(initial=-1)) + 1, COLUMNS):
            part = (columns >= start) & (columns < start + COLUMNS)
            present = np.zeros((len(answers), COLUMNS), dtype=np.float32)
            present[owners[part], columns[part] - start] = 1
            shared += present @ present.T
    sizes = np.array([max(1, len(answer.own)) for answer in answers], dtype=np.float32)
    return shared / np.minimum.outer(sizes, sizes), shared


def _spread(scores: Sequence[float] | np.ndarray) -> Spread:
    if len(scores) == 0:
        return Spread()
    return Spread(len(scores), float(np.median(scores)), float(np.max(scores)))


def _groups(pairs: Sequence[tuple[float, int, int]]) -> Mapping[int, int]:
    """Answer -> the number of its group: whoever a chain of pairs joins; the largest group is number 1."""
    members: dict[int, set[int]] = {}
    for _, one, other in pairs:
        joined = members.get(one, {one}) | members.get(other, {other})
        for member in joined:
            members[member] = joined
    distinct = {min(group): group for group in members.values()}
    ordered = sorted(distinct.values(), key=lambda group: (-len(group), min(group)))
    return {member: number for number, group in enumerate(ordered, 1) for member in group}
