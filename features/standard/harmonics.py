"""Spherical-harmonic moments of a set of directions, and the invariants made of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...data.records import FloatArray, IntArray

MAX_DEGREE: Final[int] = 10
"""Degrees 1 to 10, as matminer's default."""

ComplexArray = NDArray[np.complex128]


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
    total = np.add.reduceat(weight, start[:-1])
    share = weight / np.repeat(total, np.diff(start))
    moments = harmonic_moments(start, direction, share[:, None], MAX_DEGREE)[0]
    # Only m ≥ 0 is stored; the others are their conjugates.
    power = (np.abs(moments) ** 2).sum(axis=2) * 2 - np.abs(moments[:, :, 0]) ** 2
    return np.sqrt(power[:, 1:])


def harmonic_moments(
    start: IntArray, direction: FloatArray, weight: FloatArray, max_degree: int
) -> ComplexArray:
    """Weighted sums of √(4π/(2l+1)) Y_lm over the neighbours of each site.

    Parameters
    ----------
    start : array (n_sites + 1,)
        Neighbours of site i are ``start[i]:start[i + 1]``.
    direction : array (n_neighbors, 3)
        Unit vectors.
    weight : array (n_neighbors, n_channels)
    max_degree : int
        Largest l.

    Returns
    -------
    complex array (n_channels, n_sites, max_degree + 1, max_degree + 1)
        By degree l and order m ≥ 0, without the Condon–Shortley phase.
    """
    shape = (weight.shape[1], len(start) - 1, max_degree + 1, max_degree + 1)
    moments = np.zeros(shape, dtype=np.complex128)
    coefficients = _coefficients(max_degree)
    _add_moments(start, direction, np.ascontiguousarray(weight), coefficients, moments)
    return moments


@lru_cache(maxsize=8)
def _coefficients(max_degree: int) -> FloatArray:
    """By order m and degree l, shape (3, max_degree + 1, max_degree + 1).

    √((l − m)! / (l + m)!), and (2l + 1) / (l − m + 1) and (l + m) / (l − m + 1) of the recursion
    P_(l+1)m = a z P_lm − b P_(l−1)m: the kernel has no divisions.
    """
    table = np.zeros((3, max_degree + 1, max_degree + 1))
    for degree in range(max_degree + 1):
        table[0, 0, degree] = 1.0
        for m in range(degree + 1):
            if m > 0:
                root = np.sqrt((degree + m) * (degree - m + 1))
                table[0, m, degree] = table[0, m - 1, degree] / root
            table[1, m, degree] = (2 * degree + 1) / (degree - m + 1)
            table[2, m, degree] = (degree + m) / (degree - m + 1)
    return table


@njit(cache=True)
def _add_moments(
    start: IntArray,
    direction: FloatArray,
    weight: FloatArray,
    coefficients: FloatArray,
    moments: ComplexArray,
) -> None:
    n, n_channels, top = len(start) - 1, weight.shape[1], coefficients.shape[1]
    # Real and imaginary parts of one site, by order: what the inner loop adds to lies together.
    real, imaginary = np.empty((n_channels, top, top)), np.empty((n_channels, top, top))
    term = np.empty(top)
    for i in range(n):
        for c in range(n_channels):
            for m in range(top):
                for degree in range(m, top):
                    real[c, m, degree] = imaginary[c, m, degree] = 0.0
        for f in range(start[i], start[i + 1]):
            x, y, z = direction[f, 0], direction[f, 1], direction[f, 2]
            cosine, sine, diagonal = 1.0, 0.0, 1.0
            for m in range(top):
                # Legendre recursion in l for P_lm / sin^m, so that the poles need no care.
                before, current = 0.0, diagonal
                for degree in range(m, top):
                    term[degree] = current * coefficients[0, m, degree]
                    along = coefficients[1, m, degree] * z
                    following = along * current - coefficients[2, m, degree] * before
                    before, current = current, following
                for c in range(n_channels):
                    a, b = weight[f, c] * cosine, weight[f, c] * sine
                    for degree in range(m, top):
                        real[c, m, degree] += a * term[degree]
                        imaginary[c, m, degree] += b * term[degree]
                cosine, sine = cosine * x - sine * y, cosine * y + sine * x
                diagonal *= 2 * m + 1
        for c in range(n_channels):
            for m in range(top):
                for degree in range(m, top):
                    moments[c, i, degree, m] = complex(real[c, m, degree], imaginary[c, m, degree])
