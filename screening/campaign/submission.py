"""Handing jobs over: array scripts, a scheduler's command, or runs here one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...data.errors import InputError, TrajectoryError
from ...data.trajectories.readers import told_as_one_line
from ..jobs.plan import plan_from_dict
from .access import open_campaign
from .collection import Collection, settle_ended
from .early import watch
from .folders import (
    JOB_SCRIPT,
    array_folder,
    engine_of,
    is_running,
    write_array_scripts,
    write_job_folders,
)
from .handover import check_handover
from .records import RUN_HERE, Job
from .rows import inside
from .settings import CampaignSettings
from .store import CampaignStore

HANDING_OVER: Final[str] = "handing over"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What ``submit`` came to.

    Parameters
    ----------
    scripts : tuple of str
        Array scripts, relative to the campaign; none where jobs are run here.
    ready : tuple of str
        Jobs that could be handed over.
    ran : mapping
        Jobs that were run here → exit status.
    failed, blocked, interrupted : mapping
        Of those, job → reason, as recorded.
    running : tuple of str
        Jobs left alone because a process on this machine runs them.
    """

    scripts: tuple[str, ...]
    ready: tuple[str, ...]
    ran: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    interrupted: Mapping[str, str] = field(default_factory=dict)
    running: tuple[str, ...] = ()


def submit(
    folder: str | Path,
    run: bool = False,
    command: str | None = None,
    limit: int | None = None,
    again: bool = False,
) -> Submission:
    """Hand jobs over: run them here, or write array scripts for a scheduler, and call it.

    Parameters
    ----------
    folder : path
        Campaign folder.
    run : bool
        Run the jobs here, one after the other; those interrupted before are continued. How each
        ended is recorded at once.
    command : str, optional
        Run for each array script, for instance ``sbatch {script}``.
    limit : int, optional
        With ``run``: at most so many jobs.
    again : bool
        With ``command``: hand over also what was submitted before and has not ended, for instance
        after a walltime limit.

    Raises
    ------
    InputError
        If both ``run`` and ``command`` are given, the command fails, or an engine cannot run here.
    """
    if run and command:
        raise InputError("give --run or --command, not both")
    store, settings = open_campaign(folder)
    with store:
        with store.exclusive():
            write_job_folders(store, settings)
            ready = store.jobs("ready", "blocked")
            for job in ready:
                check_handover(store.folder, job, settings)
            if run:
                _refuse_if_not_here(store, settings)
            # Runs here take no array; one of the jobs left after a kill would be of no use.
            scripts = [] if run else write_array_scripts(store.folder, ready)
            if command:
                _hand_over(store, settings, command, again)
        here = _run_here(store, settings, limit) if run else _RunHere()
    return Submission(
        scripts=tuple(scripts),
        ready=tuple(job.id for job in ready),
        ran=here.ran,
        failed=here.ended.failed,
        blocked=here.ended.blocked,
        interrupted=here.ended.interrupted,
        running=tuple(here.running),
    )


def _refuse_if_not_here(store: CampaignStore, settings: CampaignSettings) -> None:
    """Before any job is touched: an engine that is absent fails none of them."""
    for job in store.jobs("ready", "blocked", "submitted"):
        ready = engine_of(job, settings).ready()
        if not ready.here:
            raise InputError(f"no job was run: {ready.text}")


def _hand_over(store: CampaignStore, settings: CampaignSettings, command: str, again: bool) -> None:
    """Mark first, then call: a kill in between leaves jobs that the next call hands over again.

    Handing over twice is harmless: a job's lock and its end marks let it run once.
    """
    with store.transaction() as t:
        for job in store.jobs("ready", "blocked"):
            t.set_submission(job.id, HANDING_OVER)
            t.move_job(job.id, job.state, "submitted", command=command)
        for job in _not_ended(store, settings) if again else []:
            t.set_submission(job.id, HANDING_OVER)
            t.note("handed over again", job.id, {"command": command})
    pending = [j for j in store.jobs("submitted") if j.submission == HANDING_OVER]
    for job in pending:
        check_handover(store.folder, job, settings)
    kind = "pbs" if re.search(r"\bqsub\b", command) else "slurm"
    write_array_scripts(store.folder, pending)
    for number in sorted({job.round for job in pending}):
        own = [job.id for job in pending if job.round == number]
        _call(store, command, number, own, f"{kind}.sh")


def _call(store: CampaignStore, command: str, number: int, own: Sequence[str], script: str) -> None:
    line = command.replace("{script}", script)
    where = store.folder / array_folder(number, own)
    # The command is the user's own, typed into their shell.
    done = subprocess.run(line, shell=True, cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"'{line}' ended with status {done.returncode}: {done.stderr.strip()}")
    with store.transaction() as t:
        for name in own:
            t.set_submission(name, done.stdout.strip() or line)


def _not_ended(store: CampaignStore, settings: CampaignSettings) -> list[Job]:
    return [
        job
        for job in store.jobs("submitted")
        if job.submission != HANDING_OVER
        and not is_running(store.folder / job.folder)
        and not _ended(job, settings, store.folder)
    ]


def _ended(job: Job, settings: CampaignSettings, folder: Path) -> bool:
    where = folder / job.folder
    try:
        with told_as_one_line(where):
            progress = engine_of(job, settings).progress(plan_from_dict(job.plan), where)
    except TrajectoryError:
        return False  # the job itself says what it cannot read
    return progress.state in ("finished", "failed")


@dataclass(kw_only=True)
class _RunHere:
    ran: dict[str, int] = field(default_factory=dict)
    ended: Collection = field(default_factory=Collection)
    running: list[str] = field(default_factory=list)


def _run_here(store: CampaignStore, settings: CampaignSettings, limit: int | None) -> _RunHere:
    environment = {**os.environ, "IONSIEVE_PYTHON": sys.executable}
    environment.setdefault("OMP_NUM_THREADS", "1")
    here = _RunHere()
    for job in store.jobs("ready", "blocked", "submitted"):
        if limit is not None and len(here.ran) >= limit:
            break
        folder = inside(store.folder, job.folder)
        if is_running(folder):
            here.running.append(job.id)
            continue
        if _ended(job, settings, store.folder):
            continue
        check_handover(store.folder, job, settings)
        if job.state != "submitted":
            with store.transaction() as t:
                if t.move_job(job.id, job.state, "submitted", command=RUN_HERE):
                    t.set_submission(job.id, RUN_HERE)
        with subprocess.Popen(["sh", JOB_SCRIPT], cwd=folder, env=environment) as process:
            here.ran[job.id] = watch(process, job, engine_of(job, settings), folder, settings)
        with store.exclusive():
            here.ended = here.ended.plus(settle_ended(store, settings, job.id))
    return here
