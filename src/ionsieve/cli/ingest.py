"""``ionsieve ingest``: read databases into a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .settings import FILE_HELP, SET_HELP, settings_of, write_settings

if TYPE_CHECKING:
    from ..data.store.ingest import IngestSummary


def ingest(
    ctx: typer.Context,
    sources: list[str] = typer.Argument(
        ...,
        metavar="SOURCE…",
        help="A file or folder (CIF, POSCAR, zip, extxyz, ASE .db, JSON, JSONL, Parquet; JSON "
        "also .gz, .bz2, .xz), a store, optimade:URL, or mp: (needs MP_API_KEY).",
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the store."),
    settings: Path = typer.Option(None, "--settings", help=FILE_HELP),
    assigned: list[str] = typer.Option(None, "--set", metavar="KEY=VALUE", help=SET_HELP),
    disorder: str = typer.Option(
        "occupancy",
        help="Disordered structures: 'occupancy' keeps them, 'ordered' refuses them, 'enumerate' "
        "replaces them by ordered cells.",
    ),
    variants: int = typer.Option(3, help="With 'enumerate': ordered cells kept of each."),
    oxidation: str = typer.Option(
        "keep", help="Oxidation states of the source: 'keep', 'ignore' or 'require'."
    ),
    duplicates: str = typer.Option(
        "drop", help="Equal structures under different ids: 'drop' or 'keep'."
    ),
    licence: str = typer.Option("unknown", help="Licence of files that state none."),
    filter_: str = typer.Option(
        None, "--filter", help="OPTIMADE query, such as 'elements HAS \"Li\"'."
    ),
    stability_field: str = typer.Option(
        None, help="The source's field with the energy above hull, eV/atom."
    ),
    mobile: str = typer.Option("Li", help="mp: only materials with this element."),
    gnome: bool = typer.Option(False, "--gnome", help="mp: include the entries of GNoME."),
    entries: str = typer.Option(
        None,
        help="JSON of computed entries (pymatgen), computed as the energies of the sources were: "
        "competing phases for energies above hull and Li windows.",
    ),
    workers: int = typer.Option(1, min=1, help="Processes that read CIF and POSCAR files."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object instead of text."),
) -> None:
    """Read structures into a store that 'ionsieve screen' reads.

    What cannot be used goes to quarantine.csv with its reason. An ingest that was interrupted is
    continued by the same command.
    """
    from ..data.store.ingest import ingest as run_ingest
    from ..data.store.open import open_source
    from ..data.store.options import IngestRun
    from ..screening.batch.isolated_source import isolated
    from .progress import stage_progress

    renamed = {"filter_": "optimade_filter"}
    chosen = settings_of(ctx, IngestRun, settings, assigned, renamed)
    policies, options = chosen.settings(chosen.entries), chosen.sources(chosen.mobile)
    opened = [isolated(open_source(name, options), workers) for name in sources]
    with stage_progress(quiet=json) as advance:
        summary = run_ingest(opened, out, policies, advance)
    write_settings(out, chosen)
    for notice in summary.notices:
        typer.echo(f"warning: {notice}", err=True)
    if json:
        _print_json(summary, out)
    else:
        _print_text(summary, out)


def _print_json(summary: IngestSummary, out: Path) -> None:
    import json as json_module

    facts = {
        "out": str(out),
        "counts": summary.counts,
        "notices": summary.notices,
        "resumed": summary.resumed,
        "was_complete": summary.was_complete,
    }
    typer.echo(json_module.dumps(facts, sort_keys=True))


def _print_text(summary: IngestSummary, out: Path) -> None:
    counts = summary.counts
    if summary.was_complete:
        typer.echo(f"{out} was complete already; nothing to do")
    if summary.resumed:
        typer.echo(f"continued behind {summary.resumed:,} inputs of an interrupted run")
    added = f", {counts['added']:,} ordered cells added" if counts["added"] else ""
    typer.echo(
        f"{counts['input']:,} read{added}: {counts['stored']:,} stored, "
        f"{counts['quarantined']:,} quarantined (see {out / 'quarantine.csv'})"
    )
    if noted := counts.get("with_notes"):
        typer.echo(f"{noted:,} stored with a remark of the reader, such as a formula that differs")
    typer.echo(f"next: ionsieve screen {out} --out DIR")
