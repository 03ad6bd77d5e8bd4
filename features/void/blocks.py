"""Blocks of grid points, visited together: one list of atoms in reach serves a whole block.

Kernels. They take a grid as its step vectors and its shape, and validate nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from .grid import BLOCK


@njit(cache=True)
def block_radius(step: FloatArray) -> float:
    """Distance from the centre of a block of grid points to its farthest corner, Å.

    Parameters
    ----------
    step : array (3, 3), Å
        From a grid point to the next along each axis.
    """
    half = (BLOCK - 1) / 2
    radius = 0.0
    for i in (-half, half):
        for j in (-half, half):
            for k in (-half, half):
                square = 0.0
                for x in range(3):
                    square += (i * step[0, x] + j * step[1, x] + k * step[2, x]) ** 2
                radius = max(radius, np.sqrt(square))
    return radius


@njit(cache=True)
def grid_step(lattice: FloatArray, shape: IntArray) -> FloatArray:
    """From a grid point to the next along each axis, (3, 3), Å."""
    step = np.empty((3, 3))
    for axis in range(3):
        for x in range(3):
            step[axis, x] = lattice[axis, x] / shape[axis]
    return step


@njit(cache=True)
def points_of_block(
    corner: tuple[int, int, int],
    shape: IntArray,
    step: FloatArray,
    wanted: np.ndarray,
    index: IntArray,
    point: FloatArray,
) -> int:
    """List the wanted points of one block.

    Parameters
    ----------
    corner : tuple of 3 int
        First point of the block; the block ends after four points or with the grid.
    shape : array (3,)
    step : array (3, 3), Å
    wanted : bool array (n_points,)
    index : array (64,), out
        Flat index of each point listed.
    point : array (64, 3), out, Å
        Their positions.

    Returns
    -------
    int
        Number of points listed.
    """
    count = 0
    for i in range(corner[0], min(corner[0] + BLOCK, shape[0])):
        for j in range(corner[1], min(corner[1] + BLOCK, shape[1])):
            for k in range(corner[2], min(corner[2] + BLOCK, shape[2])):
                flat = (i * shape[1] + j) * shape[2] + k
                if wanted[flat]:
                    index[count] = flat
                    for x in range(3):
                        point[count, x] = i * step[0, x] + j * step[1, x] + k * step[2, x]
                    count += 1
    return count


@njit(cache=True)
def block_center(corner: tuple[int, int, int], step: FloatArray) -> tuple[float, float, float]:
    """Position of the centre of a block, Å."""
    half = (BLOCK - 1) / 2
    i, j, k = corner[0] + half, corner[1] + half, corner[2] + half
    return (
        i * step[0, 0] + j * step[1, 0] + k * step[2, 0],
        i * step[0, 1] + j * step[1, 1] + k * step[2, 1],
        i * step[0, 2] + j * step[1, 2] + k * step[2, 2],
    )


@njit(cache=True)
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
    for p in range(len(index)):
        i, j, k = index[p] // (shape[1] * shape[2]), index[p] // shape[2] % shape[1], index[p]
        u, v, w = i / shape[0], j / shape[1], k % shape[2] / shape[2]
        for x in range(3):
            out[p, x] = start[x] + u * lattice[0, x] + v * lattice[1, x] + w * lattice[2, x]
    return out
