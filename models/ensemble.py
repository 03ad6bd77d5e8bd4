"""Families of learners side by side, stacked on grouped folds, with calibrated intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm as normal
from scipy.stats import t as student_t

from ..data.errors import ModelError
from .calibration import conformal_factor, group_weights, label_residual
from .censoring import FloatArray, is_closed, truncated_moments
from .domain import DomainDistance
from .folds import IntArray, grouped_folds
from .gaussian_process import BoundedGaussianProcess
from .trees import BoundedBoosting, BoundedExtraTrees

MEMBERS: Final[Mapping[str, Callable[..., Any]]] = {
    "extra_trees": BoundedExtraTrees,
    "xgboost": BoundedBoosting,
    "gaussian_process": BoundedGaussianProcess,
}
"""Learner families by name."""
DEFAULT_MEMBERS: Final = ("extra_trees", "xgboost")

_TAIL_DEGREES: Final = 5
"""Degrees of freedom of the predictive distribution between and beyond the interval's ends."""
_PRIOR_GROUPS: Final = 3.0
"""Evidence, in groups, for halving the mean of the members before any is seen to be right."""


@dataclass(frozen=True)
class EnsemblePrediction:
    """Arrays of shape (n,), in the unit of the target."""

    mean: FloatArray
    spread: FloatArray
    """Mean standard deviation within the members that state one (trees, Gaussian process)."""
    disagreement: FloatArray
    """Largest difference between members: |extra trees − XGBoost| for the default two."""
    half_width: FloatArray
    """Half of the calibrated interval."""


@dataclass(frozen=True)
class HeldOut:
    """What members said about rows they had not seen, over n rows and m members."""

    means: FloatArray
    spreads: FloatArray
    distance: FloatArray
    """Domain distance of each row to what its members were trained on, shape (n,)."""


class CalibratedEnsemble:
    """Stacked learner families with one interval, calibrated at two distances.

    What carries over from one material to the next of its family need not carry over to another
    family. So stacking weights and noise floor are measured twice, with whole groups held out and
    with single materials held out, and a prediction takes them according to its domain distance:
    near a labelled material those of held-out materials, far from all those of held-out groups.
    The target is expected to be centred, as :mod:`.model` makes it: weights that sum to less than
    one shrink towards the population. So is the conformal factor, one for each scheme.

    Parameters
    ----------
    members : sequence of str
        Names from :data:`MEMBERS`.
    coverage : float
        Wanted share of held-out labels inside the interval.
    n_folds : int
        Folds over groups, and over materials.
    seed : int
    parameters : mapping, optional
        Settings by member name, from tuning.
    """

    def __init__(
        self,
        members: Sequence[str] = DEFAULT_MEMBERS,
        coverage: float = 0.9,
        n_folds: int = 8,
        seed: int = 0,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        unknown = [name for name in members if name not in MEMBERS]
        if unknown or not members:
            raise ModelError(f"no learner is called {unknown}; choose from {', '.join(MEMBERS)}")
        self.members = tuple(members)
        self.coverage = coverage
        self.n_folds = n_folds
        self.seed = seed
        self.parameters = dict(parameters or {})

    def fit(
        self,
        X: FloatArray,
        bounds: FloatArray,
        weight: FloatArray,
        groups: IntArray,
        materials: IntArray,
        domain: DomainDistance,
    ) -> CalibratedEnsemble:
        """Stack and calibrate on held-out groups and materials, then fit on everything.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN where not defined.
        bounds : array (n, 2)
            Labels as lower and upper bounds.
        weight : array (n,)
            Larger for more certain labels.
        groups, materials : array (n,) of int
            Rows that must not be separated; a group holds whole materials.
        domain : DomainDistance
            Fitted to the materials.
        """
        far = self._held_out(X, bounds, weight, groups, domain)
        near = self._held_out(X, bounds, weight, materials, domain)
        self.far_distance_, self.near_distance_ = _reach(far.distance, near.distance)
        self.weights_ = stacking_weights(bounds, far.means, groups)
        self.near_weights_ = stacking_weights(bounds, near.means, materials)
        self._calibrate(bounds, (far, near), (groups, materials))
        self.learners_ = self._fit_members(X, bounds, weight)
        return self

    def predict(self, X: FloatArray, distance: FloatArray) -> EnsemblePrediction:
        """Mean, spread, disagreement and calibrated half-width.

        Parameters
        ----------
        X : array (n, p)
        distance : array (n,)
            Domain distance.
        """
        means, spreads = _member_predictions(self.learners_, X)
        mean, spread, disagreement, width = self._blend(HeldOut(means, spreads, distance))
        return EnsemblePrediction(mean, spread, disagreement, self._half_width(width, distance))

    def nearness(self, distance: FloatArray) -> FloatArray:
        """1 where single materials were held out, 0 where whole groups were, linear between."""
        span = self.far_distance_ - self.near_distance_
        return np.clip((self.far_distance_ - distance) / max(span, 1e-9), 0.0, 1.0)

    def _blend(self, said: HeldOut) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Mean, spread, disagreement and claimed width at each row's distance."""
        near = self.nearness(said.distance)
        weights = near[:, None] * self.near_weights_ + (1.0 - near)[:, None] * self.weights_
        total = weights.sum(axis=1)
        stated = np.isfinite(said.spreads).any(axis=0)
        spread = said.spreads[:, stated].mean(axis=1) if stated.any() else np.zeros(len(near))
        spread, disagreement = total * spread, total * np.ptp(said.means, axis=1)
        floor = near * self.near_floor_ + (1.0 - near) * self.floor_
        width = np.sqrt(floor**2 + spread**2 + disagreement**2)
        return (said.means * weights).sum(axis=1), spread, disagreement, width

    def _calibrate(
        self,
        bounds: FloatArray,
        schemes: tuple[HeldOut, HeldOut],
        parts: tuple[IntArray, IntArray],
    ) -> None:
        self.calibrated_ = bool(is_closed(bounds).any())
        if not self.calibrated_:
            # One-sided bounds alone never show how wrong a prediction is: keep the width of the
            # population and say so.
            self.floor_ = self.near_floor_ = 1.0
            self.factor_ = self.near_factor_ = float(normal.ppf(0.5 * (1.0 + self.coverage)))
        else:
            (far, near), (groups, materials) = schemes, parts
            self.floor_ = _noise_floor(bounds, far.means @ self.weights_, groups)
            near_floor = _noise_floor(bounds, near.means @ self.near_weights_, materials)
            self.near_floor_ = min(near_floor, self.floor_)
            self.factor_ = self._factor(bounds, far, groups)
            self.near_factor_ = min(self._factor(bounds, near, materials), self.factor_)
        self.held_out_ = tuple(self._held_out_interval(said) for said in schemes)

    def _half_width(self, width: FloatArray, distance: FloatArray) -> FloatArray:
        near = self.nearness(distance)
        return (near * self.near_factor_ + (1.0 - near) * self.factor_) * width

    def _factor(self, bounds: FloatArray, said: HeldOut, rows: IntArray) -> float:
        mean, _, _, width = self._blend(said)
        return conformal_factor(bounds, mean, width, rows, self.coverage)

    def _held_out_interval(self, said: HeldOut) -> tuple[FloatArray, FloatArray]:
        mean, _, _, width = self._blend(said)
        return mean, self._half_width(width, said.distance)

    def _fit_members(self, X: FloatArray, bounds: FloatArray, weight: FloatArray) -> dict[str, Any]:
        learners = {
            name: MEMBERS[name](random_state=self.seed, **self.parameters.get(name, {}))
            for name in self.members
        }
        return {n: v.fit(X, bounds, sample_weight=weight) for n, v in learners.items()}

    def _held_out(
        self,
        X: FloatArray,
        bounds: FloatArray,
        weight: FloatArray,
        parts: IntArray,
        domain: DomainDistance,
    ) -> HeldOut:
        shape = (len(X), len(self.members))
        means, spreads = np.full(shape, np.nan), np.full(shape, np.nan)
        distance = np.full(len(X), np.nan)
        for train, test in grouped_folds(parts, self.n_folds):
            learners = self._fit_members(X[train], bounds[train], weight[train])
            means[test], spreads[test] = _member_predictions(learners, X[test])
            distance[test] = domain.between(X[test], X[train])
        return HeldOut(means, spreads, distance)


def _reach(far: FloatArray, near: FloatArray) -> tuple[float, float]:
    """Distances from which on, and up to which, the two calibrations hold alone.

    Three quarters of the held-out groups lie beyond the first: there the model is as good as
    they say. Half of the held-out materials lie within the second, unless families overlap.
    """
    far_distance = float(np.quantile(far, 0.25))
    return far_distance, min(float(np.median(near)), 0.5 * far_distance)


def stacking_weights(bounds: FloatArray, held_out: FloatArray, groups: IntArray) -> FloatArray:
    """Non-negative weights of members from their held-out predictions.

    Least squares through zero with each group at weight one, drawn towards half of the plain mean
    with the evidence of three groups. Bounded labels enter by their expectation. The weights sum
    to at least 0.1, which keeps the order of the predictions where nothing was learned that
    carries over to new groups.

    Parameters
    ----------
    bounds : array (n, 2)
    held_out : array (n, m)
        Predictions of m members for rows whose group they have not seen.
    groups : array (n,) of int

    Returns
    -------
    array (m,)
    """
    n_members = held_out.shape[1]
    prior = np.full(n_members, 0.5 / n_members)
    root = np.sqrt(group_weights(groups))[:, None]
    size = float(np.sqrt(_PRIOR_GROUPS * np.mean((root * held_out) ** 2) / np.mean(root**2)))
    design = np.vstack([root * held_out, max(size, 1e-9) * np.eye(n_members)])
    weights = prior
    for _ in range(3):
        mean = held_out @ weights
        label, _ = truncated_moments(bounds, mean, _residual_sd(bounds, mean))
        target = np.concatenate([root[:, 0] * label, max(size, 1e-9) * prior])
        weights, _ = nnls(design, target)
    total = float(weights.sum())
    if total < 0.1:
        weights = 0.1 * (weights / total if total > 0 else np.full(n_members, 1.0 / n_members))
    return np.asarray(weights, dtype=np.float64)


def _residual_sd(bounds: FloatArray, mean: FloatArray) -> float:
    """Root mean square of residuals where labels are closed, else of violated bounds."""
    residual, closed = label_residual(bounds, mean), is_closed(bounds)
    rows = residual[closed] if closed.any() else residual
    return max(float(np.sqrt(np.mean(rows**2))), 1e-6)


def _noise_floor(bounds: FloatArray, held_out: FloatArray, groups: IntArray) -> float:
    """Group-weighted root mean square of held-out residuals: no width is far below it.

    Violated bounds count with the distance that they leave no doubt about.
    """
    residual = label_residual(bounds, held_out)
    mean_square = np.average(residual**2, weights=group_weights(groups))
    return max(float(np.sqrt(mean_square)), 1e-9)


def _member_predictions(
    learners: Mapping[str, Any], X: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Means and spreads of the members, each (n, m); NaN where a member states no spread."""
    means = np.empty((len(X), len(learners)))
    spreads = np.full_like(means, np.nan)
    for j, learner in enumerate(learners.values()):
        if hasattr(learner, "predict_with_spread"):
            means[:, j], spreads[:, j] = learner.predict_with_spread(X)
        else:
            means[:, j] = learner.predict(X)
    return means, spreads


def probability_above(
    threshold: FloatArray | float, mean: FloatArray, half_width: FloatArray, coverage: float
) -> FloatArray:
    """Probability that the target exceeds a threshold, consistent with the interval.

    The predictive distribution is Student's t with five degrees of freedom whose central interval
    of the stated coverage is the calibrated one.
    """
    sd = half_width / student_t.ppf(0.5 * (1.0 + coverage), _TAIL_DEGREES)
    return np.asarray(student_t.sf((threshold - mean) / sd, _TAIL_DEGREES), dtype=np.float64)
