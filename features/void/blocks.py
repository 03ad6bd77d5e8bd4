"""Blocks of grid points, visited together: one list of atoms in reach serves a whole block.

They take a grid as its step vectors and its shape, and validate nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from .grid import BLOCK

_CORNERS = np.array([(1, i, j) for i in (-1, 1) for j in (-1, 1)]) * ((BLOCK - 1) / 2)


def block_radius(step: FloatArray) -> float:
    """Distance from the centre of a block of grid points to its farthest corner, Å.

    Parameters
    ----------
    step : array (3, 3), Å
        From a grid point to the next along each axis.
    """
    corners = _CORNERS @ step
    return float(np.sqrt((corners * corners).sum(axis=1).max()))


@njit(cache=True)
def points_of_block(
    i0: int,
    j0: int,
    k0: int,
    shape: IntArray,
    step: FloatArray,
    wanted: np.ndarray,
    index: IntArray,
    point: FloatArray,
    center: FloatArray,
) -> int:
    """List the wanted points of one block.

    Parameters
    ----------
    i0, j0, k0 : int
        First point of the block; the block ends after four points or with the grid.
    shape : array (3,)
    step : array (3, 3), Å
    wanted : bool array (n_points,)
    index : array (64,), out
        Flat index of each point listed.
    point : array (64, 3), out, Å
        Their positions.
    center : array (3,), out, Å
        Middle of the block.

    Returns
    -------
    int
        Number of points listed.
    """
    half = (BLOCK - 1) / 2
    for x in range(3):
        center[x] = (i0 + half) * step[0, x] + (j0 + half) * step[1, x] + (k0 + half) * step[2, x]
    count = 0
    for i in range(i0, min(i0 + BLOCK, shape[0])):
        for j in range(j0, min(j0 + BLOCK, shape[1])):
            for k in range(k0, min(k0 + BLOCK, shape[2])):
                flat = (i * shape[1] + j) * shape[2] + k
                if wanted[flat]:
                    index[count] = flat
                    for x in range(3):
                        point[count, x] = i * step[0, x] + j * step[1, x] + k * step[2, x]
                    count += 1
    return count


def points_at(
    index: IntArray, shape: IntArray, start: FloatArray, lattice: FloatArray
) -> FloatArray:
    """Positions of grid points.

    Parameters
    ----------
    index : array (n,)
        Flat.
    shape : array (3,)
    start : array (3,), Å
        The first point.
    lattice : array (3, 3), Å

    Returns
    -------
    array (n, 3), Å
    """
    out = np.empty((len(index), 3))
    _place(index, shape, start, lattice, out)
    return out


@njit(cache=True)
def _place(
    index: IntArray, shape: IntArray, start: FloatArray, lattice: FloatArray, out: FloatArray
) -> None:
    for p in range(len(index)):
        i, j, k = index[p] // (shape[1] * shape[2]), index[p] // shape[2] % shape[1], index[p]
        u, v, w = i / shape[0], j / shape[1], k % shape[2] / shape[2]
        for x in range(3):
            out[p, x] = start[x] + u * lattice[0, x] + v * lattice[1, x] + w * lattice[2, x]
