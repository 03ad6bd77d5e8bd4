"""Scores for labels that are values or bounds, with bootstrap intervals over groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..labels.censoring import BoolArray, FloatArray, is_closed, is_exact
from ..labels.rows import Rows

BOOTSTRAP_SAMPLES = 500
BOOTSTRAP_COVERAGE = 0.95
_LEAST_STRATUM = 4


@dataclass(frozen=True)
class Score:
    """A score with its 95 % bootstrap interval over groups; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True, kw_only=True)
class Outcome(Rows):
    """Held-out labels and what was predicted for them, over n rows.

    ``interval`` (n, 2) and ``probability`` (n,) are NaN where a method gives none.
    """

    bounds: FloatArray
    prediction: FloatArray
    interval: FloatArray
    group: NDArray[np.int64]
    stratum: FloatArray
    """Rows are ranked against rows of the same stratum only: the temperature."""
    event: FloatArray
    """1 where the label says that the event happened, 0 where not, NaN where it leaves it open."""
    event_score: FloatArray
    """Larger where the event is deemed more likely."""


def mean_absolute_error(outcome: Outcome) -> float:
    """Mean |prediction − value| over values and centres of closed intervals, target unit."""
    return _mean(np.abs(_residual(outcome)))


def root_mean_square_error(outcome: Outcome) -> float:
    """Root mean square residual over values and centres of closed intervals, target unit."""
    return float(np.sqrt(_mean(_residual(outcome) ** 2)))


def mean_bound_violation(outcome: Outcome) -> float:
    """Mean distance by which predictions violate one-sided bounds (0 where they respect them)."""
    bounded = ~is_closed(outcome.bounds)
    return _mean(_violation(outcome)[bounded])


def spearman(outcome: Outcome) -> float:
    """Rank correlation over values and closed intervals; temperature alone ranks well, too."""
    closed = is_closed(outcome.bounds)
    return rank_correlation(outcome.bounds[closed].mean(axis=1), outcome.prediction[closed])


def stratified_spearman(outcome: Outcome) -> float:
    """Rank correlation within one temperature, over values and closed intervals.

    Mean over temperatures of four rows and more, weighted by their number; a method that gives all
    rows of a temperature one value has 0 there.
    """
    closed = np.flatnonzero(is_closed(outcome.bounds))
    total, count = 0.0, 0
    for value in np.unique(outcome.stratum[closed]):
        rows = closed[outcome.stratum[closed] == value]
        if len(rows) < _LEAST_STRATUM:
            continue
        label = outcome.bounds[rows].mean(axis=1)
        flat = np.ptp(outcome.prediction[rows]) == 0.0 or np.ptp(label) == 0.0
        found = 0.0 if flat else rank_correlation(label, outcome.prediction[rows])
        total, count = total + found * len(rows), count + len(rows)
    return total / count if count else float("nan")


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
    """Share of labels inside the predicted interval.

    A value must lie inside; of an interval label (an onset between two simulated temperatures) the
    centre must. One-sided bounds have no place that could be inside and are left out.
    """
    closed = is_closed(outcome.bounds) & np.isfinite(outcome.interval).all(axis=1)
    value = outcome.bounds[closed].mean(axis=1)
    low, high = outcome.interval[closed].T
    return _mean(((low <= value) & (value <= high)).astype(np.float64))


def sharpness(outcome: Outcome) -> float:
    """Mean width of the predicted interval, unit of the target."""
    return _mean(outcome.interval[:, 1] - outcome.interval[:, 0])


def auc(outcome: Outcome) -> float:
    """Area under the receiver operating characteristic of the event."""
    event, score = _decided(outcome)
    positive = int(event.sum())
    negative = len(event) - positive
    if not positive or not negative:
        return float("nan")
    rank_sum = float(rankdata(score)[event == 1].sum())
    return (rank_sum - 0.5 * positive * (positive + 1)) / (positive * negative)


def average_precision(outcome: Outcome) -> float:
    """Mean precision at the ranks of the positives; ties in the order of the rows."""
    event, score = _decided(outcome)
    if not event.any():
        return float("nan")
    hits = event[np.argsort(-score, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits == 1].mean())


def precision_at(k: int) -> Callable[[Outcome], float]:
    """Score: share of positives among the k rows deemed most likely."""

    def score_of(outcome: Outcome) -> float:
        event, score = _decided(outcome)
        return _mean(event[np.argsort(-score, kind="stable")[:k]])

    return score_of


def enrichment_at(k: int) -> Callable[[Outcome], float]:
    """Score: :func:`precision_at` k over the share of positives among all rows."""

    def score_of(outcome: Outcome) -> float:
        share = _mean(_decided(outcome)[0])
        return precision_at(k)(outcome) / share if share > 0 else float("nan")

    return score_of


def brier(outcome: Outcome) -> float:
    """Mean squared error of the event's probability; only where the score is a probability."""
    event, score = _decided(outcome)
    return (
        _mean((score - event) ** 2)
        if len(score) and score.min() >= 0 and score.max() <= 1
        else float("nan")
    )


def event_scores(k: int) -> dict[str, Callable[[Outcome], float]]:
    """Scores of the event by name, the top-k ones at k."""
    return {
        "auc": auc,
        "average_precision": average_precision,
        f"precision_at_{k}": precision_at(k),
        f"enrichment_at_{k}": enrichment_at(k),
        "brier": brier,
    }


def _decided(outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    known = np.isfinite(outcome.event)
    return outcome.event[known], outcome.event_score[known]


def top_decile_coverage(outcome: Outcome) -> float:
    """:func:`coverage` among the tenth of the rows deemed most likely to show the event."""
    count = max(len(outcome.event_score) // 10, 1)
    return coverage(outcome.take(np.argsort(-outcome.event_score, kind="stable")[:count]))


def decide_event(bounds: FloatArray, threshold: FloatArray, above: bool) -> FloatArray:
    """Whether labels say that the target lies above (or at most at) a threshold.

    Parameters
    ----------
    bounds : array (n, 2)
    threshold : array (n,)
    above : bool
        Direction of the event.

    Returns
    -------
    array (n,)
        1, 0 or NaN where a bound leaves it open.
    """
    low, high = bounds.T
    exact = is_exact(bounds)
    surely_above = (low > threshold) | (~exact & (low >= threshold))
    surely_below = high <= threshold
    positive = surely_above if above else surely_below
    negative = surely_below if above else surely_above
    return np.asarray(np.where(positive, 1.0, np.where(negative, 0.0, np.nan)))


REGRESSION_SCORES: Mapping[str, Callable[[Outcome], float]] = {
    "mae": mean_absolute_error,
    "rmse": root_mean_square_error,
    "bound_violation": mean_bound_violation,
    "spearman": spearman,
    "concordance": concordance,
    "coverage": coverage,
    "coverage_top_decile": top_decile_coverage,
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
    closed: BoolArray = is_closed(outcome.bounds)
    return outcome.prediction[closed] - outcome.bounds[closed].mean(axis=1)


def _violation(outcome: Outcome) -> FloatArray:
    low, high = outcome.bounds.T
    return np.maximum(np.maximum(low - outcome.prediction, outcome.prediction - high), 0.0)


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
