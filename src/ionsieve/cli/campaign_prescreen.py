"""``ionsieve campaign prescreen``: short MD with a machine-learning potential."""

from __future__ import annotations

from pathlib import Path

import typer

from .campaign import _FOLDER, _JSON, _say, campaign


@campaign.command()
def prescreen(
    folder: Path = _FOLDER,
    engine: str = typer.Option("chgnet", help="Potential; its labels are of kind mlip_md."),
    temperature: float = typer.Option(1000.0, min=1.0, help="Temperature, K."),
    production_ps: float = typer.Option(10.0, min=0.001, help="Production, ps."),
    equilibration_ps: float = typer.Option(2.0, min=0.0, help="Discarded before it, ps."),
    limit: int = typer.Option(None, min=1, help="At most so many candidates."),
    json: bool = _JSON,
) -> None:
    """Run candidates with a potential first; its labels are never trained on as AIMD."""
    from ..data.identifiers import printable
    from ..screening.campaign.prescreen import TABLE
    from ..screening.campaign.prescreen import prescreen as run
    from .progress import stage_progress

    with stage_progress(quiet=json) as advance:
        found = run(folder, engine, temperature, production_ps, equilibration_ps, limit, advance)
    lines = [
        *(f"{printable(name)}: {verdict}" for name, verdict in found["results"].items()),
        *(f"{printable(name)}: failed: {reason}" for name, reason in found["failed"].items()),
        f"{len(found['results'])} run, {len(found['failed'])} failed, {found['left']} left; "
        f"all in {folder / TABLE} (kind mlip_md)",
        f"next: ionsieve campaign propose {folder} --prescreen order (or filter)",
    ]
    _say(json, found, lines)
