"""Compiled kernels that look at a crystal's void from every grid point.

They validate nothing; :mod:`.similarity` does. Each has its plain-numpy twin in the tests.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .void_grid import BLOCK

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
    near = np.empty(len(position), dtype=np.int64)
    close = np.empty((3, len(position)))
    step = lattice / shape.reshape(3, 1)
    half = (BLOCK - 1) / 2
    # A fixed width lets the compiler use vector instructions; the last column stays zero.
    found = np.empty((n_channels, WIDTH), dtype=np.float32)
    radius = 0.0
    for i in (-half, half):
        for j in (-half, half):
            for k in (-half, half):
                corner = i * step[0] + j * step[1] + k * step[2]
                radius = max(radius, np.sqrt((corner * corner).sum()))
    scale = (table.shape[0] - 2) / (cutoff * cutoff)
    count = 0
    r2s = np.empty(len(position))
    for i0 in range(0, shape[0], BLOCK):
        for j0 in range(0, shape[1], BLOCK):
            for k0 in range(0, shape[2], BLOCK):
                center = (i0 + half) * step[0] + (j0 + half) * step[1] + (k0 + half) * step[2]
                n_near = 0
                reach2 = (cutoff + radius) ** 2
                for a in range(len(position)):
                    x = position[a, 0] - center[0]
                    y = position[a, 1] - center[1]
                    z = position[a, 2] - center[2]
                    if x * x + y * y + z * z < reach2:
                        near[n_near] = a
                        close[0, n_near] = position[a, 0]
                        close[1, n_near] = position[a, 1]
                        close[2, n_near] = position[a, 2]
                        n_near += 1
                for i in range(i0, min(i0 + BLOCK, shape[0])):
                    for j in range(j0, min(j0 + BLOCK, shape[1])):
                        for k in range(k0, min(k0 + BLOCK, shape[2])):
                            px = i * step[0, 0] + j * step[1, 0] + k * step[2, 0]
                            py = i * step[0, 1] + j * step[1, 1] + k * step[2, 1]
                            pz = i * step[0, 2] + j * step[1, 2] + k * step[2, 2]
                            # Plain arithmetic on rows of numbers first, decisions after.
                            for m in range(n_near):
                                x = close[0, m] - px
                                y = close[1, m] - py
                                z = close[2, m] - pz
                                r2s[m] = x * x + y * y + z * z
                            closest2 = r2s[:n_near].min() if n_near > 0 else np.inf
                            if closest2 < clearance * clearance:
                                continue
                            anion2 = np.inf
                            for m in range(n_near):
                                if anion[near[m]] >= 0:
                                    anion2 = min(anion2, r2s[m])
                            limit2 = (np.sqrt(anion2) + tie) ** 2
                            slots = 0
                            found[:] = 0.0
                            for m in range(n_near):
                                r2 = r2s[m]
                                if r2 >= cutoff * cutoff:
                                    continue
                                a = near[m]
                                u = r2 * scale
                                bin_ = int(u)
                                t = np.float32((u - bin_) * weight[a])
                                s = np.float32(weight[a]) - t
                                e = channel[a]
                                for c in range(WIDTH):
                                    found[e, c] += s * table[bin_, c] + t * table[bin_ + 1, c]
                                if anion[a] >= 0 and r2 <= limit2 and slots < MAX_NEAREST:
                                    nearest[count, slots] = anion[a]
                                    nearest_distance[count, slots] = np.sqrt(r2)
                                    slots += 1
                            for e in range(n_channels):
                                for c in range(WIDTH):
                                    vectors[count, e * WIDTH + c] = found[e, c]
                            index[count] = (i * shape[1] + j) * shape[2] + k
                            host_distance[count] = np.sqrt(closest2)
                            count += 1
    return (
        index[:count].copy(),
        host_distance[:count].copy(),
        vectors[:count],
        nearest[:count],
        nearest_distance[:count],
    )


@njit(cache=True)
def weighted_spread(vectors, weights):  # type: ignore[no-untyped-def]
    """Standard deviation of each column of ``vectors`` under point ``weights``."""
    n, m = vectors.shape
    mean = np.zeros(m)
    total = 0.0
    for p in range(n):
        total += weights[p]
        for c in range(m):
            mean[c] += weights[p] * vectors[p, c]
    mean /= total
    square = np.zeros(m)
    for p in range(n):
        for c in range(m):
            d = vectors[p, c] - mean[c]
            square[c] += weights[p] * d * d
    return np.sqrt(square / total)


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
def closest_threshold(distance, weights, share, relative_width):  # type: ignore[no-untyped-def]
    """Distance within which a ``share`` of the weight lies, its edge as wide as in the scores."""
    wanted = share * weights.sum()
    low, high = 0.0, 2.0 * distance.max() + 1e-6
    middle = np.quantile(distance, share) + 1e-6
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
        if abs(step) < 1e-10 * middle:
            break
        # Newton inside the bracket, bisection when it would leave.
        middle = middle + step if low < middle + step < high else 0.5 * (low + high)
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
