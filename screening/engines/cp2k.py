"""CP2K input of a run or a relaxation: Quickstep, DZVP-MOLOPT-SR-GTH, GTH-PBE, Γ, NVT Nosé."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ...data.atomic import write_text_atomic
from ...data.records import StructureRecord
from ..jobs.electrons import valence_electrons
from ..jobs.plan import AimdPlan, Plan, RelaxPlan
from .exits import STOP

GTH_ELECTRONS: Final[dict[str, int]] = {
    "Ga": 13, "Ge": 4, "As": 5, "In": 13, "Sn": 4, "Zn": 12, "Cd": 12, "Cu": 11, "Ag": 11,
    "Mg": 10, "Mn": 15, "Fe": 16, "Co": 17, "Ni": 18, "V": 13, "Cr": 14, "Ti": 12, "Sc": 11,
    "Y": 11, "Zr": 12, "Nb": 13, "Mo": 14, "Hf": 12, "Ta": 13, "W": 14, "Ca": 10, "Sr": 10,
    "Ba": 10, "K": 9, "Rb": 9, "Cs": 9, "Na": 9, "Pb": 4, "Bi": 5, "Tl": 13, "Hg": 12,
    "Pd": 18, "La": 11,
}  # fmt: skip
"""Electrons in CP2K's GTH-PBE pseudopotentials where they differ from the usual valence."""

Line = str | tuple[str, "Section"]
Section = Sequence[Line]
"""Keyword lines, and named sections of such lines."""


def write_cp2k(plan: Plan, folder: Path) -> None:
    """Write ``cp2k.inp``."""
    (folder / STOP).unlink(missing_ok=True)
    write_text_atomic(folder / "cp2k.inp", cp2k_input(plan))


def cp2k_input(plan: Plan) -> str:
    """Text of the input; the run script turns it into a restart.

    Engine settings: ``cutoff_Ry`` (400, for a relaxation 600), ``eps_scf`` (1e-6),
    ``max_scf_steps`` (25, then orbital transformation starts afresh); ``mixing``, of which it has
    none, chooses its slower and safer minimiser. Orbital transformation samples Γ only, whatever
    mesh the plan would have.
    """
    relaxes = isinstance(plan, RelaxPlan)
    head = (
        "GLOBAL",
        ["PROJECT run", f"RUN_TYPE {'CELL_OPT' if relaxes else 'MD'}", "PRINT_LEVEL LOW"],
    )
    stress = "STRESS_TENSOR ANALYTICAL"
    force = ("FORCE_EVAL", ["METHOD Quickstep", stress, _dft(plan), _subsys(plan)])
    motion: Line = (
        ("MOTION", [_cell_opt(plan), _print(1, "CELL_OPT")])
        if isinstance(plan, RelaxPlan)
        else ("MOTION", [_md(plan), _print(plan.frame_every, "MD")])
    )
    return "\n".join(_lines([head, force, motion])) + "\n"


def _lines(content: Section, depth: int = 0) -> list[str]:
    indent, lines = "  " * depth, []
    for item in content:
        if isinstance(item, str):
            lines.append(indent + item)
            continue
        name, inside = item
        # A section may carry a parameter, which its end does not repeat.
        lines += [f"{indent}&{name}", *_lines(inside, depth + 1), f"{indent}&END {name.split()[0]}"]
    return lines


def _dft(plan: Plan) -> Line:
    own = plan.engine_settings
    spin = ["UKS", f"MULTIPLICITY {1 + round(sum(plan.moments))}"] if plan.spin_polarised else []
    # The stress converges more slowly with the grid than the forces.
    usual = 600 if isinstance(plan, RelaxPlan) else 400
    grid = [f"CUTOFF [Ry] {own.get('cutoff_Ry', usual)}", "REL_CUTOFF [Ry] 50"]
    files = ["BASIS_SET_FILE_NAME BASIS_MOLOPT", "POTENTIAL_FILE_NAME GTH_POTENTIALS"]
    return (
        "DFT",
        [
            *spin,
            *files,
            ("MGRID", grid),
            ("QS", ["EPS_DEFAULT 1.0E-10", "EXTRAPOLATION ASPC", "EXTRAPOLATION_ORDER 3"]),
            ("SCF", _scf(own)),
            ("XC", [("XC_FUNCTIONAL PBE", [])]),
        ],
    )


def _scf(own: Mapping[str, Any]) -> Section:
    threshold = f"EPS_SCF {own.get('eps_scf', 1e-6) * own.get('convergence_factor', 1.0):.1E}"
    # Without an estimate of the gap the preconditioner of a wide-gap crystal converges slowly.
    ot = [
        "PRECONDITIONER FULL_SINGLE_INVERSE",
        "ENERGY_GAP 0.05",
        f"MINIMIZER {'CG' if 'mixing' in own else 'DIIS'}",
    ]
    return [
        "SCF_GUESS ATOMIC",
        threshold,
        f"MAX_SCF {own.get('max_scf_steps', 25)}",
        ("OT", ot),
        ("OUTER_SCF", [threshold, "MAX_SCF 20"]),
    ]


def _subsys(plan: Plan) -> Line:
    record = plan.record
    content: list[Line] = [("CELL", _cell(record)), ("COORD", _coordinates(record))]
    return ("SUBSYS", [*content, *_kinds(plan)])


def _cell(record: StructureRecord) -> list[str]:
    rows = zip("ABC", record.lattice, strict=True)
    return [f"{name} " + " ".join(f"{x:.10f}" for x in row) for name, row in rows]


def _coordinates(record: StructureRecord) -> list[str]:
    positions = record.frac @ record.lattice
    return [
        f"{content[0].element} " + " ".join(f"{x:.10f}" for x in xyz)
        for content, xyz in zip(record.species, positions, strict=True)
    ]


def _kinds(plan: Plan) -> list[Line]:
    moments = {c[0].element: m for c, m in zip(plan.record.species, plan.moments, strict=True) if m}
    kinds: list[Line] = []
    for element in plan.record.elements:
        charge = GTH_ELECTRONS.get(element, valence_electrons(element))
        lines = ["BASIS_SET DZVP-MOLOPT-SR-GTH", f"POTENTIAL GTH-PBE-q{charge}"]
        if element in moments:
            lines.append(f"MAGNETIZATION {moments[element]:g}")
        kinds.append((f"KIND {element}", lines))
    return kinds


def _md(plan: AimdPlan) -> Line:
    thermostat: Line = ("THERMOSTAT", ["TYPE NOSE", ("NOSE", ["TIMECON [fs] 100"])])
    return (
        "MD",
        [
            "ENSEMBLE NVT",
            f"STEPS {plan.n_steps}",
            f"TIMESTEP [fs] {plan.time_step_fs:g}",
            f"TEMPERATURE [K] {plan.temperature_K:g}",
            thermostat,
        ],
    )


def _cell_opt(plan: RelaxPlan) -> Line:
    settings = plan.settings
    return (
        "CELL_OPT",
        [
            "TYPE DIRECT_CELL_OPT",
            "OPTIMIZER BFGS",
            f"MAX_ITER {plan.n_steps}",
            f"MAX_FORCE [eV*angstrom^-1] {settings.force_eV_A:g}",
            f"RMS_FORCE [eV*angstrom^-1] {settings.force_eV_A:g}",
            f"PRESSURE_TOLERANCE [bar] {1e4 * settings.stress_GPa:g}",
            "EXTERNAL_PRESSURE [bar] 0.0",
        ],
    )


def _print(every: int, loop: str) -> Line:
    each = ("EACH", [f"{loop} {every}"])
    return (
        "PRINT",
        [
            ("TRAJECTORY", ["FORMAT XYZ", each]),
            ("CELL", [each]),
            ("STRESS", [each]),
            ("RESTART", ["BACKUP_COPIES 1", each]),
            ("RESTART_HISTORY OFF", []),
        ],
    )
