"""From an asymmetric unit to all sites of a cell, by the operations of a Hall symbol (gemmi)."""

from __future__ import annotations

from typing import Final

import numpy as np

from .records import FloatArray

_SAME_SITE_A: Final[float] = 0.02
"""Images closer than this are one site: far below any bond, far above the six printed digits."""

_PRIMITIVE_BASIS: Final[dict[str, tuple[tuple[float, ...], ...]]] = {
    "P": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "A": ((1, 0, 0), (0, 0.5, -0.5), (0, 0.5, 0.5)),
    "B": ((0.5, 0, -0.5), (0, 1, 0), (0.5, 0, 0.5)),
    "C": ((0.5, -0.5, 0), (0.5, 0.5, 0), (0, 0, 1)),
    "I": ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5)),
    "F": ((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)),
    "R": ((2 / 3, 1 / 3, 1 / 3), (-1 / 3, 1 / 3, 1 / 3), (-1 / 3, -2 / 3, 1 / 3)),
}
"""Primitive lattice vectors (rows) in the conventional basis, by centring letter."""


def lattice_matrix(cell: tuple[float, ...]) -> FloatArray:
    """Lattice vectors of cell parameters.

    Parameters
    ----------
    cell : tuple of float
        a, b, c in Å; alpha, beta, gamma in degrees.

    Returns
    -------
    array (3, 3), Å
        Rows a, b, c, with a along x and b in the xy plane.
    """
    import gemmi

    return np.array(gemmi.UnitCell(*cell).orth.mat.tolist(), dtype=np.float64).T


def centring_letter(hall: str) -> str:
    """Centring letter of a Hall symbol: P, A, B, C, I, F or R."""
    import gemmi

    return str(gemmi.symops_from_hall(hall).find_centering())


def primitive_lattice(lattice: FloatArray, centring: str) -> FloatArray:
    """Rows of the primitive lattice (3, 3), Å, of a conventional one; ``P`` returns the same."""
    vectors: FloatArray = np.array(_PRIMITIVE_BASIS[centring], dtype=np.float64) @ lattice
    return vectors


def orbits(
    points: FloatArray, hall: str, lattice: FloatArray, centring: str = "P"
) -> list[FloatArray]:
    """All distinct images of each point.

    Parameters
    ----------
    points : array (n, 3)
        Fractional coordinates in the conventional cell.
    hall : str
        Hall symbol of the setting.
    lattice : array (3, 3), Å
        Conventional lattice.
    centring : str
        Count images modulo the primitive lattice of this letter, and return them in its basis;
        ``P`` keeps the conventional cell.

    Returns
    -------
    list of n arrays (multiplicity, 3)
        Fractional coordinates in [0, 1]. A point within 0.02 Å of a special position is put on it.
    """
    import gemmi

    group = gemmi.symops_from_hall(hall)
    rotations = np.array([op.rot for op in group], dtype=np.float64) / gemmi.Op.DEN
    translations = np.array([op.tran for op in group], dtype=np.float64) / gemmi.Op.DEN
    to_primitive = np.linalg.inv(np.array(_PRIMITIVE_BASIS[centring], dtype=np.float64))
    vectors = primitive_lattice(lattice, centring)
    found = []
    for point in points:
        special = _on_special_position(point, rotations, translations, lattice)
        images = (rotations @ special + translations) @ to_primitive
        found.append(_distinct(images - np.floor(images), vectors))
    return found


def _on_special_position(
    point: FloatArray, rotations: FloatArray, translations: FloatArray, lattice: FloatArray
) -> FloatArray:
    """Average a point over its site symmetry: 0.333333 becomes 1/3 exactly."""
    images = rotations @ point + translations
    shifts = images - point
    shifts -= np.round(shifts)
    stabiliser = np.linalg.norm(shifts @ lattice, axis=1) < _SAME_SITE_A
    averaged: FloatArray = point + shifts[stabiliser].mean(axis=0)
    return averaged


def _distinct(frac: FloatArray, lattice: FloatArray) -> FloatArray:
    """Images of one orbit that differ modulo the lattice, in order of first appearance."""
    # Three-fold special positions leave 0.9999999: the nearest-image difference absorbs it.
    differences = frac[:, None] - frac[None, :]
    differences -= np.round(differences)
    same = np.linalg.norm(differences @ lattice, axis=2) < _SAME_SITE_A
    first: FloatArray = frac[same.argmax(axis=1) == np.arange(len(frac))]
    return first
