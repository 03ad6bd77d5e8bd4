"""Readers of files that hold many structures: one generator a format, any file size.

Each takes (path, context, skip) and yields one entry for every structure in the file, leaving out
the first ``skip`` without converting them. A file that breaks off ends with a quarantine entry.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..errors import InputError
from .ase_atoms import atoms_entry
from .cif_block import MAX_SITES
from .entries import entry_id, record_from_entry
from .entry import GAP_NAMES, HULL_NAMES, ID_NAMES, Context, Entry, clean_id, guarded, reason_of
from .extxyz import check_columns
from .json_stream import iter_json_objects
from .streams import CORRUPT, open_stream

Reader: TypeAlias = Callable[[Path, Context, int], Iterator[Entry]]

_BATCH_ROWS = 256
_ISOTOPE = re.compile(rb"^(\s*)[DT](\s)")
"""Deuterium and tritium, which ASE does not know, at the start of a line of atoms."""
_UNREADABLE: Final[tuple[type[Exception], ...]] = (InputError, *CORRUPT)


def read_json(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    """JSON of pymatgen structures or computed entries, of OPTIMADE entries, or of plain ones."""
    index = 0
    try:
        for index, (key, entry) in enumerate(iter_json_objects(path), start=1):
            if index > skip:
                fallback = _numbered(context, index) if key is None else key or context.identifier
                yield _entry(entry, fallback, context)
    except InputError as error:
        yield _broken(context, index, error)


def read_jsonl(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    """One JSON object a line; a line that is none is quarantined, the others are not.

    Lines of an OPTIMADE file that describe the database are no structures.
    """
    index = 0
    try:
        with open_stream(path) as stream:
            full = (x for x in stream.lines() if x.strip() and not _is_description(x))
            for index, line in enumerate(full, start=1):
                if index > skip:
                    yield _line_entry(line, _numbered(context, index), context)
    except _UNREADABLE as error:
        yield _broken(context, index, error)


def _is_description(line: bytes) -> bool:
    """True for the header of the OPTIMADE JSON Lines format and for its info endpoints."""
    if b'"x-optimade"' not in line and b'"info"' not in line:
        return False
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and ("x-optimade" in content or content.get("type") == "info")


def _line_entry(line: bytes, fallback: str, context: Context) -> Entry:
    try:
        return _entry(json.loads(line), fallback, context)
    except (ValueError, RecursionError) as error:
        return context.quarantined(clean_id(fallback), f"not a JSON object: {error}"[:200])


def _entry(entry: Any, fallback: str, context: Context) -> Entry:
    record_id = entry_id(entry, fallback)
    return guarded(context, record_id, lambda: record_from_entry(entry, record_id, context))


def _numbered(context: Context, index: int) -> str:
    return f"{context.identifier}-{index}"


def _broken(context: Context, n_before: int, error: Exception) -> Entry:
    """What ends a file early becomes an entry: nobody shall take the part for the whole."""
    reason = " ".join(str(error).split())[:300]
    where = f"behind its first {n_before} structures" if n_before else "at its start"
    return context.quarantined(clean_id(context.identifier), f"broken {where}: {reason}")


def read_extxyz(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    """Extended XYZ; each frame is parsed alone, so that a broken one takes no other with it."""
    index = 0
    try:
        with open_stream(path) as stream:
            for index, frame in enumerate(_frames(stream.lines()), start=1):
                stream.entry_done()
                if index > skip:
                    yield _frame_entry(frame, _numbered(context, index), context)
    except _UNREADABLE as error:
        yield _broken(context, index, error)


def _frames(lines: Iterator[bytes]) -> Iterator[list[bytes] | str]:
    """Lines of each frame, or the reason why it is not parsed.

    Raises
    ------
    InputError
        Where a frame should begin and no number of atoms stands: the rest cannot be divided.
    """
    for number, head in enumerate(lines, start=1):
        if not head.strip():
            continue
        if not re.fullmatch(rb"\s*\d{1,9}\s*", head):
            raise InputError(f"frame {number} does not begin with a number of atoms")
        n_atoms = int(head)
        frame = list(islice(lines, min(n_atoms, MAX_SITES) + 1))
        if n_atoms > MAX_SITES:
            # Read over it without keeping it.
            for _ in islice(lines, n_atoms - MAX_SITES):
                pass
            yield f"{n_atoms} sites in the cell, more than {MAX_SITES}"
        elif len(frame) < n_atoms + 1:
            yield f"{n_atoms} atoms are announced, {max(len(frame) - 1, 0)} are there"
        else:
            yield [head, *frame]


def _frame_entry(frame: list[bytes] | str, fallback: str, context: Context) -> Entry:
    if isinstance(frame, str):
        return context.quarantined(clean_id(fallback), frame)
    import ase.io

    lines = [_ISOTOPE.sub(rb"\1H\2", line) for line in frame]
    text = io.StringIO(b"\n".join(lines).decode("utf-8", "replace") + "\n")
    try:
        check_columns(frame[1].decode("utf-8", "replace"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = ase.io.read(text, format="extxyz", index=0)
    except Exception as error:
        # ASE's parser meets arbitrary text and fails in arbitrary ways; the reason is kept.
        return context.quarantined(clean_id(fallback), f"not a readable frame: {error}"[:300])
    return atoms_entry(atoms, dict(atoms.info), fallback, context)


def read_ase_db(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    """ASE database (SQLite), rows in the order of their ids, each read alone."""
    import sqlite3

    import ase.db

    index = skip
    try:
        ids = _row_ids(path)
        with ase.db.connect(str(path), type="db", use_lock_file=False) as database:
            for row_id in ids[skip:]:
                yield _row_entry(database, row_id, f"{context.identifier}-{row_id}", context)
                index += 1
    except (sqlite3.Error, OSError, ValueError, KeyError, AssertionError) as error:
        yield _broken(context, index, error)


def _row_ids(path: Path) -> list[int]:
    """Ids of all rows, so that each can be read alone: one that is broken ends a selection."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [int(row[0]) for row in connection.execute("SELECT id FROM systems ORDER BY id")]


def _row_entry(database: Any, row_id: int, fallback: str, context: Context) -> Entry:
    try:
        row = database.get(id=row_id)
        values = dict(row.key_value_pairs)
        if "energy" in row:
            values["energy"] = row.energy
        atoms = row.toatoms()
    except Exception as error:
        # A row holds whatever a stranger wrote there; the others are read.
        return context.quarantined(clean_id(fallback), f"the row cannot be read: {_told(error)}")
    return atoms_entry(atoms, values, fallback, context)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {reason_of(error)}"


def read_parquet(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    """Parquet with OPTIMADE column names; ``species`` may be nested or JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = 0
    try:
        with pq.ParquetFile(path) as file:
            columns = _parquet_columns(file.schema_arrow.names, context)
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                n_rows, index = batch.num_rows, index + batch.num_rows
                if index <= skip:
                    continue
                first = max(0, skip - (index - n_rows))
                for offset in range(first, n_rows):
                    fallback = _numbered(context, index - n_rows + offset + 1)
                    yield _parquet_entry(batch.slice(offset, 1), fallback, context)
    except (InputError, pa.ArrowException, OSError, ValueError, KeyError) as error:
        yield _broken(context, index, error)


def _parquet_entry(row: Any, fallback: str, context: Context) -> Entry:
    """One row, converted alone: text that is no UTF-8 must not cost the rows beside it."""
    try:
        values = _without_empty(row.to_pylist()[0])
    except Exception as error:
        return context.quarantined(clean_id(fallback), f"the row cannot be read: {_told(error)}")
    return _entry(values, fallback, context)


def _parquet_columns(present: list[str], context: Context) -> list[str]:
    from .optimade_read import ATTRIBUTES

    needed = ("lattice_vectors", "cartesian_site_positions", "species_at_sites")
    if missing := [name for name in needed if name not in present]:
        raise InputError(f"the table has no column {missing[0]!r} (OPTIMADE names are needed)")
    other = ("energy_per_atom", "energy_eV_atom", "licence", "license", "reference", "doi")
    wanted = {*ATTRIBUTES, *ID_NAMES, *HULL_NAMES, *GAP_NAMES, *other}
    if context.stability_field:
        wanted.add(context.stability_field.split(".")[0])
        if context.stability_field.split(".")[0] not in present:
            raise InputError(f"the table has no column {context.stability_field!r}")
    return [name for name in present if name in wanted]


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    if isinstance(row.get("species"), str):
        try:
            row["species"] = json.loads(row["species"])
        except ValueError:
            row["species"] = [None]
    return {name: value for name, value in row.items() if value is not None}


READERS: Final[tuple[tuple[re.Pattern[str], Reader], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), reader)
    for pattern, reader in (
        (r"\.(jsonl|ndjson)(\.(gz|bz2|xz))?$", read_jsonl),
        (r"\.json(\.(gz|bz2|xz))?$", read_json),
        (r"\.(extxyz|xyz)(\.(gz|bz2|xz))?$", read_extxyz),
        (r"\.db$", read_ase_db),
        (r"\.parquet$", read_parquet),
    )
)
"""Formats by the ending of the file's name."""


def reader_for(name: str) -> Reader | None:
    """Reader of a file with many structures, None if the name says none of them."""
    return next((reader for pattern, reader in READERS if pattern.search(name)), None)


def stem_of(name: str) -> str:
    """File name without the endings known here."""
    return next((p.sub("", name) for p, _ in READERS if p.search(name)), name)
