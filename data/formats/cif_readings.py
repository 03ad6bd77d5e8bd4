"""Of all ways to read a CIF block, the one that agrees with what the file says of itself.

A block may leave open the origin of its group, how near copies of an atom are one atom, or whether
occupancies hold the multiplicity. The usual reading comes first; another one is taken only where
the usual one contradicts the file and the other does not, and then a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..errors import StructureError
from ..records import FloatArray, Provenance, StructureRecord
from .cif_block import MAX_OVER, AtomRow, CifBlock
from .cif_checks import Disagreement, disagreements
from .cif_sites import Expansion, Merging, expand
from .cif_symmetry import StatedSymmetry
from .distances import close_pairs
from .operators import Symmetry
from .plausible import checked

_REACH_A: Final[float] = 3.0
"""How far contacts are looked at; only the shortest matter."""

_SHORT: Final[float] = 0.6
"""Shorter than this times the sum of covalent radii no contact is; V=O and U=O have 0.7."""

_WORSE: Final[float] = 0.85
"""A setting whose shortest contact is shorter than this times that of another one is worse."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """One way to read a block, with its remarks and differences."""

    cell: Expansion
    symmetry: Symmetry
    disagreements: tuple[Disagreement, ...]
    notes: tuple[str, ...] = ()
    contacts: bool = False
    """Atoms come closer than in another setting; judged where several are possible."""

    @property
    def rank(self) -> tuple[int, int, bool]:
        """The smaller, the better it agrees with the file."""
        grave = sum(one.grave for one in self.disagreements)
        return grave, len(self.disagreements), self.contacts


@dataclass(frozen=True, kw_only=True, eq=False)
class Crystal:
    """What all readings of a block share."""

    block: CifBlock
    rows: tuple[AtomRow, ...]
    lattice: FloatArray
    record_id: str
    provenance: Provenance

    def read(
        self, symmetry: Symmetry, rows: Sequence[AtomRow] | None = None, merging: Merging = "usual"
    ) -> Reading:
        """One reading.

        Raises
        ------
        StructureError
            If it gives no crystal.
        """
        rows = self.rows if rows is None else rows
        cell = expand(rows, symmetry, self.lattice, self.record_id, merging)
        volume_A3 = abs(float(np.linalg.det(self.lattice)))
        found = tuple(disagreements(self.block, rows, symmetry, cell, volume_A3))
        return Reading(cell=cell, symmetry=symmetry, disagreements=found, notes=cell.notes)

    def record(self, cell: Expansion, notes: tuple[str, ...] = ()) -> StructureRecord:
        """The structure of a reading."""
        return StructureRecord(
            id=self.record_id,
            lattice=self.lattice,
            species=cell.species,
            frac=cell.frac,
            provenance=self.provenance,
            notes=notes,
        )


def best_reading(crystal: Crystal, stated: StatedSymmetry) -> Reading:
    """The reading that agrees best.

    Raises
    ------
    StructureError
        If none gives a crystal, or the file contradicts itself and nothing settles it.
    """
    readings, first_error = _by_symmetry(crystal, stated.candidates)
    if not readings:
        assert first_error is not None
        raise first_error
    if len(stated.candidates) > 1:
        readings = _judged_by_contacts(crystal, readings, bool(stated.contradiction))
    best = min(readings, key=lambda one: one.rank)
    if stated.contradiction:
        _refuse_undecided(crystal, stated, readings, best)
        note = f"{stated.contradiction}: {best.symmetry.source} is used"
        best = _noted(best, note)
    elif sum(one.rank == best.rank for one in readings) > 1:
        best = _noted(
            best, f"the origin or the axes are not stated: {best.symmetry.source} is used"
        )
    if best.disagreements:
        best = next(_agreeing(crystal, best), best)
    return best


def _by_symmetry(
    crystal: Crystal, candidates: Sequence[Symmetry]
) -> tuple[list[Reading], StructureError | None]:
    readings, first_error = [], None
    for symmetry in candidates:
        try:
            readings.append(crystal.read(symmetry))
        except StructureError as error:
            first_error = first_error or error
    return readings, first_error


def _refuse_undecided(
    crystal: Crystal, stated: StatedSymmetry, readings: Sequence[Reading], best: Reading
) -> None:
    """A contradiction needs a reading that agrees with the rest of the file alone."""
    rivals = [
        one for one in readings if one.rank == best.rank and not _same_cell(one.cell, best.cell)
    ]
    if rivals:
        raise StructureError(
            f"{crystal.record_id}: {stated.contradiction}, and nothing else in the file settles "
            "which one holds; correct the operators or the name"
        )


def _same_cell(one: Expansion, other: Expansion) -> bool:
    return one.frac.shape == other.frac.shape and bool(np.abs(one.frac - other.frac).max() < 1e-4)


def _agreeing(crystal: Crystal, usual: Reading) -> Iterator[Reading]:
    """Readings of the same symmetry that agree with the file where the usual one does not."""
    wide: Merging = "wide"
    exact: Merging = "exact"
    rows = crystal.rows
    tries: list[tuple[Sequence[AtomRow], Merging, str]] = [
        (rows, exact, "atoms within 0.1 Å of their copies are kept apart"),
        (rows, wide, "copies of an atom within 0.5 Å are one atom"),
        (_multiplied(rows, usual), "usual", "occupancies hold the multiplicity and are multiplied"),
    ]
    for changed, merging, what in tries:
        try:
            other = crystal.read(usual.symmetry, changed, merging)
        except StructureError:
            continue
        if not other.disagreements:
            kept = replace(other, notes=tuple(dict.fromkeys((*usual.notes, *other.notes))))
            yield _noted(kept, f"{what}, as the file's formula or multiplicities ask")


def _multiplied(rows: Sequence[AtomRow], usual: Reading) -> list[AtomRow]:
    """Occupancies times the order of the site symmetry, as SHELX's .res files divide them."""
    changed = []
    for row, multiplicity in zip(rows, usual.cell.multiplicities, strict=True):
        full = row.occupancy * usual.symmetry.order / multiplicity
        # Digits of 0.0833 for 1/12 come back as 0.9996.
        occupancy = 1.0 if abs(full - 1.0) < 0.01 else full
        changed.append(replace(row, occupancy=occupancy if occupancy <= 1.0 else row.occupancy))
    return changed


def _noted(reading: Reading, note: str) -> Reading:
    return replace(reading, notes=(*reading.notes, note))


def _judged_by_contacts(
    crystal: Crystal, readings: Sequence[Reading], contradiction: bool
) -> list[Reading]:
    """Settings of one group that bring atoms closer than another one does are worse.

    Between two groups only contacts that cannot be count: the one with fewer operators always
    leaves atoms more room.
    """
    shortest = [_shortest_contact(crystal.record(one.cell)) for one in readings]
    limit = _SHORT if contradiction else _WORSE * max(shortest)
    return [
        replace(one, contacts=contact < limit)
        for one, contact in zip(readings, shortest, strict=True)
    ]


def _shortest_contact(record: StructureRecord) -> float:
    """Smallest distance over the sum of covalent radii, of atoms that exist together; at most 1."""
    import gemmi

    try:
        checked(record)
    except StructureError:
        return 0.0
    contents = record.species
    radius = [max(gemmi.Element(s.element).covalent_r for s in c) for c in contents]
    amount = [sum(s.occupancy for s in c) for c in contents]
    shortest = 1.0
    first, second, distance = close_pairs(record.lattice, record.frac, _REACH_A)
    for i, j, d in zip(first.tolist(), second.tolist(), distance.tolist(), strict=True):
        if amount[i] + amount[j] > MAX_OVER:
            shortest = min(shortest, d / (radius[i] + radius[j]))
    return shortest
