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
    # As many as a uniform density gives, and some; searching again is the exception.
    volume = abs(float(np.linalg.det(lattice)))
    room, count = 0, int(2.5 * len(frac) ** 2 * cutoff**3 / volume) + 32
    # Copies, because read-only arrays of a record would compile the kernel once more.
    cell, points = np.array(lattice), np.array(frac)
    while count > room:
        room = count
        indices, square = np.empty((room, 5), np.int64), np.empty(room)
        count = _half_pairs(cell, heights, points, cutoff, indices, square)
    return indices[:count], np.sqrt(square[:count])


@njit(cache=True)
def _half_pairs(
    lattice: FloatArray,
    heights: FloatArray,
    frac: FloatArray,
    cutoff: float,
    indices: IntArray,
    squares: FloatArray,
) -> int:
    """List pairs, with squared distances, as far as there is room; returns how many there are."""
    n, limit, found = len(frac), cutoff * cutoff, 0
    ra, rb, rc = cutoff / heights[0], cutoff / heights[1], cutoff / heights[2]
    for i in range(n):
        for j in range(i, n):
            da, db, dc = frac[j, 0] - frac[i, 0], frac[j, 1] - frac[i, 1], frac[j, 2] - frac[i, 2]
            for a in range(math.ceil(-da - ra), math.floor(ra - da) + 1):
                for b in range(math.ceil(-db - rb), math.floor(rb - db) + 1):
                    for c in range(math.ceil(-dc - rc), math.floor(rc - dc) + 1):
                        # Of i with its own images, one of each opposite pair; never itself.
                        if i == j and (a < 0 or (a == 0 and (b < 0 or (b == 0 and c <= 0)))):
                            continue
                        square = 0.0
                        for k in range(3):
                            along = (da + a) * lattice[0, k] + (db + b) * lattice[1, k]
                            along += (dc + c) * lattice[2, k]
                            square += along * along
                        if square > limit:
                            continue
                        if found < len(squares):
                            indices[found, 0], indices[found, 1], indices[found, 2] = i, j, a
                            indices[found, 3], indices[found, 4] = b, c
                            squares[found] = square
                        found += 1
    return found


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
    reached = np.full(3, -1)
    _join_all(*forest(int(n_nodes)), edges, 3, reached)
    return reached


def component_ranks(n_nodes: int, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Component of each node (index of its root) and the dimension of that component."""
    parent, offset, windings, rank = forest(n_nodes)
    _join_all(parent, offset, windings, rank, edges, 4, np.full(3, -1))
    return parent, rank[parent]


@njit(cache=True)
def _join_all(
    parent: IntArray,
    offset: IntArray,
    windings: IntArray,
    rank: IntArray,
    edges: IntArray,
    enough: int,
    reached: IntArray,
) -> None:
    """Add edges in order, until a piece is endless in ``enough`` dimensions.

    Into ``reached`` (3,): the edge with which some piece became endless in 1, 2 and 3 dimensions.
    Afterwards every node points to its root.
    """
    for e in range(len(edges)):
        i, j, a = edges[e, 0], edges[e, 1], edges[e, 2]
        top, _ = join(parent, offset, windings, rank, i, j, a, edges[e, 3], edges[e, 4])
        for dimension in range(rank[top]):
            if reached[dimension] < 0:
                reached[dimension] = e
        if rank[top] >= enough:
            break
    for node in range(len(parent)):
        find(parent, offset, node)
