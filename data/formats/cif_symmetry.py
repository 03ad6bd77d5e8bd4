"""The symmetry that a CIF states, as operators: by a list, a Hall symbol, a name, or a number.

The list of operators wins, and is compared with the group that is named. A name may leave open the
origin, the axes of a rhombohedral group or the unique axis: every setting that fits the cell is a
candidate, the usual one first, and the reader takes the one that agrees with the rest of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import StructureError
from ..identifiers import printable
from ..records import FloatArray
from .cif_block import CifBlock

METRIC_TOLERANCE: Final[float] = 0.02
"""Relative difference of the cell from what the rotations demand; measured cells keep to 1e-3."""

_LARGEST_GROUP: Final[int] = 192
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
_SHORT_MONOCLINIC: Final = re.compile(
    r"([PABCIF])\s*((?:2|21|m|[a-en]|2/m|21/m|2/[a-en]|21/[a-en]))", re.IGNORECASE
)
_BRACKETED_NUMBER: Final = re.compile(r"\(\s*(?:no\.?|#)\s*\d+\s*\)", re.IGNORECASE)
_ORIGIN_IN_WORDS: Final = re.compile(
    r"\(?\s*origin(?:\s+choice)?\s*(?:at\s*)?:?\s*([12])\s*\)?", re.IGNORECASE
)
_AXES_IN_WORDS: Final = re.compile(
    r"\(?\s*(hexagonal|rhombohedral)(?:\s+axes)?\s*\)?$", re.IGNORECASE
)
_SUPERSPACE: Final[re.Pattern[str]] = re.compile(r"_ssg_|superspace", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Symmetry:
    """A space group in one setting.

    Parameters
    ----------
    source : str
        Where it comes from, for messages.
    number : int
        In International Tables; 0 where not known.
    rotations : array (n, 3, 3), int
        Acting on columns of fractional coordinates.
    translations : array (n, 3)
    n_centrings : int
        Pure translations among the operators.
    """

    source: str
    number: int
    rotations: NDArray[np.int64]
    translations: FloatArray
    n_centrings: int

    @property
    def order(self) -> int:
        """Number of operators modulo lattice translations of the cell."""
        return len(self.rotations)

    @property
    def primitive_order(self) -> int:
        """Number of operators for a primitive cell."""
        return self.order // self.n_centrings


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
        identity = _symmetry("P 1, since none is stated", 0, ("x,y,z",))
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
            f"{_LARGEST_GROUP} of the largest group"
        )
    for triplet in triplets:
        if _operator(triplet) is None:
            raise StructureError(
                f"{record_id}: {printable(triplet)[:60]!r} is no symmetry operation; correct it"
            )
    closed, n_given = _closed(tuple(triplets))
    if len(closed) > _LARGEST_GROUP:
        raise StructureError(
            f"{record_id}: the {n_given} symmetry operations form no space group; correct them"
        )
    symmetry = _symmetry("the list of operators", _number_of(closed), closed)
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
            left, right = _operator(centring), _operator(operation)
            if left is None or right is None:
                yield centring if left is None else operation
            else:
                yield (left * right).wrap().triplet()


@lru_cache(maxsize=4096)
def _operator(text: str) -> Any:
    """gemmi's operator; None if the text is none."""
    import gemmi

    try:
        operator = gemmi.Op("".join(text.split()).lower())
    except (ValueError, RuntimeError):
        return None
    return operator.wrap() if abs(operator.det_rot()) == operator.DEN**3 else None


@lru_cache(maxsize=1024)
def _closed(triplets: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """All products of the operators, and how many different ones were given."""
    import gemmi

    # The identity is often left out, and is no operator that anybody would miss.
    given = dict.fromkeys(["x,y,z", *(_operator(t).triplet() for t in triplets)])
    group = gemmi.GroupOps([gemmi.Op(t) for t in given])
    endless = ("x,y,z",) * (_LARGEST_GROUP + 1)
    try:
        group.add_missing_elements()
    except (ValueError, RuntimeError):
        # gemmi gives up on lists whose products do not end.
        return endless, len(given)
    # gemmi completes rotations, not pure translations.
    shifts = _closed_shifts([tuple(c) for c in group.cen_ops], [op.rot for op in group.sym_ops])
    if len(shifts) * len(group.sym_ops) > _LARGEST_GROUP:
        return endless, len(given)
    closed = dict.fromkeys(
        op.translated(list(shift)).wrap().triplet() for shift in shifts for op in group.sym_ops
    )
    return tuple(closed), len(given)


def _closed_shifts(shifts: list[Any], rotations: list[Any]) -> list[Any]:
    """Translations with their sums and rotated images, in 24ths of the cell edges."""
    found = dict.fromkeys(shifts)
    turned = np.array(rotations, dtype=np.int64) // 24
    pending = list(found)
    while pending and len(found) <= _LARGEST_GROUP:
        shift = np.array(pending.pop())
        others = np.array(list(found))
        for new in map(tuple, (np.concatenate([others + shift, turned @ shift]) % 24).tolist()):
            if new not in found:
                found[new] = None
                pending.append(new)
    return list(found)


@lru_cache(maxsize=1024)
def _number_of(triplets: tuple[str, ...]) -> int:
    """Number in International Tables where gemmi's tables hold the setting, else 0."""
    import gemmi

    found = gemmi.find_spacegroup_by_ops(gemmi.GroupOps([gemmi.Op(t) for t in triplets]))
    return 0 if found is None else int(found.number)


@lru_cache(maxsize=1024)
def _symmetry(source: str, number: int, triplets: tuple[str, ...]) -> Symmetry:
    import gemmi

    operators = [gemmi.Op(t) for t in triplets]
    rotations = np.array([op.rot for op in operators], dtype=np.int64) // gemmi.Op.DEN
    translations = np.array([op.tran for op in operators], dtype=np.float64) / gemmi.Op.DEN
    identity = (rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2))
    # The identity first: its image of a site is the site as given.
    order = np.lexsort((np.arange(len(identity)), np.abs(translations).sum(axis=1), ~identity))
    for array in (rotations, translations):
        array.flags.writeable = False
    return Symmetry(
        source=source,
        number=number,
        rotations=rotations[order],
        translations=translations[order],
        n_centrings=int(identity.sum()),
    )


def _named(block: CifBlock, record_id: str, optional: bool) -> list[Symmetry]:
    """Groups by Hall symbol, name and number, the most exact statement first."""
    hall, number = block.text(*_HALL_TAGS), block.number(*_NUMBER_TAGS)
    names = [name for tag in _NAME_TAGS if (name := block.text(tag)) is not None]
    code = block.text(*_CODE_TAGS) or ""
    found: list[Symmetry] = []
    for statement in (
        () if hall is None else _from_hall(hall),
        *(_from_name(name, code) for name in dict.fromkeys(names)),
        () if number is None else _from_number(number, code),
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


@lru_cache(maxsize=1024)
def _from_hall(symbol: str) -> tuple[Symmetry, ...]:
    import gemmi

    text = symbol.strip().replace("''", '"').replace("_", " ")
    try:
        group = gemmi.symops_from_hall(text)
    except (ValueError, RuntimeError):
        return ()
    triplets = tuple(op.wrap().triplet() for op in group)
    source = f"Hall symbol {printable(symbol)[:40]!r}"
    return (_symmetry(source, _number_of(triplets), triplets),)


@lru_cache(maxsize=1024)
def _from_name(name: str, code: str) -> tuple[Symmetry, ...]:
    """Settings that a Hermann–Mauguin symbol may mean, the usual first."""
    found = [group for text in _spellings(name) for group in _lookups(text)]
    # What other unique axes are tried for must be the same group.
    unique = {group.hall: group for group in found if group.number == found[0].number}
    source = f"{printable(' '.join(name.split()))[:40]!r}"
    return tuple(_from_group(group, source) for group in _in_setting(list(unique.values()), code))


@lru_cache(maxsize=1024)
def _from_number(number: float, code: str) -> tuple[Symmetry, ...]:
    import gemmi

    settings = [g for g in gemmi.spacegroup_table() if g.number == number]
    reference = [g for g in settings if g.is_reference_setting()]
    if not reference:
        return ()
    same_name = [g for g in settings if g.hm == reference[0].hm]
    chosen = _in_setting(settings, code) if code else same_name
    return tuple(_from_group(g, f"number {number:g}") for g in _usual_first(chosen or same_name))


def _from_group(group: Any, source: str) -> Symmetry:
    triplets = tuple(op.wrap().triplet() for op in group.operations())
    shown = source if len(source) > 3 else group.hm
    extension = group.ext.strip("\0 ")
    return _symmetry(
        f"{shown} (setting {extension})" if extension else shown, int(group.number), triplets
    )


def _spellings(name: str) -> Iterator[str]:
    """The name in the spelling of gemmi's tables.

    Known are underscores of screw axes, overbars (``3̅``, ``3~``), a number in brackets, settings
    as ``(origin choice 2)``, ``:2``, and the letters of ICSD: S and Z for the first and the second
    origin, H and R for the axes.
    """
    text = re.sub(r"([0-9])[\u0304\u0305~]", r"-\1", name.strip())
    text = _BRACKETED_NUMBER.sub("", text)
    text = _ORIGIN_IN_WORDS.sub(r":\1", text)
    text = _AXES_IN_WORDS.sub(lambda match: f":{match[1][0].upper()}", text)
    text = " ".join(text.replace("_", "").replace("$", "").split())
    text = re.sub(r"\s*:\s*", ":", text)
    text = re.sub(r"[\s:]+[Zz]$", ":2", re.sub(r"[\s:]+[Ss]$", ":1", text))
    yield text
    if " " not in text and text[:1].islower():
        yield text[0].upper() + text[1:]


def _lookups(text: str) -> Iterator[Any]:
    """Groups of a name: as gemmi finds it, its other origins and axes, other unique axes."""
    import gemmi

    found = gemmi.find_spacegroup_by_name(text)
    if found is not None:
        explicit = re.search(r"(:[12HhRr]|[\s:][HhRr])$", text)
        same = [
            g for g in gemmi.spacegroup_table() if g.hm == found.hm and g.number == found.number
        ]
        yield from [found] if explicit else _usual_first(same)
    short = re.fullmatch(
        r"([PABCIF])\s*(2|21|m|[a-en]|2/m|21/m|2/[a-en]|21/[a-en])", text, re.IGNORECASE
    )
    if short:
        lattice, axis = short[1].upper(), short[2].lower()
        for full in (f"{lattice} 1 {axis} 1", f"{lattice} 1 1 {axis}", f"{lattice} {axis} 1 1"):
            if (other := gemmi.find_spacegroup_by_name(full)) is not None:
                yield other


def _usual_first(groups: Sequence[Any]) -> list[Any]:
    """Second origin before the first, as in refinements; hexagonal axes before rhombohedral."""
    return sorted(groups, key=lambda g: g.ext in ("1", "R"))


def _in_setting(groups: list[Any], code: str) -> list[Any]:
    """Those of a coordinate system code such as ``2``, ``h``, ``b1`` or ``-cba``, if any are."""
    wanted = code.strip().lower()
    if not wanted:
        return groups
    chosen = [
        g
        for g in groups
        if wanted
        in (g.ext.strip("\0 ").lower(), g.qualifier.lower(), f"{g.ext}{g.qualifier}".lower())
    ]
    return chosen or groups


def _has_superspace(block: CifBlock) -> bool:
    tags = [item.pair[0] for item in block.raw if item.pair]
    tags += [tag for item in block.raw if item.loop for tag in item.loop.tags]
    return any(map(_SUPERSPACE.search, tags))
