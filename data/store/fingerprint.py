"""Fingerprints of structures: numbers that change little with the coordinates and much with order.

Around each atom the atoms of each kind are counted, the near ones in full and the far ones not at
all; then the counts of its neighbours are added up in the same way. These numbers, sorted over the
atoms of a kind, do not depend on the cell, and change continuously with the coordinates: equal
structures have fingerprints that agree within 1, the tolerance, and orderings of one formula on one
lattice hardly ever do.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..records import FloatArray

Fingerprint = NDArray[np.float32]

REACH: Final[float] = 2.2
"""Beyond nothing is counted, in units of the mean atomic spacing (V/N)^(1/3)."""
_TOLERANCES: Final[tuple[float, float]] = (0.2, 1.0)
"""Of counts, and of sums of counts: what two relaxations of one phase differ by at most."""


def fingerprint(
    lattice: FloatArray, frac: FloatArray, kinds: NDArray[np.int64], n_kinds: int
) -> Fingerprint:
    """Numbers of a primitive cell, in units of their tolerance.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    kinds : array (n,) of int
        From 0 to ``n_kinds`` − 1.
    n_kinds : int

    Returns
    -------
    array (n · (n_kinds + n_kinds²),)
    """
    center, other, weight = _weights(lattice, frac)
    is_kind = np.eye(n_kinds)[kinds]
    counts = _summed(center, other, weight, is_kind)
    # Of the neighbours of each kind, their own counts.
    pairs = (is_kind[:, :, None] * counts[:, None, :]).reshape(len(kinds), -1)
    sums = _summed(center, other, weight, pairs)
    numbers = np.hstack([counts / _TOLERANCES[0], sums / _TOLERANCES[1]])
    of_kinds = [np.sort(numbers[kinds == kind], axis=0).ravel() for kind in range(n_kinds)]
    return np.concatenate(of_kinds).astype(np.float32)


def _summed(
    center: NDArray[np.int64], other: NDArray[np.int64], weight: FloatArray, values: FloatArray
) -> FloatArray:
    """Weighted sums of the neighbours' values (n, p), for every site; centres ascend."""
    ends = np.searchsorted(center, np.arange(len(values) + 1))
    shape = (len(values), len(values))
    return np.asarray(csr_array((weight, other, ends), shape=shape) @ values)


def _weights(
    lattice: FloatArray, frac: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Sites, their neighbours within reach, and how much each counts: 1 near, 0 at the reach."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    scale = (abs(np.linalg.det(lattice)) / len(frac)) ** (1 / 3)
    cartesian = np.ascontiguousarray(frac @ lattice)
    center, other, _, distance = find_points_in_spheres(
        cartesian,
        cartesian,
        r=REACH * scale,
        pbc=np.ones(3, dtype=np.int64),
        lattice=np.ascontiguousarray(lattice),
        tol=1e-8,
    )
    apart = distance > 1e-6
    weight = np.cos(0.5 * np.pi * distance[apart] / (REACH * scale)) ** 2
    return center[apart], other[apart], weight
