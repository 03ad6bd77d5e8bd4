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
    """As :func:`meaningful`, for an array of any shape; for hundreds of numbers, not millions."""
    array = np.asarray(values, dtype=np.float64)
    rounded = [meaningful(value) for value in array.ravel().tolist()]
    return np.array(rounded, dtype=np.float64).reshape(array.shape)
