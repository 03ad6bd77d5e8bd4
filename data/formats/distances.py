"""Pairs of sites that lie close together, with work bounded by the number of sites."""

from __future__ import annotations

import numpy as np

from ..records import FloatArray, IntArray


def close_pairs(
    lattice: FloatArray, frac: FloatArray, reach_A: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of distinct sites whose nearest images are at most ``reach_A`` apart.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Rows are the lattice vectors.
    frac : array (n_sites, 3)
        In any cell; they are folded here.
    reach_A : float
        Largest distance, Å; less than half the smallest distance between lattice planes.

    Returns
    -------
    first, second : arrays (n_pairs,), int
        Indices with first < second, in ascending order.
    distance_A : array (n_pairs,), Å

    Notes
    -----
    Two points at distance d differ by at most d·|a*_i| in coordinate i, so a search in fractional
    coordinates scaled by the distances between lattice planes finds every pair, and its work does
    not grow with the volume of the cell.
    """
    none = np.empty(0, dtype=np.int64)
    if len(frac) < 2:
        return none, none, np.empty(0)
    from scipy.spatial import cKDTree

    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    folded = (frac - np.floor(frac)) * heights
    # A rounded coordinate may come out as the height itself, which is the place 0.
    folded[folded >= heights] = 0.0
    reach = min(reach_A, 0.49 * float(heights.min()))
    tree = cKDTree(folded, boxsize=heights)
    pairs = tree.query_pairs(reach, p=np.inf, output_type="ndarray").astype(np.int64)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    distance = distances_A(lattice, frac[pairs[:, 0]] - frac[pairs[:, 1]])
    near = distance <= reach_A
    return pairs[near, 0], pairs[near, 1], distance[near]


def distances_A(lattice: FloatArray, difference: FloatArray) -> FloatArray:
    """Lengths of differences of fractional coordinates to their nearest image, Å.

    Parameters
    ----------
    lattice : array (3, 3), Å
    difference : array (…, 3)

    Returns
    -------
    array (…,), Å
        Exact for lengths below half the smallest distance between lattice planes.
    """
    nearest = difference - np.rint(difference)
    length: FloatArray = np.sqrt(((nearest @ lattice) ** 2).sum(axis=-1))
    return length
