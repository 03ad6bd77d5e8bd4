"""Models of a target: a population plus what structure adds to it.

``target(x, T) = population mean(T) + spread between materials(T) · z(x)``. Evidence whose direction
is known (:mod:`.evidence`) says where z is expected; the learners see the features of structures
and learn what is left of z, the position of a material within the population. For a
conductivity the spread grows with 1000/T: a label at 1000 K teaches the prediction at 300 K,
intervals widen on the way down, and no tree can mistake "reported at 300 K" for "fast".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..data.errors import ModelError
from ..data.rounding import meaningful_array
from ..data.units import ROOM_TEMPERATURE_K
from .ensemble import DEFAULT_MEMBERS, CalibratedEnsemble, probability_above
from .evidence.columns import PHYSICS, EvidenceColumn, evidence_in
from .labels.censoring import FloatArray, is_exact
from .labels.tables import LabelArrays, feature_matrix, usable_columns
from .labels.targets import make_target
from .selfcheck import Outcomes, Scores, held_out_outcomes, held_out_scores, held_out_table
from .trust.trust import Combined, Trust

PREDICTION_COLUMNS: Final = (
    "prediction",
    "low",
    "high",
    "p_exceeds",
    "domain_distance",
    "spread",
    "family_disagreement",
)


PREDICTION_BLOCK: Final = 2000
"""Rows predicted at a time: memory beyond that of the table does not grow with it, and what is at
hand stays in the processor's cache (half the time of blocks of 10,000)."""


class ColumnOfAnotherKind(Protocol):
    """A model of another kind of labels as a column of evidence (:mod:`.fidelity`)."""

    @property
    def evidence(self) -> EvidenceColumn:
        """The column and its direction."""

    def values(self, features: pd.DataFrame) -> pd.Series:
        """The column; values that are in the table already stay."""

    def add_to(self, features: pd.DataFrame) -> pd.DataFrame:
        """The table with the column."""


class StructureModel:
    """Any target, with calibrated interval and domain distance.

    Parameters
    ----------
    quantity : str
        ``sigma_S_cm``, ``diffusivity_cm2_s``, ``t_onset_K`` or ``diffuses``.
    seed : int
        The same seed and tables give the same model, bit for bit.
    threshold : float
        Conductivity (S/cm) or diffusivity (cm²/s) whose exceedance probability is predicted. An
        onset needs none: its event is diffusing at the temperature of the prediction.
    coverage : float
        Of the interval, on held-out groups.
    n_folds : int
        Grouped folds for stacking and calibration.
    members : sequence of str
        Learner families (:data:`.ensemble.MEMBERS`).
    parameters : mapping, optional
        Settings by learner family, from tuning.
    evidence : sequence of EvidenceColumn
        Columns of known direction, used where the feature table has them; empty for none.
    columns : sequence of str, optional
        Feature columns that the learners see; all numeric ones by default.
    remainder : bool
        The learners learn what the evidence leaves over (:class:`.ensemble.CalibratedEnsemble`).

    Attributes
    ----------
    training_ : dict
        What it was trained on, in numbers.
    evidence_ : tuple of EvidenceColumn
        What of the evidence the training table had.
    other_kind : ColumnOfAnotherKind or None
        Adds a model of another kind to the evidence (:mod:`.fidelity`); set it before ``fit``.
    training_formulas : tuple of str
        Formulas of the training materials, for :func:`.composition_distance`; saved with the model
        where they are set.
    """

    other_kind: ColumnOfAnotherKind | None = None
    training_formulas: tuple[str, ...] = ()

    def __init__(
        self,
        quantity: str,
        seed: int = 0,
        threshold: float = 1e-3,
        coverage: float = 0.9,
        n_folds: int = 8,
        members: Sequence[str] = DEFAULT_MEMBERS,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        evidence: Sequence[EvidenceColumn] = PHYSICS,
        columns: Sequence[str] | None = None,
        remainder: bool = False,
    ) -> None:
        if not threshold > 0:
            raise ModelError(f"the threshold must be positive, got {threshold}")
        if not 0.5 <= coverage < 1.0:
            raise ModelError(f"coverage must lie in [0.5, 1), got {coverage}")
        self.target = make_target(quantity)
        self.quantity = quantity
        self.seed = seed
        self.threshold = threshold
        self.coverage = coverage
        self.n_folds = n_folds
        self.members = tuple(members)
        self.parameters = dict(parameters or {})
        self.evidence = tuple(evidence)
        self.columns = None if columns is None else tuple(columns)
        self.remainder = remainder
        self._labels: LabelArrays | None = None
        self._label_ids: list[str] = []
        self._evaluation: Scores | None = None
        self._held_out: pd.DataFrame | None = None

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame, trust: Trust | None = None) -> Self:
        """Fit and calibrate.

        Parameters
        ----------
        features : DataFrame
            One row per structure, index = structure id; NaN where a feature is not defined.
        labels : DataFrame
            Label table (:mod:`ionsieve.data.label_table`); rows of the model's quantity are used
            and must be of one kind.
        trust : Trust, optional
            Measured on more labels of the same kind: nothing is held out to measure it again. Not
            used where these labels have evidence of fewer columns.

        Raises
        ------
        LabelError
            If the labels are not usable.
        ModelError
            If kinds are mixed, a labelled structure has no features or there is nothing to fit.
        """
        features = self._with_other_kind(features)
        arrays = self.target.read(labels, features.index)
        labelled = features.iloc[arrays.row]
        self.columns_ = self._learned_columns(labelled)
        self.evidence_ = tuple(evidence_in(labelled, self._all_evidence()))
        self.target.fit(arrays)
        n_weights = len(self.members) + len(self.evidence_)
        if trust is not None and trust.weights.shape[1] != n_weights:
            trust = None
        self.ensemble_ = CalibratedEnsemble(
            self.members, self.coverage, self.n_folds, self.seed, self.parameters, self.remainder
        ).fit(
            self.matrix(labelled),
            self.standardised(arrays),
            self._label_weights(arrays),
            arrays.group,
            arrays.row,
            float(np.sqrt(np.mean(1.0 / self.target.label_weight(arrays) - 1.0))),
            self.evidence_matrix(labelled),
            self.expected_weights(),
            trust,
        )
        self.training_ = _training_summary(labels, arrays)
        self._labels, self._evaluation, self._held_out = arrays, None, None
        self._label_ids = features.index[arrays.row].astype(str).tolist()
        return self

    def expected_weights(self) -> FloatArray:
        """Weights of the evidence expected before any label is seen, shape (s,)."""
        return np.array([e.weight for e in self.evidence_], dtype=np.float64)

    def unfitted(self) -> StructureModel:
        """A model of the same settings and with the same model of another kind, to fit anew."""
        settings: dict[str, Any] = {
            "seed": self.seed,
            "threshold": self.threshold,
            "coverage": self.coverage,
            "n_folds": self.n_folds,
            "members": self.members,
            "parameters": self.parameters,
            "evidence": self.evidence,
            "columns": self.columns,
            "remainder": self.remainder,
        }
        model = make_model(self.quantity, **settings)
        model.other_kind = self.other_kind
        return model

    @property
    def evaluation_(self) -> Scores:
        """What was left out → method → score → [value, low, high] of a 95 % interval.

        From the predictions that calibrated the model (:mod:`.selfcheck`); computed when first
        asked for and saved with the model.
        """
        self.require_fitted()
        if self._evaluation is None:
            self._evaluation = held_out_scores(self._outcomes(), self.seed)
        return self._evaluation

    @property
    def held_out_(self) -> pd.DataFrame:
        """The held-out predictions behind :attr:`evaluation_` (:func:`.selfcheck.held_out_table`).

        Saved with the model; empty for a model that was saved without them.
        """
        self.require_fitted()
        if self._held_out is None:
            self._held_out = held_out_table(self._outcomes(), self._label_ids)
        return self._held_out

    def _outcomes(self) -> Outcomes:
        if self._labels is None:
            return {}
        return held_out_outcomes(self.ensemble_, self.target, self._labels)

    def predict(
        self, features: pd.DataFrame, temperature_K: ArrayLike = ROOM_TEMPERATURE_K
    ) -> pd.DataFrame:
        """Predict at a temperature.

        Parameters
        ----------
        features : DataFrame
            One row per structure; must hold the columns of the training table.
        temperature_K : float or array (n,)
            Temperature, K, one for all rows or one for each.

        Returns
        -------
        DataFrame
            Index of ``features``. ``prediction``, ``low``, ``high``: the target with its
            calibrated interval, log10 of S/cm or cm²/s, or K for an onset; ``p_exceeds``:
            probability of exceeding the threshold, or of diffusing at the temperature;
            ``domain_distance``: 1 is typical of the next family, far above is extrapolation;
            ``spread`` within and ``family_disagreement`` between learner families, in decades.
        """
        self.require_fitted()
        each = np.broadcast_to(_checked_temperature(temperature_K, len(features)), len(features))
        starts = range(0, max(len(features), 1), PREDICTION_BLOCK)
        parts = [
            self._predicted(features.iloc[k : k + PREDICTION_BLOCK], each[k : k + PREDICTION_BLOCK])
            for k in starts
        ]
        return parts[0] if len(parts) == 1 else pd.concat(parts)

    def _predicted(self, features: pd.DataFrame, temperature: FloatArray) -> pd.DataFrame:
        # Row by row, as compiled code goes through it: copied once instead of by each learner.
        matrix = np.ascontiguousarray(self.matrix(features))
        position, distance = self.ensemble_.predict(matrix, self.evidence_matrix(features))
        centre, half, scale = self._placed(position, temperature)
        event = self._event_probability(centre, half, temperature)
        values = (
            self.target.shown(centre),
            self.target.shown(centre - half),
            self.target.shown(centre + half),
            event,
            distance,
            scale * position.spread,
            scale * position.disagreement,
        )
        columns = dict(zip(PREDICTION_COLUMNS, values, strict=True))
        return pd.DataFrame(columns, index=features.index)

    def matrix(self, features: pd.DataFrame) -> FloatArray:
        """Columns of the training table that the learners see, shape (n, p)."""
        return feature_matrix(features, self.columns_)

    def evidence_matrix(self, features: pd.DataFrame) -> FloatArray:
        """Evidence oriented towards larger targets, shape (n, s); another kind's is predicted."""
        names = [e.column for e in self.evidence_]
        # A few columns only: a copy of the whole table would cost more than what is asked of it.
        known = features[[name for name in names if name in features]]
        if self.other_kind is not None:
            known = known.assign(
                **{self.other_kind.evidence.column: self.other_kind.values(features)}
            )
        matrix = feature_matrix(known, names)
        # An onset is the lower, the faster the ion.
        sign = 1.0 if self.target.event_above else -1.0
        oriented = [sign * e.oriented(matrix[:, j]) for j, e in enumerate(self.evidence_)]
        return np.column_stack(oriented) if oriented else np.empty((len(features), 0))

    def _with_other_kind(self, features: pd.DataFrame) -> pd.DataFrame:
        return features if self.other_kind is None else self.other_kind.add_to(features)

    def _all_evidence(self) -> list[EvidenceColumn]:
        other = [] if self.other_kind is None else [self.other_kind.evidence]
        return [*self.evidence, *other]

    def _learned_columns(self, labelled: pd.DataFrame) -> tuple[str, ...]:
        """Not the prediction of another kind, which is evidence and nothing to learn from."""
        if self.columns is not None:
            absent = [c for c in self.columns if c not in labelled]
            if absent:
                raise ModelError(f"the feature table lacks the column {absent[0]!r}")
            labelled = labelled[list(self.columns)]
        columns = usable_columns(labelled)
        if self.other_kind is None:
            return columns
        return tuple(c for c in columns if c != self.other_kind.evidence.column)

    def standardised(self, arrays: LabelArrays) -> FloatArray:
        """Bounds of labels as positions in the population, shape (n, 2)."""
        mean, scale = self.target.line(arrays.temperature_K)
        return meaningful_array((arrays.bounds - mean[:, None]) / scale[:, None])

    def _placed(
        self, position: Combined, temperature: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        mean, scale = self.target.line(temperature)
        return mean + scale * position.mean, scale * position.half_width, scale

    def _event_probability(
        self, centre: FloatArray, half: FloatArray, temperature: FloatArray
    ) -> FloatArray:
        each = np.broadcast_to(temperature, centre.shape)
        threshold = self.target.event_threshold(self.threshold, each)
        above = probability_above(threshold, centre, half, self.coverage)
        return above if self.target.event_above else 1.0 - above

    def _label_weights(self, arrays: LabelArrays) -> FloatArray:
        """Certainty of labels; further temperatures of one material add less than new materials."""
        _, inverse, counts = np.unique(arrays.row, return_inverse=True, return_counts=True)
        return meaningful_array(self.target.label_weight(arrays) / np.sqrt(counts[inverse]))

    def require_fitted(self) -> None:
        """Raise where there is nothing to predict with or to save."""
        if not hasattr(self, "ensemble_"):
            raise ModelError("the model is not fitted; fit it or load one first")


class ConductivityModel(StructureModel):
    """Conductivity at a temperature (:class:`StructureModel` of ``sigma_S_cm``).

    Parameters
    ----------
    seed : int
    threshold_S_cm : float
        Conductivity, S/cm, whose exceedance probability is predicted.
    coverage, n_folds, members, parameters, evidence, columns, remainder
        As in :class:`StructureModel`.

    Examples
    --------
    >>> model = ConductivityModel(seed=0).fit(features, labels)   # doctest: +SKIP
    >>> model.predict(features, temperature_K=300.0)              # doctest: +SKIP
    """

    def __init__(
        self,
        seed: int = 0,
        threshold_S_cm: float = 1e-3,
        coverage: float = 0.9,
        n_folds: int = 8,
        members: Sequence[str] = DEFAULT_MEMBERS,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        evidence: Sequence[EvidenceColumn] = PHYSICS,
        columns: Sequence[str] | None = None,
        remainder: bool = False,
    ) -> None:
        super().__init__(
            "sigma_S_cm",
            seed,
            threshold_S_cm,
            coverage,
            n_folds,
            members,
            parameters,
            evidence,
            columns,
            remainder,
        )

    @property
    def threshold_S_cm(self) -> float:
        """Threshold of ``p_exceeds``, S/cm."""
        return self.threshold


class OnsetModel(StructureModel):
    """Lowest temperature of long-range diffusion, from onsets or from "diffuses at T" labels."""

    def __init__(
        self,
        quantity: str = "t_onset_K",
        seed: int = 0,
        coverage: float = 0.9,
        n_folds: int = 8,
        members: Sequence[str] = DEFAULT_MEMBERS,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        evidence: Sequence[EvidenceColumn] = PHYSICS,
        columns: Sequence[str] | None = None,
        remainder: bool = False,
    ) -> None:
        if quantity not in ("t_onset_K", "diffuses"):
            raise ModelError(f"an onset model is trained on t_onset_K or diffuses, not {quantity}")
        super().__init__(
            quantity,
            seed,
            1.0,
            coverage,
            n_folds,
            members,
            parameters,
            evidence,
            columns,
            remainder,
        )


def make_model(quantity: str, **settings: Any) -> StructureModel:
    """The model class that belongs to a quantity.

    Parameters
    ----------
    quantity : str
        As in the label table.
    settings
        ``seed``, ``coverage``, ``n_folds``, ``members``, ``parameters``, ``evidence``,
        ``columns``, ``remainder`` and, where the quantity has one, ``threshold``.
    """
    if quantity == "sigma_S_cm":
        if "threshold" in settings:
            settings["threshold_S_cm"] = settings.pop("threshold")
        return ConductivityModel(**settings)
    if quantity in ("t_onset_K", "diffuses"):
        settings.pop("threshold", None)
        return OnsetModel(quantity, **settings)
    return StructureModel(quantity, **settings)


def _checked_temperature(temperature_K: ArrayLike, n_rows: int) -> FloatArray:
    temperature = np.asarray(temperature_K, dtype=np.float64)
    if temperature.shape not in ((), (n_rows,)):
        raise ModelError(f"give one temperature or {n_rows}, got shape {temperature.shape}")
    if not (np.isfinite(temperature).all() and (temperature > 0).all()):
        raise ModelError("temperature_K must be positive and finite")
    return temperature


def _training_summary(labels: pd.DataFrame, arrays: LabelArrays) -> dict[str, Any]:
    derived = labels["derived"] if "derived" in labels else pd.Series(False, index=labels.index)
    temperature = arrays.temperature_K[np.isfinite(arrays.temperature_K)]
    return {
        "kind": arrays.kind,
        "n_labels": len(arrays.row),
        "n_bounds": int((~is_exact(arrays.bounds)).sum()),
        "n_derived": int(derived.fillna(False).astype(bool).sum()),
        "n_structures": len(np.unique(arrays.row)),
        "n_groups": len(np.unique(arrays.group)),
        "temperature_min_K": float(temperature.min()) if len(temperature) else None,
        "temperature_max_K": float(temperature.max()) if len(temperature) else None,
    }
