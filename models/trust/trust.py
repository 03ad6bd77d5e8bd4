"""How much to believe, by how far a material lies from the training set.

Held-out predictions are made at two distances: leaving out a material (its relatives stay) and
leaving out its whole group (family, chemical system, …). At each the stacking weights, the width
of the residuals and the conformal factor are measured; between the two typical distances they are
interpolated by the domain distance. Towards distance zero the weights grow to a full mean of the
learners and the width falls to that of the labels; far out the answer falls back to the population
with its width. Where groups are single materials there is one distance to measure at.

The conformal factor is measured by class of prediction (:func:`.class_factors`); between the
middles of the classes it is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm as normal

from ..labels.censoring import FloatArray, is_closed, truncated_moments
from ..labels.folds import IntArray
from .calibration import class_edges, class_factors, group_weights, label_residual

_PRIOR_GROUPS: Final = 3.0
"""Evidence, in groups, for half of the plain mean before any learner is seen to be right."""
_LEAST_WEIGHT: Final = 0.1
"""The weights sum to at least this, which keeps the order of candidates far from everything."""
_FAR: Final = 2.0
"""At this multiple of the largest measured distance the width is at least the population's."""
_KNOT_QUANTILE: Final = 0.25
"""A level's numbers hold from the lower quartile of its distances on: relatives and strangers
overlap in distance, and believing too much costs more than believing too little."""
_NEAR_SHARE: Final = 0.5
"""At distance zero the width is at least this share of that for left-out materials: polymorph and
cell of a label are rarely certain."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions for rows whose material or group the learners had not seen."""

    means: FloatArray
    """Of m learners, shape (n, m)."""
    spreads: FloatArray
    """Standard deviation that a learner states, NaN where none, shape (n, m)."""
    distance: FloatArray
    """Domain distance to the training part of the fold, shape (n,)."""
    neighbour: FloatArray
    """Mean position of the nearest training material, shape (n,): a naive answer."""
    groups: IntArray
    """What was left out together, shape (n,)."""

    def take(self, rows: Any) -> HeldOut:
        """The same for a selection of rows."""
        return HeldOut(
            self.means[rows],
            self.spreads[rows],
            self.distance[rows],
            self.neighbour[rows],
            self.groups[rows],
        )


@dataclass(frozen=True)
class Combined:
    """Arrays of shape (n,), in the unit of the target."""

    mean: FloatArray
    spread: FloatArray
    """Mean standard deviation within the learners that state one (trees, Gaussian process)."""
    disagreement: FloatArray
    """Largest difference between learners: |extra trees − XGBoost| for the default two."""
    half_width: FloatArray
    """Half of the calibrated interval."""


@dataclass(frozen=True)
class Trust:
    """Weights, widths and factors at increasing domain distances (k knots).

    Factors are stated for c predictions, too.
    """

    distance: FloatArray
    weights: FloatArray
    """Shape (k, m)."""
    floor: FloatArray
    prediction: FloatArray
    """Predictions at which the factors are stated, shape (c,), increasing."""
    factor: FloatArray
    """On the claimed width, shape (k, c)."""
    calibrated: bool
    """False where labels are one-sided bounds only, which never show how wrong a prediction is."""

    def combine(self, means: FloatArray, spreads: FloatArray, distance: FloatArray) -> Combined:
        """Stack the learners of n rows and state the calibrated half-width.

        Parameters
        ----------
        means, spreads : array (n, m)
        distance : array (n,)
            Domain distance.
        """
        mean, spread, disagreement, width = self._claims(means, spreads, distance)
        return Combined(mean, spread, disagreement, self._factor(mean, distance) * width)

    def _factor(self, mean: FloatArray, distance: FloatArray) -> FloatArray:
        """Bilinear in distance and prediction, constant beyond the outermost."""
        by_class = np.stack([np.interp(distance, self.distance, f) for f in self.factor.T])
        place = np.interp(mean, self.prediction, np.arange(len(self.prediction)))
        left = np.minimum(place.astype(np.int64), len(self.prediction) - 1)
        right = np.minimum(left + 1, len(self.prediction) - 1)
        rows = np.arange(len(mean))
        share = place - left
        return np.asarray((1.0 - share) * by_class[left, rows] + share * by_class[right, rows])

    def _claims(
        self, means: FloatArray, spreads: FloatArray, distance: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        columns = [np.interp(distance, self.distance, w) for w in self.weights.T]
        weights = np.stack(columns, axis=1)
        total = weights.sum(axis=1)
        stated = np.isfinite(spreads).any(axis=0)
        spread = spreads[:, stated].mean(axis=1) if stated.any() else np.zeros(len(spreads))
        spread, disagreement = total * spread, total * np.ptp(means, axis=1)
        floor = np.interp(distance, self.distance, self.floor)
        width = np.sqrt(floor**2 + spread**2 + disagreement**2)
        return (means * weights).sum(axis=1), spread, disagreement, width

    def as_dict(self) -> dict[str, Any]:
        """Plain lists for a JSON file."""
        return {
            "distance": self.distance.tolist(),
            "weights": self.weights.tolist(),
            "floor": self.floor.tolist(),
            "prediction": self.prediction.tolist(),
            "factor": self.factor.tolist(),
            "calibrated": self.calibrated,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Trust:
        """The inverse of :meth:`as_dict`.

        Raises
        ------
        ValueError
            If the lists do not belong together.
        """
        distance, weights, floor, prediction, factor = (
            np.array(state[k], dtype=np.float64)
            for k in ("distance", "weights", "floor", "prediction", "factor")
        )
        shape_ok = distance.shape == floor.shape == weights.shape[:1]
        shape_ok &= factor.shape == (*distance.shape, *prediction.shape)
        if not shape_ok or weights.ndim != 2 or not prediction.size:
            raise ValueError("trust: lists differ in length")
        return cls(distance, weights, floor, prediction, factor, bool(state["calibrated"]))


def measure_trust(
    levels: Sequence[HeldOut], bounds: FloatArray, label_sd: float, coverage: float
) -> Trust:
    """Measure how much to believe at each distance.

    Parameters
    ----------
    levels : sequence of HeldOut
        From near (left-out materials) to far (left-out groups); one or two.
    bounds : array (n, 2)
        Labels, as positions in the population.
    label_sd : float
        Typical error of a label, same unit.
    coverage : float
        Wanted share of labels inside the interval.
    """
    weights = [stacking_weights(bounds, h.means, h.groups) for h in levels]
    floors = [_floor(bounds, h, w) for h, w in zip(levels, weights, strict=True)]
    distances = [float(np.quantile(h.distance, _KNOT_QUANTILE)) for h in levels]
    for i in range(1, len(levels)):
        distances[i] = max(distances[i], 1.05 * distances[i - 1])
    near = weights[0] / weights[0].sum()
    knots = np.array([0.0, *distances, _FAR * distances[-1]])
    if knots[1] <= 0.0:
        knots[1:] += np.arange(1, len(knots)) * 1e-6
    shape = Trust(
        knots,
        np.array([near, *weights, weights[-1]]),
        np.array([max(label_sd, _NEAR_SHARE * floors[0]), *floors, max(floors[-1], 1.0)]),
        np.zeros(1),
        np.ones((len(knots), 1)),
        bool(is_closed(bounds).any()),
    )
    return _with_factors(shape, levels, bounds, coverage)


def _with_factors(
    shape: Trust, levels: Sequence[HeldOut], bounds: FloatArray, coverage: float
) -> Trust:
    if not shape.calibrated:
        nominal = float(normal.ppf(0.5 * (1.0 + coverage)))
        return replace(
            shape,
            floor=np.maximum(shape.floor, 1.0),
            factor=np.full((len(shape.distance), 1), nominal),
        )
    claims = [shape._claims(h.means, h.spreads, h.distance) for h in levels]
    # Classes are those of left-out groups: candidates are strangers more often than relatives.
    mean = claims[-1][0]
    edges = class_edges(bounds, mean, levels[-1].groups)
    factors = [
        class_factors(bounds, c[0], c[3], level.groups, coverage, edges)
        for level, c in zip(levels, claims, strict=True)
    ]
    classes = np.searchsorted(edges, mean)
    middles = [np.median(mean[classes == c]) for c in range(len(edges) + 1)]
    return replace(
        shape,
        prediction=np.array(middles),
        factor=np.array([factors[0], *factors, factors[-1]]),
    )


def cross_fitted(
    levels: Sequence[HeldOut],
    which: int,
    bounds: FloatArray,
    label_sd: float,
    coverage: float,
    n_folds: int = 20,
) -> Combined:
    """Answers for held-out rows whose trust was measured without their group.

    Parameters
    ----------
    levels : sequence of HeldOut
    which : int
        Level whose rows are answered.
    bounds, label_sd, coverage
        As in :func:`measure_trust`.
    n_folds : int
        Groups are taken out one by one up to this number, else in as many lots.
    """
    level = levels[which]
    answers = np.full((4, len(bounds)), np.nan)
    _, number = np.unique(levels[-1].groups, return_inverse=True)
    lot = number % min(n_folds, int(number.max()) + 1)
    for test in (lot == k for k in np.unique(lot)):
        rest = ~test
        trust = measure_trust([h.take(rest) for h in levels], bounds[rest], label_sd, coverage)
        part = level.take(test)
        answer = trust.combine(part.means, part.spreads, part.distance)
        answers[:, test] = answer.mean, answer.spread, answer.disagreement, answer.half_width
    return Combined(*answers)


def stacking_weights(bounds: FloatArray, held_out: FloatArray, groups: IntArray) -> FloatArray:
    """Non-negative weights of learners from their held-out predictions.

    Least squares through zero (the target is centred, so weights below one shrink towards the
    population), each group at weight one, drawn towards half of the plain mean with the evidence of
    three groups. Bounded labels enter by their expectation.

    Parameters
    ----------
    bounds : array (n, 2)
    held_out : array (n, m)
        Predictions of m learners for rows that they have not seen.
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
    if total < _LEAST_WEIGHT:
        even = np.full(n_members, 1.0 / n_members)
        weights = _LEAST_WEIGHT * (weights / total if total > 0 else even)
    return np.asarray(weights, dtype=np.float64)


def _residual_sd(bounds: FloatArray, mean: FloatArray) -> float:
    """Root mean square of residuals where labels are closed, else of violated bounds."""
    residual, closed = label_residual(bounds, mean), is_closed(bounds)
    rows = residual[closed] if closed.any() else residual
    return max(float(np.sqrt(np.mean(rows**2))), 1e-6)


def _floor(bounds: FloatArray, level: HeldOut, weights: FloatArray) -> float:
    """Group-weighted root mean square of held-out residuals.

    Violated bounds count with the distance that they leave no doubt about.
    """
    residual = label_residual(bounds, level.means @ weights)
    mean_square = np.average(residual**2, weights=group_weights(level.groups))
    return max(float(np.sqrt(mean_square)), 1e-6)
