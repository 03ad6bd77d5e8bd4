"""What an AIMD run costs, before it is run and after the first ones have finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..jobs.electrons import valence_electrons
from ..jobs.protocol import ProtocolSettings

Measured = tuple[str, float, float, float]
MEASURED: Final[dict[str, tuple[Measured, ...]]] = {
    "gpaw": (
        ("LiF, 8 atoms", 40.0, 65.5, 0.6),
        ("Li2S, 12 atoms", 48.0, 187.1, 2.0),
        ("Li2S, 12 atoms, 400 steps", 48.0, 187.1, 1.57),
        ("Li3N, 32 atoms", 112.0, 350.0, 6.6),
        ("Li6PS5Cl, 52 atoms", 240.0, 958.0, 37.0),
    ),
    "cp2k": (
        ("Li2S, 12 atoms", 48.0, 187.1, 9.5),
        ("Li6PS5Cl, 52 atoms", 240.0, 958.0, 75.0),
    ),
}
"""Name, valence electrons, volume (Å³), core seconds a step; Γ, one core. GPAW with plane waves to
300 eV; CP2K 2023.1 at 300 Ry, whose Li2S took 7 to 12 s."""


@dataclass(frozen=True)
class CostLine:
    """log10 of core seconds a step against log10 of electrons times volume (Å³).

    Parameters
    ----------
    log10_prefactor : float
        At N V = 1 Å³.
    exponent : float
    """

    log10_prefactor: float
    exponent: float


GPAW_COST: Final = CostLine(-3.387, 0.921)
CP2K_COST: Final = CostLine(-1.541, 0.637)
"""Least squares over :data:`MEASURED`. Each of GPAW's cells is predicted from the others within
17 %. That says nothing of larger cells, which tend to the square, nor of another machine, which may
be several times faster or slower: a line is given half a decade, and the campaign's own finished
jobs soon outweigh it."""
UNKNOWN_COST: Final = GPAW_COST
"""Of engines that were not measured: plane waves like GPAW's."""
_PRIOR_SD: Final = (0.5, 0.15)
_NOISE_SD: Final[float] = 0.1


@dataclass(frozen=True)
class CostModel:
    """Core seconds a step as a power law of electrons times volume.

    Parameters
    ----------
    log10_prefactor : float
        log10 of core seconds a step at N V = 1 Å³.
    exponent : float
    n_jobs : int
        Finished jobs it was calibrated on.
    """

    log10_prefactor: float = GPAW_COST.log10_prefactor
    exponent: float = GPAW_COST.exponent
    n_jobs: int = 0

    def core_hours(self, n_electrons: float, volume_A3: float, n_steps: int) -> float:
        """Cost of a run.

        Parameters
        ----------
        n_electrons : float
            Valence electrons of the cell.
        volume_A3 : float
            Cell volume, Å³.
        n_steps : int
            MD steps.

        Returns
        -------
        float
            Core hours.
        """
        size = np.log10(n_electrons * volume_A3)
        return float(10.0 ** (self.log10_prefactor + self.exponent * size)) * n_steps / 3600.0


@dataclass(frozen=True, kw_only=True)
class RunSize:
    """What the cost of the first run of a candidate hangs on.

    Parameters
    ----------
    n_electrons : float
        Valence electrons of the simulation cell.
    volume_A3 : float
        Its volume, Å³.
    n_steps : int
        MD steps at all starting temperatures together.
    """

    n_electrons: float
    volume_A3: float
    n_steps: int


def estimated_size(
    composition: Mapping[str, float], volume_A3: float, protocol: ProtocolSettings
) -> RunSize:
    """Size of a run before its simulation cell is made: whole cells filling 0.8 of the target cube.

    Parameters
    ----------
    composition : mapping
        Atoms of each element in the cell.
    volume_A3 : float
        Cell volume, Å³.
    protocol : ProtocolSettings
    """
    cells = max(1, round(0.8 * protocol.target_A**3 / volume_A3))
    electrons = sum(n * valence_electrons(e) for e, n in composition.items())
    return RunSize(
        n_electrons=float(electrons * cells),
        volume_A3=float(volume_A3 * cells),
        n_steps=protocol.n_steps(composition) * len(protocol.start_K),
    )


def calibrated_cost(
    jobs: Sequence[tuple[float, float, float]], line: CostLine = GPAW_COST
) -> CostModel:
    """Bayesian straight line through log10 cost against log10 size, from the engine's prior.

    Parameters
    ----------
    jobs : sequence of (n_electrons, volume_A3, core_seconds_per_step)
        Finished jobs of one engine on one machine.
    line : CostLine
        The engine's, before any job has finished.
    """
    prior = np.array([line.log10_prefactor, line.exponent])
    if not jobs:
        return CostModel(float(prior[0]), float(prior[1]))
    electrons, volume, seconds = np.array(jobs, dtype=np.float64).T
    design = np.column_stack([np.ones(len(jobs)), np.log10(electrons * volume)])
    precision = np.diag(1.0 / np.square(_PRIOR_SD)) + design.T @ design / _NOISE_SD**2
    right = prior / np.square(_PRIOR_SD) + design.T @ np.log10(seconds) / _NOISE_SD**2
    found = np.linalg.solve(precision, right)
    return CostModel(float(found[0]), float(found[1]), len(jobs))
