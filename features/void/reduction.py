"""Basis and origin of a periodic set of atoms that are its own, and its symmetry.

A cell can be chosen in endless ways; a grid over it should not change with the choice. So: in the
smallest cell (:mod:`..core.primitive`), pick basis and origin by the atoms themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from ..core.operations import SAFETY, find_operations
from ..core.periodic import heights_A

SAME_ATOM_A: Final[float] = 1e-3
"""Two atoms closer than this after an operation are the same atom."""

NEARLY_A: Final[float] = 0.1 * SAFETY
NEARLY_BENT: Final[float] = 0.11
"""What site symmetries at 0.1 Å and 5° could take for an operation."""

_SAME_LENGTH_A = 1e-4
_SAME_READING = 1e-7
_PROBE_A = 6.0
_PROBE = np.array([0.37, 0.23, 0.41])


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
    vector, alike = np.empty((27, 3)), np.empty((3, 27), dtype=np.int64)
    count = np.zeros(3, dtype=np.int64)
    _vectors_as_long(np.ascontiguousarray(lattice, dtype=np.float64), vector, alike, count)
    room = int(count.prod())
    triple = np.empty((room, 3), dtype=np.int64)
    n = _frames(np.array(lattice), vector, alike, count, triple, np.empty((room, 3)))
    return np.asarray(vector[triple[:n]])


@njit(cache=True)
def _frames(
    lattice: FloatArray,
    vector: FloatArray,
    alike: IntArray,
    count: IntArray,
    triple: IntArray,
    product: FloatArray,
) -> int:
    """List the vectors of each frame in ``triple``; returns how many frames there are."""
    n, volume, cross = 0, 0.0, np.empty(3)
    for x in range(3):
        y, z = (x + 1) % 3, (x + 2) % 3
        volume += lattice[0, x] * (lattice[1, y] * lattice[2, z] - lattice[1, z] * lattice[2, y])
    for i in range(count[0]):
        for j in range(count[1]):
            a, b = vector[alike[0, i]], vector[alike[1, j]]
            for x in range(3):
                y, z = (x + 1) % 3, (x + 2) % 3
                cross[x] = a[y] * b[z] - a[z] * b[y]
            for k in range(count[2]):
                c = vector[alike[2, k]]
                signed = c[0] * cross[0] + c[1] * cross[1] + c[2] * cross[2]
                if abs(abs(signed) - abs(volume)) < 1e-3 * abs(volume):
                    triple[n, 0], triple[n, 1], triple[n, 2] = alike[0, i], alike[1, j], alike[2, k]
                    product[n, 0] = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
                    product[n, 1] = a[0] * c[0] + a[1] * c[1] + a[2] * c[2]
                    product[n, 2] = b[0] * c[0] + b[1] * c[1] + b[2] * c[2]
                    n += 1
    # Several shapes may have equal edges (60° or 120°): take the most acute.
    for column in range(3):
        most, kept = -np.inf, 0
        for m in range(n):
            most = max(most, product[m, column])
        for m in range(n):
            if product[m, column] > most - _SAME_LENGTH_A:
                for x in range(3):
                    triple[kept, x], product[kept, x] = triple[m, x], product[m, x]
                kept += 1
        n = kept
    return n


@njit(cache=True)
def _vectors_as_long(
    lattice: FloatArray, vector: FloatArray, alike: IntArray, count: IntArray
) -> None:
    """Short lattice vectors, and those as long as the shortest basis vector, the next, the last."""
    length, wanted = np.empty(27), np.empty(3)
    for v in range(27):
        square = 0.0
        for x in range(3):
            vector[v, x] = (
                (v // 9 - 1) * lattice[0, x]
                + (v // 3 % 3 - 1) * lattice[1, x]
                + (v % 3 - 1) * lattice[2, x]
            )
            square += vector[v, x] * vector[v, x]
        length[v] = math.sqrt(square)
    wanted[0], wanted[1], wanted[2] = length[22], length[16], length[14]
    for turn in range(3):
        low = turn % 2
        if wanted[low + 1] < wanted[low]:
            wanted[low], wanted[low + 1] = wanted[low + 1], wanted[low]
    for axis in range(3):
        for v in range(27):
            if abs(length[v] - wanted[axis]) < _SAME_LENGTH_A:
                alike[axis, count[axis]] = v
                count[axis] += 1


@dataclass(frozen=True, eq=False)
class CrystalFrame:
    """The basis and origin in which a crystal is described.

    Attributes
    ----------
    lattice : array (3, 3), Å
    origin_A : array (3,), Å
        Cartesian position of an atom of the rarest element.
    origin : int
        That atom.
    """

    lattice: FloatArray
    origin_A: FloatArray
    origin: int


def canonical_frame(lattice: FloatArray, frac: FloatArray, z: IntArray) -> CrystalFrame:
    """Basis and origin that depend on the crystal alone, up to its own symmetry.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced.
    frac : array (n, 3)
        Atoms.
    z : array (n,)
        Atomic numbers.

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
    number = winner // len(frames)
    return CrystalFrame(frames[winner % len(frames)], origins[number], int(rarest[number]))


@dataclass(frozen=True, kw_only=True, eq=False)
class CellSymmetry:
    """Operations f → f · rotation + translation that map the atoms of a cell onto themselves.

    Attributes
    ----------
    rotation : array (n_operations, 3, 3)
        Integer; the identity is one of them. In an order that depends on the set alone.
    translation : array (n_operations, 3)
        From 0 to 1.
    image : array (n_operations, n_atoms)
        The atom that each is mapped onto.
    is_clear : bool
        No other operation is nearly one, within :data:`NEARLY_A` and :data:`NEARLY_BENT`.
    """

    rotation: IntArray
    translation: FloatArray
    image: IntArray
    is_clear: bool

    @cached_property
    def first_atom(self) -> IntArray:
        """The first of the atoms that each is mapped onto, shape (n_atoms,)."""
        return np.asarray(self.image.min(axis=0))


def cell_symmetry(
    lattice: FloatArray, frac: FloatArray, kind: IntArray, origin: int
) -> CellSymmetry:
    """Operations that map the atoms onto themselves to a thousandth of an ångström.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced.
    frac : array (n, 3)
    kind : array (n,)
    origin : int
        Atom that translations are taken from.
    """
    found = find_operations(
        lattice=lattice,
        frac=frac,
        kind=kind,
        origin=origin,
        fit_A=(SAME_ATOM_A, _SAME_LENGTH_A),
        reach_A=NEARLY_A,
        bend=NEARLY_BENT,
    )
    order = np.lexsort(found.rotation.reshape(-1, 9).T)
    return CellSymmetry(
        rotation=found.rotation[order],
        translation=found.translation[order],
        image=found.image[order],
        is_clear=found.is_clear,
    )


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


def periodic_images(frac: FloatArray, reach: FloatArray) -> tuple[FloatArray, IntArray]:
    """Copies of atoms with fractional coordinates between −reach and 1 + reach, and their atoms."""
    low = np.ceil(-reach - frac).astype(np.int64)
    high = np.floor(1.0 + reach - frac).astype(np.int64) + 1
    total = int(np.maximum(high - low, 0).prod(axis=1).sum())
    out, index = np.empty((total, 3)), np.empty(total, dtype=np.int64)
    _write_images(frac, low, high, out, index)
    return out, index


@njit(cache=True)
def _write_images(
    frac: FloatArray, low: IntArray, high: IntArray, out: FloatArray, index: IntArray
) -> None:
    n = 0
    for a in range(len(frac)):
        for i in range(low[a, 0], high[a, 0]):
            for j in range(low[a, 1], high[a, 1]):
                for k in range(low[a, 2], high[a, 2]):
                    out[n, 0], out[n, 1], out[n, 2] = frac[a, 0] + i, frac[a, 1] + j, frac[a, 2] + k
                    index[n] = a
                    n += 1
