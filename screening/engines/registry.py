"""The engines by name.

GPAW and potentials run through ASE in this process or on a node. CP2K, VASP and Quantum ESPRESSO
are external programs: their folders are complete but for pseudopotentials, and the command that
runs them is the user's.
"""

from __future__ import annotations

from ...data.errors import InputError
from ..acquisition.cost import CP2K_COST, GPAW_COST
from ..jobs.failures import Cause
from . import outputs, relaxed_outputs, scripts
from .ase_calculators import gpaw_calculator
from .ase_engine import AseEngine
from .cp2k import write_cp2k
from .engine import Engine
from .espresso import write_espresso
from .external import ExternalEngine, Program, Task
from .potentials import POTENTIALS
from .settings import COMMON, SettingNames
from .vasp import write_vasp

_NOT_CONVERGED = "SCF did not converge"

ENGINES: dict[str, Engine] = {
    "gpaw": AseEngine(
        name="gpaw",
        kind="aimd",
        calculator=gpaw_calculator,
        packages=("gpaw",),
        settings=SettingNames(COMMON | {"cutoff_eV", "density_convergence"}),
        cost=GPAW_COST,
        text_output="gpaw.txt",
    ),
    **{name: one.engine() for name, one in POTENTIALS.items()},
    "cp2k": ExternalEngine(
        name="cp2k",
        program=Program(variable="IONSIEVE_CP2K", default="cp2k"),
        md=Task(
            write=write_cp2k,
            lines=scripts.CP2K,
            finished=r"PROGRAM ENDED AT",
            steps=outputs.cp2k_steps,
        ),
        relaxation=Task(
            write=write_cp2k,
            lines=scripts.CP2K_RELAX,
            finished=r"PROGRAM ENDED AT",
            steps=relaxed_outputs.cp2k_ionic_steps,
        ),
        output="cp2k.out",
        frames=outputs.cp2k_frames,
        run_log=outputs.cp2k_log,
        read_relaxed=relaxed_outputs.cp2k_relaxed,
        absolute=True,
        failures=(
            (r"SCF run NOT converged", Cause.NOT_CONVERGED, _NOT_CONVERGED),
            (r"exceeded requested execution time", Cause.SIGNAL, "CP2K's own time limit"),
        ),
        iteration=("cp2k.out", r"^ +(\d+) OT "),
        compared=("cp2k.inp",),
        stop_file=("EXIT", ""),
        settings=SettingNames(COMMON | {"cutoff_Ry", "eps_scf"}),
        cost=CP2K_COST,
    ),
    "vasp": ExternalEngine(
        name="vasp",
        program=Program(
            variable="IONSIEVE_VASP",
            default="vasp_gam",
            provide="POTCAR in each job folder, or IONSIEVE_POTCARS, the folder of the data sets",
        ),
        md=Task(
            write=write_vasp,
            lines=scripts.VASP,
            finished=r"General timing and accounting|Voluntary context switches",
            steps=outputs.vasp_steps,
        ),
        relaxation=Task(
            write=write_vasp,
            lines=scripts.VASP_RELAX,
            finished=r"General timing and accounting|Voluntary context switches",
            steps=relaxed_outputs.vasp_ionic_steps,
        ),
        output="OUTCAR",
        frames=outputs.vasp_frames,
        run_log=outputs.vasp_log,
        read_relaxed=relaxed_outputs.vasp_relaxed,
        absolute=False,
        failures=(
            (
                r"Error EDDDAV|BRMIX: very serious|ZPOTRF|not hermitian",
                Cause.NOT_CONVERGED,
                _NOT_CONVERGED,
            ),
            (
                r"POSMAP internal error|very small distance",
                Cause.BLEW_UP,
                "two atoms came too close",
            ),
        ),
        iteration=("OSZICAR", r"^(?:DAV|RMM|CGA): *(\d+)"),
        compared=("POTCAR.spec",),
        stop_file=("STOPCAR", "LSTOP = .TRUE.\n"),
        settings=SettingNames(COMMON | {"cutoff_eV"}, capitals=True),
    ),
    "espresso": ExternalEngine(
        name="espresso",
        program=Program(
            variable="IONSIEVE_PW",
            default="pw.x",
            provide="pseudo/ELEMENT.upf in each job folder, or IONSIEVE_UPFS, a folder of them",
        ),
        md=Task(
            write=write_espresso,
            lines=scripts.ESPRESSO,
            finished=r"JOB DONE",
            steps=outputs.espresso_steps,
        ),
        relaxation=Task(
            write=write_espresso,
            lines=scripts.ESPRESSO_RELAX,
            finished=r"JOB DONE",
            steps=relaxed_outputs.espresso_ionic_steps,
        ),
        output="pw.out",
        frames=outputs.espresso_frames,
        run_log=outputs.espresso_log,
        read_relaxed=relaxed_outputs.espresso_relaxed,
        absolute=True,
        failures=((r"convergence NOT achieved", Cause.NOT_CONVERGED, _NOT_CONVERGED),),
        iteration=("pw.out", r"iteration # *(\d+)"),
        compared=("pw.in", "moments.txt"),
        stop_file=("out/run.EXIT", ""),
        settings=SettingNames(COMMON | {"cutoff_eV"}),
    ),
}
"""Engines by name; a program may add its own before it opens a campaign."""


def engine(name: str) -> Engine:
    """Look an engine up.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise InputError(f"engine {name!r} is not one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name]
