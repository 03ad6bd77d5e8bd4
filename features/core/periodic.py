"""Compiled kernels on periodic point sets: pairs and percolation ranks.

All kernels take fractional coordinates in [0, 1) and rows as lattice vectors. They validate
nothing; the functions that call them do.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from .union_find import find, forest, join


def heights_A(lattice: FloatArray) -> FloatArray:
    """Distances between opposite faces of the cell, shape (3,), Å."""
    # By hand: a library call costs more than the arithmetic at this size.
    (a, b, c), (d, e, f), (g, h, i) = np.asarray(lattice).tolist()
    normals = (
        (e * i - f * h, f * g - d * i, d * h - e * g),
        (h * c - i * b, i * a - g * c, g * b - h * a),
        (b * f - c * e, c * d - a * f, a * e - b * d),
    )
    volume = abs(a * normals[0][0] + b * normals[0][1] + c * normals[0][2])
    return np.array([volume / math.sqrt(x * x + y * y + z * z) for x, y, z in normals])


@njit(cache=True)
def _grown(indices: IntArray, distance: FloatArray) -> tuple[IntArray, FloatArray]:
    more = np.empty((2 * len(indices), 5), np.int64)
    longer = np.empty(2 * len(distance))
    more[: len(indices)] = indices
    longer[: len(distance)] = distance
    return more, longer


def half_pairs(
    lattice: FloatArray, heights: FloatArray, frac: FloatArray, cutoff: float
) -> tuple[IntArray, FloatArray]:
    """Every periodic pair within ``cutoff`` once.

    Returns
    -------
    indices : array (n_pairs, 5)
        Atom i, atom j, and the lattice translation of j.
    distance : array (n_pairs,), Å
    """
    # As many as a uniform density gives, and some; growing is the exception.
    volume = abs(float(np.linalg.det(lattice)))
    expected = int(2.5 * len(frac) ** 2 * cutoff**3 / volume) + 32
    # Copies, because read-only arrays of a record would compile the kernel once more.
    cell, points = np.array(lattice), np.array(frac)
    pairs: tuple[IntArray, FloatArray] = _half_pairs(cell, heights, points, cutoff, expected)
    return pairs


@njit(cache=True)
def _half_pairs(
    lattice: FloatArray, heights: FloatArray, frac: FloatArray, cutoff: float, expected: int
) -> tuple[IntArray, FloatArray]:
    n, limit, found = len(frac), cutoff * cutoff, 0
    indices, distance = np.empty((expected, 5), np.int64), np.empty(expected)
    ra, rb, rc = cutoff / heights[0], cutoff / heights[1], cutoff / heights[2]
    for i in range(n):
        for j in range(i, n):
            da, db, dc = frac[j, 0] - frac[i, 0], frac[j, 1] - frac[i, 1], frac[j, 2] - frac[i, 2]
            for a in range(math.ceil(-da - ra), math.floor(ra - da) + 1):
                for b in range(math.ceil(-db - rb), math.floor(rb - db) + 1):
                    for c in range(math.ceil(-dc - rc), math.floor(rc - dc) + 1):
                        # Of i with its own images, one of each opposite pair; never itself.
                        if i == j and (a, b, c) <= (0, 0, 0):
                            continue
                        square = 0.0
                        for k in range(3):
                            along = (da + a) * lattice[0, k] + (db + b) * lattice[1, k]
                            along += (dc + c) * lattice[2, k]
                            square += along * along
                        if square > limit:
                            continue
                        if found == len(distance):
                            indices, distance = _grown(indices, distance)
                        indices[found, 0], indices[found, 1] = i, j
                        indices[found, 2], indices[found, 3], indices[found, 4] = a, b, c
                        distance[found] = math.sqrt(square)
                        found += 1
    return indices[:found], distance[:found]


@njit(cache=True)
def percolation_edges(n_nodes: int, edges: IntArray) -> IntArray:
    """Index of the edge with which the net first percolates in 1, 2 and 3 dimensions.

    Edges (i, j, image of j) are added one by one, in the order given, to a union-find whose
    links carry lattice translations. An edge inside a component closes a cycle; its translation
    (winding) joins the component's lattice of translations, whose rank is the dimension.

    Returns
    -------
    array (3,)
        −1 where the edges do not suffice.
    """
    parent, offset, windings, rank = forest(n_nodes)
    reached = np.full(3, -1)
    for e in range(len(edges)):
        i, j, a, b, c = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3], edges[e, 4]
        top, _ = join(parent, offset, windings, rank, i, j, a, b, c)
        for dimension in range(rank[top]):
            if reached[dimension] < 0:
                reached[dimension] = e
        if rank[top] == 3:
            break
    return reached


@njit(cache=True)
def component_ranks(n_nodes: int, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Component of each node (index of its root) and the dimension of that component."""
    parent, offset, windings, rank = forest(n_nodes)
    for e in range(len(edges)):
        i, j, a, b, c = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3], edges[e, 4]
        join(parent, offset, windings, rank, i, j, a, b, c)
    roots = np.empty(n_nodes, np.int64)
    for node in range(n_nodes):
        roots[node] = find(parent, offset, node)
    return roots, rank[roots]
