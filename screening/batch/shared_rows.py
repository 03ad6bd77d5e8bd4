"""Descriptors of structures in memory, by an engine that shares a folder with us and no memory.

The structures are written as a store, its parts computed as those of any store, and their rows read
back. A folder is named by what it holds: the same call after an interruption goes on in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...data.atomic import only_writer
from ...data.records import StructureRecord
from ...data.store.store import MANIFEST, Store
from ...data.store.write import written_store
from ...features.catalogue import catalogue
from ...features.rows import FeatureRow
from .batch import BatchSummary, OnProgress
from .engines import PartRunner, compute_parts, opened_engine
from .featurize_store import featurize_store
from .shards import Layout, Row, read_rows
from .store_parts import PartTask, finished_part, part_tasks

MOST_PER_PART: Final[int] = 500
_PARTS: Final[int] = 64
"""So many parts where structures are few: enough for every worker to have some."""
_LEAST_PER_PART: Final[int] = 10


@dataclass(frozen=True)
class SharedEngine:
    """An engine, and a folder that all its processes see under one name.

    Parameters
    ----------
    engine : PartRunner
    folder : Path
        What is computed passes through it.
    """

    engine: PartRunner
    folder: Path


def shared_rows(
    records: Sequence[StructureRecord],
    chosen: tuple[str, ...],
    mobile: str,
    timeout_s: float,
    shared: SharedEngine,
) -> Iterator[tuple[int, FeatureRow]]:
    """Rows of structures with their places, part by part, in any order.

    Parameters
    ----------
    records : sequence of StructureRecord
    chosen : tuple of str
        Descriptor families.
    mobile : str
    timeout_s : float
        Longest time for one structure, s.
    shared : SharedEngine

    Raises
    ------
    FeatureError
        If the engine is lost; what it finished is kept.
    """
    if not records:
        return
    folder = shared.folder / f"parts-{_digest(records)}-{mobile}"
    folder.mkdir(parents=True, exist_ok=True)
    size = min(MOST_PER_PART, max(_LEAST_PER_PART, -(-len(records) // _PARTS)))
    with only_writer(folder / ".lock"):
        store = _store(records, folder / "store", size)
        tasks = part_tasks(store, folder, chosen, mobile, timeout_s, range(store.n_blocks))
        for task in _computed(tasks, shared.engine, size):
            for place, row in enumerate(read_rows(task.path, Layout(catalogue(chosen), ""))):
                yield task.block * size + place, feature_row(row, chosen)
    shutil.rmtree(folder, ignore_errors=True)


def featurize_shared(
    records: Sequence[StructureRecord],
    chosen: Sequence[str] | None,
    mobile: str,
    timeout_s: float,
    shared: SharedEngine,
    on_progress: OnProgress | None = None,
) -> BatchSummary:
    """Files of descriptors of structures in memory; for more of them than rows should be held.

    Parameters
    ----------
    records : sequence of StructureRecord
        Ids must be unique.
    chosen : sequence of str, optional
        Descriptor families; all by default.
    mobile, timeout_s, shared
        As for :func:`shared_rows`.
    on_progress : callable, optional
        As for :func:`.featurize_store.featurize_store`.

    Returns
    -------
    BatchSummary
        Its files, in order, hold the rows in the order of the records.
    """
    folder = shared.folder / f"files-{_digest(records)}-{mobile}"
    folder.mkdir(parents=True, exist_ok=True)
    store = _store(records, folder / "store", MOST_PER_PART)
    return featurize_store(
        store.folder,
        folder,
        mobile=mobile,
        chosen=chosen,
        engine=shared.engine,
        timeout_s=timeout_s,
        on_progress=on_progress,
    )


def _store(records: Sequence[StructureRecord], folder: Path, size: int) -> Store:
    is_there = (folder / MANIFEST).exists()
    return Store(folder) if is_there else written_store(records, folder, size)


def _computed(tasks: Sequence[PartTask], engine: PartRunner, size: int) -> Iterator[PartTask]:
    """Tasks whose file is there: first those of an earlier call."""
    by_block = {task.block: task for task in tasks}
    finished = {task.block for task in tasks if finished_part(task) is not None}
    for block in sorted(finished):
        yield by_block[block]
    waiting = [task for task in tasks if task.block not in finished]
    for result in compute_parts(engine, waiting, size):
        yield by_block[result.block]


def feature_row(row: Row, chosen: tuple[str, ...]) -> FeatureRow:
    """A line of a file of descriptors as descriptors of a structure.

    Parameters
    ----------
    row : Row
    chosen : tuple of str
        Descriptor families of the file.
    """
    if row.status == "failed":
        return FeatureRow(row.id, None, row.reason)
    layout = Layout(catalogue(chosen), "")
    numbers = {c.name: float(x) for c, x in zip(layout.numeric, row.numbers, strict=True)}
    words = {c.name: word for c, word in zip(layout.categories, row.words, strict=True)}
    return FeatureRow(row.id, numbers | words, row.reason)


def _digest(records: Sequence[StructureRecord]) -> str:
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record.id}\t{record.content_hash}\n".encode())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def opened_shared(
    name: str, workers: int, scheduler: str | None, cluster: Path | None, folder: Path
) -> Iterator[SharedEngine | None]:
    """The engine that options ask for with its folder; None for processes of this machine.

    Parameters
    ----------
    name, workers, scheduler, cluster
        As for :func:`.engines.opened_engine`.
    folder : Path
        Made where it is needed, and removed when all went well.

    Raises
    ------
    InputError, MissingDependencyError
        As there.
    """
    with opened_engine(name, workers, scheduler, cluster) as engine:
        if name == "local":
            yield None
            return
        folder.mkdir(parents=True, exist_ok=True)
        yield SharedEngine(engine, folder.resolve())
        with contextlib.suppress(OSError):
            folder.rmdir()


__all__ = ["SharedEngine", "feature_row", "featurize_shared", "opened_shared", "shared_rows"]
