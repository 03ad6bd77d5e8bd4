"""Extra trees and XGBoost side by side, with calibrated intervals.

The two families are averaged with equal weights: on a hundred materials a fitted weight is noise.
Their common deviation from the centre is shrunk by what held-out groups support. The target is
expected to be centred, as :mod:`.conductivity` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, clone

from ..data.errors import ModelError
from .calibration import conformal_factor, group_weights
from .censoring import FloatArray, is_exact, middle, truncated_moments
from .folds import IntArray, grouped_folds
from .trees import BoundedBoosting, BoundedExtraTrees

_TAIL_DEGREES = 5
"""Degrees of freedom of the predictive distribution between and beyond the interval's ends."""
_SHRINKAGE_PRIOR_GROUPS = 3.0


@dataclass(frozen=True)
class EnsemblePrediction:
    """Arrays of shape (n,), in the unit of the target."""

    mean: FloatArray
    spread: FloatArray
    """Standard deviation over the trees of the forest."""
    disagreement: FloatArray
    """|extra trees − XGBoost|."""
    half_width: FloatArray
    """Half of the calibrated interval."""


class CalibratedEnsemble(BaseEstimator):
    """Two tree families, one calibrated interval.

    Parameters
    ----------
    forest, boosting : estimator
        Clones are fitted.
    coverage : float
        Wanted share of held-out groups' labels inside the interval.
    n_folds : int
        Folds over groups that calibrate the interval.
    """

    def __init__(
        self,
        forest: Any = None,
        boosting: Any = None,
        coverage: float = 0.9,
        n_folds: int = 8,
        random_state: int = 0,
    ) -> None:
        self.forest = forest
        self.boosting = boosting
        self.coverage = coverage
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(
        self, X: FloatArray, bounds: FloatArray, weight: FloatArray, groups: IntArray
    ) -> CalibratedEnsemble:
        """Calibrate on grouped folds, then fit on everything.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN where not defined.
        bounds : array (n, 2)
            Labels as lower and upper bounds.
        weight : array (n,)
            Larger for more certain labels.
        groups : array (n,) of int
            Rows that must not be separated.
        """
        self._calibrate(X, bounds, weight, groups)
        self.forest_, self.boosting_ = self._fit_pair(X, bounds, weight)
        return self

    def predict(self, X: FloatArray) -> EnsemblePrediction:
        """Mean, spread, disagreement and calibrated half-width for features (n, p)."""
        pair = self.shrinkage_ * _predict_pair(self.forest_, self.boosting_, X)
        mean, spread, disagreement = pair
        width = self._width(spread, disagreement)
        return EnsemblePrediction(mean, spread, disagreement, self.factor_ * width)

    def _fit_pair(
        self, X: FloatArray, bounds: FloatArray, weight: FloatArray
    ) -> tuple[BoundedExtraTrees, BoundedBoosting]:
        forest = clone(self.forest or BoundedExtraTrees())
        boosting = clone(self.boosting or BoundedBoosting())
        for member in (forest, boosting):
            member.set_params(random_state=self.random_state)
            member.fit(X, bounds, sample_weight=weight)
        return forest, boosting

    def _calibrate(
        self, X: FloatArray, bounds: FloatArray, weight: FloatArray, groups: IntArray
    ) -> None:
        held_out = np.full((3, len(X)), np.nan)
        for train, test in grouped_folds(groups, self.n_folds):
            if not is_exact(bounds[train]).any():
                raise ModelError("a calibration fold has no label with a value, only bounds")
            pair = self._fit_pair(X[train], bounds[train], weight[train])
            held_out[:, test] = _predict_pair(*pair, X[test])
        self.shrinkage_ = _shrinkage(bounds, held_out[0], groups)
        self.held_out_mean_, spread, disagreement = self.shrinkage_ * held_out
        self.floor_ = self._noise_floor(bounds, groups)
        width = self._width(spread, disagreement)
        self.factor_ = conformal_factor(bounds, self.held_out_mean_, width, groups, self.coverage)
        self.held_out_half_width_ = self.factor_ * width

    def _noise_floor(self, bounds: FloatArray, groups: IntArray) -> float:
        """Group-weighted root mean square of held-out residuals: no width is far below it."""
        exact = is_exact(bounds)
        residual = (bounds[:, 0] - self.held_out_mean_)[exact]
        mean_square = np.average(residual**2, weights=group_weights(groups[exact]))
        return max(float(np.sqrt(mean_square)), 1e-9)

    def _width(self, spread: FloatArray, disagreement: FloatArray) -> FloatArray:
        return np.sqrt(self.floor_**2 + spread**2 + disagreement**2)


def _predict_pair(
    forest: BoundedExtraTrees, boosting: BoundedBoosting, X: FloatArray
) -> FloatArray:
    """Mean, spread over trees and disagreement, shape (3, n)."""
    from_forest, spread = forest.predict_with_spread(X)
    from_boosting = boosting.predict(X)
    mean, disagreement = 0.5 * (from_forest + from_boosting), np.abs(from_forest - from_boosting)
    return np.stack([mean, spread, disagreement])


def _shrinkage(bounds: FloatArray, held_out: FloatArray, groups: IntArray) -> float:
    """How much of a held-out prediction to believe, between 0.1 and 1.

    Slope of labels on held-out predictions through zero (the target is centred), each group with
    weight one, drawn towards one half with the evidence of a few groups. The lower end keeps the
    order of the predictions where nothing was learned that carries over to new groups.
    """
    sd = max(float(np.std(middle(bounds))), 1e-9)
    label, _ = truncated_moments(bounds, held_out, sd)
    weight = group_weights(groups)
    prior = _SHRINKAGE_PRIOR_GROUPS * float(np.average(held_out**2, weights=weight))
    evidence = float(weight @ held_out**2) + prior
    if evidence <= 0.0:
        return 1.0
    return float(np.clip((weight @ (label * held_out) + 0.5 * prior) / evidence, 0.1, 1.0))


def probability_above(
    threshold: float, mean: FloatArray, half_width: FloatArray, coverage: float
) -> FloatArray:
    """Probability that the target exceeds a threshold, consistent with the interval.

    The predictive distribution is Student's t with five degrees of freedom whose central interval
    of the stated coverage is the calibrated one.
    """
    sd = half_width / student_t.ppf(0.5 * (1.0 + coverage), _TAIL_DEGREES)
    return np.asarray(student_t.sf((threshold - mean) / sd, _TAIL_DEGREES), dtype=np.float64)
