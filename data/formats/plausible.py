"""Checks that every structure passes, whatever file it comes from: contacts and density."""

from __future__ import annotations

from typing import Final

from ..errors import StructureError
from ..records import StructureRecord
from .distances import close_pairs

TOUCHING_A: Final[float] = 0.5
"""Closer than this no two nuclei come: the bond of H₂ has 0.74 Å."""

CROWDED_A3: Final[float] = 2.0
"""Volume per atom, Å³; diamond has 5.7, hydrogen in a metal 2 to 3."""

SPACIOUS_A3: Final[float] = 60.0
"""Volume per atom, Å³, that only alkali metals and empty cells exceed."""

EMPTY_A3: Final[float] = 250.0
"""Volume per atom, Å³, that no crystal exceeds; caesium has 117."""

_ROOM: Final[float] = 1.1


def checked(record: StructureRecord) -> StructureRecord:
    """The record itself, if its atoms have room and no more than that.

    Raises
    ------
    StructureError
        With the sites and their distance, or the volume per atom.
    """
    _check_density(record)
    _check_contacts(record)
    return record


def _check_density(record: StructureRecord) -> None:
    n_atoms = sum(record.composition.values())
    per_atom = record.volume_A3 / n_atoms
    if per_atom > EMPTY_A3:
        raise StructureError(
            f"{record.id}: {per_atom:.3g} Å³ an atom, more than any crystal has; is the cell in "
            "pm, or are atoms missing?"
        )
    if per_atom < CROWDED_A3:
        raise StructureError(
            f"{record.id}: {per_atom:.2g} Å³ an atom, less than any crystal has; is the cell in "
            "nm, or are atoms listed twice?"
        )


def _check_contacts(record: StructureRecord) -> None:
    """Two atoms on one place, unless they are alternatives whose occupancies fit into one site."""
    pairs = close_pairs(record.lattice, record.frac, TOUCHING_A)
    for i, j, distance in zip(*(array.tolist() for array in pairs), strict=True):
        contents = record.species[i], record.species[j]
        total = sum(s.occupancy for content in contents for s in content)
        if total > _ROOM:
            names = ["/".join(s.element for s in content) for content in contents]
            raise StructureError(
                f"{record.id}: sites {i + 1} ({names[0]}) and {j + 1} ({names[1]}) are "
                f"{distance:.2f} Å apart, and their occupancies add up to {total:.3g}; no two "
                "atoms come so close"
            )
