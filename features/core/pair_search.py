"""Periodic pair search: the compiled kernel behind every neighbour list."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray

PairArrays = tuple[IntArray, IntArray, FloatArray, FloatArray]


def periodic_pairs(
    lattice: FloatArray, frac: FloatArray, cutoff_A: float, centers: IntArray
) -> PairArrays:
    """All periodic pairs within a cutoff, from the given centres.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Rows are lattice vectors.
    frac : array (n_atoms, 3)
        Fractional coordinates; any real numbers.
    cutoff_A : float
        Largest distance, Å, inclusive.
    centers : array (n_centers,)
        Atom indices.

    Returns
    -------
    start : array (n_centers + 1,)
        Pairs of centre k are ``start[k]:start[k + 1]``, nearest first.
    neighbor : array (n_pairs, 4)
        Atom index and lattice translation.
    vector_A : array (n_pairs, 3), Å
        From centre to neighbour.
    distance_A : array (n_pairs,), Å
        An atom itself is left out, its images and other atoms on its point are not.

    Notes
    -----
    Linked cells in fractional space (Allen & Tildesley 1987, ch. 5.3), about half the cutoff
    wide: the cost grows with the number of pairs, whatever the shape of the cell.
    """
    # A copy: read-only arrays of a record would compile the kernel once more.
    lattice = np.array(lattice, dtype=np.float64)
    inverse = np.linalg.inv(lattice)
    heights = 1.0 / np.sqrt((inverse * inverse).sum(axis=0))
    # More bins than atoms would only be empty.
    n_bins = np.clip(2.0 * heights / cutoff_A, 1, np.cbrt(8.0 * len(frac)) + 1).astype(np.int64)
    reach = np.ceil(cutoff_A * n_bins / heights * (1 + 1e-12)).astype(np.int64)
    frac = np.ascontiguousarray(frac, dtype=np.float64)
    shift = np.floor(frac)
    folded = frac - shift
    first, order, bins = _binned(folded, n_bins)
    position, centers = folded @ lattice, np.ascontiguousarray(centers, dtype=np.int64)
    start = np.zeros(len(centers) + 1, dtype=np.int64)
    # As many pairs as a uniform density gives, and some; searching again is the exception.
    density = len(frac) * abs(float(np.linalg.det(inverse)))
    room, count = 0, int(len(centers) * (5.0 * density * cutoff_A**3 + 16.0)) + 1
    while count > room:
        room = count
        neighbor, vector = np.empty((room, 4), dtype=np.int64), np.empty((room, 3))
        distance = np.empty(room)
        count = _search(
            lattice,
            position,
            shift.astype(np.int64),
            float(cutoff_A),
            centers,
            n_bins,
            reach,
            first,
            order,
            bins,
            start,
            neighbor,
            vector,
            distance,
        )
    sorted_neighbor, sorted_vector = np.empty((count, 4), dtype=np.int64), np.empty((count, 3))
    sorted_distance, rank = np.empty(count), np.empty(count, dtype=np.int64)
    _nearest_first(
        *(start, neighbor, vector, distance, rank, np.empty_like(rank)),
        *(sorted_neighbor, sorted_vector, sorted_distance),
    )
    return start, sorted_neighbor, sorted_vector, sorted_distance


def _binned(frac: FloatArray, n_bins: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Sort atoms, folded into the cell, by bin: where each bin begins, atoms, bins of each atom."""
    bins = np.minimum((frac * n_bins).astype(np.int64), n_bins - 1)
    box = (bins[:, 0] * n_bins[1] + bins[:, 1]) * n_bins[2] + bins[:, 2]
    first = np.zeros(int(n_bins.prod()) + 1, dtype=np.int64)
    np.cumsum(np.bincount(box, minlength=len(first) - 1), out=first[1:])
    return first, box.argsort(kind="stable"), bins


# Arrays come from outside, here and in other kernels, and numpy does what it does as fast: every
# array made, sliced or sorted by compiled code costs tenths of seconds of compilation.
@njit(cache=True)
def _search(
    lattice: FloatArray,
    position: FloatArray,
    shift: IntArray,
    cutoff_A: float,
    centers: IntArray,
    n_bins: IntArray,
    reach: IntArray,
    first: IntArray,
    order: IntArray,
    bins: IntArray,
    start: IntArray,
    neighbor: IntArray,
    vector: FloatArray,
    distance: FloatArray,
) -> int:
    """List the pairs of each centre; returns how many there are.

    ``start`` and as many of the others as there is room for are filled.
    """
    limit2, count = cutoff_A * cutoff_A, 0
    for k in range(len(centers)):
        i = centers[k]
        for b0 in range(bins[i, 0] - reach[0], bins[i, 0] + reach[0] + 1):
            m0 = b0 // n_bins[0]
            for b1 in range(bins[i, 1] - reach[1], bins[i, 1] + reach[1] + 1):
                m1 = b1 // n_bins[1]
                row = ((b0 - m0 * n_bins[0]) * n_bins[1] + b1 - m1 * n_bins[1]) * n_bins[2]
                for b2 in range(bins[i, 2] - reach[2], bins[i, 2] + reach[2] + 1):
                    m2 = b2 // n_bins[2]
                    box = row + b2 - m2 * n_bins[2]
                    if first[box] == first[box + 1]:
                        continue
                    # From the centre to where the cell of this image begins.
                    ox = m0 * lattice[0, 0] + m1 * lattice[1, 0] + m2 * lattice[2, 0]
                    oy = m0 * lattice[0, 1] + m1 * lattice[1, 1] + m2 * lattice[2, 1]
                    oz = m0 * lattice[0, 2] + m1 * lattice[1, 2] + m2 * lattice[2, 2]
                    ox, oy, oz = ox - position[i, 0], oy - position[i, 1], oz - position[i, 2]
                    for slot in range(first[box], first[box + 1]):
                        j = order[slot]
                        x, y, z = position[j, 0] + ox, position[j, 1] + oy, position[j, 2] + oz
                        d2 = x * x + y * y + z * z
                        if d2 > limit2 or (j == i and m0 == 0 and m1 == 0 and m2 == 0):
                            continue
                        if count < len(distance):
                            neighbor[count, 0] = j
                            neighbor[count, 1] = m0 - shift[j, 0] + shift[i, 0]
                            neighbor[count, 2] = m1 - shift[j, 1] + shift[i, 1]
                            neighbor[count, 3] = m2 - shift[j, 2] + shift[i, 2]
                            vector[count, 0], vector[count, 1], vector[count, 2] = x, y, z
                            distance[count] = math.sqrt(d2)
                        count += 1
        start[k + 1] = count
    return count


@njit(cache=True)
def _nearest_first(
    start: IntArray,
    neighbor: IntArray,
    vector: FloatArray,
    distance: FloatArray,
    rank: IntArray,
    spare: IntArray,
    sorted_neighbor: IntArray,
    sorted_vector: FloatArray,
    sorted_distance: FloatArray,
) -> None:
    """Sort the pairs of each centre by distance; equal ones keep their order.

    Into the last three arrays; ``rank`` and ``spare`` (n_pairs,) are working space. Short runs by
    insertion, then merged.
    """
    for k in range(len(start) - 1):
        begin, end, run = start[k], start[k + 1], 12
        for low in range(begin, end, run):
            for m in range(low, min(low + run, end)):
                value, at = distance[m], m
                while at > low and distance[rank[at - 1]] > value:
                    rank[at] = rank[at - 1]
                    at -= 1
                rank[at] = m
        while run < end - begin:
            for low in range(begin, end, 2 * run):
                middle, high = min(low + run, end), min(low + 2 * run, end)
                a, b = low, middle
                for m in range(low, high):
                    if a < middle and (b >= high or distance[rank[a]] <= distance[rank[b]]):
                        spare[m] = rank[a]
                        a += 1
                    else:
                        spare[m] = rank[b]
                        b += 1
            for m in range(begin, end):
                rank[m] = spare[m]
            run *= 2
        for m in range(begin, end):
            old = rank[m]
            sorted_distance[m] = distance[old]
            for x in range(3):
                sorted_vector[m, x] = vector[old, x]
            for x in range(4):
                sorted_neighbor[m, x] = neighbor[old, x]
