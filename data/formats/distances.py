"""Shortest periodic distances, for checks that need no full neighbour list."""

from __future__ import annotations

import numpy as np

from ..records import FloatArray


def closest_pair_A(lattice: FloatArray, frac: FloatArray, reach_A: float = 1.0) -> float:
    """Smallest distance between two distinct sites, Å; infinity if none is within ``reach_A``.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n_sites, 3)
    reach_A : float
        How far to look, Å.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    cartesian = np.ascontiguousarray(frac @ lattice)
    center, neighbor, image, distance = find_points_in_spheres(
        all_coords=cartesian,
        center_coords=cartesian,
        r=float(reach_A),
        pbc=np.ones(3, dtype=np.int64),
        lattice=np.ascontiguousarray(lattice, dtype=np.float64),
        tol=1e-8,
    )
    other = (center != neighbor) | (np.abs(image) > 0.5).any(axis=1)
    return float(distance[other].min()) if other.any() else np.inf
