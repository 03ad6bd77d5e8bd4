"""Parts of the framework that keep their shape: polyanions, cages, or the whole crystal.

An atom of a polyanion that turns moves far without melting anything: hydrogen of B12H12 goes around
a sphere of 2.9 Å. What tells melting is whether the *centres* of the rigid parts go away. Parts are
found without radii or charges: neighbours that keep their distance belong together.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..trajectories.trajectory import FloatArray, IntArray

REACH_A: Final[float] = 3.2
"""Longest distance of neighbours that may be bonded (M–I is 3.0 Å)."""
KEPT_A: Final[float] = 0.3
"""Standard deviation of a distance that is kept: hot bonds vibrate by 0.1–0.2 Å."""
_FRAMES: Final[int] = 40


def rigid_units(framework_A: FloatArray, lattice: FloatArray) -> IntArray:
    """Number of the rigid part that each framework atom belongs to.

    Parameters
    ----------
    framework_A : array (n_frames, n_atoms, 3), Å
        Unwrapped.
    lattice : array (3, 3), Å
        Mean cell.

    Returns
    -------
    int array (n_atoms,)
        A network through the whole crystal is one part; an atom that keeps no distance is alone.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = framework_A.shape[1]
    if n < 2:
        return np.zeros(n, dtype=np.int64)
    chosen = np.unique(np.linspace(0, len(framework_A) - 1, _FRAMES).round().astype(int))
    frames = np.asarray(framework_A[chosen])
    inverse = np.linalg.inv(lattice)
    first, second = np.triu_indices(n, 1)
    start = (frames[0][second] - frames[0][first]) @ inverse
    shift = np.rint(start) @ lattice
    near = np.linalg.norm(frames[0][second] - frames[0][first] - shift, axis=1) < REACH_A
    first, second, shift = first[near], second[near], shift[near]
    length = np.linalg.norm(frames[:, second] - frames[:, first] - shift, axis=2)
    kept = length.std(axis=0) < KEPT_A
    bonds = coo_matrix((np.ones(int(kept.sum())), (first[kept], second[kept])), shape=(n, n))
    return np.asarray(connected_components(bonds, directed=False)[1], dtype=np.int64)


def unit_centres(framework_A: FloatArray, unit: IntArray) -> FloatArray:
    """Mean place of the atoms of each part, (n_frames, n_units, 3), Å; images do not matter."""
    share = np.zeros((int(unit.max()) + 1 if len(unit) else 0, len(unit)))
    share[unit, np.arange(len(unit))] = 1.0
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(np.einsum("ua,tax->tux", share, framework_A, optimize=True))
