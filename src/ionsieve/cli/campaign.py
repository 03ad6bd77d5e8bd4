"""``ionsieve campaign``: the active-learning loop on one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

campaign = typer.Typer(
    help="Close the loop: propose a batch, run it, collect labels, retrain. Every verb may be "
    "killed and called again.",
    no_args_is_help=True,
)

_FOLDER = typer.Argument(..., help="Folder of the campaign.")
_JSON = typer.Option(False, "--json", help="Print one JSON object.")


@campaign.command()
def init(
    folder: Path = typer.Argument(..., help="New folder of the campaign."),
    inputs: list[Path] = typer.Argument(
        None, metavar="[INPUT…]", help="CIF or POSCAR files or folders; none: embedded candidates."
    ),
    screen: Path = typer.Option(
        None, "--from", help="Results of a screen: take the candidates that it flagged for AIMD."
    ),
    flag: list[str] = typer.Option(
        ["any"], help="With --from: only this flag, e.g. uncertain; may be repeated."
    ),
    top: int = typer.Option(100, min=1, help="With --from: at most so many, best ranked first."),
    known: bool = typer.Option(
        False, "--known", help="Also materials that the AIMD or the experiment table holds."
    ),
    model: Path = typer.Option(
        None,
        "--model",
        metavar="MODEL",
        help="Start from a model of your own, from 'ionsieve train'.",
    ),
    engine: str = typer.Option("gpaw", help="gpaw, cp2k, vasp or espresso."),
    acquisition: str = typer.Option(
        "poe", help="greedy, ucb, ei, poe, thompson, max_variance or random."
    ),
    batch: int = typer.Option(5, min=1, help="Candidates in a round."),
    mobile: str = typer.Option("Li", help="Mobile species: Li, Na, K, Ag or Cu."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Same seed, same batches."),
    settings: Path = typer.Option(
        None, help="YAML file of settings (protocol, acquisition, engine_settings …)."
    ),
    network_file_system: bool = typer.Option(
        False, help="The folder lies on NFS or the like: keep the database without a log file."
    ),
    json: bool = _JSON,
) -> None:
    """Make the campaign: candidates, descriptors, first model."""
    from ..screening.campaign.from_screen import ScreenChoice
    from ..screening.campaign.setup import init_campaign
    from ..screening.engines.registry import engine as engine_named
    from .cache import model_cache
    from .campaign_text import made_lines
    from .progress import stage_progress

    source = None if screen is None else ScreenChoice(screen, tuple(flag), top)
    chosen = _settings(settings, engine, acquisition, batch, mobile, seed)
    with stage_progress(quiet=json) as advance:
        counts = init_campaign(
            folder,
            inputs or [],
            chosen,
            model_cache(),
            advance,
            network_file_system,
            source,
            known,
            model,
        )
    ready = engine_named(chosen.engine).ready()
    _say(
        json,
        {**counts, "engine_here": ready.here, "engine_needs": ready.text},
        made_lines(folder, counts, ready),
    )


def _settings(
    path: Path | None, engine: str, acquisition: str, batch: int, mobile: str, seed: int
) -> Any:
    from ..data.errors import InputError
    from ..data.settings_text import read_settings_text
    from ..screening.campaign.settings import CampaignSettings

    content: Any = {}
    if path is not None:
        content = read_settings_text(path) or {}
        if not isinstance(content, dict):
            raise InputError(f"{path}: must hold names and values")
    given = {"engine": engine, "batch_size": batch, "mobile": mobile, "seed": seed}
    merged = {**given, **content}
    merged["acquisition"] = {"function": acquisition, **(content.get("acquisition") or {})}
    return CampaignSettings.from_dict(merged)


@campaign.command()
def propose(
    folder: Path = _FOLDER,
    batch: int = typer.Option(None, min=1, help="Candidates in this round."),
    anyway: bool = typer.Option(False, "--anyway", help="Propose although the stop rule holds."),
    prescreen: str = typer.Option(
        "ignore", help="ignore, order (conducting first) or filter by 'campaign prescreen'."
    ),
    json: bool = _JSON,
) -> None:
    """Choose the next batch and write its job folders."""
    from dataclasses import asdict

    from ..data.errors import InputError
    from ..screening.campaign.loop import propose as run
    from .campaign_text import proposed_lines

    if prescreen not in ("ignore", "order", "filter"):
        raise InputError(f"--prescreen {prescreen}: give ignore, order or filter")
    found = run(folder, batch, anyway, prescreen)  # type: ignore[arg-type]
    _say(json, asdict(found), proposed_lines(folder, found))


@campaign.command()
def submit(
    folder: Path = _FOLDER,
    run: bool = typer.Option(False, "--run", help="Run the jobs here, one after the other."),
    command: str = typer.Option(None, help="Scheduler's command, e.g. 'sbatch {script}'."),
    limit: int = typer.Option(None, min=1, help="With --run: at most so many jobs."),
    again: bool = typer.Option(
        False, "--again", help="With --command: also jobs cut off by a time limit."
    ),
    json: bool = _JSON,
) -> None:
    """Write array scripts; run jobs here or hand them to a scheduler."""
    from dataclasses import asdict

    from ..screening.campaign.submission import submit as hand_over
    from .campaign_text import submitted_lines

    done = hand_over(folder, run, command, limit, again)
    _say(json, asdict(done), submitted_lines(folder, done, run, command))
    if any(done.ran.values()):
        raise typer.Exit(1)


@campaign.command()
def status(folder: Path = _FOLDER, json: bool = _JSON) -> None:
    """Show where the campaign stands."""
    from ..screening.campaign.status import status as facts
    from .campaign_text import status_lines

    found = facts(folder)
    _say(json, found, status_lines(found))


@campaign.command()
def collect(
    folder: Path = _FOLDER,
    finish: list[str] = typer.Option(
        None, metavar="JOB", help="This run ends here, shorter than planned; may be repeated."
    ),
    json: bool = _JSON,
) -> None:
    """Turn finished and running jobs into labels; plan retries, extensions, temperatures."""
    from dataclasses import asdict

    from ..screening.campaign.collection import collect as gather
    from .campaign_text import collected_lines

    found = gather(folder, finish or ())
    _say(json, asdict(found), collected_lines(folder, found))


@campaign.command()
def retrain(
    folder: Path = _FOLDER,
    with_demonstration: bool = typer.Option(
        False, "--with-demonstration", help="Train also on labels of coarse demonstration runs."
    ),
    json: bool = _JSON,
) -> None:
    """Train the next model on all labels."""
    from dataclasses import asdict

    from ..screening.campaign.loop import retrain as train
    from .campaign_text import retrained_lines

    found = train(folder, with_demonstration)
    _say(json, asdict(found), retrained_lines(folder, found))


@campaign.command()
def stop(
    folder: Path = _FOLDER,
    reason: str = typer.Option("stopped by hand", help="Kept in the history."),
    undo: bool = typer.Option(False, "--undo", help="Open the campaign again."),
    json: bool = _JSON,
) -> None:
    """Propose nothing any more; running jobs go on and can be collected."""
    from ..screening.campaign.loop import stop as end

    end(folder, reason, undo)
    _say(json, {"stopped": not undo, "reason": reason}, ["reopened" if undo else "stopped"])


@campaign.command()
def report(folder: Path = _FOLDER, json: bool = _JSON) -> None:
    """Write report/: report.html (self-contained), jobs.csv, labels.csv, history.csv."""
    from ..screening.campaign.status import report as write

    facts = write(folder)
    _say(json, facts, [f"wrote {folder / 'report' / 'report.html'}"])


def _say(as_json: bool, content: Any, lines: list[str]) -> None:
    import json as json_module

    if as_json:
        typer.echo(json_module.dumps(content, sort_keys=True, allow_nan=False, default=list))
        return
    for line in lines:
        typer.echo(line)
