"""What every model must beat: the population alone, and the nearest known material."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..evidence.columns import EvidenceColumn
from ..evidence.scale import EvidenceScale
from ..labels.censoring import FloatArray, truncated_moments
from ..labels.tables import LabelArrays, feature_matrix, usable_columns
from ..labels.targets import make_target
from ..trust.calibration import group_weights
from ..trust.domain import DomainDistance


class TemperatureOnly:
    """Predicts the population mean at the temperature for every material.

    Parameters
    ----------
    quantity : str
        As in the label table.
    """

    def __init__(self, quantity: str = "sigma_S_cm") -> None:
        self.target = make_target(quantity)

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Self:
        """Fit to a label table; the features only tell which structures exist."""
        self.target.fit(self.target.read(labels, features.index))
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """Column ``prediction``, unit of the target."""
        mean, _ = self.target.line(temperature_K)
        return self._frame(np.broadcast_to(mean, len(features)), features)

    def _frame(self, working: FloatArray, features: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"prediction": self.target.shown(working)}, index=features.index)


class NearestNeighbour(TemperatureOnly):
    """Gives a material the position in the population of its nearest training material.

    Parameters
    ----------
    quantity : str
        As in the label table.
    columns : sequence of str, optional
        In which the distance is measured; all numeric ones by default.
    """

    def __init__(self, quantity: str = "sigma_S_cm", columns: Sequence[str] | None = None) -> None:
        super().__init__(quantity)
        self.columns = columns

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Self:
        """Fit to a label table and a feature table."""
        arrays = self.target.read(labels, features.index)
        self.target.fit(arrays)
        labelled = features.iloc[arrays.row]
        chosen = labelled if self.columns is None else labelled[list(self.columns)]
        self.columns_ = usable_columns(chosen)
        materials, inverse = np.unique(arrays.row, return_inverse=True)
        matrix = feature_matrix(features.iloc[materials], self.columns_)
        self.domain_ = DomainDistance().fit(matrix, np.arange(len(materials)))
        position = self._positions(arrays)
        self.position_ = np.bincount(inverse, position) / np.bincount(inverse)
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """Column ``prediction``, unit of the target."""
        _, nearest = self.domain_.nearest(feature_matrix(features, self.columns_))
        mean, scale = self.target.line(temperature_K)
        return self._frame(mean + scale * self.position_[nearest], features)

    def _positions(self, arrays: LabelArrays) -> FloatArray:
        mean, scale = self.target.line(arrays.temperature_K)
        expected, _ = truncated_moments(arrays.bounds, mean, scale)
        return (expected - mean) / scale


class EvidenceAlone(TemperatureOnly):
    """A line in one column of evidence: what it alone says of the position of a material.

    Parameters
    ----------
    evidence : EvidenceColumn
    quantity : str
        As in the label table.
    """

    def __init__(self, evidence: EvidenceColumn, quantity: str = "sigma_S_cm") -> None:
        super().__init__(quantity)
        self.evidence = evidence

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Self:
        """Fit to a label table and the column of a feature table."""
        arrays = self.target.read(labels, features.index)
        self.target.fit(arrays)
        mean, scale = self.target.line(arrays.temperature_K)
        bounds = (arrays.bounds - mean[:, None]) / scale[:, None]
        raw = self._column(features.iloc[arrays.row])
        weight = group_weights(arrays.group)
        self.scale_ = EvidenceScale.of(raw, weight)
        column = self.scale_.transform(raw)[:, 0]
        position, _ = truncated_moments(bounds, 0.0, 1.0)
        away = position - np.average(position, weights=weight)
        square = np.average(column**2, weights=weight)
        self.slope_ = float(np.average(column * away, weights=weight) / max(square, 1e-12))
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """Column ``prediction``, unit of the target."""
        mean, scale = self.target.line(temperature_K)
        position = self.slope_ * self.scale_.transform(self._column(features))[:, 0]
        return self._frame(mean + scale * position, features)

    def _column(self, features: pd.DataFrame) -> FloatArray:
        values = features[self.evidence.column].to_numpy(dtype=np.float64)
        return self.evidence.oriented(values)[:, None]
