"""Missing features filled in: by the median of the training rows, with a column that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..labels.censoring import BoolArray, FloatArray
from ..labels.medians import column_medians
from .forest_kernels import fill

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

    def fits(self, n_features: int) -> bool:
        """Whether arrays that were read from a file belong together and to so many features."""
        source: Any = np.asarray(self.source)
        gap, median = np.asarray(self.gap), np.asarray(self.median)
        typed = source.dtype == np.intp and gap.dtype == np.bool_ and median.dtype == np.float64
        one_each = source.ndim == 1 and source.shape == gap.shape == median.shape
        inside = bool(((source >= 0) & (source < n_features)).all())
        return typed and one_each and inside and bool(np.isfinite(median).all())

    def fill(
        self, features: FloatArray, kind: Any = np.float64, largest: float = np.inf
    ) -> NDArray[Any]:
        """Features (n, p) as columns without NaN, shape (n, c), of a type of float.

        Numbers beyond the largest that the type is to hold become that one.
        """
        filled = np.empty((len(features), len(self.source)), dtype=kind)
        rows = np.ascontiguousarray(features)
        fill(rows, self.source, self.gap, self.median, largest, filled)
        return filled
