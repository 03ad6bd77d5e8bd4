"""What an AIMD run costs, before it is run and after the first ones have finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

PRIOR_LOG10_PREFACTOR: Final[float] = -3.317
"""log10 of core seconds a step at N V = 1: least squares over the four runs below."""
PRIOR_EXPONENT: Final[float] = 0.909
"""Γ-point plane-wave MD (GPAW, 300 eV, one core): LiF 40 electrons in 65 Å³ 0.6 s a step, Li2S 48
in 186 Å³ 2.0 s, Li3N 112 in 350 Å³ 6.6 s, Li6PS5Cl 240 in 960 Å³ 37 s. Larger cells tend to the
square of this; calibration on finished jobs corrects it."""
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

    log10_prefactor: float = PRIOR_LOG10_PREFACTOR
    exponent: float = PRIOR_EXPONENT
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


def calibrated_cost(jobs: Sequence[tuple[float, float, float]]) -> CostModel:
    """Bayesian straight line through log10 cost against log10 size, from the prior above.

    Parameters
    ----------
    jobs : sequence of (n_electrons, volume_A3, core_seconds_per_step)
        Finished jobs of one engine on one machine.
    """
    if not jobs:
        return CostModel()
    electrons, volume, seconds = np.array(jobs, dtype=np.float64).T
    design = np.column_stack([np.ones(len(jobs)), np.log10(electrons * volume)])
    prior = np.array([PRIOR_LOG10_PREFACTOR, PRIOR_EXPONENT])
    precision = np.diag(1.0 / np.square(_PRIOR_SD)) + design.T @ design / _NOISE_SD**2
    right = prior / np.square(_PRIOR_SD) + design.T @ np.log10(seconds) / _NOISE_SD**2
    line = np.linalg.solve(precision, right)
    return CostModel(float(line[0]), float(line[1]), len(jobs))
