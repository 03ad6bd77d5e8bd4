"""Jobs of a campaign: folders, scheduler scripts, running here, collecting results."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ...data.atomic import file_lock, write_json_atomic, write_text_atomic
from ...data.errors import InputError
from ..engines.md import LOCK
from ..engines.md_job import PLAN
from ..engines.registry import Engine, engine
from ..jobs.plan import AimdPlan, NextStep, ProtocolSettings, RunOutcome, next_step, retry_settings
from .labels import Refused, analyse_job
from .records import Job, Result, job_name
from .setup import CampaignSettings
from .store import CampaignStore, Transaction

HANDING_OVER: Final[str] = "handing over"
FINISHED_EARLY: Final[str] = "finished_early"

_JOB_HEAD: Final[str] = """\
#!/bin/sh
# One run. Starting it again continues it; starting it twice at once is harmless.
cd "$(dirname "$0")" || exit 1
"""
_LOCKED: Final[str] = """\
exec 9>.lock
flock -n 9 || { echo "another process is running this job" >&2; exit 0; }
"""


def write_job_folders(store: CampaignStore, settings: CampaignSettings) -> list[str]:
    """Write the folder of every job in state ``proposed``; that makes it ``ready``.

    May be killed and called again: files are replaced whole, what a run left behind stays.
    """
    chosen = engine(settings.engine)
    done = []
    for job in store.jobs("proposed"):
        plan = AimdPlan.from_dict(job.plan)
        folder = store.folder / job.folder
        folder.mkdir(parents=True, exist_ok=True)
        content = {"engine": chosen.name, "job": job.id, "plan": job.plan}
        write_json_atomic(folder / PLAN, content)
        chosen.write_inputs(plan, folder)
        lock = "" if "md_job" in chosen.script(plan) else _LOCKED
        write_text_atomic(folder / "job.sh", _JOB_HEAD + lock + chosen.script(plan))
        with store.transaction() as t:
            t.move_job(job.id, "proposed", "ready")
        done.append(job.id)
    return done


def submit(
    folder: str | Path,
    run: bool = False,
    command: str | None = None,
    limit: int | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """Hand jobs over: write array scripts, and run them here or by a scheduler's command.

    Parameters
    ----------
    folder : path
        Campaign folder.
    run : bool
        Run the jobs here, one after the other; those interrupted before are continued.
    command : str, optional
        Run for each array script, for instance ``sbatch {script}``.
    limit : int, optional
        With ``run``: at most so many jobs.
    again : bool
        With ``command``: hand over also what was submitted before and has not ended, for instance
        after a walltime limit.

    Returns
    -------
    dict
        ``scripts`` and, where jobs were run, ``ran``: id → exit status.

    Raises
    ------
    InputError
        If both ``run`` and ``command`` are given, or the command fails.
    """
    if run and command:
        raise InputError("give --run or --command, not both")
    store, settings = _open(folder)
    with store:
        with store.exclusive():
            write_job_folders(store, settings)
            ready = store.jobs("ready")
            scripts = write_array_scripts(store.folder, ready)
            if command:
                _hand_over(store, settings, command, again)
        ran = _run_here(store, settings, limit) if run else {}
    return {"scripts": scripts, "ready": [j.id for j in ready], "ran": ran}


def write_array_scripts(folder: Path, jobs: Sequence[Job]) -> list[str]:
    """SLURM and PBS array scripts for the jobs of each round, relative to the campaign.

    The folder is named by the jobs in it and never written differently: an array that waits in a
    scheduler's queue finds the list that it was handed over with.
    """
    scripts = []
    for number in sorted({job.round for job in jobs}):
        own = [job.id for job in jobs if job.round == number]
        where = folder / _array_folder(number, own)
        write_text_atomic(where / "jobs.txt", "".join(f"{name}\n" for name in own))
        for scheduler, head in _array_heads(len(own), f"ionsieve-{number:03d}").items():
            write_text_atomic(where / f"{scheduler}.sh", head + _ARRAY_BODY)
            scripts.append(f"{_array_folder(number, own)}/{scheduler}.sh")
    return scripts


def _array_folder(number: int, names: Sequence[str]) -> str:
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    return f"arrays/{number:03d}-{digest}"


_ARRAY_BODY: Final[str] = """\
# Adjust the resources above and load the engine's modules here.
job=$(sed -n "${task}p" jobs.txt)
exec sh "../../jobs/$job/job.sh"
"""


def _array_heads(n_jobs: int, name: str) -> dict[str, str]:
    slurm = (
        f"#!/bin/sh\n#SBATCH --job-name={name}\n#SBATCH --array=1-{n_jobs}\n"
        "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n#SBATCH --time=24:00:00\n"
        'cd "${SLURM_SUBMIT_DIR:-$(dirname "$0")}" || exit 1\ntask=${SLURM_ARRAY_TASK_ID:-1}\n'
    )
    # PBS refuses an array of one.
    array = f"#PBS -J 1-{n_jobs}\n" if n_jobs > 1 else ""
    pbs = (
        f"#!/bin/sh\n#PBS -N {name}\n{array}#PBS -l select=1:ncpus=1\n"
        "#PBS -l walltime=24:00:00\n"
        'cd "${PBS_O_WORKDIR:-$(dirname "$0")}" || exit 1\ntask=${PBS_ARRAY_INDEX:-1}\n'
    )
    return {"slurm": slurm, "pbs": pbs}


def _hand_over(store: CampaignStore, settings: CampaignSettings, command: str, again: bool) -> None:
    """Mark first, then call: a kill in between leaves jobs that the next call hands over again.

    Handing over twice is harmless: a job's lock and its end marks let it run once.
    """
    with store.transaction() as t:
        for job in store.jobs("ready"):
            t.set_submission(job.id, HANDING_OVER)
            t.move_job(job.id, "ready", "submitted", command=command)
        for job in _not_ended(store, settings) if again else []:
            t.set_submission(job.id, HANDING_OVER)
            t.note("handed over again", job.id, {"command": command})
    pending = [j for j in store.jobs("submitted") if j.submission == HANDING_OVER]
    kind = "pbs" if re.search(r"\bqsub\b", command) else "slurm"
    write_array_scripts(store.folder, pending)
    for number in sorted({job.round for job in pending}):
        own = [job.id for job in pending if job.round == number]
        where = store.folder / _array_folder(number, own)
        line = command.replace("{script}", f"{kind}.sh")
        # The command is the user's own, typed into their shell.
        done = subprocess.run(line, shell=True, cwd=where, capture_output=True, text=True)
        if done.returncode:
            raise InputError(f"'{line}' ended with status {done.returncode}: {done.stderr.strip()}")
        with store.transaction() as t:
            for name in own:
                t.set_submission(name, done.stdout.strip() or line)


def _not_ended(store: CampaignStore, settings: CampaignSettings) -> list[Job]:
    chosen = engine(settings.engine)
    return [
        job
        for job in store.jobs("submitted")
        if job.submission != HANDING_OVER
        and not is_running(store.folder / job.folder)
        and chosen.progress(AimdPlan.from_dict(job.plan), store.folder / job.folder).state
        in ("waiting", "started")
    ]


def _run_here(
    store: CampaignStore, settings: CampaignSettings, limit: int | None
) -> dict[str, int]:
    chosen = engine(settings.engine)
    environment = {**os.environ, "IONSIEVE_PYTHON": sys.executable}
    environment.setdefault("OMP_NUM_THREADS", "1")
    ran: dict[str, int] = {}
    for job in store.jobs("ready", "submitted"):
        if limit is not None and len(ran) >= limit:
            break
        folder = store.folder / job.folder
        state = chosen.progress(AimdPlan.from_dict(job.plan), folder).state
        if state in ("finished", "failed") or is_running(folder):
            continue
        with store.transaction() as t:
            if t.move_job(job.id, "ready", "submitted", command="run here"):
                t.set_submission(job.id, "run here")
        script = ["sh", "job.sh"]
        ran[job.id] = subprocess.run(script, cwd=folder, env=environment).returncode
    return ran


def is_running(folder: Path) -> bool:
    """True if a process on this machine holds the job's lock."""
    if not (folder / LOCK).exists():
        return False
    with file_lock(folder / LOCK, wait=False) as free:
        return not free


def collect(folder: str | Path, finish: Collection[str] = ()) -> dict[str, Any]:
    """Read what the jobs left: results and failures into the database, follow-ups planned.

    Parameters
    ----------
    folder : path
    finish : collection of str
        Open jobs whose run ends here although it is shorter than planned: what is there counts as
        the whole of it.

    Returns
    -------
    dict
        ``results`` (new or changed, id → verdict), ``failed`` and ``refused`` (id → reason; a
        refused trajectory leaves the job as it was), ``waiting``, ``follow_up`` (candidate → what
        is planned) and ``ready`` (number of jobs to submit).

    Raises
    ------
    InputError
        If a job to finish is not open or has nothing to read.
    """
    store, settings = _open(folder)
    with store, store.exclusive():
        write_job_folders(store, settings)
        names = ("results", "failed", "refused", "follow_up")
        summary: dict[str, Any] = {**{name: {} for name in names}, "waiting": []}
        chosen = engine(settings.engine)
        open_jobs = store.jobs("ready", "submitted")
        _check_finish(finish, open_jobs, store.folder)
        for job in open_jobs:
            _collect_job(store, settings, chosen, job, summary, job.id in finish)
        for candidate_id in sorted({job.candidate_id for job in store.jobs()}):
            step = _follow_up(store, settings, candidate_id)
            if step is not None:
                summary["follow_up"][candidate_id] = str(step)
        write_job_folders(store, settings)
        summary["ready"] = len(store.jobs("ready"))
    return summary


def _check_finish(finish: Collection[str], open_jobs: Sequence[Job], folder: Path) -> None:
    known = {job.id for job in open_jobs}
    if unknown := sorted(set(finish) - known):
        raise InputError(f"{folder}: {unknown[0]} is no open job; 'status' lists those")
    for name in finish:
        if is_running(folder / "jobs" / name):
            raise InputError(f"{folder}: {name} is running; stop it first")


def _collect_job(
    store: CampaignStore,
    settings: CampaignSettings,
    chosen: Engine,
    job: Job,
    summary: dict[str, Any],
    finish: bool,
) -> None:
    plan = AimdPlan.from_dict(job.plan)
    outcome = analyse_job(chosen, job, plan, store.folder / job.folder, settings)
    if finish and not isinstance(outcome, Result):
        raise InputError(f"{job.id}: has no trajectory that could be the whole run")
    if outcome is None:
        summary["waiting"].append(job.id)
    elif isinstance(outcome, Refused):
        summary["refused"][job.id] = outcome.reason
    elif isinstance(outcome, str):
        summary["failed"][job.id] = outcome
        _record_failure(store, job, plan, outcome)
    else:
        if finish:
            details = {**outcome.details, FINISHED_EARLY: True}
            outcome = replace(outcome, complete=True, details=details)
        with store.transaction() as t:
            if t.put_result(outcome):
                summary["results"][job.id] = outcome.verdict
            if outcome.complete:
                t.move_job(job.id, job.state, "done", verdict=outcome.verdict)


def _record_failure(store: CampaignStore, job: Job, plan: AimdPlan, reason: str) -> None:
    changed = retry_settings(reason, plan.engine_settings, job.attempt)
    with store.transaction() as t:
        if not t.move_job(job.id, job.state, "failed", reason):
            return
        if changed is not None:
            again = replace(plan, engine_settings=changed)
            attempt = job.attempt + 1
            name = re.sub(r"(-attempt\d+)?$", f"-attempt{attempt}", job.id, count=1)
            t.add_job(
                replace(
                    job,
                    id=name,
                    attempt=attempt,
                    state="proposed",
                    plan=again.as_dict(),
                    reason=f"attempt {attempt} after: {reason}",
                    submission=None,
                )
            )


def _follow_up(
    store: CampaignStore, settings: CampaignSettings, candidate_id: str
) -> NextStep | None:
    """Plan how a candidate goes on, once all its runs have ended."""
    candidate = next(c for c in store.candidates() if c.id == candidate_id)
    jobs = [job for job in store.jobs() if job.candidate_id == candidate_id]
    if candidate.closed or any(j.state in ("proposed", "ready", "submitted") for j in jobs):
        return None
    results = {r.job_id: r for r in store.results()}
    ended = [j for j in jobs if j.state == "done"]
    with store.transaction() as t:
        if not ended:
            t.close_candidate(candidate_id, "every attempt failed")
            return NextStep("close", "every attempt failed")
        protocol = settings.protocol
        step = next_step([_outcome(j, results[j.id], protocol) for j in ended], protocol)
        _apply(t, step, jobs, ended, results)
    return step


def _outcome(job: Job, result: Result, protocol: ProtocolSettings) -> RunOutcome:
    produced = AimdPlan.from_dict(job.plan).production_ps
    if result.details.get(FINISHED_EARLY):
        # The user has said that there will be no more of it.
        produced = protocol.max_production_ps
    return RunOutcome(job.temperature_K, result.verdict, produced)  # type: ignore[arg-type]


def _apply(
    t: Transaction,
    step: NextStep,
    jobs: Sequence[Job],
    ended: Sequence[Job],
    results: dict[str, Result],
) -> None:
    model = ended[-1]
    plan = AimdPlan.from_dict(model.plan)
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
        name = job_name(model.round, model.candidate_id, temperature, attempt)
        again = replace(plan, temperature_K=temperature).as_dict()
        t.add_job(
            Job(
                name,
                model.candidate_id,
                model.round,
                temperature,
                attempt,
                "proposed",
                again,
                step.reason,
            )
        )


def _open(folder: str | Path) -> tuple[CampaignStore, CampaignSettings]:
    store = CampaignStore(folder)
    return store, CampaignSettings.from_dict(store.settings())
