"""CIF text → structure records, one reading for ordered and for disordered crystals.

gemmi parses the text; :mod:`.cif_block` takes the values, :mod:`.cif_symmetry` the operators,
:mod:`.cif_sites` makes the sites, :mod:`.cif_checks` compares them with what the file says of
itself, and :mod:`.cif_readings` decides where the file leaves something open.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..errors import StructureError
from ..records import FloatArray, Provenance, Quarantined, StructureRecord
from .cif_block import MAX_SITES, CifBlock, LeftOut
from .cif_checks import cell_disagreements
from .cif_readings import Crystal, best_reading
from .cif_symmetry import stated_symmetry
from .entry import Context, guarded

__all__ = ["MAX_SITES", "parse_cif"]


def parse_cif(
    text: str, record_id: str, provenance: Provenance
) -> list[StructureRecord | Quarantined]:
    """Every structure in a CIF; a file with several data blocks gives several records.

    A block that cannot be used, because its numbers or its symmetry make no crystal or because it
    contradicts itself, is quarantined with its reason. Lesser differences between what was read
    and what the file says of itself stand in the ``notes`` of the record.

    Raises
    ------
    StructureError
        If the text is no CIF or holds no atoms at all.
    """
    import gemmi

    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError, UnicodeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise StructureError(f"{record_id}: not a readable CIF: {reason}") from None
    blocks = [block for block in document if _has_sites(block)]
    if not blocks:
        raise StructureError(f"{record_id}: the CIF has no atoms (_atom_site_fract_x)")
    context = Context(record_id, provenance)
    ids = _identifiers([block.name for block in blocks], record_id)
    return [
        guarded(context, block_id, partial(_record, block, block_id, provenance))
        for block, block_id in zip(blocks, ids, strict=True)
    ]


def _has_sites(block: Any) -> bool:
    return bool(block.find_values("_atom_site_fract_x") or block.find_values("_atom_site.fract_x"))


def _identifiers(names: list[str], record_id: str) -> list[str]:
    """The file's id where it holds one block; else with the name of the block, or its number."""
    if len(names) == 1:
        return [record_id]
    return [
        f"{record_id}-{name}" if names.count(name) == 1 and name else f"{record_id}-{name}~{number}"
        for number, name in enumerate(names, start=1)
    ]


def _record(raw: Any, record_id: str, provenance: Provenance) -> StructureRecord:
    block = CifBlock(raw)
    block.check_cell(record_id)
    lattice = _lattice(block.cell)
    rows, left_out = block.sites(record_id)
    if not rows:
        raise StructureError(f"{record_id}: the CIF has no atoms{_but(left_out)}")
    stated = stated_symmetry(block, lattice, record_id)
    crystal = Crystal(
        block=block,
        rows=tuple(rows),
        lattice=lattice,
        record_id=record_id,
        provenance=provenance,
    )
    reading = best_reading(crystal, stated)
    volume_A3 = abs(float(np.linalg.det(lattice)))
    found = [*cell_disagreements(block, volume_A3), *reading.disagreements]
    if grave := [one.text for one in found if one.grave]:
        raise StructureError(f"{record_id}: {'; '.join(grave)}; correct the file")
    notes = [*stated.notes, *left_out.notes(), *reading.notes, *(one.text for one in found)]
    return crystal.record(reading.cell, tuple(notes))


def _lattice(cell: tuple[float, ...]) -> FloatArray:
    import gemmi

    return np.array(gemmi.UnitCell(*cell).orth.mat.tolist()).T


def _but(left_out: LeftOut) -> str:
    return "".join(f"; {note}" for note in left_out.notes())
