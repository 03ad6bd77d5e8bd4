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

if TYPE_CHECKING:
    from ..screening.batch.batch import BatchSummary

_SHOWN_REASONS = 10


def featurize(
    inputs: list[Path] = typer.Argument(help="Structure files (CIF, POSCAR) or folders of them."),
    out: Path = typer.Option(help="Folder for the results."),
    mobile: str = typer.Option("Li", help="Mobile species: Li, Na, K, Ag or Cu."),
    families: str = typer.Option("", help="Descriptor families, comma-separated; default all."),
    workers: int = typer.Option(1, min=1, help="Worker processes."),
    shard: str = typer.Option("1/1", help="Only part i of n of the inputs, as i/n."),
    timeout: float = typer.Option(TIMEOUT_S, help="Longest time for one structure, in seconds."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as one JSON object."),
) -> None:
    """Compute descriptors for every structure, into Parquet shards.

    Every input gives one row: id, status (ok, partial, failed), reason, features. Run the same
    command again after an interruption: what is done is kept.
    """
    from ..screening.batch.batch import featurize_batch
    from ..screening.batch.parts import Part

    with _progress() as on_progress:
        summary = featurize_batch(
            inputs,
            out,
            mobile=mobile,
            chosen=[name.strip() for name in families.split(",") if name.strip()] or None,
            workers=workers,
            part=Part.parse(shard),
            timeout_s=timeout,
            on_progress=on_progress,
        )
    typer.echo(json.dumps(_as_dict(summary)) if as_json else _as_text(summary))


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
