"""Input files of DFT codes for one planned run. No file of a pseudopotential is ever written.

VASP by pymatgen, Quantum ESPRESSO by ASE; CP2K's in :mod:`.cp2k_input`. Functional PBE, Γ only,
NVT with a Nosé(–Hoover) thermostat, symmetry off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.atomic import write_text_atomic
from ...data.convert import to_pymatgen
from ...data.errors import InputError
from ...data.records import StructureRecord
from ..jobs.plan import AimdPlan

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

_RYDBERG_EV: Final[float] = 13.605693122990
PLANNED_TAGS: Final[frozenset[str]] = frozenset(
    {"IBRION", "MDALGO", "NBLOCK", "NSW", "POTIM", "TEBEG", "TEEND", "ISIF", "MAGMOM"}
)
"""INCAR tags that say what the plan says; restarts and readers rely on them."""


def structure_of(record: StructureRecord) -> Structure:
    """Ordered structure without charges, as input writers want it."""
    return to_pymatgen(record)


def atoms_of(plan: AimdPlan) -> Atoms:
    """ASE atoms with starting moments."""
    from ase import Atoms

    record = plan.record
    return Atoms(
        [content[0].element for content in record.species],
        scaled_positions=record.frac,
        cell=record.lattice,
        pbc=True,
        magmoms=plan.moments if plan.spin_polarised else None,
    )


def vasp_incar(plan: AimdPlan, n_steps: int) -> dict[str, Any]:
    """INCAR tags of the run; engine settings named like tags override.

    Engine settings: ``cutoff_eV`` (400), ``smearing_eV`` (0.05), ``max_scf_steps`` (100),
    ``mixing`` (VASP's default), and INCAR tags in capitals.

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
    return _electrons(plan) | _dynamics(plan, n_steps) | own


def _electrons(plan: AimdPlan) -> dict[str, Any]:
    own = plan.engine_settings
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
        "ISYM": 0,
        "ISPIN": 2 if plan.spin_polarised else 1,
        "LREAL": "Auto",
        "LWAVE": False,
        "LCHARG": False,
        "MAXMIX": 40,
    }
    if plan.spin_polarised:
        tags["MAGMOM"] = list(plan.moments)
    if "mixing" in own:
        tags["AMIX"] = own["mixing"]
    return tags


def _dynamics(plan: AimdPlan, n_steps: int) -> dict[str, Any]:
    return {
        "IBRION": 0,
        "ISIF": 2,
        "MDALGO": 2,
        "SMASS": 0,
        "NSW": n_steps,
        "POTIM": plan.time_step_fs,
        # Every step in XDATCAR: a run cut off anywhere goes on without a hole between frames.
        "NBLOCK": 1,
        "TEBEG": plan.temperature_K,
        "TEEND": plan.temperature_K,
    }


def write_vasp(plan: AimdPlan, folder: Path, n_steps: int) -> None:
    """INCAR, KPOINTS, POSCAR and POTCAR.spec: the names of the data sets, one a line.

    The POSCAR of a run that has begun stays: it holds the positions to go on from.
    """
    from pymatgen.io.vasp import Incar, Kpoints, Poscar

    structure = structure_of(plan.record)
    poscar = Poscar(structure, comment=plan.record.id)
    symbols = _potcar_symbols(poscar.site_symbols)
    write_text_atomic(folder / "INCAR", str(Incar(vasp_incar(plan, n_steps))) + "\n")
    write_text_atomic(folder / "KPOINTS", str(Kpoints.gamma_automatic((1, 1, 1))) + "\n")
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


def write_espresso(plan: AimdPlan, folder: Path, n_steps: int) -> None:
    """``pw.in``; pseudopotential files are named ELEMENT.upf and must be provided.

    pw.x has no Nosé thermostat: stochastic velocity rescaling with a time constant of 100 steps
    (``svr``) gives the same ensemble.
    """
    from io import StringIO

    from ase.io.espresso import write_espresso_in

    atoms = atoms_of(plan)
    stream = StringIO()
    write_espresso_in(
        stream,
        atoms,
        input_data=espresso_input(plan, n_steps),
        pseudopotentials={e: f"{e}.upf" for e in plan.record.elements},
        kpts=None,
    )
    write_text_atomic(folder / "pw.in", stream.getvalue())


def espresso_input(plan: AimdPlan, n_steps: int) -> dict[str, dict[str, Any]]:
    """Namelists of the pw.x input.

    Engine settings: ``cutoff_eV`` (680), ``smearing_eV`` (0.05), ``mixing`` (0.4),
    ``max_scf_steps`` (100).
    """
    own = plan.engine_settings
    control = {
        "calculation": "md",
        "nstep": n_steps,
        # Rydberg atomic units of time, 4.8378e-17 s.
        "dt": plan.time_step_fs / 0.048377686531,
        "prefix": "run",
        "outdir": "./out",
        "pseudo_dir": "./pseudo",
        "tprnfor": True,
    }
    electrons = {
        "conv_thr": 1e-7 * own.get("convergence_factor", 1.0),
        "mixing_beta": own.get("mixing", 0.4),
        "electron_maxstep": own.get("max_scf_steps", 100),
    }
    ions = {
        "ion_temperature": "svr",
        "tempw": plan.temperature_K,
        "nraise": 100,
        "ion_velocities": "default",
    }
    return {"control": control, "system": _system(plan), "electrons": electrons, "ions": ions}


def _system(plan: AimdPlan) -> dict[str, Any]:
    cutoff = plan.engine_settings.get("cutoff_eV", 680.0) / _RYDBERG_EV
    smearing = plan.engine_settings.get("smearing_eV", 0.05) / _RYDBERG_EV
    return {
        "ecutwfc": round(cutoff, 3),
        "ecutrho": round(8 * cutoff, 3),
        "occupations": "smearing",
        "smearing": "gaussian",
        "degauss": round(smearing, 6),
        "nosym": True,
        "nspin": 2 if plan.spin_polarised else 1,
    }
