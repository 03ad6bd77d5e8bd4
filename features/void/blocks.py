"""Blocks of grid points, visited together."""

from __future__ import annotations

import numpy as np
from numba import njit

from .grid import BLOCK


@njit(cache=True)
def block_radius(step):  # type: ignore[no-untyped-def]
    """Distance from the centre of a block of grid points to its farthest corner, Å."""
    half = (BLOCK - 1) / 2
    radius = 0.0
    for i in (-half, half):
        for j in (-half, half):
            for k in (-half, half):
                corner = i * step[0] + j * step[1] + k * step[2]
                radius = max(radius, np.sqrt((corner * corner).sum()))
    return radius
