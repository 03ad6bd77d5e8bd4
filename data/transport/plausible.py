"""What a label can be: beyond these limits a unit was forgotten or a number was made up.

The limits are wide; inside them nothing is judged. Conductivities: molten LiF has 9 S/cm at 1150 K,
α-AgI 1.3 at 420 K, RbAg4I5 0.3 at 300 K (the most of any solid there), simulations find up to
three times as much.
"""

from __future__ import annotations

import math
from typing import Final

TEMPERATURE_K: Final[tuple[float, float]] = (100.0, 5000.0)
ONSET_K: Final[tuple[float, float]] = (10.0, 5000.0)
SMALLEST: Final[float] = 1e-40
"""Of a conductivity (S/cm) or diffusivity (cm²/s): a line drawn down from 1000 K ends above."""
LARGEST_D_CM2_S: Final[float] = 0.01
"""Ions in a melt have 1e-4 cm²/s, gases 0.1."""
LARGEST_SIGMA: Final[tuple[tuple[float, float], ...]] = (
    (350.0, 1.0),
    (600.0, 3.0),
    (math.inf, 20.0),
)
"""Up to this temperature (K), the largest conductivity (S/cm)."""


def temperature_problem(temperature_K: float) -> str:
    """Why this cannot be the temperature of a label; empty if it can.

    Parameters
    ----------
    temperature_K : float
        K; NaN where the label has none.
    """
    low, high = TEMPERATURE_K
    if temperature_K < low:
        return f"is below {low:g} K; is it in °C?"
    return f"is above {high:g} K" if temperature_K > high else ""


def value_problem(quantity: str, value: float, temperature_K: float) -> str:
    """Why this cannot be the value or bound of a label; empty if it can.

    Parameters
    ----------
    quantity : str
        As in :data:`ionsieve.data.records.QUANTITIES`.
    value : float
        Unit of the quantity; NaN where the label has none.
    temperature_K : float
        K; where it is not known the widest limits hold.
    """
    if quantity == "t_onset_K":
        low, high = ONSET_K
        return "" if math.isnan(value) or low <= value <= high else f"is not {low:g} to {high:g} K"
    if quantity not in ("sigma_S_cm", "diffusivity_cm2_s"):
        return ""
    if 0 < value < SMALLEST:
        return f"is below {SMALLEST:g}; 'none seen' is an upper bound"
    if quantity == "diffusivity_cm2_s":
        return f"is above {LARGEST_D_CM2_S:g} cm2/s" if value > LARGEST_D_CM2_S else ""
    largest = next((s for t, s in LARGEST_SIGMA if not temperature_K > t), LARGEST_SIGMA[-1][1])
    if math.isnan(temperature_K):
        largest = LARGEST_SIGMA[-1][1]
    if value > largest:
        return (
            f"is more than the {largest:g} S/cm that any ionic conductor reaches there; is it in "
            "mS/cm? divide by 1000"
        )
    return ""
