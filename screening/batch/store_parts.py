"""One part of a store → one file of descriptors: the unit of work of every engine.

``compute_part`` runs where it is called, starts no process, and may be called again at any time:
rows that are finished are kept in a journal, the file is whole or absent, and a part that exists
with the same key is skipped. It needs a folder that all machines see, and nothing else of them.

Its process may die at any structure. The journal then says at which: the first without a row. A
structure at which it died as often as :data:`ALLOWED_DEATHS` gets its reason instead of values,
and the rest of the part is computed; one that ran out of time, at once. Time is kept by a watchdog
thread of C code (:func:`faulthandler.dump_traceback_later`): it ends the process even while a
compiled kernel hangs, in whichever thread.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from ...data.atomic import write_json_atomic
from ...data.records import StructureRecord
from ...data.store.store import Store, stored_records, structures_name
from ...features.catalogue import catalogue, descriptor_code, families, feature_set_hash
from ...features.rows import FeatureRow, featurize_one
from ...features.warmup import warm_up
from .reasons import general_reasons
from .shards import Journal, Layout, Row, read_facts, write_shard
from .worker_process import described

ALLOWED_DEATHS: Final[int] = 3
UNFINISHED: Final[str] = ".unfinished"
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """A block of a store to compute, as plain values: every engine can send it.

    Parameters
    ----------
    store : str
        Folder of the store.
    block : int
    key : str
        Identity of the result: block, families, mobile species, code.
    out : str
        Folder of the descriptors.
    families : tuple of str
    mobile : str
    timeout_s : float
        Longest time for one structure, s.
    """

    store: str
    block: int
    key: str
    out: str
    families: tuple[str, ...]
    mobile: str
    timeout_s: float

    @property
    def path(self) -> Path:
        """File of the result."""
        return Path(self.out) / f"features-{self.block:05d}.parquet"

    def unfinished(self, ending: str) -> Path:
        """What is kept of a part under way."""
        return Path(self.out) / UNFINISHED / f"features-{self.block:05d}.{ending}"


@dataclass(frozen=True, kw_only=True)
class PartResult:
    """What came out of a part.

    Attributes
    ----------
    block : int
    path : str
    statuses, reasons : dict of str to int
        Rows by status, and general reasons with their counts.
    digest : str
        SHA-256 of the file, 64 hexadecimal digits.
    reused : bool
        Whether the file was there already.
    """

    block: int
    path: str
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    digest: str = ""
    reused: bool = False


def part_tasks(
    store: Store,
    out: Path,
    chosen: tuple[str, ...],
    mobile: str,
    timeout_s: float,
    blocks: range,
) -> list[PartTask]:
    """Tasks of some blocks of a store; nothing is parsed.

    Parameters
    ----------
    store : Store
    out : Path
        Folder of the descriptors.
    chosen : tuple of str
        Descriptor families.
    mobile : str
    timeout_s : float
        Longest time for one structure, s.
    blocks : range
    """
    settings = layout_of(chosen, mobile).settings
    tasks = []
    for block in blocks:
        content = store.manifest["blocks"][block][structures_name(block)]
        key = hashlib.sha256(f"{settings}\t{content}".encode()).hexdigest()[:32]
        tasks.append(
            PartTask(
                store=str(store.folder),
                block=block,
                key=key,
                out=str(out),
                families=chosen,
                mobile=mobile,
                timeout_s=timeout_s,
            )
        )
    return tasks


def layout_of(chosen: tuple[str, ...], mobile: str) -> Layout:
    """Columns of a file of descriptors, and what decides its rows beside the structures.

    Parameters
    ----------
    chosen : tuple of str
        Descriptor families.
    mobile : str
    """
    columns = catalogue(chosen)
    code = descriptor_code(chosen)[:12]
    return Layout(columns, f"{feature_set_hash(columns)}\t{mobile}\t{code}")


def finished_part(task: PartTask) -> PartResult | None:
    """The result of an earlier run, if it is of this task."""
    facts = read_facts(task.path)
    if facts.get("part") != task.key:
        return None
    return _result(task, facts["statuses"], facts["reasons"], is_reused=True)


def compute_part(task: PartTask) -> PartResult:
    """Compute the descriptors of one block of a store, or take them as they are.

    Parameters
    ----------
    task : PartTask

    Returns
    -------
    PartResult

    Raises
    ------
    InputError
        If the store is damaged. Every structure has its row, whatever becomes of it.
    """
    # The watchdog is one a process, and descriptors hold the interpreter anyway.
    with _ONE_AT_A_TIME:
        return finished_part(task) or _Part(task).compute()


@cache
def _warmed_up(chosen: tuple[str, ...]) -> None:
    """Once a process: no structure shall pay for kernels out of its time."""
    warm_up(chosen)


class _Part:
    """A part under way."""

    def __init__(self, task: PartTask) -> None:
        self.task, self.layout = task, layout_of(task.families, task.mobile)
        self.families = families(task.families)
        self.journal = Journal(task.unfinished("jsonl"))
        self.deaths = _Deaths(task)

    def compute(self) -> PartResult:
        _warmed_up(self.task.families)
        records = self._records()
        keys = [self.layout.key(record) for record in records]
        rows = self.journal.read()
        self.deaths.count_last(rows)
        with contextlib.closing(self.journal):
            for key, record in zip(keys, records, strict=True):
                if key not in rows:
                    rows[key] = self._row(key, record)
                    self.journal.append(key, rows[key])
        ordered = [rows[key] for key in keys]
        statuses = dict(Counter(row.status for row in ordered))
        reasons = dict(general_reasons(ordered))
        facts = {"part": self.task.key, "statuses": statuses, "reasons": reasons}
        write_shard(self.task.path, self.layout, keys, ordered, facts)
        self.journal.remove()
        self.deaths.forget()
        return _result(self.task, statuses, reasons, is_reused=False)

    def _records(self) -> list[StructureRecord]:
        table = Store(self.task.store).read(structures_name(self.task.block))
        return [stored.record for stored in stored_records(table)]

    def _row(self, key: str, record: StructureRecord) -> Row:
        if blame := self.deaths.reason(key):
            return self.layout.row(record.id, "failed", blame, {})
        try:
            with self.deaths.watched(key):
                found = featurize_one(record, self.families, self.task.mobile)
        except OSError:
            # Of the disk, not of the structure.
            raise
        except MemoryError:
            found = FeatureRow(record.id, None, "memory: more is needed than there is")
        except Exception as error:
            # As in a worker of this machine: a defect that one structure shows is its own.
            found = FeatureRow(record.id, None, described(error))
        if found.values is None:
            return self.layout.row(record.id, "failed", found.reason, {})
        status = "partial" if found.reason else "ok"
        return self.layout.row(record.id, status, found.reason, found.values)


class _Deaths:
    """Remembers, across processes, at which structures of a part they ended.

    The file ``current`` holds the key of the structure under way, and what the watchdog wrote
    before it ended the process.
    """

    def __init__(self, task: PartTask) -> None:
        self.timeout_s = task.timeout_s
        self.file, self.current = task.unfinished("deaths.json"), task.unfinished("current")
        self.deaths: dict[str, int] = {}
        self.late: list[str] = []

    def count_last(self, finished: Container[str]) -> None:
        """Take note of how the last attempt ended."""
        if self.file.exists():
            known = json.loads(self.file.read_text(encoding="utf-8"))
            self.deaths, self.late = known["deaths"], known["late"]
        text = self.current.read_text(encoding="utf-8") if self.current.exists() else ""
        key, _, words = text.partition("\n")
        if key and key not in finished:
            self.deaths[key] = self.deaths.get(key, 0) + 1
            self.late += [key] if words.strip() else []
            write_json_atomic(self.file, {"deaths": self.deaths, "late": self.late})
        self.current.unlink(missing_ok=True)

    def reason(self, key: str) -> str:
        """Why a structure is not tried again; empty if it is."""
        if key in self.late:
            return f"timeout: no result within {self.timeout_s:g} s"
        deaths = self.deaths.get(key, 0)
        if deaths >= ALLOWED_DEATHS:
            return f"crash: the process that computed it ended, {deaths} times"
        return ""

    @contextlib.contextmanager
    def watched(self, key: str) -> Iterator[None]:
        """End this process if what follows takes too long; the next one is told by a file."""
        self.current.parent.mkdir(parents=True, exist_ok=True)
        with self.current.open("w", encoding="utf-8") as file:
            file.write(f"{key}\n")
            file.flush()
            faulthandler.dump_traceback_later(self.timeout_s, exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def forget(self) -> None:
        """The part is written."""
        for path in (self.file, self.current):
            path.unlink(missing_ok=True)


def _result(
    task: PartTask, statuses: dict[str, int], reasons: dict[str, int], is_reused: bool
) -> PartResult:
    return PartResult(
        block=task.block,
        path=str(task.path),
        statuses=statuses,
        reasons=reasons,
        digest=hashlib.sha256(task.path.read_bytes()).hexdigest(),
        reused=is_reused,
    )
