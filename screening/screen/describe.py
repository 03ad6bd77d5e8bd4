"""Descriptors of the candidates of a screen: in memory when few, through files when many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from ...data.records import Quarantined, StructureRecord
from ...features.catalogue import catalogue
from ...features.featurizer import rows_to_frame
from ..batch.batch import BatchSummary, featurize_source
from ..batch.limits import TIMEOUT_S
from ..batch.parts import RecordsInMemory
from ..batch.row_cache import MOST_KEPT, described_rows
from ..batch.shared_rows import SharedEngine, featurize_shared

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
    """

    work: Path | None = None
    workers: int = 1
    timeout_s: float = TIMEOUT_S
    cache: Path | None = None
    shared: SharedEngine | None = None


@dataclass(frozen=True, eq=False)
class Described:
    """Descriptors of the candidates that have them, and why the others have none."""

    features: pd.DataFrame
    records: list[StructureRecord]
    refused: list[Quarantined]
    notes: list[str]


def describe(
    records: Sequence[StructureRecord],
    names: Sequence[str] | None,
    mobile: str,
    run: DescriptorRun,
    on_done: Callable[[int, int], None],
) -> Described:
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
    if not has_folder or is_kept or len(records) <= FEW:
        rows = described_rows(
            records,
            names,
            mobile,
            run.workers,
            run.timeout_s,
            lambda done: on_done(done, len(records)),
            run.cache,
            run.shared,
        )
        reasons = [row.reason for row in rows]
        failed = [row.values is None for row in rows]
        features = rows_to_frame([row for row in rows if row.values is not None], names)
    else:
        features, reasons, failed = _through_files(records, names, mobile, run, on_done)
    return _described(records, features, reasons, failed)


def _described(
    records: Sequence[StructureRecord],
    features: pd.DataFrame,
    reasons: Sequence[str],
    failed: Sequence[bool],
) -> Described:
    kept = [record for record, bad in zip(records, failed, strict=True) if not bad]
    refused = [
        Quarantined(record.id, record.provenance.file or "", _stage(reason), reason)
        for record, reason, bad in zip(records, reasons, failed, strict=True)
        if bad
    ]
    notes = [reason for reason, bad in zip(reasons, failed, strict=True) if not bad]
    return Described(features, kept, refused, notes)


def _stage(reason: str) -> str:
    return "features" if reason.startswith(("timeout:", "crash:")) else "roles"


def _through_files(
    records: Sequence[StructureRecord],
    names: Sequence[str] | None,
    mobile: str,
    run: DescriptorRun,
    on_done: Callable[[int, int], None],
) -> tuple[pd.DataFrame, list[str], list[bool]]:
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
    shards = [pd.read_parquet(folder / shard) for shard in sorted(summary.shards)]
    table = pd.concat(shards, ignore_index=True).set_index("id")
    failed = (table["status"] == "failed").tolist()
    features = table.loc[table["status"] != "failed", [c.name for c in catalogue(names)]]
    return features, table["reason"].tolist(), failed
