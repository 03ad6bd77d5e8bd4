"""The symmetry that a CIF states, as operators: by a list, a Hall symbol, a name, or a number.

The list of operators wins, and is compared with the group that is named. A name may leave open the
origin, the axes of a rhombohedral group or the unique axis: every setting that fits the cell is a
candidate, the usual one first, and the reader takes the one that agrees with the rest of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import StructureError
from ..identifiers import printable
from ..records import FloatArray
from .cif_block import CifBlock
from .group_names import groups_of_hall, groups_of_name, groups_of_number
from .operators import (
    LARGEST_GROUP,
    Symmetry,
    closed_group,
    number_of,
    operator_of,
    symmetry_of,
)

METRIC_TOLERANCE: Final[float] = 0.02
"""Relative difference of the cell from what the rotations demand; measured cells keep to 1e-3."""

_MAX_LISTED: Final[int] = 1000

_LIST_TAGS: Final[tuple[str, ...]] = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_MAGNETIC: Final[tuple[tuple[str, str], ...]] = (
    ("_space_group_symop_magn_operation.xyz", "_space_group_symop_magn_centering.xyz"),
    ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz"),
)
_HALL_TAGS: Final[tuple[str, ...]] = (
    "_space_group_name_Hall",
    "_symmetry_space_group_name_Hall",
)
_NAME_TAGS: Final[tuple[str, ...]] = (
    "_space_group_name_H-M_alt",
    "_space_group_name_H-M_full",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M",
)
_NUMBER_TAGS: Final[tuple[str, ...]] = (
    "_space_group_IT_number",
    "_symmetry_Int_Tables_number",
)
_CODE_TAGS: Final[tuple[str, ...]] = ("_space_group_IT_coordinate_system_code",)
_SUPERSPACE: Final[re.Pattern[str]] = re.compile(r"_ssg_|superspace", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, eq=False)
class StatedSymmetry:
    """What a file says of its symmetry.

    Parameters
    ----------
    candidates : tuple of Symmetry
        Readings in the order of preference; never empty.
    contradiction : str
        Set where the file states two different symmetries: then something else in the file has
        to settle which one holds.
    notes : tuple of str
        Remarks that hold whichever candidate is taken.
    """

    candidates: tuple[Symmetry, ...]
    contradiction: str = ""
    notes: tuple[str, ...] = ()


def stated_symmetry(block: CifBlock, lattice: FloatArray, record_id: str) -> StatedSymmetry:
    """All readings of the symmetry of a block that fit its cell.

    Parameters
    ----------
    block : CifBlock
    lattice : array (3, 3), Å
    record_id : str

    Raises
    ------
    StructureError
        If a symmetry is stated that cannot be read or that the cell cannot have, or if only the
        symmetry of a superspace is.
    """
    listed, notes = _listed(block, record_id)
    named = _named(block, record_id, optional=listed is not None)
    superspace = _has_superspace(block)
    if superspace and max((one.order for one in (listed, *named) if one), default=1) == 1:
        raise StructureError(
            f"{record_id}: a modulated structure, whose symmetry is given in superspace only; "
            "give an approximant with a space group of three dimensions"
        )
    if superspace:
        notes = (*notes, "a modulated structure: its average is read")
    if listed is None and not named:
        identity = symmetry_of("P 1, since none is stated", 0, ("x,y,z",))
        return StatedSymmetry(candidates=(identity,), notes=("no symmetry is stated: read as P 1",))
    fitting = [one for one in named if _fits(one, lattice)]
    if listed is not None:
        if not _fits(listed, lattice):
            raise _misfit(listed, lattice, record_id)
        return _with_list(listed, named, fitting, notes)
    if not fitting:
        raise _misfit(named[0], lattice, record_id)
    numbers = {one.number for one in fitting if one.number}
    contradiction = ""
    if len(numbers) > 1:
        contradiction = "its space groups contradict each other: " + ", ".join(
            dict.fromkeys(one.source for one in fitting)
        )
    return StatedSymmetry(candidates=tuple(fitting), contradiction=contradiction, notes=notes)


def _with_list(
    listed: Symmetry, named: Sequence[Symmetry], fitting: Sequence[Symmetry], notes: tuple[str, ...]
) -> StatedSymmetry:
    """The list wins where it is of the named group, or says more than the name."""
    if not named or any(_same_type(listed, one) for one in named):
        return StatedSymmetry(candidates=(listed,), notes=notes)
    first = named[0]
    remark = (
        f"lists {listed.order} operators"
        + (f" of space group {listed.number}" if listed.number else "")
        + f", but names {first.source} with {first.order}"
    )
    if listed.primitive_order >= max(one.primitive_order for one in named):
        return StatedSymmetry(candidates=(listed,), notes=(*notes, f"{remark}: the list is used"))
    return StatedSymmetry(candidates=(listed, *fitting), contradiction=remark, notes=notes)


def _same_type(listed: Symmetry, named: Symmetry) -> bool:
    if listed.primitive_order != named.primitive_order:
        return False
    # Where gemmi's tables lack the setting, equal order is all that is asked.
    return not listed.number or not named.number or listed.number == named.number


def _misfit(symmetry: Symmetry, lattice: FloatArray, record_id: str) -> StructureError:
    edges = np.linalg.norm(lattice, axis=1)
    unit = lattice / edges[:, None]
    angles = np.degrees(np.arccos([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]))
    shown = ", ".join(f"{v:.4g}" for v in (*edges, *angles))
    return StructureError(
        f"{record_id}: the cell ({shown}) cannot have the symmetry of {symmetry.source}; "
        "correct the cell or the space group"
    )


def _fits(symmetry: Symmetry, lattice: FloatArray) -> bool:
    """Whether every rotation leaves lengths and angles of the cell as they are."""
    metric = lattice @ lattice.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    rotated = np.swapaxes(symmetry.rotations, 1, 2) @ metric @ symmetry.rotations
    return bool((np.abs(rotated - metric) <= METRIC_TOLERANCE * scale).all())


def _listed(block: CifBlock, record_id: str) -> tuple[Symmetry | None, tuple[str, ...]]:
    """The list of operators as a group, completed where it is none."""
    triplets = _triplets(block)
    if not triplets:
        return None, ()
    if len(triplets) > _MAX_LISTED:
        raise StructureError(
            f"{record_id}: {len(triplets)} symmetry operations, more than the "
            f"{LARGEST_GROUP} of the largest group"
        )
    for triplet in triplets:
        if operator_of(triplet) is None:
            raise StructureError(
                f"{record_id}: {printable(triplet)[:60]!r} is no symmetry operation; correct it"
            )
    closed, n_given = closed_group(tuple(triplets))
    if len(closed) > LARGEST_GROUP:
        raise StructureError(
            f"{record_id}: the {n_given} symmetry operations form no space group; correct them"
        )
    symmetry = symmetry_of("the list of operators", number_of(closed), closed)
    if n_given == len(closed):
        return symmetry, ()
    note = f"its {n_given} operators are no group: completed to {len(closed)}"
    return symmetry, (note,)


def _triplets(block: CifBlock) -> list[str]:
    for tag in _LIST_TAGS:
        if values := [v for v in block.column(tag) if v.strip(" ?.")]:
            return values
    for tag, centring_tag in _MAGNETIC:
        if operations := block.column(tag):
            # "x,y,z,+1": the sign of time reversal moves no atom.
            kept = [v.rpartition(",")[0] for v in operations]
            centrings = [v.rpartition(",")[0] for v in block.column(centring_tag)] or ["x,y,z"]
            return list(_products(kept, centrings))
    return []


def _products(operations: Sequence[str], centrings: Sequence[str]) -> Iterator[str]:
    for centring in centrings:
        for operation in operations:
            left, right = operator_of(centring), operator_of(operation)
            if left is None or right is None:
                yield centring if left is None else operation
            else:
                yield (left * right).wrap().triplet()


def _named(block: CifBlock, record_id: str, optional: bool) -> list[Symmetry]:
    """Groups by Hall symbol, name and number, the most exact statement first."""
    hall, number = block.text(*_HALL_TAGS), block.number(*_NUMBER_TAGS)
    names = [name for tag in _NAME_TAGS if (name := block.text(tag)) is not None]
    code = block.text(*_CODE_TAGS) or ""
    found: list[Symmetry] = []
    for statement in (
        () if hall is None else groups_of_hall(hall),
        *(groups_of_name(name, code) for name in dict.fromkeys(names)),
        () if number is None else groups_of_number(number, code),
    ):
        # Of one group, the first and most exact statement is enough; another group contradicts.
        found += _others(statement, found) if found else statement
    if not found and not optional and (stated := next(iter(names), hall)):
        raise StructureError(
            f"{record_id}: space group {printable(stated)[:40]!r} is unknown and the CIF gives no "
            "symmetry operations; add them"
        )
    return found


def _others(candidates: Sequence[Symmetry], before: Sequence[Symmetry]) -> list[Symmetry]:
    """Candidates of another space group than those before, which is a contradiction."""
    numbers = {one.number for one in before}
    return [one for one in candidates if 0 not in numbers and one.number not in numbers]


def _has_superspace(block: CifBlock) -> bool:
    tags = [item.pair[0] for item in block.raw if item.pair]
    tags += [tag for item in block.raw if item.loop for tag in item.loop.tags]
    return any(map(_SUPERSPACE.search, tags))
