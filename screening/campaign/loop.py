"""The active-learning loop: propose a batch, retrain on what came back, decide whether to go on.

Every verb may be killed at any line and called again: the database holds the state, folders are
made from it, and a verb that was already done does nothing. Jobs are handled by
:mod:`.submission` and :mod:`.collection`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.errors import InputError, IonsieveError
from ...data.units import ROOM_TEMPERATURE_K
from ...features.featurizer import numeric_columns
from ...models import StructureModel, load_model, save_model
from ..acquisition.cost import CostModel, calibrated_cost
from ..acquisition.scores import Beliefs, FloatArray, StopDecision, stop_decision
from ..acquisition.selection import Pick, choose_batch, diversity_embedding
from ..acquisition.shortlist import Expectation, element_fractions, expectation, greedy_batch
from ..engines.registry import engine
from ..jobs.plan import AimdPlan, RelaxPlan, make_plan, relaxation_of
from ..jobs.protocol import NO_RELAXATION
from ..jobs.structure_json import record_from_json
from .access import open_campaign
from .folders import write_job_folders
from .prescreen import DOES_NOT, Use, tiers
from .records import Candidate, Job, Result, job_name, to_json, utc_now
from .relaxations import campaign_features
from .rows import inside
from .settings import CampaignSettings
from .setup import FEATURES, TRAINING_FEATURES, TRAINING_LABELS
from .store import CampaignStore
from .tables import campaign_table

_ROUND_SEED: Final[int] = 1_000


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What ``propose`` came to."""

    round: int | None
    """None when the stop rule held."""
    jobs: tuple[str, ...]
    new: bool
    """False when jobs of an earlier proposal still wait to be submitted."""
    decision: StopDecision | None
    picks: tuple[dict[str, Any], ...] = ()
    """Why each candidate of the round was chosen."""
    notices: tuple[str, ...] = ()
    """What the model of this proposal has not learned yet."""
    expected: Expectation | None = None
    """What the batch is expected to find and to cost."""
    greedy: Expectation | None = None
    """The same of a batch of this size taken by expected conductivity alone."""


def propose(
    folder: str | Path,
    size: int | None = None,
    anyway: bool = False,
    prescreen: Use = "ignore",
) -> Proposal:
    """Choose the next batch and write its job folders.

    Jobs that were proposed but not handed over yet are given again: calling twice buys once.

    Parameters
    ----------
    folder : path
    size : int, optional
        Candidates in the batch; by default as set for the campaign.
    anyway : bool
        Propose although the stop rule holds.
    prescreen : {"ignore", "order", "filter"}
        What is made of a pre-screen with a potential (:mod:`.prescreen`).

    Raises
    ------
    InputError
        If the campaign was stopped.
    """
    store, settings = open_campaign(folder)
    with store, store.exclusive():
        write_job_folders(store, settings)
        waiting = store.jobs("ready")
        if waiting:
            number = waiting[-1].round
            entry = store.rounds()[number - 1]
            picks = tuple(entry.get("picks", ()))
            names = tuple(j.id for j in waiting)
            expected, greedy = _expectations(entry)
            return Proposal(
                round=number,
                jobs=names,
                new=False,
                decision=None,
                picks=picks,
                expected=expected,
                greedy=greedy,
            )
        _refuse_if_stopped(store)
        pool = _pool(store, settings, prescreen)
        decision = pool.decision(settings, size or settings.batch_size)
        if decision.stop and not anyway:
            with store.transaction() as t:
                t.note("stop_rule", "campaign", {"model_id": pool.model_id, **asdict(decision)})
            return Proposal(round=None, jobs=(), new=False, decision=decision)
        number = _new_round(store, settings, pool, size or settings.batch_size, decision)
        write_job_folders(store, settings)
        jobs = tuple(j.id for j in store.jobs() if j.round == number)
        entry = store.rounds()[-1]
        picks, notices = tuple(entry["picks"]), _notices(store)
        expected, greedy = _expectations(entry)
        return Proposal(
            round=number,
            jobs=jobs,
            new=True,
            decision=decision,
            picks=picks,
            notices=notices,
            expected=expected,
            greedy=greedy,
        )


def _expectations(entry: Mapping[str, Any]) -> tuple[Expectation | None, Expectation | None]:
    """Of a round as it was kept; None in campaigns of earlier versions."""
    expected, greedy = entry.get("expected"), entry.get("greedy")
    if not (expected and greedy):
        return None, None
    return Expectation(**expected), Expectation(**greedy)


def _notices(store: CampaignStore) -> tuple[str, ...]:
    under_way = len(store.jobs("submitted"))
    known = int(store.models()[-1].details.get("n_results", 0))
    unlearned = sum(r.label is not None for r in store.results()) and len(store.results()) - known
    notices = []
    if unlearned > 0:
        notices.append(f"{unlearned} results are newer than the model: 'retrain' before 'propose'")
    if under_way:
        notices.append(f"{under_way} jobs of earlier rounds have not ended or are not collected")
    return tuple(notices)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pool:
    """Candidates that have no job yet, with what the model believes."""

    candidates: list[Candidate]
    beliefs: Beliefs
    features: pd.DataFrame
    best: float
    cost_core_hours: FloatArray
    model_id: int
    prescreen: Use
    tier: FloatArray
    """0 first, 2 last; all alike where no pre-screen is to be used."""

    def decision(self, settings: CampaignSettings, size: int) -> StopDecision:
        return stop_decision(
            self.beliefs,
            self.best,
            float(np.log10(settings.threshold_S_cm)),
            size,
            settings.minimum_gain_decades,
            settings.minimum_hits,
        )


def _pool(store: CampaignStore, settings: CampaignSettings, prescreen: Use) -> _Pool:
    taken = {job.candidate_id for job in store.jobs()}
    left = [c for c in store.candidates() if c.excluded is None and c.id not in taken]
    tier = np.zeros(len(left)) if prescreen == "ignore" else np.array(tiers(store, left), float)
    if prescreen == "filter":
        left = [c for c, t in zip(left, tier, strict=True) if t != DOES_NOT]
        if len(tier) and not left:
            raise InputError(
                "the pre-screen leaves no candidate; --prescreen order leaves them all"
            )
        tier = tier[tier != DOES_NOT]
    entry = store.models()[-1]
    model = load_model(store.folder / entry.folder)
    ids = [c.id for c in left]
    features = campaign_table(store.folder, FEATURES, ids, numeric_columns())
    chosen = features.loc[ids]
    cost = cost_model(store)
    protocol = settings.protocol
    hours = [
        cost.core_hours(
            c.n_electrons,
            c.volume_A3,
            protocol.n_steps(c.system.split("-")) * len(protocol.start_K),
        )
        for c in left
    ]
    return _Pool(
        candidates=left,
        beliefs=_beliefs(model, chosen),
        features=chosen,
        best=_incumbent(store, model, features),
        cost_core_hours=np.array(hours, dtype=np.float64),
        model_id=entry.id,
        prescreen=prescreen,
        tier=tier,
    )


def _beliefs(model: StructureModel, chosen: pd.DataFrame) -> Beliefs:
    if chosen.empty:
        # Models refuse to predict nothing.
        return Beliefs(np.empty(0), np.empty(0), np.empty(0))
    predictions = model.predict(chosen[numeric_columns()], ROOM_TEMPERATURE_K)
    return Beliefs.from_predictions(predictions, model.coverage)


def _incumbent(store: CampaignStore, model: StructureModel, features: pd.DataFrame) -> float:
    """Highest expected log10 σ(300 K) among materials with labels.

    The model's expectation rather than the label: labels carry noise, and most are of other
    temperatures.
    """
    labelled = sorted({r.label["structure_id"] for r in store.results() if r.label})
    columns = numeric_columns()
    training = campaign_table(store.folder, TRAINING_FEATURES, columns=columns)
    known = pd.concat([training[columns], features.loc[labelled, columns]])
    return float(model.predict(known, ROOM_TEMPERATURE_K)["prediction"].max())


def cost_model(store: CampaignStore) -> CostModel:
    """Cost calibrated on the campaign's own finished jobs."""
    jobs = {job.id: job for job in store.jobs() if not job.relaxes}
    seen = []
    for result in store.results():
        if result.job_id not in jobs:
            continue
        seconds, steps = result.details.get("core_seconds"), result.details.get("n_steps")
        if seconds and steps:
            plan = jobs[result.job_id].plan
            volume = abs(float(np.linalg.det(np.array(plan["record"]["lattice_A"]))))
            seen.append((float(plan["n_electrons"]), volume, float(seconds) / int(steps)))
    return calibrated_cost(seen, engine(str(store.settings()["engine"])).cost)


_Planned = tuple[Candidate, Pick, list[AimdPlan | RelaxPlan]]


def _new_round(
    store: CampaignStore,
    settings: CampaignSettings,
    pool: _Pool,
    size: int,
    decision: StopDecision,
) -> int:
    """Choose, plan and commit; a candidate that cannot be planned is closed and replaced."""
    number = len(store.rounds()) + 1
    available = np.ones(len(pool.candidates), dtype=bool)
    planned: list[_Planned] = []
    while len(planned) < size and available.any():
        first = available & (pool.tier == pool.tier[available].min())
        picks = _picks(pool, settings, size - len(planned), number, first)
        for pick in picks:
            available[pick.index] = False
            candidate = pool.candidates[pick.index]
            try:
                planned.append((candidate, pick, _plans(candidate, settings)))
            except IonsieveError as error:
                with store.transaction() as t:
                    t.exclude(candidate.id, str(error))
        if not picks:
            break
    if not planned:
        raise InputError("no candidate is left that can be simulated; see the history for reasons")
    return _commit_round(store, settings, pool, planned, decision)


def _picks(
    pool: _Pool,
    settings: CampaignSettings,
    size: int,
    number: int,
    available: np.ndarray[Any, np.dtype[np.bool_]],
) -> list[Pick]:
    return choose_batch(
        pool.beliefs,
        size,
        settings.acquisition,
        pool.best,
        settings.seed + _ROUND_SEED * number,
        pool.cost_core_hours,
        diversity_embedding(
            pool.features[numeric_columns()],
            element_fractions([record_from_json(c.record).composition for c in pool.candidates]),
        ),
        [c.system for c in pool.candidates],
        available,
    )


def _plans(candidate: Candidate, settings: CampaignSettings) -> list[AimdPlan | RelaxPlan]:
    """First jobs of a candidate: its relaxation, or the runs where none is wanted."""
    protocol = settings.protocol
    first = make_plan(
        record_from_json(candidate.record),
        protocol.start_K[0],
        protocol,
        settings.mobile,
        settings.seed,
        settings.engine_settings,
    )
    if protocol.relaxation.by != NO_RELAXATION:
        return [relaxation_of(first, protocol.relaxation)]
    return [replace(first, temperature_K=t) for t in protocol.start_K]


def _commit_round(
    store: CampaignStore,
    settings: CampaignSettings,
    pool: _Pool,
    planned: list[_Planned],
    decision: StopDecision,
) -> int:
    picks = [
        _pick_facts(store, settings, pool, candidate, pick, plans[0])
        for candidate, pick, plans in planned
    ]
    expected, greedy = _expected(settings, pool, planned, picks)
    details = {
        "acquisition": settings.acquisition.function,
        "best_log10_sigma": pool.best,
        "n_candidates": len(pool.candidates),
        "prescreen": pool.prescreen,
        "core_hours_estimated": sum(pick["core_hours"] for pick in picks),
        "decision": asdict(decision),
        "picks": picks,
        "expected": asdict(expected),
        "greedy": asdict(greedy),
    }
    with store.transaction() as t:
        number = t.add_round(pool.model_id, details)
        for candidate, pick, plans in planned:
            for plan in plans:
                t.add_job(
                    Job(
                        id=job_name(number, candidate.id, plan.temperature_K, 1),
                        candidate_id=candidate.id,
                        round=number,
                        temperature_K=plan.temperature_K,
                        attempt=1,
                        state="proposed",
                        plan=plan.as_dict(),
                        reason=f"{pick.reason}, {_belief_text(pool, pick)}",
                    )
                )
    return number


def _expected(
    settings: CampaignSettings,
    pool: _Pool,
    planned: list[_Planned],
    picks: list[dict[str, Any]],
) -> tuple[Expectation, Expectation]:
    """Of the batch, and of one as large taken by expected conductivity alone."""
    threshold = float(np.log10(settings.threshold_S_cm))
    chosen = [pick.index for _, pick, _ in planned]
    rival = greedy_batch(pool.beliefs, len(chosen), np.ones(len(pool.candidates), dtype=bool))
    own = expectation(pool.beliefs, chosen, threshold, pool.best, pool.cost_core_hours)
    # The cells of the batch are known by now; the rival's are not.
    own = replace(own, core_hours=sum(pick["core_hours"] for pick in picks))
    return own, expectation(pool.beliefs, rival, threshold, pool.best, pool.cost_core_hours)


def _pick_facts(
    store: CampaignStore,
    settings: CampaignSettings,
    pool: _Pool,
    candidate: Candidate,
    pick: Pick,
    plan: AimdPlan | RelaxPlan,
) -> dict[str, Any]:
    protocol = settings.protocol
    steps = protocol.n_steps(plan.record.elements) * len(protocol.start_K)
    hours = cost_model(store).core_hours(plan.n_electrons, plan.record.volume_A3, steps)
    return {
        "candidate": candidate.id,
        "formula": candidate.formula,
        "reason": pick.reason,
        "score": float(pick.score),
        "log10_sigma_300K": float(pool.beliefs.mean[pick.index]),
        "sd": float(pool.beliefs.sd[pick.index]),
        "domain_distance": float(pool.beliefs.domain_distance[pick.index]),
        "core_hours": hours,
        "n_atoms": plan.record.n_sites,
        "cells": list(plan.alternatives),
    }


def _belief_text(pool: _Pool, pick: Pick) -> str:
    mean, sd = pool.beliefs.mean[pick.index], pool.beliefs.sd[pick.index]
    return f"log10 σ(300 K) {mean:.2f} ± {sd:.2f}"


def campaign_labels(results: Sequence[Result], with_demonstration: bool = False) -> pd.DataFrame:
    """Labels that came back, as a table; those of a demonstration only if asked for."""
    rows = [
        r.label
        for r in results
        if r.label and (with_demonstration or r.label.get("grade") != "demonstration")
    ]
    table = pd.DataFrame(rows)
    for column in {"value", "lower", "upper", "error_log10"} & set(table):
        table[column] = pd.to_numeric(table[column])
    return table


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What ``retrain`` came to.

    Parameters
    ----------
    model_id : int
    new : bool
        False: no result was new, the model before is kept.
    n_labels, n_campaign_labels, n_results : int
        Labels trained on, those of this campaign among them, and the campaign's results.
    held_out, held_out_before : mapping or None
        Held-out scores of this model and of the one before.
    """

    model_id: int
    new: bool
    n_labels: int
    n_campaign_labels: int
    n_results: int
    held_out: Mapping[str, Any] | None = None
    held_out_before: Mapping[str, Any] | None = None


def retrain(folder: str | Path, with_demonstration: bool = False) -> Retraining:
    """Train on the embedded labels and those that came back; nothing if no result is new."""
    store, _ = open_campaign(folder)
    with store, store.exclusive():
        results = store.results()
        own = campaign_labels(results, with_demonstration)
        digest = hashlib.sha256(
            to_json([asdict(r) for r in results]).encode() + str(with_demonstration).encode()
        ).hexdigest()
        last = store.models()[-1]
        if last.labels_sha256 == digest or (last.id == 0 and not results):
            details: dict[str, Any] = last.details
            return Retraining(
                model_id=last.id,
                new=False,
                n_labels=details.get("n_labels", 0),
                n_campaign_labels=details.get("n_campaign_labels", 0),
                n_results=details.get("n_results", 0),
                held_out=details.get("held_out"),
            )
        labels, features = _training_tables(store, own)
        model = load_model(store.folder / last.folder).unfitted().fit(features, labels)
        where = f"models/{last.id + 1:03d}"
        _save_whole(model, inside(store.folder, where))
        details = {
            "n_labels": len(labels),
            "n_campaign_labels": len(own),
            "n_results": len(results),
            "held_out": model.evaluation_,
        }
        with store.transaction() as t:
            number = t.add_model(where, digest, details)
        before = last.details.get("held_out")
        return Retraining(model_id=number, new=True, held_out_before=before, **details)


def _training_tables(store: CampaignStore, own: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    columns, folder = numeric_columns(), store.folder
    labels = campaign_table(folder, TRAINING_LABELS)
    # With evidence of another kind, predicted out of fold, beside the catalogue's columns.
    features = campaign_table(folder, TRAINING_FEATURES, columns=columns)
    if own.empty:
        return labels, features
    candidates = campaign_features(store, columns)
    known = candidates.loc[sorted(set(own["structure_id"]))]
    # Columns that are empty throughout would change the type of the table's own.
    merged = pd.concat([labels, own.dropna(axis=1, how="all")], ignore_index=True)
    return merged, pd.concat([features, known])


def _save_whole(model: StructureModel, target: Path) -> None:
    """Write beside and rename; what a killed run left under the name is replaced."""
    staging = target.parent / f".{target.name}.making"
    shutil.rmtree(staging, ignore_errors=True)
    save_model(model, staging)
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)


def stop(folder: str | Path, reason: str, undo: bool = False) -> None:
    """End a campaign, or open it again: no new batch is proposed while it is stopped."""
    store, _ = open_campaign(folder)
    with store, store.transaction() as t:
        t.add_settings({"stopped": None if undo else {"utc": utc_now(), "reason": reason}})
        t.note("reopened" if undo else "stopped", "campaign", {"reason": reason})


def _refuse_if_stopped(store: CampaignStore) -> None:
    stopped = store.settings().get("stopped")
    if stopped:
        raise InputError(
            f"the campaign was stopped ({stopped['reason']}); 'ionsieve campaign stop --undo' "
            "opens it again"
        )
