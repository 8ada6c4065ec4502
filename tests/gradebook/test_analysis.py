"""The report's statistics against independent libraries and published examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pingouin
import pytest
import scipy.stats
from statsmodels.stats.proportion import proportion_confint

from autograder.gradebook.analysis import (
    FEWEST,
    alpha_of,
    cronbach_alpha,
    doubtful,
    histogram,
    item_rest_correlations,
    kaplan_meier,
    wilson_interval,
)


@pytest.fixture
def answers() -> np.ndarray:
    """150 students, 8 tests of unequal difficulty that measure one thing; the last one is turned round."""
    random = np.random.default_rng(5)
    ability = random.normal(size=(150, 1))
    passed = (ability + random.normal(size=(150, 8)) > np.linspace(-1.5, 1.5, 8)).astype(float)
    passed[:, 7] = 1 - passed[:, 7]
    return passed


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 20), (19, 20), (20, 20), (7, 23), (500, 1000)])
def test_wilson_interval(right: int, n: int) -> None:
    ours = wilson_interval(right, n)
    assert ours == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-12)
    theirs = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_alpha(answers: np.ndarray) -> None:
    theirs, _ = pingouin.cronbach_alpha(pd.DataFrame(answers))
    ours = cronbach_alpha(answers)
    assert ours[0] == pytest.approx(theirs, abs=1e-12) and ours[2:] == (150, 8)
    gaps = answers.copy()
    gaps[3, 2] = gaps[90, 0] = np.nan  # who has not handed in everything is left out
    theirs, _ = pingouin.cronbach_alpha(pd.DataFrame(gaps), nan_policy="listwise")
    assert cronbach_alpha(gaps)[0] == pytest.approx(theirs, abs=1e-12)


def test_alpha_s_published_examples() -> None:
    """C. Zaiontz, Real Statistics, "Cronbach's alpha" (pingouin's manual has it, too): 15 people, 10 questions; 0.59172."""
    long = pingouin.read_dataset("cronbach_alpha")
    wide = long.pivot(index="Subj", columns="Items", values="Scores").to_numpy()
    assert wide.shape == (15, 10)
    assert alpha_of(np.cov(wide, rowvar=False), 15).value == pytest.approx(0.59172, abs=5e-6)
    # D. G. Bonett's statpsych, ci.cronbach: the error for parallel items, of alpha 0.85, 7 items, n = 89, is 0.02456518.
    # It divides by n - 2 where the asymptotic formula has n.
    r = 0.85 / (7 - 6 * 0.85)
    parallel = np.full((7, 7), r) + (1 - r) * np.eye(7)
    assert alpha_of(parallel, 89 - 2)[:2] == pytest.approx((0.85, 0.02456518), abs=1e-8)


def test_the_error_of_alpha_is_how_much_it_varies() -> None:
    """Samples of items with unequal covariances, for which the formula for parallel items would be wrong."""
    random = np.random.default_rng(1)
    loads = np.array([0.2, 0.4, 0.9, 1.5, 2.0])
    covariance = np.outer(loads, loads) + np.diag([2.0, 0.5, 1.0, 0.3, 1.0])
    root = np.linalg.cholesky(covariance)
    found = [
        alpha_of(np.cov(random.normal(size=(200, 5)) @ root.T, rowvar=False), 200)[0] for _ in range(3000)
    ]
    assert alpha_of(covariance, 200).error == pytest.approx(np.std(found), rel=0.05)


def test_alpha_of_few_or_of_equal_students(answers: np.ndarray) -> None:
    assert np.isnan(cronbach_alpha(answers[: FEWEST - 1]).value)
    assert np.isfinite(cronbach_alpha(answers[:FEWEST]).value)
    assert np.isnan(cronbach_alpha(np.ones((50, 4))).value)
    assert np.isnan(cronbach_alpha(answers[:, :1]).value)


def test_item_rest_correlations(answers: np.ndarray) -> None:
    ours = item_rest_correlations(answers)
    for j, found in enumerate(ours):
        rest = np.delete(answers, j, axis=1).sum(axis=1)
        assert found == pytest.approx(pingouin.corr(answers[:, j], rest)["r"].iloc[0], abs=1e-12)
    assert ours[7] < 0 < min(ours[:7])
    answers[:, 2] = 1
    assert np.isnan(item_rest_correlations(answers)[2])


def test_kaplan_meier() -> None:
    """E. J. Freireich et al. (1963), Blood 21, 699-716: remissions under 6-MP, in weeks; as in D. G. Kleinbaum and M. Klein,
    Survival Analysis (2012), table 2.3."""
    seen = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    times, passed = [*seen, *censored], [True] * len(seen) + [False] * len(censored)
    curve = kaplan_meier(times, passed)
    assert list(curve.times) == [6, 7, 10, 13, 16, 22, 23] and curve.median == 23
    assert curve.remaining == pytest.approx(
        [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=5e-5
    )
    theirs = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=seen, right=censored)).sf
    assert curve.remaining == pytest.approx(theirs.evaluate(curve.times), abs=1e-12)


def test_who_never_passes_counts_in_the_median() -> None:
    assert kaplan_meier([1, 1, 2, 3], [True, True, False, False]).median == 1
    assert np.isnan(kaplan_meier([1, 2, 3, 4], [True, False, False, False]).median)
    assert np.isnan(kaplan_meier([], []).median)


@pytest.mark.parametrize(
    ("r", "n", "otherwise", "passed", "expected"),
    [
        (-0.1, 20, 0, 0, True),
        (-0.1, 19, 0, 0, False),
        (0.3, 20, 5, 0, True),
        (0.3, 20, 5, 1, False),
        (0.3, 20, 2, 0, False),
        (float("nan"), 20, 3, 0, True),
        (float("nan"), 20, 0, 0, False),
    ],
)
def test_when_a_key_is_doubted(r: float, n: int, otherwise: int, passed: int, expected: bool) -> None:
    assert doubtful(r, n, otherwise, passed) is expected


def test_histogram() -> None:
    shares = [0, 0.0999, 0.1, 0.3 - 1e-12, 0.95, 1.0, 1.2, float("nan")]
    assert list(histogram(shares)) == [2, 1, 0, 1, 0, 0, 0, 0, 0, 3]
