"""``ionsieve report``: make the page of a finished screen again."""

from __future__ import annotations

from pathlib import Path

import typer


def report(
    folder: Path = typer.Argument(..., metavar="DIR", help="Folder of a finished screen."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Make report.html again from the files of a finished screen; nothing is computed anew."""
    from ..screening.results.read import FinishedRun
    from ..screening.results.write import write_report

    run = FinishedRun(folder)
    page = write_report(folder, run.facts)
    if json:
        import json as json_module

        content = {"report": str(page), "ranked": len(run.ranking)}
        typer.echo(json_module.dumps(content, sort_keys=True))
    else:
        typer.echo(f"{len(run.ranking):,} ranked; see {page}")
