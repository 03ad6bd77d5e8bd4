"""Compiled kernels of the bond-valence energy landscape. They validate nothing; :mod:`.bvse` does.

Kinds of host atoms carry six numbers: Morse depth D0/2 (eV), r_min (Å), α (1/Å), Coulomb strength
(eV·Å), screening length (Å), and unused padding; the one of the two that does not act is zero.
"""

from __future__ import annotations

import math

import numpy as np
from numba import int64, njit
from numpy.typing import NDArray

from ...data.records import FloatArray, IntArray
from ..void.blocks import block_center, block_radius, grid_step, points_of_block
from ..void.grid import BLOCK

_TWO_OVER_ROOT_PI = 1.1283791670955126
STEEP_A = 1.3
"""Below this distance pair energies are too steep for polynomial pieces and rarely wanted."""
NOT_STEEP_A2 = (STEEP_A + 0.1) ** 2
_SKIN_A = 0.5


@njit(cache=True)
def pair_energy(parameters, r):  # type: ignore[no-untyped-def]
    """Energy (eV) of a mobile ion at distance r (Å) from one host atom, and two derivatives."""
    half_depth, r_min, alpha, strength, screening = parameters
    energy = first = second = 0.0
    if half_depth != 0.0:
        e = math.exp(alpha * (r_min - r))
        energy += half_depth * (e * e - 2.0 * e)
        first += -2.0 * half_depth * alpha * (e * e - e)
        second += 2.0 * half_depth * alpha * alpha * (2.0 * e * e - e)
    if strength != 0.0:
        u = r / screening
        tail = math.erfc(u)
        gauss = _TWO_OVER_ROOT_PI * math.exp(-u * u) / screening
        energy += strength * tail / r
        first += -strength * (tail / (r * r) + gauss / r)
        second += strength * (
            2.0 * tail / (r * r * r) + 2.0 * gauss / (r * r) + 2.0 * gauss / (screening * screening)
        )
    return energy, first, second


@njit(cache=True)
def tabulated(parameters, cutoff, farthest, bins, shortest):  # type: ignore[no-untyped-def]
    """Pair energies on an even grid of r², ``bins`` to the cutoff, zero from there to ``farthest``.

    Below ``shortest`` (Å) they are constant. Shape (n_kinds, …).
    """
    width = cutoff * cutoff / bins
    table = np.zeros((len(parameters), int(farthest * farthest / width) + 3), dtype=np.float32)
    for kind in range(len(parameters)):
        for b in range(bins):
            r = max(math.sqrt(b * width), shortest)
            energy, _, _ = pair_energy(parameters[kind], r)
            table[kind, b] = energy
    return table


@njit(cache=True)
def energy_grid(
    lattice: FloatArray,
    shape: IntArray,
    wanted: np.ndarray,
    position: FloatArray,
    kind: IntArray,
    weight: FloatArray,
    table: NDArray[np.float32],
    cutoff: float,
    bins: int,
) -> FloatArray:
    """Energy at the wanted points of a grid over the cell.

    Parameters
    ----------
    lattice : array (3, 3), Å
    shape : array (3,)
    wanted : bool array (n_points,)
        Last axis fastest.
    position : array (n_atoms, 3), Å
        All periodic copies in reach of the cell, as seen from the first grid point.
    kind : array (n_atoms,)
    weight : array (n_atoms,)
        Occupancies.
    table : array (n_kinds, n_bins)
        Pair energies, see :func:`tabulated`.
    cutoff : float
        Å.
    bins : int
        Rows of the table up to the cutoff.

    Returns
    -------
    array (n_points,)
        eV; zero where not wanted.
    """
    out = np.zeros(len(wanted))
    step = grid_step(lattice, shape)
    reach = cutoff + block_radius(step)
    index, point = np.empty(BLOCK**3, dtype=np.int64), np.empty((BLOCK**3, 3))
    near, near_weight = np.empty((3, len(position))), np.empty(len(position))
    row = np.empty(len(position), dtype=np.int64)
    column, place = np.empty(len(position), dtype=np.int64), np.empty(len(position))
    flat, scale = table.ravel(), bins / (cutoff * cutoff)
    for i in range(0, shape[0], BLOCK):
        for j in range(0, shape[1], BLOCK):
            for k in range(0, shape[2], BLOCK):
                corner = (i, j, k)
                n_points = points_of_block(corner, shape, step, wanted, index, point)
                if n_points == 0:
                    continue
                center = block_center(corner, step)
                n_near = _gather(
                    center, reach, position, kind, weight, table.shape[1], near, near_weight, row
                )
                for p in range(n_points):
                    out[index[p]] = _interpolated(
                        point[p], n_near, near, near_weight, row, flat, scale, column, place
                    )
    return out


@njit(cache=True)
def _gather(
    center: tuple[float, float, float],
    reach: float,
    position: FloatArray,
    kind: IntArray,
    weight: FloatArray,
    columns: int,
    near: FloatArray,
    near_weight: FloatArray,
    row: IntArray,
) -> int:
    """Copy the atoms in reach of a point, so that the inner loops read them in a row.

    Into ``near`` (3, n), ``near_weight`` (n,) and ``row`` (n,), where the energies of the atom's
    kind begin in the flat table. Returns their number.
    """
    count = 0
    for a in range(len(position)):
        x, y, z = position[a, 0] - center[0], position[a, 1] - center[1], position[a, 2] - center[2]
        if x * x + y * y + z * z < reach * reach:
            for axis in range(3):
                near[axis, count] = position[a, axis]
            near_weight[count] = weight[a]
            row[count] = kind[a] * columns
            count += 1
    return count


@njit(cache=True)
def _interpolated(
    point: FloatArray,
    n_near: int,
    near: FloatArray,
    near_weight: FloatArray,
    row: IntArray,
    flat: NDArray[np.float32],
    scale: float,
    column: IntArray,
    place: FloatArray,
) -> float:
    """Energy (eV) at a point from the tabulated pair energies of the atoms gathered.

    ``column`` and ``place`` (n,) are working space. Two loops: the first one is plain arithmetic
    on rows of numbers, which compilers turn into wide instructions; the second one looks up.
    """
    px, py, pz = point[0], point[1], point[2]
    for m in range(n_near):
        x, y, z = near[0, m] - px, near[1, m] - py, near[2, m] - pz
        u = (x * x + y * y + z * z) * scale
        whole = np.int64(u)
        place[m] = u - whole
        column[m] = row[m] + whole
    energy = 0.0
    for m in range(n_near):
        # Unsigned, so that no index is taken to count from the end.
        c = np.uint64(column[m])
        low, high = flat[c], flat[c + np.uint64(1)]
        energy += near_weight[m] * (low + place[m] * (high - low))
    return energy


@njit(cache=True)
def pair_curves(parameters, cutoff, bins):  # type: ignore[no-untyped-def]
    """Pair energies as polynomials of r² on ``bins`` even pieces up to the cutoff.

    Quintic, with the exact value and two derivatives at both ends of each piece: above
    ``STEEP_A`` as good as exact (1e-10) and free of exponentials. Shape (n_kinds, bins, 6).
    """
    width = cutoff * cutoff / bins
    curves = np.zeros((len(parameters), bins, 6))
    first_bin = int(STEEP_A * STEEP_A / width)
    for kind in range(len(parameters)):
        g0 = g1 = g2 = 0.0
        for b in range(first_bin, bins + 1):
            r = math.sqrt(b * width)
            h0, first, second = pair_energy(parameters[kind], r)
            # Derivatives by r² in units of the piece, from those by r.
            h1 = 0.5 * first / r * width
            h2 = 0.25 * (second - first / r) / (r * r) * width * width
            if b > first_bin:
                c = curves[kind, b - 1]
                rise, run, bend = h0 - g0 - g1 - 0.5 * g2, h1 - g1 - g2, h2 - g2
                c[0], c[1], c[2] = g0, g1, 0.5 * g2
                c[3] = 10.0 * rise - 4.0 * run + 0.5 * bend
                c[4] = -15.0 * rise + 7.0 * run - bend
                c[5] = 6.0 * rise - 3.0 * run + 0.5 * bend
            g0, g1, g2 = h0, h1, h2
    return curves


@njit(cache=True)
def workspace(n_atoms: int) -> tuple[FloatArray, IntArray]:
    """Room for the terms of so many atoms, for :func:`energy_at`."""
    return np.empty((7, n_atoms)), np.empty(n_atoms, dtype=np.int64)


# Sums may be taken in any order, so that compilers can use wide instructions.
@njit(cache=True, fastmath={"reassoc", "contract"})
def energy_at(  # type: ignore[no-untyped-def]
    point, atoms, parameters, curves, cutoff, room, gradient, hessian
):
    """Energy (eV) at one point, with gradient (eV/Å) and Hessian (eV/Å²).

    Parameters
    ----------
    point : array (3,), Å
    atoms : tuple
        Positions (n, 3), Å, kinds (n,) and weights (n,).
    parameters, curves, cutoff
        See :func:`pair_energy` and :func:`pair_curves`; cutoff in Å.
    room : tuple
        From :func:`workspace`, for at least n atoms.
    gradient : array (3,), out
    hessian : array (3, 3), out

    Returns
    -------
    float
    """
    position, kind, weight = atoms
    terms, kind_of = room
    n = _terms(point, position, kind, weight, parameters, curves, cutoff, terms, kind_of)
    energy = gx = gy = gz = radial = 0.0
    xx = yy = zz = xy = xz = yz = 0.0
    for a in range(n):
        x, y, z, slope, bend = terms[0, a], terms[1, a], terms[2, a], terms[5, a], terms[6, a]
        energy += terms[4, a]
        radial += slope
        gx += slope * x
        gy += slope * y
        gz += slope * z
        xx += bend * x * x
        yy += bend * y * y
        zz += bend * z * z
        xy += bend * x * y
        xz += bend * x * z
        yz += bend * y * z
    hessian[0, 0], hessian[1, 1], hessian[2, 2] = xx + radial, yy + radial, zz + radial
    hessian[0, 1] = hessian[1, 0] = xy
    hessian[0, 2] = hessian[2, 0] = xz
    hessian[1, 2] = hessian[2, 1] = yz
    gradient[0], gradient[1], gradient[2] = gx, gy, gz
    return energy


@njit(cache=True, fastmath={"reassoc", "contract"})
def _terms(  # type: ignore[no-untyped-def]
    point, position, kind, weight, parameters, curves, cutoff, terms, kind_of
):
    """What each atom within the cutoff adds; returns the number of these atoms.

    Into the rows of ``terms`` (7, n): x, y, z (Å, from the atom to the point), r² (Å²), energy,
    and twice its first and four times its second derivative by r². Into ``kind_of`` (n,): kinds.
    """
    px, py, pz = point[0], point[1], point[2]
    limit2 = cutoff * cutoff
    n = 0
    for a in range(len(position)):
        x, y, z = px - position[a, 0], py - position[a, 1], pz - position[a, 2]
        r2 = x * x + y * y + z * z
        # Written in any case, counted where it is in reach: cheaper than a jump.
        terms[0, n], terms[1, n], terms[2, n], terms[3, n] = x, y, z, r2
        terms[4, n], kind_of[n] = weight[a], kind[a]
        n += int(1e-12 <= r2 < limit2)
    scale = curves.shape[1] / limit2
    for a in range(n):
        r2, w = terms[3, a], terms[4, a]
        # Value, slope and curvature as a function of r².
        if r2 > NOT_STEEP_A2:
            u = r2 * scale
            b = int(u)
            t = u - b
            c = curves[kind_of[a], b]
            e = c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5]))))
            slope = c[1] + t * (2.0 * c[2] + t * (3.0 * c[3] + t * (4.0 * c[4] + t * 5.0 * c[5])))
            bend = 2.0 * c[2] + t * (6.0 * c[3] + t * (12.0 * c[4] + t * 20.0 * c[5]))
            slope *= scale
            bend *= scale * scale
        else:
            r = math.sqrt(r2)
            e, first, second = pair_energy(parameters[kind_of[a]], r)
            slope = 0.5 * first / r
            bend = 0.25 * (second - first / r) / r2
        terms[4, a], terms[5, a], terms[6, a] = w * e, 2.0 * w * slope, 4.0 * w * bend
    return n


@njit(cache=True)
def eigen(matrix):  # type: ignore[no-untyped-def]
    """Eigenvalues, ascending, and eigenvectors (columns) of a symmetric 3×3 matrix, by Jacobi.

    A library call costs more than the arithmetic at this size.
    """
    a = matrix.copy()
    v = np.eye(3)
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
    values = np.array([a[0, 0], a[1, 1], a[2, 2]])
    for i in range(2):
        for j in range(2 - i):
            if values[j] > values[j + 1]:
                values[j], values[j + 1] = values[j + 1], values[j]
                for k in range(3):
                    v[k, j], v[k, j + 1] = v[k, j + 1], v[k, j]
    return values, v


@njit(cache=True)
def energies_at(  # type: ignore[no-untyped-def]
    points, position, kind, weight, parameters, curves, cutoff, closest
):
    """Energies (eV) at many points; host atoms nearer than ``closest`` (Å) are left out."""
    out = np.zeros(len(points))
    scale = curves.shape[1] / (cutoff * cutoff)
    for p in range(len(points)):
        for a in range(len(position)):
            x = points[p, 0] - position[a, 0]
            y = points[p, 1] - position[a, 1]
            z = points[p, 2] - position[a, 2]
            r2 = x * x + y * y + z * z
            if not closest * closest < r2 < cutoff * cutoff:
                continue
            if r2 > NOT_STEEP_A2:
                u = r2 * scale
                b = int(u)
                t = u - b
                c = curves[kind[a], b]
                e = c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5]))))
            else:
                e, _, _ = pair_energy(parameters[kind[a]], math.sqrt(r2))
            out[p] += weight[a] * e
    return out


@njit(cache=True)
def in_reach(point, position, kind, weight, reach):  # type: ignore[no-untyped-def]
    """Atoms within ``reach`` (Å) of a point: a walk from there need not look at all others."""
    near = np.empty((len(position), 3))
    near_kind = np.empty(len(position), dtype=np.int64)
    near_weight = np.empty(len(position))
    count = 0
    for a in range(len(position)):
        x = position[a, 0] - point[0]
        y = position[a, 1] - point[1]
        z = position[a, 2] - point[2]
        if x * x + y * y + z * z < reach * reach:
            near[count, 0] = position[a, 0]
            near[count, 1] = position[a, 1]
            near[count, 2] = position[a, 2]
            near_kind[count] = kind[a]
            near_weight[count] = weight[a]
            count += 1
    return near[:count], near_kind[:count], near_weight[:count]


@njit(cache=True)
def coincident(frac, lattice, nearest):  # type: ignore[no-untyped-def]
    """Pairs of points closer than ``nearest`` (Å) and the translation between them, (n, 5)."""
    rows = np.empty((len(frac) * (len(frac) - 1) // 2, 5), dtype=np.int64)
    count = 0
    s = np.empty(3)
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
    return rows[:count]


@njit(cache=True)
def stationary_point(  # type: ignore[no-untyped-def]
    start, order, position, kind, weight, parameters, curves, cutoff, farthest
):
    """Nearest minimum (``order`` 0) or pass (``order`` 1) by eigenvector following.

    Returns its energy, position and whether it was found within ``farthest`` (Å) of the start.
    """
    point, center, step = start.copy(), start.copy(), np.empty(3)
    gradient, hessian = np.empty(3), np.empty((3, 3))
    near = in_reach(start, position, kind, weight, cutoff + _SKIN_A)
    room = workspace(len(position) + 1)
    energy = 0.0
    for _ in range(40):
        if distance2(point, center) > _SKIN_A * _SKIN_A:
            center[:] = point
            near = in_reach(center, position, kind, weight, cutoff + _SKIN_A)
        energy = energy_at(point, near, parameters, curves, cutoff, room, gradient, hessian)
        values, modes = eigen(hessian)
        if max(abs(gradient[0]), abs(gradient[1]), abs(gradient[2])) < 1e-4:
            negative = 0
            for m in range(3):
                negative += values[m] < 0.0
            return energy, point, negative == order
        step[:] = 0.0
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
    return energy, point, False


@njit(cache=True)
def distance2(a, b):  # type: ignore[no-untyped-def]
    """Square of the distance between two points."""
    x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return x * x + y * y + z * z


@njit(cache=True)
def stationary_points(  # type: ignore[no-untyped-def]
    starts, order, position, kind, weight, parameters, curves, cutoff, farthest
):
    """:func:`stationary_point` for many starts."""
    energies = np.empty(len(starts))
    points = np.empty((len(starts), 3))
    found = np.zeros(len(starts), dtype=np.bool_)
    for s in range(len(starts)):
        energies[s], points[s], found[s] = stationary_point(
            starts[s], order, position, kind, weight, parameters, curves, cutoff, farthest
        )
    return energies, points, found


@njit(cache=True)
def ways_down(  # type: ignore[no-untyped-def]
    tops, position, kind, weight, parameters, curves, cutoff
):
    """Where the two ways down from passes (n, 3) end: the minimum on either side, (n, 2, 3), Å."""
    ends = np.empty((len(tops), 2, 3))
    gradient, hessian, here = np.empty(3), np.empty((3, 3)), np.empty(3)
    room, order = workspace(len(position) + 1), int64(0)
    for t in range(len(tops)):
        # 0.9 Å down by steps, then at most 2 Å by stationary_point.
        near = in_reach(tops[t], position, kind, weight, cutoff + 0.9)
        energy_at(tops[t], near, parameters, curves, cutoff, room, gradient, hessian)
        _, modes = eigen(hessian)
        for side in range(2):
            for x in range(3):
                here[x] = tops[t, x] + (0.1 if side == 0 else -0.1) * modes[x, 0]
            for _ in range(8):
                energy_at(here, near, parameters, curves, cutoff, room, gradient, hessian)
                steepness = math.sqrt(gradient[0] ** 2 + gradient[1] ** 2 + gradient[2] ** 2)
                if steepness < 0.05:
                    break
                for x in range(3):
                    here[x] -= gradient[x] * (0.1 / steepness)
            _, end, found = stationary_point(
                here, order, position, kind, weight, parameters, curves, cutoff, 2.0
            )
            for x in range(3):
                ends[t, side, x] = end[x] if found else here[x]
    return ends


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
