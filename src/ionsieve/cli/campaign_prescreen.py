"""``ionsieve campaign prescreen`` and ``check-engine``: potentials as a first sieve."""

from __future__ import annotations

from pathlib import Path

import typer

from .campaign import _FOLDER, _JSON, _say, campaign

_ENGINE_HELP = "Potential: nep89, chgnet, sevennet, or package.module:factory."


@campaign.command()
def prescreen(
    folder: Path = _FOLDER,
    engine: list[str] = typer.Option(
        ["chgnet"], help=_ENGINE_HELP + " Give it twice to ask for agreement of two."
    ),
    temperature: float = typer.Option(
        800.0, min=1.0, help="Temperature, K; potentials melt crystals early."
    ),
    production_ps: float = typer.Option(10.0, min=0.001, help="Production, ps."),
    equilibration_ps: float = typer.Option(2.0, min=0.0, help="Discarded before it, ps."),
    limit: int = typer.Option(None, min=1, help="At most so many candidates."),
    json: bool = _JSON,
) -> None:
    """Run candidates with a potential first; its labels are never trained on as AIMD.

    The potential's forces are compared with stored DFT forces before it runs. Where two potentials
    contradict one another, the candidate counts as unknown.
    """
    from ..data.identifiers import printable
    from ..screening.campaign.prescreen import TABLE
    from ..screening.campaign.prescreen import prescreen as run
    from .progress import stage_progress

    found = {}
    with stage_progress(quiet=json) as advance:
        for name in engine:
            found[name] = run(
                folder, name, temperature, production_ps, equilibration_ps, limit, advance
            )
    lines = []
    for name, one in found.items():
        lines += [f"{name} {printable(i)}: {verdict}" for i, verdict in one["results"].items()]
        lines += [f"{name} {printable(i)}: failed: {why}" for i, why in one["failed"].items()]
        lines.append(
            f"{name}: {len(one['results'])} run, {len(one['failed'])} failed, {one['left']} left"
        )
    lines += [
        f"all in {folder / TABLE} (kind mlip_md)",
        f"next: ionsieve campaign propose {folder} --prescreen order (or filter)",
    ]
    _say(json, found if len(found) > 1 else next(iter(found.values())), lines)


@campaign.command("check-engine")
def check_engine(
    engine: str = typer.Argument(..., help=_ENGINE_HELP),
    out: Path = typer.Option(
        None, "--out", "-o", help="Also run it over the AIMD table, in this folder; resumes."
    ),
    temperature: float = typer.Option(800.0, min=1.0, help="Temperature of these runs, K."),
    limit: int = typer.Option(None, min=1, help="At most so many materials, smallest first."),
    seed: int = typer.Option(0, help="Of the bootstrap interval."),
    json: bool = _JSON,
) -> None:
    """Compare a potential's forces with DFT, and its order of materials with AIMD."""
    from ..screening.campaign.engine_check import (
        check_facts,
        check_lines,
        rank_against_aimd,
        run_over_aimd_table,
    )
    from ..screening.campaign.force_check import check_forces
    from ..screening.engines.potentials import potential
    from .progress import stage_progress

    chosen = potential(engine)
    forces = check_forces(chosen.calculator())
    ranking = None
    if out is not None and forces.believed:
        with stage_progress(quiet=json) as advance:
            runs = run_over_aimd_table(chosen.engine(), out, temperature, limit, advance)
        ranking = rank_against_aimd(runs, seed)
    _say(json, check_facts(forces, ranking), check_lines(forces, ranking))
    if not forces.believed:
        raise typer.Exit(1)
