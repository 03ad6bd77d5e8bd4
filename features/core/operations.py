"""Symmetry operations of a crystal, and whether its group depends on the tolerance.

A search to a wide tolerance finds every operation that maps the worst atom near one of its kind.
Where each of them fits to a narrow tolerance, every tolerance in between finds this one group, and
no other search is needed. Where some do not (a distortion of a more symmetric crystal), the caller
asks a library that weighs them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray

SAFETY: Final[float] = 2.5
"""Searched so much farther than the tolerance in question: an operation is judged by the
translation that takes one atom exactly onto another, which may be up to twice as bad as the
best."""

_MOST = 96
"""A primitive cell has at most 48."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Operations:
    """Operations f → f · rotation + translation that map a crystal onto itself.

    Attributes
    ----------
    rotation : array (n, 3, 3)
        Integer.
    translation : array (n, 3)
        From 0 to 1.
    image : array (n, n_atoms)
        The atom that each atom is mapped onto.
    is_clear : bool
        No other operation is nearly one.
    """

    rotation: IntArray
    translation: FloatArray
    image: IntArray
    is_clear: bool


def find_operations(
    *,
    lattice: FloatArray,
    frac: FloatArray,
    kind: IntArray,
    origin: int,
    fit_A: tuple[float, float],
    reach_A: float,
    bend: float,
) -> Operations:
    """All operations that fit, and whether others nearly do.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced, of a primitive cell.
    frac : array (n, 3)
        At least one atom.
    kind : array (n,)
    origin : int
        The atom that is mapped exactly; of a kind with few atoms, for the sake of time.
    fit_A : tuple of 2 float
        An operation fits where no atom ends farther than the first of these, Å, from one of its
        kind, and no length of a basis vector, Å, and no scalar product of two, Å², changes by more
        than the second.
    reach_A : float
        Å. Of atoms and of lengths: what ends within it is nearly an operation.
    bend : float
        The same of cosines between basis vectors.
    """
    rotation, target, image, is_clear = _search(
        np.ascontiguousarray(lattice, dtype=np.float64),
        np.ascontiguousarray(frac, dtype=np.float64),
        np.ascontiguousarray(kind, dtype=np.int64),
        origin,
        fit_A[0],
        fit_A[1],
        reach_A,
        bend,
    )
    translation = frac[target] - frac[origin] @ rotation
    # What differs from a whole number by rounding alone is whole.
    translation -= np.floor(translation + 1e-6)
    return Operations(rotation=rotation, translation=translation, image=image, is_clear=is_clear)


@njit(cache=True)
def _search(
    lattice: FloatArray,
    frac: FloatArray,
    kind: IntArray,
    origin: int,
    fit: float,
    fit_strain: float,
    reach: float,
    bend: float,
) -> tuple[IntArray, IntArray, IntArray, bool]:
    """Rotations, the atoms that they take ``origin`` to, images, and whether no others are near."""
    n, count, is_clear = len(frac), 0, True
    rotation, target = np.empty((_MOST, 3, 3), np.int64), np.empty(_MOST, np.int64)
    image = np.empty((_MOST, n), np.int64)
    corner, alike, n_alike, strain = _alike_vectors(lattice, reach)
    turned, turn = np.empty((3, 3)), np.empty((3, 3))
    for i in range(n_alike[0]):
        for j in range(n_alike[1]):
            for k in range(n_alike[2]):
                c = corner[alike[0, i]], corner[alike[1, j]], corner[alike[2, k]]
                volume = 0
                for x in range(3):
                    y, z = (x + 1) % 3, (x + 2) % 3
                    volume += c[0][x] * (c[1][y] * c[2][z] - c[1][z] * c[2][y])
                if volume != 1 and volume != -1:
                    continue
                for x in range(3):
                    for y in range(3):
                        turn[x, y] = c[x][y]
                bent, changed = _bent(lattice, turn, turned)
                for axis, which in ((0, i), (1, j), (2, k)):
                    changed = max(changed, strain[axis, alike[axis, which]])
                if bent > bend or (changed > fit_strain and not is_clear):
                    continue
                for r in range(n):
                    if kind[r] != kind[origin]:
                        continue
                    # One that nearly fits says enough: from there on only those that do.
                    within = reach if is_clear else fit
                    worst = _worst(lattice, frac, kind, turn, origin, r, within, image[count])
                    if worst < 0.0:
                        continue
                    if worst > fit or changed > fit_strain or count == _MOST - 1:
                        is_clear = False
                        continue
                    for x in range(3):
                        for y in range(3):
                            rotation[count, x, y] = c[x][y]
                    target[count] = r
                    count += 1
    return rotation[:count], target[:count], image[:count], is_clear


@njit(cache=True)
def _alike_vectors(
    lattice: FloatArray, reach: float
) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Short lattice vectors, those about as long as each basis vector, and the differences."""
    corner, alike = np.empty((27, 3), np.int64), np.empty((3, 27), np.int64)
    n_alike, strain = np.zeros(3, np.int64), np.empty((3, 27))
    for v in range(27):
        corner[v, 0], corner[v, 1], corner[v, 2] = v // 9 - 1, v // 3 % 3 - 1, v % 3 - 1
        square = 0.0
        for x in range(3):
            along = 0.0
            for y in range(3):
                along += corner[v, y] * lattice[y, x]
            square += along * along
        for axis in range(3):
            own = 0.0
            for x in range(3):
                own += lattice[axis, x] * lattice[axis, x]
            strain[axis, v] = abs(math.sqrt(square) - math.sqrt(own))
            if strain[axis, v] <= reach:
                alike[axis, n_alike[axis]] = v
                n_alike[axis] += 1
    return corner, alike, n_alike, strain


@njit(cache=True)
def _bent(lattice: FloatArray, turn: FloatArray, turned: FloatArray) -> tuple[float, float]:
    """Largest change of a cosine between basis vectors, and of a scalar product, Å².

    ``turned`` (3, 3) is working space.
    """
    for x in range(3):
        for y in range(3):
            turned[x, y] = 0.0
            for z in range(3):
                turned[x, y] += turn[x, z] * lattice[z, y]
    bent = changed = 0.0
    for x in range(3):
        y = (x + 1) % 3
        own = new = aa = bb = cc = dd = 0.0
        for z in range(3):
            own += lattice[x, z] * lattice[y, z]
            new += turned[x, z] * turned[y, z]
            aa += lattice[x, z] * lattice[x, z]
            bb += lattice[y, z] * lattice[y, z]
            cc += turned[x, z] * turned[x, z]
            dd += turned[y, z] * turned[y, z]
        bent = max(bent, abs(own / math.sqrt(aa * bb) - new / math.sqrt(cc * dd)))
        changed = max(changed, abs(own - new))
    return bent, changed


@njit(cache=True)
def _worst(
    lattice: FloatArray,
    frac: FloatArray,
    kind: IntArray,
    turn: FloatArray,
    origin: int,
    target: int,
    reach: float,
    image: IntArray,
) -> float:
    """Largest distance of an atom from its image, Å, if ``origin`` is mapped onto ``target``.

    −1 where an atom has none in reach. The images go into ``image`` (n,).
    """
    worst2 = 0.0
    for a in range(len(frac)):
        u, v, w = (
            frac[a, 0] - frac[origin, 0],
            frac[a, 1] - frac[origin, 1],
            frac[a, 2] - frac[origin, 2],
        )
        p = u * turn[0, 0] + v * turn[1, 0] + w * turn[2, 0] + frac[target, 0]
        q = u * turn[0, 1] + v * turn[1, 1] + w * turn[2, 1] + frac[target, 1]
        s = u * turn[0, 2] + v * turn[1, 2] + w * turn[2, 2] + frac[target, 2]
        nearest2, image[a] = reach * reach, -1
        for b in range(len(frac)):
            if kind[b] != kind[a]:
                continue
            i, j, k = p - frac[b, 0], q - frac[b, 1], s - frac[b, 2]
            i, j, k = i - np.rint(i), j - np.rint(j), k - np.rint(k)
            square = 0.0
            for x in range(3):
                along = i * lattice[0, x] + j * lattice[1, x] + k * lattice[2, x]
                square += along * along
            if square <= nearest2:
                nearest2, image[a] = square, b
                # Atoms of one kind are farther apart than that.
                break
        if image[a] < 0:
            return -1.0
        worst2 = max(worst2, nearest2)
    return math.sqrt(worst2)
