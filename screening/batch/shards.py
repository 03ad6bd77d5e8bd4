"""Feature shards: Parquet files that are whole or absent, and the journal of an unfinished one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...data.atomic import write_bytes_atomic
from ...data.errors import InputError
from ...data.records import FloatArray, Quarantined, StructureRecord
from ...features.core.columns import Column

ROW_GROUP: Final[int] = 1000
_FSYNC_EVERY_S = 5.0
_KEYS = b"ionsieve.keys"
_FACTS = b"ionsieve.facts"


class Row(NamedTuple):
    """One structure's line of the table.

    Attributes
    ----------
    numbers : array (n_numeric,)
        Float and boolean columns in catalogue order; NaN where not defined.
    words : tuple of str
        Category columns in catalogue order; empty where not defined.
    """

    id: str
    status: str
    """``ok``, ``partial`` (some columns NaN, ``reason`` says why) or ``failed`` (all NaN).

    Remarks of the reader stand in ``reason``, too, whatever the status.
    """
    reason: str
    numbers: FloatArray
    words: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Columns of the table and what else decides its numbers.

    Parameters
    ----------
    columns : tuple of Column
    settings : str
        Everything that a row depends on besides its structure: mobile species, code.
    """

    columns: tuple[Column, ...]
    settings: str

    @property
    def numeric(self) -> list[Column]:
        """Columns stored as float64; booleans are 1, 0 or NaN."""
        return [c for c in self.columns if c.dtype != "category"]

    @property
    def categories(self) -> list[Column]:
        """Columns stored as text."""
        return [c for c in self.columns if c.dtype == "category"]

    def key(self, entry: StructureRecord | Quarantined) -> str:
        """Identity of a row: equal keys mean equal rows, 16 hex digits."""
        if isinstance(entry, Quarantined):
            content = f"{entry.stage}\t{entry.reason}"
        else:
            content = entry.content_hash
        text = f"{self.settings}\t{entry.id}\t{content}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def row(self, record_id: str, status: str, reason: str, values: dict[str, Any]) -> Row:
        """A row from named values; what is missing is NaN or empty."""
        numbers = np.array([values.get(c.name, np.nan) for c in self.numeric], dtype=np.float64)
        # Arithmetic makes NaN with either sign; one pattern keeps equal rows equal in bytes.
        numbers[np.isnan(numbers)] = np.nan
        words = tuple(str(values.get(c.name, "")) for c in self.categories)
        return Row(record_id, status, reason, numbers, words)


def write_shard(
    path: Path,
    layout: Layout,
    keys: Sequence[str],
    rows: Sequence[Row],
    facts: dict[str, Any] | None = None,
) -> None:
    """Write rows as one Parquet file: the old file or the new one exists, never a part.

    Parameters
    ----------
    path : Path
    layout : Layout
    keys : sequence of str
        One a row.
    rows : sequence of Row
    facts : dict, optional
        Plain values kept in the file, for :func:`read_facts`.
    """
    import pyarrow.parquet as pq

    table = _table(layout, rows)
    metadata = {**(table.schema.metadata or {}), _KEYS: "".join(keys).encode()}
    if facts is not None:
        metadata[_FACTS] = json.dumps(facts, sort_keys=True).encode()
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(metadata),
        buffer,
        compression="zstd",
        row_group_size=ROW_GROUP,
    )
    write_bytes_atomic(path, buffer.getvalue())


def _table(layout: Layout, rows: Sequence[Row]) -> Any:
    import pyarrow as pa

    numbers = np.array([row.numbers for row in rows], dtype=np.float64)
    numbers = numbers.reshape(len(rows), len(layout.numeric))
    numeric = {c.name: i for i, c in enumerate(layout.numeric)}
    categories = {c.name: i for i, c in enumerate(layout.categories)}
    arrays = [
        pa.array([getattr(row, name) for row in rows], pa.string()) for name in Row._fields[:3]
    ]
    fields = [pa.field(name, pa.string()) for name in Row._fields[:3]]
    for c in layout.columns:
        if c.name in numeric:
            arrays.append(pa.array(np.ascontiguousarray(numbers[:, numeric[c.name]])))
        else:
            arrays.append(pa.array([row.words[categories[c.name]] for row in rows], pa.string()))
        described = {"unit": c.unit, "definition": c.definition}
        fields.append(pa.field(c.name, arrays[-1].type, metadata=described))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def read_facts(path: Path) -> dict[str, Any]:
    """What a shard says of itself, without its rows; empty if there is none or it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return {}
    return dict(json.loads(metadata.get(_FACTS, b"{}")))


def read_keys(path: Path) -> list[str]:
    """Keys of the rows of a shard, in order, without its rows.

    Raises
    ------
    InputError
        If it is not a readable shard.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        meta = pq.read_metadata(path)
        keys = _split((meta.metadata or {}).get(_KEYS, b""))
        good = len(keys) == meta.num_rows and all(len(bytes.fromhex(k)) == 8 for k in keys)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); remove it") from None
    if not good:
        raise InputError(f"{path}: not a file of descriptors; remove it")
    return keys


def read_shard(path: Path, layout: Layout) -> dict[str, Row]:
    """Rows of a shard by key, in order; empty if the file does not exist.

    Raises
    ------
    InputError
        If it is not a shard of these columns.
    """
    if not path.exists():
        return {}
    table = _shard_table(path, layout)
    keys = _keys_of(table)
    if len(keys) != table.num_rows:
        raise InputError(f"{path}: not a shard of this feature set; use another --out")
    return dict(zip(keys, _rows(table, layout), strict=True))


def read_rows(path: Path, layout: Layout) -> list[Row]:
    """Rows of a shard in order, equal ones as often as they stand there.

    Raises
    ------
    InputError
        If it is not a shard of these columns.
    """
    return list(_rows(_shard_table(path, layout), layout))


def _shard_table(path: Path, layout: Layout) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); remove it") from None
    if table.column_names != [*Row._fields[:3], *(c.name for c in layout.columns)]:
        raise InputError(f"{path}: not a shard of this feature set; use another --out")
    return table


def _keys_of(table: Any) -> list[str]:
    return _split((table.schema.metadata or {}).get(_KEYS, b""))


def _split(keys: bytes) -> list[str]:
    joined = keys.decode()
    return [joined[i : i + 16] for i in range(0, len(joined), 16)]


def _rows(table: Any, layout: Layout) -> Iterator[Row]:
    numbers = np.empty((table.num_rows, len(layout.numeric)))
    for i, c in enumerate(layout.numeric):
        numbers[:, i] = table.column(c.name).to_numpy()
    words = [table.column(c.name).to_pylist() for c in layout.categories]
    texts = [table.column(name).to_pylist() for name in Row._fields[:3]]
    for i in range(table.num_rows):
        record_id, status, reason = (column[i] for column in texts)
        yield Row(record_id, status, reason, numbers[i], tuple(column[i] for column in words))


class Journal:
    """Rows of an unfinished shard, appended one by one: a kill loses only what was under way.

    One JSON array a line. A line cut short by a crash, and all behind it, is dropped on opening.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: Any = None
        self._synced = time.monotonic()

    def read(self) -> dict[str, Row]:
        """Rows by key."""
        rows: dict[str, Row] = {}
        if not self.path.exists():
            return rows
        content, valid = self.path.read_bytes(), 0
        for line in content.splitlines(keepends=True):
            entry = _parsed(line)
            if entry is None:
                break
            rows[entry[0]] = entry[1]
            valid += len(line)
        if valid < len(content):
            os.truncate(self.path, valid)
        return rows

    def append(self, key: str, row: Row) -> None:
        """Add a row; it survives the end of this process at once, a power cut after 5 s."""
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("ab", buffering=0)
        entry = [key, *row[:3], row.numbers.tolist(), row.words]
        self._stream.write(json.dumps(entry).encode() + b"\n")
        if time.monotonic() - self._synced > _FSYNC_EVERY_S:
            os.fsync(self._stream.fileno())
            self._synced = time.monotonic()

    def close(self) -> None:
        """Close the file, keep its content."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def remove(self) -> None:
        """The shard is written: the journal has done its work."""
        self.close()
        self.path.unlink(missing_ok=True)


def _parsed(line: bytes) -> tuple[str, Row] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        key, record_id, status, reason, numbers, words = json.loads(line)
    except ValueError:
        return None
    row = Row(record_id, status, reason, np.array(numbers, dtype=np.float64), tuple(words))
    return str(key), row
