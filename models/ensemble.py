"""Families of learners side by side, stacked and calibrated on held-out materials and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import t as student_t

from ..data.errors import ModelError
from .evidence.scale import EvidenceScale
from .labels.censoring import FloatArray, truncated_moments
from .labels.folds import IntArray, grouped_folds
from .labels.rows import Rows
from .learners.registry import LEARNERS
from .trust.calibration import group_weights
from .trust.domain import DomainDistance
from .trust.trust import Combined, HeldOut, Trust, measure_trust

DEFAULT_MEMBERS: Final = ("extra_trees", "xgboost")

_TAIL_DEGREES: Final = 5
"""Degrees of freedom of the predictive distribution between and beyond the interval's ends."""
_RELATIVES: Final = 1.25
"""With fewer materials per group than this, leaving out a material is leaving out its group."""


class CalibratedEnsemble:
    """Stacked learner families with one calibrated interval.

    The target is expected to be centred, as :mod:`.model` makes it: weights that sum to less than
    one shrink towards the population. Columns of evidence (:mod:`.evidence`) are stacked with the
    learners: what is believed far from every label.

    Parameters
    ----------
    members : sequence of str
        Names from :data:`.learners.registry.LEARNERS`.
    coverage : float
        Wanted share of held-out labels inside the interval.
    n_folds : int
        Folds over groups, and over materials.
    seed : int
    parameters : mapping, optional
        Settings by member name, from tuning.
    remainder : bool
        The learners learn what the evidence, with its expected weights, leaves over of the target,
        and answer with both; else they learn the target.
    """

    def __init__(
        self,
        members: Sequence[str] = DEFAULT_MEMBERS,
        coverage: float = 0.9,
        n_folds: int = 8,
        seed: int = 0,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        remainder: bool = False,
    ) -> None:
        unknown = [name for name in members if name not in LEARNERS]
        if unknown or not members:
            raise ModelError(f"no learner is called {unknown}; choose from {', '.join(LEARNERS)}")
        self.members = tuple(members)
        self.coverage = coverage
        self.n_folds = n_folds
        self.seed = seed
        self.parameters = dict(parameters or {})
        self.remainder = remainder

    def fit(
        self,
        X: FloatArray,
        bounds: FloatArray,
        weight: FloatArray,
        groups: IntArray,
        materials: IntArray,
        label_sd: float,
        evidence: FloatArray | None = None,
        expected: FloatArray | None = None,
        trust: Trust | None = None,
    ) -> CalibratedEnsemble:
        """Stack and calibrate on held-out rows, then fit on everything.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN where not defined.
        bounds : array (n, 2)
            Labels as lower and upper bounds.
        weight : array (n,)
            Larger for more certain labels.
        groups, materials : array (n,) of int
            Rows that belong together, widely and narrowly.
        label_sd : float
            Typical error of a label, unit of the target.
        evidence : array (n, s), optional
            Evidence, oriented so that larger means a larger target; none by default.
        expected : array (s,), optional
            Weights of evidence expected before any label is seen.
        trust : Trust, optional
            Measured elsewhere for the same learners and evidence: nothing is held out, and the
            learners are those of held-out fits.
        """
        given = np.empty((len(X), 0)) if evidence is None else evidence
        self.scale_ = EvidenceScale.of(given, weight * group_weights(groups))
        rows = _Rows(
            X=X,
            evidence=self.scale_.transform(given),
            bounds=bounds,
            weight=weight,
            groups=groups,
            materials=materials,
        )
        self.expected_ = expected
        self.label_sd_ = label_sd
        self.levels_ = self._levels(rows) if trust is None else []
        self.trust_ = trust or measure_trust(
            self.levels_, bounds, self.label_sd_, self.coverage, self.expected_, self.recalls
        )
        self.learners_ = self._fit_members(rows, held_out=trust is not None)
        self.domain_ = _domain(X, groups, materials)
        return self

    def predict(
        self, X: FloatArray, evidence: FloatArray | None = None
    ) -> tuple[Combined, FloatArray]:
        """Stacked answer and domain distance for features (n, p) and evidence (n, s)."""
        answers = self.answers(X, evidence)
        return self.trust_.combine(answers), answers.distance

    def answers(self, X: FloatArray, evidence: FloatArray | None = None) -> HeldOut:
        """What learners and evidence say of features (n, p), not stacked yet."""
        given = np.empty((len(X), 0)) if evidence is None else evidence
        scaled = self.scale_.transform(given)
        means, spreads = _predictions(self.learners_, X)
        return HeldOut(
            means=means + self.prior(scaled)[:, None],
            spreads=spreads,
            distance=self.domain_.transform(X),
            neighbour=np.full(len(X), np.nan),
            evidence=scaled,
            groups=np.arange(len(X)),
        )

    @property
    def recalls(self) -> tuple[bool, ...]:
        """Which members give back what they were trained on."""
        return tuple(LEARNERS[name].recalls for name in self.members)

    def prior_weights(self, n_evidence: int) -> FloatArray:
        """Of the evidence within what the learners answer, shape (n_evidence,)."""
        if not self.remainder or self.expected_ is None:
            return np.zeros(n_evidence)
        return np.asarray(self.expected_, dtype=np.float64)

    def prior(self, scaled: FloatArray) -> FloatArray:
        """What the learners take for granted: evidence (n, s) in spreads, weighted, shape (n,)."""
        return np.asarray(scaled @ self.prior_weights(scaled.shape[1]))

    def _levels(self, rows: _Rows) -> list[HeldOut]:
        levels = [self._held_out(rows, rows.groups)]
        if len(np.unique(rows.materials)) > _RELATIVES * len(np.unique(rows.groups)):
            levels.insert(0, self._held_out(rows, rows.materials))
        return levels

    def _held_out(self, rows: _Rows, left_out: IntArray) -> HeldOut:
        n = len(rows.X)
        means, spreads = (np.full((n, len(self.members)), np.nan) for _ in range(2))
        distance, neighbour = (np.full(n, np.nan) for _ in range(2))
        expected, _ = truncated_moments(rows.bounds, 0.0, 1.0)
        for train, test in grouped_folds(left_out, self.n_folds):
            known = rows.take(train)
            learners = self._fit_members(known, held_out=True)
            answers, spreads[test] = _predictions(learners, rows.X[test])
            means[test] = answers + self.prior(rows.evidence[test])[:, None]
            domain = _domain(known.X, known.groups, known.materials)
            absolute, nearest = domain.nearest(rows.X[test])
            distance[test] = absolute / domain.typical_
            neighbour[test] = _material_means(expected[train], known.materials)[nearest]
        return HeldOut(
            means=means,
            spreads=spreads,
            distance=distance,
            neighbour=neighbour,
            evidence=rows.evidence,
            groups=left_out,
        )

    def _fit_members(self, rows: _Rows, held_out: bool = False) -> dict[str, Any]:
        learners = {
            name: LEARNERS[name].make(random_state=self.seed, **self.parameters.get(name, {}))
            for name in self.members
        }
        for name, learner in learners.items() if held_out else ():
            learner.set_params(**LEARNERS[name].held_out)
        left = rows.bounds - self.prior(rows.evidence)[:, None]
        return {n: v.fit(rows.X, left, sample_weight=rows.weight) for n, v in learners.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows(Rows):
    """Labelled rows as learners see them."""

    X: FloatArray
    evidence: FloatArray
    bounds: FloatArray
    weight: FloatArray
    groups: IntArray
    materials: IntArray


def _domain(X: FloatArray, groups: IntArray, materials: IntArray) -> DomainDistance:
    """One point for each material."""
    _, first = np.unique(materials, return_index=True)
    return DomainDistance().fit(X[first], groups[first])


def _material_means(values: FloatArray, materials: IntArray) -> FloatArray:
    """Mean over the rows of each material, in the order of :func:`_domain`."""
    _, inverse = np.unique(materials, return_inverse=True)
    return np.asarray(np.bincount(inverse, values) / np.bincount(inverse))


def _predictions(learners: Mapping[str, Any], X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and spreads of the learners, each (n, m); NaN where one states no spread."""
    means = np.empty((len(X), len(learners)))
    spreads = np.full_like(means, np.nan)
    for j, learner in enumerate(learners.values()):
        if hasattr(learner, "predict_with_spread"):
            means[:, j], spreads[:, j] = learner.predict_with_spread(X)
        else:
            means[:, j] = learner.predict(X)
    return means, spreads


def half_width_ratio(level: float, coverage: float) -> float:
    """Half width of the central interval of ``level`` over that of ``coverage``.

    For the distribution of :func:`probability_above`.
    """
    return _quantile(level) / _quantile(coverage)


def _quantile(coverage: float) -> float:
    """Half width of a central interval in units of the scale."""
    return float(student_t.ppf(0.5 * (1.0 + coverage), _TAIL_DEGREES))


def probability_above(
    threshold: FloatArray | float, mean: FloatArray, half_width: FloatArray, coverage: float
) -> FloatArray:
    """Probability that the target exceeds a threshold, consistent with the interval.

    The predictive distribution is Student's t with five degrees of freedom whose central interval
    of the stated coverage is the calibrated one.
    """
    sd = half_width / _quantile(coverage)
    return np.asarray(student_t.sf((threshold - mean) / sd, _TAIL_DEGREES), dtype=np.float64)
