"""``ionsieve featurize``: structures → Parquet shards of descriptors."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..screening.batch.limits import TIMEOUT_S
from .option_groups import WorkerOptions, takes_options

if TYPE_CHECKING:
    from ..screening.batch.batch import BatchSummary

_SHOWN_REASONS = 10


@takes_options
def featurize(
    where: WorkerOptions,
    inputs: list[str] = typer.Argument(
        help="CIF or POSCAR files, or folders of them; a store; or any source of 'ionsieve "
        "ingest', which is ingested into OUT/store first."
    ),
    out: Path = typer.Option(help="Folder for the results."),
    mobile: str = typer.Option("Li", help="Mobile species: Li, Na, K, Ag or Cu."),
    families: str = typer.Option("", help="Descriptor families, comma-separated; default all."),
    extra_matminer: list[str] = typer.Option(
        [],
        metavar="NAME",
        help="Featurizer of matminer that joins the table: DensityFeatures, or with a preset "
        "ElementProperty:magpie; may be repeated.",
    ),
    shard: str = typer.Option("1/1", help="Only part i of n of the inputs, as i/n."),
    timeout: float = typer.Option(TIMEOUT_S, help="Longest time for one structure, in seconds."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as one JSON object."),
) -> None:
    """Compute descriptors for every structure, into Parquet shards.

    Every input gives one row: id, status (ok, partial, failed), reason, features. Run the same
    command again after an interruption: what is done is kept. A store is computed block by block,
    by any engine, with the same bytes.
    """
    from ..data.errors import InputError
    from ..data.store.open import is_plain
    from ..features.catalogue import FAMILY_NAMES
    from ..features.catalogue import families as known_families
    from ..features.core.columns import EXTRA
    from ..features.core.roles import MOBILE_SPECIES
    from ..screening.batch.batch import featurize_batch
    from ..screening.batch.engines import opened_engine
    from ..screening.batch.featurize_store import featurize_store
    from ..screening.batch.parts import Part

    chosen = [name.strip() for name in families.split(",") if name.strip()] or None
    if extra_matminer:
        chosen = [*(chosen or FAMILY_NAMES), *(f"{EXTRA}{name}" for name in extra_matminer)]
    part = Part.parse(shard)
    # What is wrong with the options shall not come to light behind the reading of a database.
    known_families(chosen)
    if mobile not in MOBILE_SPECIES:
        raise InputError(
            f"mobile species {mobile!r} is not supported; use one of {', '.join(MOBILE_SPECIES)}"
        )
    if timeout <= 0:
        raise InputError(f"--timeout {timeout:g}: must be positive")
    with _progress() as on_progress:
        if where.is_plain_local and all(map(is_plain, inputs)):
            summary = featurize_batch(
                inputs,
                out,
                mobile=mobile,
                chosen=chosen,
                workers=where.workers,
                part=part,
                timeout_s=timeout,
                on_progress=on_progress,
            )
        else:
            with opened_engine(
                where.engine, where.workers, where.scheduler, where.cluster
            ) as engine:
                summary = featurize_store(
                    _store(inputs, out, mobile, part.count, where.workers),
                    out,
                    mobile=mobile,
                    chosen=chosen,
                    engine=engine,
                    part=part,
                    timeout_s=timeout,
                    on_progress=on_progress,
                )
    typer.echo(json.dumps(_as_dict(summary)) if as_json else _as_text(summary))


def _store(inputs: list[str], out: Path, mobile: str, n_parts: int, workers: int) -> Path:
    """The store among the inputs, or one made of them."""
    from ..data.errors import InputError
    from ..data.store.ingest import ingest
    from ..data.store.open import is_store, open_source
    from ..data.store.options import IngestRun
    from ..screening.batch.isolated_source import isolated

    if len(inputs) == 1 and is_store(Path(inputs[0])):
        return Path(inputs[0])
    if n_parts > 1:
        raise InputError(
            "--shard divides files or one store; put these inputs together with 'ionsieve ingest' "
            "first"
        )
    # Every structure shall have its row: equal ones too.
    options = IngestRun(mobile=mobile, duplicates="keep")
    sources = [isolated(open_source(name, options.sources(mobile)), workers) for name in inputs]
    summary = ingest(sources, out / "store", options.settings(None))
    for notice in summary.notices:
        typer.echo(f"warning: {notice}", err=True)
    if summary.counts["quarantined"]:
        typer.echo(
            f"{summary.counts['quarantined']:,} of {summary.counts['input']:,} inputs were set "
            f"aside while they were read (see {out / 'store' / 'quarantine.csv'})",
            err=True,
        )
    return out / "store"


def _as_dict(summary: BatchSummary) -> dict[str, Any]:
    return {
        "folder": summary.folder,
        "shards": summary.shards,
        "rows": summary.rows,
        **{status: summary.statuses[status] for status in ("ok", "partial", "failed")},
        "reused": summary.reused,
        "reasons": dict(summary.reasons.most_common()),
    }


def _as_text(summary: BatchSummary) -> str:
    counts = [f"{summary.statuses[status]} {status}" for status in ("ok", "partial", "failed")]
    lines = [f"{summary.rows} structures: {', '.join(counts)} (in {summary.folder})"]
    common = summary.reasons.most_common(_SHOWN_REASONS)
    lines += [f"{count:8d}  {reason}" for reason, count in common]
    if len(summary.reasons) > len(common):
        lines.append(
            f"{len(summary.reasons) - len(common):8d}  further reasons: see the summary file"
        )
    return "\n".join(lines)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[BatchSummary, int], None] | None]:
    """A bar on a terminal, nothing anywhere else."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), "{task.description}")
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("")

        def update(summary: BatchSummary, n_files: int) -> None:
            failed = f"{summary.statuses['failed']} failed"
            total = max(n_files, summary.rows)
            bar.update(task, completed=summary.rows, total=total, description=failed)

        yield update
