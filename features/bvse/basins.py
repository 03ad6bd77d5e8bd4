"""Basins of a periodic energy grid, and the lowest passes between them.

They validate nothing. Grids have shape (n0, n1, n2), last axis fastest, and are flat
here: point (i, j, k) is (i · n1 + j) · n2 + k. Each point touches its 26 neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray

_ROOM = 1024
"""Translations below half of this along an axis fit into a label."""
_LATELY = 64


def descend(energy: FloatArray, shape: IntArray) -> tuple[IntArray, IntArray]:
    """Basin of every grid point: each follows its lowest neighbour down.

    Parameters
    ----------
    energy : array (n_points,), eV
    shape : array (3,)

    Returns
    -------
    basin : array (n_points,)
        Index of the minimum; its own for a minimum.
    offset : array (n_points, 3)
        Lattice translation of the minimum as seen from the point.
    """
    n = len(energy)
    parent, across = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    _lowest_neighbours(energy, shape, parent, across)
    offset = np.zeros((n, 3), dtype=np.int64)
    _follow(parent, shape, offset, across)
    return parent, offset


@njit(cache=True)
def _lowest_neighbours(
    energy: FloatArray, shape: IntArray, lowest: IntArray, across: IntArray
) -> None:
    """Index of the lowest neighbour of each point, its own where none is lower, into ``lowest``.

    The lowest of three along the last axis, then of three such along the second, then the first:
    six comparisons a point instead of 26. The first in order wins a tie, but the point itself
    before all. ``across`` (n_points,) is working space.
    """
    n0, n1, n2 = shape[0], shape[1], shape[2]
    along = lowest
    for row in range(0, n0 * n1 * n2, n2):
        for k in range(n2):
            q = row + (k - 1 if k > 0 else n2 - 1)
            q = row + k if energy[row + k] < energy[q] else q
            r = row + (k + 1 if k < n2 - 1 else 0)
            along[row + k] = r if energy[r] < energy[q] else q
    for i in range(n0):
        for j in range(n1):
            here = (i * n1 + j) * n2
            below = (i * n1 + (j - 1 if j > 0 else n1 - 1)) * n2
            above = (i * n1 + (j + 1 if j < n1 - 1 else 0)) * n2
            for k in range(n2):
                q = along[below + k]
                q = along[here + k] if energy[along[here + k]] < energy[q] else q
                r = along[above + k]
                across[here + k] = r if energy[r] < energy[q] else q
    for i in range(n0):
        here = i * n1 * n2
        below = (i - 1 if i > 0 else n0 - 1) * n1 * n2
        above = (i + 1 if i < n0 - 1 else 0) * n1 * n2
        for m in range(n1 * n2):
            p = here + m
            q = across[below + m]
            q = across[p] if energy[across[p]] < energy[q] else q
            r = across[above + m]
            q = r if energy[r] < energy[q] else q
            lowest[p] = q if energy[q] < energy[p] else p


@njit(cache=True)
def _follow(parent: IntArray, shape: IntArray, offset: IntArray, path: IntArray) -> None:
    """Let every point know the end of its way, in place, and the translation to there.

    Into ``offset`` (n_points, 3), of zeros; ``path`` (n_points,) is working space.
    """
    n0, n1, n2 = shape[0], shape[1], shape[2]
    for i in range(n0):
        for j in range(n1):
            # Only points on a face of the cell have neighbours in other cells.
            inside = 0 < i < n0 - 1 and 0 < j < n1 - 1
            for k in range(0, n2, max(n2 - 1, 1) if inside else 1):
                p = (i * n1 + j) * n2 + k
                q = parent[p]
                offset[p, 0] = _wrapped(q // (n1 * n2) - i)
                offset[p, 1] = _wrapped(q // n2 % n1 - j)
                offset[p, 2] = _wrapped(q % n2 - k)
    for p in range(len(parent)):
        length, q = 0, p
        while parent[parent[q]] != parent[q]:
            path[length] = q
            length += 1
            q = parent[q]
        # Unwind: everything on the path already has its parent resolved one step below.
        for m in range(length - 1, -1, -1):
            q = path[m]
            above = parent[q]
            for x in range(3):
                offset[q, x] += offset[above, x]
            parent[q] = parent[above]


@njit(cache=True)
def _wrapped(step: int) -> int:
    """Translation in a step between neighbours that looks longer than one."""
    return -1 if step > 1 else (1 if step < -1 else 0)


def passes(
    energy: FloatArray,
    shape: IntArray,
    basin: IntArray,
    offset: IntArray,
    node_of: IntArray,
    n_nodes: int,
    highest: float,
) -> tuple[IntArray, FloatArray]:
    """Lowest pass between each two neighbouring basins (and images), below ``highest``.

    Parameters
    ----------
    energy : array (n_points,), eV
    shape : array (3,)
    basin, offset
        From :func:`descend`.
    node_of : array (n_points,)
        Number of each minimum; −1 for other points.
    n_nodes : int
    highest : float
        eV; points above it are not looked at.

    Returns
    -------
    edges : array (n_passes, 8)
        First and second node, translation of the second (3), the grid points on both sides of the
        pass, the higher one first, and a number that is of no use outside.
    level : array (n_passes,), eV
        Energy of the higher point.
    """
    label = np.empty(len(basin), dtype=np.int64)
    _write_labels(basin, offset, label)
    head = np.full(n_nodes, -1, dtype=np.int64)
    around, edge = np.empty((13, 5), dtype=np.int64), np.empty(5, dtype=np.int64)
    # Edge between two labels met lately: the same pass is met at many pairs of points.
    known = np.full((_LATELY, 3), -1, dtype=np.int64)
    # The last column chains the edges of one first node. A row of points adds so many at most.
    most = 13 * int(shape[2])
    edges, level = np.empty((1024 + most, 8), dtype=np.int64), np.empty(1024 + most)
    row = count = 0
    while True:
        row, count = _passes_of_rows(
            *(energy, shape, basin, offset, node_of, highest, label),
            *(head, around, edge, known),
            *(row, count, edges, level),
        )
        if row == shape[0] * shape[1]:
            return edges[:count], level[:count]
        edges = np.concatenate([edges, np.empty_like(edges)])
        level = np.concatenate([level, np.empty_like(level)])


@njit(cache=True)
def _passes_of_rows(
    energy: FloatArray,
    shape: IntArray,
    basin: IntArray,
    offset: IntArray,
    node_of: IntArray,
    highest: float,
    label: IntArray,
    head: IntArray,
    around: IntArray,
    edge: IntArray,
    known: IntArray,
    row: int,
    count: int,
    edges: IntArray,
    level: FloatArray,
) -> tuple[int, int]:
    """Add passes, row after row of points along the last axis, while there is room for a row more.

    Returns the row to go on with, and how many passes there are.
    """
    n1, n2 = shape[1], shape[2]
    while row < shape[0] * n1 and count + 13 * n2 <= len(level):
        for k in range(n2):
            p = row * n2 + k
            if energy[p] > highest:
                continue
            for m in range(_leaving(row // n1, row % n1, k, shape, label, energy, highest, around)):
                q, there = around[m, 0], around[m, 4]
                lately = known[(label[p] + 7 * there) % _LATELY]
                if lately[0] == label[p] and lately[1] == there:
                    e = lately[2]
                else:
                    _join(node_of, basin, offset, p, around[m], edge)
                    e = _known(edges, head, edge)
                    if e < 0:
                        e = count
                        count += 1
                        for x in range(5):
                            edges[e, x] = edge[x]
                        edges[e, 7] = head[edge[0]]
                        head[edge[0]] = e
                        level[e] = np.inf
                    lately[0], lately[1], lately[2] = label[p], there, e
                height = max(energy[p], energy[q])
                if height < level[e]:
                    level[e] = height
                    edges[e, 5] = p if energy[p] >= energy[q] else q
                    edges[e, 6] = q if energy[p] >= energy[q] else p
        row += 1
    return row, count


@njit(cache=True)
def _write_labels(basin: IntArray, offset: IntArray, label: IntArray) -> None:
    """One number for basin and translation of each point, into ``label`` (n_points,)."""
    for p in range(len(basin)):
        label[p] = _label(basin[p], offset[p, 0], offset[p, 1], offset[p, 2])


@njit(cache=True)
def _label(basin: int, x: int, y: int, z: int) -> int:
    """Basin and translation in one number; the sum of two labels is that of the translations."""
    return ((basin * _ROOM + x) * _ROOM + y) * _ROOM + z


@njit(cache=True)
def _leaving(
    i: int,
    j: int,
    k: int,
    shape: IntArray,
    label: IntArray,
    energy: FloatArray,
    highest: float,
    around: IntArray,
) -> int:
    """List the neighbours of a point that belong to other basins, in one of each two directions.

    Most points are inside their basin and have none. Into the rows of ``around`` (13, 5): flat
    index, translation of the cell (3), and label as seen from here. Returns how many.
    """
    n0, n1, n2 = shape[0], shape[1], shape[2]
    p = (i * n1 + j) * n2 + k
    here = label[p]
    count = 0
    if i < n0 - 1 and 0 < j < n1 - 1 and 0 < k < n2 - 1:
        for step in range(14, 27):
            q = p + ((step // 9 - 1) * n1 + step // 3 % 3 - 1) * n2 + step % 3 - 1
            if label[q] != here and energy[q] <= highest:
                around[count, 0], around[count, 4] = q, label[q]
                around[count, 1], around[count, 2], around[count, 3] = 0, 0, 0
                count += 1
        return count
    for step in range(14, 27):
        a, b, c = i + step // 9 - 1, j + step // 3 % 3 - 1, k + step % 3 - 1
        si, sj, sk = int(a >= n0), int(b >= n1) - int(b < 0), int(c >= n2) - int(c < 0)
        q = ((a - si * n0) * n1 + b - sj * n1) * n2 + c - sk * n2
        there = label[q] + (si * _ROOM + sj) * _ROOM + sk
        if there != here and energy[q] <= highest:
            around[count, 0], around[count, 4] = q, there
            around[count, 1], around[count, 2], around[count, 3] = si, sj, sk
            count += 1
    return count


@njit(cache=True)
def _join(
    node_of: IntArray,
    basin: IntArray,
    offset: IntArray,
    p: int,
    neighbour: IntArray,
    edge: IntArray,
) -> None:
    """Nodes of a point and a neighbour, and the translation of the second as seen from the first.

    Into ``edge`` (5,). Of the two directions always the same one, so that a pass and its reverse
    meet.
    """
    q = neighbour[0]
    u, v = node_of[basin[p]], node_of[basin[q]]
    x = neighbour[1] + offset[q, 0] - offset[p, 0]
    y = neighbour[2] + offset[q, 1] - offset[p, 1]
    z = neighbour[3] + offset[q, 2] - offset[p, 2]
    if v < u or (u == v and (x < 0 or (x == 0 and (y < 0 or (y == 0 and z < 0))))):
        u, v = v, u
        x, y, z = -x, -y, -z
    edge[0], edge[1] = u, v
    edge[2], edge[3], edge[4] = x, y, z


@njit(cache=True)
def _known(edges: IntArray, head: IntArray, edge: IntArray) -> int:
    """Index of the edge that joins these nodes with this translation; −1 if there is none."""
    e = head[edge[0]]
    while e >= 0:
        same = True
        for x in range(1, 5):
            same = same and edges[e, x] == edge[x]
        if same:
            break
        e = edges[e, 7]
    return e
