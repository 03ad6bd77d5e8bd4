"""Descriptors of the candidates of a screen, block by block: memory holds one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ...data.records import Quarantined, StructureRecord
from ...features.catalogue import catalogue
from ...features.featurizer import rows_to_frame
from ..batch.batch import BatchSummary, featurize_source
from ..batch.limits import TIMEOUT_S
from ..batch.parts import RecordsInMemory
from ..batch.reasons import general_reason
from ..batch.row_cache import MOST_KEPT, described_rows
from ..batch.shared_rows import SharedEngine, featurize_shared
from .feature_list import FeatureList
from .record_list import BLOCK, ChosenRecords, in_blocks

FEW: Final[int] = 150
"""So many are computed again after a kill; rows of more are kept on the way."""


@dataclass(frozen=True, kw_only=True)
class DescriptorRun:
    """Where and how descriptors of many structures are computed.

    Parameters
    ----------
    work : path, optional
        Folder for finished rows, so that an interrupted screen continues; None: all in memory.
    workers : int
        Processes; results do not depend on their number.
    timeout_s : float
        Longest time for one structure, s.
    cache : path, optional
        Folder of rows kept between runs (:mod:`..batch.row_cache`); an interrupted screen continues
        with them, too.
    shared : SharedEngine, optional
        What computes instead of processes of this machine.
    spill : path, optional
        Folder for what does not stay in memory; None: all of it stays.
    block : int
        Structures a block.
    """

    work: Path | None = None
    workers: int = 1
    timeout_s: float = TIMEOUT_S
    cache: Path | None = None
    shared: SharedEngine | None = None
    spill: Path | None = None
    block: int = BLOCK


@dataclass(frozen=True, eq=False)
class DescribedBlock:
    """Descriptors of neighbouring candidates, and why some have none.

    Parameters
    ----------
    start : int
        Place of the first candidate.
    features : DataFrame
        Of those that have descriptors; index = id.
    reasons : sequence of str, length n
        Of every candidate: what is not defined, or why there is nothing.
    failed : sequence of bool, length n
    """

    start: int
    features: pd.DataFrame
    reasons: Sequence[str]
    failed: Sequence[bool]

    @property
    def kept(self) -> list[int]:
        """Places of the candidates that have descriptors, in the order of ``features``."""
        return [self.start + i for i, bad in enumerate(self.failed) if not bad]

    @property
    def notes(self) -> list[str]:
        """Reasons of the candidates that have descriptors, in pieces and without numbers."""
        kept = (why for why, bad in zip(self.reasons, self.failed, strict=True) if not bad)
        return [general_reason(piece) for why in kept for piece in why.split("; ") if piece]

    def refused(self, records: Sequence[StructureRecord]) -> list[Quarantined]:
        """Entries for the candidates without descriptors.

        Parameters
        ----------
        records : sequence of StructureRecord
            All candidates.
        """
        found = []
        for place, (reason, bad) in enumerate(
            zip(self.reasons, self.failed, strict=True), self.start
        ):
            if bad:
                record = records[place]
                file = record.provenance.file or ""
                found.append(Quarantined(record.id, file, _stage(reason), reason))
        return found


@dataclass(frozen=True, eq=False)
class Described:
    """Candidates that have descriptors, and why the others have none."""

    features: FeatureList
    records: Sequence[StructureRecord]
    """In the order of ``features``."""
    refused: list[Quarantined]
    notes: Counter[str]
    """Reasons of NaN, with the number of structures each concerns."""


def describe(
    records: Sequence[StructureRecord],
    names: Sequence[str] | None,
    mobile: str,
    run: DescriptorRun,
    on_done: Callable[[int, int], None],
) -> Described:
    """Compute descriptor families of all candidates, see :func:`described_blocks`."""
    features = FeatureList(run.spill, run.block)
    places: list[int] = []
    refused: list[Quarantined] = []
    notes: Counter[str] = Counter()
    for part in described_blocks(records, names, mobile, run, on_done):
        features.add(part.features)
        places += part.kept
        refused += part.refused(records)
        notes.update(part.notes)
    kept = records if not refused else ChosenRecords(records, np.array(places, dtype=np.int64))
    return Described(features, kept, refused, notes)


def described_blocks(
    records: Sequence[StructureRecord],
    names: Sequence[str] | None,
    mobile: str,
    run: DescriptorRun,
    on_done: Callable[[int, int], None],
) -> Iterator[DescribedBlock]:
    """Compute descriptor families.

    Parameters
    ----------
    records : sequence of StructureRecord
        Ids must be unique.
    names : sequence of str, optional
        Families; all by default.
    mobile : str
    run : DescriptorRun
    on_done : callable
        Called with (number done, number of all).
    """
    is_kept = (run.cache is not None or run.shared is not None) and len(records) <= MOST_KEPT
    has_folder = run.work is not None or run.shared is not None
    if has_folder and not is_kept and len(records) > FEW:
        return _through_files(records, names, mobile, run, on_done)
    return _through_rows(records, names, mobile, run, on_done)


def _stage(reason: str) -> str:
    return "features" if reason.startswith(("timeout:", "crash:")) else "roles"


def _through_rows(
    records: Sequence[StructureRecord],
    names: Sequence[str] | None,
    mobile: str,
    run: DescriptorRun,
    on_done: Callable[[int, int], None],
) -> Iterator[DescribedBlock]:
    for start, block in in_blocks(records, run.block):
        rows = described_rows(
            block,
            names,
            mobile,
            run.workers,
            run.timeout_s,
            lambda done, before=start: on_done(before + done, len(records)),  # type: ignore[misc]
            run.cache,
            run.shared,
        )
        features = rows_to_frame([row for row in rows if row.values is not None], names)
        failed = [row.values is None for row in rows]
        yield DescribedBlock(start, features, [row.reason for row in rows], failed)


def _through_files(
    records: Sequence[StructureRecord],
    names: Sequence[str] | None,
    mobile: str,
    run: DescriptorRun,
    on_done: Callable[[int, int], None],
) -> Iterator[DescribedBlock]:
    def on_progress(state: BatchSummary, total: int) -> None:
        on_done(state.rows, total)

    if run.shared is not None:
        summary = featurize_shared(records, names, mobile, run.timeout_s, run.shared, on_progress)
    else:
        assert run.work is not None
        summary = featurize_source(
            # They have no path: a screen is continued from any working directory.
            RecordsInMemory([], records),
            run.work,
            mobile=mobile,
            chosen=names,
            workers=run.workers,
            timeout_s=run.timeout_s,
            on_progress=on_progress,
        )
    folder = Path(summary.folder)
    columns = [c.name for c in catalogue(names)]
    start = 0
    for table in _joined((folder / name for name in sorted(summary.shards)), run.block):
        failed = (table["status"] == "failed").to_numpy()
        reasons = table["reason"].tolist()
        yield DescribedBlock(start, table.loc[~failed, columns], reasons, failed.tolist())
        start += len(table)


def _joined(shards: Iterable[Path], size: int) -> Iterator[pd.DataFrame]:
    """Tables of files, small ones together until they are a block."""
    waiting: list[pd.DataFrame] = []
    for shard in shards:
        waiting.append(pd.read_parquet(shard).set_index("id"))
        if sum(map(len, waiting)) >= size:
            yield pd.concat(waiting) if len(waiting) > 1 else waiting[0]
            waiting = []
    if waiting:
        yield pd.concat(waiting) if len(waiting) > 1 else waiting[0]
