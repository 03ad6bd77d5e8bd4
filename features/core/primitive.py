"""The smallest cell of a crystal: its translations, the lattice they span, one atom of each.

Files often give conventional cells, two to four times as large as need be. No descriptor depends
on the cell; their cost does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray, StructureRecord

EXACT_A: Final[float] = 1e-7
"""A crystal repeats where its atoms do to this, Å. Coarser translations, of files of eight digits
and fewer, are left alone: numbers would change with them, if only in their seventh digit."""


def primitive(record: StructureRecord) -> StructureRecord:
    """The record in its primitive cell; as it is where its cell is primitive, or it is disordered.

    Cells of disordered crystals are left as they are, for messages that name their sites.
    """
    if not record.is_ordered:
        return record
    kind = record.dominant_atomic_numbers
    translations = pure_translations(record.lattice, record.frac, kind, EXACT_A)
    if len(translations) == 1:
        return record
    lattice = minkowski_reduced(finer_lattice(record.lattice, translations))
    frac = record.frac @ record.lattice @ np.linalg.inv(lattice)
    first, _ = merge_coincident(lattice, frac, kind, 2 * EXACT_A)
    if len(first) * len(translations) != len(frac):
        return record
    species = tuple(record.species[k] for k in first)
    return replace(record, lattice=lattice, species=species, frac=frac[first])


def pure_translations(
    lattice: FloatArray, frac: FloatArray, kind: IntArray, tolerance_A: float
) -> FloatArray:
    """Fractional translations that map the atoms onto themselves, the zero one included.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    kind : array (n,)
        Atoms of different kinds never coincide.
    tolerance_A : float
        Å; two atoms closer than this after a translation are the same atom.

    Returns
    -------
    array (n_translations, 3)
    """
    counts = np.bincount(kind)
    # The number of translations divides every count: a common divisor of 1 ends the search.
    if np.gcd.reduce(counts) == 1:
        return np.zeros((1, 3))
    rarest = (kind == np.where(counts > 0, counts, len(kind) + 1).argmin()).nonzero()[0]
    candidates = frac[rarest] - frac[rarest[0]]
    found = _self_translations(np.array(lattice), np.array(frac), kind, candidates, tolerance_A)
    return candidates[found] - np.rint(candidates[found])


@njit(cache=True)
def _self_translations(
    lattice: FloatArray, frac: FloatArray, kind: IntArray, candidates: FloatArray, tolerance: float
) -> np.ndarray:
    n = len(frac)
    found = np.zeros(len(candidates), dtype=np.bool_)
    for c in range(len(candidates)):
        complete = True
        for a in range(n):
            hit = False
            for b in range(n):
                if kind[a] == kind[b]:
                    u = frac[a, 0] + candidates[c, 0] - frac[b, 0]
                    v = frac[a, 1] + candidates[c, 1] - frac[b, 1]
                    w = frac[a, 2] + candidates[c, 2] - frac[b, 2]
                    u -= np.rint(u)
                    v -= np.rint(v)
                    w -= np.rint(w)
                    distance2 = 0.0
                    for k in range(3):
                        x = u * lattice[0, k] + v * lattice[1, k] + w * lattice[2, k]
                        distance2 += x * x
                    if distance2 < tolerance * tolerance:
                        hit = True
                        break
            if not hit:
                complete = False
                break
        found[c] = complete
    return found


def finer_lattice(lattice: FloatArray, translations: FloatArray) -> FloatArray:
    """Lattice spanned by the cell and the translations found in it."""
    n = len(translations)
    if n == 1:
        return lattice
    # Translations form a group of order n, so n times each is an integer vector.
    rows = [[int(x) for x in row] for row in np.rint(translations * n)]
    rows += [[n if i == j else 0 for j in range(3)] for i in range(3)]
    basis = np.array(_integer_basis(rows), dtype=np.float64) / n
    return basis @ lattice


def _integer_basis(rows: list[list[int]]) -> list[list[int]]:
    """Basis of the lattice spanned by integer rows (Hermite normal form, three columns)."""
    basis = []
    for column in range(3):
        while True:
            active = [r for r in rows if r[column] != 0]
            if len(active) <= 1:
                break
            pivot = min(active, key=lambda r: abs(r[column]))
            for row in active:
                if row is not pivot:
                    factor = row[column] // pivot[column]
                    for k in range(3):
                        row[k] -= factor * pivot[k]
        basis.append(active[0])
        rows = [r for r in rows if r is not active[0]]
    return basis


def minkowski_reduced(lattice: FloatArray) -> FloatArray:
    """Right-handed basis of the same lattice with the shortest possible vectors.

    Parameters
    ----------
    lattice : array (3, 3), Å

    Notes
    -----
    Greedy reduction in three dimensions: Nguyen & Stehlé 2004, 10.1007/978-3-540-24847-7_26.
    """
    basis = np.array(lattice, dtype=np.float64)
    _reduce(basis)
    return basis


# Loops over numbers, here and in other kernels: expressions of arrays take seconds to compile.
@njit(cache=True)
def _reduce(basis: FloatArray) -> None:
    """Reduce the rows of a basis in place."""
    length2, shorter, gram = np.empty(3), np.empty(3), np.empty((3, 3))
    for _ in range(200):
        _products(basis, gram)
        for x in range(3):
            length2[x] = round(gram[x, x], 9)
        # A stable sort by length.
        for low, high in ((0, 1), (1, 2), (0, 1)):
            if length2[high] < length2[low]:
                length2[low], length2[high] = length2[high], length2[low]
                for x in range(3):
                    basis[low, x], basis[high, x] = basis[high, x], basis[low, x]
        _products(basis, gram)
        if abs(gram[0, 1]) * 2 > gram[0, 0] * 1.0000001:
            times = np.rint(gram[0, 1] / gram[0, 0])
            for x in range(3):
                basis[1, x] -= times * basis[0, x]
            continue
        if _from_plane(basis, gram, shorter) >= gram[2, 2] * (1 - 1e-9):
            break
        for x in range(3):
            basis[2, x] = shorter[x]
    volume = 0.0
    for x in range(3):
        y, z = (x + 1) % 3, (x + 2) % 3
        volume += basis[0, x] * (basis[1, y] * basis[2, z] - basis[1, z] * basis[2, y])
    if volume < 0:
        for x in range(3):
            for y in range(3):
                basis[x, y] = -basis[x, y]


@njit(cache=True)
def _products(basis: FloatArray, gram: FloatArray) -> None:
    """Scalar products of all rows, into ``gram`` (3, 3)."""
    for i in range(3):
        for j in range(3):
            gram[i, j] = 0.0
            for x in range(3):
                gram[i, j] += basis[i, x] * basis[j, x]


@njit(cache=True)
def _from_plane(basis: FloatArray, gram: FloatArray, vector: FloatArray) -> float:
    """From the closest point of the lattice of the first two rows to the third, into ``vector``.

    ``gram`` holds the scalar products. Returns the square of the vector.
    """
    aa, ab, bb, ap, bp = gram[0, 0], gram[0, 1], gram[1, 1], gram[0, 2], gram[1, 2]
    area2 = aa * bb - ab * ab
    m, n = np.floor((bb * ap - ab * bp) / area2), np.floor((aa * bp - ab * ap) / area2)
    least = np.inf
    for i in range(-1, 3):
        for j in range(-1, 3):
            square = 0.0
            for x in range(3):
                square += (basis[2, x] - (m + i) * basis[0, x] - (n + j) * basis[1, x]) ** 2
            # The first of those that are equally close, whatever the rounding.
            if square < least * (1 - 1e-12):
                least = square
                for x in range(3):
                    vector[x] = basis[2, x] - (m + i) * basis[0, x] - (n + j) * basis[1, x]
    return least


def merge_coincident(
    lattice: FloatArray, frac: FloatArray, kind: IntArray, tolerance_A: float
) -> tuple[IntArray, IntArray]:
    """First of each set of coinciding atoms, and to which of them each atom belongs.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    kind : array (n,)
        Atoms of different kinds never coincide.
    tolerance_A : float
        Å; atoms closer than this coincide.

    Returns
    -------
    first : array (n_distinct,)
    belongs : array (n,)
        Number of the set of each atom.
    """
    found: tuple[IntArray, IntArray] = _coincident(lattice, frac, kind, tolerance_A)
    return found


@njit(cache=True)
def _coincident(
    lattice: FloatArray, frac: FloatArray, kind: IntArray, tolerance: float
) -> tuple[IntArray, IntArray]:
    n = len(frac)
    belongs = np.empty(n, dtype=np.int64)
    first = np.empty(n, dtype=np.int64)
    count = 0
    for a in range(n):
        belongs[a] = -1
        for c in range(count):
            b = first[c]
            if kind[a] == kind[b]:
                distance2 = 0.0
                u, v, w = frac[a, 0] - frac[b, 0], frac[a, 1] - frac[b, 1], frac[a, 2] - frac[b, 2]
                u, v, w = u - np.rint(u), v - np.rint(v), w - np.rint(w)
                for k in range(3):
                    x = u * lattice[0, k] + v * lattice[1, k] + w * lattice[2, k]
                    distance2 += x * x
                if distance2 < tolerance * tolerance:
                    belongs[a] = c
                    break
        if belongs[a] < 0:
            belongs[a] = count
            first[count] = a
            count += 1
    return first[:count].copy(), belongs
