"""Compiled kernels that look at a crystal's void from every grid point.

They validate nothing; :mod:`.similarity` does. Each has its plain-numpy twin in the tests.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..void.blocks import block_radius
from ..void.grid import BLOCK

WIDTH = 8
"""Radial functions per element, padded with zeros."""
MAX_NEAREST = 8
"""A point can be as near to eight anions (the centre of a cube)."""


@njit(cache=True)
def void_map(  # type: ignore[no-untyped-def]
    lattice, shape, position, channel, weight, anion, n_channels, table, cutoff, clearance, tie
):
    """Environment and nearest anions of every grid point farther than ``clearance`` from the host.

    Returns per void point: flat grid index, distance to the nearest host atom and to the nearest
    anion (Å), vector, anions within ``tie`` of the nearest (−1 fills), their distances.
    """
    total = shape[0] * shape[1] * shape[2]
    index = np.empty(total, dtype=np.int64)
    host_distance = np.empty(total)
    vectors = np.empty((total, n_channels * WIDTH), dtype=np.float32)
    nearest = np.full((total, MAX_NEAREST), -1, dtype=np.int32)
    nearest_distance = np.full((total, MAX_NEAREST), np.inf, dtype=np.float32)
    step = lattice / shape.reshape(3, 1)
    half = (BLOCK - 1) / 2
    radius = block_radius(step)
    n = len(position)
    order, first = by_channel(channel, n_channels)
    square = np.empty(n)
    near = np.empty((3, n))
    near_weight = np.empty(n, dtype=np.float32)
    start = np.zeros(n_channels + 1, dtype=np.int64)
    close_host, close_anion = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    row, low, high = np.empty(n, np.int64), np.empty(n, np.float32), np.empty(n, np.float32)
    last_row = table.shape[0] - 2
    scale = last_row / (cutoff * cutoff)
    count = 0
    for i0 in range(0, shape[0], BLOCK):
        for j0 in range(0, shape[1], BLOCK):
            for k0 in range(0, shape[2], BLOCK):
                ci, cj, ck = i0 + half, j0 + half, k0 + half
                cx = ci * step[0, 0] + cj * step[1, 0] + ck * step[2, 0]
                cy = ci * step[0, 1] + cj * step[1, 1] + ck * step[2, 1]
                cz = ci * step[0, 2] + cj * step[1, 2] + ck * step[2, 2]
                host2 = anion2 = np.inf
                for a in range(n):
                    x, y, z = position[a, 0] - cx, position[a, 1] - cy, position[a, 2] - cz
                    square[a] = x * x + y * y + z * z
                    if square[a] < host2:
                        host2 = square[a]
                    if anion[a] >= 0 and square[a] < anion2:
                        anion2 = square[a]
                # What is not among these cannot be nearest to any point of the block.
                host_reach2 = (math.sqrt(host2) + 2.0 * radius + 1e-6) ** 2
                anion_reach2 = (math.sqrt(anion2) + 2.0 * radius + tie + 1e-6) ** 2
                n_host = n_anion = n_near = 0
                for e in range(n_channels):
                    for slot in range(first[e], first[e + 1]):
                        a = order[slot]
                        if square[a] < host_reach2:
                            close_host[n_host] = a
                            n_host += 1
                        if anion[a] >= 0 and square[a] < anion_reach2:
                            close_anion[n_anion] = a
                            n_anion += 1
                        if square[a] < (cutoff + radius) ** 2:
                            near[0, n_near] = position[a, 0]
                            near[1, n_near] = position[a, 1]
                            near[2, n_near] = position[a, 2]
                            near_weight[n_near] = weight[a]
                            n_near += 1
                    start[e + 1] = n_near
                for i in range(i0, min(i0 + BLOCK, shape[0])):
                    for j in range(j0, min(j0 + BLOCK, shape[1])):
                        for k in range(k0, min(k0 + BLOCK, shape[2])):
                            px = i * step[0, 0] + j * step[1, 0] + k * step[2, 0]
                            py = i * step[0, 1] + j * step[1, 1] + k * step[2, 1]
                            pz = i * step[0, 2] + j * step[1, 2] + k * step[2, 2]
                            closest2 = np.inf
                            for m in range(n_host):
                                a = close_host[m]
                                x, y, z = (
                                    position[a, 0] - px,
                                    position[a, 1] - py,
                                    position[a, 2] - pz,
                                )
                                closest2 = min(closest2, x * x + y * y + z * z)
                            if closest2 < clearance * clearance:
                                continue
                            closest_anion2 = np.inf
                            for m in range(n_anion):
                                a = close_anion[m]
                                x, y, z = (
                                    position[a, 0] - px,
                                    position[a, 1] - py,
                                    position[a, 2] - pz,
                                )
                                square[m] = x * x + y * y + z * z
                                closest_anion2 = min(closest_anion2, square[m])
                            limit2 = min((math.sqrt(closest_anion2) + tie) ** 2, cutoff * cutoff)
                            slots = 0
                            for m in range(n_anion):
                                if square[m] <= limit2 and slots < MAX_NEAREST:
                                    nearest[count, slots] = anion[close_anion[m]]
                                    nearest_distance[count, slots] = math.sqrt(square[m])
                                    slots += 1
                            # Plain arithmetic on rows of numbers first; beyond the cutoff the last
                            # rows of the table are zero.
                            for m in range(n_near):
                                x, y, z = near[0, m] - px, near[1, m] - py, near[2, m] - pz
                                u = (x * x + y * y + z * z) * scale
                                whole = min(np.int64(u), last_row)
                                part = np.float32(u - whole) * near_weight[m]
                                row[m], high[m], low[m] = whole, part, near_weight[m] - part
                            for e in range(n_channels):
                                add_rows(
                                    table,
                                    row[start[e] : start[e + 1]],
                                    low[start[e] : start[e + 1]],
                                    high[start[e] : start[e + 1]],
                                    vectors[count, e * WIDTH : (e + 1) * WIDTH],
                                )
                            index[count] = (i * shape[1] + j) * shape[2] + k
                            host_distance[count] = math.sqrt(closest2)
                            count += 1
    return (
        index[:count].copy(),
        host_distance[:count].copy(),
        vectors[:count],
        nearest[:count],
        nearest_distance[:count],
    )


@njit(cache=True)
def by_channel(channel, n_channels):  # type: ignore[no-untyped-def]
    """Atoms in order of their channel, and where each channel begins."""
    first = np.zeros(n_channels + 1, dtype=np.int64)
    order = np.empty(len(channel), dtype=np.int64)
    n = 0
    for e in range(n_channels):
        for a in range(len(channel)):
            if channel[a] == e:
                order[n] = a
                n += 1
        first[e + 1] = n
    return order, first


@njit(cache=True)
def add_rows(table, row, low, high, out):  # type: ignore[no-untyped-def]
    """Sum of weighted pairs of neighbouring table rows, into ``out``."""
    # Numbers by name stay in registers; an array would go through memory every time. There are
    # seven radial functions: the eighth column is zero.
    a = b = c = d = e = f = g = np.float32(0.0)
    for m in range(len(row)):
        p = table[np.uint64(row[m])]
        q = table[np.uint64(row[m] + 1)]
        s, t = low[m], high[m]
        a += s * p[0] + t * q[0]
        b += s * p[1] + t * q[1]
        c += s * p[2] + t * q[2]
        d += s * p[3] + t * q[3]
        e += s * p[4] + t * q[4]
        f += s * p[5] + t * q[5]
        g += s * p[6] + t * q[6]
    out[0], out[1], out[2], out[3], out[4], out[5], out[6] = a, b, c, d, e, f, g
    out[7] = np.float32(0.0)


@njit(cache=True)
def weighted_spread(vectors, weights):  # type: ignore[no-untyped-def]
    """Standard deviation of each column of ``vectors`` under point ``weights``."""
    n, m = vectors.shape
    mean, square = np.zeros(m), np.zeros(m)
    total = 0.0
    for p in range(n):
        total += weights[p]
        for c in range(m):
            mean[c] += weights[p] * vectors[p, c]
    for c in range(m):
        mean[c] /= total
    for p in range(n):
        for c in range(m):
            d = vectors[p, c] - mean[c]
            square[c] += weights[p] * d * d
    for c in range(m):
        square[c] = math.sqrt(square[c] / total)
    return square


@njit(cache=True)
def nearest_environment(vectors, inverse_spread, environments):  # type: ignore[no-untyped-def]
    """Euclidean distance of each vector to the nearest of the (already scaled) environments."""
    n, m = vectors.shape
    out = np.empty(n)
    scaled = np.empty(m, dtype=np.float32)
    last = 0
    for p in range(n):
        for c in range(m):
            scaled[c] = vectors[p, c] * inverse_spread[c]
        best = np.float32(0.0)
        # Neighbouring points usually share their nearest environment: try the last one first.
        for c in range(m):
            d = scaled[c] - environments[last, c]
            best += d * d
        for e in range(len(environments)):
            distance2 = np.float32(0.0)
            first = 0
            while first < m and distance2 < best:
                for c in range(first, min(first + 8, m)):
                    d = scaled[c] - environments[e, c]
                    distance2 += d * d
                first += 8
            if distance2 < best:
                best = distance2
                last = e
        out[p] = np.sqrt(best)
    return out


@njit(cache=True)
def soft_step(x):  # type: ignore[no-untyped-def]
    """Half the complementary error function of x/√2: 1 far below zero, 0 far above."""
    return 0.5 * math.erfc(x * 0.7071067811865476)


@njit(cache=True)
def clearance_weights(host_distance, clearance, width):  # type: ignore[no-untyped-def]
    """Weight of each point: 1 well inside the void, 0 inside the host, smooth in between."""
    out = np.empty(len(host_distance))
    for p in range(len(out)):
        out[p] = soft_step((clearance - host_distance[p]) / width)
    return out


@njit(cache=True)
def closest_threshold(distance, weights, share, relative_width, guess):  # type: ignore[no-untyped-def]
    """Distance within which a ``share`` of the weight lies, its edge as wide as in the scores."""
    total, low, high = 0.0, 0.0, 0.0
    for p in range(len(distance)):
        total += weights[p]
        high = max(high, distance[p])
    wanted, high = share * total, 2.0 * high + 1e-6
    middle = guess + 1e-6
    for _ in range(60):
        inside, slope = 0.0, 0.0
        for p in range(len(distance)):
            x = (distance[p] - middle) / (relative_width * middle)
            if x < 6.0:
                inside += weights[p] * soft_step(x)
                slope += weights[p] * math.exp(-0.5 * x * x) * distance[p]
        slope *= 0.3989422804014327 / (relative_width * middle * middle)
        if inside < wanted:
            low = middle
        else:
            high = middle
        step = (wanted - inside) / max(slope, 1e-12)
        # Newton inside the bracket, bisection when it would leave.
        middle = middle + step if low < middle + step < high else 0.5 * (low + high)
        # The error left is of the order of the square of the last step.
        if abs(step) < 1e-6 * middle:
            break
    return middle


@njit(cache=True)
def shell_sums(  # type: ignore[no-untyped-def]
    nearest, nearest_distance, weights, distance, threshold, relative_width, tie, n_atoms
):
    """Per anion: void weight, mobile-like weight, and its first two moments of radius."""
    sums = np.zeros((n_atoms, 4))
    near_weight = np.empty(nearest.shape[1])
    for p in range(len(weights)):
        slots = 0
        smallest = np.inf
        while slots < nearest.shape[1] and nearest[p, slots] >= 0:
            smallest = min(smallest, nearest_distance[p, slots])
            slots += 1
        total = 0.0
        for s in range(slots):
            x = (nearest_distance[p, s] - smallest) / tie
            near_weight[s] = math.exp(-0.5 * x * x)
            total += near_weight[s]
        like = weights[p] * soft_step((distance[p] - threshold) / (relative_width * threshold))
        for s in range(slots):
            a = nearest[p, s]
            part = near_weight[s] / total
            r = nearest_distance[p, s]
            sums[a, 0] += part * weights[p]
            sums[a, 1] += part * like
            sums[a, 2] += part * like * r
            sums[a, 3] += part * like * r * r
    return sums
