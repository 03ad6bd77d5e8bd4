"""Molecular dynamics that may be killed at any moment and goes on where it was.

One checkpoint, replaced atomically, is the only truth: step, positions, momenta and thermostat.
Frames go to an append-only log. After a kill the log may hold a torn line and frames beyond the
checkpoint; reading drops the first and keeps, for each step, the frame written last, which is the
one that the run continued from.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from ...data.atomic import file_lock, write_bytes_atomic, write_json_atomic
from ...data.errors import IonsieveError
from ...data.records import FloatArray
from ..jobs.failures import Cause
from ..jobs.plan import AimdPlan
from .inputs import atoms_of

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from ase.md.nose_hoover_chain import NoseHooverChainNVT

CHECKPOINT: Final[str] = "checkpoint.npz"
FRAMES: Final[str] = "frames.jsonl"
DONE: Final[str] = "done.json"
FAILED: Final[str] = "failed.json"
LOCK: Final[str] = ".lock"
ASK_TO_STOP: Final[str] = "stop"
EV_A3_GPA: Final[float] = 160.21766208
DAMPING_FS: Final[float] = 100.0
_RUNAWAY: Final[float] = 20.0


class RunawayError(IonsieveError):
    """The temperature ran away: a time step too long, or atoms on top of each other."""


_CAUSES: Final[dict[str, Cause]] = {
    "KohnShamConvergenceError": Cause.NOT_CONVERGED,
    "ConvergenceError": Cause.NOT_CONVERGED,
    RunawayError.__name__: Cause.BLEW_UP,
}
"""By the names of exceptions: those of engines are not imported here."""


def run_md(
    plan: AimdPlan, calculator: Calculator, folder: Path, checkpoint_every: int | None = None
) -> bool:
    """Run or go on until ``plan.n_steps``; the same call after a kill continues.

    Parameters
    ----------
    plan : AimdPlan
    calculator : ASE calculator
    folder : path
        Job folder; holds the checkpoint, the frame log and in the end ``done.json`` or
        ``failed.json``.
    checkpoint_every : int, optional
        Steps between checkpoints; by default those between frames.

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
            _run(plan, calculator, folder, checkpoint_every or plan.frame_every)
    return True


@contextmanager
def keep_failure(folder: Path) -> Iterator[None]:
    """Write ``failed.json`` with the cause of whatever is raised inside.

    Whatever an engine raises is this job's failure, not the campaign's.
    """
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        cause = _CAUSES.get(type(error).__name__, Cause.CRASH)
        write_json_atomic(folder / FAILED, {"cause": cause, "reason": reason})
        raise


def _run(plan: AimdPlan, calculator: Calculator, folder: Path, checkpoint_every: int) -> None:
    atoms = atoms_of(plan)
    atoms.calc = calculator
    state = read_checkpoint(folder / CHECKPOINT)
    dynamics = _dynamics(plan, atoms, state)
    step = 0 if state is None else int(state["step"])
    seconds = 0.0 if state is None else float(state["core_seconds"])
    started = time.process_time() - seconds
    with _appending(folder / FRAMES) as log:
        if state is None:
            _write_frame(log, 0, atoms, dynamics)
        while step < plan.n_steps:
            # A run that blows up overflows in the thermostat before it is found out below.
            with np.errstate(over="ignore", invalid="ignore"):
                dynamics.step()
            step += 1
            _check_sane(atoms, plan, step)
            if step % plan.frame_every == 0 or step == plan.n_steps:
                _write_frame(log, step, atoms, dynamics)
            if step % checkpoint_every == 0 or step == plan.n_steps:
                _write_checkpoint(folder, step, atoms, dynamics, time.process_time() - started)
                # Asked to stop: whole files are here now.
                if (folder / ASK_TO_STOP).exists():
                    break
    done = {"n_steps": step, "core_seconds": time.process_time() - started}
    write_json_atomic(folder / DONE, done)


def _dynamics(plan: AimdPlan, atoms: Atoms, state: dict[str, Any] | None) -> NoseHooverChainNVT:
    from ase import units
    from ase.md.nose_hoover_chain import NoseHooverChainNVT

    if state is None:
        atoms.set_momenta(_starting_momenta(atoms.get_masses(), plan.temperature_K, plan.seed))
    else:
        atoms.set_positions(state["positions_A"])
        atoms.set_momenta(state["momenta"])
    dynamics = NoseHooverChainNVT(
        atoms,
        timestep=plan.time_step_fs * units.fs,
        temperature_K=plan.temperature_K,
        tdamp=DAMPING_FS * units.fs,
    )
    if state is not None:
        # ASE has no public way to its thermostat's state; a test watches that restarts are exact.
        dynamics._thermostat._eta[:] = state["eta"]
        dynamics._thermostat._p_eta[:] = state["p_eta"]
    return dynamics


def _starting_momenta(masses_u: FloatArray, temperature_K: float, seed: int) -> FloatArray:
    """Maxwell–Boltzmann momenta without drift, ASE units, shape (n_atoms, 3)."""
    from ase import units

    width = np.sqrt(masses_u * units.kB * temperature_K)[:, None]
    momenta = width * np.random.default_rng(seed).normal(size=(len(masses_u), 3))
    return np.asarray(momenta - masses_u[:, None] * momenta.sum(axis=0) / masses_u.sum())


def _write_checkpoint(
    folder: Path, step: int, atoms: Atoms, dynamics: NoseHooverChainNVT, core_seconds: float
) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        step=step,
        positions_A=atoms.get_positions(),
        momenta=atoms.get_momenta(),
        eta=dynamics._thermostat._eta,
        p_eta=dynamics._thermostat._p_eta,
        core_seconds=core_seconds,
    )
    write_bytes_atomic(folder / CHECKPOINT, buffer.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """State of a run, or None where it has not got to its first checkpoint."""
    return read_arrays(path)


def read_arrays(path: Path) -> dict[str, Any] | None:
    """Arrays of an ``.npz`` by name, never pickled; None where there is no such file."""
    if not path.exists():
        return None
    # NumPy leaves a file that is no archive open.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def _appending(path: Path) -> IO[str]:
    """Open the log for appending; a line torn by a kill is closed off first."""
    torn = False
    if path.exists() and path.stat().st_size:
        with path.open("rb") as tail:
            tail.seek(-1, 2)
            torn = tail.read(1) != b"\n"
    stream = path.open("a", encoding="utf-8")
    if torn:
        stream.write("\n")
    return stream


def _write_frame(log: IO[str], step: int, atoms: Atoms, dynamics: NoseHooverChainNVT) -> None:
    frame = {
        "step": step,
        "energy_eV": float(atoms.get_potential_energy()),
        "temperature_K": float(atoms.get_temperature()),
        "conserved_eV": _conserved(dynamics),
        "pressure_GPa": _pressure(atoms),
        "positions_A": np.round(atoms.get_positions(), 8).tolist(),
    }
    log.write(json.dumps(frame) + "\n")
    log.flush()


def _conserved(dynamics: NoseHooverChainNVT) -> float | None:
    from ase.calculators.calculator import PropertyNotImplementedError

    try:
        return float(dynamics.get_conserved_energy())
    except PropertyNotImplementedError:
        return None


def _pressure(atoms: Atoms) -> float | None:
    """Pressure with the ions' kinetic part, GPa; None where the calculator has no stress.

    A stress costs about as much as the forces, and is asked for at kept frames only.
    """
    from ase.calculators.calculator import PropertyNotImplementedError

    try:
        stress = atoms.get_stress(voigt=True, include_ideal_gas=True)
    except (PropertyNotImplementedError, NotImplementedError):
        return None
    return -float(np.mean(stress[:3])) * EV_A3_GPA


def _check_sane(atoms: Atoms, plan: AimdPlan, step: int) -> None:
    temperature = atoms.get_temperature()
    if not np.isfinite(temperature) or temperature > _RUNAWAY * plan.temperature_K:
        raise RunawayError(f"the run blew up at step {step}: {temperature:.0f} K")


def read_frames(path: Path) -> tuple[FloatArray, list[dict[str, Any]]]:
    """Frames of a log in order of step, torn and repeated ones dropped.

    Returns
    -------
    positions : array (n_frames, n_atoms, 3), Å
        Unwrapped.
    facts : list of dict
        For each frame ``step``, ``energy_eV``, ``temperature_K``, ``conserved_eV`` and
        ``pressure_GPa``.
    """
    frames: dict[int, dict[str, Any]] = {}
    for line in path.read_text("utf-8").split("\n"):
        try:
            frame = json.loads(line)
        except ValueError:
            continue
        if isinstance(frame, dict) and "positions_A" in frame:
            frames[int(frame["step"])] = frame
    ordered = [frames[step] for step in sorted(frames)]
    positions = np.array([frame.pop("positions_A") for frame in ordered], dtype=np.float64)
    return positions, ordered
