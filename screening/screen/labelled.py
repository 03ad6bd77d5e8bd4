"""Known materials: what a label table holds is not bought again, whatever way it came in by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from ...data.convert import to_pymatgen
from ...data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ...data.embedded.experiment import load_experiment_labels, load_experiment_structures
from ...data.records import Quarantined, StructureRecord, reduced_formula
from .known import find_known

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST_HOST_SITES: Final[int] = 200
"""Larger hosts would take minutes to match."""


def leave_out_known(
    records: Sequence[StructureRecord], mobile: str = "Li"
) -> tuple[list[StructureRecord], list[Quarantined]]:
    """Part candidates into new ones and those whose label is in a table already.

    A candidate is known when it is the same material as a labelled structure of the AIMD or of the
    experiment table: :func:`.find_known` says so, or the reduced formula is the same and the hosts
    match, mobile ions taken out. Tables hold simulation cells and snapshots too, whose mobile ions
    lie otherwise than in the crystal; heat moves them anyway.

    Parameters
    ----------
    records : sequence of StructureRecord
    mobile : str

    Returns
    -------
    (list, list)
        New candidates, and the known ones with the table and the entry that hold them.
    """
    systems = {frozenset(record.elements) for record in records}
    # Only a table's structures of the same elements can be the same material.
    tables = {
        name: [r for r in structures if frozenset(r.elements) in systems]
        for name, structures in _tables().items()
    }
    holders = {r.id: name for name, structures in tables.items() for r in structures}
    rivals = [r for structures in tables.values() for r in structures]
    if not rivals:
        return list(records), []
    by_formula: dict[str, list[StructureRecord]] = defaultdict(list)
    for rival in rivals:
        by_formula[reduced_formula(rival.composition)].append(rival)
    new, known = [], []
    for record, found in zip(
        records, find_known(records, rivals, mobile, training_mobile=mobile), strict=True
    ):
        entry = found.structure if found.relation == "same" else ""
        entry = entry or _same_host(record, by_formula[reduced_formula(record.composition)], mobile)
        if entry:
            reason = f"the {holders[entry]} table holds it ({entry})"
            known.append(Quarantined(record.id, record.provenance.file or "", "policy", reason))
        else:
            new.append(record)
    return new, known


def _same_host(record: StructureRecord, rivals: Sequence[StructureRecord], mobile: str) -> str:
    """Id of the first structure whose host matches; empty if none does."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    own = _host(record, mobile) if rivals else None
    if own is None:
        return ""
    matcher = StructureMatcher()
    for rival in rivals:
        other = _host(rival, mobile)
        if other is not None and matcher.fit(own, other):
            return rival.id
    return ""


def _host(record: StructureRecord, mobile: str) -> Structure | None:
    """The structure without mobile ions; None where little or too much is left."""
    structure = to_pymatgen(record)
    structure.remove_species([mobile])
    return structure if 0 < len(structure) <= MOST_HOST_SITES else None


@cache
def _tables() -> dict[str, list[StructureRecord]]:
    """Structures with labels, by table; experiment last, so that AIMD is named first.

    Read once: a screen asks again and again while it chooses its shortlist.
    """
    measured = set(load_experiment_labels()["structure_id"].dropna())
    computed = set(load_aimd_labels()["structure_id"])
    return {
        "AIMD": [r for r in load_aimd_structures() if r.id in computed],
        "experiment": [r for r in load_experiment_structures() if r.id in measured],
    }
