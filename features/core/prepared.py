"""The prepared structure: roles and one neighbour list, the only thing descriptors take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np

from ...data.errors import FeatureError, RoleError
from ...data.records import IntArray, StructureRecord
from .atoms import Atoms
from .neighbors import NeighborList, covalent_sums_A, neighbor_list
from .primitive import pure_translations
from .roles import Roles, assign_roles

if TYPE_CHECKING:
    from pymatgen.core import Structure

StructureLike: TypeAlias = "StructureRecord | PreparedStructure | Structure"
_Result = TypeVar("_Result")

CUTOFF_A: Final[float] = 6.0
"""Reach of the shared neighbour list: covers 1.40 × the largest covalent sum (Cs–I, 5.4 Å)."""

TRANSLATION_TOLERANCE_A: Final[float] = 0.01
"""Sites this close after a pure translation count as repeated when primitive cells are counted."""

_EXCLUSIVE_RATIO = 0.55


@dataclass(frozen=True, eq=False, kw_only=True)
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
    memo : dict
        Results that several families read; filled by :func:`once_per_structure`.
    """

    record: StructureRecord
    atoms: Atoms
    roles: Roles
    neighbors: NeighborList
    memo: dict[str, Any] = field(default_factory=dict, repr=False)


def once_per_structure(
    function: Callable[[PreparedStructure], _Result],
) -> Callable[[PreparedStructure], _Result]:
    """Decorate a function of a prepared structure so that it is computed once for each."""
    key = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def remembered(prepared: PreparedStructure) -> _Result:
        if key not in prepared.memo:
            prepared.memo[key] = function(prepared)
        result: _Result = prepared.memo[key]
        return result

    return remembered


MOBILE, ANION, FRAMEWORK, NEUTRAL = range(4)
"""Numbers of the roles in :func:`pairs_between`."""


def pairs_between(prepared: PreparedStructure, one: int, other: int) -> IntArray:
    """Pairs of the neighbour list whose centre has one role and whose neighbour has another.

    Parameters
    ----------
    prepared : PreparedStructure
    one, other : int
        ``MOBILE``, ``ANION``, ``FRAMEWORK`` (cations) or ``NEUTRAL``.

    Returns
    -------
    array of int
        Positions in the list, ascending.
    """
    key = f"{__name__}.pairs_between {one} {other}"
    if key not in prepared.memo:
        prepared.memo[key] = (pair_roles(prepared) == 4 * one + other).nonzero()[0]
    found: IntArray = prepared.memo[key]
    return found


@once_per_structure
def atom_roles(prepared: PreparedStructure) -> IntArray:
    """Role of each atom by number, shape (n_atoms,)."""
    roles = prepared.roles
    number = np.full(len(roles.is_mobile), NEUTRAL)
    number[roles.is_framework_cation] = FRAMEWORK
    number[roles.is_anion] = ANION
    number[roles.is_mobile] = MOBILE
    return number


@once_per_structure
def pair_roles(prepared: PreparedStructure) -> IntArray:
    """4 × role of the centre + role of the neighbour, shape (n_pairs,)."""
    number, pairs = atom_roles(prepared), prepared.neighbors
    return (4 * number)[pairs.center] + number[pairs.neighbor]


@once_per_structure
def n_primitive_cells(prepared: PreparedStructure) -> int:
    """How many primitive cells of the full structure, mobile ions included, the cell holds."""
    record = prepared.record
    kinds = record.dominant_atomic_numbers
    if not record.has_whole_sites:
        contents = [tuple((s.element, round(s.occupancy, 4)) for s in c) for c in record.species]
        number = {content: k for k, content in enumerate(dict.fromkeys(contents))}
        kinds = np.array([number[content] for content in contents], dtype=np.int64)
    return len(pure_translations(record.lattice, record.frac, kinds, TRANSLATION_TOLERANCE_A))


def as_prepared(structure: StructureLike, mobile: str = "Li") -> PreparedStructure:
    """Prepare a record or a pymatgen structure; a prepared structure is returned as it is.

    Raises
    ------
    FeatureError
        If it is none of these.
    RoleError
        See :func:`prepare`.
    """
    if isinstance(structure, PreparedStructure):
        return structure
    return prepare(as_record(structure), mobile)


def as_record(structure: StructureLike) -> StructureRecord:
    """The record of a structure of any kind.

    Raises
    ------
    FeatureError
        If it is no structure.
    """
    if isinstance(structure, StructureRecord):
        return structure
    if isinstance(structure, PreparedStructure):
        return structure.record
    # By its parts, not by its class: records and arrays need no import of pymatgen.
    if not all(hasattr(structure, name) for name in ("lattice", "frac_coords", "formula")):
        raise FeatureError(
            f"a {type(structure).__name__} was given; give pymatgen Structures or StructureRecords"
        )
    from ...data.convert import from_pymatgen

    return from_pymatgen(structure, structure.formula.replace(" ", ""))


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
    return PreparedStructure(
        record=record,
        atoms=atoms,
        roles=assign_roles(atoms, neighbors, mobile),
        neighbors=neighbors,
    )


def _can_coexist(atoms: Atoms, pairs: NeighborList) -> np.ndarray:
    """False for alternatives of one disordered position; full atoms on top of each other raise."""
    i, j = pairs.center, pairs.neighbor
    reach = _EXCLUSIVE_RATIO * covalent_sums_A(atoms.z, pairs)
    overlapping = pairs.distance_A < np.where(np.isfinite(reach), reach, 0.5)
    if not overlapping.any():
        return ~overlapping
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
