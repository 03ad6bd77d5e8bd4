"""Kernels of the bond-valence energy landscape. They validate nothing; :mod:`.bvse` does.

Kinds of host atoms carry six numbers: Morse depth D0/2 (eV), r_min (Å), α (1/Å), Coulomb strength
(eV·Å), screening length (Å), and unused padding; the one of the two that does not act is zero.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...data.records import FloatArray, IntArray
from ..void.blocks import block_radius, points_of_block
from ..void.grid import BLOCK

_TWO_OVER_ROOT_PI = 1.1283791670955126
STEEP_A = 1.3
"""Below this distance pair energies are too steep for polynomial pieces and rarely wanted."""
NOT_STEEP_A2 = (STEEP_A + 0.1) ** 2


@njit(cache=True)
def pair_energy(parameters, r):  # type: ignore[no-untyped-def]
    """Energy (eV) of a mobile ion at distance r (Å) from one host atom, and two derivatives."""
    half_depth, r_min, alpha = parameters[0], parameters[1], parameters[2]
    strength, screening = parameters[3], parameters[4]
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


def tabulated(
    parameters: FloatArray, cutoff: float, farthest: float, bins: int, shortest: float
) -> NDArray[np.float32]:
    """Pair energies on an even grid of r², ``bins`` to the cutoff, zero from there to ``farthest``.

    Below ``shortest`` (Å) they are constant. Shape (n_kinds, …).
    """
    width = cutoff * cutoff / bins
    table = np.zeros((len(parameters), int(farthest * farthest / width) + 3), dtype=np.float32)
    _tabulate(parameters, width, bins, shortest, table)
    return table


@njit(cache=True)
def _tabulate(parameters, width, bins, shortest, table):  # type: ignore[no-untyped-def]
    for kind in range(len(parameters)):
        for b in range(bins):
            r = max(math.sqrt(b * width), shortest)
            energy, _, _ = pair_energy(parameters[kind], r)
            table[kind, b] = energy


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
    step = lattice / shape[:, None]
    flat, scale, reach = table.ravel(), bins / (cutoff * cutoff), cutoff + block_radius(step)
    columns = table.shape[1]
    _fill_grid(step, shape, wanted, position, kind, weight, flat, columns, scale, reach, out)
    return out


@njit(cache=True)
def _fill_grid(  # type: ignore[no-untyped-def]
    step, shape, wanted, position, kind, weight, flat, columns, scale, reach, out
):
    """Energies, block by block, into ``out``."""
    # What is for work is made in the kernels, so that compilers know that it does not overlap.
    index, point, center = np.empty(BLOCK**3, np.int64), np.empty((BLOCK**3, 3)), np.empty(3)
    n = len(position)
    near, near_weight, row = np.empty((3, n)), np.empty(n), np.empty(n, np.int64)
    column, place = np.empty(n, np.int64), np.empty(n)
    for i in range(0, shape[0], BLOCK):
        for j in range(0, shape[1], BLOCK):
            for k in range(0, shape[2], BLOCK):
                n_points = points_of_block(i, j, k, shape, step, wanted, index, point, center)
                if n_points == 0:
                    continue
                n_near = _gather(
                    center, reach, position, kind, weight, columns, near, near_weight, row
                )
                for p in range(n_points):
                    out[index[p]] = _interpolated(
                        point[p], n_near, near, near_weight, row, flat, scale, column, place
                    )


@njit(cache=True)
def _gather(
    center: FloatArray,
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


def pair_curves(parameters: FloatArray, cutoff: float, bins: int) -> FloatArray:
    """Pair energies as polynomials of r² on ``bins`` even pieces up to the cutoff.

    Quintic, with the exact value and two derivatives at both ends of each piece: above
    ``STEEP_A`` as good as exact (1e-10) and free of exponentials. Shape (n_kinds, bins, 6).
    """
    curves = np.zeros((len(parameters), bins, 6))
    _fit_curves(parameters, cutoff * cutoff / bins, curves)
    return curves


@njit(cache=True)
def _fit_curves(parameters, width, curves):  # type: ignore[no-untyped-def]
    bins = curves.shape[1]
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


# Sums may be taken in any order, so that compilers can use wide instructions.
@njit(cache=True, fastmath={"reassoc", "contract"})
def energy_at(  # type: ignore[no-untyped-def]
    point,
    n_atoms,
    position,
    kind,
    weight,
    parameters,
    curves,
    cutoff,
    terms,
    kind_of,
    gradient,
    hessian,
):
    """Energy (eV) at one point, with gradient (eV/Å) and Hessian (eV/Å²).

    Parameters
    ----------
    point : array (3,), Å
    n_atoms : int
        Atoms that count; there is room for more.
    position, kind, weight : arrays (n, 3), Å, (n,) and (n,)
    parameters, curves, cutoff
        See :func:`pair_energy` and :func:`pair_curves`; cutoff in Å.
    terms, kind_of : arrays (7, n + 1) and (n + 1,)
        Working space.
    gradient : array (3,), out
    hessian : array (3, 3), out

    Returns
    -------
    float
    """
    n = _terms(point, n_atoms, position, kind, weight, parameters, curves, cutoff, terms, kind_of)
    energy = gx = gy = gz = radial = 0.0
    xx = yy = zz = xy = xz = yz = 0.0
    for a in range(n):
        x, y, z = terms[0, a], terms[1, a], terms[2, a]
        slope, bend = terms[5, a], terms[6, a]
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
    point, n_atoms, position, kind, weight, parameters, curves, cutoff, terms, kind_of
):
    """What each atom within the cutoff adds; returns the number of these atoms.

    Into the rows of ``terms`` (7, n): x, y, z (Å, from the atom to the point), r² (Å²), energy,
    and twice its first and four times its second derivative by r². Into ``kind_of`` (n,): kinds.
    """
    px, py, pz = point[0], point[1], point[2]
    limit2 = cutoff * cutoff
    n = 0
    for a in range(n_atoms):
        x, y, z = px - position[a, 0], py - position[a, 1], pz - position[a, 2]
        r2 = x * x + y * y + z * z
        # Written in any case, counted where it is in reach: cheaper than a jump.
        terms[0, n], terms[1, n], terms[2, n] = x, y, z
        terms[3, n], terms[4, n], kind_of[n] = r2, weight[a], kind[a]
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


def energies_at(
    points: FloatArray,
    position: FloatArray,
    kind: IntArray,
    weight: FloatArray,
    parameters: FloatArray,
    curves: FloatArray,
    cutoff: float,
    closest: float,
) -> FloatArray:
    """Energies (eV) at many points; host atoms nearer than ``closest`` (Å) are left out."""
    out = np.zeros(len(points))
    _energies(points, position, kind, weight, parameters, curves, cutoff, closest, out)
    return out


@njit(cache=True)
def _energies(  # type: ignore[no-untyped-def]
    points, position, kind, weight, parameters, curves, cutoff, closest, out
):
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
