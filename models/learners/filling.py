"""Missing features filled in: by the median of the training rows, with a column that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..labels.censoring import BoolArray, FloatArray
from ..labels.medians import column_medians

IndexArray = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Filling:
    """Columns that a learner without a notion of missing values sees, c of them."""

    source: IndexArray
    """Feature behind each column, shape (c,)."""
    gap: BoolArray
    """The column says whether the feature is missing (1) or not (0), shape (c,)."""
    median: FloatArray
    """In place of a missing feature, shape (c,)."""

    @classmethod
    def of(cls, features: FloatArray, used: IndexArray) -> Self:
        """From training rows: the used features, then a column for each that has gaps.

        Parameters
        ----------
        features : array (n, p)
            NaN where missing.
        used : array (k,) of int
            Features to take.
        """
        missing = np.isnan(features[:, used])
        gaps = np.flatnonzero(missing.any(axis=0))
        return cls(
            source=np.concatenate([used, used[gaps]]),
            gap=np.arange(len(used) + len(gaps)) >= len(used),
            median=np.concatenate([column_medians(features[:, used]), np.zeros(len(gaps))]),
        )

    def take(self, columns: Any) -> Filling:
        """Some of the columns only."""
        return Filling(
            source=self.source[columns], gap=self.gap[columns], median=self.median[columns]
        )

    def fill(self, features: FloatArray) -> FloatArray:
        """Features (n, p) as columns without NaN, shape (n, c)."""
        values = features[:, self.source]
        missing = np.isnan(values)
        np.copyto(values, np.broadcast_to(self.median, values.shape), where=missing)
        values[:, self.gap] = missing[:, self.gap]
        return values
