"""Ewald summation of point charges: potentials and site energies of a periodic crystal.

Ewald 1921 in the textbook form (de Leeuw, Perram & Smith 1980, 10.1098/rspa.1980.0135, tin-foil
boundary). Both sums are cut where their Gaussian tails fall below exp(−s²); the split between
them follows the number of atoms, so that the cost grows as N^1.5 (Perram 1988,
10.1080/00268978800101471).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...data.records import FloatArray, IntArray
from ...data.units import COULOMB_EV_A
from ..core.periodic import half_pairs, heights_A

ComplexArray = NDArray[np.complex128]

_TAIL: Final[float] = 5.2
"""s: both sums end where exp(−s²) = 2e-12."""

_REAL_SHARE: Final[float] = 0.6
"""Real-space cutoff over the one that balances the terms: a real-space pair costs more."""


def ewald_potentials_V(lattice: FloatArray, frac: FloatArray, charge_e: FloatArray) -> FloatArray:
    """Electrostatic potential at each charge from all others and all images.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Rows are lattice vectors.
    frac : array (n, 3)
        Fractional coordinates in [0, 1).
    charge_e : array (n,), e
        Charges. A net charge is compensated by a uniform background.

    Returns
    -------
    array (n,), V
        Site energies are ½ q φ in eV; they sum to the electrostatic energy of the cell.
    """
    volume = abs(float(np.linalg.det(lattice)))
    cutoff = _REAL_SHARE * _TAIL * (volume**2 / (math.pi**3 * len(frac))) ** (1 / 6)
    alpha = _TAIL / cutoff
    heights = heights_A(lattice)
    indices, distance = half_pairs(lattice, heights, frac, cutoff)
    potential = _real_part(indices, distance, charge_e, alpha)
    reciprocal = 2 * math.pi * np.linalg.inv(lattice).T
    radius = 2 * _TAIL * alpha
    # A family of lattice planes along an edge meets the sphere of that radius this often.
    limits = np.floor(radius * np.linalg.norm(lattice, axis=1) / (2 * math.pi)).astype(int)
    along = [_phases(frac, int(limit), axis) for axis, limit in enumerate(limits)]
    potential += _reciprocal_part(reciprocal, *along, charge_e, alpha, radius, volume)
    potential -= 2 * alpha / math.sqrt(math.pi) * charge_e
    potential -= math.pi * charge_e.sum() / (volume * alpha**2)
    return np.asarray(COULOMB_EV_A * potential, dtype=np.float64)


def ewald_site_energies_eV(
    lattice: FloatArray, frac: FloatArray, charge_e: FloatArray
) -> FloatArray:
    """½ q φ of each charge, shape (n,), eV; parameters as :func:`ewald_potentials_V`."""
    return 0.5 * charge_e * ewald_potentials_V(lattice, frac, charge_e)


@njit(cache=True)
def _real_part(
    indices: IntArray, distance: FloatArray, charge: FloatArray, alpha: float
) -> FloatArray:
    potential = np.zeros(len(charge))
    for pair in range(len(distance)):
        i, j = indices[pair, 0], indices[pair, 1]
        term = math.erfc(alpha * distance[pair]) / distance[pair]
        potential[i] += charge[j] * term
        potential[j] += charge[i] * term
    return potential


def _phases(frac: FloatArray, limit: int, axis: int) -> ComplexArray:
    """exp(2πi m x) for m = −limit … limit, shape (2 limit + 1, n)."""
    angle = 2 * np.pi * np.arange(limit + 1)[:, None] * frac[:, axis]
    # Cosine and sine of numbers are several times as fast as the exponential of imaginary ones.
    phases = np.empty((2 * limit + 1, len(frac)), dtype=np.complex128)
    phases.real[limit:], phases.imag[limit:] = np.cos(angle), np.sin(angle)
    phases[:limit] = phases[:limit:-1].conj()
    return phases


@njit(cache=True, fastmath=True)
def _reciprocal_part(
    reciprocal: FloatArray,
    along_a: ComplexArray,
    along_b: ComplexArray,
    along_c: ComplexArray,
    charge: FloatArray,
    alpha: float,
    radius: float,
    volume: float,
) -> FloatArray:
    h_max, k_max, m_max = len(along_a) // 2, len(along_b) // 2, len(along_c) // 2
    potential, n = np.zeros(len(charge)), len(charge)
    plane, wave = np.empty(n, np.complex128), np.empty(n, np.complex128)
    # Half of reciprocal space: k and −k give the same term.
    for h in range(h_max + 1):
        for k in range(-k_max if h > 0 else 0, k_max + 1):
            start = -m_max if h > 0 or k > 0 else 1
            in_plane = False
            for m in range(start, m_max + 1):
                square = 0.0
                for x in range(3):
                    g = h * reciprocal[0, x] + k * reciprocal[1, x] + m * reciprocal[2, x]
                    square += g * g
                if square > radius * radius:
                    continue
                if not in_plane:
                    for a in range(n):
                        plane[a] = along_a[h_max + h, a] * along_b[k_max + k, a]
                    in_plane = True
                real, imaginary = 0.0, 0.0
                for a in range(n):
                    wave[a] = plane[a] * along_c[m_max + m, a]
                    real += charge[a] * wave[a].real
                    imaginary += charge[a] * wave[a].imag
                weight = 8 * np.pi / volume * math.exp(-square / (4 * alpha * alpha)) / square
                for a in range(n):
                    potential[a] += weight * (real * wave[a].real + imaginary * wave[a].imag)
    return potential
