"""Spherical-harmonic moments of a set of directions, and the invariants made of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from ..data.records import FloatArray, IntArray
from .bond_order import MAX_DEGREE


def bond_order(start: IntArray, direction: FloatArray, weight: FloatArray) -> FloatArray:
    """Steinhardt's Q of degrees 1 to 10 of each site.

    Parameters
    ----------
    start : array (n_sites + 1,)
        Neighbours of site i are ``start[i]:start[i + 1]``.
    direction : array (n_neighbors, 3)
        Unit vectors.
    weight : array (n_neighbors,)
        Not negative; normalised per site.

    Returns
    -------
    array (n_sites, 10)
    """
    moments = harmonic_moments(start, direction, weight)
    # Only m ≥ 0 is stored; the others are their conjugates.
    power = (np.abs(moments) ** 2).sum(axis=2) * 2 - np.abs(moments[:, :, 0]) ** 2
    return np.sqrt(power[:, 1:])


def harmonic_moments(start: IntArray, direction: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted means of √(4π/(2l+1)) Y_lm, m ≥ 0, complex, shape (n_sites, 11, 11)."""
    return _moments(start, direction, weight, _NORMALISATION)


def _normalisation() -> FloatArray:
    """√((l − m)! / (l + m)!) by degree and order."""
    table = np.zeros((MAX_DEGREE + 1, MAX_DEGREE + 1))
    for degree in range(MAX_DEGREE + 1):
        table[degree, 0] = 1.0
        for m in range(1, degree + 1):
            table[degree, m] = table[degree, m - 1] / np.sqrt((degree + m) * (degree - m + 1))
    return table


_NORMALISATION: Final[FloatArray] = _normalisation()


@njit(cache=True)
def _moments(start, direction, weight, normalisation):  # type: ignore[no-untyped-def]
    n, top = len(start) - 1, normalisation.shape[0]
    moments = np.zeros((n, top, top), dtype=np.complex128)
    for i in range(n):
        total = weight[start[i] : start[i + 1]].sum()
        for f in range(start[i], start[i + 1]):
            z = direction[f, 2]
            around = complex(direction[f, 0], direction[f, 1])
            phase = complex(weight[f] / total, 0.0)
            diagonal = 1.0
            for m in range(top):
                # Legendre recursion in l for P_lm / sin^m, so that the poles need no care.
                before, current = 0.0, diagonal
                for degree in range(m, top):
                    moments[i, degree, m] += phase * (current * normalisation[degree, m])
                    following = ((2 * degree + 1) * z * current - (degree + m) * before) / (
                        degree - m + 1
                    )
                    before, current = current, following
                phase *= around
                diagonal *= -(2 * m + 1)
    return moments
