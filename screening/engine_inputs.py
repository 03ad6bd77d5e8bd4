"""Input files of DFT codes for one planned run. No file of a pseudopotential is ever written.

VASP by pymatgen, Quantum ESPRESSO by ASE; CP2K's are written here. Functional PBE, Γ only, NVT with
a Nosé(–Hoover) thermostat, symmetry off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..data.atomic import write_text_atomic
from ..data.convert import to_pymatgen
from ..data.errors import InputError
from ..data.records import StructureRecord
from .aimd_plan import AimdPlan
from .electrons import valence_electrons

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

_RYDBERG_EV: Final[float] = 13.605693122990
GTH_ELECTRONS: Final[dict[str, int]] = {
    "Ga": 13, "Ge": 4, "As": 5, "In": 13, "Sn": 4, "Zn": 12, "Cd": 12, "Cu": 11, "Ag": 11,
    "Mg": 10, "Mn": 15, "Fe": 16, "Co": 17, "Ni": 18, "V": 13, "Cr": 14, "Ti": 12, "Sc": 11,
    "Y": 11, "Zr": 12, "Nb": 13, "Mo": 14, "Hf": 12, "Ta": 13, "W": 14, "Ca": 10, "Sr": 10,
    "Ba": 10, "K": 9, "Rb": 9, "Cs": 9, "Na": 9, "Pb": 4, "Bi": 5, "Tl": 13, "Hg": 12,
    "Pd": 18, "La": 11,
}  # fmt: skip
"""Electrons in CP2K's GTH-PBE pseudopotentials where they differ from the usual valence."""


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
    """INCAR tags of the run; engine settings named like tags override."""
    tags: dict[str, Any] = {
        "SYSTEM": plan.record.id,
        "ALGO": "Fast",
        "PREC": "Normal",
        "ENCUT": plan.engine_settings.get("cutoff_eV", 400.0),
        "EDIFF": 1e-5,
        "NELM": plan.engine_settings.get("max_scf_steps", 100),
        "NELMIN": 4,
        "ISMEAR": 0,
        "SIGMA": plan.engine_settings.get("smearing_eV", 0.05),
        "ISYM": 0,
        "ISPIN": 2 if plan.spin_polarised else 1,
        "IBRION": 0,
        "ISIF": 2,
        "MDALGO": 2,
        "SMASS": 0,
        "NSW": n_steps,
        "POTIM": plan.time_step_fs,
        "NBLOCK": plan.frame_every,
        "TEBEG": plan.temperature_K,
        "TEEND": plan.temperature_K,
        "LREAL": "Auto",
        "LWAVE": False,
        "LCHARG": False,
        "MAXMIX": 40,
    }
    if plan.spin_polarised:
        tags["MAGMOM"] = list(plan.moments)
    if "mixing" in plan.engine_settings:
        tags["AMIX"] = plan.engine_settings["mixing"]
    return tags | {k: v for k, v in plan.engine_settings.items() if k.isupper()}


def write_vasp(plan: AimdPlan, folder: Path, n_steps: int) -> None:
    """INCAR, KPOINTS, POSCAR and POTCAR.spec: the names of the data sets, one a line."""
    from pymatgen.io.vasp import Incar, Kpoints, Poscar

    structure = structure_of(plan.record)
    poscar = Poscar(structure, comment=plan.record.id)
    write_text_atomic(folder / "INCAR", str(Incar(vasp_incar(plan, n_steps))) + "\n")
    write_text_atomic(folder / "KPOINTS", str(Kpoints.gamma_automatic((1, 1, 1))) + "\n")
    write_text_atomic(folder / "POSCAR", poscar.get_str(significant_figures=10))
    symbols = _potcar_symbols(poscar.site_symbols)
    write_text_atomic(folder / "POTCAR.spec", "".join(f"{s}\n" for s in symbols))


def _potcar_symbols(elements: list[str]) -> list[str]:
    """Data sets that pymatgen's MIT molecular-dynamics set names."""
    from pymatgen.io.vasp.sets import MITRelaxSet

    known = MITRelaxSet.CONFIG["POTCAR"]
    missing = [e for e in elements if e not in known]
    if missing:
        raise InputError(f"no PBE data set is named for {', '.join(missing)}")
    return [known[e] if isinstance(known[e], str) else known[e]["symbol"] for e in elements]


def write_cp2k(plan: AimdPlan, folder: Path, n_steps: int) -> None:
    """``cp2k.inp``: Quickstep, DZVP-MOLOPT-SR-GTH, GTH-PBE, Nosé thermostat."""
    write_text_atomic(folder / "cp2k.inp", cp2k_input(plan, n_steps))


def cp2k_input(plan: AimdPlan, n_steps: int) -> str:
    """Text of the CP2K input; ``restart`` is set by the run script."""
    settings = plan.engine_settings
    multiplicity = 1 + round(sum(plan.moments))
    spin = f"    UKS\n    MULTIPLICITY {multiplicity}\n" if plan.spin_polarised else ""
    cutoff_Ry = settings.get("cutoff_Ry", 400)
    return f"""&GLOBAL
  PROJECT run
  RUN_TYPE MD
  PRINT_LEVEL LOW
&END GLOBAL
&FORCE_EVAL
  METHOD Quickstep
  &DFT
{spin}    BASIS_SET_FILE_NAME BASIS_MOLOPT
    POTENTIAL_FILE_NAME GTH_POTENTIALS
    &MGRID
      CUTOFF [Ry] {cutoff_Ry}
      REL_CUTOFF [Ry] 50
    &END MGRID
    &QS
      EPS_DEFAULT 1.0E-10
      EXTRAPOLATION ASPC
    &END QS
    &SCF
      SCF_GUESS ATOMIC
      EPS_SCF {settings.get("eps_scf", 1e-6):.1E}
      MAX_SCF {settings.get("max_scf_steps", 50)}
      &OT
        PRECONDITIONER FULL_SINGLE_INVERSE
        MINIMIZER DIIS
      &END OT
      &OUTER_SCF
        EPS_SCF {settings.get("eps_scf", 1e-6):.1E}
        MAX_SCF 10
      &END OUTER_SCF
    &END SCF
    &XC
      &XC_FUNCTIONAL PBE
      &END XC_FUNCTIONAL
    &END XC
  &END DFT
  &SUBSYS
    &CELL
{_cp2k_cell(plan.record)}    &END CELL
    &COORD
{_cp2k_coordinates(plan.record)}    &END COORD
{_cp2k_kinds(plan)}  &END SUBSYS
&END FORCE_EVAL
&MOTION
  &MD
    ENSEMBLE NVT
    STEPS {n_steps}
    TIMESTEP [fs] {plan.time_step_fs:g}
    TEMPERATURE [K] {plan.temperature_K:g}
    &THERMOSTAT
      TYPE NOSE
      &NOSE
        TIMECON [fs] 100
      &END NOSE
    &END THERMOSTAT
  &END MD
  &PRINT
    &TRAJECTORY
      FORMAT XYZ
      &EACH
        MD {plan.frame_every}
      &END EACH
    &END TRAJECTORY
    &CELL
      &EACH
        MD {plan.frame_every}
      &END EACH
    &END CELL
    &RESTART
      BACKUP_COPIES 1
      &EACH
        MD {plan.frame_every}
      &END EACH
    &END RESTART
  &END PRINT
&END MOTION
"""


def _cp2k_cell(record: StructureRecord) -> str:
    rows = zip("ABC", record.lattice, strict=True)
    return "".join(f"      {n} " + " ".join(f"{x:.10f}" for x in row) + "\n" for n, row in rows)


def _cp2k_coordinates(record: StructureRecord) -> str:
    positions = record.frac @ record.lattice
    return "".join(
        f"      {content[0].element} " + " ".join(f"{x:.10f}" for x in xyz) + "\n"
        for content, xyz in zip(record.species, positions, strict=True)
    )


def _cp2k_kinds(plan: AimdPlan) -> str:
    moments = {c[0].element: m for c, m in zip(plan.record.species, plan.moments, strict=True) if m}
    blocks = []
    for element in plan.record.elements:
        q = GTH_ELECTRONS.get(element, valence_electrons(element))
        moment = f"      MAGNETIZATION {moments[element]:g}\n" if element in moments else ""
        blocks.append(
            f"    &KIND {element}\n      BASIS_SET DZVP-MOLOPT-SR-GTH\n"
            f"      POTENTIAL GTH-PBE-q{q}\n{moment}    &END KIND\n"
        )
    return "".join(blocks)


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
    """Namelists of the pw.x input."""
    cutoff = plan.engine_settings.get("cutoff_eV", 680.0) / _RYDBERG_EV
    smearing = plan.engine_settings.get("smearing_eV", 0.05) / _RYDBERG_EV
    return {
        "control": {
            "calculation": "md",
            "nstep": n_steps,
            # Rydberg atomic units of time, 4.8378e-17 s.
            "dt": plan.time_step_fs / 0.048377686531,
            "prefix": "run",
            "outdir": "./out",
            "pseudo_dir": "./pseudo",
            "tprnfor": True,
        },
        "system": {
            "ecutwfc": round(cutoff, 3),
            "ecutrho": round(8 * cutoff, 3),
            "occupations": "smearing",
            "smearing": "gaussian",
            "degauss": round(smearing, 6),
            "nosym": True,
            "nspin": 2 if plan.spin_polarised else 1,
        },
        "electrons": {
            "conv_thr": 1e-7,
            "mixing_beta": plan.engine_settings.get("mixing", 0.4),
            "electron_maxstep": plan.engine_settings.get("max_scf_steps", 100),
        },
        "ions": {
            "ion_temperature": "svr",
            "tempw": plan.temperature_K,
            "nraise": 100,
            "ion_velocities": "default",
        },
    }
