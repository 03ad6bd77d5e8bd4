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
    total, composition = np.add.reduce(reached, axis=2), np.add.reduce(share) / len(share)
    order = 1.0 - reached / total[:, :, None] / composition
    return np.asarray(np.add.reduce(np.abs(order), axis=(1, 2)) / share.size)


@njit(cache=True)
def _walk(
    start: IntArray, neighbor: IntArray, image: IntArray, weight: FloatArray, share: FloatArray
) -> FloatArray:
    """Weight of each element at the end of self-avoiding paths, shape (3, n_sites, n_elements)."""
    n, n_elements = share.shape
    reached = np.zeros((3, n, n_elements))
    origin, first, entering = _entering(start, neighbor)
    # Faces that lead to the site at hand, by the site that they come from.
    head, following = np.full(n, -1), np.empty(len(weight), dtype=np.int64)
    back = np.empty(len(weight))
    for i in range(n):
        _chain(entering[first[i] : first[i + 1]], origin, head, following)
        for f in range(start[i], start[i + 1]):
            j = neighbor[f]
            back[f] = _home(
                head[j], following, image, weight, image[f, 0], image[f, 1], image[f, 2]
            )
            for e in range(n_elements):
                reached[0, i, e] += weight[f] * share[j, e]
        for slot in range(first[i], first[i + 1]):
            head[origin[entering[slot]]] = -1
    # One step on from each face, but not straight back.
    onward = np.empty((len(weight), n_elements))
    for f in range(len(weight)):
        for e in range(n_elements):
            onward[f, e] = reached[0, neighbor[f], e] - back[f] * share[origin[f], e]
    for i in range(n):
        _chain(entering[first[i] : first[i + 1]], origin, head, following)
        for f in range(start[i], start[i + 1]):
            j = neighbor[f]
            for e in range(n_elements):
                reached[1, i, e] += weight[f] * onward[f, e]
            for g in range(start[j], start[j + 1]):
                k = neighbor[g]
                i0, i1 = image[f, 0] + image[g, 0], image[f, 1] + image[g, 1]
                i2 = image[f, 2] + image[g, 2]
                if k == i and i0 == 0 and i1 == 0 and i2 == 0:
                    continue
                path = weight[f] * weight[g]
                # From k, neither j nor i may be entered again.
                home = _home(head[k], following, image, weight, i0, i1, i2)
                for e in range(n_elements):
                    reached[2, i, e] += path * (onward[g, e] - home * share[i, e])
        for slot in range(first[i], first[i + 1]):
            head[origin[entering[slot]]] = -1
    return reached


@njit(cache=True)
def _entering(start: IntArray, neighbor: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Site that each face belongs to; where the faces that lead to each site begin; these faces."""
    n = len(start) - 1
    origin, entering = np.empty(len(neighbor), np.int64), np.empty(len(neighbor), np.int64)
    first, filled = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    for i in range(n):
        for f in range(start[i], start[i + 1]):
            origin[f] = i
            first[neighbor[f] + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    for f in range(len(neighbor)):
        i = neighbor[f]
        entering[first[i] + filled[i]] = f
        filled[i] += 1
    return origin, first, entering


@njit(cache=True)
def _chain(faces: IntArray, origin: IntArray, head: IntArray, following: IntArray) -> None:
    """Chain faces by the site that they come from: first in ``head``, then in ``following``."""
    for slot in range(len(faces)):
        f = faces[slot]
        following[f] = head[origin[f]]
        head[origin[f]] = f


@njit(cache=True)
def _home(
    face: int,
    following: IntArray,
    image: IntArray,
    weight: FloatArray,
    i0: int,
    i1: int,
    i2: int,
) -> float:
    """Weight of the step home from image (i0, i1, i2) of a site; 0 if they share no face."""
    while face >= 0:
        if image[face, 0] == -i0 and image[face, 1] == -i1 and image[face, 2] == -i2:
            return weight[face]
        face = following[face]
    return 0.0
