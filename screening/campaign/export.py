"""Export of waiting jobs as a jobflow Flow, for those who run calculations with workflow managers.

``jobflow``: each job runs the ``job.sh`` of its folder, by whatever engine the campaign has; its
results are then collected as ever. ``atomate2``: VASP molecular dynamics by atomate2's MDMaker with
the campaign's own INCAR; the trajectory is put back by hand as ``trajectory.xml`` or the like.

Both are optional (``pip install 'jobflow>=0.2' 'atomate2>=0.1'``); nothing here reads a Flow.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.atomic import write_text_atomic
from ...data.errors import InputError
from ..engines.ase_calculators import require
from ..engines.inputs import structure_of
from ..engines.vasp import vasp_incar
from ..jobs.plan import AimdPlan
from .access import open_campaign
from .folders import write_job_folders
from .handover import check_handover
from .records import Job

if TYPE_CHECKING:
    from jobflow import Flow

FORMATS: Final = ("jobflow", "atomate2")
_NOT_ATOMATE2: Final[dict[str, Any]] = {
    "GGA": "PE", "LVTOT": False, "LAECHG": False, "LELF": False, "EDIFFG": None
}  # fmt: skip
"""atomate2's defaults are PBEsol, a dense k-mesh and files that MD needs not; the protocol says PBE
and Γ."""


def run_job_script(folder: str) -> dict[str, Any]:
    """Run ``job.sh`` of a job folder; what a Flow's jobs call on the machine that runs them.

    Parameters
    ----------
    folder : str
        Job folder as that machine sees it.

    Returns
    -------
    dict
        ``folder`` and ``exit_status``.

    Raises
    ------
    InputError
        If there is no ``job.sh``, or it ends with another status than 0.
    """
    if not (Path(folder) / "job.sh").is_file():
        raise InputError(f"{folder}: no job.sh here; is the campaign at another place? (--root)")
    status = subprocess.run(["sh", "job.sh"], cwd=folder).returncode
    if status:
        raise InputError(f"{folder}/job.sh ended with status {status}")
    return {"folder": folder, "exit_status": status}


def export_flow(
    folder: str | Path, target: str | Path, form: str = "jobflow", root: str | None = None
) -> dict[str, Any]:
    """Write the jobs that have not ended as one Flow, in monty's JSON.

    Parameters
    ----------
    folder : path
        Campaign folder.
    target : path
        File to write.
    form : {"jobflow", "atomate2"}
    root : str, optional
        Where the campaign folder lies on the machine that runs the Flow; by default where it is.

    Returns
    -------
    dict
        ``file``, ``format`` and ``jobs``, the names of the jobs in it.

    Raises
    ------
    InputError
        If the format is unknown or there is no job to export.
    MissingDependencyError
        If jobflow (and for its format atomate2) is absent or does not start.
    """
    if form not in FORMATS:
        raise InputError(f"--format {form}: give one of {', '.join(FORMATS)}")
    require("jobflow", "jobflow")
    store, settings = open_campaign(folder)
    with store:
        if form == "atomate2" and settings.engine != "vasp":
            raise InputError(f"atomate2 runs VASP; this campaign's engine is {settings.engine}")
        with store.exclusive():
            write_job_folders(store, settings)
            jobs = store.jobs("ready", "submitted")
            for job in jobs:
                check_handover(store.folder, job, settings)
    if not jobs:
        raise InputError(f"{folder}: no job waits; 'ionsieve campaign propose' first")
    from monty.json import MontyEncoder

    base = Path(root) if root else Path(folder).resolve()
    flow = _script_flow(jobs, base) if form == "jobflow" else _atomate2_flow(jobs)
    write_text_atomic(Path(target), json.dumps(flow, cls=MontyEncoder) + "\n")
    return {"file": str(target), "format": form, "jobs": [job.id for job in jobs]}


def _script_flow(jobs: list[Job], base: Path) -> Flow:
    from jobflow import Flow, job

    run = job(run_job_script)
    made = []
    for one in jobs:
        made.append(run(str(base / one.folder)))
        made[-1].name = one.id
    return Flow(made, name="ionsieve campaign")


def _atomate2_flow(jobs: list[Job]) -> Flow:
    require("atomate2", "atomate2.vasp.jobs.md", "atomate2.vasp.sets.core")
    from atomate2.vasp.jobs.md import MDMaker
    from atomate2.vasp.sets.core import MDSetGenerator
    from jobflow import Flow
    from pymatgen.io.vasp import Kpoints

    made = []
    for one in jobs:
        plan = AimdPlan.from_dict(one.plan)
        tags = vasp_incar(plan)
        inputs = MDSetGenerator(
            ensemble="nvt",
            start_temp=plan.temperature_K,
            end_temp=plan.temperature_K,
            nsteps=plan.n_steps,
            time_step=plan.time_step_fs,
            user_kpoints_settings=Kpoints.gamma_automatic((1, 1, 1)),
            # MAGMOM goes with the structure, where atomate2 looks for it.
            user_incar_settings=_NOT_ATOMATE2
            | {k: v for k, v in tags.items() if k not in ("MAGMOM", "SYSTEM")},
        )
        structure = structure_of(plan.record)
        if plan.spin_polarised:
            structure.add_site_property("magmom", list(plan.moments))
        made.append(MDMaker(name=one.id, input_set_generator=inputs).make(structure))
    return Flow(made, name="ionsieve campaign")
