"""``ionsieve aimd``: trajectory files → one transport label."""

from __future__ import annotations

import json
from pathlib import Path

import typer


def aimd(
    files: list[Path] = typer.Argument(..., help="Consecutive segments of one run, in order."),
    temperature: float = typer.Option(..., "--temperature", help="Temperature, K."),
    frame_spacing_fs: float | None = typer.Option(
        None, "--frame-spacing-fs", help="Time between frames, fs (VASP: POTIM × NBLOCK)."
    ),
    time_step: float | None = typer.Option(
        None, "--time-step", help="MD time step, fs, where the file counts steps."
    ),
    mobile: str = typer.Option("Li", "--mobile", help="Mobile element."),
    charge: float | None = typer.Option(None, "--charge", help="Its charge, units of e."),
    site_distance: float = typer.Option(3.0, "--site-distance", help="Mean site distance, Å."),
    equilibration_ps: float | None = typer.Option(
        None, "--equilibration-ps", help="Time to discard, ps; found automatically by default."
    ),
    cell: Path | None = typer.Option(None, "--cell", help="CP2K .cell file of an xyz trajectory."),
    elements: str | None = typer.Option(
        None, "--elements", help="Elements of LAMMPS types 1, 2, …, as Li,P,S."
    ),
    kind: str = typer.Option("aimd", "--kind", help="Kind of label: aimd or mlip_md."),
    structure_id: str = typer.Option("", "--structure-id", help="Structure the label belongs to."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Decide whether a run shows diffusion, and how much, with uncertainty or as a bound."""
    from ..data.errors import InputError
    from ..data.trajectory_readers import read_trajectory
    from ..data.transport_label import AnalysisSettings, analyse

    if kind not in ("aimd", "mlip_md"):
        raise InputError(f"--kind {kind}: a trajectory gives a label of kind aimd or mlip_md")
    run = read_trajectory(
        files, frame_spacing_fs, time_step, cell, elements.split(",") if elements else None
    )
    settings = AnalysisSettings(
        mobile,
        temperature,
        charge,
        site_distance,
        equilibration_ps,
        "aimd" if kind == "aimd" else "mlip_md",
        structure_id,
    )
    result = analyse(run, settings).as_dict()
    typer.echo(json.dumps(result, allow_nan=False) if as_json else _summary(result))


def _summary(result: dict[str, object]) -> str:
    keys = (
        "verdict",
        "n_frames",
        "n_eff",
        "diffusivity_cm2_s",
        "diffusivity_rel_error",
        "diffusivity_upper_cm2_s",
        "sigma_mS_cm",
        "sigma_low_mS_cm",
        "sigma_high_mS_cm",
        "sigma_upper_mS_cm",
        "haven_ratio",
    )
    lines = [f"{key:26s} {_shown(result[key])}" for key in keys]
    evidence = result["evidence"]
    if isinstance(evidence, dict):
        lines.insert(1, f"{'reason':26s} {evidence['reason']}")
    warnings = result["warnings"]
    if isinstance(warnings, list):
        lines += [f"warning: {text}" for text in warnings]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " to ".join(_shown(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
