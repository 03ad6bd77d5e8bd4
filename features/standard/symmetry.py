"""Space-group features by moyopy, in terms that do not depend on the choice of the cell.

Most crystals have one group at every tolerance near the one asked for; its operations are found
here (:mod:`..core.operations`) and moyopy names the group. Where the tolerance decides, moyopy's
own search, which weighs doubtful operations, has the word.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from ...data.errors import FeatureError
from ...data.records import IntArray, StructureRecord
from ..core.columns import Column, Notes, Values
from ..core.operations import SAFETY, Operations, find_operations
from ..core.prepared import PreparedStructure
from ..core.primitive import (
    finer_lattice,
    merge_coincident,
    minkowski_reduced,
    pure_translations,
)

SYMPREC_A: Final[float] = 0.01
"""Distance tolerance, Å: matminer's and pymatgen's default."""

_WHOLE: Final[float] = 1e-3
_CLEAR = 1 / 3
"""An operation that fits to this share of the tolerance is beyond doubt."""
_SHORTEST_A = 2.0
"""No lattice vector is shorter."""
_FAMILY = "symmetry"
_SOURCE = "matminer GlobalSymmetryFeatures; moyopy"
_NAN = "no space group found within 0.01 Å"

COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "spacegroup_number",
        "1",
        "space-group number at a tolerance of 0.01 Å; mixed sites count as one species each",
        _SOURCE,
        _FAMILY,
        lower=1,
        upper=230,
        nan_means=_NAN,
    ),
    Column(
        "crystal_system",
        "1",
        "triclinic, monoclinic, orthorhombic, tetragonal, trigonal, hexagonal or cubic",
        _SOURCE,
        _FAMILY,
        nan_means=_NAN,
        dtype="category",
    ),
    Column(
        "crystal_system_rank",
        "1",
        "crystal system from 1 (cubic) over 2 hexagonal, 3 trigonal, 4 tetragonal, 5 orthorhombic "
        "and 6 monoclinic to 7 (triclinic), matminer's crystal_system_int",
        _SOURCE,
        _FAMILY,
        lower=1,
        upper=7,
        nan_means=_NAN,
    ),
    Column(
        "is_centrosymmetric",
        "1",
        "the space group has an inversion centre",
        _SOURCE,
        _FAMILY,
        lower=0,
        upper=1,
        nan_means=_NAN,
        dtype="bool",
    ),
    Column(
        "n_symmetry_ops",
        "1",
        "operations of the space group up to lattice translations, which is the number for a "
        "primitive cell; matminer counts those of the cell as given, a number that a supercell "
        "changes",
        _SOURCE,
        _FAMILY,
        lower=1,
        upper=48,
        nan_means=_NAN,
    ),
)

# moyopy tells of operations that a supercell's lattice hides; only the group's number is used here.
logging.getLogger("moyo").addFilter(lambda record: "Omitted" not in record.getMessage())

# Last space-group number of each crystal system, with matminer's rank.
_SYSTEMS: Final[tuple[tuple[int, str, int], ...]] = (
    (2, "triclinic", 7),
    (15, "monoclinic", 6),
    (74, "orthorhombic", 5),
    (142, "tetragonal", 4),
    (167, "trigonal", 3),
    (194, "hexagonal", 2),
    (230, "cubic", 1),
)


class SpaceGroup(NamedTuple):
    """What a space-group number says."""

    number: int
    crystal_system: str
    crystal_system_rank: int
    is_centrosymmetric: bool
    n_operations: int


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Symmetry columns; see the catalogue for each."""
    group = describe_space_group(space_group_number(prepared.record))
    return {
        "spacegroup_number": float(group.number),
        "crystal_system": group.crystal_system,
        "crystal_system_rank": float(group.crystal_system_rank),
        "is_centrosymmetric": group.is_centrosymmetric,
        "n_symmetry_ops": float(group.n_operations),
    }


def space_group_number(record: StructureRecord, symprec_A: float = SYMPREC_A) -> int:
    """Space-group number of a structure, 1 to 230.

    Parameters
    ----------
    record : StructureRecord
        Sites with the same content (species and occupancies) count as the same.
    symprec_A : float
        Distance tolerance, Å.

    Raises
    ------
    FeatureError
        If no space group fits within the tolerance.
    """
    number = _clear_number(record, symprec_A)
    return int(_dataset(record, symprec_A).number) if number is None else number


def _clear_number(record: StructureRecord, symprec_A: float) -> int | None:
    """Number of the group where no tolerance near the one given finds another; else None."""
    lattice, kind = record.lattice, np.array(_site_kinds(record), dtype=np.int64)
    fit_A = _CLEAR * symprec_A
    # A cell that is not primitive hides rotations of its lattice.
    translations = pure_translations(lattice, record.frac, kind, fit_A)
    reduced = minkowski_reduced(finer_lattice(lattice, translations))
    frac = record.frac @ (lattice @ np.linalg.inv(reduced))
    if len(translations) > 1:
        first, _ = merge_coincident(reduced, frac, kind, 2 * fit_A)
        frac, kind = frac[first], kind[first]
    found = find_operations(
        lattice=reduced,
        frac=frac,
        kind=kind,
        origin=int(np.bincount(kind)[kind].argmin()),
        fit_A=(fit_A, fit_A),
        reach_A=SAFETY * symprec_A,
        bend=SAFETY * symprec_A / _SHORTEST_A,
    )
    if not found.is_clear:
        return None
    return _number(found, epsilon=symprec_A / abs(float(np.linalg.det(reduced))) ** (1 / 3))


def _number(found: Operations, epsilon: float) -> int | None:
    """Space-group number of the operations of a primitive cell; None where they form no group.

    Fractions may differ by ``epsilon``, as in moyopy's own search.
    """
    from moyopy import SpaceGroup

    # moyopy's matrices act on columns.
    columns = found.rotation.transpose(0, 2, 1).tolist()
    try:
        return int(SpaceGroup(columns, found.translation.tolist(), epsilon=epsilon).number)
    except ValueError:
        return None


def conventional_rows(record: StructureRecord, symprec_A: float = 0.1) -> IntArray:
    """Rows of the conventional cell in rows of the cell given, integer array (3, 3).

    The identity where the cell given is no primitive cell of a centred lattice, or where no space
    group is found.

    Parameters
    ----------
    record : StructureRecord
    symprec_A : float
        Distance tolerance, Å.
    """
    try:
        # moyopy writes the new rows as columns.
        rows = np.array(_dataset(record, symprec_A).std_linear, dtype=np.float64).T
    except FeatureError:
        return np.eye(3, dtype=np.int64)
    whole = np.round(rows)
    n_cells = round(float(np.linalg.det(whole)))
    if np.abs(rows - whole).max() > _WHOLE or abs(n_cells) < 2:
        return np.eye(3, dtype=np.int64)
    return np.asarray(np.sign(n_cells) * whole, dtype=np.int64)


def _dataset(record: StructureRecord, symprec_A: float) -> Any:
    from moyopy import Cell, MoyoDataset

    cell = Cell(record.lattice.tolist(), record.frac.tolist(), _site_kinds(record))
    try:
        return MoyoDataset(cell, symprec=symprec_A)
    # moyopy raises ValueError for every failure of its search.
    except ValueError as error:
        raise FeatureError(f"{record.id}: no space group within {symprec_A} Å ({error})") from error


def _site_kinds(record: StructureRecord) -> list[int]:
    """One number for each content of a site, from 1."""
    if record.has_whole_sites:
        elements: list[int] = record.dominant_atomic_numbers.tolist()
        return elements
    kinds: dict[tuple[tuple[str, float], ...], int] = {}
    contents = (tuple(sorted((s.element, s.occupancy) for s in c)) for c in record.species)
    return [kinds.setdefault(content, len(kinds) + 1) for content in contents]


@lru_cache(maxsize=230)
def describe_space_group(number: int) -> SpaceGroup:
    """Crystal system, centrosymmetry and number of operations modulo lattice translations.

    Examples
    --------
    >>> group = describe_space_group(225)
    >>> group.crystal_system, group.is_centrosymmetric, group.n_operations
    ('cubic', True, 48)
    """
    from moyopy import operations_from_number

    system, rank = next((name, rank) for last, name, rank in _SYSTEMS if number <= last)
    rotations = np.array(operations_from_number(number, primitive=True).rotations)
    inverts = bool((rotations == -np.eye(3, dtype=int)).all(axis=(1, 2)).any())
    return SpaceGroup(number, system, rank, inverts, len(rotations))
