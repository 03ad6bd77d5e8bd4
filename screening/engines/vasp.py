"""VASP inputs of a run or a relaxation, by pymatgen. No POTCAR is ever written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ...data.atomic import write_text_atomic
from ...data.elements import ATOMIC_NUMBER
from ...data.errors import InputError
from ..jobs.plan import AimdPlan, Plan, RelaxPlan
from .exits import STOP
from .inputs import structure_of

PLANNED_TAGS: Final[frozenset[str]] = frozenset(
    {
        "IBRION", "ISIF", "MAGMOM", "MDALGO", "NBLOCK", "NSW", "POTIM", "SMASS", "TEBEG", "TEEND",
    }
)  # fmt: skip
"""INCAR tags that say what the plan says; restarts and readers rely on them."""
_REAL_SPACE_ATOMS: Final[int] = 30
"""Projection in real space (LREAL) pays from about this size on; in small cells it costs accuracy
and no time is saved."""


def vasp_incar(plan: Plan) -> dict[str, Any]:
    """INCAR tags of the job; engine settings named like tags override.

    Engine settings: ``cutoff_eV`` (400; a relaxation has its own), ``smearing_eV`` (0.05),
    ``max_scf_steps`` (100), ``mixing`` (VASP's default), and INCAR tags in capitals.

    Raises
    ------
    InputError
        If a setting is a tag that the plan decides (:data:`PLANNED_TAGS`).
    """
    own = {k: v for k, v in plan.engine_settings.items() if k.isupper()}
    taken = sorted(PLANNED_TAGS & own.keys())
    if taken:
        raise InputError(
            f"engine_settings: {', '.join(taken)} follows from the plan; change the protocol"
        )
    if isinstance(plan, RelaxPlan):
        # A cut-off of the user's that is larger still counts.
        larger = {"ENCUT": max(plan.settings.cutoff_eV, float(own.get("ENCUT", 0.0)))}
        return _electrons(plan) | _ions(plan) | own | larger
    return _electrons(plan) | _dynamics(plan) | own


def _electrons(plan: Plan) -> dict[str, Any]:
    own = plan.engine_settings
    n_atoms = plan.record.n_sites
    tags: dict[str, Any] = {
        "SYSTEM": plan.record.id,
        "ALGO": "Fast",
        "PREC": "Normal",
        "ENCUT": own.get("cutoff_eV", 400.0),
        "EDIFF": float(f"{1e-5 * own.get('convergence_factor', 1.0):.3g}"),
        "NELM": own.get("max_scf_steps", 100),
        "NELMIN": 4,
        "ISMEAR": 0,
        "SIGMA": own.get("smearing_eV", 0.05),
        "ISPIN": 2 if plan.spin_polarised else 1,
        "LREAL": "Auto" if n_atoms >= _REAL_SPACE_ATOMS else False,
        "LWAVE": False,
        "LCHARG": False,
        "MAXMIX": 40,
    }
    if any(_has_d_or_f(e) for e in plan.record.elements):
        # Non-spherical terms inside the spheres matter for open d and f shells.
        tags["LASPH"] = True
    if plan.spin_polarised:
        tags["MAGMOM"] = list(plan.moments)
    if "mixing" in own:
        tags["AMIX"] = own["mixing"]
    return tags


def _has_d_or_f(element: str) -> bool:
    z = ATOMIC_NUMBER[element]
    return 21 <= z <= 30 or 39 <= z <= 48 or 57 <= z <= 80


def _dynamics(plan: AimdPlan) -> dict[str, Any]:
    return {
        "IBRION": 0,
        "ISIF": 2,
        # Symmetrised forces would keep atoms on symmetry elements that heat takes them off.
        "ISYM": 0,
        "MDALGO": 2,
        "SMASS": 0,
        "NSW": plan.n_steps,
        "POTIM": plan.time_step_fs,
        # Every step in XDATCAR: a run cut off anywhere goes on without a hole between frames.
        "NBLOCK": 1,
        "TEBEG": plan.temperature_K,
        "TEEND": plan.temperature_K,
    }


def _ions(plan: RelaxPlan) -> dict[str, Any]:
    settings = plan.settings
    return {
        "PREC": "Accurate",
        "ALGO": "Normal",
        "EDIFF": settings.scf_eV,
        "EDIFFG": -settings.force_eV_A,
        "IBRION": 2,
        "ISIF": 3,
        "NSW": plan.n_steps,
        # Forces at this accuracy need projection in reciprocal space.
        "LREAL": False,
    }


def write_vasp(plan: Plan, folder: Path) -> None:
    """INCAR, KPOINTS, POSCAR and POTCAR.spec: the names of the data sets, one a line.

    The POSCAR of a run that has begun stays: it holds the positions to go on from.
    """
    from pymatgen.io.vasp import Incar, Kpoints, Poscar

    poscar = Poscar(structure_of(plan.record), comment=plan.record.id)
    symbols = _potcar_symbols(poscar.site_symbols)
    (folder / STOP).unlink(missing_ok=True)
    write_text_atomic(folder / "INCAR", str(Incar(vasp_incar(plan))) + "\n")
    write_text_atomic(folder / "KPOINTS", str(Kpoints.gamma_automatic(plan.k_points)) + "\n")
    if not any(folder.glob("segment.*")):
        write_text_atomic(folder / "POSCAR", poscar.get_str(significant_figures=10))
    write_text_atomic(folder / "POTCAR.spec", "".join(f"{s}\n" for s in symbols))


def _potcar_symbols(elements: list[str]) -> list[str]:
    """Data sets that pymatgen's MIT molecular-dynamics set names."""
    from pymatgen.io.vasp.sets import MITRelaxSet

    known = MITRelaxSet.CONFIG["POTCAR"]
    missing = [e for e in elements if e not in known]
    if missing:
        raise InputError(f"no PBE data set is named for {', '.join(missing)}")
    return [known[e] if isinstance(known[e], str) else known[e]["symbol"] for e in elements]
