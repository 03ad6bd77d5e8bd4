"""Quantum ESPRESSO inputs of a run or a relaxation, by ASE. No pseudopotential is ever written."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ...data.atomic import write_text_atomic
from ..jobs.electrons import valence_electrons
from ..jobs.plan import AimdPlan, Plan, RelaxPlan
from .exits import STOP
from .inputs import atoms_of

_RYDBERG_EV: Final[float] = 13.605693122990
_BOHR_A: Final[float] = 0.529177210903
_RYDBERG_TIME_FS: Final[float] = 0.048377686531
"""Rydberg atomic unit of time, 4.8378e-17 s."""
MOMENTS: Final[str] = "moments.txt"
_START: Final[str] = r"(starting_magnetization\((\d+)\) *= *)(\S+)"


def write_espresso(plan: Plan, folder: Path) -> None:
    """``pw.in``; pseudopotential files are named ELEMENT.upf and must be provided.

    pw.x has no Nosé thermostat: stochastic velocity rescaling with a time constant of 100 steps
    (``svr``) gives the same ensemble.

    pw.x reads ``starting_magnetization`` as a share of the valence electrons of the pseudopotential
    in use (all versions take shares below 1; from 7.3 on larger numbers are moments). That number
    is in the file of the pseudopotential: ``moments.txt`` keeps the moments, and the job's script
    divides before it starts pw.x; ``pw.in`` as written here has usual valences.
    """
    from ase.io.espresso import write_espresso_in

    stream = StringIO()
    write_espresso_in(
        stream,
        atoms_of(plan),
        input_data=espresso_input(plan),
        pseudopotentials={e: f"{e}.upf" for e in plan.record.elements},
        kpts=None if plan.k_points == (1, 1, 1) else plan.k_points,
    )
    text = stream.getvalue()
    (folder / STOP).unlink(missing_ok=True)
    write_text_atomic(folder / "pw.in", _shares(text))
    write_text_atomic(folder / MOMENTS, _moments(text))


def _species(text: str) -> list[str]:
    """Pseudopotential file of each species, in the order of their numbers."""
    card = re.search(r"ATOMIC_SPECIES\n(.*?)\n\s*\n", text, re.DOTALL)
    return [line.split()[2] for line in card[1].splitlines()] if card else []


def _moments(text: str) -> str:
    """Lines of species number, file and moment in Bohr magnetons."""
    files = _species(text)
    return "".join(
        f"{number} {files[int(number) - 1]} {float(moment):g}\n"
        for _, number, moment in re.findall(_START, text)
    )


def _shares(text: str) -> str:
    """The input with moments as shares of usual valence electrons."""
    files = _species(text)

    def share(match: re.Match[str]) -> str:
        element = files[int(match[2]) - 1].removesuffix(".upf")
        return f"{match[1]}{float(match[3]) / valence_electrons(element):.6f}"

    return re.sub(_START, share, text)


def espresso_input(plan: Plan) -> dict[str, dict[str, Any]]:
    """Namelists of the pw.x input.

    Engine settings: ``cutoff_eV`` (680; a relaxation takes its own where that is larger),
    ``smearing_eV`` (0.05), ``mixing`` (0.4), ``max_scf_steps`` (100).
    """
    own = plan.engine_settings
    relaxes = isinstance(plan, RelaxPlan)
    threshold = plan.settings.scf_eV / _RYDBERG_EV if isinstance(plan, RelaxPlan) else 1e-7
    electrons = {
        "conv_thr": threshold * own.get("convergence_factor", 1.0),
        "mixing_beta": own.get("mixing", 0.4),
        "electron_maxstep": own.get("max_scf_steps", 100),
    }
    control = {
        "calculation": "vc-relax" if relaxes else "md",
        "nstep": plan.n_steps,
        "prefix": "run",
        "outdir": "./out",
        "pseudo_dir": "./pseudo",
        "tprnfor": True,
        "tstress": True,
    }
    system = _system(plan)
    if isinstance(plan, RelaxPlan):
        return _relaxation(plan, control, system, electrons)
    return _dynamics(plan, control, system, electrons)


Namelist = dict[str, Any]


def _dynamics(
    plan: AimdPlan, control: Namelist, system: Namelist, electrons: Namelist
) -> dict[str, Namelist]:
    ions = {
        "ion_temperature": "svr",
        "tempw": plan.temperature_K,
        "nraise": 100,
        "ion_velocities": "default",
        # Density and orbitals of the next step from those of the last: half the iterations.
        "pot_extrapolation": "second_order",
        "wfc_extrapolation": "second_order",
    }
    control = {**control, "dt": plan.time_step_fs / _RYDBERG_TIME_FS}
    return {"control": control, "system": system, "electrons": electrons, "ions": ions}


def _relaxation(
    plan: RelaxPlan, control: Namelist, system: Namelist, electrons: Namelist
) -> dict[str, Namelist]:
    settings = plan.settings
    control = {
        **control,
        "forc_conv_thr": settings.force_eV_A * _BOHR_A / _RYDBERG_EV,
        "etot_conv_thr": settings.scf_eV * plan.record.n_sites / _RYDBERG_EV,
    }
    cell = {"cell_dynamics": "bfgs", "press_conv_thr": 10.0 * settings.stress_GPa}
    return {
        "control": control,
        "system": system,
        "electrons": electrons,
        "ions": {"ion_dynamics": "bfgs"},
        "cell": cell,
    }


def _system(plan: Plan) -> Namelist:
    own = plan.engine_settings
    cutoff_eV = own.get("cutoff_eV", 680.0)
    if isinstance(plan, RelaxPlan):
        cutoff_eV = max(cutoff_eV, plan.settings.cutoff_eV)
    cutoff = cutoff_eV / _RYDBERG_EV
    return {
        "ecutwfc": round(cutoff, 3),
        "ecutrho": round(8 * cutoff, 3),
        "occupations": "smearing",
        "smearing": "gaussian",
        "degauss": round(own.get("smearing_eV", 0.05) / _RYDBERG_EV, 6),
        "nosym": True,
        "nspin": 2 if plan.spin_polarised else 1,
    }
