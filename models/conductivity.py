"""The conductivity model: an Arrhenius population plus what structure adds to it.

``log10 σ(x, T) = population mean(T) + spread between materials(T) · z(x)``. The trees learn z, the
position of a material within the population; the spread grows with 1000/T as the population says.
A label at 1000 K therefore teaches the prediction at 300 K, intervals widen on the way down, and
no tree can mistake "reported at 300 K" for "fast".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..data.errors import ModelError
from ..data.units import ROOM_TEMPERATURE_K
from .arrhenius import ArrheniusPopulation, fit_arrhenius_population
from .censoring import FloatArray
from .domain import DomainDistance
from .ensemble import CalibratedEnsemble, probability_above
from .tables import LabelArrays, feature_matrix, label_arrays, usable_columns

PREDICTION_COLUMNS = (
    "prediction",
    "low",
    "high",
    "p_exceeds",
    "domain_distance",
    "spread",
    "family_disagreement",
)


class ConductivityModel:
    """Conductivity at a temperature, with calibrated interval and domain distance.

    Parameters
    ----------
    seed : int
        The same seed and tables give the same model, bit for bit.
    threshold_S_cm : float
        Conductivity, S/cm, whose exceedance probability is predicted.
    coverage : float
        Of the interval, on held-out groups.
    n_folds : int
        Grouped folds for calibration.

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
    ) -> None:
        if not threshold_S_cm > 0:
            raise ModelError(f"threshold_S_cm must be positive, got {threshold_S_cm}")
        if not 0.5 <= coverage < 1.0:
            raise ModelError(f"coverage must lie in [0.5, 1), got {coverage}")
        self.seed = seed
        self.threshold_S_cm = threshold_S_cm
        self.coverage = coverage
        self.n_folds = n_folds

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> ConductivityModel:
        """Fit and calibrate.

        Parameters
        ----------
        features : DataFrame
            One row per structure, index = structure id; NaN where a feature is not defined.
        labels : DataFrame
            Label table; only ``sigma_S_cm`` rows of one kind.

        Returns
        -------
        ConductivityModel

        Raises
        ------
        ModelError
            If kinds are mixed, a labelled structure has no features or there is nothing to fit.
        """
        arrays = label_arrays(labels, features.index)
        self.columns_ = usable_columns(features.iloc[arrays.row])
        matrix = feature_matrix(features, self.columns_)
        self.population_ = fit_arrhenius_population(
            arrays.temperature_K, arrays.log10_bounds, arrays.row, arrays.error_log10
        )
        self.ensemble_ = self._fit_ensemble(matrix, arrays)
        materials, first = np.unique(arrays.row, return_index=True)
        self.domain_ = DomainDistance().fit(matrix[materials], arrays.group[first])
        self.training_ = _training_summary(labels, arrays)
        return self

    def predict(
        self, features: pd.DataFrame, temperature_K: ArrayLike = ROOM_TEMPERATURE_K
    ) -> pd.DataFrame:
        """Predict log10 σ (S/cm) at a temperature.

        Parameters
        ----------
        features : DataFrame
            One row per structure; must hold the columns of the training table.
        temperature_K : float or array (n,)
            Temperature, K, one for all rows or one for each.

        Returns
        -------
        DataFrame
            Index of ``features``. ``prediction``, ``low``, ``high``: log10 of S/cm with the
            calibrated interval; ``p_exceeds``: probability of σ above the threshold;
            ``domain_distance``: 1 is typical of the next family, far above is extrapolation;
            ``spread`` over trees and ``family_disagreement``, both in decades.
        """
        self._require_fitted()
        temperature = _checked_temperature(temperature_K, len(features))
        matrix = feature_matrix(features, self.columns_)
        position = self.ensemble_.predict(matrix)
        mean, scale = self._line(temperature)
        centre, half = mean + scale * position.mean, scale * position.half_width
        threshold = float(np.log10(self.threshold_S_cm))
        values = (
            centre,
            centre - half,
            centre + half,
            probability_above(threshold, centre, half, self.coverage),
            self.domain_.transform(matrix),
            scale * position.spread,
            scale * position.disagreement,
        )
        columns = dict(zip(PREDICTION_COLUMNS, values, strict=True))
        return pd.DataFrame(columns, index=features.index)

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder of plain formats (:mod:`.persistence`)."""
        from .persistence import save_conductivity_model

        self._require_fitted()
        return save_conductivity_model(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> ConductivityModel:
        """Read a model; nothing in the folder is executed (:mod:`.persistence`)."""
        from .persistence import load_conductivity_model

        return load_conductivity_model(Path(folder))

    def _fit_ensemble(self, matrix: FloatArray, arrays: LabelArrays) -> CalibratedEnsemble:
        mean, scale = self._line(arrays.temperature_K)
        bounds = (arrays.log10_bounds - mean[:, None]) / scale[:, None]
        weight = _label_weights(arrays, self.population_)
        ensemble = CalibratedEnsemble(
            coverage=self.coverage, n_folds=self.n_folds, random_state=self.seed
        )
        return ensemble.fit(matrix[arrays.row], bounds, weight, arrays.group)

    def _line(self, temperature_K: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (
            self.population_.log10_sigma(temperature_K),
            self.population_.material_sd(temperature_K),
        )

    def _require_fitted(self) -> None:
        if not hasattr(self, "ensemble_"):
            raise ModelError("the model is not fitted; call fit or load first")


def _checked_temperature(temperature_K: ArrayLike, n_rows: int) -> FloatArray:
    temperature = np.asarray(temperature_K, dtype=np.float64)
    if temperature.shape not in ((), (n_rows,)):
        raise ModelError(f"give one temperature or {n_rows}, got shape {temperature.shape}")
    if not (np.isfinite(temperature).all() and (temperature > 0).all()):
        raise ModelError("temperature_K must be positive and finite")
    return temperature


def _label_weights(arrays: LabelArrays, population: ArrheniusPopulation) -> FloatArray:
    """Inverse variance of a label as evidence on z, shared among the rows of one material.

    The material's own prefactor and slope vary, so even an exact label carries the noise of the
    population; further temperatures of one material add less than independent materials.
    """
    scale = population.material_sd(arrays.temperature_K)
    variance = 1.0 + (population.noise_sd**2 + arrays.error_log10**2) / scale**2
    _, inverse, counts = np.unique(arrays.row, return_inverse=True, return_counts=True)
    weight = 1.0 / variance / np.sqrt(counts[inverse])
    return weight / weight.mean()


def _training_summary(labels: pd.DataFrame, arrays: LabelArrays) -> dict[str, Any]:
    exact = arrays.log10_bounds[:, 0] == arrays.log10_bounds[:, 1]
    return {
        "kind": arrays.kind,
        "n_labels": len(arrays.row),
        "n_bounds": int((~exact).sum()),
        "n_structures": len(np.unique(arrays.row)),
        "n_groups": len(np.unique(arrays.group)),
        "temperature_min_K": float(arrays.temperature_K.min()),
        "temperature_max_K": float(arrays.temperature_K.max()),
    }


__all__ = ["PREDICTION_COLUMNS", "ConductivityModel"]
