"""What a job folder must be before anything in it runs: scripts of ours, and no way out of it.

A campaign folder may come from a stranger. Its database says what is to be run (:mod:`.rows` and
:func:`.plan_from_dict` look at that); what is run are files beside it. Each of those that a shell
runs, or that names further files, must be what this program would write for the plan. Files of the
user's (POTCAR, pseudopotentials) are only read, and may be links.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from ...data.atomic import write_text_atomic
from ...data.errors import InputError
from ..engines.md_job import PLAN
from ..engines.scripts import job_script
from ..jobs.plan import plan_from_dict
from .folders import JOB_SCRIPT, engine_of, write_plan
from .records import Job
from .rows import inside
from .settings import CampaignSettings

_ONLY_READ: Final = re.compile(r"POTCAR|pseudo/[^/]+")
_SET_BY_THE_SCRIPT: Final = re.compile(r"(starting_magnetization\(\d+\) *= *)[-+0-9.eE]+")
"""The job's script writes these numbers, from the pseudopotential in use."""


def check_handover(folder: Path, job: Job, settings: CampaignSettings) -> None:
    """See that a job's folder holds what this program wrote; what is missing is written again.

    Parameters
    ----------
    folder : path
        Campaign folder.
    job : Job
    settings : CampaignSettings

    Raises
    ------
    InputError
        If a script or an input was changed, or a link leads out of the campaign.
    """
    where = inside(folder, job.folder)
    refuse_links_out(folder, where)
    for name, text in _ours(job, settings).items():
        path = where / name
        if not path.exists():
            write_text_atomic(path, text)
        elif _settled(path.read_bytes()) != _settled(text.encode()):
            raise InputError(
                f"{path}: not as this ionsieve writes it, so it is not run: changed by someone, or "
                "of another version; remove it and it is written anew, or run the job yourself"
            )


def refuse_links_out(folder: Path, where: Path) -> None:
    """Refuse a place in a campaign with links in it that lead out: a job would write through them.

    Raises
    ------
    InputError
        That names the first such link.
    """
    for top, folders, files in os.walk(where):
        for name in sorted((*folders, *files)):
            path = Path(top) / name
            if path.is_symlink() and not _only_read(path, where):
                inside(folder, path.relative_to(folder))


def _only_read(path: Path, where: Path) -> bool:
    """A pseudopotential of the user's that is there; one that is not would be written."""
    named = _ONLY_READ.fullmatch(path.relative_to(where).as_posix()) is not None
    return named and path.is_file() and path.stat().st_size > 0


def _ours(job: Job, settings: CampaignSettings) -> dict[str, str]:
    """Name → text of what is compared."""
    plan = plan_from_dict(job.plan)
    chosen = engine_of(job, settings)
    script = chosen.script(plan)
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        write_plan(fresh, job, chosen.name)
        if script.compared:
            chosen.write_inputs(plan, fresh)
        texts = {path.name: path.read_text("utf-8") for path in fresh.iterdir()}
    own = {name: text for name, text in texts.items() if name in (*script.compared, PLAN)}
    return {**own, JOB_SCRIPT: job_script(script)}


def _settled(content: bytes) -> str:
    return _SET_BY_THE_SCRIPT.sub(r"\1", content.decode("utf-8", errors="replace"))


__all__ = ["check_handover", "refuse_links_out"]
