"""Where a campaign stands, and its report: tables and one page of text."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.atomic import write_text_atomic
from .aimd_plan import AimdPlan
from .campaign import campaign_labels, cost_model
from .campaign_jobs import is_running
from .campaign_records import Job
from .campaign_setup import CampaignSettings
from .campaign_store import CampaignStore
from .engines import Engine, engine


def status(folder: str | Path) -> dict[str, Any]:
    """Numbers of everything, and each open job with how far it got.

    Reads only; may be called while other processes work.
    """
    with CampaignStore(folder) as store:
        settings = CampaignSettings.from_dict(store.settings())
        jobs = store.jobs()
        chosen = engine(settings.engine)
        states = {job.id: _job_state(store, chosen, job) for job in jobs}
        results = store.results()
        candidates = store.candidates()
        model = store.models()[-1]
        return {
            "engine": settings.engine,
            "candidates": len(candidates),
            "excluded": sum(c.excluded is not None for c in candidates),
            "closed": sum(c.closed is not None for c in candidates),
            "rounds": len(store.rounds()),
            "jobs": dict(Counter(s["state"] for s in states.values())),
            "open_jobs": {k: s for k, s in states.items() if s["state"] not in ("done", "failed")},
            "verdicts": dict(Counter(r.verdict for r in results)),
            "labels": sum(r.label is not None for r in results),
            "model": {"id": model.id, **model.details},
            "stopped": store.settings().get("stopped"),
        }


def _job_state(store: CampaignStore, chosen: Engine, job: Job) -> dict[str, Any]:
    """The stored state, refined by what lies in the folder."""
    planned = int(job.plan["n_steps"])
    if job.state in ("done", "failed", "proposed"):
        return {"state": job.state, "n_steps": planned}
    folder = store.folder / job.folder
    seen = chosen.progress(AimdPlan.from_dict(job.plan), folder)
    state: str = job.state
    if is_running(folder):
        state = "running"
    elif seen.state == "started":
        state = "interrupted"
    elif seen.state != "waiting":
        state = f"{seen.state}, to be collected"
    return {"state": state, "done_steps": seen.n_steps, "n_steps": planned}


def report(folder: str | Path) -> dict[str, Any]:
    """Write ``report/``: report.md, jobs.csv, labels.csv and history.csv.

    Returns
    -------
    dict
        The numbers on the page.
    """
    facts = status(folder)
    with CampaignStore(folder) as store:
        jobs, history = _jobs_table(store), pd.DataFrame(store.history())
        labels = campaign_labels(store.results(), with_demonstration=True)
        rounds, cost = store.rounds(), cost_model(store)
    where = Path(folder) / "report"
    tables = {"jobs": jobs, "labels": labels, "history": history}
    for name, table in tables.items():
        write_text_atomic(where / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    spent = float(jobs["core_hours"].sum()) if len(jobs) else 0.0
    facts |= {"core_hours_spent": spent, "cost_model": asdict(cost)}
    write_text_atomic(where / "report.md", _page(facts, rounds, jobs))
    return facts


def _jobs_table(store: CampaignStore) -> pd.DataFrame:
    results = {r.job_id: r for r in store.results()}
    rows = []
    for job in store.jobs():
        result = results.get(job.id)
        label = (result.label if result else None) or {}
        seconds = (result.details.get("core_seconds") if result else None) or 0.0
        rows.append(
            {
                "job": job.id,
                "candidate": job.candidate_id,
                "round": job.round,
                "temperature_K": job.temperature_K,
                "attempt": job.attempt,
                "state": job.state,
                "verdict": result.verdict if result else "",
                "sigma_S_cm": label.get("value"),
                "sigma_upper_S_cm": label.get("upper"),
                "error_log10": label.get("error_log10"),
                "conserved_drift_meV_atom_ps": (
                    result.details.get("conserved_drift_meV_atom_ps") if result else None
                ),
                "core_hours": seconds / 3600.0,
                "reason": (result.details.get("reason") if result else None) or job.reason,
            }
        )
    return pd.DataFrame(rows)


def _page(facts: dict[str, Any], rounds: list[dict[str, Any]], jobs: pd.DataFrame) -> str:
    lines = [
        "# Campaign",
        "",
        f"{facts['candidates']:,} candidates, {facts['rounds']} rounds, engine {facts['engine']}; "
        f"{facts['labels']} labels from {sum(facts['verdicts'].values())} results; "
        f"{facts['core_hours_spent']:.2f} core hours spent.",
        "",
        f"Model {facts['model']['id']}: {facts['model']['n_labels']} labels, "
        f"{facts['model']['n_campaign_labels']} of them from this campaign.",
        "",
        "AIMD is optimistic against experiment, often by a factor of ten.",
        "",
    ]
    if facts["stopped"]:
        lines += [f"Stopped {facts['stopped']['utc']}: {facts['stopped']['reason']}", ""]
    for entry in rounds:
        own = jobs[jobs["round"] == entry["round"]]
        lines += [
            f"## Round {entry['round']} ({entry['utc']})",
            "",
            f"Acquisition {entry['acquisition']}, model {entry['model_id']}, "
            f"{entry['core_hours_estimated']:.3g} core hours estimated.",
            "",
            "| job | state | verdict | log10 σ or bound | why |",
            "|---|---|---|---|---|",
            *(_row(row) for row in own.to_dict("records")),
            "",
        ]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    from math import log10

    value, upper = row["sigma_S_cm"], row["sigma_upper_S_cm"]
    number = ""
    if value is not None and value == value:
        number = f"{log10(value):.2f}"
    elif upper is not None and upper == upper:
        number = f"< {log10(upper):.2f}"
    reason = str(row["reason"]).replace("|", "/")
    return f"| {row['job']} | {row['state']} | {row['verdict']} | {number} | {reason} |"
