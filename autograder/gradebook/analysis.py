"""Statistics of a class's results, as pure functions of plain arrays. What each is worth is told in docs/report.md.

A score matrix has a row for each student and a column for each item (a test of an exercise, or an exercise of an
assignment); nan stands for what was not handed in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]

Z_95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution
FEWEST = 20  # students, under whom neither a key is doubted nor alpha told
ENOUGH = 100  # students, under whom alpha is told with a warning
OTHERWISE_RIGHT = 3  # students who are right in all else, before it says something that none of them passes


class Interval(NamedTuple):
    low: float
    high: float


class Alpha(NamedTuple):
    """Cronbach's alpha and its standard error, of `students` without a gap; nan under FEWEST of them, or without variance."""

    value: float
    error: float
    students: int
    items: int


class Curve(NamedTuple):
    """A Kaplan-Meier estimate. `remaining[i]` is the share that has not passed after `times[i]`."""

    times: Scores
    remaining: Scores

    @property
    def median(self) -> float:
        """The first time at which at most half have not passed; nan where that is never reached."""
        reached = np.flatnonzero(self.remaining <= 0.5 + 1e-12)
        return float(self.times[reached[0]]) if len(reached) else float("nan")


def wilson_interval(right: int, n: int) -> Interval:
    """The 95 % score interval of a share `right` of `n`; nan for none.

    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n). E. B. Wilson (1927), Probable inference, the law of succession,
    and statistical inference, JASA 22, 209-212. It holds its level for small n and shares near 0 and 1.
    """
    if not n:
        return Interval(float("nan"), float("nan"))
    share, square = right / n, Z_95**2
    middle = share + square / (2 * n)
    half = Z_95 * np.sqrt(share * (1 - share) / n + square / (4 * n * n))
    low, high = (middle - half) / (1 + square / n), (middle + half) / (1 + square / n)
    return Interval(max(0.0, float(low)), min(1.0, float(high)))


def item_rest_correlations(scores: ArrayLike) -> Scores:
    """For each item, Pearson's correlation with the sum of all *other* items, over the students who have them all.

    r_j = corr(x_j, Σ_{i≠j} x_i): the corrected item-total correlation (J. C. Nunnally and I. H. Bernstein, Psychometric
    Theory, 3rd ed., 1994, chapter 8). Nan where the item, or the rest, is the same for everybody.
    """
    whole = complete(scores)
    return np.array(
        [_correlation(whole[:, j], whole.sum(axis=1) - whole[:, j]) for j in range(whole.shape[1])]
    )


def cronbach_alpha(scores: ArrayLike) -> Alpha:
    """Alpha over the students who have all items, with its standard error.

    α = k/(k - 1) · (1 - tr V / 1'V1), where V is the items' covariance matrix (L. J. Cronbach, 1951, Psychometrika 16,
    297-334). Its asymptotic standard error is √(Q/n), where

        Q = 2k² / ((k - 1)² (1'V1)³) · [1'V1 (tr V² + (tr V)²) - 2 tr V · 1'V²1]

    (J. M. van Zyl, H. Neudecker and D. G. Nel, 2000, Psychometrika 65, 271-280; A. Duhachek and D. Iacobucci, 2004,
    Journal of Applied Psychology 89, 792-808). It takes the items for jointly normal, and nothing for their covariances.
    """
    whole = complete(scores)
    n, k = whole.shape
    unknown = Alpha(float("nan"), float("nan"), n, k)
    if n < FEWEST or k < 2:
        return unknown
    covariance = np.cov(whole, rowvar=False)
    return alpha_of(covariance, n) if covariance.sum() > 1e-12 else unknown


def alpha_of(covariance: ArrayLike, n: int) -> Alpha:
    """As `cronbach_alpha`, from the items' covariance matrix and the number of students, however few."""
    v = np.asarray(covariance, dtype=float)
    k, of_sum, trace, square = len(v), v.sum(), np.trace(v), v @ v
    value = k / (k - 1) * (1 - trace / of_sum)
    spread = of_sum * (np.trace(square) + trace**2) - 2 * trace * square.sum()
    q = 2 * k**2 / ((k - 1) ** 2 * of_sum**3) * spread
    return Alpha(float(value), float(np.sqrt(max(q, 0.0) / n)), n, k)


def kaplan_meier(times: ArrayLike, passed: ArrayLike) -> Curve:
    """What share has not passed after each time; who never passed was seen until `times` and is censored there.

    S(t) = Π_{t_i ≤ t} (1 - d_i / n_i): d_i pass at t_i, of n_i who were seen until then (E. L. Kaplan and P. Meier, 1958,
    JASA 53, 457-481).
    """
    at, events = np.asarray(times, dtype=float), np.asarray(passed, dtype=bool)
    moments = np.unique(at[events])
    seen = np.array([(at >= moment).sum() for moment in moments], dtype=float)
    ended = np.array([(at[events] == moment).sum() for moment in moments], dtype=float)
    return Curve(moments, np.cumprod(1 - ended / seen) if len(moments) else np.array([]))


def doubtful(correlation: float, n: int, otherwise_right: int, of_them_passed: int) -> bool:
    """Whether a test's key should be checked: those who are good at the rest fail it, or all who are right in the rest do.

    Args:
        correlation: with the rest of the exercise; nan where there is none.
        n: how many took it; with fewer than FEWEST nothing is said.
        otherwise_right: how many passed all other tests at some attempt; of_them_passed: and this test, at any attempt.
    """
    if n < FEWEST:
        return False
    return correlation < 0 or (otherwise_right >= OTHERWISE_RIGHT and not of_them_passed)


def histogram(shares: ArrayLike, bins: int = 10) -> NDArray[np.int64]:
    """How many shares of the full points lie in each tenth; 1 and above belong to the last one, nan to none."""
    known = np.asarray(shares, dtype=float)
    known = known[~np.isnan(known)]
    # Thirds of a point leave dust: 0.7 of the points may be written 0.6999999.
    places = np.floor(known * bins + 1e-9).astype(int).clip(0, bins - 1)
    return np.bincount(places, minlength=bins)


def mean(values: ArrayLike) -> float:
    """Of those that are known; nan where none is."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")


def complete(scores: ArrayLike) -> Scores:
    """The rows without a gap."""
    matrix = np.asarray(scores, dtype=float)
    return matrix[~np.isnan(matrix).any(axis=1)]


def _correlation(one: Scores, other: Scores) -> float:
    if len(one) < 2 or np.ptp(one) < 1e-12 or np.ptp(other) < 1e-12:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
