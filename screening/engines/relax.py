"""Relaxation of ions and cell with an ASE calculator; goes on from its last step after a kill.

One file, replaced atomically after every ionic step, is the only truth. The optimiser's memory is
not kept: a relaxation that goes on starts a new one from where the atoms are.
"""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...data.atomic import file_lock, write_bytes_atomic
from ...data.errors import TrajectoryError
from ...data.records import FloatArray
from ..jobs.plan import RelaxPlan
from .engine import Relaxed
from .inputs import atoms_of
from .md import EV_A3_GPA, FAILED, LOCK, keep_failure, read_arrays

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

RELAXED: Final[str] = "relaxed.npz"
_NEVER: Final[float] = 1e-9


def run_relaxation(plan: RelaxPlan, calculator: Calculator, folder: Path) -> bool:
    """Relax, or go on, until forces and stress are below the plan's limits or the steps are spent.

    BFGS on ions and the logarithm of the deformation (ASE's ``FrechetCellFilter``).

    Returns
    -------
    bool
        False if another process is running this job; nothing was done then.
    """
    with file_lock(folder / LOCK, wait=False) as mine:
        if not mine:
            return False
        (folder / FAILED).unlink(missing_ok=True)
        with keep_failure(folder):
            _relax(plan, calculator, folder)
    return True


def _relax(plan: RelaxPlan, calculator: Calculator, folder: Path) -> None:
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = atoms_of(plan)
    before = _state(folder)
    if before is not None:
        atoms.set_cell(before["lattice_A"], scale_atoms=False)
        atoms.set_positions(before["positions_A"])
    atoms.calc = calculator
    done = 0 if before is None else int(before["n_steps"])
    spent = 0.0 if before is None else float(before["core_seconds"])
    started = time.process_time() - spent
    optimiser = BFGS(FrechetCellFilter(atoms), logfile=None)
    # The optimiser's own limit is one number for forces and stress: it is never reached.
    for _ in optimiser.irun(fmax=_NEVER, steps=max(0, plan.n_steps - done)):
        force, stress = _residuals(atoms)
        converged = (
            force <= plan.settings.force_eV_A
            and float(np.abs(stress).max()) <= plan.settings.stress_GPa
        )
        _write(folder, atoms, done, force, stress, converged, time.process_time() - started)
        if converged:
            return
        done += 1


def _residuals(atoms: Atoms) -> tuple[float, FloatArray]:
    """Largest force, eV/Å, and the stress, GPa (6,)."""
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    return force, np.asarray(atoms.get_stress(voigt=True)) * EV_A3_GPA


def _write(
    folder: Path,
    atoms: Atoms,
    n_steps: int,
    force: float,
    stress: FloatArray,
    converged: bool,
    core_seconds: float,
) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        lattice_A=np.asarray(atoms.cell),
        positions_A=atoms.get_positions(),
        n_steps=n_steps,
        energy_eV=atoms.get_potential_energy(),
        max_force_eV_A=force,
        stress_GPa=stress,
        converged=converged,
        core_seconds=core_seconds,
    )
    write_bytes_atomic(folder / RELAXED, buffer.getvalue())


def _state(folder: Path) -> dict[str, Any] | None:
    return read_arrays(folder / RELAXED)


def read_relaxation(plan: RelaxPlan, folder: Path) -> Relaxed:
    """Read where a relaxation has come to.

    Raises
    ------
    TrajectoryError
        If it has not made its first step.
    """
    state = _state(folder)
    if state is None:
        raise TrajectoryError(f"{folder / RELAXED}: no geometry yet")
    lattice = np.asarray(state["lattice_A"])
    frac = np.asarray(state["positions_A"]) @ np.linalg.inv(lattice)
    return Relaxed(
        record=replace(plan.record, lattice=lattice, frac=frac),
        converged=bool(state["converged"]),
        n_steps=int(state["n_steps"]),
        energy_eV=float(state["energy_eV"]),
        # Stress is positive under tension, pressure under compression.
        pressure_GPa=-float(np.mean(state["stress_GPa"][:3])),
        max_force_eV_A=float(state["max_force_eV_A"]),
        core_seconds=float(state["core_seconds"]),
    )
