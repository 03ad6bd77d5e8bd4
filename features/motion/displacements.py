"""How mobile ions move: van Hove functions, non-Gaussian parameter, spread between ions."""

from __future__ import annotations

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray


def self_van_hove(positions_A: FloatArray, lag: int, edges_A: FloatArray) -> FloatArray:
    """Radial self part 4πr² G_s(r, τ): the density of ions that moved a distance r.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
        Unwrapped positions, framework at rest.
    lag : int
        Frames.
    edges_A : array (n_bins + 1,), Å
        Bin edges.

    Returns
    -------
    array (n_bins,), 1/Å
        Integrates to the share of ions within the range.
    """
    moved = np.linalg.norm(_moved(positions_A, lag), axis=2).ravel()
    counts = np.histogram(moved, edges_A)[0]
    return np.asarray(counts / (len(moved) * np.diff(edges_A)), dtype=np.float64)


def distinct_van_hove(
    frac: FloatArray, lattice: FloatArray, lag: int, edges_A: FloatArray
) -> FloatArray:
    """Distinct part G_d(r, τ) over its long-distance limit: g(r) at lag 0.

    A peak that fills at r = 0 as τ grows says that another ion steps into the place just left.

    Parameters
    ----------
    frac : array (n_frames, n_ions, 3)
        Fractional coordinates of the mobile ions, framework at rest.
    lattice : array (3, 3), Å
        Mean cell.
    lag : int
        Frames.
    edges_A : array (n_bins + 1,), Å
        Bin edges; distances are to nearest images.

    Returns
    -------
    array (n_bins,)
        1 where there is no correlation.
    """
    n_ions = frac.shape[1]
    if n_ions < 2:
        raise FeatureError("the distinct van Hove function needs two mobile ions or more")
    _check_lag(len(frac), lag)
    origins = range(0, len(frac) - lag, max(1, (len(frac) - lag) // 200))
    counts = np.zeros(len(edges_A) - 1)
    other = ~np.eye(n_ions, dtype=bool)
    for origin in origins:
        apart = frac[origin + lag][None] - frac[origin][:, None]
        apart = (apart - np.rint(apart))[other]
        counts += np.histogram(np.linalg.norm(apart @ lattice, axis=1), edges_A)[0]
    shells = 4.0 / 3.0 * np.pi * np.diff(np.asarray(edges_A) ** 3)
    density = (n_ions - 1) / abs(float(np.linalg.det(lattice)))
    return np.asarray(counts / (len(origins) * n_ions * shells * density), dtype=np.float64)


def non_gaussian_parameter(positions_A: FloatArray, lag: int) -> float:
    """α₂ = 3⟨r⁴⟩ / (5⟨r²⟩²) − 1: 0 for Gaussian motion, positive when few ions move far.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
    lag : int
        Frames.

    Returns
    -------
    float
        NaN where nothing moved.
    """
    squares = np.square(_moved(positions_A, lag)).sum(axis=2)
    mean = float(squares.mean())
    return 0.6 * float(np.square(squares).mean()) / mean**2 - 1.0 if mean > 0 else float("nan")


def ion_msd(positions_A: FloatArray, lag: int) -> FloatArray:
    """MSD of each ion at one lag, shape (n_ions,), Å²: proportional to single-ion diffusivities."""
    return np.asarray(np.square(_moved(positions_A, lag)).sum(axis=2).mean(axis=0))


def gini(values: FloatArray) -> float:
    """Gini coefficient of non-negative numbers: 0 all equal, towards 1 one has everything.

    Examples
    --------
    >>> gini(np.array([1.0, 1.0, 1.0]))
    0.0
    >>> round(gini(np.array([0.0, 0.0, 3.0])), 4)
    0.6667
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    total = float(ordered.sum())
    if total <= 0:
        return float("nan")
    n = len(ordered)
    ranks = np.arange(1, n + 1)
    return float((2.0 * (ranks @ ordered) / total - (n + 1)) / n)


def _moved(positions_A: FloatArray, lag: int) -> FloatArray:
    _check_lag(len(positions_A), lag)
    return np.asarray(positions_A[lag:] - positions_A[:-lag] if lag else positions_A * 0.0)


def _check_lag(n_frames: int, lag: int) -> None:
    if not 0 <= lag < n_frames:
        raise FeatureError(f"a lag of {lag} frames does not fit in {n_frames} frames")
