"""How far a candidate lies from what a model was trained on, by its features and by composition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import ModelError
from ..labels.censoring import FloatArray
from ..labels.medians import column_medians
from .domain_kernels import apart, embed

_CHUNK = 4096
_REACH = 5.0
"""Spreads beyond which a column counts no further."""


class DomainDistance:
    """Distance to the nearest training material in scaled feature space, relative to typical.

    Columns are scaled by their spread over the training set; a value that is missing on one side
    only counts as one spread. The unit is the median distance from a training material to its
    nearest one *of another group*: 1 is as far as the training materials lie from the
    neighbouring family, well above 1 is extrapolation.
    """

    def fit(self, values: FloatArray, groups: NDArray[np.int64]) -> DomainDistance:
        """Learn scales and the typical distance.

        Parameters
        ----------
        values : array (n, p)
            Feature matrix, NaN where not defined; one row per material.
        groups : array (n,) of int
            Family of each row.
        """
        self.centre_ = column_medians(values)
        spread = np.sqrt(_nan_mean((values - self.centre_) ** 2))
        # A column that never varied has no scale: a change of its own size is one unit.
        self.scale_ = np.where(spread > 0, spread, np.maximum(np.abs(self.centre_), 1.0))
        self.reference_ = self._embed(values)
        self.typical_ = self._typical(groups)
        return self

    def transform(self, values: FloatArray) -> FloatArray:
        """Relative distance of each row to its nearest training row, shape (n,)."""
        return self.nearest(values)[0] / self.typical_

    def nearest(self, values: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        """Absolute distance (in spreads per column) and index of the nearest training row."""
        points = self._embed(values)
        distance, index = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
        for start in range(0, len(points), _CHUNK):
            block = points[start : start + _CHUNK]
            index[start : start + _CHUNK] = nearest = self._squared(block).argmin(axis=1)
            distance[start : start + _CHUNK] = self._apart(block, nearest)
        return distance, index

    def between(self, values: FloatArray, others: FloatArray) -> FloatArray:
        """Relative distance of each row of ``values`` (n, p) to each of ``others`` (m, p)."""
        points, reference = (self._embed(v).astype(np.float64) for v in (values, others))
        apart = np.linalg.norm(points[:, None, :] - reference[None, :, :], axis=2)
        return np.asarray(apart / self.typical_)

    def _embed(self, values: FloatArray) -> NDArray[np.float32]:
        n, p = values.shape
        points = np.empty((n, 2 * p), dtype=np.float32)
        # One wild column must not hide that all others agree, nor swamp the distance.
        root = np.float32(np.sqrt(max(p, 1)))
        embed(np.ascontiguousarray(values), self.centre_, self.scale_, _REACH, root, points)
        return points

    def _apart(self, points: NDArray[np.float32], nearest: NDArray[np.int64]) -> FloatArray:
        """Distance of each point to one training row, exact to the last digits.

        The product below finds the nearest row fast, but differs by 1e-6 between processors.
        """
        distance = np.empty(len(points))
        apart(points, self.reference_, nearest, distance)
        return distance

    def _squared(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        # What no training row lacks is known by its length alone: columns of zeros at the end.
        used = np.flatnonzero(self.reference_.any(axis=0))
        stop = int(used[-1]) + 1 if len(used) else 0
        square = _lengths(points)[:, None] - 2.0 * (points[:, :stop] @ self.reference_[:, :stop].T)
        square += _lengths(self.reference_)[None, :]
        # Float32 cancellation leaves about 1e-6: a training row is at distance zero.
        square[square < 1e-5] = 0.0
        return np.asarray(square)

    def _typical(self, groups: NDArray[np.int64]) -> float:
        square = self._squared(self.reference_)
        same = groups[:, None] == groups[None, :]
        if same.all():
            same = np.eye(len(groups), dtype=bool)
        apart = np.where(same, np.inf, square)
        nearest = np.where(
            np.isinf(apart.min(axis=1)), np.inf, self._apart(self.reference_, apart.argmin(axis=1))
        )
        typical = float(np.median(nearest[np.isfinite(nearest)])) if len(groups) > 1 else 0.0
        return typical if typical > 0 else 1.0


def composition_distance(formulas: Sequence[str], known: Sequence[str]) -> FloatArray:
    """Least share of atoms to exchange for others to reach a known composition.

    Half the city-block distance between atomic fractions: 0 for polymorphs, 0.5 between LiF and
    LiCl, 1 where no element is shared. Unlike the distance between features it asks nothing of
    scales and is not blurred by hundreds of columns.

    Parameters
    ----------
    formulas : sequence of str, length n
        Of candidates.
    known : sequence of str
        Of training materials, at least one.

    Returns
    -------
    array (n,), in [0, 1]

    Raises
    ------
    ModelError
        If a formula cannot be read, or none is known.
    """
    reference = np.unique(_fractions(known), axis=0)
    if not len(reference):
        raise ModelError("the model does not know the formulas of its training materials")
    distance = np.full(len(formulas), np.inf)
    points = _fractions(formulas)
    for row in reference:
        np.minimum(distance, 0.5 * np.abs(points - row).sum(axis=1), out=distance)
    return distance


def _fractions(formulas: Sequence[str]) -> FloatArray:
    """Atomic fractions, shape (n, 119), column = atomic number."""
    from pymatgen.core import Composition

    table = np.zeros((len(formulas), max(ATOMIC_NUMBER.values()) + 1))
    for row, formula in zip(table, formulas, strict=True):
        try:
            for element, share in Composition(formula).fractional_composition.items():
                row[ATOMIC_NUMBER[element.symbol]] += share
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"{formula!r} is not a formula ({error})") from error
    return table


def _nan_mean(values: FloatArray) -> FloatArray:
    empty = np.isnan(values).all(axis=0)
    return np.nanmean(np.where(empty, 0.0, values), axis=0)


def _lengths(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("ij,ij->i", points, points))
