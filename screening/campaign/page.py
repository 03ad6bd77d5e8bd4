"""The page of a campaign: what was bought and why, what came back, how the model got on.

One file without network, scripts or anything executable; jinja2 escapes every value on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.errors import IonsieveError
from ...data.units import ROOM_TEMPERATURE_K
from ...features.featurizer import numeric_columns
from ...models import load_model
from ..batch.reasons import general_reason
from .plots import Forecast, accuracy_plot, cost_plot, forecast_plot, timeline
from .records import ModelEntry, Result
from .relaxations import campaign_features
from .store import CampaignStore

HISTORY_ROWS: Final[int] = 300
BEST_ROWS: Final[int] = 20
FAILED_NAMES: Final[int] = 4
"""Jobs named for each reason of a failure."""


def render_page(store: CampaignStore, facts: dict[str, Any], jobs: pd.DataFrame) -> str:
    """The page as text.

    Parameters
    ----------
    store : CampaignStore
    facts : dict
        Numbers of :func:`.campaign_report.status`, and what was spent.
    jobs : DataFrame
        One row a job, as in ``jobs.csv``.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = (
        files("ionsieve.screening").joinpath("templates", "campaign.html.j2").read_text("utf-8")
    )
    settings, history, models = store.settings(), store.history(), store.models()
    forecasts, unread = _forecasts(store)
    excluded = [c for c in store.candidates() if c.excluded]
    return environment.from_string(source).render(
        facts=facts,
        settings=settings,
        rounds=_rounds(store, jobs),
        best=_best(store, jobs),
        n_best=BEST_ROWS,
        models=[_model_row(entry) for entry in models],
        forecast=_forecast_summary(forecasts),
        unread=unread,
        history=[_event(h) for h in history[-HISTORY_ROWS:]],
        n_hidden=max(0, len(history) - HISTORY_ROWS),
        excluded=excluded,
        failures=failures_by_reason(jobs),
        n_failed=0 if jobs.empty else int((jobs["state"] == "failed").sum()),
        n_jobs=len(jobs),
        n_given_up=len(excluded),
        spending=spending(_cost_rows(store, jobs), jobs, int(facts["labels"])),
        plots={
            "timeline": timeline(history),
            "accuracy": accuracy_plot([_accuracy(entry) for entry in models]),
            "forecast": forecast_plot(forecasts),
            "cost": cost_plot(_cost_rows(store, jobs)),
        },
    )


def failures_by_reason(jobs: pd.DataFrame) -> list[dict[str, Any]]:
    """Failed jobs, equal reasons together, the most frequent first.

    Parameters
    ----------
    jobs : DataFrame
        As in ``jobs.csv``.

    Returns
    -------
    list of dict
        ``reason`` without what belongs to one job, ``count``, and ``names`` of the first.
    """
    found: dict[str, list[str]] = {}
    failed = jobs[jobs["state"] == "failed"] if len(jobs) else jobs
    for row in failed.to_dict("records"):
        reason = general_reason(str(row["reason"]), str(row["job"])) or "no reason is known"
        found.setdefault(reason, []).append(str(row["job"]))
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {"reason": reason, "count": len(names), "names": names[:FAILED_NAMES]}
        for reason, names in ordered
    ]


def spending(
    rounds: Sequence[dict[str, Any]], jobs: pd.DataFrame, n_labels: int
) -> dict[str, Any] | None:
    """What was spent against what each round was proposed for; None before the first.

    Parameters
    ----------
    rounds : sequence of dict
        ``estimated`` when it was proposed and ``used`` so far, core hours.
    jobs : DataFrame
        As in ``jobs.csv``.
    n_labels : int
        Labels that came back.
    """
    if not rounds:
        return None
    used, estimated = (sum(float(r[name]) for r in rounds) for name in ("used", "estimated"))
    ended = jobs["state"].isin(["done", "failed"]) if len(jobs) else pd.Series(dtype=bool)
    return {
        "used": used,
        "estimated": estimated,
        "ratio": used / estimated if used and estimated > 0 else None,
        "n_open": int((~ended).sum()),
        "per_label": used / n_labels if n_labels and used else None,
    }


def _rounds(store: CampaignStore, jobs: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {**entry, "jobs": [_job_row(row) for row in _of_round(jobs, entry["round"])]}
        for entry in store.rounds()
    ]


def _of_round(jobs: pd.DataFrame, number: int) -> list[dict[str, Any]]:
    return [] if jobs.empty else jobs[jobs["round"] == number].to_dict("records")


def _job_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "sigma": sigma_text(row), "demonstration": row["grade"] == "demonstration"}


def sigma_text(row: dict[str, Any]) -> str:
    """log10 σ of a job: value ± error, or bound; empty without a label."""
    value, upper, error = (row[k] for k in ("sigma_S_cm", "sigma_upper_S_cm", "error_log10"))
    if pd.notna(value):
        spread = f" ± {error:.2f}" if pd.notna(error) else ""
        return f"{np.log10(value):.2f}{spread}".replace("-", "−")
    return f"< {np.log10(upper):.2f}".replace("-", "−") if pd.notna(upper) else ""


def _best(store: CampaignStore, jobs: pd.DataFrame) -> list[dict[str, Any]]:
    """Simulated candidates by what the newest model expects of them at 300 K."""
    labelled = [] if jobs.empty else sorted(set(jobs.loc[jobs["kind"] != "", "candidate"]))
    if not labelled:
        return []
    entry = store.models()[-1]
    predicted = _predict(store, entry, labelled, [ROOM_TEMPERATURE_K] * len(labelled))
    if predicted is None:
        return []
    candidates = {c.id: c for c in store.candidates()}
    rows = [
        {
            "id": name,
            "formula": candidates[name].formula,
            "closed": candidates[name].closed,
            "labels": [
                _job_row(row)
                for row in jobs[(jobs["candidate"] == name) & (jobs["kind"] != "")]
                .sort_values("temperature_K")
                .to_dict("records")
            ],
            **answer,
        }
        for name, answer in zip(labelled, predicted.to_dict("records"), strict=True)
    ]
    return sorted(rows, key=lambda row: -row["prediction"])[:BEST_ROWS]


def _predict(
    store: CampaignStore, entry: ModelEntry, ids: list[str], temperatures_K: list[float]
) -> pd.DataFrame | None:
    """None where a model of another version of the program lies in the folder."""
    try:
        model = load_model(store.folder / entry.folder)
    except IonsieveError:
        return None
    features = campaign_features(store, numeric_columns())
    return model.predict(features.loc[ids], np.array(temperatures_K))


def _forecasts(store: CampaignStore) -> tuple[list[Forecast], int]:
    """What the model that chose a candidate expected, beside the label that came back."""
    jobs = {job.id: job for job in store.jobs()}
    models = {entry.id: entry for entry in store.models()}
    asked_by = {entry["round"]: entry["model_id"] for entry in store.rounds()}
    by_model: dict[int, list[Result]] = {}
    for result in store.results():
        if result.label:
            by_model.setdefault(asked_by[jobs[result.job_id].round], []).append(result)
    found, unread = [], 0
    for number, results in sorted(by_model.items()):
        ids = [jobs[r.job_id].candidate_id for r in results]
        temperatures = [jobs[r.job_id].temperature_K for r in results]
        predicted = _predict(store, models[number], ids, temperatures)
        if predicted is None:
            unread += len(results)
            continue
        rows = zip(results, predicted.to_dict("records"), temperatures, strict=True)
        found += [_forecast(r, answer, number, t) for r, answer, t in rows]
    return found, unread


def _forecast(
    result: Result, answer: dict[str, Any], model_id: int, temperature_K: float
) -> Forecast:
    label = result.label or {}
    value, upper = label.get("value"), label.get("upper")
    return Forecast(
        name=f"{result.job_id}: model {model_id}",
        temperature_K=temperature_K,
        predicted=float(answer["prediction"]),
        low=float(answer["low"]),
        high=float(answer["high"]),
        value=None if value is None else float(np.log10(value)),
        upper=None if upper is None else float(np.log10(upper)),
        demonstration=label.get("grade") == "demonstration",
    )


def _forecast_summary(forecasts: list[Forecast]) -> dict[str, Any] | None:
    """Error and coverage where a value came back; bounds that were missed."""
    values = [f for f in forecasts if f.value is not None]
    bounds = [f for f in forecasts if f.value is None and f.upper is not None]
    if not forecasts:
        return None
    errors = [abs(f.predicted - f.value) for f in values if f.value is not None]
    return {
        "n_values": len(values),
        "mae": float(np.mean(errors)) if errors else None,
        "inside": sum(f.low <= f.value <= f.high for f in values if f.value is not None),
        "n_bounds": len(bounds),
        "below": sum(f.predicted <= f.upper for f in bounds if f.upper is not None),
    }


def _accuracy(entry: ModelEntry) -> dict[str, list[float | None]]:
    held_out = entry.details.get("held_out") or {}
    return {left_out: methods["model"]["mae"] for left_out, methods in held_out.items()}


def _model_row(entry: ModelEntry) -> dict[str, Any]:
    held_out = entry.details.get("held_out") or {}
    scores = {left_out: methods["model"] for left_out, methods in held_out.items()}
    return {"id": entry.id, **entry.details, "scores": scores}


def _cost_rows(store: CampaignStore, jobs: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "round": entry["round"],
            "estimated": entry.get("core_hours_estimated", 0.0),
            "used": sum(row["core_hours"] for row in _of_round(jobs, entry["round"])),
        }
        for entry in store.rounds()
    ]


def _event(entry: dict[str, Any]) -> dict[str, Any]:
    known = {"seq", "utc", "event", "subject", "label", "settings"}
    rest = {k: v for k, v in entry.items() if k not in known and v not in (None, "")}
    return {**entry, "text": "; ".join(f"{k} {_brief(v)}" for k, v in rest.items())}


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
