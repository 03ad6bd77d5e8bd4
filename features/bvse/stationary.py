"""Minima and passes of the bond-valence landscape, as walks from points of a grid.

Kernels. They validate nothing; :mod:`.network` does.
"""

from __future__ import annotations

import math

import numpy as np
from numba import int64, njit

from ...data.records import FloatArray, IntArray
from .kernels import energy_at

_SKIN_A = 0.5


@njit(cache=True)
def eigen(a: FloatArray, values: FloatArray, v: FloatArray) -> None:
    """Eigenvalues, ascending, and eigenvectors (columns) of a symmetric 3×3 matrix, by Jacobi.

    Into ``values`` (3,) and ``v`` (3, 3); the matrix is overwritten. A library call costs more
    than the arithmetic at this size.
    """
    for p in range(3):
        for q in range(3):
            v[p, q] = 1.0 if p == q else 0.0
    for _ in range(30):
        off = abs(a[0, 1]) + abs(a[0, 2]) + abs(a[1, 2])
        if off <= 1e-14 * (abs(a[0, 0]) + abs(a[1, 1]) + abs(a[2, 2])):
            break
        for p in range(2):
            for q in range(p + 1, 3):
                if a[p, q] == 0.0:
                    continue
                theta = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
                t = (1.0 if theta >= 0 else -1.0) / (abs(theta) + math.sqrt(theta * theta + 1.0))
                c = 1.0 / math.sqrt(t * t + 1.0)
                s = t * c
                for k in range(3):
                    x, y = a[k, p], a[k, q]
                    a[k, p], a[k, q] = c * x - s * y, s * x + c * y
                for k in range(3):
                    x, y = a[p, k], a[q, k]
                    a[p, k], a[q, k] = c * x - s * y, s * x + c * y
                for k in range(3):
                    x, y = v[k, p], v[k, q]
                    v[k, p], v[k, q] = c * x - s * y, s * x + c * y
    for i in range(3):
        values[i] = a[i, i]
    for i in range(2):
        for j in range(2 - i):
            if values[j] > values[j + 1]:
                values[j], values[j + 1] = values[j + 1], values[j]
                for k in range(3):
                    v[k, j], v[k, j + 1] = v[k, j + 1], v[k, j]


@njit(cache=True)
def _in_reach(  # type: ignore[no-untyped-def]
    point, position, kind, weight, reach, near, near_kind, near_weight
):
    """Copy the atoms within ``reach`` (Å) of a point; returns how many there are.

    A walk from there need not look at all others.
    """
    count = 0
    for a in range(len(position)):
        x, y, z = position[a, 0] - point[0], position[a, 1] - point[1], position[a, 2] - point[2]
        if x * x + y * y + z * z < reach * reach:
            for axis in range(3):
                near[count, axis] = position[a, axis]
            near_kind[count], near_weight[count] = kind[a], weight[a]
            count += 1
    return count


def coincident(frac: FloatArray, lattice: FloatArray, nearest: float) -> IntArray:
    """Pairs of points closer than ``nearest`` (Å) and the translation between them, (n, 5)."""
    rows = np.empty((len(frac) * (len(frac) - 1) // 2, 5), dtype=np.int64)
    return rows[: _list_coincident(frac, lattice, nearest, np.empty(3), rows)]


@njit(cache=True)
def _list_coincident(frac, lattice, nearest, s, rows):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(len(frac)):
        for j in range(i + 1, len(frac)):
            square = 0.0
            for m in range(3):
                s[m] = np.rint(frac[i, m] - frac[j, m])
            for k in range(3):
                x = 0.0
                for m in range(3):
                    x += (frac[i, m] - frac[j, m] - s[m]) * lattice[m, k]
                square += x * x
            if square < nearest * nearest:
                rows[count, 0], rows[count, 1] = i, j
                for m in range(3):
                    rows[count, 2 + m] = int(s[m])
                count += 1
    return count


def stationary_points(
    starts: FloatArray,
    order: int,
    position: FloatArray,
    kind: IntArray,
    weight: FloatArray,
    parameters: FloatArray,
    curves: FloatArray,
    cutoff: float,
    farthest: float,
) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Nearest minimum (``order`` 0) or pass (``order`` 1) of each start by eigenvector following.

    Parameters
    ----------
    starts : array (n, 3), Å
    order : int
    position, kind, weight, parameters, curves, cutoff
        See :func:`energy_at`.
    farthest : float
        Å; how far from its start a point may be.

    Returns
    -------
    energy : array (n,), eV
    point : array (n, 3), Å
    found : bool array (n,)
    """
    n = len(starts)
    energy, point, found = np.empty(n), np.empty((n, 3)), np.empty(n, dtype=bool)
    atoms = (position, kind, weight, parameters, curves, cutoff)
    _follow_all(np.ascontiguousarray(starts), order, *atoms, farthest, energy, point, found)
    return energy, point, found


@njit(cache=True)
def _follow_all(  # type: ignore[no-untyped-def]
    starts, order, position, kind, weight, parameters, curves, cutoff, farthest, energy, end, found
):
    for s in range(len(starts)):
        energy[s], found[s] = _follow(
            starts[s], order, position, kind, weight, parameters, curves, cutoff, farthest, end[s]
        )


@njit(cache=True)
def _follow(  # type: ignore[no-untyped-def]
    start, order, position, kind, weight, parameters, curves, cutoff, farthest, end
):
    """Go to the nearest minimum (``order`` 0) or pass (``order`` 1), into ``end``.

    Returns its energy and whether it was found within ``farthest`` (Å) of the start.
    """
    point, center, step, values = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    gradient, hessian, modes = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    n = len(position)
    near, near_kind, near_weight = np.empty((n, 3)), np.empty(n, np.int64), np.empty(n)
    terms, kind_of = np.empty((7, n + 1)), np.empty(n + 1, np.int64)
    for x in range(3):
        point[x] = center[x] = start[x]
    reach = cutoff + _SKIN_A
    n_near = _in_reach(center, position, kind, weight, reach, near, near_kind, near_weight)
    energy, found = 0.0, False
    for _ in range(40):
        if distance2(point, center) > _SKIN_A * _SKIN_A:
            for x in range(3):
                center[x] = point[x]
            n_near = _in_reach(center, position, kind, weight, reach, near, near_kind, near_weight)
        energy = energy_at(
            point,
            n_near,
            near,
            near_kind,
            near_weight,
            parameters,
            curves,
            cutoff,
            terms,
            kind_of,
            gradient,
            hessian,
        )
        eigen(hessian, values, modes)
        if max(abs(gradient[0]), abs(gradient[1]), abs(gradient[2])) < 1e-4:
            negative = 0
            for m in range(3):
                negative += values[m] < 0.0
            found = negative == order
            break
        for x in range(3):
            step[x] = 0.0
        for m in range(3):
            # Uphill along the lowest modes of a pass, downhill along all others.
            force = (
                modes[0, m] * gradient[0] + modes[1, m] * gradient[1] + modes[2, m] * gradient[2]
            )
            length = (1.0 if m < order else -1.0) * force / max(abs(values[m]), 0.05)
            for x in range(3):
                step[x] += length * modes[x, m]
        length = math.sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2])
        shorter = 0.15 / length if length > 0.15 else 1.0
        for x in range(3):
            point[x] += shorter * step[x]
        if distance2(point, start) > farthest * farthest:
            break
    for x in range(3):
        end[x] = point[x]
    return energy, found


@njit(cache=True)
def distance2(a, b):  # type: ignore[no-untyped-def]
    """Square of the distance between two points."""
    x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return x * x + y * y + z * z


def ways_down(
    tops: FloatArray,
    position: FloatArray,
    kind: IntArray,
    weight: FloatArray,
    parameters: FloatArray,
    curves: FloatArray,
    cutoff: float,
) -> FloatArray:
    """Where the two ways down from passes (n, 3) end: the minimum on either side, (n, 2, 3), Å."""
    ends = np.empty((len(tops), 2, 3))
    _go_down(tops, position, kind, weight, parameters, curves, cutoff, ends)
    return ends


@njit(cache=True)
def _go_down(  # type: ignore[no-untyped-def]
    tops, position, kind, weight, parameters, curves, cutoff, ends
):
    gradient, hessian, modes = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    values, here = np.empty(3), np.empty(3)
    n = len(position)
    near, near_kind, near_weight = np.empty((n, 3)), np.empty(n, np.int64), np.empty(n)
    terms, kind_of = np.empty((7, n + 1)), np.empty(n + 1, np.int64)
    # Typed numbers: a constant would compile what it is given to once more.
    order = int64(0)
    for t in range(len(tops)):
        # 0.9 Å down by steps, then at most 2 Å by eigenvector following.
        n_near = _in_reach(
            tops[t], position, kind, weight, cutoff + 0.9, near, near_kind, near_weight
        )
        for side in range(2):
            for x in range(3):
                here[x] = tops[t, x]
            for down in range(9):
                energy_at(
                    here,
                    n_near,
                    near,
                    near_kind,
                    near_weight,
                    parameters,
                    curves,
                    cutoff,
                    terms,
                    kind_of,
                    gradient,
                    hessian,
                )
                if down == 0:
                    eigen(hessian, values, modes)
                    for x in range(3):
                        here[x] += (0.1 if side == 0 else -0.1) * modes[x, 0]
                    continue
                steepness = math.sqrt(gradient[0] ** 2 + gradient[1] ** 2 + gradient[2] ** 2)
                if steepness < 0.05:
                    break
                for x in range(3):
                    here[x] -= gradient[x] * (0.1 / steepness)
            end = ends[t, side]
            _, found = _follow(
                here, order, position, kind, weight, parameters, curves, cutoff, 2.0, end
            )
            if not found:
                for x in range(3):
                    end[x] = here[x]


@njit(cache=True)
def undecided(
    levels: FloatArray,
    is_used: np.ndarray,
    level: FloatArray,
    grid_level: FloatArray,
    is_refined: np.ndarray,
    point: FloatArray,
    grid_error: float,
) -> tuple[IntArray, IntArray]:
    """Passes to look at before the percolation levels are true.

    Parameters
    ----------
    levels : array (3,), eV
        At which the landscape percolates; infinite ones decide nothing.
    is_used : bool array (n,)
        Passes that join pieces or give one a new direction.
    level, grid_level : arrays (n,), eV
        Of each pass, as it is known now and as it was read off the grid.
    is_refined : bool array (n,)
    point : array (n, 3), Å
        Where refinement found the pass; NaN where it did not.
    grid_error : float
        eV; how far a pass read off the grid may lie above the true one.

    Returns
    -------
    pending : array of int
        Not refined yet and in use, or a little above a deciding level.
    doubtful : array of int
        Open at a deciding level only because refinement lowered them: it may have slid to a lower
        pass between other basins.
    """
    pending, doubtful = np.empty(len(level), np.int64), np.empty(len(level), np.int64)
    n_pending = n_doubtful = 0
    highest = -np.inf
    for d in range(len(levels)):
        if levels[d] < np.inf:
            highest = max(highest, levels[d])
    for e in range(len(level)):
        may_open = is_used[e] and level[e] <= highest
        lowered = False
        for d in range(len(levels)):
            if levels[d] < np.inf:
                may_open = may_open or 0.0 < level[e] - levels[d] <= grid_error
                limit = levels[d] + 1e-9
                lowered = lowered or level[e] <= limit < grid_level[e]
        if may_open and not is_refined[e]:
            pending[n_pending] = e
            n_pending += 1
        if lowered and is_used[e] and np.isfinite(point[e, 0]):
            doubtful[n_doubtful] = e
            n_doubtful += 1
    return pending[:n_pending], doubtful[:n_doubtful]
