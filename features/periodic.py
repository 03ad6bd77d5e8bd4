"""Compiled kernels on periodic point sets: pairs, percolation ranks, pure translations.

All kernels take fractional coordinates in [0, 1) and rows as lattice vectors. They validate
nothing; the functions that call them do.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..data.records import FloatArray, IntArray


def heights_A(lattice: FloatArray) -> FloatArray:
    """Distances between opposite faces of the cell, shape (3,), Å."""
    return np.asarray(1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0), dtype=np.float64)


@njit(cache=True)
def _first_image(offset: float, reach: float) -> int:
    return int(np.ceil(-offset - reach))


@njit(cache=True)
def _grown(indices: IntArray, distance: FloatArray) -> tuple[IntArray, FloatArray]:
    more = np.empty((2 * len(indices), 5), np.int64)
    longer = np.empty(2 * len(distance))
    more[: len(indices)] = indices
    longer[: len(distance)] = distance
    return more, longer


@njit(cache=True)
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
    indices, distance = np.empty((64, 5), np.int64), np.empty(64)
    found, reach = 0, cutoff / heights
    for i in range(len(frac)):
        for j in range(i, len(frac)):
            offset = frac[j] - frac[i]
            for a in range(_first_image(offset[0], reach[0]), int(reach[0] - offset[0]) + 1):
                for b in range(_first_image(offset[1], reach[1]), int(reach[1] - offset[1]) + 1):
                    for c in range(
                        _first_image(offset[2], reach[2]), int(reach[2] - offset[2]) + 1
                    ):
                        # Of i with its own images, one of each opposite pair; never itself.
                        if i == j and (a, b, c) <= (0, 0, 0):
                            continue
                        u, v, w = offset[0] + a, offset[1] + b, offset[2] + c
                        square = 0.0
                        for k in range(3):
                            x = u * lattice[0, k] + v * lattice[1, k] + w * lattice[2, k]
                            square += x * x
                        if square > cutoff * cutoff:
                            continue
                        if found == len(distance):
                            indices, distance = _grown(indices, distance)
                        indices[found, 0], indices[found, 1] = i, j
                        indices[found, 2], indices[found, 3], indices[found, 4] = a, b, c
                        distance[found] = np.sqrt(square)
                        found += 1
    return indices[:found], distance[:found]


@njit(cache=True)
def _root(parent: IntArray, offset: IntArray, node: int) -> int:
    """Root of a node; afterwards the node points at it, with the translation between them."""
    root = node
    total = np.zeros(3, np.int64)
    while parent[root] != root:
        total += offset[root]
        root = parent[root]
    while parent[node] != root and node != root:
        above, step = parent[node], offset[node].copy()
        parent[node], offset[node] = root, total
        total = total - step
        node = above
    return root


@njit(cache=True)
def _add_winding(basis: IntArray, rank: int, w: IntArray) -> int:
    """Add a translation to up to three independent ones; the new rank over the integers."""
    if rank == 3 or not w.any():
        return rank
    if rank == 1 and not np.cross(basis[0], w).any():
        return rank
    if rank == 2 and (np.cross(basis[0], basis[1]) * w).sum() == 0:
        return rank
    basis[rank] = w
    return rank + 1


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
    parent = np.arange(n_nodes)
    offset = np.zeros((n_nodes, 3), np.int64)
    basis = np.zeros((n_nodes, 3, 3), np.int64)
    rank = np.zeros(n_nodes, np.int64)
    reached = np.full(3, -1)
    for e in range(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        top, other = _root(parent, offset, i), _root(parent, offset, j)
        winding = offset[j] + edges[e, 2:] - offset[i]
        if top == other:
            rank[top] = _add_winding(basis[top], rank[top], winding)
        else:
            parent[other], offset[other] = top, -winding
            for k in range(rank[other]):
                rank[top] = _add_winding(basis[top], rank[top], basis[other, k])
        for dimension in range(rank[top]):
            if reached[dimension] < 0:
                reached[dimension] = e
        if rank[top] == 3:
            break
    return reached


@njit(cache=True)
def component_ranks(n_nodes: int, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Component of each node (index of its root) and the dimension of that component."""
    parent = np.arange(n_nodes)
    offset = np.zeros((n_nodes, 3), np.int64)
    basis = np.zeros((n_nodes, 3, 3), np.int64)
    rank = np.zeros(n_nodes, np.int64)
    for e in range(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        top, other = _root(parent, offset, i), _root(parent, offset, j)
        winding = offset[j] + edges[e, 2:] - offset[i]
        if top == other:
            rank[top] = _add_winding(basis[top], rank[top], winding)
            continue
        parent[other], offset[other] = top, -winding
        for k in range(rank[other]):
            rank[top] = _add_winding(basis[top], rank[top], basis[other, k])
    roots = np.array([_root(parent, offset, node) for node in range(n_nodes)])
    return roots, rank[roots]


@njit(cache=True)
def _has_partner(
    lattice: FloatArray, frac: FloatArray, kinds: IntArray, site: int, shift: FloatArray, tol: float
) -> bool:
    """Whether the shifted site lies on a site of its own kind."""
    for other in range(len(frac)):
        if kinds[other] != kinds[site]:
            continue
        d = frac[site] + shift - frac[other]
        d -= np.rint(d)
        square = 0.0
        for k in range(3):
            x = d[0] * lattice[0, k] + d[1] * lattice[1, k] + d[2] * lattice[2, k]
            square += x * x
        if square <= tol * tol:
            return True
    return False


@njit(cache=True)
def count_pure_translations(
    lattice: FloatArray, frac: FloatArray, kinds: IntArray, tol: float
) -> int:
    """How many primitive cells the cell holds: translations that map every site within tol, Å."""
    counts = np.bincount(kinds)
    rarest = kinds[0]
    for kind in kinds:
        if counts[kind] < counts[rarest]:
            rarest = kind
    members = np.flatnonzero(kinds == rarest)
    translations = 0
    for target in members:
        shift = frac[target] - frac[members[0]]
        matched = True
        for site in range(len(frac)):
            if not _has_partner(lattice, frac, kinds, site, shift, tol):
                matched = False
                break
        if matched:
            translations += 1
    return translations
