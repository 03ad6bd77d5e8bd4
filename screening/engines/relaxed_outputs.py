"""Where the relaxations of CP2K, VASP and Quantum ESPRESSO have come to, read from their files."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np

from ...data.errors import TrajectoryError
from ...data.records import FloatArray, StructureRecord
from ..jobs.plan import RelaxPlan
from .engine import Relaxed
from .exits import tail
from .external import parts
from .outputs import HARTREE_EV, cp2k_pressures


def vasp_relaxed(plan: RelaxPlan, folder: Path) -> Relaxed:
    """CONTCAR, with energy and pressure of OUTCAR.

    Raises
    ------
    TrajectoryError
        If there is no whole CONTCAR, or one of other atoms.
    """
    from pymatgen.io.vasp import Poscar

    path = folder / "CONTCAR"
    try:
        structure = Poscar.from_file(path, check_for_potcar=False).structure
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise TrajectoryError(f"{path}: no whole geometry yet ({error})") from None
    text = tail(folder / "OUTCAR", 2_000_000)
    return Relaxed(
        record=_moved(
            plan.record,
            [str(s) for s in structure.species],
            np.asarray(structure.lattice.matrix),
            np.asarray(structure.frac_coords),
            path,
        ),
        converged="reached required accuracy" in text,
        n_steps=sum(vasp_ionic_steps(part) for part in parts(folder)),
        energy_eV=_last(r"energy  without entropy= *\S+ +energy\(sigma->0\) = *(\S+)", text),
        pressure_GPa=_scaled(_last(r"external pressure = *(\S+) kB", text), 0.1),
        core_seconds=_last(r"Total CPU time used \(sec\): *(\S+)", text),
    )


def vasp_ionic_steps(folder: Path) -> int:
    """Ionic steps of one segment."""
    path = folder / "OSZICAR"
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    return len(re.findall(r"\d+ F= ", text))


def espresso_relaxed(plan: RelaxPlan, folder: Path) -> Relaxed:
    """``pw.out``: the last geometry, energy and pressure.

    Raises
    ------
    TrajectoryError
        If no ionic step has been made.
    """
    from ase.io.espresso import read_espresso_out

    outputs = [part / "pw.out" for part in parts(folder) if (part / "pw.out").exists()]
    texts = [path.read_text("utf-8", errors="replace") for path in outputs]
    for text in reversed(texts):
        try:
            images = list(read_espresso_out(StringIO(text), index=slice(None)))
        except (ValueError, IndexError, KeyError, AssertionError):
            images = []
        if images:
            last = images[-1]
            return Relaxed(
                record=_moved(
                    plan.record,
                    last.get_chemical_symbols(),
                    np.asarray(last.cell),
                    last.get_scaled_positions(wrap=False),
                    folder / "pw.out",
                ),
                converged="End final coordinates" in text,
                n_steps=sum(espresso_ionic_steps(part) for part in parts(folder)),
                energy_eV=_scaled(_last(r"^!  +total energy += *(\S+) Ry", text), HARTREE_EV / 2),
                pressure_GPa=_scaled(_last(r"\(kbar\) +P= *(\S+)", text), 0.1),
                core_seconds=_last(r"total cpu time spent up to now is *(\S+) secs", text),
            )
    raise TrajectoryError(f"{folder / 'pw.out'}: no ionic step yet")


def espresso_ionic_steps(folder: Path) -> int:
    """Ionic steps of one segment."""
    path = folder / "pw.out"
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    return len(re.findall(r"^!  +total energy", text, re.MULTILINE))


def cp2k_relaxed(plan: RelaxPlan, folder: Path) -> Relaxed:
    """``run-pos-1.xyz`` with the cell of ``run-1.cell``.

    Raises
    ------
    TrajectoryError
        If no ionic step has been made.
    """
    text = tail(folder / "cp2k.out", 2_000_000)
    for part in reversed(parts(folder)):
        found = _last_cp2k_geometry(part, plan.record.n_sites)
        if found is None:
            continue
        symbols, lattice, positions, energy = found
        pressures = cp2k_pressures(part)
        return Relaxed(
            record=_moved(plan.record, symbols, lattice, positions @ np.linalg.inv(lattice), part),
            converged="OPTIMIZATION COMPLETED" in text,
            n_steps=sum(cp2k_ionic_steps(p) for p in parts(folder)),
            energy_eV=energy * HARTREE_EV,
            pressure_GPa=pressures[max(pressures)] if pressures else None,
            core_seconds=_last(r"^ CP2K  +\d+ +\S+ +\S+ +\S+ +\S+ +(\S+)", text),
        )
    raise TrajectoryError(f"{folder / 'run-pos-1.xyz'}: no ionic step yet")


def cp2k_ionic_steps(folder: Path) -> int:
    """Ionic steps of one segment."""
    path = folder / "run-pos-1.xyz"
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    return len(re.findall(r"^ i = ", text, re.MULTILINE))


def _last_cp2k_geometry(
    folder: Path, n_atoms: int
) -> tuple[list[str], FloatArray, FloatArray, float] | None:
    """Symbols, lattice (Å), positions (Å) and energy (hartree) of the last whole step."""
    xyz, cells = folder / "run-pos-1.xyz", folder / "run-1.cell"
    if not (xyz.exists() and cells.exists()):
        return None
    lattices = {
        int(words[0]): np.array(words[2:11], dtype=np.float64).reshape(3, 3)
        for words in (line.split() for line in cells.read_text("utf-8").splitlines())
        if len(words) == 12 and words[0].isdecimal()
    }
    lines = xyz.read_text("utf-8").splitlines(keepends=True)
    for start in range(len(lines) - n_atoms - 2, -1, -(n_atoms + 2)):
        block = lines[start : start + n_atoms + 2]
        head = re.search(r"i = *(\d+),.*E = *(\S+)", block[1])
        if head is None or not block[-1].endswith("\n") or int(head[1]) not in lattices:
            continue
        rows = [line.split() for line in block[2:]]
        positions = np.array([row[1:4] for row in rows], dtype=np.float64)
        return [row[0] for row in rows], lattices[int(head[1])], positions, float(head[2])
    return None


def _moved(
    record: StructureRecord, symbols: list[str], lattice: FloatArray, frac: FloatArray, path: Path
) -> StructureRecord:
    """The planned cell with another geometry."""
    if symbols != [content[0].element for content in record.species]:
        raise TrajectoryError(f"{path}: its atoms are not those of the plan")
    return replace(record, lattice=lattice, frac=frac)


def _last(pattern: str, text: str) -> float | None:
    found = re.findall(pattern, text, re.MULTILINE)
    return float(found[-1]) if found else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value
