"""What stands for a structure in a screen: itself, or an ordered cell where it is too disordered.

Descriptors take partial occupancies as weights. Where most of the framework is spread over partly
filled sites, or the mobile ion shares its sites with other elements, the average resembles no real
cell: the ordered cell of lowest electrostatic energy (:mod:`.ordering`) stands for it, under the
same id. Where no such cell exists (a CIF whose occupancies or coordinates make none), the average
is used after all. Either is said in the provenance and counted by whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..errors import StructureError
from ..records import StructureRecord
from .ordering import ordered_cells
from .policy import DisorderPolicy, reason_to_order

How = Literal["as_given", "ordered", "average"]


@dataclass(frozen=True, kw_only=True)
class Representative:
    """The structure that descriptors see, and how it came about."""

    record: StructureRecord
    """Of the id of the structure given."""
    how: How
    note: str
    """Why and how, in words; empty where the structure is used as given."""


def representative(
    record: StructureRecord, mobile: str = "Li", policy: DisorderPolicy | None = None
) -> Representative:
    """The structure itself, or the ordered cell that stands for it.

    Parameters
    ----------
    record : StructureRecord
    mobile : str
        Mobile species.
    policy : DisorderPolicy, optional

    Returns
    -------
    Representative
        Deterministic: the same structure gives the same cell.
    """
    why = reason_to_order(record, mobile, policy)
    if why is None:
        return Representative(record=record, how="as_given", note="")
    try:
        found = ordered_cells(record, 1)[0].record
    except StructureError as error:
        reason = str(error).removeprefix(f"{record.id}: ").removeprefix("is disordered, and ")
        note = f"{why}; average structure used, as it cannot be ordered: {reason}"
        return Representative(record=_noted(record, record, note), how="average", note=note)
    made = found.provenance.note.rpartition("ordered cell 1 of ")[2]
    note = f"{why}; ordered cell of {made}"
    return Representative(record=_noted(found, record, note), how="ordered", note=note)


def _noted(record: StructureRecord, origin: StructureRecord, note: str) -> StructureRecord:
    text = "; ".join(filter(None, [origin.provenance.note, note]))
    return replace(record, id=origin.id, provenance=replace(origin.provenance, note=text))
