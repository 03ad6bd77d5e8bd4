"""Tracer and charge diffusivity from mean squared displacements, with errors that can be believed.

The residuals of a straight line through an MSD say nothing about the error of its slope, because
neighbouring lags share the same motion. Errors here come from the spread between ions, between
blocks of time, and from the empirical law of He, Zhu, Epstein & Mo 2018
(10.1038/s41524-018-0074-y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from ..errors import TrajectoryError
from ..trajectories.msd import mean_squared_displacement, msd_of_each_ion
from ..trajectories.trajectory import FloatArray, IntArray

SITE_DISTANCE_A: Final[float] = 3.0
"""Default mean distance between neighbouring sites of the mobile ion, Å (He 2018)."""
CM2_S_PER_A2_FS: Final[float] = 0.1
"""1 Å²/fs in cm²/s."""
_LAGS: Final[int] = 16
_BLOCKS: Final[int] = 5


@dataclass(frozen=True)
class Window:
    """The lags that a straight line is fitted to, both included, in frames."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class DiffusionFit:
    """A tracer diffusivity with the errors found for it."""

    diffusivity_cm2_s: float
    window_ps: tuple[float, float]
    n_eff: float
    """Effective number of hops, N max(MSD) / a²."""
    he_rel_error: float
    ion_rel_error: float | None
    block_rel_error: float | None
    low_cm2_s: float
    """Lower end of the 95 % interval."""
    high_cm2_s: float

    @property
    def rel_error(self) -> float:
        """One standard deviation over the value: the widest of the three estimates."""
        known = (self.he_rel_error, self.ion_rel_error, self.block_rel_error)
        return max(e for e in known if e is not None)

    def rel_errors(self) -> dict[str, float | None]:
        """Return each estimate of the relative error by its name."""
        return {
            "he2018": self.he_rel_error,
            "ions": self.ion_rel_error,
            "blocks": self.block_rel_error,
        }


def effective_hops(
    msd_A2: FloatArray, n_mobile: int, site_distance_A: float = SITE_DISTANCE_A
) -> float:
    """Effective number of ion hops, N max(MSD) / a² (He 2018, eq. 4).

    Parameters
    ----------
    msd_A2 : array (n_lags,), Å²
    n_mobile : int
        Mobile ions in the cell.
    site_distance_A : float
        Mean hop distance a, Å.
    """
    return float(n_mobile * msd_A2.max() / site_distance_A**2)


def he_relative_error(n_eff: float) -> float:
    """Relative standard deviation of D at ``n_eff`` effective hops: 3.43/√N_eff + 0.04 (He 2018).

    Examples
    --------
    >>> round(he_relative_error(100.488), 3)
    0.382
    """
    return 3.43 / math.sqrt(n_eff) + 0.04 if n_eff > 0 else math.inf


def fit_window(msd_A2: FloatArray, site_distance_A: float = SITE_DISTANCE_A) -> Window | None:
    """Lags from MSD ≥ a²/2 to half of the run; None where the MSD rises by less than a²/2 in it.

    Parameters
    ----------
    msd_A2 : array (n_lags,), Å²
        Element k is the MSD at a lag of k frames.
    site_distance_A : float
        Site distance a, Å.
    """
    threshold = 0.5 * site_distance_A**2
    last = (len(msd_A2) - 1) // 2
    above = np.flatnonzero(msd_A2 >= threshold)
    if not len(above) or above[0] + 3 > last:
        return None
    first = max(int(above[0]), 1)
    if msd_A2[last] - msd_A2[first] < threshold:
        return None
    return Window(first, last)


def diffusivity_from_msd(
    lag_fs: FloatArray, msd_A2: FloatArray, n_mobile: int, site_distance_A: float = SITE_DISTANCE_A
) -> DiffusionFit:
    """Diffusivity from an MSD table alone, with the error of He 2018.

    Parameters
    ----------
    lag_fs : array (n_lags,), fs
        Equally spaced lags; lag 0 may be absent.
    msd_A2 : array (n_lags,), Å²
    n_mobile : int
        Mobile ions that were averaged.
    site_distance_A : float
        Site distance a, Å.

    Returns
    -------
    DiffusionFit
        ``ion_rel_error`` and ``block_rel_error`` are None: a table does not hold them.

    Raises
    ------
    TrajectoryError
        If the MSD rises by less than a²/2 in the window, so that no diffusivity can be given.
    """
    if lag_fs[0] > 0:
        lag_fs, msd_A2 = np.insert(lag_fs, 0, 0.0), np.insert(msd_A2, 0, 0.0)
    window = fit_window(msd_A2, site_distance_A)
    if window is None:
        raise TrajectoryError(
            f"the MSD rises by less than {0.5 * site_distance_A**2:.2f} Å² between that value and "
            "half of the run; lengthen the run or raise the temperature"
        )
    lags = slice(window.first, window.last + 1)
    value = _slope(lag_fs[lags], msd_A2[lags]) / 6.0 * CM2_S_PER_A2_FS
    n_eff = effective_hops(msd_A2, n_mobile, site_distance_A)
    error = he_relative_error(n_eff)
    ends = (float(lag_fs[window.first]) / 1000.0, float(lag_fs[window.last]) / 1000.0)
    half = 1.96 * error * value
    return DiffusionFit(
        diffusivity_cm2_s=value,
        window_ps=ends,
        n_eff=n_eff,
        he_rel_error=error,
        ion_rel_error=None,
        block_rel_error=None,
        low_cm2_s=max(value - half, 0.0),
        high_cm2_s=value + half,
    )


def fit_diffusivity(
    positions_A: FloatArray,
    msd_A2: FloatArray,
    window: Window,
    frame_spacing_fs: float,
    site_distance_A: float = SITE_DISTANCE_A,
) -> DiffusionFit:
    """Tracer diffusivity of a run, its error and its 95 % interval.

    Parameters
    ----------
    positions_A : array (n_frames, n_mobile, 3), Å
        Unwrapped positions, framework at rest.
    msd_A2 : array (n_frames,), Å²
        Their MSD.
    window : Window
        From :func:`fit_window`.
    frame_spacing_fs : float
        Time between frames, fs.
    site_distance_A : float
        Site distance a, Å.

    Returns
    -------
    DiffusionFit
        The interval is that of χ²/ν (:func:`gamma_interval`) with the spread over ions
        (independent walkers) or over five blocks of time (which also feel motion that ions share),
        whichever is wider. On lattice walks with known D in one, two and three dimensions it
        covers the truth in 92–99 % of cases. ``rel_error`` also counts the law of He 2018, which
        was fitted to real crystals and is wider than needed for independent walkers with few hops.
    """
    lags = np.arange(window.first, window.last + 1)
    to_cm2_s = CM2_S_PER_A2_FS / frame_spacing_fs / 6.0
    value = _slope(lags, msd_A2[lags]) * to_cm2_s
    n_eff = effective_hops(msd_A2, positions_A.shape[1], site_distance_A)
    he = he_relative_error(n_eff)
    ions = _spread(_slopes_of_ions(positions_A, window) * to_cm2_s)
    blocks = _spread(_slopes_of_blocks(positions_A, window.first) * to_cm2_s)
    known = [spread for spread in (ions, blocks) if spread is not None]
    # The one whose interval is wider: a few ions or a few blocks know their spread badly.
    error, number = max(known, key=_half_width, default=(he * value, 1000))
    low, high = gamma_interval(value, error / value if value > 0 else math.inf, number)
    return DiffusionFit(
        diffusivity_cm2_s=value,
        window_ps=(lags[0] * frame_spacing_fs / 1000.0, lags[-1] * frame_spacing_fs / 1000.0),
        n_eff=n_eff,
        he_rel_error=he,
        ion_rel_error=None if ions is None else ions[0] / value,
        block_rel_error=None if blocks is None else blocks[0] / value,
        low_cm2_s=low,
        high_cm2_s=high,
    )


def gamma_interval(value: float, rel_error: float, number: int) -> tuple[float, float]:
    """95 % interval of a mean squared quantity from its relative standard error.

    A diffusivity is a mean of squares, so it scatters like χ²/ν with 2/ν the relative variance:
    skewed, with more room above the estimate than below. For small errors it is the usual ±2σ.

    Parameters
    ----------
    value : float
    rel_error : float
        Standard error over the value.
    number : int
        Samples that the error was estimated from; few widen it as Student's t does.

    Returns
    -------
    low, high : float
        (0, inf) where the error is not finite.
    """
    if not math.isfinite(rel_error) or number < 2:
        return 0.0, math.inf
    widened = rel_error * float(stats.t.ppf(0.975, number - 1)) / 1.959964
    if widened <= 1e-9:
        return value, value
    freedom = max(2.0 / widened**2, 1.0)
    high, low = stats.chi2.ppf((0.025, 0.975), freedom) / freedom
    return value / float(low), value / float(high)


def _half_width(spread: tuple[float, int]) -> float:
    error, number = spread
    return error * float(stats.t.ppf(0.975, number - 1))


def _slope(x: FloatArray | IntArray, y: FloatArray) -> float:
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred))


def _spread(values: FloatArray) -> tuple[float, int] | None:
    """Standard error of a mean and how many values it rests on; None from fewer than two."""
    if len(values) < 2:
        return None
    return float(values.std(ddof=1) / math.sqrt(len(values))), len(values)


def _slopes_of_ions(positions_A: FloatArray, window: Window) -> FloatArray:
    """Slope of the MSD of each ion over the window, Å² a frame."""
    lags = np.unique(np.linspace(window.first, window.last, _LAGS).astype(int))
    each = msd_of_each_ion(positions_A, lags)
    centred = lags - lags.mean()
    return np.asarray(centred @ each / (centred @ centred))


def _slopes_of_blocks(
    positions_A: FloatArray, first_lag: int, n_blocks: int = _BLOCKS
) -> FloatArray:
    """Slope of the MSD within each of several blocks of time, Å² a frame.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
    first_lag : int
        Lag at which the MSD leaves the cage, frames; lowered to an eighth of a block where needed.
    n_blocks : int
        Number of blocks.

    Returns
    -------
    array (n_blocks,)
        Empty where blocks would hold fewer than 16 frames.
    """
    size = len(positions_A) // n_blocks
    if size < 16:
        return np.empty(0)
    lags = np.arange(min(first_lag, size // 8), size // 2)
    blocks = [positions_A[i * size : (i + 1) * size] for i in range(n_blocks)]
    return np.array([_slope(lags, mean_squared_displacement(b)[lags]) for b in blocks])
