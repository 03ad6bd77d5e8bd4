"""``ionsieve screen``: rank candidates and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .option_groups import EngineOptions, takes_options
from .settings import FILE_HELP, SET_HELP, reads_settings, settings_of, write_settings

if TYPE_CHECKING:
    from ..screening.screen.options import ScreenSettings


@reads_settings("ionsieve.screening.screen.options", "ScreenSettings")
@takes_options
def screen(
    ctx: typer.Context,
    where: EngineOptions,
    inputs: list[str] = typer.Argument(
        None,
        metavar="[INPUT…]",
        help="CIF or POSCAR files, or folders of them; a store; or any source of 'ionsieve "
        "ingest', which is ingested into DIR/store first. None: the embedded candidates.",
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the results."),
    settings: Path = typer.Option(None, "--settings", help=FILE_HELP),
    assigned: list[str] = typer.Option(None, "--set", metavar="KEY=VALUE", help=SET_HELP),
    # Default, help and limits of these stand in ScreenSettings alone.
    seed: int = typer.Option(None),
    mobile: str = typer.Option(None),
    threshold_mS_cm: float = typer.Option(None, "--threshold-mS-cm"),
    disorder: str = typer.Option(None),
    workers: int = typer.Option(None),
    filters: str = typer.Option(None),
    model: str = typer.Option(None, "--model", metavar="MODEL"),
    entries: str = typer.Option(None),
    cache: bool = typer.Option(None, "--cache/--no-cache"),
    follow_up: int = typer.Option(None, "--follow-up", metavar="N"),
    top: int = typer.Option(None),
    top_structures: int = typer.Option(None),
    json: bool = typer.Option(False, "--json", help="Print one JSON object instead of tables."),
) -> None:
    """Rank structures by the probability of being fast conductors.

    With no input this trains on the embedded AIMD table and ranks several hundred candidates made
    by substitution into known prototypes. Writes ranking.csv, ranking.parquet, features.parquet,
    optimade.jsonl, funnel.csv, filtered.csv, quarantine.csv, model_calibration.csv, settings.yaml,
    report.html and, when all is done, run.json. An interrupted screen is continued by the same
    command.
    """
    from ..screening.results.write import (
        prepared_folder,
        removed_work,
        work_folder,
        write_nothing,
        write_screen,
    )
    from ..screening.screen.options import ScreenSettings
    from ..screening.screen.pipeline import NothingToRank, run_screen
    from .cache import model_cache
    from .progress import stage_progress

    inputs = inputs or []
    options = settings_of(ctx, ScreenSettings, settings, assigned).settled()
    prepared_folder(out)
    with stage_progress(quiet=json) as advance, work_folder(out) as work:
        write_settings(out, options)
        names = _stores_or_files(inputs, out, options, advance)
        kept = model_cache() if options.cache else None
        try:
            with where.opened(options.workers, work / "shared") as shared:
                result = run_screen(names, options, kept, advance, work, shared=shared)
        except NothingToRank as nothing:
            write_nothing(nothing, out)
            raise
        run = write_screen(result, out, names, options.top_structures)
        removed_work(work)
    if json:
        _print_json(run, out)
    else:
        from .progress import console
        from .screen_text import print_screen

        print_screen(console(), result.ranking, run, out, options.top)


def _stores_or_files(
    inputs: list[str], out: Path, options: ScreenSettings, advance: Any
) -> list[str]:
    """The inputs as they are if a screen reads them, else a store made of them."""
    from ..data.errors import InputError
    from ..data.store.ingest import ingest
    from ..data.store.open import is_plain, is_store, open_source
    from ..screening.batch.isolated_source import isolated

    is_read = all(is_plain(name) or is_store(Path(name)) for name in inputs)
    if is_read and options.entries is None:
        return inputs
    if not inputs:
        raise InputError("--entries: the embedded candidates have no energies; give inputs")
    sources = [
        isolated(
            open_source(name, options.ingest.sources(options.mobile)),
            options.workers,
            options.timeout_s,
        )
        for name in inputs
    ]
    summary = ingest(sources, out / "store", options.ingest.settings(options.entries), advance)
    for notice in summary.notices:
        typer.echo(f"warning: {notice}", err=True)
    return [str(out / "store")]


def _print_json(run: dict[str, Any], out: Path) -> None:
    import json as json_module

    typer.echo(json_module.dumps({**run, "out": str(out)}, sort_keys=True, allow_nan=False))
