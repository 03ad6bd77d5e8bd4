"""``ionsieve campaign export``: waiting jobs as a jobflow Flow."""

from __future__ import annotations

from pathlib import Path

import typer

from .campaign import _FOLDER, _JSON, _say, campaign


@campaign.command()
def export(
    folder: Path = _FOLDER,
    form: str = typer.Option(
        "jobflow", "--format", help="jobflow (each job runs its job.sh) or atomate2 (VASP)."
    ),
    out: Path = typer.Option(None, help="File to write; by default flow.json in the campaign."),
    root: str = typer.Option(None, help="Where the campaign lies on the machine that runs it."),
    json: bool = _JSON,
) -> None:
    """Write the jobs that have not ended as a jobflow Flow (needs the extra 'workflows')."""
    from ..screening.campaign.export import export_flow

    done = export_flow(folder, out or folder / "flow.json", form, root)
    lines = [
        f"{len(done['jobs'])} jobs written to {done['file']}",
        "run it with jobflow or jobflow-remote; then ionsieve campaign collect",
    ]
    _say(json, done, lines)
