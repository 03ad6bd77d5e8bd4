"""What a run without a value still says: upper bounds, and the interval of the Haven ratio.

Bounds are calibrated on Brownian walks in one, two and three dimensions. The charge of a cell is a
single walker however many ions carry it, so its mean squared displacement scatters the more, the
fewer dimensions it has.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import stats

from ..trajectories.displacements import Displacements
from ..trajectories.trajectory import FloatArray
from .diffusion import CM2_S_PER_A2_FS, DiffusionFit

CHARGE_WINDOW: Final[tuple[float, float]] = (0.05, 0.20)
"""Lags between which the collective MSD must grow if there is charge diffusion, of the run."""
CHARGE_FACTOR: Final[tuple[float, float, float]] = (8.06, 3.08, 2.19)
"""True growth over the 1 % quantile of what a Brownian charge shows in that window, for one, two
and three dimensions (12,000 walks of 600 steps). One per cent, not five: the verdict that asks for
a bound has already selected the runs that show little."""
FREEDOM_PER_DIMENSION: Final[float] = 1.8
"""Degrees of freedom of the MSD of one Brownian walker at half of its run (the same walks)."""
SELECTED: Final[float] = 0.01
"""Quantile of the hop bound, for the same reason."""


def effective_dimension(positions_A: FloatArray, lag: int) -> float:
    """Effective number of dimensions of the motion, 1 to 3: (tr C)² / tr C² of displacements.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
    lag : int
        Frames.
    """
    step = max(1, lag // 8)
    moved = (positions_A[lag::step] - positions_A[:-lag:step]).reshape(-1, 3)
    covariance = moved.T @ moved
    square = float(np.trace(covariance @ covariance))
    return float(np.trace(covariance) ** 2 / square) if square > 0 else 3.0


def charge_bound(
    collective_A2: FloatArray, n_mobile: int, site_distance_A: float, dimension: float = 3.0
) -> float:
    """95 % bound on the charge diffusivity, Å² a frame, from the growth of the collective MSD.

    Parameters
    ----------
    collective_A2 : array (n_frames,), Å²
    n_mobile : int
    site_distance_A : float
    dimension : float
        Of the motion, 1 to 3.

    Returns
    -------
    float
        Bound on the long-time slope over six. Three uncompensated hops could always have been
        missed (Poisson).
    """
    n = len(collective_A2) - 1
    first, last = (
        min(max(int(CHARGE_WINDOW[0] * n), 1), n),
        min(max(int(CHARGE_WINDOW[1] * n), 2), n),
    )
    noise = 1.645 * float(collective_A2[first : last + 1].std())
    growth = max(float(collective_A2[last] - collective_A2[first]), 0.0) + noise
    factor = math.exp(float(np.interp(dimension, (1.0, 2.0, 3.0), np.log(CHARGE_FACTOR))))
    hidden = growth * factor / (6.0 * max(last - first, 1))
    return max(hidden, 3.0 * site_distance_A**2 / (6.0 * n_mobile * n))


def hop_bound(
    msd_A2: float, lag: int, n_mobile: int, site_distance_A: float, dimension: float = 3.0
) -> float:
    """95 % bound on the tracer diffusivity, Å² a frame, from what moved within half of the run.

    Parameters
    ----------
    msd_A2 : float, Å²
        At half of the run.
    lag : int
        Half of the run, frames.
    n_mobile : int
    site_distance_A : float
    dimension : float
        Of the motion, 1 to 3.

    Returns
    -------
    float
        The larger of a Poisson bound on the hops seen and a χ² bound on the mean squared
        displacement of so few walkers in so few dimensions.
    """
    site2 = site_distance_A**2
    hops = n_mobile * msd_A2 / site2
    most = float(stats.chi2.ppf(0.95, 2.0 * (hops + 1.0))) / 2.0
    freedom = n_mobile * dimension * FREEDOM_PER_DIMENSION
    shared = 2.0 / (2.0 / freedom + 1.0 / max(hops, 1.0))
    widened = hops * shared / float(stats.chi2.ppf(SELECTED, shared))
    return max(most, widened) * site2 / (6.0 * n_mobile * lag)


def haven_interval(
    fit: DiffusionFit, moves: Displacements, collective_A2: FloatArray
) -> tuple[float, float] | None:
    """95 % interval of the Haven ratio D* / D_σ; None where the run is too short for one.

    D_σ is the slope of the collective MSD from the start of the fit window to twice that lag or a
    tenth of the run. The displacement of the whole charge is a single random walk, so the slope
    follows χ²/ν (:func:`charge_freedom`).
    """
    n, spacing_fs = len(collective_A2), moves.frame_spacing_fs
    first = max(round(fit.window_ps[0] * 1000.0 / spacing_fs), 1)
    last = max(n // 10, 2 * first)
    if last > n // 5 or last - first < 3:
        return None
    lags = np.arange(first, last + 1)
    slope = float(np.polyfit(lags, collective_A2[lags], 1)[0])
    charge_cm2_s = slope / 6.0 * CM2_S_PER_A2_FS / spacing_fs
    if charge_cm2_s <= 0:
        return None
    dimension = effective_dimension(moves.positions_A, first)
    freedom = charge_freedom(first, last, n, dimension)
    low, high = (float(q) / freedom for q in stats.chi2.ppf((0.025, 0.975), freedom))
    own = 1.96 * max(e for e in (fit.ion_rel_error, fit.block_rel_error, 0.0) if e is not None)
    ratio = fit.diffusivity_cm2_s / charge_cm2_s
    return (
        ratio * math.exp(-math.hypot(math.log(low), own)),
        ratio * math.exp(math.hypot(math.log(high), own)),
    )


def charge_freedom(first: int, last: int, n_frames: int, dimension: float) -> float:
    """Degrees of freedom ν of the slope of a single walker's MSD between two lags.

    Its variance 2/ν was found by simulating Brownian walks: with x the last lag over the run and f
    the first lag over the last, 2/ν = x (0.55 + f) (1 + x/2), right to a tenth for x ≤ 0.2 and
    f ≤ 0.5 in three dimensions. ν shrinks in proportion where ions move in fewer.
    """
    share, start = last / n_frames, first / last
    return 2.0 / (share * (0.55 + start) * (1.0 + share / 2.0)) * dimension / 3.0
