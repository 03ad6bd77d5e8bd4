"""Compiled kernels of the bond-valence energy landscape. They validate nothing; :mod:`.bvse` does.

Kinds of host atoms carry six numbers: Morse depth D0/2 (eV), r_min (Å), α (1/Å), Coulomb strength
(eV·Å), screening length (Å), and unused padding; the one of the two that does not act is zero.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .void_grid import BLOCK

_TWO_OVER_ROOT_PI = 1.1283791670955126


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
def block_radius(step):  # type: ignore[no-untyped-def]
    """Distance from the centre of a block of grid points to its farthest corner, Å."""
    half = (BLOCK - 1) / 2
    radius = 0.0
    for i in (-half, half):
        for j in (-half, half):
            for k in (-half, half):
                corner = i * step[0] + j * step[1] + k * step[2]
                radius = max(radius, np.sqrt((corner * corner).sum()))
    return radius


@njit(cache=True)
def energy_grid(lattice, shape, position, kind, weight, table, cutoff, bins):  # type: ignore[no-untyped-def]
    """Energy at every grid point, eV, flat with the last axis fastest."""
    out = np.empty(shape[0] * shape[1] * shape[2])
    step = lattice / shape.reshape(3, 1)
    half = (BLOCK - 1) / 2
    scale = bins / (cutoff * cutoff)
    radius = block_radius(step)
    flat = table.ravel()
    columns = table.shape[1]
    reach2 = (cutoff + radius) ** 2
    # Atoms in reach of the block, copied so that the inner loop reads them in a row.
    near = np.empty((4, len(position)))
    row = np.empty(len(position), dtype=np.int64)
    place = np.empty(len(position))
    for i0 in range(0, shape[0], BLOCK):
        for j0 in range(0, shape[1], BLOCK):
            for k0 in range(0, shape[2], BLOCK):
                center = (i0 + half) * step[0] + (j0 + half) * step[1] + (k0 + half) * step[2]
                n_near = 0
                for a in range(len(position)):
                    x = position[a, 0] - center[0]
                    y = position[a, 1] - center[1]
                    z = position[a, 2] - center[2]
                    if x * x + y * y + z * z < reach2:
                        near[0, n_near] = position[a, 0]
                        near[1, n_near] = position[a, 1]
                        near[2, n_near] = position[a, 2]
                        near[3, n_near] = weight[a]
                        row[n_near] = kind[a] * columns
                        n_near += 1
                for i in range(i0, min(i0 + BLOCK, shape[0])):
                    for j in range(j0, min(j0 + BLOCK, shape[1])):
                        for k in range(k0, min(k0 + BLOCK, shape[2])):
                            px = i * step[0, 0] + j * step[1, 0] + k * step[2, 0]
                            py = i * step[0, 1] + j * step[1, 1] + k * step[2, 1]
                            pz = i * step[0, 2] + j * step[1, 2] + k * step[2, 2]
                            # Two loops: the first one is plain arithmetic on rows of numbers.
                            for m in range(n_near):
                                x = near[0, m] - px
                                y = near[1, m] - py
                                z = near[2, m] - pz
                                place[m] = (x * x + y * y + z * z) * scale
                            energy = 0.0
                            for m in range(n_near):
                                bin_ = int(place[m])
                                t = place[m] - bin_
                                low = flat[row[m] + bin_]
                                energy += near[3, m] * (low + t * (flat[row[m] + bin_ + 1] - low))
                            out[(i * shape[1] + j) * shape[2] + k] = energy
    return out


@njit(cache=True)
def energy_at(point, position, kind, weight, parameters, cutoff):  # type: ignore[no-untyped-def]
    """Energy (eV), gradient (eV/Å) and Hessian (eV/Å²) at one point."""
    energy = 0.0
    gradient = np.zeros(3)
    hessian = np.zeros((3, 3))
    d = np.empty(3)
    for a in range(len(position)):
        d[0] = point[0] - position[a, 0]
        d[1] = point[1] - position[a, 1]
        d[2] = point[2] - position[a, 2]
        r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        if r2 >= cutoff * cutoff or r2 < 1e-12:
            continue
        r = math.sqrt(r2)
        e, first, second = pair_energy(parameters[kind[a]], r)
        w = weight[a]
        energy += w * e
        radial = w * first / r
        curvature = (w * second - radial) / r2
        for i in range(3):
            gradient[i] += radial * d[i]
            hessian[i, i] += radial
            for j in range(3):
                hessian[i, j] += curvature * d[i] * d[j]
    return energy, gradient, hessian


@njit(cache=True)
def energies_at(points, position, kind, weight, parameters, cutoff, closest):  # type: ignore[no-untyped-def]
    """Energies (eV) at many points; host atoms nearer than ``closest`` (Å) are left out."""
    out = np.zeros(len(points))
    for p in range(len(points)):
        for a in range(len(position)):
            x = points[p, 0] - position[a, 0]
            y = points[p, 1] - position[a, 1]
            z = points[p, 2] - position[a, 2]
            r2 = x * x + y * y + z * z
            if closest * closest < r2 < cutoff * cutoff:
                energy, _, _ = pair_energy(parameters[kind[a]], math.sqrt(r2))
                out[p] += weight[a] * energy
    return out


@njit(cache=True)
def stationary_point(  # type: ignore[no-untyped-def]
    start, order, position, kind, weight, parameters, cutoff, farthest
):
    """Nearest minimum (``order`` 0) or pass (``order`` 1) by eigenvector following.

    Returns its energy, position and whether it was found within ``farthest`` (Å) of the start.
    """
    point = start.copy()
    for _ in range(40):
        energy, gradient, hessian = energy_at(point, position, kind, weight, parameters, cutoff)
        values, modes = np.linalg.eigh(hessian)
        force = modes.T @ gradient
        if np.abs(force).max() < 1e-6:
            negative = 0
            for v in values:
                if v < 0.0:
                    negative += 1
            return energy, point, negative == order
        step = np.zeros(3)
        for m in range(3):
            # Uphill along the lowest modes of a pass, downhill along all others.
            stiffness = max(abs(values[m]), 0.05)
            step += (1.0 if m < order else -1.0) * force[m] / stiffness * modes[:, m]
        length = math.sqrt((step * step).sum())
        if length > 0.15:
            step *= 0.15 / length
        point = point + step
        moved = point - start
        if (moved * moved).sum() > farthest * farthest:
            break
    return energy, point, False


@njit(cache=True)
def stationary_points(  # type: ignore[no-untyped-def]
    starts, order, position, kind, weight, parameters, cutoff, farthest
):
    """:func:`stationary_point` for many starts."""
    energies = np.empty(len(starts))
    points = np.empty((len(starts), 3))
    found = np.zeros(len(starts), dtype=np.bool_)
    for s in range(len(starts)):
        energies[s], points[s], found[s] = stationary_point(
            starts[s], order, position, kind, weight, parameters, cutoff, farthest
        )
    return energies, points, found


@njit(cache=True)
def descend(energy, shape):  # type: ignore[no-untyped-def]
    """Basin of every grid point: index of its minimum, and the lattice translation to it.

    Each point follows its lowest neighbour (of 26) down.
    """
    n0, n1, n2 = shape[0], shape[1], shape[2]
    n = n0 * n1 * n2
    parent = np.empty(n, dtype=np.int64)
    offset = np.zeros((n, 3), dtype=np.int64)
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                p = (i * n1 + j) * n2 + k
                lowest, target = energy[p], p
                for di in range(-1, 2):
                    a = i + di
                    si = 1 if a >= n0 else (-1 if a < 0 else 0)
                    for dj in range(-1, 2):
                        b = j + dj
                        sj = 1 if b >= n1 else (-1 if b < 0 else 0)
                        row = ((a - si * n0) * n1 + b - sj * n1) * n2
                        for dk in range(-1, 2):
                            c = k + dk
                            sk = 1 if c >= n2 else (-1 if c < 0 else 0)
                            q = row + c - sk * n2
                            if energy[q] < lowest:
                                lowest, target = energy[q], q
                                offset[p, 0], offset[p, 1], offset[p, 2] = si, sj, sk
                parent[p] = target
    path = np.empty(n, dtype=np.int64)
    for p in range(n):
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
    return parent, offset


@njit(cache=True)
def passes(energy, shape, basin, offset, node_of, n_nodes, highest):  # type: ignore[no-untyped-def]
    """Lowest pass between each two neighbouring basins (and images), below ``highest``.

    Returns first node, second node, translation, level, and the grid points on both sides of each
    pass, the higher one first.
    """
    n0, n1, n2 = shape[0], shape[1], shape[2]
    size = 1024
    first = np.empty(size, dtype=np.int64)
    second = np.empty(size, dtype=np.int64)
    shift = np.empty((size, 3), dtype=np.int64)
    level = np.empty(size)
    place = np.empty((size, 2), dtype=np.int64)
    following = np.empty(size, dtype=np.int64)
    head = np.full(n_nodes, -1, dtype=np.int64)
    count = 0
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                p = (i * n1 + j) * n2 + k
                if energy[p] > highest:
                    continue
                for step in range(14, 27):
                    di, dj, dk = step // 9 - 1, (step // 3) % 3 - 1, step % 3 - 1
                    a, b, c = i + di, j + dj, k + dk
                    si = 1 if a >= n0 else (-1 if a < 0 else 0)
                    sj = 1 if b >= n1 else (-1 if b < 0 else 0)
                    sk = 1 if c >= n2 else (-1 if c < 0 else 0)
                    q = ((a - si * n0) * n1 + b - sj * n1) * n2 + c - sk * n2
                    if energy[q] > highest:
                        continue
                    x = si + offset[q, 0] - offset[p, 0]
                    y = sj + offset[q, 1] - offset[p, 1]
                    z = sk + offset[q, 2] - offset[p, 2]
                    u, v = node_of[basin[p]], node_of[basin[q]]
                    if u == v and x == 0 and y == 0 and z == 0:
                        continue
                    # One direction only, so that a pass and its reverse meet.
                    if v < u or (u == v and (x < 0 or (x == 0 and (y < 0 or (y == 0 and z < 0))))):
                        u, v, x, y, z = v, u, -x, -y, -z
                    height = max(energy[p], energy[q])
                    e = head[u]
                    while e >= 0:
                        if (
                            second[e] == v
                            and shift[e, 0] == x
                            and shift[e, 1] == y
                            and shift[e, 2] == z
                        ):
                            break
                        e = following[e]
                    if e < 0:
                        if count == size:
                            size *= 2
                            first = np.append(first, np.empty_like(first))
                            second = np.append(second, np.empty_like(second))
                            shift = np.concatenate((shift, np.empty_like(shift)))
                            level = np.append(level, np.empty_like(level))
                            place = np.concatenate((place, np.empty_like(place)))
                            following = np.append(following, np.empty_like(following))
                        e = count
                        count += 1
                        first[e], second[e] = u, v
                        shift[e, 0], shift[e, 1], shift[e, 2] = x, y, z
                        level[e] = np.inf
                        following[e] = head[u]
                        head[u] = e
                    if height < level[e]:
                        level[e] = height
                        place[e, 0] = p if energy[p] >= energy[q] else q
                        place[e, 1] = q if energy[p] >= energy[q] else p
    return first[:count], second[:count], shift[:count], level[:count], place[:count]


@njit(cache=True)
def sides(point, position, kind, weight, parameters, cutoff):  # type: ignore[no-untyped-def]
    """Where the two ways down from a pass end: the minimum on either side, shape (2, 3)."""
    ends = np.empty((2, 3))
    _, _, hessian = energy_at(point, position, kind, weight, parameters, cutoff)
    _, modes = np.linalg.eigh(hessian)
    for side in range(2):
        here = point + (0.1 if side == 0 else -0.1) * modes[:, 0]
        for _ in range(8):
            _, gradient, hessian = energy_at(here, position, kind, weight, parameters, cutoff)
            steepness = math.sqrt((gradient * gradient).sum())
            if steepness < 0.05:
                break
            here = here - gradient * (0.1 / steepness)
        _, end, found = stationary_point(here, 0, position, kind, weight, parameters, cutoff, 2.0)
        ends[side] = end if found else here
    return ends
