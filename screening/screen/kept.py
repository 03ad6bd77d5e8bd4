"""What a screen finds in the cache: the embedded candidates, and which structures are known.

Both are found by everything that decides them, code and libraries included, and made again where
they are absent or damaged.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Final

from ...data.atomic import write_json_atomic
from ...data.code_digest import code_digest
from ...data.errors import InputError
from ...data.records import Quarantined, StructureRecord
from ...data.store.store import Store
from ...data.store.write import written_store
from ..batch.row_cache import MOST_KEPT, opened_cache
from ..generate.prototypes import GenerationResult, embedded_candidates
from .known import Known, find_known

_DROPPED: Final[str] = "dropped.json"
_BLOCK: Final[int] = 1000


def kept_candidates(mobile: str, cache: Path | None) -> GenerationResult:
    """The embedded candidates, see :func:`ionsieve.screening.generate.prototypes`.

    Parameters
    ----------
    mobile : str
    cache : path, optional
        Folder; None makes them anew.
    """
    if cache is None:
        return embedded_candidates(mobile)
    folder = cache / f"candidates-{_key('ionsieve.screening.generate.prototypes', mobile)}"
    try:
        return _read_candidates(folder)
    except (InputError, OSError, ValueError, TypeError):
        found = embedded_candidates(mobile)
        _write_candidates(found, folder)
        return found


def _read_candidates(folder: Path) -> GenerationResult:
    dropped = json.loads((folder / _DROPPED).read_text(encoding="utf-8"))
    records = tuple(stored.record for stored in Store(folder).records())
    return GenerationResult(records, tuple(Quarantined(**entry) for entry in dropped))


def _write_candidates(found: GenerationResult, folder: Path) -> None:
    """Write beside and rename: an entry of the cache is whole or absent."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        staged = temporary / "candidates"
        written_store(found.records, staged, _BLOCK)
        write_json_atomic(staged / _DROPPED, [asdict(entry) for entry in found.dropped])
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
    except OSError:
        # Another process may have been faster, or the disk is full: it is a cache.
        pass
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def kept_known(
    records: Sequence[StructureRecord],
    training: Sequence[StructureRecord],
    mobile: str = "Li",
    training_mobile: str = "Li",
    on_done: Callable[[int, int], None] = lambda done, total: None,
    cache: Path | None = None,
) -> list[Known]:
    """As :func:`.known.find_known`; what an earlier screen found is taken from the cache.

    Parameters
    ----------
    records, training, mobile, training_mobile, on_done
        As there.
    cache : path, optional
        Folder; None compares all.
    """
    if cache is None or len(records) > MOST_KEPT:
        return find_known(records, training, mobile, training_mobile, on_done)
    table = "\t".join([mobile, training_mobile, *(f"{r.id} {r.content_hash}" for r in training)])
    key = _key("ionsieve.screening.screen.known", table)
    with opened_cache(cache) as database:
        assert database is not None
        found = {r.id: _answer(database, f"{key}{r.content_hash}") for r in records}
        missing = [r for r in records if found[r.id] is None]
        n_found = len(records) - len(missing)
        new = find_known(
            missing,
            training,
            mobile,
            training_mobile,
            lambda done, _: on_done(n_found + done, len(records)),
        )
        for record, one in zip(missing, new, strict=True):
            found[record.id] = one
            row = (f"{key}{record.content_hash}", json.dumps([one.structure, one.relation]))
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", row)
        database.commit()
    return [known for record in records if (known := found[record.id]) is not None]


def _answer(database: sqlite3.Connection, key: str) -> Known | None:
    """None where there is none, or one that cannot be read."""
    row = database.execute("SELECT row FROM answers WHERE key = ?", (key,)).fetchone()
    try:
        return None if row is None else Known(*json.loads(row[0]))
    except (ValueError, TypeError):
        return None


def _key(module: str, what: str) -> str:
    """Everything that decides a result of this code, 16 hexadecimal digits."""
    libraries = [f"{name} {version(name)}" for name in ("moyopy", "numpy", "pymatgen", "scipy")]
    text = "\t".join([code_digest(module), *libraries, what])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
