"""Optional cheap pre-screen: short MD of the candidates with a machine-learning potential.

Its labels are of kind ``mlip_md``. They lie in a table of their own, are shown in
``prescreen.csv``, and are never among the labels that a campaign trains on. They order or filter
the candidates only where ``propose`` is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from ...data.atomic import write_json_atomic, write_text_atomic
from ...data.csv_text import csv_text
from ...data.errors import InputError, IonsieveError, MissingDependencyError
from ..engines.ase_engine import AseEngine
from ..engines.md import run_md
from ..engines.md_job import PLAN
from ..engines.potentials import POTENTIALS, potential
from ..engines.registry import ENGINES
from ..jobs.plan import AimdPlan, make_plan
from ..jobs.structure_json import record_from_json
from .access import open_campaign
from .force_check import check_forces
from .handover import refuse_links_out
from .labels import analyse_job
from .records import Candidate, Job, Result, job_name
from .rows import inside
from .settings import CampaignSettings
from .store import CampaignStore

FOLDER: Final[str] = "prescreen"
TABLE: Final[str] = "prescreen.csv"
Use = Literal["ignore", "order", "filter"]
"""What ``propose`` makes of a pre-screen: nothing; those that conduct in it first and those that do
not last; or leave out those that do not."""
CONDUCTS, UNKNOWN, DOES_NOT = 0, 1, 2
MAX_TEMPERATURE_K: Final[float] = 800.0
"""Potentials are soft and melt early: NEP89 melts 9 of 60 crystals of the AIMD table at 800 K."""
Advance = Callable[[str, int, int], None]


def prescreen(
    folder: str | Path,
    engine_name: str = "chgnet",
    temperature_K: float = MAX_TEMPERATURE_K,
    production_ps: float = 10.0,
    equilibration_ps: float = 2.0,
    limit: int | None = None,
    advance: Advance | None = None,
) -> dict[str, Any]:
    """Run the candidates that have no job yet, one after the other, and keep what they show.

    May be killed and called again: runs go on from their checkpoints, those done are not run again.

    Parameters
    ----------
    folder : path
        Campaign folder.
    engine_name : str
        A potential by name, or any ASE calculator as ``package.module:factory``. Its forces are
        compared with stored DFT forces first (:mod:`.force_check`).
    temperature_K, production_ps, equilibration_ps : float
        Of the runs, K and ps; the rest follows the campaign's protocol.
    limit : int, optional
        At most so many candidates in this call.
    advance : callable, optional
        Progress callback.

    Returns
    -------
    dict
        ``results`` (candidate → verdict), ``failed`` (candidate → reason) and ``left``, how many
        candidates have not been run.

    Raises
    ------
    InputError
        If the engine is not of kind ``mlip_md``, or its forces are not to be believed.
    MissingDependencyError
        If its package is absent.
    """
    chosen, its_version = believed_potential(engine_name)
    store, settings = open_campaign(folder)
    with store:
        done = _done(store, engine_name, float(temperature_K), production_ps)
        taken = {job.candidate_id for job in store.jobs()}
        waiting = [c for c in store.candidates() if not c.excluded and c.id not in taken | done]
        chosen_ones = waiting[:limit]
        protocol = replace(
            settings.protocol,
            production_ps=production_ps,
            equilibration_ps=equilibration_ps,
            demonstration=False,
        )
        own = replace(settings, protocol=protocol, engine_settings={})
        summary: dict[str, Any] = {"results": {}, "failed": {}}
        for number, candidate in enumerate(chosen_ones, start=1):
            _one(store, own, chosen, candidate, temperature_K, summary, its_version)
            if advance:
                advance("pre-screen", number, len(chosen_ones))
        _write_table(store)
    return {**summary, "left": len(waiting) - len(chosen_ones)}


def believed_potential(name: str) -> tuple[AseEngine, str]:
    """The engine of a potential whose forces resemble those of DFT, and its version.

    Raises
    ------
    InputError
        If it is no potential, or its forces do not.
    """
    known = ENGINES.get(name)
    if known is not None and known.kind != "mlip_md":
        raise InputError(
            f"engine {name!r} gives labels of kind {known.kind}: a pre-screen needs a "
            "machine-learning potential, as nep89 or chgnet"
        )
    if isinstance(known, AseEngine) and name not in POTENTIALS:
        # One that a program of the user's put among the engines: the program vouches for it.
        return known, "unknown"
    chosen = potential(name)
    found = check_forces(chosen.calculator())
    if not found.believed:
        raise InputError(f"potential {name!r}: {found.text()}; it is not run")
    return chosen.engine(), chosen.version


def _done(
    store: CampaignStore, engine_name: str, temperature_K: float, production_ps: float
) -> set[str]:
    """Candidates run as long as is asked; a failure counts, it would only repeat itself."""
    return {
        row["candidate_id"]
        for row in store.prescreens()
        if row["engine"] == engine_name
        and row["temperature_K"] == temperature_K
        and row["details"]["planned_ps"] >= production_ps
    }


def _one(
    store: CampaignStore,
    settings: CampaignSettings,
    chosen: AseEngine,
    candidate: Candidate,
    temperature_K: float,
    summary: dict[str, Any],
    its_version: str,
) -> None:
    """Run one candidate and keep its verdict; a failure is kept with its reason."""
    planned_ps = settings.protocol.production_ps
    try:
        plan = make_plan(
            record_from_json(candidate.record),
            temperature_K,
            settings.protocol,
            settings.mobile,
            settings.seed,
        )
        outcome = _run(store, settings, chosen, candidate, plan)
    except MissingDependencyError:
        raise
    except IonsieveError as error:
        outcome = str(error)
    if outcome is None:
        return
    verdict, label, details = outcome if isinstance(outcome, tuple) else ("failed", None, {})
    if isinstance(outcome, str):
        details = {"reason": outcome}
        summary["failed"][candidate.id] = outcome
    else:
        summary["results"][candidate.id] = verdict
    facts = {**details, "planned_ps": planned_ps, "engine_version": its_version}
    if label is not None:
        label = {**label, "source": f"{chosen.name} {its_version}, {label['source']}"}
    with store.transaction() as t:
        t.put_prescreen(candidate.id, chosen.name, float(temperature_K), verdict, label, facts)


def _run(
    store: CampaignStore,
    settings: CampaignSettings,
    chosen: AseEngine,
    candidate: Candidate,
    plan: AimdPlan,
) -> tuple[str, dict[str, Any] | None, dict[str, Any]] | str | None:
    """Verdict, label and facts; the reason of a failure; None if another process is at it."""
    name = job_name(0, candidate.id, plan.temperature_K, 1)
    where = inside(store.folder, f"{FOLDER}/{chosen.name}/{name}")
    where.mkdir(parents=True, exist_ok=True)
    refuse_links_out(store.folder, where)
    write_json_atomic(where / PLAN, {"engine": chosen.name, "job": name, "plan": plan.as_dict()})
    if not run_md(plan, chosen.calculator(plan, where), where):
        return None
    job = Job(
        id=name,
        candidate_id=candidate.id,
        round=0,
        temperature_K=plan.temperature_K,
        attempt=1,
        state="done",
        plan=plan.as_dict(),
        reason="pre-screen",
    )
    result = analyse_job(chosen, job, plan, where, settings)
    if not isinstance(result, Result):
        return "the run left no frames" if result is None else str(result)
    label = None if result.label is None else {**result.label, "grade": FOLDER}
    return result.verdict, label, result.details


def _write_table(store: CampaignStore) -> None:
    rows = [
        {
            "candidate_id": row["candidate_id"],
            "engine": row["engine"],
            "engine_version": row["details"].get("engine_version"),
            "kind": "mlip_md",
            "temperature_K": row["temperature_K"],
            "verdict": row["verdict"],
            "quantity": (row["label"] or {}).get("quantity"),
            "value": (row["label"] or {}).get("value"),
            "upper": (row["label"] or {}).get("upper"),
            "reason": row["details"].get("reason"),
        }
        for row in store.prescreens()
    ]
    if rows:
        text = csv_text(pd.DataFrame(rows))
        write_text_atomic(store.folder / TABLE, text)


def tiers(store: CampaignStore, candidates: Sequence[Candidate]) -> list[int]:
    """Group of each candidate: 0 diffuses, 1 not known, 2 confined or molten."""
    seen: dict[str, set[str]] = {}
    for row in store.prescreens():
        seen.setdefault(row["candidate_id"], set()).add(row["verdict"])
    return [_tier(seen.get(c.id, set())) for c in candidates]


def _tier(verdicts: set[str]) -> int:
    """Potentials that contradict one another leave a candidate unknown."""
    conducts, does_not = "diffusive" in verdicts, bool(verdicts & {"confined", "molten"})
    if conducts == does_not:
        return UNKNOWN
    return CONDUCTS if conducts else DOES_NOT
