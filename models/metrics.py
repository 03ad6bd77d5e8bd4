"""Scores for labels that are values or bounds, with bootstrap intervals over groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .censoring import BoolArray, FloatArray, is_exact

BOOTSTRAP_SAMPLES = 1000
BOOTSTRAP_COVERAGE = 0.95


@dataclass(frozen=True)
class Score:
    """A score with its 95 % bootstrap interval over groups; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Outcome:
    """Held-out labels and what was predicted for them, over n rows.

    ``interval`` (n, 2) and ``probability`` (n,) are NaN where a method gives none.
    """

    bounds: FloatArray
    prediction: FloatArray
    interval: FloatArray
    group: NDArray[np.int64]
    stratum: FloatArray
    """Rows are ranked against rows of the same stratum only: the temperature."""

    def take(self, rows: NDArray[np.int64]) -> Outcome:
        """The same for a selection of rows."""
        return Outcome(
            self.bounds[rows],
            self.prediction[rows],
            self.interval[rows],
            self.group[rows],
            self.stratum[rows],
        )


def mean_absolute_error(outcome: Outcome) -> float:
    """Mean |prediction − value| over rows with values, unit of the target."""
    return _mean(np.abs(_residual(outcome)))


def root_mean_square_error(outcome: Outcome) -> float:
    """Root mean square residual over rows with values, unit of the target."""
    return float(np.sqrt(_mean(_residual(outcome) ** 2)))


def mean_bound_violation(outcome: Outcome) -> float:
    """Mean distance by which predictions violate bounds (0 where they respect them)."""
    bounded = ~is_exact(outcome.bounds)
    return _mean(_violation(outcome)[bounded])


def spearman(outcome: Outcome) -> float:
    """Rank correlation over rows with values; note that temperature alone ranks well."""
    exact = is_exact(outcome.bounds)
    return rank_correlation(outcome.bounds[exact, 0], outcome.prediction[exact])


def concordance(outcome: Outcome) -> float:
    """Share of comparable pairs at one temperature that are ordered right (Harrell's C).

    A pair is comparable when the labels, bounds included, leave no doubt which is larger. Ties in
    the prediction count half.
    """
    right, total = 0.0, 0
    for value in np.unique(outcome.stratum):
        rows = np.flatnonzero(outcome.stratum == value)
        low, high = outcome.bounds[rows].T
        larger = low[:, None] > high[None, :]
        difference = outcome.prediction[rows][:, None] - outcome.prediction[rows][None, :]
        right += float(((difference > 0) + 0.5 * (difference == 0))[larger].sum())
        total += int(larger.sum())
    return right / total if total else float("nan")


def coverage(outcome: Outcome) -> float:
    """Share of rows with values that lie inside the predicted interval."""
    exact = is_exact(outcome.bounds) & np.isfinite(outcome.interval).all(axis=1)
    value = outcome.bounds[exact, 0]
    low, high = outcome.interval[exact].T
    return _mean(((low <= value) & (value <= high)).astype(np.float64))


def sharpness(outcome: Outcome) -> float:
    """Mean width of the predicted interval, unit of the target."""
    return _mean(outcome.interval[:, 1] - outcome.interval[:, 0])


REGRESSION_SCORES: Mapping[str, Callable[[Outcome], float]] = {
    "mae": mean_absolute_error,
    "rmse": root_mean_square_error,
    "bound_violation": mean_bound_violation,
    "spearman": spearman,
    "concordance": concordance,
    "coverage": coverage,
    "sharpness": sharpness,
}
"""Scores of a continuous target by name."""


def rank_correlation(a: FloatArray, b: FloatArray) -> float:
    """Spearman's rank correlation; NaN for fewer than three rows or a constant side."""
    if len(a) < 3:
        return float("nan")
    x, y = rankdata(a) - 0.5 * (len(a) + 1), rankdata(b) - 0.5 * (len(b) + 1)
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else float("nan")


def with_interval(
    score: Callable[[Outcome], float],
    outcome: Outcome,
    seed: int = 0,
    n_samples: int = BOOTSTRAP_SAMPLES,
) -> Score:
    """Score with a percentile bootstrap interval that resamples whole groups.

    Parameters
    ----------
    score : callable
        Takes an :class:`Outcome`.
    outcome : Outcome
    seed : int
    n_samples : int
        Bootstrap samples.
    """
    samples = [
        score(outcome.take(rows)) for rows in group_resamples(outcome.group, seed, n_samples)
    ]
    low, high = percentile_interval(np.array(samples))
    return Score(score(outcome), low, high)


def group_resamples(
    group: NDArray[np.int64], seed: int, n_samples: int = BOOTSTRAP_SAMPLES
) -> list[NDArray[np.int64]]:
    """Row numbers of bootstrap samples that draw whole groups with replacement."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(group == g) for g in np.unique(group)]
    draws = rng.integers(len(members), size=(n_samples, len(members)))
    return [np.concatenate([members[g] for g in draw]) for draw in draws]


def percentile_interval(samples: FloatArray) -> tuple[float, float]:
    """Central 95 % of bootstrap samples; NaN samples are left out."""
    finite = samples[np.isfinite(samples)]
    if not len(finite):
        return float("nan"), float("nan")
    tail = 50.0 * (1.0 - BOOTSTRAP_COVERAGE)
    low, high = np.percentile(finite, [tail, 100.0 - tail])
    return float(low), float(high)


def _residual(outcome: Outcome) -> FloatArray:
    exact: BoolArray = is_exact(outcome.bounds)
    return outcome.prediction[exact] - outcome.bounds[exact, 0]


def _violation(outcome: Outcome) -> FloatArray:
    low, high = outcome.bounds.T
    return np.maximum(np.maximum(low - outcome.prediction, outcome.prediction - high), 0.0)


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
