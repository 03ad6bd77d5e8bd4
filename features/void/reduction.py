"""Basis and origin of a periodic set of atoms that are its own, and its symmetry.

A cell can be chosen in endless ways; a grid over it should not change with the choice. So: in the
smallest cell (:mod:`..core.primitive`), pick basis and origin by the atoms themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from ..core.periodic import heights_A

SAME_ATOM_A: Final[float] = 1e-3
"""Two atoms closer than this after an operation are the same atom."""

_SAME_LENGTH_A = 1e-4
_SAME_READING = 1e-7
_SIMILAR_READING = 1e-3
"""Coordinates of four digits make frames that symmetry relates differ by so much."""
_PROBE_A = 6.0
_PROBE = np.array([0.37, 0.23, 0.41])
_CORNERS = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)])


def symmetric_frames(lattice: FloatArray) -> FloatArray:
    """All bases of a lattice that are as short and have the same angles as the best one.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced.

    Returns
    -------
    array (n_frames, 3, 3)
        Right- and left-handed; two of a triclinic lattice, 48 of a cubic one. The set does not
        depend on the basis given.
    """
    vectors = _CORNERS @ lattice
    length = np.linalg.norm(vectors, axis=1)
    wanted = np.sort(np.linalg.norm(lattice, axis=1))
    a, b, c = (vectors[np.abs(length - w) < _SAME_LENGTH_A] for w in wanted)
    volume = abs(float(np.linalg.det(lattice)))
    # By hand, for np.cross takes longer than all of the rest.
    left, right = b[:, None, [1, 2, 0]], c[None, :, [2, 0, 1]]
    cross = left * right - b[:, None, [2, 0, 1]] * c[None, :, [1, 2, 0]]
    signed = np.einsum("ix,jkx->ijk", a, cross)
    i, j, k = np.nonzero(np.abs(np.abs(signed) - volume) < 1e-3 * volume)
    products = np.stack([(a[i] * b[j]).sum(1), (a[i] * c[k]).sum(1), (b[j] * c[k]).sum(1)], axis=1)
    # Several shapes may have equal edges (60° or 120°): take the most acute.
    best = np.ones(len(i), dtype=bool)
    for column in range(3):
        best &= products[:, column] > products[best, column].max() - _SAME_LENGTH_A
    return np.stack([a[i], b[j], c[k]], axis=1)[best]


@dataclass(frozen=True, eq=False)
class Frames:
    """Bases and origins in which a crystal looks (nearly) the same.

    Attributes
    ----------
    lattice : array (n_frames, 3, 3), Å
        The first is the crystal's own, whatever the cell it was given in.
    origin_A : array (n_frames, 3), Å
        Cartesian positions of atoms of the rarest element.
    """

    lattice: FloatArray
    origin_A: FloatArray


def canonical_frames(lattice: FloatArray, frac: FloatArray, z: IntArray) -> Frames:
    """Basis and origin that depend on the crystal alone, up to its own symmetry.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced.
    frac : array (n, 3)
        Atoms.
    z : array (n,)
        Atomic numbers.

    Returns
    -------
    Frames
        The frame of the crystal, then those that symmetry may map it onto.

    Notes
    -----
    Every such atom with every equally good basis is a candidate. A smooth density of the atoms is
    read at a general point of each candidate frame and the highest reading wins. Candidates with
    the same reading are related by symmetry, so any grid in them is the same grid.
    """
    counts = np.bincount(z)
    rarest = np.flatnonzero(counts[z] == counts[counts > 0].min())
    rarest = rarest[z[rarest] == z[rarest].min()]
    frames = symmetric_frames(lattice)
    reach = _PROBE_A / heights_A(lattice) + 1e-9
    images, atom = periodic_images(frac - np.floor(frac), reach)
    origins = frac[rarest] @ lattice
    probes = (origins[:, None] + _PROBE @ frames).reshape(-1, 3) @ np.linalg.inv(lattice)
    probes -= np.floor(probes)
    reading = _density(probes @ lattice, images @ lattice, z[atom].astype(np.float64), _PROBE_A)
    winner = int(np.argmax(reading > reading.max() * (1.0 - _SAME_READING)))
    alike = np.flatnonzero(np.abs(reading - reading[winner]) < _SIMILAR_READING * reading[winner])
    order = np.concatenate([[winner], alike[alike != winner]])
    return Frames(frames[order % len(frames)], origins[order // len(frames)])


@dataclass(frozen=True, eq=False)
class CellSymmetry:
    """Operations f → f · rotation + translation that map the atoms of a cell onto themselves.

    Attributes
    ----------
    rotation : array (n_operations, 3, 3)
        Integer; the identity is one of them. In an order that depends on the set alone.
    translation : array (n_operations, 3)
        From 0 to 1.
    first_atom : array (n_atoms,)
        The first of the atoms that each is mapped onto.
    """

    rotation: IntArray
    translation: FloatArray
    first_atom: IntArray


def symmetry_operations(frames: Frames, frac: FloatArray, kind: IntArray) -> CellSymmetry:
    """Operations that map the atoms onto themselves, from the frames in which they look alike.

    Parameters
    ----------
    frames : Frames
    frac : array (n, 3)
        Atoms in the first of the frames.
    kind : array (n,)
    """
    inverse = np.linalg.inv(frames.lattice[0])
    rotation = np.rint(frames.lattice @ inverse).astype(np.int64)
    translation = (frames.origin_A - frames.origin_A[0]) @ inverse
    # What differs from a whole number by rounding alone is whole.
    translation -= np.floor(translation + 1e-6)
    found, image = mapped_onto_itself(frames.lattice[0], frac, kind, rotation, translation)
    chosen = np.flatnonzero(found)
    chosen = chosen[np.lexsort(rotation[chosen].reshape(len(chosen), 9).T)]
    return CellSymmetry(rotation[chosen], translation[chosen], image[chosen].min(axis=0))


@njit(cache=True)
def mapped_onto_itself(
    lattice: FloatArray,
    frac: FloatArray,
    kind: IntArray,
    rotation: IntArray,
    translation: FloatArray,
) -> tuple[np.ndarray, IntArray]:
    """Which operations map every atom onto one of its kind, and onto which.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    kind : array (n,)
    rotation : array (n_operations, 3, 3)
        Integer matrices of the lattice.
    translation : array (n_operations, 3)

    Returns
    -------
    found : bool array (n_operations,)
    image : array (n_operations, n)
        −1 where there is none.
    """
    found = np.ones(len(rotation), dtype=np.bool_)
    image = np.full((len(rotation), len(frac)), -1, dtype=np.int64)
    moved, apart = np.empty(3), np.empty(3)
    for g in range(len(rotation)):
        for a in range(len(frac)):
            for x in range(3):
                moved[x] = translation[g, x]
                for y in range(3):
                    moved[x] += frac[a, y] * rotation[g, y, x]
            for b in range(len(frac)):
                if kind[b] != kind[a]:
                    continue
                for x in range(3):
                    apart[x] = moved[x] - frac[b, x]
                    apart[x] -= np.rint(apart[x])
                square = 0.0
                for x in range(3):
                    along = 0.0
                    for y in range(3):
                        along += apart[y] * lattice[y, x]
                    square += along * along
                if square < SAME_ATOM_A * SAME_ATOM_A:
                    image[g, a] = b
                    break
            if image[g, a] < 0:
                found[g] = False
                break
    return found, image


@njit(cache=True)
def _density(points, position, weight, cutoff):  # type: ignore[no-untyped-def]
    out = np.zeros(len(points))
    for p in range(len(points)):
        for a in range(len(position)):
            x = position[a, 0] - points[p, 0]
            y = position[a, 1] - points[p, 1]
            z = position[a, 2] - points[p, 2]
            t = 1.0 - (x * x + y * y + z * z) / (cutoff * cutoff)
            if t > 0.0:
                out[p] += weight[a] * t * t * t
    return out


@njit(cache=True)
def periodic_images(frac, reach):  # type: ignore[no-untyped-def]
    """Copies of atoms with fractional coordinates between −reach and 1 + reach, and their atoms."""
    total = 0
    for fill in range(2):
        if fill == 1:
            out = np.empty((total, 3))
            index = np.empty(total, dtype=np.int64)
            total = 0
        for a in range(len(frac)):
            lo0 = int(np.ceil(-reach[0] - frac[a, 0]))
            hi0 = int(np.floor(1.0 + reach[0] - frac[a, 0]))
            lo1 = int(np.ceil(-reach[1] - frac[a, 1]))
            hi1 = int(np.floor(1.0 + reach[1] - frac[a, 1]))
            lo2 = int(np.ceil(-reach[2] - frac[a, 2]))
            hi2 = int(np.floor(1.0 + reach[2] - frac[a, 2]))
            for i in range(lo0, hi0 + 1):
                for j in range(lo1, hi1 + 1):
                    for k in range(lo2, hi2 + 1):
                        if fill == 1:
                            out[total, 0] = frac[a, 0] + i
                            out[total, 1] = frac[a, 1] + j
                            out[total, 2] = frac[a, 2] + k
                            index[total] = a
                        total += 1
    return out, index
