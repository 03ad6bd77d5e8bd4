"""Rows of a CIF and its operators → the sites of the cell.

The same for ordered and for disordered crystals: copies of one atom by symmetry become one site
where they fall together, then atoms of different rows on one place become one mixed site with
their occupancies added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

import numpy as np

from ..errors import StructureError
from ..records import FloatArray, IntArray, SiteContent, SiteSpecies
from .cif_block import MAX_OVER, MAX_SITES, AtomRow
from .distances import close_pairs
from .operators import Symmetry

SAME_PLACE_A: Final[float] = 0.1
"""Atoms this close share one place: coordinates of three digits in a cell of 25 Å miss a special
position by up to 0.05 Å, and no refinement tells positions apart that are closer."""

EXACT_A: Final[float] = 1e-3
SPLIT_A: Final[float] = 0.5
"""Closer than this, two atoms cannot exist together: they are alternatives, or the same atom."""

_GRID: Final[int] = 999_983
"""Steps a cell edge is divided into; a prime, so that no decimal lies half way between steps."""

_ROUNDS: Final[int] = 5
"""Steps to a special position; the second finds the first confirmed, but for wide merging."""

Merging = Literal["usual", "exact", "wide"]
"""``usual``: copies within 0.1 Å are one atom, and within 0.5 Å where their occupancies do not fit
into one site. ``exact``: only copies within 0.001 Å. ``wide``: all within 0.5 Å."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Expansion:
    """All sites of the cell.

    Parameters
    ----------
    frac : array (n_sites, 3)
    species : tuple of site contents
    multiplicities : tuple of int, one a row
        Equivalent positions of each row.
    content : dict
        Atoms in the cell by element.
    uncertainty : dict
        By how much the digits of the occupancies leave the content open.
    notes : tuple of str
    """

    frac: FloatArray
    species: tuple[SiteContent, ...]
    multiplicities: tuple[int, ...]
    content: dict[str, float]
    uncertainty: dict[str, float]
    notes: tuple[str, ...]


def expand(
    rows: Sequence[AtomRow],
    symmetry: Symmetry,
    lattice: FloatArray,
    record_id: str,
    merging: Merging = "usual",
) -> Expansion:
    """Apply the operators to every row and merge what falls together.

    Parameters
    ----------
    rows : sequence of AtomRow
    symmetry : Symmetry
    lattice : array (3, 3), Å
    record_id : str
    merging : {'usual', 'exact', 'wide'}

    Raises
    ------
    StructureError
        If the cell would hold too many sites, or atoms lie on each other that cannot share a
        place.
    """
    orbits = []
    n_sites = 0
    for row in rows:
        orbits.append(_orbit(row, symmetry, lattice, merging))
        n_sites += len(orbits[-1])
        if n_sites > MAX_SITES:
            raise StructureError(
                f"{record_id}: more than {MAX_SITES} sites in the cell; give a unit cell"
            )
    frac = np.concatenate(orbits)
    origin = np.repeat(np.arange(len(rows)), [len(orbit) for orbit in orbits])
    places = _places(frac, lattice)
    species, notes = _contents(rows, origin, places, record_id)
    merged = _centres(frac, origin, places, rows)
    content: dict[str, float] = {}
    uncertainty: dict[str, float] = {}
    for one in chain.from_iterable(species):
        content[one.element] = content.get(one.element, 0.0) + one.occupancy
    for row, orbit in zip(rows, orbits, strict=True):
        error = len(orbit) * row.occupancy_error
        uncertainty[row.element] = uncertainty.get(row.element, 0.0) + error
    return Expansion(
        frac=merged,
        species=species,
        multiplicities=tuple(len(orbit) for orbit in orbits),
        content=content,
        uncertainty=uncertainty,
        notes=notes,
    )


def _orbit(row: AtomRow, symmetry: Symmetry, lattice: FloatArray, merging: Merging) -> FloatArray:
    """Equivalent positions of a row, each once, shape (multiplicity, 3)."""
    frac = np.array(row.frac) - np.floor(row.frac)
    reach = {"usual": SAME_PLACE_A, "exact": EXACT_A, "wide": SPLIT_A}[merging]
    images, shift, distance = _images(frac, symmetry, lattice)
    # Atoms that cannot be there together must fit into one site, or they are one atom.
    crowd, near = int((distance <= SPLIT_A).sum()), int((distance <= reach).sum())
    if merging == "usual" and row.occupancy * crowd > MAX_OVER * near:
        reach, near = SPLIT_A, crowd
    if near == 1:
        folded: FloatArray = images - np.floor(images)
        return folded
    for _ in range(_ROUNDS):
        # The mean over the operators that keep the atom lies on the symmetry element itself.
        frac = frac + shift[distance <= reach].mean(axis=0)
        images, shift, distance = _images(frac, symmetry, lattice)
        if (distance <= EXACT_A).sum() == (distance <= reach).sum():
            break
    return _different(images, lattice, near)


def _images(
    frac: FloatArray, symmetry: Symmetry, lattice: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Images of a point, their shifts to the nearest copy of the point, and lengths of these."""
    images = symmetry.rotations @ frac + symmetry.translations
    shift = images - frac
    shift -= np.rint(shift)
    return images, shift, np.sqrt(((shift @ lattice) ** 2).sum(axis=1))


def _different(images: FloatArray, lattice: FloatArray, n_alike: int) -> FloatArray:
    """One of each group of images that fall together, in the order of the operators.

    Images of a point on its symmetry element agree to rounding, ``n_alike`` of each; whole numbers
    tell them apart. Where that does not come out even, distances decide.
    """
    folded = images - np.floor(images)
    digits = np.rint(folded * _GRID).astype(np.int64) % _GRID
    key = (digits[:, 0] * _GRID + digits[:, 1]) * _GRID + digits[:, 2]
    _, first = np.unique(key, return_index=True)
    if len(first) * n_alike != len(images):
        _, first = np.unique(_places(folded, lattice), return_index=True)
    kept: FloatArray = folded[np.sort(first)]
    return kept


def _places(frac: FloatArray, lattice: FloatArray) -> IntArray:
    """For every point the smallest index of a point at its place."""
    first, second, _ = close_pairs(lattice, frac, SAME_PLACE_A)
    labels = np.arange(len(frac))
    if not len(first):
        return labels
    while True:
        lower = labels.copy()
        np.minimum.at(lower, second, labels[first])
        np.minimum.at(lower, first, labels[second])
        if (lower == labels).all():
            return labels
        labels = lower


def _contents(
    rows: Sequence[AtomRow], origin: IntArray, places: IntArray, record_id: str
) -> tuple[tuple[SiteContent, ...], tuple[str, ...]]:
    """Species of every place; a note where occupancies add up to a little more than 1."""
    at_place: dict[int, list[int]] = {}
    for point, place in enumerate(places.tolist()):
        at_place.setdefault(place, []).append(int(origin[point]))
    contents = {key: _content(rows, key, record_id) for key in set(map(tuple, at_place.values()))}
    notes = sorted({note for _, note in contents.values() if note})
    species = tuple(contents[tuple(found)][0] for found in at_place.values())
    return species, tuple(notes)


def _content(
    rows: Sequence[AtomRow], members: tuple[int, ...], record_id: str
) -> tuple[SiteContent, str]:
    shares: dict[tuple[str, float | None], float] = {}
    for member in members:
        row = rows[member]
        key = (row.element, row.charge)
        shares[key] = shares.get(key, 0.0) + row.occupancy
    total = sum(shares.values())
    labels = ", ".join(dict.fromkeys(rows[m].label for m in members))
    if total > MAX_OVER:
        what = "lie on one place" if len(members) > 1 else "is over-occupied"
        raise StructureError(
            f"{record_id}: sites {labels} {what}, and their occupancies add up to {total:.3g}"
        )
    note = ""
    if total > 1.0 + 1e-3:
        note = f"occupancies on site {labels} add up to {total:.3f}: scaled to 1"
    scale = 1.0 / total if total > 1.0 else 1.0
    content = [SiteSpecies(e, share * scale, state) for (e, state), share in shares.items()]
    return tuple(sorted(content, key=repr) if len(content) > 1 else content), note


def _centres(
    frac: FloatArray, origin: IntArray, places: IntArray, rows: Sequence[AtomRow]
) -> FloatArray:
    """Position of every place: the mean of its atoms, weighted by occupancy."""
    kept, inverse = np.unique(places, return_inverse=True)
    # A row's first point has the smallest index of its place, which keeps the file's order.
    if len(kept) == len(frac):
        return frac
    weight = np.array([row.occupancy for row in rows])[origin]
    offset = frac - frac[places]
    offset -= np.rint(offset)
    total = np.bincount(inverse, weight)
    centres = frac[kept].copy()
    for axis in range(3):
        centres[:, axis] += np.bincount(inverse, weight * offset[:, axis]) / total
    return centres
