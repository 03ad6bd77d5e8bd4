"""Structures and atoms of a plan, as the writers of input files want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...data.convert import to_pymatgen
from ...data.records import StructureRecord
from ..jobs.plan import Plan

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def structure_of(record: StructureRecord) -> Structure:
    """Ordered structure without charges, as input writers want it."""
    return to_pymatgen(record)


def atoms_of(plan: Plan) -> Atoms:
    """ASE atoms with starting moments."""
    from ase import Atoms

    record = plan.record
    return Atoms(
        [content[0].element for content in record.species],
        scaled_positions=record.frac,
        cell=record.lattice,
        pbc=True,
        magmoms=plan.moments if plan.spin_polarised else None,
    )
