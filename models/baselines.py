"""What every model must beat: temperature alone, and the nearest known material."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .arrhenius import fit_arrhenius_population
from .censoring import FloatArray, truncated_moments
from .domain import DomainDistance
from .tables import LabelArrays, feature_matrix, label_arrays, usable_columns


class TemperatureOnly:
    """Predicts the Arrhenius population mean for every material."""

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> TemperatureOnly:
        """Fit to a label table; the features only tell which structures exist."""
        self._fit_population(label_arrays(labels, features.index))
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """Column ``prediction``, log10 S/cm."""
        mean = self.population_.log10_sigma(temperature_K)
        values = np.broadcast_to(mean, len(features))
        return pd.DataFrame({"prediction": values}, index=features.index)

    def _fit_population(self, arrays: LabelArrays) -> None:
        self.population_ = fit_arrhenius_population(
            arrays.temperature_K, arrays.log10_bounds, arrays.row, arrays.error_log10
        )


class NearestNeighbour(TemperatureOnly):
    """Gives a material the position in the population of its nearest training material."""

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> NearestNeighbour:
        """Fit to a label table and a feature table."""
        arrays = label_arrays(labels, features.index)
        self._fit_population(arrays)
        self.columns_ = usable_columns(features.iloc[arrays.row])
        materials, inverse = np.unique(arrays.row, return_inverse=True)
        matrix = feature_matrix(features.iloc[materials], self.columns_)
        self.domain_ = DomainDistance().fit(matrix, np.arange(len(materials)))
        position = self._positions(arrays)
        self.position_ = np.bincount(inverse, position) / np.bincount(inverse)
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """Column ``prediction``, log10 S/cm."""
        _, nearest = self.domain_.nearest(feature_matrix(features, self.columns_))
        mean = self.population_.log10_sigma(temperature_K)
        scale = self.population_.material_sd(temperature_K)
        values = mean + scale * self.position_[nearest]
        return pd.DataFrame({"prediction": values}, index=features.index)

    def _positions(self, arrays: LabelArrays) -> FloatArray:
        mean = self.population_.log10_sigma(arrays.temperature_K)
        scale = self.population_.material_sd(arrays.temperature_K)
        expected, _ = truncated_moments(arrays.log10_bounds, mean, scale)
        return (expected - mean) / scale
