"""The prepared structure: roles and one neighbour list, the only thing descriptors take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..data.errors import RoleError
from ..data.records import StructureRecord
from .atoms import Atoms
from .elements import covalent_radii_A
from .neighbors import NeighborList, neighbor_list
from .roles import Roles, assign_roles

CUTOFF_A: Final[float] = 6.0
"""Reach of the shared neighbour list: covers 1.40 × the largest covalent sum (Cs–I, 5.4 Å)."""

_EXCLUSIVE_RATIO = 0.55


@dataclass(frozen=True, eq=False)
class PreparedStructure:
    """A structure with everything that descriptors share.

    Attributes
    ----------
    record : StructureRecord
    atoms : Atoms
        Expanded atoms; index arrays of roles and neighbours refer to these.
    roles : Roles
    neighbors : NeighborList
        Pairs within 6 Å that can exist together: alternatives of one split or mixed site,
        whose occupancies sum to at most 1, are left out.
    """

    record: StructureRecord
    atoms: Atoms
    roles: Roles
    neighbors: NeighborList


def prepare(record: StructureRecord, mobile: str = "Li") -> PreparedStructure:
    """Expand, find neighbours, assign roles: once per structure.

    Raises
    ------
    RoleError
        If the mobile species is absent, atoms overlap, or no anion can be assigned.
    """
    atoms = Atoms.from_record(record)
    everything = neighbor_list(atoms.lattice, atoms.frac, CUTOFF_A)
    neighbors = everything.keep(_can_coexist(atoms, everything))
    return PreparedStructure(record, atoms, assign_roles(atoms, neighbors, mobile), neighbors)


def _can_coexist(atoms: Atoms, pairs: NeighborList) -> np.ndarray:
    """False for alternatives of one disordered position; full atoms on top of each other raise."""
    radii = covalent_radii_A()
    i, j = pairs.center, pairs.neighbor
    reach = _EXCLUSIVE_RATIO * (radii[atoms.z[i]] + radii[atoms.z[j]])
    overlapping = pairs.distance_A < np.where(np.isfinite(reach), reach, 0.5)
    exclusive = overlapping & (atoms.occupancy[i] + atoms.occupancy[j] <= 1.0 + 2e-3)
    partial = (atoms.occupancy[i] < 0.999) | (atoms.occupancy[j] < 0.999)
    impossible = overlapping & ~exclusive & ~partial
    if impossible.any():
        first = int(np.flatnonzero(impossible)[0])
        raise RoleError(
            f"{atoms.id}: sites {atoms.site[i[first]]} and {atoms.site[j[first]]} are "
            f"{pairs.distance_A[first]:.2f} Å apart, closer than atoms can be"
        )
    return ~overlapping
