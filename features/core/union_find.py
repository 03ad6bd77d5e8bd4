"""Union-find over a periodic network: pieces, and the directions in which each is endless.

Each node knows the lattice translation from the root of its piece. An edge between two nodes of
one piece closes a cycle; where its translation (the winding) is not zero, the piece connects to its
own image in that direction. The number of independent windings is the dimension of the piece. It
depends on the network alone, not on the cell.

Kernels; they validate nothing. ``parent`` (n,), ``offset`` (n, 3), ``windings`` (n, 9), as many
threes of them as ``rank`` (n,) says, are the state, made by :func:`forest`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...data.records import IntArray


@njit(cache=True)
def forest(n: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """State of ``n`` nodes without edges: parent, offset, windings, rank."""
    parent, rank = np.empty(n, np.int64), np.empty(n, np.int64)
    offset, windings = np.empty((n, 3), np.int64), np.empty((n, 9), np.int64)
    for node in range(n):
        parent[node], rank[node] = node, 0
        for x in range(3):
            offset[node, x] = 0
    return parent, offset, windings, rank


@njit(cache=True)
def find(parent: IntArray, offset: IntArray, node: int) -> int:
    """Root of ``node``; afterwards ``offset[node]`` is its translation from the root."""
    root = node
    x, y, z = 0, 0, 0
    while parent[root] != root:
        x += offset[root, 0]
        y += offset[root, 1]
        z += offset[root, 2]
        root = parent[root]
    # Second pass: let everything on the path point to the root.
    while parent[node] != root and node != root:
        dx, dy, dz = offset[node, 0], offset[node, 1], offset[node, 2]
        offset[node, 0], offset[node, 1], offset[node, 2] = x, y, z
        above = parent[node]
        parent[node] = root
        node = above
        x, y, z = x - dx, y - dy, z - dz
    return root


@njit(cache=True)
def add_winding(windings: IntArray, rank: IntArray, root: int, x: int, y: int, z: int) -> None:
    """Note a winding of a piece if it is independent of those known."""
    known = rank[root]
    if known >= 3 or (x == 0 and y == 0 and z == 0):
        return
    w = windings[root]
    if known > 0:
        # Cross product with the first; its product with the second is the volume of all three.
        cx = w[1] * z - w[2] * y
        cy = w[2] * x - w[0] * z
        cz = w[0] * y - w[1] * x
        if known == 1 and cx == 0 and cy == 0 and cz == 0:
            return
        if known == 2 and w[3] * cx + w[4] * cy + w[5] * cz == 0:
            return
    w[3 * known], w[3 * known + 1], w[3 * known + 2] = x, y, z
    rank[root] = known + 1


@njit(cache=True)
def join(
    parent: IntArray,
    offset: IntArray,
    windings: IntArray,
    rank: IntArray,
    a: int,
    b: int,
    sx: int,
    sy: int,
    sz: int,
) -> tuple[int, int]:
    """Add the edge from ``a`` to the image of ``b`` at (sx, sy, sz).

    Returns
    -------
    root, absorbed : int
        Root of the piece, and the root that no longer is one, −1 if both ends were one piece.
    """
    root, other = find(parent, offset, a), find(parent, offset, b)
    # Translation of b's root from a's root that this edge implies.
    x = offset[a, 0] + sx - offset[b, 0]
    y = offset[a, 1] + sy - offset[b, 1]
    z = offset[a, 2] + sz - offset[b, 2]
    if root == other:
        add_winding(windings, rank, root, x, y, z)
        return root, -1
    parent[other] = root
    offset[other, 0], offset[other, 1], offset[other, 2] = x, y, z
    for k in range(rank[other]):
        w = windings[other]
        add_winding(windings, rank, root, w[3 * k], w[3 * k + 1], w[3 * k + 2])
    return root, other
