"""ASE ``Atoms``, of an extended XYZ frame or of a database row → structure record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import StructureError
from ..records import SiteContent, SiteSpecies, StructureRecord
from .cif_block import MAX_SITES
from .entries import entry_id
from .entry import (
    GAP_NAMES,
    HULL_NAMES,
    Context,
    Entry,
    finite_or_none,
    first_number,
    guarded,
    with_values,
)
from .symbols import required_element


def atoms_entry(atoms: Any, info: Mapping[str, Any], fallback: str, context: Context) -> Entry:
    """One structure with the stability values that stand beside it.

    Parameters
    ----------
    atoms : ase.Atoms
    info : mapping
        Values of the frame or of the row.
    fallback : str
        Identifier if the values hold none.
    context : Context
    """
    record_id = entry_id(info, fallback)
    names = (context.stability_field,) if context.stability_field else HULL_NAMES

    def with_stability(record: StructureRecord) -> StructureRecord:
        return with_values(
            record,
            first_number(info, names),
            first_number(info, GAP_NAMES),
            _energy_eV_atom(atoms, info),
        )

    return guarded(context, record_id, lambda: _record(atoms, record_id, context), with_stability)


def _record(atoms: Any, record_id: str, context: Context) -> StructureRecord:
    if not atoms.pbc.all():
        raise StructureError(f"{record_id}: not periodic in three dimensions")
    if len(atoms) > MAX_SITES:
        raise StructureError(f"{record_id}: {len(atoms)} sites in the cell, more than {MAX_SITES}")
    lattice = np.asarray(atoms.cell.array, dtype=np.float64)
    try:
        frac = np.asarray(atoms.positions, dtype=np.float64) @ np.linalg.inv(lattice)
    except np.linalg.LinAlgError:
        raise StructureError(f"{record_id}: the lattice is flat") from None
    return StructureRecord(
        id=record_id,
        lattice=lattice,
        species=_contents(atoms, record_id),
        frac=frac,
        provenance=context.provenance,
    )


def _contents(atoms: Any, record_id: str) -> tuple[SiteContent, ...]:
    """Elements, or what ASE's reader of CIFs keeps of a disordered crystal beside them."""
    shares = atoms.info.get("occupancy")
    if shares is None:
        return tuple(
            (SiteSpecies(required_element(s, record_id)),) for s in atoms.get_chemical_symbols()
        )
    kinds = atoms.arrays.get("spacegroup_kinds")
    if not isinstance(shares, Mapping) or kinds is None:
        raise StructureError(
            f"{record_id}: its partial occupancies cannot be told apart; give the CIF instead"
        )
    by_kind = {str(kind): dict(share) for kind, share in shares.items()}
    return tuple(
        tuple(
            SiteSpecies(required_element(symbol, record_id), float(share))
            for symbol, share in sorted(by_kind[str(kind)].items())
        )
        for kind in kinds
    )


def _energy_eV_atom(atoms: Any, info: Mapping[str, Any]) -> float | None:
    """The energy of an attached calculator, else that among the values."""
    results = getattr(atoms.calc, "results", {}) if atoms.calc is not None else {}
    energy = finite_or_none(results.get("energy", info.get("energy")))
    return None if energy is None else energy / len(atoms)
