"""Where a campaign stands, and its report: tables and one self-contained page."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ...data.atomic import remove_leftovers, write_text_atomic
from ...data.csv_text import csv_text
from ...data.errors import TrajectoryError
from ...data.trajectories.readers import told_as_one_line
from ..acquisition.cost import CostModel
from ..engines.engine import Progress
from ..jobs.plan import RelaxPlan, plan_from_dict
from .access import open_campaign
from .folders import engine_of, is_running
from .loop import campaign_labels, cost_model
from .page import render_page
from .records import RUN_HERE, Job
from .rows import inside
from .settings import CampaignSettings
from .store import CampaignStore

UNREADABLE: Final[str] = "unreadable"


def status(folder: str | Path) -> dict[str, Any]:
    """Numbers of everything, each open job with how far it got, and the last stop decision.

    Reads only; may be called while other processes work.
    """
    store, settings = open_campaign(folder)
    with store:
        return _facts(store, settings)


def _facts(store: CampaignStore, settings: CampaignSettings) -> dict[str, Any]:
    results, candidates, model = store.results(), store.candidates(), store.models()[-1]
    states = {job.id: _job_state(store, settings, job) for job in store.jobs()}
    for result in results:
        seen = states[result.job_id]
        # A trajectory of the user's own: the engine knows nothing of it.
        steps = int(result.details.get("n_steps") or 0)
        states[result.job_id] = {
            **seen,
            "verdict": result.verdict,
            "done_steps": max(steps, int(seen.get("done_steps", 0))),
        }
    return {
        "engine": settings.engine,
        "candidates": len(candidates),
        "excluded": sum(c.excluded is not None for c in candidates),
        "closed": sum(c.closed is not None for c in candidates),
        "rounds": len(store.rounds()),
        "jobs": dict(Counter(s["state"] for s in states.values())),
        "failures": {j.id: j.reason for j in store.jobs("failed")},
        "saved_core_hours": sum(r.details.get("core_hours_saved", 0.0) for r in results),
        "open_jobs": {k: s for k, s in states.items() if s["state"] not in ("done", "failed")},
        "verdicts": dict(Counter(r.verdict for r in results)),
        "labels": sum(r.label is not None for r in results),
        "model": {"id": model.id, **model.details},
        "decision": last_decision(store),
        "stopped": store.settings().get("stopped"),
    }


def last_decision(store: CampaignStore) -> dict[str, Any] | None:
    """What the stop rule said last, and on which model; None before the first proposal."""
    # In the order of the history: time stamps are to the second.
    events = [h for h in store.history() if h["event"] in ("round", "stop_rule")]
    if not events:
        return None
    last = events[-1]
    if last["event"] == "stop_rule":
        return last if "model_id" in last else None
    entry = store.rounds()[int(last["subject"]) - 1]
    if "decision" not in entry:
        return None
    return {"utc": entry["utc"], "model_id": entry["model_id"], **entry["decision"]}


def _job_state(store: CampaignStore, settings: CampaignSettings, job: Job) -> dict[str, Any]:
    """The stored state, refined by what lies in the folder, and where a running job is."""
    planned = plan_from_dict(job.plan).n_steps
    if job.state in ("done", "failed", "proposed"):
        return {"state": job.state, "verdict": None, "n_steps": planned}
    folder = store.folder / job.folder
    try:
        with told_as_one_line(folder):
            seen = engine_of(job, settings).progress(plan_from_dict(job.plan), folder)
    except TrajectoryError as error:
        return {"state": UNREADABLE, "verdict": None, "n_steps": planned, "why": str(error)}
    facts = {"verdict": None, "done_steps": seen.n_steps, "n_steps": planned}
    if is_running(folder):
        left = None if seen.step_s is None else (planned - seen.n_steps) * seen.step_s / 3600.0
        return {**facts, "state": "running", "inside": seen.inside, "hours_left": left}
    why = "" if seen.failure is None else seen.failure.text
    return {**facts, "state": _open_state(job, seen), "why": why}


def _open_state(job: Job, seen: Progress) -> str:
    if seen.state == "waiting":
        return job.state
    if seen.state == "started":
        # No exit status: killed without a trace, unless it runs where this machine cannot see.
        return "interrupted" if job.submission == RUN_HERE else "started elsewhere, or killed"
    if seen.state in ("finished", "failed"):
        return f"{seen.state}, to be collected"
    return seen.state


def report(folder: str | Path) -> dict[str, Any]:
    """Write ``report/``: report.html, jobs.csv, labels.csv and history.csv.

    Returns
    -------
    dict
        The numbers on the page.
    """
    store, settings = open_campaign(folder)
    with store:
        cost, facts = cost_model(store), _facts(store, settings)
        jobs = _jobs_table(store, cost, facts["open_jobs"])
        history = pd.DataFrame(store.history())
        labels = campaign_labels(store.results(), with_demonstration=True)
        spent = float(jobs["core_hours"].sum()) if len(jobs) else 0.0
        facts |= {"core_hours_spent": spent, "cost_model": asdict(cost)}
        page = render_page(store, facts, jobs)
        where = inside(Path(folder), "report")
        # One writer at a time: what another writes must not be taken for a leftover.
        with store.exclusive():
            remove_leftovers(where)
            for name, table in {"jobs": jobs, "labels": labels, "history": history}.items():
                write_text_atomic(where / f"{name}.csv", csv_text(table))
            write_text_atomic(where / "report.html", page)
    return facts


def _jobs_table(store: CampaignStore, cost: CostModel, open_jobs: dict[str, Any]) -> pd.DataFrame:
    results = {r.job_id: r for r in store.results()}
    formulas = {c.id: c for c in store.candidates()}
    rows = []
    for job in store.jobs():
        result = results.get(job.id)
        label = (result.label if result else None) or {}
        seconds = (result.details.get("core_seconds") if result else None) or 0.0
        size = formulas[job.candidate_id]
        plan = plan_from_dict(job.plan)
        # A relaxation is small beside the run it precedes; the model of runs does not hold for it.
        estimate = (
            0.0
            if isinstance(plan, RelaxPlan)
            else cost.core_hours(size.n_electrons, size.volume_A3, plan.n_steps)
        )
        rows.append(
            {
                "job": job.id,
                "candidate": job.candidate_id,
                "formula": size.formula,
                "round": job.round,
                "temperature_K": job.temperature_K,
                "attempt": job.attempt,
                "state": open_jobs.get(job.id, {}).get("state", job.state),
                "verdict": result.verdict if result else "",
                "sigma_S_cm": label.get("value"),
                "sigma_upper_S_cm": label.get("upper"),
                "error_log10": label.get("error_log10"),
                "conserved_drift_meV_atom_ps": (
                    result.details.get("conserved_drift_meV_atom_ps") if result else None
                ),
                "mean_pressure_GPa": (
                    (result.details.get("mean_pressure_GPa", result.details.get("pressure_GPa")))
                    if result
                    else None
                ),
                "kind": label.get("kind", ""),
                "grade": label.get("grade", ""),
                "core_hours_estimated": estimate,
                "core_hours": seconds / 3600.0,
                "reason": open_jobs.get(job.id, {}).get("why")
                or (result.details.get("reason") if result else None)
                or job.reason,
            }
        )
    return pd.DataFrame(rows)
