"""Periodic pair search: the compiled kernel behind every neighbour list."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..data.records import FloatArray, IntArray

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
    lattice = np.ascontiguousarray(lattice, dtype=np.float64)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    # More bins than atoms would only be empty.
    n_bins = np.clip(2.0 * heights / cutoff_A, 1, np.cbrt(8.0 * len(frac)) + 1).astype(np.int64)
    reach = np.ceil(cutoff_A * n_bins / heights * (1 + 1e-12)).astype(np.int64)
    return _search(
        lattice,
        np.ascontiguousarray(frac, dtype=np.float64),
        float(cutoff_A),
        np.ascontiguousarray(centers, dtype=np.int64),
        n_bins,
        reach,
    )


@njit(cache=True)
def _search(lattice, frac, cutoff_A, centers, n_bins, reach):  # type: ignore[no-untyped-def]
    shift, first, order, bins = _fill_bins(frac, n_bins)
    n = len(centers)
    start = np.zeros(n + 1, dtype=np.int64)
    size = max(64, 64 * n)
    neighbor = np.empty((size, 4), dtype=np.int64)
    vector = np.empty((size, 3))
    distance = np.empty(size)
    image = np.empty(3, dtype=np.int64)
    count = 0
    for k in range(n):
        i = centers[k]
        for b0 in range(bins[i, 0] - reach[0], bins[i, 0] + reach[0] + 1):
            image[0] = b0 // n_bins[0]
            for b1 in range(bins[i, 1] - reach[1], bins[i, 1] + reach[1] + 1):
                image[1] = b1 // n_bins[1]
                for b2 in range(bins[i, 2] - reach[2], bins[i, 2] + reach[2] + 1):
                    image[2] = b2 // n_bins[2]
                    box = (
                        (b0 - image[0] * n_bins[0]) * n_bins[1] + b1 - image[1] * n_bins[1]
                    ) * n_bins[2] + (b2 - image[2] * n_bins[2])
                    for slot in range(first[box], first[box + 1]):
                        j = order[slot]
                        # Both atoms are folded into the cell for the search.
                        f0 = frac[j, 0] - shift[j, 0] + image[0] - frac[i, 0] + shift[i, 0]
                        f1 = frac[j, 1] - shift[j, 1] + image[1] - frac[i, 1] + shift[i, 1]
                        f2 = frac[j, 2] - shift[j, 2] + image[2] - frac[i, 2] + shift[i, 2]
                        x = f0 * lattice[0, 0] + f1 * lattice[1, 0] + f2 * lattice[2, 0]
                        y = f0 * lattice[0, 1] + f1 * lattice[1, 1] + f2 * lattice[2, 1]
                        z = f0 * lattice[0, 2] + f1 * lattice[1, 2] + f2 * lattice[2, 2]
                        d2 = x * x + y * y + z * z
                        if d2 > cutoff_A * cutoff_A:
                            continue
                        if j == i and image[0] == 0 and image[1] == 0 and image[2] == 0:
                            continue
                        if count == size:
                            size *= 2
                            neighbor = _longer(neighbor, np.empty((size, 4), dtype=np.int64))
                            vector = _longer(vector, np.empty((size, 3)))
                            distance = _longer(distance, np.empty(size))
                        neighbor[count, 0] = j
                        for a in range(3):
                            neighbor[count, 1 + a] = image[a] - shift[j, a] + shift[i, a]
                        vector[count, 0], vector[count, 1], vector[count, 2] = x, y, z
                        distance[count] = np.sqrt(d2)
                        count += 1
        start[k + 1] = count
    rank = np.empty(count, dtype=np.int64)
    for k in range(n):
        low, high = start[k], start[k + 1]
        rank[low:high] = low + np.argsort(distance[low:high], kind="mergesort")
    return start, neighbor[rank], vector[rank], distance[rank]


@njit(cache=True)
def _fill_bins(frac, n_bins):  # type: ignore[no-untyped-def]
    """Fold atoms into the cell and sort them by bin."""
    n = len(frac)
    shift = np.empty((n, 3), dtype=np.int64)
    bins = np.empty((n, 3), dtype=np.int64)
    box = np.empty(n, dtype=np.int64)
    first = np.zeros(n_bins[0] * n_bins[1] * n_bins[2] + 1, dtype=np.int64)
    for i in range(n):
        for a in range(3):
            shift[i, a] = int(np.floor(frac[i, a]))
            bins[i, a] = min(int((frac[i, a] - shift[i, a]) * n_bins[a]), n_bins[a] - 1)
        box[i] = (bins[i, 0] * n_bins[1] + bins[i, 1]) * n_bins[2] + bins[i, 2]
        first[box[i] + 1] += 1
    first = np.cumsum(first)
    return shift, first, np.argsort(box, kind="mergesort"), bins


@njit(cache=True)
def _longer(old, new):  # type: ignore[no-untyped-def]
    new[: len(old)] = old
    return new
