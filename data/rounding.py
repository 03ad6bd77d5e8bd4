"""Numbers rounded to what they mean, so that every machine works with the same ones.

What is zero by symmetry comes out as 1e-14 or -3e-15, as the order of additions on this processor
decides; a logarithm differs in its last bit between vector units. A tree splits between such
numbers as gladly as between others, and then one crystal has another prediction on another
machine. Eight digits are more than any descriptor or label here means and far fewer than double
precision carries: rounding errors stay below both limits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIGNIFICANT_DIGITS: Final[int] = 8
ZERO_BELOW: Final[float] = 1e-9
"""Absolute limit in a column's own unit: what is smaller is zero. Descriptors are numbers of
order one in Å, eV, g/cm³ or per atom; nothing real is that small."""


_LARGEST = 1e15
_POWERS = np.array([float(f"1e{k}") for k in range(23)])
"""Powers of ten that are exact in double precision."""
_NEAR_HALF = 1e-5


def meaningful(value: float) -> float:
    """The number to eight significant digits; 0.0 if its size is below 1e-9.

    NaN and infinities stay. Rounding is decimal and correct to the last digit (not by powers of
    ten in floating point), so that equal digits give equal bits on every machine.

    Examples
    --------
    >>> meaningful(0.1 + 0.2), meaningful(-3e-15)
    (0.3, 0.0)
    """
    if abs(value) < ZERO_BELOW:
        return 0.0
    return float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")


def meaningful_array(values: ArrayLike) -> NDArray[np.float64]:
    """As :func:`meaningful`, bit for bit, for an array of any shape.

    A whole number of up to eight digits, times or over a power of ten that is exact in binary, is
    the nearest number to its decimal form: no text is needed. Where that does not hold, or the
    digits behind are within rounding of one half, each number is rounded by itself.
    """
    array = np.asarray(values, dtype=np.float64)
    flat = array.ravel()
    size = np.abs(flat)
    # False for NaN, too, which stays what it is.
    plain = (size >= ZERO_BELOW) & (size < _LARGEST)
    size = np.where(plain, size, 1.0)
    digits = (SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(size))).astype(np.int64)
    up, down = _POWERS[np.maximum(digits, 0)], _POWERS[np.maximum(-digits, 0)]
    scaled = size * up / down
    whole = np.rint(scaled)
    rounded = np.where(plain, np.copysign(whole * down / up, flat), flat)
    rounded[np.abs(flat) < ZERO_BELOW] = 0.0
    doubtful = (np.abs(scaled - whole) > 0.5 - _NEAR_HALF) | (whole < _POWERS[7])
    for k in np.flatnonzero(doubtful | (np.abs(flat) >= _LARGEST)).tolist():
        rounded[k] = meaningful(flat[k])
    return rounded.reshape(array.shape)
