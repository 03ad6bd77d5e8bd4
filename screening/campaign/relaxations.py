"""A finished relaxation: did the crystal survive, and what is expected of it now?"""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from ...data.convert import from_pymatgen, to_pymatgen
from ...data.errors import TrajectoryError
from ...data.records import StructureRecord
from ...data.trajectories.readers import told_as_one_line
from ...data.units import ROOM_TEMPERATURE_K
from ...features.catalogue import families
from ...features.featurizer import featurize_one, numeric_columns, rows_to_frame
from ...models import load_model
from ..engines.engine import Engine, Relaxed
from ..jobs.collapse import Survival, survival
from ..jobs.failures import Cause, Failure
from ..jobs.plan import RelaxPlan
from ..jobs.structure_json import record_to_dict
from .labels import RefusedTrajectory
from .records import Job, Result
from .settings import CampaignSettings
from .setup import FEATURES
from .store import CampaignStore
from .tables import campaign_table

RELAXED: Final[str] = "relaxed"
FELL_APART: Final[str] = "fell_apart"
_PRIMITIVE_A: Final[float] = 0.05


def analyse_relaxation(
    engine: Engine, job: Job, plan: RelaxPlan, store: CampaignStore, settings: CampaignSettings
) -> Result | RefusedTrajectory | Failure | None:
    """Read a relaxation.

    Returns
    -------
    Result, RefusedTrajectory, Failure or None
        The result once it has ended, why what is there cannot be read, why it failed, or None
        while it runs.
    """
    folder = store.folder / job.folder
    try:
        with told_as_one_line(folder):
            return _analyse(engine, job, plan, store, settings)
    except TrajectoryError as error:
        return RefusedTrajectory(str(error))


def _analyse(
    engine: Engine, job: Job, plan: RelaxPlan, store: CampaignStore, settings: CampaignSettings
) -> Result | Failure | None:
    folder = store.folder / job.folder
    progress = engine.progress(plan, folder)
    if progress.failure is not None:
        return progress.failure
    if progress.state != "finished":
        return None
    try:
        found = engine.relaxed(plan, folder)
    except TrajectoryError as error:
        return Failure(Cause.UNREADABLE, str(error))
    survived = survival(plan.record, found.record, settings.mobile)
    details = {"reason": _reason(found, survived), **_facts(found, survived)}
    if survived.fell_apart:
        return _result(job, FELL_APART, {**details, "reason": survived.fault})
    details["relaxed"] = record_to_dict(found.record)
    details |= _believed(store, job, found.record, settings.mobile)
    return _result(job, RELAXED, details)


def _result(job: Job, verdict: str, details: dict[str, Any]) -> Result:
    return Result(job_id=job.id, complete=True, verdict=verdict, label=None, details=details)


def _facts(found: Relaxed, survived: Survival) -> dict[str, Any]:
    return {
        "converged": found.converged,
        "n_steps": found.n_steps,
        "energy_eV": found.energy_eV,
        "pressure_GPa": found.pressure_GPa,
        "max_force_eV_A": found.max_force_eV_A,
        "core_seconds": found.core_seconds,
        "survival": dict(survived.__dict__),
    }


def _reason(found: Relaxed, survived: Survival) -> str:
    before, after = survived.space_group_before, survived.space_group_after
    groups = before if before == after else f"{before} to {after}"
    residual = "" if found.converged else f", not converged after {found.n_steps} steps"
    return f"volume {100 * (survived.volume_ratio - 1):+.1f} %, host {groups or '?'}{residual}"


def _believed(
    store: CampaignStore, job: Job, record: StructureRecord, mobile: str
) -> dict[str, Any]:
    """Descriptors of the relaxed cell, and what the newest model makes of them and of the old."""
    row = featurize_one(_primitive(record), families(None), mobile)
    if row.values is None:
        return {"features_refused": row.reason}
    columns = numeric_columns()
    features = rows_to_frame([row], None)[columns]
    after = {name: _finite(features.iloc[0][name]) for name in columns}
    models = store.models()
    if not models:
        return {"features": after}
    model = load_model(store.folder / models[-1].folder)
    table = campaign_table(store.folder, FEATURES, [job.candidate_id], columns)
    before = table.loc[[job.candidate_id], columns]
    both = pd.concat([before, features])
    predicted = model.predict(both, ROOM_TEMPERATURE_K)["prediction"].to_numpy()
    return {
        "features": after,
        "log10_sigma_300K_before": float(predicted[0]),
        "log10_sigma_300K": float(predicted[1]),
    }


def _primitive(record: StructureRecord) -> StructureRecord:
    """Descriptors do not change with the cell; a small one takes less time."""
    primitive = to_pymatgen(record).get_primitive_structure(tolerance=_PRIMITIVE_A)
    return from_pymatgen(primitive, record.id, record.provenance)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def campaign_features(store: CampaignStore, columns: list[str]) -> pd.DataFrame:
    """Descriptors of the candidates; of those that were relaxed, of the relaxed cell."""
    table = campaign_table(store.folder, FEATURES, columns=columns)[columns]
    jobs = {job.id: job.candidate_id for job in store.jobs()}
    for result in store.results():
        if own := result.details.get("features"):
            values = [math.nan if own.get(name) is None else own[name] for name in columns]
            table.loc[jobs[result.job_id], columns] = values
    return table
