"""Expanded atoms: every species of every site as one weighted atom, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.records import FloatArray, IntArray, StructureRecord


@dataclass(frozen=True, eq=False, kw_only=True)
class Atoms:
    """A structure as arrays; for an ordered crystal atoms and sites coincide.

    Attributes
    ----------
    id : str
    lattice : array (3, 3), Å
    frac : array (n_atoms, 3)
    z : array (n_atoms,)
        Atomic numbers.
    occupancy : array (n_atoms,)
        Between 0 and 1; mixed and partly occupied sites have several atoms on one point.
    site : array (n_atoms,)
        Index of the site in the record.
    given_oxidation : array (n_atoms,)
        From the source; NaN where it gives none.
    """

    id: str
    lattice: FloatArray
    frac: FloatArray
    z: IntArray
    occupancy: FloatArray
    site: IntArray
    given_oxidation: FloatArray
    is_disordered: bool

    @classmethod
    def from_record(cls, record: StructureRecord) -> Atoms:
        """Expand the sites of a record."""
        if record.has_whole_sites:
            given = [np.nan if c[0].oxidation is None else c[0].oxidation for c in record.species]
            return cls(
                id=record.id,
                lattice=record.lattice,
                frac=record.frac.copy(),
                z=record.dominant_atomic_numbers,
                occupancy=np.ones(record.n_sites),
                site=np.arange(record.n_sites),
                given_oxidation=np.array(given, dtype=np.float64),
                is_disordered=False,
            )
        rows = [
            (index, ATOMIC_NUMBER[s.element], s.occupancy, s.oxidation)
            for index, content in enumerate(record.species)
            for s in content
        ]
        site = np.array([row[0] for row in rows], dtype=np.int64)
        oxidation = [np.nan if row[3] is None else row[3] for row in rows]
        return cls(
            id=record.id,
            lattice=record.lattice,
            frac=record.frac[site],
            z=np.array([row[1] for row in rows], dtype=np.int64),
            occupancy=np.minimum([row[2] for row in rows], 1.0),
            site=site,
            given_oxidation=np.array(oxidation, dtype=np.float64),
            is_disordered=not record.is_ordered,
        )

    @cached_property
    def volume_A3(self) -> float:
        """Cell volume, Å³."""
        return abs(float(np.linalg.det(self.lattice)))


def weighted_mean(values: FloatArray, weight: FloatArray) -> float:
    """Mean with weights; a fraction of the cost of ``np.average`` on short arrays."""
    return float(values @ weight) / float(np.add.reduce(weight))


def weighted_spread(values: FloatArray, weight: FloatArray) -> float:
    """Standard deviation with weights."""
    total = float(np.add.reduce(weight))
    away = values - float(values @ weight) / total
    return (float((away * away) @ weight) / total) ** 0.5
