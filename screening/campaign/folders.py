"""Job folders and scheduler scripts, made from the database; may be made again at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ...data.atomic import file_lock, remove_leftovers, write_json_atomic, write_text_atomic
from ..engines.engine import Engine
from ..engines.md import LOCK
from ..engines.md_job import PLAN
from ..engines.registry import engine
from ..engines.scripts import START_LOCK, job_script
from ..jobs.plan import plan_from_dict
from .records import Job
from .rows import inside
from .settings import CampaignSettings
from .store import CampaignStore

JOB_SCRIPT: Final[str] = "job.sh"


def engine_of(job: Job, settings: CampaignSettings) -> Engine:
    """The engine that runs a job."""
    return engine(job.engine(settings.engine))


def write_job_folders(store: CampaignStore, settings: CampaignSettings) -> list[str]:
    """Write the folder of every job in state ``proposed``; that makes it ``ready``.

    May be killed and called again: files are replaced whole, what a run left behind stays.
    """
    done = []
    for job in store.jobs("proposed"):
        plan, chosen = plan_from_dict(job.plan), engine_of(job, settings)
        folder = inside(store.folder, job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        write_plan(folder, job, chosen.name)
        chosen.write_inputs(plan, folder)
        write_text_atomic(folder / JOB_SCRIPT, job_script(chosen.script(plan)))
        with store.transaction() as t:
            t.move_job(job.id, "proposed", "ready")
        done.append(job.id)
    return done


def write_plan(folder: Path, job: Job, engine_name: str) -> None:
    """Write what the job's own process reads."""
    content = {"engine": engine_name, "job": job.id, "plan": job.plan}
    write_json_atomic(folder / PLAN, content)


def is_running(folder: Path) -> bool:
    """True if a process on this machine holds the job's lock, or its script does.

    A Python job takes its own lock only after minutes of imports on a slow machine; its script has
    been running since.
    """
    return any(_is_held(folder / name) for name in (LOCK, START_LOCK))


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    with file_lock(lock, wait=False) as free:
        return not free


def write_array_scripts(folder: Path, jobs: Sequence[Job]) -> list[str]:
    """SLURM and PBS array scripts for the jobs of each round, relative to the campaign.

    The folder is named by the jobs in it and never written differently: an array that waits in a
    scheduler's queue finds the list that it was handed over with.
    """
    scripts = []
    for number in sorted({job.round for job in jobs}):
        own = [job.id for job in jobs if job.round == number]
        where = inside(folder, array_folder(number, own))
        remove_leftovers(where)
        write_text_atomic(where / "jobs.txt", "".join(f"{name}\n" for name in own))
        for scheduler, head in _array_heads(len(own), f"ionsieve-{number:03d}").items():
            write_text_atomic(where / f"{scheduler}.sh", head + _ARRAY_BODY)
            scripts.append(f"{array_folder(number, own)}/{scheduler}.sh")
    return scripts


def array_folder(number: int, names: Sequence[str]) -> str:
    """Folder of an array script, relative to the campaign."""
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
        # Two minutes before the limit, so that the job can say why it ended.
        "#SBATCH --signal=B:TERM@120\n"
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
