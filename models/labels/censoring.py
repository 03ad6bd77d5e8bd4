"""Targets known exactly or only as bounds: a lower and an upper column.

A value has ``lower == upper``; "below u" has ``lower = -inf``; "above l" has ``upper = +inf``.
No bound is ever replaced by a number of our own: where a learner needs one number it gets the
expectation within the bound under the model of the moment (Buckley and James, Biometrika 66, 429
(1979)), and that number never leaves the fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

from ...data.errors import ModelError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def as_bounds(target: ArrayLike) -> FloatArray:
    """Bring a target to bounds.

    Parameters
    ----------
    target : array (n,) or (n, 2)
        Values, or lower and upper bounds; any unit.

    Returns
    -------
    array (n, 2)
        Lower and upper bound per row, same unit.

    Raises
    ------
    ModelError
        If the shape is neither, a bound is NaN, a row is unbounded on both sides or has
        ``lower > upper``.
    """
    array = np.asarray(target, dtype=np.float64)
    if array.ndim == 1:
        array = np.column_stack([array, array])
    if array.ndim != 2 or array.shape[1] != 2:
        raise ModelError(f"a target has shape (n,) or (n, 2), got {array.shape}")
    if np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array).any(axis=1))[0])
        raise ModelError(f"target row {row} is NaN; give a value or a bound")
    wrong = (array[:, 0] > array[:, 1]) | np.isinf(array).all(axis=1) | np.isposinf(array[:, 0])
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ModelError(f"target row {row} is not an interval: {array[row].tolist()}")
    return array


def is_exact(bounds: FloatArray) -> BoolArray:
    """Rows known as a value, shape (n,)."""
    exact: BoolArray = bounds[:, 0] == bounds[:, 1]
    return exact


def is_closed(bounds: FloatArray) -> BoolArray:
    """Rows known as a value or between two finite bounds, shape (n,)."""
    return np.isfinite(bounds[:, 0]) & np.isfinite(bounds[:, 1])


def middle(bounds: FloatArray) -> FloatArray:
    """One finite number per row for starting points only: the value, the centre or the bound."""
    low, high = bounds.T
    with np.errstate(invalid="ignore"):
        centre = 0.5 * (low + high)
    return np.where(np.isfinite(centre), centre, np.where(np.isfinite(low), low, high))


def log_mass(interval: FloatArray) -> FloatArray:
    """Logarithm of the standard normal probability of intervals (n, 2), accurate in the tails."""
    low, high = np.where((interval[:, :1] > 0), -interval[:, ::-1], interval).T
    with np.errstate(divide="ignore", invalid="ignore"):
        mass: FloatArray = log_ndtr(high) + np.log1p(-np.exp(log_ndtr(low) - log_ndtr(high)))
    return mass


def spread_or_one(values: FloatArray) -> float:
    """Standard deviation, or 1 where all values are equal up to rounding."""
    sd = float(np.std(values))
    return sd if sd > 1e-9 * (1.0 + float(np.abs(values).max())) else 1.0


def truncated_moments(
    bounds: FloatArray, mean: ArrayLike, sd: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of N(mean, sd²) given that it lies within the bounds.

    Parameters
    ----------
    bounds : array (n, 2)
        Lower and upper bound, unit of the target.
    mean, sd : float or array (n,)
        Centre and width of the untruncated normal, same unit; ``sd`` positive.

    Returns
    -------
    array (n,), array (n,)
        Conditional mean and variance. Exact rows give their value and zero.
    """
    centre = np.broadcast_to(np.asarray(mean, dtype=np.float64), len(bounds))
    width = np.broadcast_to(np.asarray(sd, dtype=np.float64), len(bounds))
    # With both bounds on the right of the mean, mirror: log_ndtr is accurate on the left only.
    alpha = (bounds - centre[:, None]) / width[:, None]
    mirror = alpha[:, 0] > 0
    alpha[mirror] = -alpha[mirror][:, ::-1]
    a, b = alpha.T
    mass = log_mass(alpha)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio_a = np.where(np.isfinite(a), np.exp(-0.5 * a**2 - mass), 0.0) / np.sqrt(2 * np.pi)
        ratio_b = np.where(np.isfinite(b), np.exp(-0.5 * b**2 - mass), 0.0) / np.sqrt(2 * np.pi)
        shift = ratio_a - ratio_b
        a_finite, b_finite = np.where(np.isfinite(a), a, 0.0), np.where(np.isfinite(b), b, 0.0)
        variance = 1.0 + a_finite * ratio_a - b_finite * ratio_b - shift**2
    # A sliver of probability has no resolvable shape: its middle is all that is known.
    sliver = ~np.isfinite(shift) | ~np.isfinite(variance) | (b - a < 1e-6)
    shift = np.where(sliver, np.clip(0.0, a, b), np.clip(shift, a, b))
    variance = np.where(sliver, 0.0, np.clip(variance, 0.0, 1.0))
    conditional = centre + width * np.where(mirror, -shift, shift)
    conditional = np.clip(conditional, bounds[:, 0], bounds[:, 1])
    return conditional, width**2 * variance
