"""Ending a run that has shown enough: the verdict on the growing trajectory.

A run ends early when it diffuses and the error of its diffusivity is below what was asked for, when
its host has melted, or when its ions are provably bound. Nothing is decided on less than half of
the planned production, unless the crystal has melted.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from ...data.atomic import write_json_atomic
from ...data.errors import IonsieveError
from ..engines.engine import Engine
from ..engines.exits import STOP
from ..jobs.plan import AimdPlan, plan_from_dict
from .labels import analyse_job
from .records import Job, Result
from .settings import CampaignSettings

CHECK_EVERY_S: Final[float] = 300.0
"""How often a run here is looked at. An analysis takes seconds, a step of AIMD as long."""


def shown_enough(result: Result, plan: AimdPlan, settings: CampaignSettings) -> str:
    """Why a run may end now; empty if it may not.

    Parameters
    ----------
    result : Result
        Of the run so far.
    plan : AimdPlan
    settings : CampaignSettings
        Its protocol says how small an error is wanted and how long a run must be before it counts.
    """
    protocol = settings.protocol
    if not protocol.stop_early:
        return ""
    produced = float(result.details.get("production_ps") or 0.0)
    if result.verdict == "molten":
        return f"the host has melted within {produced:.1f} ps"
    if produced < protocol.early_share * protocol.production_ps:
        return ""
    error = (result.label or {}).get("error_log10")
    if result.verdict == "diffusive" and error is not None and error <= protocol.early_error_log10:
        return (
            f"diffusion is known within {error:.2f} decades after {produced:.1f} ps, wanted "
            f"{protocol.early_error_log10:g}"
        )
    if result.verdict == "confined":
        return f"the mobile ions are bound after {produced:.1f} ps"
    return ""


def stop_what_has_shown_enough(
    engine: Engine, plan: AimdPlan, folder: Path, result: Result, settings: CampaignSettings
) -> str:
    """Ask a run to end, and let what it has be the whole; gives why, empty if it goes on."""
    reason = shown_enough(result, plan, settings)
    if reason and not (folder / STOP).exists():
        steps = int(result.details.get("n_steps") or 0)
        write_json_atomic(folder / STOP, {"reason": reason, "n_steps": steps})
        engine.ask_to_stop(folder)
    return reason


def watch(
    process: subprocess.Popen[bytes],
    job: Job,
    engine: Engine,
    folder: Path,
    settings: CampaignSettings,
) -> int:
    """Wait for a run here, looking at it now and then; gives its exit status as a shell does."""
    plan = plan_from_dict(job.plan)
    while True:
        try:
            status = process.wait(timeout=CHECK_EVERY_S)
        except subprocess.TimeoutExpired:
            if isinstance(plan, AimdPlan):
                _check(engine, job, plan, folder, settings)
            continue
        return status if status >= 0 else 128 - status


def _check(
    engine: Engine, job: Job, plan: AimdPlan, folder: Path, settings: CampaignSettings
) -> None:
    """Half-written files are no news: the next look comes."""
    try:
        found = analyse_job(engine, job, plan, folder, settings)
    except IonsieveError:
        return
    if isinstance(found, Result):
        stop_what_has_shown_enough(engine, plan, folder, found, settings)
