"""``ionsieve screen``: rank candidates and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .settings import FILE_HELP, SET_HELP, reads_settings, settings_of, write_settings

if TYPE_CHECKING:
    import pandas as pd

    from ..screening.screen.options import ScreenSettings


@reads_settings("ionsieve.screening.screen.options", "ScreenSettings")
def screen(
    ctx: typer.Context,
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
    from ..screening.results.write import prepared_folder, removed_work, work_folder, write_screen
    from ..screening.screen.options import ScreenSettings
    from ..screening.screen.pipeline import run_screen
    from .cache import model_cache
    from .progress import stage_progress

    inputs = inputs or []
    options = settings_of(ctx, ScreenSettings, settings, assigned).with_inputs(inputs)
    prepared_folder(out)
    with stage_progress(quiet=json) as advance, work_folder(out) as work:
        write_settings(out, options)
        names = _stores_or_files(inputs, out, options, advance)
        kept = model_cache() if options.cache else None
        result = run_screen(names, options, kept, advance, work)
        run = write_screen(result, out, names, options.top_structures)
        removed_work(work)
    if json:
        _print_json(run, out)
    else:
        _print_tables(result.ranking, run, out, options.top)


def _stores_or_files(
    inputs: list[str], out: Path, options: ScreenSettings, advance: Any
) -> list[str]:
    """The inputs as they are if a screen reads them, else a store made of them."""
    from ..data.errors import InputError
    from ..data.store.ingest import ingest
    from ..data.store.open import is_plain, is_store, open_source

    is_read = all(is_plain(name) or is_store(Path(name)) for name in inputs)
    if is_read and options.entries is None:
        return inputs
    if not inputs:
        raise InputError("--entries: the embedded candidates have no energies; give inputs")
    sources = [open_source(name, options.ingest.sources(options.mobile)) for name in inputs]
    summary = ingest(sources, out / "store", options.ingest.settings(options.entries), advance)
    for notice in summary.notices:
        typer.echo(f"warning: {notice}", err=True)
    return [str(out / "store")]


def _print_json(run: dict[str, Any], out: Path) -> None:
    import json as json_module

    typer.echo(json_module.dumps({**run, "out": str(out)}, sort_keys=True, allow_nan=False))


def _print_tables(ranking: pd.DataFrame, run: dict[str, Any], out: Path, top: int) -> None:
    from rich.table import Table

    from .progress import console

    screen_console = console()
    table = Table(title=f"Top {min(top, len(ranking))} of {len(ranking)}", title_justify="left")
    for heading in ("#", "formula", "log10 σ(300 K)", "90 % interval", "p_fast", "distance"):
        table.add_column(heading, justify="left" if heading == "formula" else "right")
    for heading in ("isolated anions", "flags"):
        table.add_column(heading)
    for row in ranking.head(top).to_dict("records"):
        table.add_row(*_cells(row))
    screen_console.print(table)
    for line in _closing_lines(run, out):
        screen_console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from rich.markup import escape

    interval = f"{row['log10_sigma_300K_low']:.1f} … {row['log10_sigma_300K_high']:.1f}"
    isolated = f"{row['isolated_class']} {row['isolated_fraction']:.2f}"
    return (
        str(row["rank"]),
        escape(str(row["formula"])) + _known_mark(row),
        f"{row['log10_sigma_300K_S_cm']:.2f}",
        interval,
        f"{row['p_fast']:.2f}",
        f"{row['domain_distance']:.2f}",
        isolated,
        str(row["flags"]).replace(";", ", "),
    )


def _known_mark(row: dict[str, Any]) -> str:
    if row["known_relation"] == "same":
        return "**"
    return ("*" if row["known_formula"] else "") + ("°" if row["known_relation"] else "")


def _closing_lines(run: dict[str, Any], out: Path) -> list[str]:
    counts, training = run["counts"], run["model"]["training"]
    return [
        "σ in S/cm, as AIMD would find it (optimistic against experiment); in the AIMD table: "
        "* formula, ** structure, ° structure type",
        f"model: {training['n_labels']} AIMD labels of {training['n_structures']} structures, "
        f"{training['n_bounds']} of them bounds; mean error in decades, held out:",
        *_held_out_lines(run["model"]["held_out"]),
        *_foreign_lines(run["settings"]["mobile"], run["model"]["label_mobile"]),
        *(_funnel_lines(run["funnel"]) if counts["filtered"] else []),
        f"{counts['ranked']:,} ranked, {counts['filtered']:,} filtered out (see "
        f"{out / 'funnel.csv'}), {counts['quarantined']:,} quarantined "
        f"(see {out / 'quarantine.csv'})",
        f"next: open {out / 'report.html'}; why a rank: ionsieve explain {out} 1; screen your "
        "own: ionsieve screen FOLDER_OF_CIFS --out DIR",
    ]


def _foreign_lines(mobile: str, label_mobile: str) -> list[str]:
    """A warning where the model knows another mobile species only."""
    if mobile == label_mobile:
        return []
    return [
        f"no label is of {mobile}: the model learned from {label_mobile} conductors alone, and "
        f"neither predictions nor intervals were tested on {mobile}; all are out_of_domain"
    ]


def _held_out_lines(held_out: dict[str, Any]) -> list[str]:
    """One line a scheme: error of the model with interval, beside the naive baseline."""
    lines = []
    for scheme, methods in held_out.items():
        (mae, low, high), naive = methods["model"]["mae"], methods["temperature only"]["mae"][0]
        inside = methods["model"]["coverage"][0]
        lines.append(
            f"  {scheme.replace('_', ' ')}: {mae:.2f} [{low:.2f}, {high:.2f}], knowing only the "
            f"temperature {naive:.2f}; 90 % interval holds {inside:.0%}"
        )
    return lines


def _funnel_lines(funnel: list[dict[str, Any]]) -> list[str]:
    return [
        f"  {stage['stage']:<22} {stage['kept']:>9,} kept {stage['dropped']:>9,} dropped: "
        f"{stage['reason']}"
        for stage in funnel
    ]
