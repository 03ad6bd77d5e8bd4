"""Collecting: what the jobs left goes into the database, and how each study goes on is planned."""

from __future__ import annotations

import re
from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from ...data.errors import InputError, TrajectoryError
from ...data.trajectories.readers import told_as_one_line
from ..jobs.failures import Failure, retry_settings
from ..jobs.ladder import NextStep, RunOutcome, next_step
from ..jobs.plan import AimdPlan, RelaxPlan, at_temperature, plan_from_dict, relaxed_run
from ..jobs.protocol import BY_ENGINE, ProtocolSettings
from ..jobs.structure_json import record_from_dict
from .access import open_campaign
from .early import stop_what_has_shown_enough
from .folders import engine_of, is_running, write_job_folders
from .labels import FINISHED_EARLY, RefusedTrajectory, analyse_job
from .records import Job, Result, job_name
from .relaxations import FELL_APART, analyse_relaxation
from .settings import CampaignSettings
from .store import CampaignStore, Transaction

OPEN: Final = ("ready", "submitted", "blocked")


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What ``collect`` came to; mappings are by job, ``follow_up`` by candidate.

    Parameters
    ----------
    results : mapping
        New or changed results → verdict.
    failed, blocked, interrupted, refused : mapping
        → reason. Blocked: the machine lacks something; interrupted: goes on when submitted again;
        refused: a trajectory of the user's is not of this job, or what lies there is damaged; the
        job is as it was.
    waiting : tuple of str
        Jobs without output yet.
    stopped_early : mapping
        Running jobs that were asked to end, as they have shown enough → why.
    follow_up : mapping
        → what is planned.
    saved_core_hours : float
        By all runs that ended early, so far.
    ready : int
        Jobs to submit.
    """

    results: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    interrupted: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    stopped_early: Mapping[str, str] = field(default_factory=dict)
    follow_up: Mapping[str, str] = field(default_factory=dict)
    saved_core_hours: float = 0.0
    ready: int = 0

    def plus(self, other: Collection) -> Collection:
        """Both together; what is said twice counts as the other says it."""
        merged: dict[str, Any] = {}
        for each in fields(self):
            own, more = getattr(self, each.name), getattr(other, each.name)
            merged[each.name] = {**own, **more} if isinstance(own, dict) else own + more
        return Collection(**merged)


def collect(folder: str | Path, finish: Names[str] = ()) -> Collection:
    """Read what the jobs left: results and failures into the database, follow-ups planned.

    Running jobs that have shown enough are asked to end (:mod:`.early`).

    Parameters
    ----------
    folder : path
    finish : collection of str
        Open jobs whose run ends here although it is shorter than planned: what is there counts as
        the whole of it.

    Raises
    ------
    InputError
        If a job to finish is not open or has nothing to read.
    """
    store, settings = open_campaign(folder)
    with store, store.exclusive():
        write_job_folders(store, settings)
        open_jobs = store.jobs(*OPEN)
        _check_finish(finish, open_jobs, store.folder)
        found = Collection()
        for job in open_jobs:
            found = found.plus(_collect_job(store, settings, job, job.id in finish))
        steps = {}
        for candidate_id in sorted({job.candidate_id for job in store.jobs()}):
            step = _follow_up(store, settings, candidate_id)
            if step is not None:
                steps[candidate_id] = str(step)
        write_job_folders(store, settings)
        saved = sum(r.details.get("core_hours_saved", 0.0) for r in store.results())
        ready = len(store.jobs("ready", "blocked"))
        return replace(found, follow_up=steps, ready=ready, saved_core_hours=float(saved))


def _check_finish(finish: Names[str], open_jobs: Sequence[Job], folder: Path) -> None:
    known = {job.id for job in open_jobs}
    if unknown := sorted(set(finish) - known):
        raise InputError(f"{folder}: {unknown[0]} is no open job; 'status' lists those")
    for name in finish:
        if is_running(folder / "jobs" / name):
            raise InputError(f"{folder}: {name} is running; stop it first")


def settle_ended(store: CampaignStore, settings: CampaignSettings, job_id: str) -> Collection:
    """Record how a run that has just ended went wrong, if it did; results wait for ``collect``."""
    job = next(job for job in store.jobs() if job.id == job_id)
    if job.state != "submitted":
        return Collection()
    plan, folder = plan_from_dict(job.plan), store.folder / job.folder
    try:
        with told_as_one_line(folder):
            progress = engine_of(job, settings).progress(plan, folder)
    except TrajectoryError as error:
        return Collection(refused={job.id: str(error)})
    return Collection() if progress.failure is None else _settle(store, job, progress.failure)


def _settle(store: CampaignStore, job: Job, failure: Failure) -> Collection:
    """Keep a cause: the machine's faults leave the job open, its own end the attempt."""
    told = {job.id: failure.text}
    if failure.cause.blocks or failure.cause.interrupts:
        event = "blocked" if failure.cause.blocks else "interrupted"
        with store.transaction() as t:
            if failure.cause.blocks:
                if job.state != "blocked":
                    t.move_job(job.id, job.state, "blocked", cause=failure.cause, text=failure.text)
            elif store.last_event(job.id) != (event, failure.text):
                t.note(event, job.id, {"cause": failure.cause, "text": failure.text})
        if failure.cause.blocks:
            return Collection(blocked=told)
        return Collection(interrupted=told)
    _record_failure(store, job, failure)
    return Collection(failed=told)


def _collect_job(
    store: CampaignStore, settings: CampaignSettings, job: Job, finish: bool
) -> Collection:
    plan, chosen, folder = (
        plan_from_dict(job.plan), engine_of(job, settings), store.folder / job.folder
    )  # fmt: skip
    outcome: Result | RefusedTrajectory | Failure | None
    if isinstance(plan, RelaxPlan):
        outcome = analyse_relaxation(chosen, job, plan, store, settings)
    else:
        outcome = analyse_job(chosen, job, plan, folder, settings)
    if finish and not isinstance(outcome, Result):
        raise InputError(f"{job.id}: has no trajectory that could be the whole run")
    if outcome is None:
        return Collection(waiting=(job.id,))
    if isinstance(outcome, RefusedTrajectory):
        return Collection(refused={job.id: outcome.reason})
    if isinstance(outcome, Failure):
        return _settle(store, job, outcome)
    if finish:
        details = {**outcome.details, FINISHED_EARLY: True}
        outcome = replace(outcome, complete=True, details=details)
    with store.transaction() as t:
        new = t.put_result(outcome)
        if outcome.complete:
            t.move_job(job.id, job.state, "done", verdict=outcome.verdict)
    found = Collection(results={job.id: outcome.verdict} if new else {})
    if outcome.complete or isinstance(plan, RelaxPlan):
        return found
    asked = stop_what_has_shown_enough(chosen, plan, folder, outcome, settings)
    progress = chosen.progress(plan, folder)
    if progress.failure is not None and not is_running(folder):
        found = found.plus(_settle(store, job, progress.failure))
    return found.plus(Collection(stopped_early={job.id: asked} if asked else {}))


def _record_failure(store: CampaignStore, job: Job, failure: Failure) -> None:
    plan = plan_from_dict(job.plan)
    changed = retry_settings(failure.cause, plan.engine_settings, job.attempt)
    with store.transaction() as t:
        if not t.move_job(job.id, job.state, "failed", failure.text, cause=failure.cause):
            return
        if changed is not None:
            attempt = job.attempt + 1
            name = re.sub(r"(-attempt\d+)?$", f"-attempt{attempt}", job.id, count=1)
            t.add_job(
                replace(
                    job,
                    id=name,
                    attempt=attempt,
                    state="proposed",
                    plan=replace(plan, engine_settings=changed).as_dict(),
                    reason=f"attempt {attempt} after: {failure.text}",
                    submission=None,
                )
            )


def _follow_up(
    store: CampaignStore, settings: CampaignSettings, candidate_id: str
) -> NextStep | None:
    """Plan how a candidate goes on, once all its jobs have ended."""
    candidate = next(c for c in store.candidates() if c.id == candidate_id)
    jobs = [job for job in store.jobs() if job.candidate_id == candidate_id]
    if candidate.closed or any(j.state not in ("done", "failed") for j in jobs):
        return None
    results = {r.job_id: r for r in store.results()}
    ended = [j for j in jobs if j.state == "done" and not j.relaxes]
    relaxed = [j for j in jobs if j.state == "done" and j.relaxes]
    runs = [j for j in jobs if not j.relaxes]
    with store.transaction() as t:
        if relaxed and not runs:
            return _heat(t, settings, relaxed[-1], results[relaxed[-1].id])
        if not ended:
            what = "every attempt failed" if runs else "every attempt to relax it failed"
            t.close_candidate(candidate_id, what)
            return NextStep("close", what)
        protocol = settings.protocol
        step = next_step([_outcome(j, results[j.id], protocol) for j in ended], protocol)
        _apply(t, step, jobs, ended)
    return step


def _heat(t: Transaction, settings: CampaignSettings, job: Job, result: Result) -> NextStep:
    """The runs of a relaxed candidate, or its end where it fell apart."""
    if result.verdict == FELL_APART:
        reason = f"fell apart when relaxed: {result.details['reason']}"
        t.close_candidate(job.candidate_id, reason)
        return NextStep("close", reason)
    plan = RelaxPlan.from_dict(job.plan)
    record = record_from_dict(result.details["relaxed"])
    by = plan.settings.by
    note = f"relaxed by {settings.engine if by == BY_ENGINE else by}: {result.details['reason']}"
    for temperature in settings.protocol.start_K:
        run = relaxed_run(
            plan, record, temperature, settings.protocol, settings.engine_settings, note
        )
        name = job_name(job.round, job.candidate_id, temperature, 1)
        t.add_job(
            Job(
                id=name,
                candidate_id=job.candidate_id,
                round=job.round,
                temperature_K=temperature,
                attempt=1,
                state="proposed",
                plan=run.as_dict(),
                reason="relaxed",
            )
        )
    return NextStep("add", "relaxed", settings.protocol.start_K[0])


def _outcome(job: Job, result: Result, protocol: ProtocolSettings) -> RunOutcome:
    produced = AimdPlan.from_dict(job.plan).production_ps
    if result.details.get(FINISHED_EARLY):
        # There will be no more of it.
        produced = protocol.max_production_ps
    return RunOutcome(job.temperature_K, result.verdict, produced)  # type: ignore[arg-type]


def _apply(t: Transaction, step: NextStep, jobs: Sequence[Job], ended: Sequence[Job]) -> None:
    model = ended[-1]
    if step.action == "close":
        t.close_candidate(model.candidate_id, step.reason)
    elif step.action == "extend":
        job = next(j for j in ended if j.temperature_K == step.temperature_K)
        own = AimdPlan.from_dict(job.plan)
        total_ps = own.equilibration_ps + float(step.production_ps or 0.0)
        longer = replace(own, n_steps=round(1000.0 * total_ps / own.time_step_fs))
        t.set_plan(job.id, longer.as_dict())
        t.reopen_result(job.id)
        t.move_job(job.id, "done", "proposed", step.reason, n_steps=longer.n_steps)
    else:
        temperature = float(step.temperature_K or 0.0)
        tried = [j.attempt for j in jobs if j.temperature_K == temperature]
        attempt = max(tried, default=0) + 1
        again = at_temperature(AimdPlan.from_dict(model.plan), temperature)
        t.add_job(
            replace(
                model,
                id=job_name(model.round, model.candidate_id, temperature, attempt),
                temperature_K=temperature,
                attempt=attempt,
                state="proposed",
                plan=again.as_dict(),
                reason=step.reason,
                submission=None,
            )
        )


__all__ = ["Collection", "collect", "settle_ended"]
