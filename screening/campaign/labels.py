"""From a job's folder to its result: progress, trajectory, verdict and label."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...data.errors import TrajectoryError
from ...data.trajectories.readers import read_trajectory, told_as_one_line
from ...data.trajectories.trajectory import Trajectory
from ...data.transport.analysis import AnalysisSettings, TransportLabel, analyse
from ..engines.engine import Engine
from ..engines.exits import STOP
from ..engines.run_log import FAIL_UNCONVERGED, RunLog, conserved_drift
from ..jobs.failures import Cause, Failure
from ..jobs.plan import AimdPlan
from .records import Job, Result
from .settings import CampaignSettings

GIVEN: Final[str] = "trajectory.*"
"""A trajectory that the user puts into a job folder counts instead of the engine's own."""
MOBILE_CATIONS: Final[frozenset[str]] = frozenset({"Li", "Na", "K", "Ag", "Cu"})
"""Monovalent cations that may move beside each other."""
DEMONSTRATION: Final[str] = "demonstration"


FINISHED_EARLY: Final[str] = "finished_early"


@dataclass(frozen=True)
class RefusedTrajectory:
    """A trajectory that is not one of this job, or damaged output: the job is as it was."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def analyse_job(
    engine: Engine, job: Job, plan: AimdPlan, folder: Path, settings: CampaignSettings
) -> Result | RefusedTrajectory | Failure | None:
    """Read a run.

    Returns
    -------
    Result, RefusedTrajectory, Failure or None
        The result so far (complete once the run has ended), why the user's own trajectory cannot
        be it or a damaged file cannot be read, why the run failed, or None where there is nothing
        to read yet.
    """
    try:
        with told_as_one_line(folder):
            return _analyse(engine, job, plan, folder, settings)
    except TrajectoryError as error:
        return RefusedTrajectory(str(error))


def _analyse(
    engine: Engine, job: Job, plan: AimdPlan, folder: Path, settings: CampaignSettings
) -> Result | RefusedTrajectory | Failure | None:
    given = sorted(folder.glob(GIVEN))
    progress = engine.progress(plan, folder)
    if not given and progress.state == "waiting":
        return None
    if not given and progress.state in ("failed", "blocked"):
        return progress.failure
    try:
        run = job_trajectory(engine, plan, folder, given)
    except TrajectoryError as error:
        if given:
            return RefusedTrajectory(str(error))
        # A run under way may have written half a frame; one that has ended must be readable.
        if progress.state == "finished":
            return Failure(Cause.UNREADABLE, str(error))
        return progress.failure
    # Some codes write the starting positions as a frame, others do not.
    whole = plan.n_steps // plan.frame_every
    complete = run.n_frames >= whole if given else (progress.state == "finished")
    log = None if given else engine.log(plan, folder)
    energies, fault = _from_log(log, plan)
    if fault and complete:
        return fault
    verdict, label, details = _analysed(run, job, plan, engine, settings)
    details["n_steps"] = progress.n_steps or (run.n_frames - 1) * plan.frame_every
    details["core_seconds"] = progress.core_seconds or (log.core_seconds if log else None)
    details["warnings"] = [*details.get("warnings", []), *energies.pop("remarks", [])]
    if complete and not given and (folder / STOP).exists():
        details |= _early(folder, plan, details["n_steps"], details["core_seconds"])
    return Result(
        job_id=job.id,
        complete=complete,
        verdict=verdict,
        label=label,
        details=details | energies,
    )


def _early(
    folder: Path, plan: AimdPlan, n_steps: int, core_seconds: float | None
) -> dict[str, Any]:
    """Why the run ended before its plan, and the core hours that were not spent on it."""
    reason = json.loads((folder / STOP).read_text("utf-8"))["reason"]
    left = max(0, plan.n_steps - n_steps)
    saved = left * core_seconds / n_steps / 3600.0 if core_seconds and n_steps else 0.0
    return {FINISHED_EARLY: True, "stopped_early": reason, "core_hours_saved": saved}


def job_trajectory(
    engine: Engine, plan: AimdPlan, folder: Path, given: list[Path] | None = None
) -> Trajectory:
    """The run so far, equilibration included.

    Raises
    ------
    TrajectoryError
        If there is no frame, a file cannot be read, or its atoms are not those of the plan.
    """
    if given:
        run = read_trajectory(given, plan.frame_spacing_fs)
    else:
        run = engine.trajectory(plan, folder)
    expected = sorted(content[0].element for content in plan.record.species)
    if sorted(run.species) != expected:
        raise TrajectoryError(
            f"{run.name}: its {run.n_atoms} atoms are not those of the plan "
            f"({len(expected)} atoms); a trajectory must be of the cell in the job's folder"
        )
    return run


def _analysed(
    run: Trajectory, job: Job, plan: AimdPlan, engine: Engine, settings: CampaignSettings
) -> tuple[str, dict[str, Any] | None, dict[str, Any]]:
    asked = AnalysisSettings(
        mobile=settings.mobile,
        temperature_K=plan.temperature_K,
        equilibration_ps=plan.equilibration_ps,
        kind=engine.kind,
        structure_id=job.candidate_id,
        # A second mobile cation that diffuses is no melt of the host.
        also_mobile=tuple(sorted(MOBILE_CATIONS & set(plan.record.elements) - {settings.mobile})),
    )
    facts = {"n_frames": run.n_frames, "production_ps": run.duration_ps - plan.equilibration_ps}
    try:
        found = analyse(run, asked)
    except TrajectoryError as error:
        return "too_short", None, {**facts, "reason": str(error)}
    details = {
        **facts,
        "reason": found.evidence.reason,
        "n_eff": found.n_eff,
        "warnings": list(found.warnings),
        "sources": list(found.sources),
    }
    return found.verdict, _label(found, job, plan), details


def _label(found: TransportLabel, job: Job, plan: AimdPlan) -> dict[str, Any] | None:
    system = "-".join(sorted(plan.record.elements))
    label = found.label(source=f"campaign job {job.id}", group=system)
    if label is None:
        return None
    return {**asdict(label), "grade": DEMONSTRATION if plan.demonstration else "campaign"}


def _from_log(log: RunLog | None, plan: AimdPlan) -> tuple[dict[str, Any], Failure | None]:
    """Facts of the run's log, and why the run must not be used, if so."""
    if log is None:
        return {}, None
    n_steps = max(len(log.step), 1)
    # Equilibration draws its heat from the thermostat; its conserved energy holds all the same.
    drift = conserved_drift(log, plan.record.n_sites, plan.time_step_fs)
    facts: dict[str, Any] = {}
    remarks: list[str] = []
    fault: Failure | None = None
    if np.isfinite(log.temperature_K).all():
        facts["mean_temperature_K"] = float(log.temperature_K.mean())
    facts |= _pressure(log, plan)
    if drift is not None:
        facts["conserved_drift_meV_atom"] = drift.meV_atom
        facts["conserved_drift_meV_atom_ps"] = drift.meV_atom_ps
        remarks += [str(drift)] if drift.grade == "warning" else []
        fault = Failure(Cause.DRIFT, str(drift)) if drift.grade == "failed" else None
    if log.n_unconverged:
        text = f"SCF did not converge in {log.n_unconverged} of {n_steps} steps"
        remarks.append(text)
        if log.n_unconverged > FAIL_UNCONVERGED * n_steps:
            fault = Failure(Cause.NOT_CONVERGED, text)
    return {**facts, "remarks": remarks}, fault


def _pressure(log: RunLog, plan: AimdPlan) -> dict[str, float]:
    """Mean pressure after equilibration, GPa: NVT at the volume of the relaxed cell."""
    if log.pressure_GPa is None:
        return {}
    late = log.step * plan.time_step_fs >= 1000.0 * plan.equilibration_ps
    known = log.pressure_GPa[late & np.isfinite(log.pressure_GPa)]
    return {"mean_pressure_GPa": float(known.mean())} if len(known) else {}
