"""What a run's log says beside positions: the conserved energy, unconverged steps, time spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ...data.trajectories.trajectory import FloatArray, IntArray

WARN_DRIFT_MEV_ATOM_PS: Final[float] = 1.0
FAIL_DRIFT_MEV_ATOM_PS: Final[float] = 10.0
"""Heat that the thermostat has to carry off. At 10 meV an atom and picosecond, a tenth of k_B T at
1000 K each picosecond, forces are not those of the energy any more."""
IGNORED_DRIFT_MEV_ATOM: Final[float] = 5.0
MINIMUM_DRIFT_PS: Final[float] = 0.1
"""One period of the thermostats used here: within it a drift cannot be told from oscillation."""
FAIL_UNCONVERGED: Final[float] = 0.05
"""Share of steps without electronic convergence beyond which a run is not used."""

Grade = Literal["good", "warning", "failed"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunLog:
    """Numbers by MD step.

    Parameters
    ----------
    step : array (n,)
    temperature_K, conserved_eV : array (n,)
        NaN where the engine says nothing; the conserved energy includes the thermostat's.
    n_unconverged : int
        Steps whose electrons did not converge.
    core_seconds : float or None
    pressure_GPa : array (n,), optional
        With the ions' kinetic part; NaN where the engine says nothing.
    part : array (n,), optional
        Number of the segment: a restart may set the zero of the conserved energy anew.
    """

    step: IntArray
    temperature_K: FloatArray
    conserved_eV: FloatArray
    n_unconverged: int = 0
    core_seconds: float | None = None
    pressure_GPa: FloatArray | None = None
    part: IntArray | None = None


@dataclass(frozen=True)
class Drift:
    """Drift of the conserved energy: a straight line through it."""

    meV_atom: float
    meV_atom_ps: float
    duration_ps: float

    @property
    def grade(self) -> Grade:
        """``good`` for less than 1 meV an atom and ps, ``failed`` for more than 10.

        Less than 5 meV an atom in all, or a run of less than 0.1 ps, is never blamed.
        """
        if abs(self.meV_atom) < IGNORED_DRIFT_MEV_ATOM or self.duration_ps < MINIMUM_DRIFT_PS:
            return "good"
        rate = abs(self.meV_atom_ps)
        if rate > FAIL_DRIFT_MEV_ATOM_PS:
            return "failed"
        return "warning" if rate > WARN_DRIFT_MEV_ATOM_PS else "good"

    def __str__(self) -> str:
        return (
            f"the conserved energy drifts by {self.meV_atom:.1f} meV/atom "
            f"({self.meV_atom_ps:.2f} meV/atom/ps)"
        )


def join_logs(logs: Sequence[RunLog]) -> RunLog:
    """One log of the segments of a run; where steps repeat, the later segment counts."""
    kept: list[tuple[int, RunLog, np.ndarray]] = []
    for number, log in enumerate(logs):
        after = [other.step.min() for other in logs[number + 1 :] if len(other.step)]
        kept.append((number, log, log.step < min(after, default=np.inf)))
    spent = [log.core_seconds for log in logs if log.core_seconds is not None]
    return RunLog(
        step=np.concatenate([log.step[mask] for _, log, mask in kept]),
        temperature_K=np.concatenate([log.temperature_K[mask] for _, log, mask in kept]),
        conserved_eV=np.concatenate([log.conserved_eV[mask] for _, log, mask in kept]),
        pressure_GPa=np.concatenate([_pressures(log)[mask] for _, log, mask in kept]),
        n_unconverged=sum(log.n_unconverged for log in logs),
        core_seconds=sum(spent) if spent else None,
        part=np.concatenate([np.full(int(mask.sum()), number) for number, _, mask in kept]),
    )


def _pressures(log: RunLog) -> FloatArray:
    return np.full(len(log.step), np.nan) if log.pressure_GPa is None else log.pressure_GPa


def conserved_drift(log: RunLog, n_atoms: int, time_step_fs: float) -> Drift | None:
    """Least-squares slope of the conserved energy, one offset for each segment.

    A line rather than the difference of two steps: a thermostat of finite step makes the conserved
    energy oscillate.

    Parameters
    ----------
    log : RunLog
    n_atoms : int
    time_step_fs : float
        MD step, fs.

    Returns
    -------
    Drift or None
        None where fewer than two steps of a segment have a conserved energy.
    """
    known = np.isfinite(log.conserved_eV)
    time_ps = log.step[known] * (time_step_fs / 1000.0)
    energy = 1000.0 * log.conserved_eV[known] / n_atoms
    part = np.zeros(len(time_ps), dtype=int) if log.part is None else log.part[known]
    centred_time, centred_energy = time_ps.astype(np.float64), energy.astype(np.float64)
    for number in np.unique(part):
        own = part == number
        centred_time[own] -= time_ps[own].mean()
        centred_energy[own] -= energy[own].mean()
    spread = float(centred_time @ centred_time)
    if spread <= 0.0:
        return None
    rate = float(centred_time @ centred_energy / spread)
    duration = float(np.ptp(time_ps))
    return Drift(rate * duration, rate, duration)
