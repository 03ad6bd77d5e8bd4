"""How much to believe, by how far a material lies from the training set.

Held-out predictions are made at two distances: leaving out a material (its relatives stay) and
leaving out its whole group (family, chemical system, …). At each, learners and columns of evidence
(:mod:`..evidence`) are stacked with weights that are measured there, and the conformal factor is
measured; between the two typical distances both are interpolated by the domain distance. Towards
distance zero the answer becomes the mean of the learners; far out it falls back to the evidence,
and to the population where none is given.

The width that a prediction claims comes from one model of the held-out squared residuals: a
constant, what the learners state and how they differ, the domain distance, and how far below or
above the population the prediction lies (slow materials are known worse than fast ones). Where
groups are single materials there is one distance to measure at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm as normal

from ..labels.censoring import FloatArray, is_closed, truncated_moments
from ..labels.folds import IntArray
from ..labels.rows import Rows
from .calibration import conformal_factor, group_weights, label_residual

_PRIOR_GROUPS: Final = 60.0
"""Weight, in groups, of what is expected of learners and evidence before any is seen to be right.
Fifteen families of the AIMD table alone do not tell: chosen with the M3GNet set at hand."""
_LEARNERS: Final = 0.5
"""Expected of the learners together for a stranger, as a share of their plain mean."""
_LEAST_WEIGHT: Final = 0.1
"""The weights sum to at least this, which keeps the order of candidates far from everything."""
_FAR: Final = 2.0
"""At this multiple of the distances that were measured the width is at least the population's."""
_OUTERMOST: Final = 0.9
"""Quantile of the distances of left-out groups up to which widths are as measured."""
_KNOT_QUANTILE: Final = 0.25
"""A level's numbers hold from the lower quartile of its distances on: relatives and strangers
overlap in distance, and believing too much costs more than believing too little."""
_NEAR_SHARE: Final = 0.5
"""At distance zero the width is this share of what the width model says: polymorph and cell of a
label are rarely certain."""
_WIDTH_LABELS: Final = 100.0
"""So many materials are needed before widths may differ at all: what fewer suggest is chance, and
reorders a list. Shrunk as James and Stein do, by the positive part of 1 - n₀/n."""
_WIDTH_ROUNDS: Final = 8
_EXTREME: Final = 2.0
"""Positions beyond two spreads of the population claim no wider intervals still."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut(Rows):
    """Predictions for rows whose material or group the learners had not seen."""

    means: FloatArray
    """Of m learners, shape (n, m)."""
    spreads: FloatArray
    """Standard deviation that a learner states, NaN where none, shape (n, m)."""
    distance: FloatArray
    """Domain distance to the training part of the fold, shape (n,)."""
    neighbour: FloatArray
    """Mean position of the nearest training material, shape (n,): a naive answer."""
    evidence: FloatArray
    """Columns of evidence in spreads from their centre, shape (n, s); s may be 0."""
    groups: IntArray
    """What was left out together, shape (n,)."""


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


class _Claims(NamedTuple):
    mean: FloatArray
    spread: FloatArray
    disagreement: FloatArray
    terms: FloatArray
    """Of the width model, shape (n, 6)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trust:
    """Weights and factors at increasing domain distances (k knots), and the width model."""

    distance: FloatArray
    weights: FloatArray
    """Of learners, then of evidence, shape (k, m + s)."""
    factor: FloatArray
    """On the claimed width, shape (k,)."""
    variance: FloatArray
    """Coefficients of the width model, shape (6,)."""
    n_learners: int
    label_sd: float
    """Least width, of a label itself."""
    calibrated: bool
    """False where labels are one-sided bounds only, which never show how wrong a prediction is."""

    def combine(self, held_out: HeldOut) -> Combined:
        """Stack learners and evidence and state the calibrated half-width.

        Parameters
        ----------
        held_out : HeldOut
            Predictions for n rows; ``neighbour`` and ``groups`` are not looked at.
        """
        claims = self.claims(held_out)
        factor = np.interp(held_out.distance, self.distance, self.factor)
        half = factor * self._width(claims.terms, held_out.distance)
        return Combined(claims.mean, claims.spread, claims.disagreement, half)

    def weights_at(self, distance: FloatArray) -> FloatArray:
        """Weights at domain distances (n,), shape (n, m + s)."""
        return np.stack([np.interp(distance, self.distance, w) for w in self.weights.T], axis=1)

    def claims(self, rows: HeldOut) -> _Claims:
        """What is said of rows before calibration."""
        weights = self.weights_at(rows.distance)
        mean = (np.hstack([rows.means, rows.evidence]) * weights).sum(axis=1)
        total = weights[:, : self.n_learners].sum(axis=1)
        stated = np.isfinite(rows.spreads).any(axis=0)
        spread = rows.spreads[:, stated].mean(axis=1) if stated.any() else np.zeros(len(mean))
        disagreement = np.ptp(rows.means, axis=1)
        reach = np.minimum(rows.distance, self.distance[-1])
        extreme = np.clip(mean, -_EXTREME, _EXTREME)
        terms = (spread, disagreement, reach, np.minimum(extreme, 0.0), np.maximum(extreme, 0.0))
        squares = np.column_stack([np.ones(len(mean)), *(t**2 for t in terms)])
        return _Claims(mean, total * spread, total * disagreement, squares)

    def _width(self, terms: FloatArray, distance: FloatArray) -> FloatArray:
        near = np.interp(distance, self.distance[:2], (_NEAR_SHARE, 1.0))
        least = np.interp(distance, self.distance[-2:], (self.label_sd, max(1.0, self.label_sd)))
        # Summed row by row: a product of matrices rounds a single row otherwise than one of many.
        return np.maximum(near * np.sqrt((terms * self.variance).sum(axis=1)), least)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        lists = ("distance", "weights", "factor", "variance")
        return {
            **{name: getattr(self, name).tolist() for name in lists},
            "n_learners": self.n_learners,
            "label_sd": self.label_sd,
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
        distance, weights, factor, variance = (
            np.array(state[k], dtype=np.float64)
            for k in ("distance", "weights", "factor", "variance")
        )
        n_learners = int(state["n_learners"])
        fits = weights.ndim == 2 and distance.shape == factor.shape == weights.shape[:1]
        if not fits or variance.shape != (_N_TERMS,) or not 0 < n_learners <= weights.shape[1]:
            raise ValueError("trust: lists differ in length")
        return cls(
            distance=distance,
            weights=weights,
            factor=factor,
            variance=variance,
            n_learners=n_learners,
            label_sd=float(state["label_sd"]),
            calibrated=bool(state["calibrated"]),
        )


_N_TERMS: Final = 6


def measure_trust(
    levels: Sequence[HeldOut],
    bounds: FloatArray,
    label_sd: float,
    coverage: float,
    expected: FloatArray | None = None,
    recalls: Sequence[bool] | None = None,
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
        Wanted share of labels inside the interval, each material counting once.
    expected : array (s,), optional
        Weights of evidence expected before any label is seen; 0 by default.
    recalls : sequence of bool, length m
        Which learners give back what they were trained on: at distance zero they are asked alone.
        All by default.
    """
    weights = [stacking_weights(bounds, h.means, h.groups, h.evidence, expected) for h in levels]
    knots = _knots(levels)
    n_learners = levels[0].means.shape[1]
    nothing = np.zeros(_N_TERMS)
    shape = Trust(
        distance=knots,
        weights=np.array([_known(weights[0], n_learners, recalls), *weights, *[weights[-1]] * 2]),
        factor=np.ones(len(knots)),
        variance=nothing,
        n_learners=n_learners,
        label_sd=label_sd,
        calibrated=bool(is_closed(bounds).any()),
    )
    return _with_widths(shape, levels, bounds, coverage)


def _knots(levels: Sequence[HeldOut]) -> FloatArray:
    distances = [float(np.quantile(h.distance, _KNOT_QUANTILE)) for h in levels]
    for i in range(1, len(levels)):
        distances[i] = max(distances[i], 1.05 * distances[i - 1])
    outermost = max(float(np.quantile(levels[-1].distance, _OUTERMOST)), 1.05 * distances[-1])
    knots = np.array([0.0, *distances, outermost, _FAR * outermost])
    if knots[1] <= 0.0:
        knots[1:] += np.arange(1, len(knots)) * 1e-6
    return knots


def _known(weights: FloatArray, n_learners: int, recalls: Sequence[bool] | None) -> FloatArray:
    """Weights at distance zero: the learners have seen the material, evidence adds nothing."""
    asked = np.ones(n_learners) if recalls is None or not any(recalls) else np.array(recalls, float)
    learners = asked * weights[:n_learners]
    total = learners.sum()
    share = learners / total if total > 0 else asked / asked.sum()
    return np.concatenate([share, np.zeros(len(weights) - n_learners)])


def _with_widths(
    shape: Trust, levels: Sequence[HeldOut], bounds: FloatArray, coverage: float
) -> Trust:
    # A material with eight temperatures must not count eight times.
    materials = levels[0].groups
    state = {f.name: getattr(shape, f.name) for f in fields(shape)}
    if not shape.calibrated:
        nominal = float(normal.ppf(0.5 * (1.0 + coverage)))
        state["variance"] = np.eye(_N_TERMS)[0]
        return Trust(**{**state, "factor": np.full(len(shape.distance), nominal)})
    claims = [shape.claims(level) for level in levels]
    state["variance"] = _variance(claims, bounds, group_weights(materials))
    wide = Trust(**state)
    factors = [
        conformal_factor(bounds, c.mean, wide._width(c.terms, level.distance), materials, coverage)
        for level, c in zip(levels, claims, strict=True)
    ]
    return Trust(**{**state, "factor": np.array([factors[0], *factors, *[factors[-1]] * 2])})


def _variance(claims: Sequence[_Claims], bounds: FloatArray, weight: FloatArray) -> FloatArray:
    """Coefficients of the width model from the squared residuals of labels with values.

    Least squares with non-negative coefficients, each square weighted by its expectation (the
    variance of a square grows with it), drawn towards one width everywhere.
    """
    closed = is_closed(bounds)
    terms = np.concatenate([c.terms[closed] for c in claims])
    square = np.concatenate([label_residual(bounds, c.mean)[closed] ** 2 for c in claims])
    share = np.tile(weight[closed], len(claims))
    mean = max(float(np.average(square, weights=share)), 1e-12)
    found, expected = np.zeros(_N_TERMS), np.full(len(square), mean)
    for _ in range(_WIDTH_ROUNDS):
        root = np.sqrt(share) / expected
        found, _ = nnls(terms * root[:, None], square * root)
        expected = np.maximum(terms @ found, 0.05 * mean)
    n_materials = float(weight[closed].sum())
    belief = max(0.0, 1.0 - _WIDTH_LABELS / max(n_materials, 1.0))
    return np.asarray(belief * found + (1.0 - belief) * mean * np.eye(_N_TERMS)[0])


def cross_fitted(
    levels: Sequence[HeldOut],
    which: int,
    bounds: FloatArray,
    label_sd: float,
    coverage: float,
    n_folds: int = 20,
    expected: FloatArray | None = None,
    recalls: Sequence[bool] | None = None,
) -> Combined:
    """Answers for held-out rows whose trust was measured without their group.

    Parameters
    ----------
    levels : sequence of HeldOut
    which : int
        Level whose rows are answered.
    bounds, label_sd, coverage, expected, recalls
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
        known = [h.take(rest) for h in levels]
        trust = measure_trust(known, bounds[rest], label_sd, coverage, expected, recalls)
        answer = trust.combine(level.take(test))
        answers[:, test] = answer.mean, answer.spread, answer.disagreement, answer.half_width
    return Combined(*answers)


def stacking_weights(
    bounds: FloatArray,
    held_out: FloatArray,
    groups: IntArray,
    evidence: FloatArray | None = None,
    expected: FloatArray | None = None,
) -> FloatArray:
    """Non-negative weights of learners, from their held-out predictions, and of evidence.

    Least squares through zero (the target is centred, so weights below one shrink towards the
    population), each group at weight one. Learners are drawn towards a share of their plain mean,
    evidence towards what is expected of it. Bounded labels enter by their expectation.

    Parameters
    ----------
    bounds : array (n, 2)
    held_out : array (n, m)
        Predictions of m learners for rows that they have not seen.
    groups : array (n,) of int
    evidence : array (n, s), optional
        Columns of evidence, in spreads from their centre; larger means a larger target.
    expected : array (s,), optional
        Weights of evidence expected beforehand; 0 by default.

    Returns
    -------
    array (m + s,)
    """
    evidence = np.empty((len(held_out), 0)) if evidence is None else evidence
    n_learners, n_evidence = held_out.shape[1], evidence.shape[1]
    columns = np.hstack([held_out, evidence])
    expected = np.zeros(n_evidence) if expected is None else expected
    prior = np.concatenate([np.full(n_learners, _LEARNERS / n_learners), expected])
    root = group_weights(groups)[:, None] ** 0.5
    learner_size = float(np.sqrt(np.mean((root * held_out) ** 2) / np.mean(root**2)))
    sizes = np.concatenate([np.full(n_learners, learner_size), np.ones(n_evidence)])
    scale = np.sqrt(_PRIOR_GROUPS * float((root**2).sum()) / len(np.unique(groups)))
    penalty = np.maximum(scale * sizes, 1e-9)
    design = np.vstack([root * columns, np.diag(penalty)])
    weights = prior
    for _ in range(3):
        mean = columns @ weights
        label, _ = truncated_moments(bounds, mean, _residual_sd(bounds, mean))
        weights, _ = nnls(design, np.concatenate([root[:, 0] * label, penalty * prior]))
    return _not_nothing(np.asarray(weights, dtype=np.float64), n_learners)


def _not_nothing(weights: FloatArray, n_learners: int) -> FloatArray:
    """At least the least total weight, on the learners where all weights are zero."""
    total = float(weights.sum())
    if total >= _LEAST_WEIGHT:
        return weights
    if total > 0:
        return weights * (_LEAST_WEIGHT / total)
    even = np.where(np.arange(len(weights)) < n_learners, 1.0 / n_learners, 0.0)
    return _LEAST_WEIGHT * even


def _residual_sd(bounds: FloatArray, mean: FloatArray) -> float:
    """Root mean square of residuals where labels are closed, else of violated bounds."""
    residual, closed = label_residual(bounds, mean), is_closed(bounds)
    rows = residual[closed] if closed.any() else residual
    return max(float(np.sqrt(np.mean(rows**2))), 1e-6)
