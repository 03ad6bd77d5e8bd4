"""The smallest supercell whose periodic images keep their distance.

All sublattices of a given index are the Hermite normal forms of that determinant; the image
distance of each is the shortest lattice vector it contains, found by testing the short vectors of
the parent lattice for membership. No cell of more atoms is looked at than is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from ...data.errors import InputError
from ...data.records import FloatArray, IntArray

IMAGE_SHARE: Final[float] = 0.9
"""A cell "near 10 Å" keeps periodic images at least 9 Å apart."""


class Supercell(NamedTuple):
    """An integer matrix and what it gives."""

    matrix: IntArray
    """Rows are the new vectors in units of the old, shape (3, 3); compact."""
    image_distance_A: float
    """Distance of an atom from its nearest periodic image, Å."""
    near_target: bool
    """False where the largest allowed cell still falls short of the target."""


def find_supercell(
    lattice: FloatArray,
    n_atoms: int,
    target_A: float = 10.0,
    max_atoms: int = 240,
    accepts: Callable[[int], bool] | None = None,
) -> Supercell:
    """Find the smallest supercell with image distance near the target.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Primitive cell, rows are vectors.
    n_atoms : int
        Atoms in it.
    target_A : float
        Wanted image distance, Å; 0.9 of it is enough.
    max_atoms : int
        No larger cell is tried; the one with the most distant images is taken then.
    accepts : callable, optional
        Multiples that may be used, for disorder that needs whole atoms.

    Raises
    ------
    InputError
        If no multiple fits into ``max_atoms``.
    """
    best: Supercell | None = None
    for multiple in range(1, max_atoms // n_atoms + 1):
        if accepts is not None and not accepts(multiple):
            continue
        found = best_of_multiple(lattice, multiple, target_A)
        if best is None or found.image_distance_A > best.image_distance_A + 1e-6:
            best = found
        if found.near_target:
            return found
    if best is None:
        raise InputError(
            f"no supercell of at most {max_atoms} atoms from a cell of {n_atoms} atoms makes its "
            "disorder whole; allow more atoms or give an ordered structure"
        )
    return best


def hermite_normal_forms(multiple: int) -> IntArray:
    """All lower-triangular integer matrices of a determinant, one for each sublattice.

    Santoro & Mighell, Acta Cryst. A28, 284 (1972).

    Returns
    -------
    array (m, 3, 3)
    """
    forms = []
    for a in _divisors(multiple):
        for c in _divisors(multiple // a):
            f = multiple // (a * c)
            # Entries below the diagonal are reduced by the diagonal of their own column.
            b, d, e = np.mgrid[0:a, 0:a, 0:c]
            block = np.zeros((b.size, 3, 3), dtype=np.int64)
            block[:, 0, 0], block[:, 1, 1], block[:, 2, 2] = a, c, f
            block[:, 1, 0], block[:, 2, 0], block[:, 2, 1] = b.ravel(), d.ravel(), e.ravel()
            forms.append(block)
    return np.concatenate(forms)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def best_of_multiple(lattice: FloatArray, multiple: int, target_A: float) -> Supercell:
    """The supercell of so many primitive cells whose images are farthest apart."""
    forms = hermite_normal_forms(multiple)
    distance = image_distances(lattice, forms, reach_A=1.2 * target_A)
    winner = int(np.argmax(np.round(distance, 6)))
    matrix = _compact(lattice, forms[winner])
    near = bool(distance[winner] >= IMAGE_SHARE * target_A)
    return Supercell(matrix, float(distance[winner]), near)


def image_distances(lattice: FloatArray, forms: IntArray, reach_A: float) -> FloatArray:
    """Shortest vector of each sublattice, Å; ``reach_A`` where it is longer.

    Parameters
    ----------
    lattice : array (3, 3), Å
    forms : array (m, 3, 3)
        Integer matrices.
    reach_A : float
        Vectors up to this length are looked at, Å.

    Returns
    -------
    array (m,)
    """
    vectors, lengths = _short_vectors(lattice, reach_A)
    # v belongs to the sublattice when its coordinates in the new cell are whole.
    inverse = np.linalg.inv(forms)
    coordinates = np.einsum("kj,mji->mki", vectors, inverse)
    inside = (np.abs(coordinates - np.rint(coordinates)) < 1e-6).all(axis=2)
    return np.where(inside, lengths, reach_A).min(axis=1, initial=reach_A)


def _short_vectors(lattice: FloatArray, reach_A: float) -> tuple[IntArray, FloatArray]:
    """Half of the lattice vectors within reach (v and −v are the same here)."""
    spacing = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    limits = np.floor(reach_A / spacing).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in limits), indexing="ij"), -1)
    vectors = grid.reshape(-1, 3)[: len(grid.reshape(-1, 3)) // 2]
    lengths = np.linalg.norm(vectors @ lattice, axis=1)
    kept = lengths <= reach_A
    return vectors[kept], lengths[kept]


def _compact(lattice: FloatArray, form: IntArray) -> IntArray:
    """The same sublattice by its shortest vectors, right-handed (LLL)."""
    from pymatgen.core import Lattice

    reduced = Lattice(form @ lattice).get_lll_reduced_lattice().matrix
    matrix = np.rint(reduced @ np.linalg.inv(lattice)).astype(np.int64)
    return matrix if np.linalg.det(matrix) > 0 else -matrix
