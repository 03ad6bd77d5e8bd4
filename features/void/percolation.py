"""Percolation of periodic networks: does a piece connect to its own image, and in how many ways?

Each node knows the lattice translation to its root in a union-find forest. An edge that closes a
cycle with a non-zero translation gives the piece a direction in which it is endless; the rank of
those translations is its dimension. The result depends on the network alone, not on the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import int64, njit

from ...data.records import FloatArray, IntArray
from ..core.union_find import find, forest, join


@dataclass(frozen=True, eq=False)
class PercolationLevels:
    """Levels at which some piece of the network becomes endless.

    Attributes
    ----------
    levels : array (3,)
        In at least one, two and three dimensions; infinite where it never does.
    critical : array (3,)
        Index of the edge that decides each level; −1 where none does.
    lifetime : array (n_nodes,)
        How far above its own level each node's piece lives before it merges with a deeper piece or
        becomes endless; infinite where it does neither.
    is_used : bool array (n_edges,)
        Edges that joined two pieces or gave one a new endless direction; without the others nothing
        would change.
    """

    levels: FloatArray
    critical: IntArray
    lifetime: FloatArray
    is_used: np.ndarray


def percolation_levels(
    node_level: FloatArray,
    first: IntArray,
    second: IntArray,
    shift: IntArray,
    edge_level: FloatArray,
) -> PercolationLevels:
    """Raise the level, joining nodes by edges, and note when pieces become endless.

    Parameters
    ----------
    node_level : array (n_nodes,)
        Level of each node (for a landscape: energy of the minimum).
    first, second : array (n_edges,)
        Nodes that each edge joins.
    shift : array (n_edges, 3)
        Lattice translation of the second node as seen from the first.
    edge_level : array (n_edges,)
        Level of each edge (energy of the pass); infinite ones are never reached.
    """
    order = np.argsort(edge_level, kind="stable")
    order = order[np.isfinite(edge_level[order])]
    is_used = np.zeros(len(edge_level), dtype=np.bool_)
    arguments = (node_level, first, second, shift, edge_level, order, is_used)
    levels, critical, lifetime = _raise_level(*arguments)
    return PercolationLevels(levels, critical, lifetime, is_used)


@njit(cache=True)
def _raise_level(node_level, first, second, shift, edge_level, order, is_used):  # type: ignore[no-untyped-def]
    n = len(node_level)
    deepest, lifetime = np.empty(n, np.int64), np.empty(n)
    levels, critical = np.empty(3), np.empty(3, np.int64)
    for node in range(n):
        deepest[node], lifetime[node] = node, np.inf
    for dimension in range(3):
        levels[dimension], critical[dimension] = np.inf, -1
    parent, offset, directions, rank = forest(n)
    reached = 0
    for e in range(len(order)):
        edge = order[e]
        level = edge_level[edge]
        before = rank[find(parent, offset, first[edge])]
        root, absorbed = join(
            parent,
            offset,
            directions,
            rank,
            first[edge],
            second[edge],
            shift[edge, 0],
            shift[edge, 1],
            shift[edge, 2],
        )
        if absorbed >= 0:
            shallow, deep = deepest[absorbed], deepest[root]
            if node_level[shallow] < node_level[deep]:
                shallow, deep = deep, shallow
            lifetime[shallow] = min(lifetime[shallow], level - node_level[shallow])
            deepest[root] = deep
        is_used[edge] = absorbed >= 0 or rank[root] > before
        if rank[root] > 0:
            deep = deepest[root]
            lifetime[deep] = min(lifetime[deep], level - node_level[deep])
        while reached < rank[root]:
            levels[reached] = level
            critical[reached] = edge
            reached += 1
    return levels, critical, lifetime


def region_dimension(inside: np.ndarray, shape: IntArray) -> int:
    """Highest dimension in which a piece of a periodic grid region is endless (0 to 3).

    Parameters
    ----------
    inside : bool array (n0 · n1 · n2,)
        Grid points of the region, last axis fastest.
    shape : array (3,)
        Points along each axis; each point touches its 26 neighbours.
    """
    return int(_region_dimension(inside, shape, np.empty(len(inside), dtype=np.int64)))


@njit(cache=True)
def _region_dimension(inside, shape, node):  # type: ignore[no-untyped-def]
    # Nodes are the points of the region alone.
    n = int64(0)
    for p in range(len(inside)):
        node[p] = n
        n += inside[p]
    parent, offset, directions, rank = forest(n)
    n0, n1, n2 = shape[0], shape[1], shape[2]
    dimension = 0
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                p = (i * n1 + j) * n2 + k
                if not inside[p]:
                    continue
                for step in range(14, 27):
                    di, dj, dk = step // 9 - 1, (step // 3) % 3 - 1, step % 3 - 1
                    a, b, c = i + di, j + dj, k + dk
                    si = 1 if a >= n0 else (-1 if a < 0 else 0)
                    sj = 1 if b >= n1 else (-1 if b < 0 else 0)
                    sk = 1 if c >= n2 else (-1 if c < 0 else 0)
                    q = ((a - si * n0) * n1 + b - sj * n1) * n2 + c - sk * n2
                    if inside[q]:
                        a, b = node[p], node[q]
                        root, _ = join(parent, offset, directions, rank, a, b, si, sj, sk)
                        dimension = max(dimension, rank[root])
        if dimension == 3:
            break
    return dimension
