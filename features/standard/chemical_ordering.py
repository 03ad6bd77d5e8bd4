"""Warren–Cowley order over Voronoi shells, by self-avoiding walks on the tessellation."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from .voronoi import Tessellation

N_SHELLS = 3


def chemical_ordering(cells: Tessellation, share: FloatArray) -> FloatArray:
    """Mean |Warren–Cowley parameter| in the first three Voronoi shells.

    Parameters
    ----------
    cells : Tessellation
    share : array (n_sites, n_elements)
        Fraction of each element on each site.

    Returns
    -------
    array (3,)
        Ward 2017, eq. 4, over self-avoiding paths of 1, 2 and 3 steps; 0 for a single element.
    """
    if share.shape[1] == 1:
        return np.zeros(N_SHELLS)
    largest = np.maximum.reduceat(cells.area_A2, cells.start[:-1])
    weight = cells.area_A2 / largest[cells.center]
    reached = _walk(cells.start, cells.neighbor, cells.image, weight, share)
    order = 1.0 - reached / reached.sum(axis=2, keepdims=True) / share.mean(axis=0)
    return np.abs(order).mean(axis=(1, 2))


@njit(cache=True)
def _step_weight(
    start: IntArray,
    neighbor: IntArray,
    image: IntArray,
    weight: FloatArray,
    origin: int,
    target: int,
    i0: int,
    i1: int,
    i2: int,
) -> float:
    """Weight of the step from one site to an image of another; 0 if they share no face."""
    for f in range(start[origin], start[origin + 1]):
        if neighbor[f] == target and image[f, 0] == i0 and image[f, 1] == i1 and image[f, 2] == i2:
            return weight[f]
    return 0.0


@njit(cache=True)
def _walk(
    start: IntArray, neighbor: IntArray, image: IntArray, weight: FloatArray, share: FloatArray
) -> FloatArray:
    """Weight of each element at the end of self-avoiding paths, shape (3, n_sites, n_elements)."""
    n, n_elements = share.shape
    reached = np.zeros((3, n, n_elements))
    back = np.empty(len(weight))
    for i in range(n):
        for f in range(start[i], start[i + 1]):
            j = neighbor[f]
            back[f] = _step_weight(
                start, neighbor, image, weight, j, i, -image[f, 0], -image[f, 1], -image[f, 2]
            )
            for e in range(n_elements):
                reached[0, i, e] += weight[f] * share[j, e]
    for i in range(n):
        for f in range(start[i], start[i + 1]):
            j = neighbor[f]
            for e in range(n_elements):
                reached[1, i, e] += weight[f] * (reached[0, j, e] - back[f] * share[i, e])
            for g in range(start[j], start[j + 1]):
                k = neighbor[g]
                i0, i1 = image[f, 0] + image[g, 0], image[f, 1] + image[g, 1]
                i2 = image[f, 2] + image[g, 2]
                if k == i and i0 == 0 and i1 == 0 and i2 == 0:
                    continue
                path = weight[f] * weight[g]
                # From k, neither j nor i may be entered again.
                home = _step_weight(start, neighbor, image, weight, k, i, -i0, -i1, -i2)
                for e in range(n_elements):
                    reached[2, i, e] += path * (
                        reached[0, k, e] - back[g] * share[j, e] - home * share[i, e]
                    )
    return reached
