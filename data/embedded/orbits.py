"""From an asymmetric unit to all sites of a cell, by the operations of a Hall symbol (gemmi)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import StructureError
from ..records import FloatArray

BoolArray = NDArray[np.bool_]

SAME_POINT_A: Final[float] = 0.05
"""Images of a site closer than this are one point: far below any distance between atoms."""

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


@lru_cache(maxsize=64)
def _operations(hall: str) -> tuple[FloatArray, FloatArray]:
    """Rotations (n, 3, 3) and translations (n, 3) of a space group, centring included."""
    import gemmi

    operations = list(gemmi.symops_from_hall(hall))
    rotations = np.array([o.rot for o in operations], dtype=np.float64) / gemmi.Op.DEN
    shifts = np.array([o.tran for o in operations], dtype=np.float64) / gemmi.Op.DEN
    return rotations, shifts


def expand_site(hall: str, lattice: FloatArray, point: FloatArray) -> FloatArray:
    """All positions of a site under a space group.

    Parameters
    ----------
    hall : str
        Hall symbol of the group in the setting of ``lattice``.
    lattice : array (3, 3), Å
        Rows are the lattice vectors.
    point : array (3,), fractional
        One position of the site; a rounded special position is put back on its symmetry element.

    Returns
    -------
    array (multiplicity, 3), fractional, in [0, 1)

    Raises
    ------
    StructureError
        If the images do not form whole cosets: the point lies near, but not on, a symmetry element.
    """
    rotations, shifts = _operations(hall)
    images = rotations @ point + shifts
    offset = images - point
    offset -= np.round(offset)
    fixing = np.linalg.norm(offset @ lattice, axis=1) < SAME_POINT_A
    # Averaging over the stabiliser restores 1/3 from 0.333333 and keeps free coordinates.
    exact = point + offset[fixing].mean(axis=0)
    images = rotations @ exact + shifts
    images -= np.floor(images)
    kept = images[_first_of_each(images, lattice)]
    if len(kept) * int(fixing.sum()) != len(rotations):
        raise StructureError(
            f"site at {point.tolist()} has {len(kept)} images and {int(fixing.sum())} fixing "
            f"operations in {hall!r}, not {len(rotations)} together; move it on or off the element"
        )
    return kept


def expand_site_primitive(
    hall: str, lattice: FloatArray, point: FloatArray, centring: str
) -> FloatArray:
    """All positions of a site in a primitive cell.

    Parameters
    ----------
    hall, lattice, point
        As :func:`expand_site`, for the conventional cell.
    centring : str
        Letter of :func:`centring_letter`; ``P`` returns what :func:`expand_site` does.

    Returns
    -------
    array (multiplicity per primitive cell, 3), fractional in :func:`primitive_lattice`
    """
    basis = np.array(_PRIMITIVE_BASIS[centring], dtype=np.float64)
    images = expand_site(hall, lattice, point) @ np.linalg.inv(basis)
    images -= np.floor(images)
    return images[_first_of_each(images, basis @ lattice)]


def _first_of_each(frac: FloatArray, lattice: FloatArray) -> BoolArray:
    """True for points that differ, modulo the lattice, from all earlier ones."""
    # Three-fold positions leave 0.9999999: the nearest-image difference absorbs it.
    gaps = frac[:, None] - frac[None, :]
    gaps -= np.round(gaps)
    same = np.linalg.norm(gaps @ lattice, axis=2) < SAME_POINT_A
    return np.asarray(same.argmax(axis=1) == np.arange(len(frac)))
