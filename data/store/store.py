"""The store: structures in columnar Parquet blocks, quarantine beside them, one description.

    store.json                what was read, with which settings, hashes of the blocks, counts
    structures-00000.parquet  one row a structure; sites as lists (see :data:`SCHEMA_UNITS`)
    quarantine-00000.parquet  what could not be used of the same block of the input
    quarantine.csv            all of it, for people
    hulls-00000.parquet       what was computed from energies: distance to the hull, Li window
    hulls.csv                 the same for people, with the reason where a value is missing

A block holds what became of a fixed number of inputs, so that equal inputs give equal bytes,
however often the reading was interrupted. ``store.json`` is written last: with it the store is
complete.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..atomic import write_bytes_atomic
from ..elements import ATOMIC_NUMBER, SYMBOLS
from ..errors import InputError
from ..records import NUMBERS, Provenance, Quarantined, SiteSpecies, StructureRecord
from ..sources.base import Item
from ..stability.hull import HullEntry, Placed
from .arrow import column, table_of

VERSION: Final[int] = 2
MANIFEST: Final[str] = "store.json"
HULLS: Final[str] = "hulls.csv"
COMPUTED: Final[str] = "computed from entries"

_CHUNK: Final[int] = 200

SCHEMA_UNITS: Final[dict[str, str]] = {
    "lattice_A": "Å; 9 numbers, rows a, b, c",
    "frac": "1; 3 numbers a site",
    "site": "1; for every species, the index of its site",
    "atomic_number": "1; for every species",
    "occupancy": "1; for every species",
    "oxidation": "e; for every species, NaN where not known; empty if none is",
    "volume_A3": "Å³",
    "e_above_hull_eV_atom": "eV/atom; as the source gives it, or from its energies",
    "band_gap_eV": "eV",
    "li_window_low_V": "V against Li/Li+; reduction limit, from energies",
    "li_window_high_V": "V against Li/Li+; oxidation limit, from energies",
    "energy_eV_atom": "eV/atom, corrections included",
}


@dataclass(frozen=True, eq=False)
class StoredRecord:
    """A structure with what was found out about it on the way into the store."""

    record: StructureRecord
    formula: str
    space_group: int
    """Number at a tolerance of 0.1 Å; 0 where the search failed."""
    hull_origin: str = ""
    """``source``, ``computed from entries``, or empty where the hull distance is not known."""


@cache
def _schema() -> Any:
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    fields = [
        ("id", pa.string()),
        ("formula", pa.string()),
        ("elements", pa.list_(pa.string())),
        ("n_elements", pa.int16()),
        ("n_sites", pa.int32()),
        ("space_group", pa.int16()),
        ("is_ordered", pa.bool_()),
        ("volume_A3", pa.float64()),
        ("lattice_A", numbers),
        ("frac", numbers),
        ("site", pa.list_(pa.int32())),
        ("atomic_number", pa.list_(pa.int16())),
        ("occupancy", numbers),
        ("oxidation", numbers),
        ("e_above_hull_eV_atom", pa.float64()),
        ("hull_origin", pa.string()),
        ("band_gap_eV", pa.float64()),
        ("energy_eV_atom", pa.float64()),
        ("li_window_low_V", pa.float64()),
        ("li_window_high_V", pa.float64()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("reference", pa.string()),
        ("file", pa.string()),
        ("note", pa.string()),
        ("notes", pa.list_(pa.string())),
    ]
    return pa.schema(
        [
            pa.field(name, kind, metadata={"unit": SCHEMA_UNITS.get(name, "1")})
            for name, kind in fields
        ]
    )


def _row(stored: StoredRecord) -> dict[str, Any]:
    record = stored.record
    flat = [(i, s) for i, content in enumerate(record.species) for s in content]
    states = [np.nan if s.oxidation is None else float(s.oxidation) for _, s in flat]
    return {
        "id": record.id,
        "formula": stored.formula,
        "elements": list(record.elements),
        "n_elements": len(record.elements),
        "n_sites": record.n_sites,
        "space_group": stored.space_group,
        "is_ordered": record.is_ordered,
        "volume_A3": record.volume_A3,
        "lattice_A": record.lattice.ravel().tolist(),
        "frac": record.frac.ravel().tolist(),
        "site": [i for i, _ in flat],
        "atomic_number": [ATOMIC_NUMBER[s.element] for _, s in flat],
        "occupancy": [s.occupancy for _, s in flat],
        "oxidation": [] if np.isnan(states).all() else states,
        "hull_origin": stored.hull_origin,
        **{name: getattr(record, name) for name in NUMBERS},
        **vars(record.provenance),
        "notes": list(record.notes),
    }


def records_table(records: Sequence[StoredRecord]) -> Any:
    """Arrow table of structures; as Python objects, only some of them exist at a time."""
    import pyarrow as pa

    tables = [
        table_of([_row(stored) for stored in records[k : k + _CHUNK]], _schema())
        for k in range(0, len(records), _CHUNK)
    ]
    return pa.concat_tables(tables) if tables else _schema().empty_table()


def quarantine_table(entries: Sequence[Quarantined]) -> Any:
    """Arrow table of quarantine entries."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in ("id", "file", "stage", "reason")])
    return table_of([vars(entry) for entry in entries], schema)


def write_table(table: Any, path: Path) -> str:
    """Write a Parquet file whole or not at all; return its SHA-256."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=1000)
    content = buffer.getvalue()
    write_bytes_atomic(path, content)
    return hashlib.sha256(content).hexdigest()


def structures_name(block: int) -> str:
    """File name of a block of structures."""
    return f"structures-{block:05d}.parquet"


def hulls_name(block: int) -> str:
    """File name of what was computed from energies for a block."""
    return f"hulls-{block:05d}.parquet"


def quarantine_name(block: int) -> str:
    """File name of the quarantine of a block."""
    return f"quarantine-{block:05d}.parquet"


class Store:
    """A complete store, for reading.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        If it is no store, not complete, or of a version unknown here.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            version, self.n_blocks = self.manifest["version"], len(self.manifest["blocks"])
        except FileNotFoundError:
            raise InputError(
                f"{self.folder}: no complete store; run 'ionsieve ingest' (again) with this --out"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{self.folder / MANIFEST}: damaged; ingest again") from None
        if version != VERSION:
            raise InputError(
                f"{self.folder}: store version {version}, this reads {VERSION}; ingest again"
            )

    @property
    def n_structures(self) -> int:
        """Number of structures."""
        return int(self.manifest["counts"]["stored"])

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Blocks as Arrow tables, in the order of the input."""
        for block in range(self.n_blocks):
            table = self.read(structures_name(block), columns)
            name = hulls_name(block)
            has_hulls = name in self.manifest["hulls"].get("files", {})
            yield _with_hulls(table, self.read(name).to_pylist()) if has_hulls else table

    def read(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """One file of the store.

        Raises
        ------
        InputError
            If it is damaged or absent.
        """
        import pyarrow as pa

        path = self.folder / name
        try:
            return read_parquet(path, columns)
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: cannot be read ({reason}); ingest again") from None

    def records(self) -> Iterator[StoredRecord]:
        """All structures, in the order of the input."""
        for table in self.tables():
            yield from stored_records(table)

    def quarantined(self) -> Iterator[Quarantined]:
        """All quarantine entries, in the order of the input."""
        for block in range(self.n_blocks):
            # A store of structures that were held in memory has none.
            if (name := quarantine_name(block)) in self.manifest["blocks"][block]:
                yield from read_quarantine(self.folder / name)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> Any:
    """One file as a table. (``pyarrow.parquet.read_table`` would import pandas.)"""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_quarantine(path: Path) -> list[Quarantined]:
    """Quarantine entries of one block."""
    return [Quarantined(**row) for row in read_parquet(path).to_pylist()]


def stored_records(table: Any) -> Iterator[StoredRecord]:
    """Rows of a table of structures, read back."""
    for batch in table.to_batches(max_chunksize=500):
        for row in batch.to_pylist():
            yield _stored(row)


def _stored(row: dict[str, Any]) -> StoredRecord:
    numbers: dict[str, float | None] = {name: row[name] for name in NUMBERS}
    origin: dict[str, Any] = {field.name: row[field.name] for field in fields(Provenance)}
    record = StructureRecord(
        id=row["id"],
        lattice=np.array(row["lattice_A"]).reshape(3, 3),
        species=_contents(row),
        frac=np.array(row["frac"]).reshape(-1, 3),
        provenance=Provenance(**{**origin, "note": origin["note"] or ""}),
        # Stores of before 2.0 have no such column.
        notes=tuple(row.get("notes") or ()),
        **numbers,
    )
    return StoredRecord(record, row["formula"], row["space_group"], row["hull_origin"])


def _contents(row: dict[str, Any]) -> tuple[tuple[SiteSpecies, ...], ...]:
    states = row["oxidation"] or [np.nan] * len(row["site"])
    contents: list[list[SiteSpecies]] = [[] for _ in range(row["n_sites"])]
    for site, z, occupancy, state in zip(
        row["site"], row["atomic_number"], row["occupancy"], states, strict=True
    ):
        known = None if np.isnan(state) else state
        contents[site].append(SiteSpecies(SYMBOLS[z - 1], occupancy, known))
    return tuple(map(tuple, contents))


def hull_entries(path: Path, source: str) -> Iterator[tuple[HullEntry, bool]]:
    """All of one block, energy NaN where not known; True where the distance to the hull is."""
    names = ["id", "atomic_number", "occupancy", "energy_eV_atom", "e_above_hull_eV_atom"]
    for row in read_parquet(path, names).to_pylist():
        amounts: dict[str, float] = {}
        for z, occupancy in zip(row["atomic_number"], row["occupancy"], strict=True):
            amounts[SYMBOLS[z - 1]] = amounts.get(SYMBOLS[z - 1], 0.0) + occupancy
        energy = math.nan if row["energy_eV_atom"] is None else row["energy_eV_atom"]
        entry = HullEntry(row["id"], amounts, energy, source)
        yield entry, row["e_above_hull_eV_atom"] is not None


def hull_table(placed: Sequence[Placed]) -> Any:
    """Arrow table of computed values, and of the reasons where one is missing."""
    import pyarrow as pa

    kinds = [("id", pa.string()), *((name, pa.float64()) for name in _PLACED)]
    schema = pa.schema([*kinds, ("reason", pa.string())])
    return table_of([vars(one) for one in placed], schema)


_PLACED: Final[tuple[str, ...]] = (
    "e_above_hull_eV_atom",
    "li_window_low_V",
    "li_window_high_V",
)


def _with_hulls(table: Any, placed: Sequence[dict[str, Any]]) -> Any:
    """Fill in computed values; those of the source are left alone."""
    import pyarrow as pa

    computed = {row["id"]: row for row in placed}
    if "id" not in table.column_names:
        return table
    found = [computed.get(name, {}) for name in table.column("id").to_pylist()]
    before = {n: table.column(n).to_pylist() for n in _PLACED if n in table.column_names}
    for name, values in before.items():
        filled = [row.get(name) if v is None else v for v, row in zip(values, found, strict=True)]
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), column(filled, pa.float64()))
    if {"hull_origin", _PLACED[0]} <= set(table.column_names):
        hulls, origins = before[_PLACED[0]], table.column("hull_origin").to_pylist()
        origin = [
            COMPUTED if v is None and row.get(_PLACED[0]) is not None else old
            for v, row, old in zip(hulls, found, origins, strict=True)
        ]
        place = table.column_names.index("hull_origin")
        table = table.set_column(
            place, table.schema.field("hull_origin"), column(origin, pa.string())
        )
    return table


class StoreSource:
    """A store as a source of another one, to put databases together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.store = Store(name)

    def identity(self) -> dict[str, Any]:
        """Hashes of its blocks."""
        return {"name": self.name, "blocks": self.store.manifest["blocks"]}

    def items(self, after: Any = None) -> Iterator[Item]:
        """Structures behind a cursor, which is the number read."""
        for number, stored in enumerate(self.store.records(), start=1):
            if number > (after or 0):
                yield Item(stored.record, number)

    def notices(self) -> list[str]:
        """Quarantine of the other store stays there."""
        n = self.store.manifest["counts"]["quarantined"]
        return [f"{self.name}: its {n:,} quarantined inputs stay in its own quarantine.csv"]
