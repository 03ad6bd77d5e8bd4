"""``ionsieve aimd``: trajectory files → one transport label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ..data.trajectories.trajectory import Trajectory


def aimd(
    files: list[Path] = typer.Argument(..., help="Consecutive segments of one run, in order."),
    temperature: float | None = typer.Option(
        None, "--temperature", help="Temperature, K; needed where the file does not say it."
    ),
    frame_spacing_fs: float | None = typer.Option(
        None, "--frame-spacing-fs", help="Time between frames, fs (VASP: POTIM × NBLOCK)."
    ),
    time_step: float | None = typer.Option(
        None,
        "--time-step",
        help="MD time step, fs; times the steps a LAMMPS dump counts, else one frame a step.",
    ),
    mobile: str = typer.Option(
        "Li", "--mobile", help="Mobile element, or several that move side by side: Li,Na."
    ),
    charge: float | None = typer.Option(None, "--charge", help="Its charge, units of e."),
    charges: str | None = typer.Option(
        None, "--charges", help="Charges of elements, units of e: Li=1,Na=1,B=0.8."
    ),
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
    frustration: bool = typer.Option(
        False, "--frustration", help="Add dynamical frustration: sites, jumps, cages, rotation."
    ),
    sites: Path | None = typer.Option(
        None,
        "--sites",
        help="CIF or POSCAR with the sites, or: tetrahedra (of the anions); default: the density.",
    ),
    anions: str | None = typer.Option(
        None, "--anions", help="Polyanions by formula: B12H12 or PS4,BH4; found by bonds otherwise."
    ),
    wannier: list[Path] | None = typer.Option(
        None, "--wannier", help="Wannier centres with the ions: CP2K xyz, wannier90 _centres.xyz."
    ),
    jumps: list[Path] | None = typer.Option(
        None, "--jumps", help="Write jump events: .csv the list, .cube where they happen."
    ),
    density: Path | None = typer.Option(
        None,
        "--density",
        help="Write the mobile-ion density: .cube, or a CHGCAR by any other name.",
    ),
    summary: Path | None = typer.Option(
        None, "--summary", help="Write a one-page summary, .html or .png."
    ),
    arrhenius_table: Path | None = typer.Option(
        None, "--arrhenius", help="Table for an Arrhenius panel in the summary."
    ),
    labels: Path | None = typer.Option(
        None, "--labels", help="Append the label to this table (.jsonl); nothing is overwritten."
    ),
    consecutive: bool = typer.Option(
        False, "--consecutive", help="The files are one run, although positions jump between them."
    ),
    kinisi: bool = typer.Option(
        False,
        "--kinisi",
        help="Add the posterior of kinisi as a second opinion (optional package).",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Decide whether a run shows diffusion, and how much, with uncertainty or as a bound."""
    from dataclasses import asdict, replace

    from ..data.errors import InputError
    from ..data.trajectories.readers import read_trajectory
    from ..data.transport.analysis import AnalysisSettings, analyse
    from ..data.transport.second_opinion import opinion_on
    from ..data.transport.species import analyse_species
    from ..screening.trajectory.extras import Extras, extras_of

    if kind not in ("aimd", "mlip_md"):
        raise InputError(f"--kind {kind}: a trajectory gives a label of kind aimd or mlip_md")
    run = read_trajectory(
        files,
        frame_spacing_fs,
        time_step,
        cell,
        elements.split(",") if elements else None,
        consecutive=consecutive,
    )
    temperature = _temperature(temperature, run)
    settings = AnalysisSettings(
        mobile=mobile.strip(),
        temperature_K=temperature,
        charge_e=charge,
        site_distance_A=site_distance,
        equilibration_ps=equilibration_ps,
        kind="aimd" if kind == "aimd" else "mlip_md",
        structure_id=structure_id,
    )
    ions = mobile_elements(mobile)
    known = None if charges is None else parse_charges(charges)
    if len(ions) > 1:
        together = analyse_species(run, settings, ions, known)
        found = list(together.labels.values())
        result = {**found[0].as_dict(), **together.as_dict()}
    else:
        own = (known or {}).get(ions[0])
        found = [analyse(run, replace(settings, charge_e=own) if charge is None else settings)]
        result = found[0].as_dict()
    label = found[0]
    if kinisi:
        opinion = opinion_on(run, label)
        result["kinisi"] = asdict(opinion)
        if opinion.agrees is False:
            result["warnings"] = [*label.warnings, opinion.remark]
    extras = Extras(
        measures=frustration,
        sites=sites,
        charges_e=known,
        anions=tuple(anions.split(",")) if anions else (),
        wannier=tuple(wannier or ()),
        jumps=tuple(jumps or ()),
        density=density,
        summary=summary,
        arrhenius=arrhenius_table,
    )
    if extras.wanted:
        result.update(extras_of(run, label, extras))
    if labels is not None:
        from ..data.transport.label_history import append_label

        versions = [append_label(labels, one) for one in found]
        result["label_version"] = versions[0]
    typer.echo(json.dumps(result, allow_nan=False) if as_json else _summary(result))


def mobile_elements(text: str) -> list[str]:
    """``Li,Na`` → elements.

    Raises
    ------
    InputError
        If a part is no element.
    """
    from ..data.elements import ATOMIC_NUMBER
    from ..data.errors import InputError

    found = [part.strip() for part in text.split(",")]
    for part in found:
        if part not in ATOMIC_NUMBER:
            raise InputError(f"--mobile {text}: {part!r} is no element; write Li or Li,Na")
    return found


def parse_charges(text: str) -> dict[str, float]:
    """``Li=1,B=0.8`` → charge by element.

    Raises
    ------
    InputError
        If a part is no element with a finite number.
    """
    import math

    from ..data.elements import ATOMIC_NUMBER
    from ..data.errors import InputError

    charges = {}
    for part in text.split(","):
        element, _, number = part.partition("=")
        try:
            charges[element.strip()] = float(number)
        except ValueError:
            charges[element.strip()] = math.nan
        if element.strip() not in ATOMIC_NUMBER or not math.isfinite(charges[element.strip()]):
            raise InputError(f"--charges {text}: {part!r} is no charge; write Li=1,B=0.8")
    return charges


def _temperature(given_K: float | None, run: Trajectory) -> float:
    """The temperature of the option and that of the thermostat, which must not differ."""
    from ..data.errors import InputError

    stated_K = run.temperature_K
    if given_K is None and stated_K is None:
        raise InputError(f"{run.name}: the file does not say the temperature; give --temperature")
    if given_K is None or stated_K is None:
        return given_K or stated_K or 0.0
    if abs(given_K - stated_K) > 0.01 * stated_K:
        raise InputError(
            f"{run.name}: its thermostat is set to {stated_K:g} K, not to --temperature "
            f"{given_K:g}; correct or leave out the option"
        )
    return given_K


def _summary(result: dict[str, Any]) -> str:
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
    for element, label in (result.get("species") or {}).items():
        lines += [f"{element}: {label['verdict']}, {label['evidence']['reason']}"]
        lines += [f"  {key:24s} {_shown(label[key])}" for key in keys[3:]]
    for key in ("cross_terms", "sigma_sum_mS_cm", "sigma_charge_mS_cm", "haven_ratio_together"):
        if key in result:
            lines.append(f"{key:26s} {_together(result[key])}")
    lines += _flat(result.get("kinisi"), "kinisi ")
    lines += _flat(result.get("frustration"))
    warnings = result["warnings"]
    if isinstance(warnings, list):
        lines += [f"warning: {text}" for text in warnings]
    return "\n".join(lines)


def _together(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "; ".join(
            f"{t['first']}–{t['second']} {t['correlation']:.2f} ± {t['error']:.2f}" for t in value
        )
    return _shown(value)


def _flat(values: object, prefix: str = "") -> list[str]:
    """One line a number, nested names joined; curves and the reasons for gaps are left out."""
    lines: list[str] = []
    if isinstance(values, dict):
        for name, value in values.items():
            if name in ("curves", "by_distance"):
                continue
            if isinstance(value, dict):
                lines += _flat(value, f"{prefix}{name} ")
            elif name == "notes":
                lines += [f"note: {text}" for text in value]
            elif not isinstance(value, list):
                lines.append(f"{prefix + name:26s} {_shown(value)}")
    return lines


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " to ".join(_shown(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
