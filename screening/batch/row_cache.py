"""Descriptors kept between runs: equal structures, families and code are computed once.

One SQLite file in the folder of cached models, shared by every command. A row is found by what
decides it: the structure with its id, the mobile species, the families and the code behind them
(:func:`ionsieve.features.catalogue.descriptor_code`). It is a cache: without it, or with a damaged
one, the same rows are computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ...data.records import StructureRecord
from ...features.catalogue import FAMILY_NAMES, catalogue, descriptor_code, feature_set_hash
from ...features.rows import FeatureRow
from .batch import FeatureJob
from .given_rows import GivenRows
from .limits import TIMEOUT_S
from .shared_rows import SharedEngine, shared_rows
from .workers import run_isolated

FILE: Final[str] = "descriptors.sqlite"
MOST_KEPT: Final[int] = 20_000
"""Structures of one run that are kept (about 3 kB each); larger runs go through shards."""
_BY_CHANCE: Final[tuple[str, ...]] = ("timeout:", "crash:", "memory:")
"""Reasons that say more of the machine than of the structure: it is tried again."""
_COMMIT_EVERY_S: Final[float] = 2.0
_WAIT_S: Final[float] = 60.0


def described_rows(
    records: Sequence[StructureRecord],
    chosen: Sequence[str] | None = None,
    mobile: str = "Li",
    workers: int = 1,
    timeout_s: float = TIMEOUT_S,
    on_done: Callable[[int], None] | None = None,
    cache: Path | None = None,
    shared: SharedEngine | None = None,
    given: GivenRows | None = None,
) -> list[FeatureRow]:
    """Rows of structures, from the cache where they are there, else computed in workers and kept.

    Parameters
    ----------
    records : sequence of StructureRecord
    chosen : sequence of str, optional
        Descriptor families; all by default.
    mobile : str
    workers : int
    timeout_s : float
        Longest time for one structure, s. What was late or crashed is not kept.
    on_done : callable, optional
        Called with the number of finished structures.
    cache : path, optional
        Folder; None computes everything.
    shared : SharedEngine, optional
        What computes instead of workers of this machine; the rows are the same.
    given : GivenRows, optional
        Rows that are there already; the others are computed.

    Returns
    -------
    list of FeatureRow
        In the order of the records; a structure that could not be finished has its reason.
    """
    names = tuple(chosen or FAMILY_NAMES)
    rows = {} if given is None else given.rows(records)
    with opened_cache(cache) as database:
        keys = _keys(records, names, mobile) if database else []
        if database and len(rows) < len(records):
            rows = _known(database, keys) | rows
        if on_done is not None and rows:
            on_done(len(rows))
        missing = [(i, record) for i, record in enumerate(records) if i not in rows]
        written = time.monotonic()
        if shared is None:
            computed = _local_rows(missing, FeatureJob(names, mobile), workers, timeout_s)
        else:
            computed = _placed_rows(missing, names, mobile, timeout_s, shared)
        for i, row, is_sure in computed:
            rows[i] = row
            if database and is_sure:
                _keep(database, keys[i], row)
                if time.monotonic() - written > _COMMIT_EVERY_S:
                    database.commit()
                    written = time.monotonic()
            if on_done is not None:
                on_done(len(rows))
        if database:
            database.commit()
    return [rows[i] for i in range(len(records))]


def _local_rows(
    missing: Sequence[tuple[int, StructureRecord]], job: FeatureJob, workers: int, timeout_s: float
) -> Iterator[tuple[int, FeatureRow, bool]]:
    """Places, rows, and whether a row would be the same another time."""
    record_ids = {i: record.id for i, record in missing}
    for outcome in run_isolated(job, missing, workers, timeout_s):
        failed = FeatureRow(record_ids[outcome.index], None, outcome.failure)
        yield outcome.index, outcome.result or failed, outcome.result is not None


def _placed_rows(
    missing: Sequence[tuple[int, StructureRecord]],
    names: tuple[str, ...],
    mobile: str,
    timeout_s: float,
    shared: SharedEngine,
) -> Iterator[tuple[int, FeatureRow, bool]]:
    records = [record for _, record in missing]
    for place, row in shared_rows(records, names, mobile, timeout_s, shared):
        yield missing[place][0], row, not row.reason.startswith(_BY_CHANCE)


def _keys(records: Sequence[StructureRecord], names: tuple[str, ...], mobile: str) -> list[str]:
    settings = f"{feature_set_hash(catalogue(names))}\t{mobile}\t{descriptor_code(names)}"
    return [
        hashlib.sha256(f"{settings}\t{r.id}\t{r.content_hash}".encode()).hexdigest()[:32]
        for r in records
    ]


@contextlib.contextmanager
def opened_cache(cache: Path | None) -> Iterator[sqlite3.Connection | None]:
    """The database in a folder, made anew where it is damaged; None without a folder."""
    if cache is None:
        yield None
        return
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / FILE
    try:
        database = _connected(file)
    except sqlite3.DatabaseError:
        file.unlink(missing_ok=True)
        database = _connected(file)
    with contextlib.closing(database):
        yield database


def _connected(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=_WAIT_S)
    for table in ("rows", "answers"):
        database.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, row BLOB NOT NULL)"
        )
    database.commit()
    return database


def _known(database: sqlite3.Connection, keys: Sequence[str]) -> dict[int, FeatureRow]:
    found = {}
    for i, key in enumerate(keys):
        hit = database.execute("SELECT row FROM rows WHERE key = ?", (key,)).fetchone()
        if hit is not None:
            found[i] = _read(hit[0])
    return {i: row for i, row in found.items() if row is not None}


def _keep(database: sqlite3.Connection, key: str, row: FeatureRow) -> None:
    values = None if row.values is None else {k: _plain(v) for k, v in row.values.items()}
    text = json.dumps([row.id, values, row.reason], separators=(",", ":"))
    blob = zlib.compress(text.encode(), 6)
    # A second process may have computed the same row: equal, so either may stay.
    database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (key, blob))


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value


def _read(blob: bytes) -> FeatureRow | None:
    """None for a row that cannot be read: it is computed again."""
    try:
        record_id, values, reason = json.loads(zlib.decompress(blob))
    except (zlib.error, ValueError, TypeError):
        return None
    return FeatureRow(str(record_id), values, str(reason))


__all__ = ["FILE", "MOST_KEPT", "described_rows", "opened_cache"]
