"""A store of structures that are held already: as they are, neither judged nor compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ..atomic import write_json_atomic
from ..records import StructureRecord, reduced_formula
from .store import (
    MANIFEST,
    VERSION,
    Store,
    StoredRecord,
    records_table,
    structures_name,
    write_table,
)


def written_store(records: Iterable[StructureRecord], folder: Path, block: int) -> Store:
    """Write records into a store and open it; one block of them in memory.

    What a reader finds is equal to what was given. Space groups are not looked for, and stand as 0.

    Parameters
    ----------
    records : iterable of StructureRecord
    folder : Path
        New or empty, or what an interrupted call left.
    block : int
        Structures a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks, n_stored = [], 0
    for number, part in enumerate(_parts(records, block)):
        name = structures_name(number)
        stored = [StoredRecord(r, reduced_formula(r.composition), 0) for r in part]
        blocks.append({name: write_table(records_table(stored), folder / name)})
        n_stored += len(part)
    manifest = {
        "version": VERSION,
        "identity": {"block": block},
        "counts": {"stored": n_stored, "quarantined": 0},
        "notices": [],
        "blocks": blocks,
        "hulls": {},
    }
    write_json_atomic(folder / MANIFEST, manifest)
    return Store(folder)


def _parts(records: Iterable[StructureRecord], block: int) -> Iterator[list[StructureRecord]]:
    left = iter(records)
    while part := list(islice(left, block)):
        yield part
