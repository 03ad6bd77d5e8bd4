"""The batch engine: any number of structures → Parquet shards, killable at any moment.

Every input gives exactly one row. Rows stand in input order whatever the number of workers, so
that equal inputs give equal bytes. Finished rows of an unfinished shard are kept in a journal.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...data.atomic import write_json_atomic
from ...data.errors import InputError
from ...data.records import Quarantined, StructureRecord
from ...features.catalogue import (
    FAMILY_NAMES,
    catalogue,
    descriptor_code,
    families,
    family_modules,
    feature_set_hash,
)
from ...features.core.roles import MOBILE_SPECIES
from ...features.rows import FeatureRow, featurize_one
from ...features.warmup import warm_up
from .limits import TIMEOUT_S
from .parts import EntrySource, Part, PartOfInputs
from .reading import (
    FILES_AHEAD,
    READER_MODULES,
    Entry,
    FileToRead,
    ReadAhead,
    entries_of,
    load_readers,
)
from .reasons import general_reasons
from .run_description import describe_run, only_writer
from .shards import Journal, Layout, Row, read_shard, write_shard
from .workers import ItemOutcome, run_isolated

SHARD_ROWS: Final[int] = 10_000
_PROGRESS = ".unfinished"
OnProgress = Callable[["BatchSummary", int], None]


@dataclass(kw_only=True)
class BatchSummary:
    """What a run did: rows by status, and the reasons with their counts."""

    folder: str = ""
    shards: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    """Rows taken over from an earlier, interrupted or finished, run."""

    @property
    def rows(self) -> int:
        """Structures, each with one row."""
        return sum(self.statuses.values())

    def count(self, row: Row) -> None:
        """Take a row into account."""
        self.statuses[row.status] += 1
        self.reasons.update(general_reasons([row]))


@dataclass(frozen=True)
class FeatureJob:
    """What a worker runs: files are read, structures described."""

    families: tuple[str, ...]
    mobile: str
    reads_files: bool = False

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules of the chosen families, and of the readers."""
        readers = READER_MODULES if self.reads_files else ()
        return (warm_up.__module__, *family_modules(self.families), *readers)

    def warm_up(self) -> None:
        """Compile or load every kernel of the chosen families.

        Where nothing is compiled yet, neighbouring workers begin at opposite ends and take from
        the cache on disk what the other has finished: two compile in half the time of one.
        """
        if self.reads_files:
            load_readers()
        for name in self.families if os.getpid() % 2 else reversed(self.families):
            warm_up((name,))

    def __call__(self, item: StructureRecord | FileToRead) -> FeatureRow | list[Entry]:
        """Featurize; a structure without roles comes back with its reason."""
        if isinstance(item, FileToRead):
            return item.entries()
        return featurize_one(item, families(self.families), self.mobile)


def featurize_isolated(
    records: Sequence[StructureRecord],
    chosen: Sequence[str] | None = None,
    mobile: str = "Li",
    workers: int = 1,
    timeout_s: float = TIMEOUT_S,
    on_done: Callable[[int], None] | None = None,
) -> list[FeatureRow]:
    """Featurize records held in memory, each in a worker that may hang or die without harm.

    Parameters
    ----------
    records : sequence of StructureRecord
    chosen : sequence of str, optional
        Descriptor families; all by default.
    mobile : str
    workers : int
    timeout_s : float
        Longest time for one structure, s.
    on_done : callable, optional
        Called with the number of finished structures.

    Returns
    -------
    list of FeatureRow
        In the order of the records; a structure that could not be finished has its reason.
    """
    job = FeatureJob(tuple(chosen or FAMILY_NAMES), mobile)
    rows = [FeatureRow(record.id, None, "not computed") for record in records]
    outcomes = run_isolated(job, enumerate(records), workers, timeout_s)
    for done, outcome in enumerate(outcomes, start=1):
        failed = FeatureRow(records[outcome.index].id, None, outcome.failure)
        rows[outcome.index] = outcome.result or failed
        if on_done is not None:
            on_done(done)
    return rows


def featurize_batch(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    mobile: str = "Li",
    chosen: Sequence[str] | None = None,
    workers: int = 1,
    part: Part | None = None,
    timeout_s: float = TIMEOUT_S,
    shard_rows: int = SHARD_ROWS,
    on_progress: OnProgress | None = None,
) -> BatchSummary:
    """Featurize every structure of the inputs into Parquet shards; resume what is there.

    Parameters
    ----------
    inputs : sequence of path
        Structure files, or folders of them.
    out : path
        Results go into ``out/<feature-set hash>-<mobile>/``.
    mobile : str
        Mobile species.
    chosen : sequence of str, optional
        Descriptor families; all by default.
    workers : int
        Worker processes; the result does not depend on it.
    part : Part, optional
        Only this part of the inputs.
    timeout_s : float
        Longest time for one structure, s; a later one is recorded as failed.
    shard_rows : int
        Rows of a shard.
    on_progress : callable, optional
        Called after each row with the summary so far and the number of input files.

    Returns
    -------
    BatchSummary
        Counts by status and by reason; also saved beside the shards.

    Raises
    ------
    InputError
        If an option or input is wrong, the folder holds results of other inputs, or another
        process is writing the same part.
    FeatureError
        If a family is unknown or workers cannot start.
    """
    source = PartOfInputs(list(inputs), part or Part())
    return featurize_source(
        source,
        out,
        mobile=mobile,
        chosen=chosen,
        workers=workers,
        timeout_s=timeout_s,
        shard_rows=shard_rows,
        on_progress=on_progress,
    )


def featurize_source(
    source: EntrySource,
    out: str | Path,
    *,
    mobile: str = "Li",
    chosen: Sequence[str] | None = None,
    workers: int = 1,
    timeout_s: float = TIMEOUT_S,
    shard_rows: int = SHARD_ROWS,
    on_progress: OnProgress | None = None,
) -> BatchSummary:
    """As :func:`featurize_batch`, for anything that yields entries.

    Parameters
    ----------
    source : EntrySource
        Structures in a fixed order; read once, lazily.
    out, mobile, chosen, workers, timeout_s, shard_rows, on_progress
        As there.

    Raises
    ------
    InputError, FeatureError
        As there.
    """
    if workers < 1 or not timeout_s > 0 or shard_rows < 1:
        raise InputError("workers, timeout and rows of a shard must be positive")
    if mobile not in MOBILE_SPECIES:
        raise InputError(
            f"mobile species {mobile!r} is not supported; use one of {', '.join(MOBILE_SPECIES)}"
        )
    names = tuple(f.name for f in families(chosen))
    run = _Run(
        source, Path(out), FeatureJob(names, mobile, source.reads_files), shard_rows, on_progress
    )
    run.folder.mkdir(parents=True, exist_ok=True)
    with only_writer(run.folder / f".lock{run.part.suffix}"):
        run.check_and_describe()
        return run.execute(workers, timeout_s)


class _OpenShard:
    """A shard under way: rows arrive in any order, are written in input order."""

    def __init__(self, path: Path, journal: Journal, layout: Layout) -> None:
        self.path, self.journal, self.layout = path, journal, layout
        self.stored = read_shard(path, layout)
        self.known = self.stored | journal.read()
        self.keys: list[str] = []
        self.rows: dict[int, Row] = {}
        self.is_full = False

    def announce(self, key: str) -> Row | None:
        """Take the next place; return its row if an earlier run computed it."""
        self.keys.append(key)
        return self.known.get(key)

    def put(self, position: int, row: Row, is_new: bool) -> None:
        if is_new:
            self.journal.append(self.keys[position], row)
        self.rows[position] = row

    @property
    def is_complete(self) -> bool:
        return self.is_full and len(self.rows) == len(self.keys)

    def write(self) -> None:
        if list(self.stored) != self.keys:
            rows = [self.rows[i] for i in range(len(self.keys))]
            write_shard(self.path, self.layout, self.keys, rows)
        self.journal.remove()


class _Run:
    """One call of the engine: the inputs pass through once, shards open and close behind them."""

    def __init__(
        self,
        source: EntrySource,
        out: Path,
        job: FeatureJob,
        shard_rows: int,
        on_progress: OnProgress | None,
    ) -> None:
        columns = catalogue(job.families)
        self.source, self.job, self.part = source, job, source.part
        self.shard_rows, self.on_progress = shard_rows, on_progress
        self.set_hash = feature_set_hash(columns)
        self.code = descriptor_code(job.families)[:12]
        self.layout = Layout(columns, f"{self.set_hash}\t{job.mobile}\t{self.code}")
        self.folder = out / f"{self.set_hash}-{job.mobile}"
        self.summary = BatchSummary(folder=str(self.folder))
        self.open: dict[int, _OpenShard] = {}
        self.n_shards = 0
        self.digest = hashlib.sha256()
        self.seen: dict[str, int] = {}
        self.ids: dict[int, str] = {}
        self.remarks: dict[int, tuple[str, ...]] = {}

    def check_and_describe(self) -> None:
        """Refuse a folder of other inputs, then write down what this run uses."""
        identity = {
            "inputs": [str(Path(path).resolve()) for path in self.source.inputs],
            "parts": self.part.count,
            "shard_rows": self.shard_rows,
        }
        settings = {
            "families": list(self.job.families),
            "mobile": self.job.mobile,
            "feature_set_hash": self.set_hash,
            "n_columns": len(self.layout.columns),
            "code": self.code,
        }
        describe_run(self.folder / "run.json", identity, settings)

    def execute(self, workers: int, timeout_s: float) -> BatchSummary:
        self.reading = ReadAhead(iter(self.source), FILES_AHEAD * workers)
        try:
            outcomes = run_isolated(self.job, self._work(), workers, timeout_s)
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    self._take(outcome)
        finally:
            for shard_ in self.open.values():
                shard_.journal.close()
        self._clean_up()
        write_json_atomic(self.folder / f"summary{self.part.suffix}.json", self._saved_summary())
        return self.summary

    def _take(self, outcome: ItemOutcome) -> None:
        if outcome.index < 0:
            number = ~outcome.index
            self.reading.put(number, entries_of(self.reading.files[number], outcome))
            return
        shard, position = divmod(outcome.index, self.shard_rows)
        remarks = self.remarks.pop(outcome.index)
        row = self._row(self.ids.pop(outcome.index), outcome.result, outcome.failure, remarks)
        self._put(shard, position, row, is_new=True)

    def _work(self) -> Iterator[tuple[int, StructureRecord | FileToRead] | None]:
        """What workers shall do next: read files (of index ~number), describe structures.

        None while the next structures are still being read.
        """
        index = -1
        while True:
            if (file := self.reading.next_file()) is not None:
                yield ~file[0], file[1]
            elif (entry := self.reading.next_entry()) is not None:
                index += 1
                if (record := self._announced(index, entry)) is not None:
                    yield index, record
            elif self.reading.files:
                yield None
            elif self.reading.is_done:
                break
        self._close_to_announcements(index // self.shard_rows)

    def _announced(self, index: int, entry: Entry) -> StructureRecord | None:
        """Announce an entry to its shard; return what nobody has computed."""
        shard, position = divmod(index, self.shard_rows)
        if position == 0:
            self._close_to_announcements(shard - 1)
            self._open(shard)
        entry = self._with_unique_id(entry)
        key = self.layout.key(entry)
        self.digest.update(key.encode())
        known = self.open[shard].announce(key)
        if known is not None:
            self.summary.reused += 1
            self._put(shard, position, known, is_new=False)
        elif isinstance(entry, Quarantined):
            row = self._row(entry.id, None, f"{entry.stage}: {entry.reason}")
            self._put(shard, position, row, is_new=False)
        else:
            self.ids[index], self.remarks[index] = entry.id, entry.notes
            return entry
        return None

    def _with_unique_id(self, entry: Entry) -> Entry:
        """Rows are found by id: a second structure of one id is set aside, under another."""
        n = self.seen[entry.id] = self.seen.get(entry.id, 0) + 1
        if n == 1:
            return entry
        file = entry.file if isinstance(entry, Quarantined) else entry.provenance.file or ""
        reason = f"the id {entry.id} belongs to an earlier structure; rename one of the two"
        return Quarantined(f"{entry.id}#{n}", file, "read", reason)

    def _row(
        self,
        record_id: str,
        result: FeatureRow | None,
        failure: str,
        remarks: tuple[str, ...] = (),
    ) -> Row:
        if result is None or result.values is None:
            reason = failure if result is None else result.reason
            return self.layout.row(record_id, "failed", reason, {})
        status = "partial" if result.reason else "ok"
        # What the reader remarks on a file is no failure, but must be seen.
        reason = "; ".join(filter(None, [result.reason, *remarks]))
        return self.layout.row(record_id, status, reason, result.values)

    def _open(self, shard: int) -> None:
        name = f"features{self.part.suffix}-{shard:05d}"
        journal = Journal(self.folder / _PROGRESS / f"{name}.jsonl")
        self.open[shard] = _OpenShard(self.folder / f"{name}.parquet", journal, self.layout)

    def _close_to_announcements(self, shard: int) -> None:
        if shard in self.open:
            self.n_shards = shard + 1
            self.open[shard].is_full = True
            self._write_if_complete(shard)

    def _put(self, shard: int, position: int, row: Row, is_new: bool) -> None:
        self.open[shard].put(position, row, is_new)
        self.summary.count(row)
        if self.on_progress is not None:
            self.on_progress(self.summary, self.source.n_expected)
        self._write_if_complete(shard)

    def _write_if_complete(self, shard: int) -> None:
        if self.open[shard].is_complete:
            self.open[shard].write()
            self.summary.shards.append(self.open.pop(shard).path.name)

    def _clean_up(self) -> None:
        """Remove what interrupted runs left, and shards beyond the end of inputs that shrank."""
        self.summary.shards.sort()
        own = (
            rf"features{self.part.suffix}-\d{{5}}\.(parquet|jsonl)|summary{self.part.suffix}\.json"
        )
        # The description is shared: only a run that has the folder to itself may tidy up after it.
        own += r"|run\.json" if self.part.count == 1 else ""
        for folder in (self.folder, self.folder / _PROGRESS):
            for path in folder.iterdir() if folder.is_dir() else ():
                left_over = re.fullmatch(rf"\.({own})\..*\.tmp", path.name)
                outdated = re.fullmatch(rf"features{self.part.suffix}-\d{{5}}\..*", path.name)
                if left_over or (outdated and path.name not in self.summary.shards):
                    path.unlink()
        with contextlib.suppress(OSError):
            (self.folder / _PROGRESS).rmdir()

    def _saved_summary(self) -> dict[str, Any]:
        return {
            "inputs_sha256": self.digest.hexdigest(),
            "rows": self.summary.rows,
            "statuses": dict(self.summary.statuses),
            "reasons": dict(self.summary.reasons),
            "shards": self.summary.shards,
        }
