"""Descriptors of a store: one file a block, by any engine, in any order, with the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...data.atomic import only_writer, remove_leftovers, write_json_atomic
from ...data.errors import InputError
from ...data.store.store import Store, structures_name
from ...features.catalogue import catalogue, descriptor_code, families, feature_set_hash
from ...features.core.roles import MOBILE_SPECIES
from .batch import BatchSummary, OnProgress
from .engines import LocalEngine, PartRunner, compute_parts
from .limits import TIMEOUT_S
from .parts import Part
from .run_description import describe_run
from .store_parts import UNFINISHED, PartResult, PartTask, finished_part, part_tasks


def featurize_store(
    store: str | Path,
    out: str | Path,
    *,
    mobile: str = "Li",
    chosen: Sequence[str] | None = None,
    engine: PartRunner | None = None,
    part: Part | None = None,
    timeout_s: float = TIMEOUT_S,
    on_progress: OnProgress | None = None,
) -> BatchSummary:
    """Compute the descriptors of every structure of a store; go on where an earlier run stopped.

    Parameters
    ----------
    store : path
        Folder that ``ionsieve ingest`` wrote.
    out : path
        Results go into ``out/<feature-set hash>-<mobile>/``, one Parquet file for each block of
        the store.
    mobile : str
        Mobile species.
    chosen : sequence of str, optional
        Descriptor families; all by default.
    engine : PartRunner, optional
        Where; one process of this machine by default. It does not change a byte.
    part : Part, optional
        Only these blocks of the store; nothing of the others is read.
    timeout_s : float
        Longest time for one structure, s.
    on_progress : callable, optional
        Called after each block with the summary so far and the number of structures.

    Returns
    -------
    BatchSummary

    Raises
    ------
    InputError
        If the store is damaged or the folder holds descriptors of another one.
    FeatureError
        If a family is unknown, workers cannot start, or the scheduler of a cluster is lost.
    """
    if mobile not in MOBILE_SPECIES:
        raise InputError(
            f"mobile species {mobile!r} is not supported; use one of {', '.join(MOBILE_SPECIES)}"
        )
    names, opened = tuple(f.name for f in families(chosen)), Store(store)
    part = part or Part()
    set_hash = feature_set_hash(catalogue(names))
    folder = Path(out) / f"{set_hash}-{mobile}"
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder / f".lock{part.suffix}"):
        _describe(folder, opened, names, mobile, set_hash)
        blocks = range(opened.n_blocks)[part.index :: part.count]
        tasks = part_tasks(opened, folder, names, mobile, timeout_s, blocks)
        return _run(folder, opened, tasks, engine or LocalEngine(), part, on_progress)


def _describe(
    folder: Path, store: Store, names: tuple[str, ...], mobile: str, set_hash: str
) -> None:
    identity = {
        "store": str(store.folder.resolve()),
        "blocks": [block[structures_name(k)] for k, block in enumerate(store.manifest["blocks"])],
    }
    settings = {
        "families": list(names),
        "mobile": mobile,
        "feature_set_hash": set_hash,
        "n_columns": len(catalogue(names)),
        "code": descriptor_code(names)[:12],
    }
    describe_run(folder / "run.json", identity, settings)


def _run(
    folder: Path,
    store: Store,
    tasks: Sequence[PartTask],
    engine: PartRunner,
    part: Part,
    on_progress: OnProgress | None,
) -> BatchSummary:
    summary, digests = BatchSummary(folder=str(folder)), {}
    expected = -(-store.n_structures // part.count)

    def take(result: PartResult) -> None:
        summary.statuses.update(result.statuses)
        summary.reasons.update(result.reasons)
        summary.shards.append(Path(result.path).name)
        summary.reused += sum(result.statuses.values()) if result.reused else 0
        digests[Path(result.path).name] = result.digest
        if on_progress is not None:
            on_progress(summary, expected)

    # Here, because a look at what is there costs less than sending a task away.
    done = {task.block: finished_part(task) for task in tasks}
    for finished in filter(None, done.values()):
        take(finished)
    waiting = [task for task in tasks if done[task.block] is None]
    for result in compute_parts(engine, waiting, store.n_structures):
        take(result)
    summary.shards.sort()
    if part.count == 1:
        remove_leftovers(folder)
        _remove_empty(folder / UNFINISHED)
    content = {
        "rows": summary.rows,
        "statuses": dict(sorted(summary.statuses.items())),
        "reasons": dict(sorted(summary.reasons.items())),
        "sha256": dict(sorted(digests.items())),
    }
    write_json_atomic(folder / f"summary{part.suffix}.json", content)
    return summary


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
