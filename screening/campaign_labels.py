"""From a job's folder to its result: progress, trajectory, verdict and label."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..data.errors import TrajectoryError
from ..data.trajectory import Segment, Trajectory
from ..data.trajectory_readers import read_trajectory
from ..data.transport_label import AnalysisSettings, TransportLabel, analyse, file_sha256
from .aimd_plan import AimdPlan
from .campaign_records import Job, Result
from .campaign_setup import CampaignSettings
from .engines import Engine
from .md import FRAMES, read_frames

GIVEN: Final[str] = "trajectory.*"
"""A trajectory that the user puts into a job folder counts instead of the engine's own."""
DEMONSTRATION: Final[str] = "demonstration"


@dataclass(frozen=True)
class Refused:
    """A trajectory of the user's that is not one of this job: the job is as it was."""

    reason: str


def analyse_job(
    engine: Engine, job: Job, plan: AimdPlan, folder: Path, settings: CampaignSettings
) -> Result | Refused | str | None:
    """Read a job.

    Returns
    -------
    Result, Refused, str or None
        The result so far (complete once the run has ended), why the user's own trajectory cannot
        be it, the reason of a failure, or None where there is nothing to read yet.
    """
    given = sorted(folder.glob(GIVEN))
    progress = engine.progress(plan, folder)
    if not given and progress.state == "waiting":
        return None
    if not given and progress.state == "failed":
        return progress.reason
    try:
        run = job_trajectory(engine, plan, folder, given)
    except TrajectoryError as error:
        if given:
            return Refused(str(error))
        # A run under way may have written half a frame; one that has ended must be readable.
        return str(error) if progress.state == "finished" else None
    # Some codes write the starting positions as a frame, others do not.
    whole = plan.n_steps // plan.frame_every
    complete = run.n_frames >= whole if given else (progress.state == "finished")
    verdict, label, details = _analysed(run, job, plan, engine, settings)
    details["n_steps"] = progress.n_steps or (run.n_frames - 1) * plan.frame_every
    details["core_seconds"] = progress.core_seconds
    details |= _energies(folder) if not given else {}
    return Result(job.id, complete, verdict, label, details)


def job_trajectory(
    engine: Engine, plan: AimdPlan, folder: Path, given: list[Path] | None = None
) -> Trajectory:
    """The run so far, equilibration included.

    Raises
    ------
    TrajectoryError
        If there is no frame, or a file cannot be read.
    """
    files = given or engine.trajectory_files(folder)
    if not files:
        raise TrajectoryError(f"{folder}: no trajectory yet")
    if files[0].name == FRAMES:
        return _frame_log(files[0], plan)
    run = read_trajectory(files, plan.frame_spacing_fs)
    expected = sorted(content[0].element for content in plan.record.species)
    if sorted(run.species) != expected:
        raise TrajectoryError(
            f"{run.name}: its {run.n_atoms} atoms are not those of the plan "
            f"({len(expected)} atoms); a trajectory must be of the cell in the job's folder"
        )
    return run


def _frame_log(path: Path, plan: AimdPlan) -> Trajectory:
    positions, facts = read_frames(path)
    # The last frame of a run may fall between two regular ones.
    regular = [i for i, fact in enumerate(facts) if fact["step"] % plan.frame_every == 0]
    if not regular:
        raise TrajectoryError(f"{path}: no frame in it yet")
    cell = plan.record.lattice
    return Trajectory(
        tuple(content[0].element for content in plan.record.species),
        cell[None],
        positions[regular] @ np.linalg.inv(cell),
        plan.frame_spacing_fs,
        unwrapped=True,
        segments=(Segment(path.name, 0, len(regular), file_sha256(str(path)) or ""),),
    )


def _analysed(
    run: Trajectory, job: Job, plan: AimdPlan, engine: Engine, settings: CampaignSettings
) -> tuple[str, dict[str, Any] | None, dict[str, Any]]:
    asked = AnalysisSettings(
        mobile=settings.mobile,
        temperature_K=plan.temperature_K,
        equilibration_ps=plan.equilibration_ps,
        kind=engine.kind,
        structure_id=job.candidate_id,
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


def _energies(folder: Path) -> dict[str, Any]:
    """Drift of the conserved energy over the run, where the engine's log has it."""
    if not (folder / FRAMES).exists():
        return {}
    positions, facts = read_frames(folder / FRAMES)
    conserved = [f["conserved_eV"] for f in facts if f.get("conserved_eV") is not None]
    if len(conserved) < 2:
        return {}
    drift = 1000.0 * (conserved[-1] - conserved[0]) / positions.shape[1]
    return {"conserved_drift_meV_atom": float(drift)}
