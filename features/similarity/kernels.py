"""Kernels that look at a crystal's void from every grid point.

They validate nothing; :mod:`.similarity` does. Each has its plain-numpy twin in the tests.
"""

from __future__ import annotations

import math

import numpy as np
from numba import int64, njit
from numpy.typing import NDArray

from ...data.records import FloatArray, IntArray
from ..void.blocks import block_radius, points_of_block
from ..void.grid import BLOCK

WIDTH = 8
"""Radial functions per element, padded with zeros."""
MAX_NEAREST = 8
"""A point can be as near to eight anions (the centre of a cube)."""


def void_map(
    lattice: FloatArray,
    shape: IntArray,
    wanted: np.ndarray,
    position: FloatArray,
    channel: IntArray,
    weight: FloatArray,
    anion: IntArray,
    n_channels: int,
    table: NDArray[np.float32],
    cutoff: float,
    clearance: float,
    tie: float,
) -> tuple[IntArray, FloatArray, NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Environment and nearest anions of the wanted grid points that lie in the void.

    Parameters
    ----------
    lattice : array (3, 3), Å
    shape : array (3,)
    wanted : bool array (n_points,)
        Last axis fastest.
    position : array (n_atoms, 3), Å
        All periodic copies in reach of the cell, as seen from the first grid point.
    channel : array (n_atoms,)
        Number of each atom's element.
    weight : array (n_atoms,)
        Occupancies.
    anion : array (n_atoms,)
        Host atom of each copy of an anion, −1 for cations.
    n_channels : int
    table : array (n_rows, 8)
        Radial functions on an even grid of r², zero beyond the cutoff.
    cutoff : float
        Å.
    clearance : float
        Å; points at least so far from every atom are void.
    tie : float
        Å; anions farther than the nearest by no more than this are listed with it.

    Returns
    -------
    index : array (n_void,)
        Flat grid index of each void point.
    host_distance : array (n_void,), Å
    vectors : float32 array (n_void, n_channels × 8)
    nearest : int32 array (n_void, 8)
        Nearest anions; −1 fills.
    nearest_distance : float32 array (n_void, 8), Å
    """
    most = int(wanted.sum())
    index, host_distance = np.empty(most, dtype=np.int64), np.empty(most)
    vectors = np.empty((most, n_channels * WIDTH), dtype=np.float32)
    nearest = np.full((most, MAX_NEAREST), -1, dtype=np.int32)
    nearest_distance = np.full((most, MAX_NEAREST), np.inf, dtype=np.float32)
    step = lattice / shape[:, None]
    # Atoms in order of their element, and where each element begins.
    order = channel.astype(np.int16).argsort(kind="stable")
    first = np.zeros(n_channels + 1, dtype=np.int64)
    np.cumsum(np.bincount(channel, minlength=n_channels), out=first[1:])
    count = _map_void(
        *(step, shape, wanted, position, order, first, weight, anion),
        *(table, cutoff, clearance, tie, block_radius(step)),
        *(index, host_distance, vectors, nearest, nearest_distance),
    )
    return (
        index[:count].copy(),
        host_distance[:count].copy(),
        vectors[:count],
        nearest[:count],
        nearest_distance[:count],
    )


@njit(cache=True)
def _map_void(  # type: ignore[no-untyped-def]
    step,
    shape,
    wanted,
    position,
    order,
    first,
    weight,
    anion,
    table,
    cutoff,
    clearance,
    tie,
    radius,
    index,
    host_distance,
    vectors,
    nearest,
    nearest_distance,
):
    """Fill the last five arrays, block by block; returns the number of void points.

    ``order`` (n_atoms,) has the atoms by element, ``first`` says where each element begins.
    ``radius`` is that of a block, Å.
    """
    # What is for work is made in the kernel, so that compilers know that it does not overlap.
    of_block, point, center = np.empty(BLOCK**3, np.int64), np.empty((BLOCK**3, 3)), np.empty(3)
    n = len(position)
    square, apart = np.empty(n), np.empty(n)
    close_host, close_anion = np.empty(n, np.int64), np.empty(n, np.int64)
    near, near_weight = np.empty((3, n)), np.empty(n, np.float32)
    begin, row = np.empty(len(first), np.int64), np.empty(n, np.int64)
    low, high = np.empty(n, np.float32), np.empty(n, np.float32)
    count = begin[0] = 0
    for i in range(0, shape[0], BLOCK):
        for j in range(0, shape[1], BLOCK):
            for k in range(0, shape[2], BLOCK):
                n_points = points_of_block(i, j, k, shape, step, wanted, of_block, point, center)
                if n_points == 0:
                    continue
                host_reach, anion_reach = _squares(center, radius, tie, position, anion, square)
                n_host = _below(square, host_reach, anion, int64(-1), close_host)
                # What else is near is looked for when the first point of the block is void.
                n_anion = int64(-1)
                for p in range(n_points):
                    closest = _closest(point[p], position, close_host, n_host)
                    if closest < clearance:
                        continue
                    if n_anion < 0:
                        n_anion = _below(square, anion_reach, anion, int64(0), close_anion)
                        _gather(
                            square,
                            cutoff + radius,
                            order,
                            first,
                            position,
                            weight,
                            near,
                            near_weight,
                            begin,
                        )
                    _list_nearest(
                        point[p],
                        position,
                        anion,
                        close_anion,
                        n_anion,
                        tie,
                        cutoff,
                        apart,
                        nearest[count],
                        nearest_distance[count],
                    )
                    _environment(
                        point[p],
                        near,
                        near_weight,
                        begin,
                        table,
                        cutoff,
                        row,
                        low,
                        high,
                        vectors[count],
                    )
                    index[count], host_distance[count] = of_block[p], closest
                    count += 1
    return count


@njit(cache=True)
def _squares(
    center: FloatArray,
    radius: float,
    tie: float,
    position: FloatArray,
    anion: IntArray,
    square: FloatArray,
) -> tuple[float, float]:
    """Squared distances (Å²) of all atoms from the centre of a block, into ``square``.

    Returns how far (Å) from the centre an atom may be that is the nearest atom, or one of the
    nearest anions, of some point of the block: as far as the one nearest to the centre, and twice
    the radius of the block.
    """
    host2 = anion2 = np.inf
    for a in range(len(position)):
        x, y, z = position[a, 0] - center[0], position[a, 1] - center[1], position[a, 2] - center[2]
        square[a] = x * x + y * y + z * z
        host2 = min(host2, square[a])
        if anion[a] >= 0:
            anion2 = min(anion2, square[a])
    farther = 2.0 * radius + 1e-6
    return math.sqrt(host2) + farther, math.sqrt(anion2) + farther + tie


@njit(cache=True)
def _below(square: FloatArray, reach: float, anion: IntArray, least: int, out: IntArray) -> int:
    """List the atoms within ``reach`` (Å) whose anion number is at least ``least``."""
    count = 0
    for a in range(len(anion)):
        if square[a] < reach * reach and anion[a] >= least:
            out[count] = a
            count += 1
    return count


@njit(cache=True)
def _gather(
    square: FloatArray,
    reach: float,
    order: IntArray,
    first: IntArray,
    position: FloatArray,
    weight: FloatArray,
    near: FloatArray,
    near_weight: NDArray[np.float32],
    begin: IntArray,
) -> None:
    """Copy the atoms in reach, element by element, so that the inner loops read them in a row.

    Into ``near`` (3, n) and ``near_weight`` (n,); ``begin`` (n_channels + 1,) says where each
    element begins.
    """
    count = 0
    for e in range(len(begin) - 1):
        for slot in range(first[e], first[e + 1]):
            a = order[slot]
            if square[a] < reach * reach:
                for x in range(3):
                    near[x, count] = position[a, x]
                near_weight[count] = weight[a]
                count += 1
        begin[e + 1] = count


@njit(cache=True)
def _closest(point: FloatArray, position: FloatArray, among: IntArray, n_among: int) -> float:
    """Distance (Å) from a point to the nearest of the atoms listed."""
    closest2 = np.inf
    for m in range(n_among):
        a = among[m]
        x, y, z = position[a, 0] - point[0], position[a, 1] - point[1], position[a, 2] - point[2]
        closest2 = min(closest2, x * x + y * y + z * z)
    return math.sqrt(closest2)


@njit(cache=True)
def _list_nearest(
    point: FloatArray,
    position: FloatArray,
    anion: IntArray,
    among: IntArray,
    n_among: int,
    tie: float,
    cutoff: float,
    square: FloatArray,
    nearest: IntArray,
    distance: NDArray[np.float32],
) -> None:
    """List the nearest anion and those farther by no more than ``tie`` (Å), within the cutoff.

    Into ``nearest`` (8,) and ``distance`` (8,). ``square`` (n,) is working space.
    """
    closest2 = np.inf
    for m in range(n_among):
        a = among[m]
        x, y, z = position[a, 0] - point[0], position[a, 1] - point[1], position[a, 2] - point[2]
        square[m] = x * x + y * y + z * z
        closest2 = min(closest2, square[m])
    limit2 = min((math.sqrt(closest2) + tie) ** 2, cutoff * cutoff)
    slots = 0
    for m in range(n_among):
        if square[m] <= limit2 and slots < MAX_NEAREST:
            nearest[slots] = anion[among[m]]
            distance[slots] = math.sqrt(square[m])
            slots += 1


@njit(cache=True)
def _environment(
    point: FloatArray,
    near: FloatArray,
    near_weight: NDArray[np.float32],
    begin: IntArray,
    table: NDArray[np.float32],
    cutoff: float,
    row: IntArray,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Radial functions of the atoms gathered, summed for each element, into ``out``.

    ``row``, ``low`` and ``high`` are working space. Plain arithmetic on rows of numbers first,
    look-ups second.
    """
    last_row = table.shape[0] - 2
    scale = last_row / (cutoff * cutoff)
    px, py, pz = point[0], point[1], point[2]
    for m in range(begin[-1]):
        x, y, z = near[0, m] - px, near[1, m] - py, near[2, m] - pz
        u = (x * x + y * y + z * z) * scale
        # Beyond the cutoff the last rows of the table are zero.
        whole = min(np.int64(u), last_row)
        part = np.float32(u - whole) * near_weight[m]
        row[m], high[m], low[m] = whole, part, near_weight[m] - part
    for e in range(len(begin) - 1):
        a, b = begin[e], begin[e + 1]
        _add_rows(table, row[a:b], low[a:b], high[a:b], out[e * WIDTH : (e + 1) * WIDTH])


@njit(cache=True)
def _add_rows(table, row, low, high, out):  # type: ignore[no-untyped-def]
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
    out[0], out[1], out[2] = a, b, c
    out[3], out[4], out[5] = d, e, f
    out[6], out[7] = g, np.float32(0.0)


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
