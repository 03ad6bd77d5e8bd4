"""The door: pymatgen ``Structure`` ↔ :class:`StructureRecord`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import StructureError
from .records import Provenance, SiteSpecies, StructureRecord

if TYPE_CHECKING:
    from pymatgen.core import Structure


def from_pymatgen(
    structure: Structure, record_id: str, provenance: Provenance | None = None
) -> StructureRecord:
    """Turn a pymatgen structure into a record; oxidation states are kept where it has them.

    Raises
    ------
    StructureError
        If a species is not an element (dummy species) or the numbers are not physical.
    """
    contents = []
    for index, site in enumerate(structure):
        content = []
        for species, occupancy in site.species.items():
            symbol = getattr(getattr(species, "element", species), "symbol", str(species))
            oxidation = getattr(species, "oxi_state", None)
            symbol = "H" if symbol in ("D", "T") else symbol
            content.append(
                SiteSpecies(
                    symbol, float(occupancy), None if oxidation is None else float(oxidation)
                )
            )
        if not content:
            raise StructureError(f"{record_id}: site {index} has no species")
        contents.append(tuple(sorted(content)) if len(content) > 1 else tuple(content))
    return StructureRecord(
        id=record_id,
        lattice=structure.lattice.matrix,
        species=tuple(contents),
        frac=structure.frac_coords,
        provenance=provenance or Provenance(source="unknown"),
    )


def to_pymatgen(record: StructureRecord, oxidation_states: bool = False) -> Structure:
    """Turn a record into a pymatgen structure, without oxidation states unless asked for."""
    from pymatgen.core import Lattice, Species, Structure

    contents = [
        {
            (
                Species(s.element, s.oxidation)
                if oxidation_states and s.oxidation is not None
                else s.element
            ): s.occupancy
            for s in content
        }
        for content in record.species
    ]
    return Structure(Lattice(record.lattice), contents, record.frac)
